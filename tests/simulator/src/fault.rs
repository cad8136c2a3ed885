//! Faults: one call, or every call, of an operation goes wrong in a chosen way.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::call::{Body, Reply};
use crate::log::Vendor;

/// Which calls go wrong, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The HTTP method, or `*` for any.
    pub method: String,
    /// The path template as in the vendor's specification (`/v2/droplets/{droplet_id}`,
    /// `/zones/{zone_id}/dns_records`), or `*` for any.
    pub template: String,
    /// The first matching call that goes wrong, from 1, counted since the fault was set.
    pub nth: u32,
    /// How many matching calls go wrong from there on.
    pub times: u32,
    /// How they go wrong.
    pub kind: FaultKind,
}

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// Answers this, and does nothing.
    Respond {
        /// The status.
        status: u16,
        /// Further headers.
        headers: Vec<(String, String)>,
        /// The body, sent as it stands.
        body: String,
    },
    /// Closes the connection without an answer, and does nothing.
    DropBefore,
    /// Resets the connection without an answer, and does nothing.
    Reset,
    /// Does what was asked, then closes the connection without an answer.
    DropAfter,
    /// Does what was asked, then stays silent for so long.
    Silence(Duration),
    /// Waits, then goes on as usual.
    Delay(Duration),
    /// Does nothing; answers 200 with a page of HTML, as a captive portal does.
    Html,
    /// Does what was asked; answers with the first half of the body.
    Garbage,
    /// Does what was asked; answers with that many bytes of a JSON string.
    Huge(usize),
    /// Each page of a list names a next one, and shows the first page's items again.
    EndlessPages,
    /// Does nothing; answers 307 to this location.
    Redirect(String),
    /// Does what was asked; numbers come as text, text as numbers, lists as objects.
    WrongTypes,
}

impl Fault {
    /// Makes the first call of that operation go wrong, once.
    pub fn first(method: &str, template: &str, kind: FaultKind) -> Fault {
        Fault { method: method.to_owned(), template: template.to_owned(), nth: 1, times: 1, kind }
    }

    /// Moves the fault to the `nth` matching call, from 1.
    pub fn nth(self, nth: u32) -> Fault {
        Fault { nth, ..self }
    }

    /// Makes that many calls go wrong.
    pub fn times(self, times: u32) -> Fault {
        Fault { times, ..self }
    }
}

/// The faults that are set, and how far they have counted.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Vec<(Fault, u32)>,
    pub(crate) fired: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.set.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    /// Counts a call in every fault that matches; returns what is to happen to it.
    pub(crate) fn strike(&mut self, method: &str, template: &str) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.set {
            let matches = |wanted: &str, given: &str| wanted == "*" || wanted == given;
            if !matches(&fault.method, method) || !matches(&fault.template, template) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let last = fault.nth.saturating_add(fault.times);
            if struck.is_none() && *seen >= fault.nth && *seen < last {
                struck = Some(fault.kind.clone());
            }
        }
        self.fired += u32::from(struck.is_some());
        struck
    }
}

impl FaultKind {
    /// The answer that a fault gives without asking the world, if it does.
    pub(crate) fn instead(&self) -> Option<Reply> {
        let text = |status, body: &str| Reply {
            status,
            headers: Vec::new(),
            body: Body::Text(body.to_owned()),
        };
        match self {
            FaultKind::Respond { status, headers, body } => {
                let body = match serde_json::from_str(body) {
                    _ if body.is_empty() => Body::Empty,
                    Ok(value) => Body::Json(value),
                    Err(_) => Body::Text(body.clone()),
                };
                Some(Reply { status: *status, headers: headers.clone(), body })
            }
            FaultKind::Html => {
                let page = "<!doctype html><html><body><h1>Sign in</h1></body></html>";
                Some(text(200, page).with("content-type", "text/html"))
            }
            FaultKind::Redirect(location) => Some(Reply::empty(307).with("location", location)),
            FaultKind::DropBefore | FaultKind::Reset => Some(Reply::empty(503)),
            _ => None,
        }
    }

    /// Bends the world's answer; `next` is the address that an endless list names as its next.
    pub(crate) fn bend(&self, vendor: Vendor, next: &str, mut reply: Reply) -> Reply {
        match self {
            FaultKind::Garbage => {
                let text = String::from_utf8_lossy(&reply.bytes().0).into_owned();
                let half = text.chars().take(text.chars().count() / 2).collect();
                reply.body = Body::Text(half);
                reply.with("content-type", "application/json")
            }
            FaultKind::Huge(bytes) => {
                Reply { body: Body::Json(json!("x".repeat(*bytes))), ..reply }
            }
            FaultKind::WrongTypes => match reply.body {
                Body::Json(value) => Reply { body: Body::Json(twist(value)), ..reply },
                _ => reply,
            },
            FaultKind::EndlessPages => match reply.body {
                Body::Json(value) => {
                    Reply { body: Body::Json(endless(vendor, next, value)), ..reply }
                }
                _ => reply,
            },
            _ => reply,
        }
    }
}

/// Gives every value a type that the vendor's clients do not expect there.
fn twist(value: Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!(if flag { "yes" } else { "no" }),
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => json!(text.len()),
        Value::Array(items) => {
            let pairs = items.into_iter().enumerate();
            Value::Object(pairs.map(|(at, item)| (at.to_string(), twist(item))).collect())
        }
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, twist(value))).collect(),
    }
}

/// Names a next page in a list, whatever page it is.
fn endless(vendor: Vendor, next: &str, mut value: Value) -> Value {
    let Some(map) = value.as_object_mut() else { return value };
    match vendor {
        Vendor::DigitalOcean => {
            map.insert("links".to_owned(), json!({"pages": {"next": next}}));
            map.insert("meta".to_owned(), json!({"total": 1_000_000_000}));
        }
        Vendor::Cloudflare => {
            let info = map.entry("result_info").or_insert_with(|| Value::Object(Map::new()));
            info["total_pages"] = json!(1_000_000_000);
            info["total_count"] = json!(1_000_000_000);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_the_chosen_calls_only() {
        let mut faults = Faults::default();
        faults.add(Fault::first("GET", "/v2/droplets", FaultKind::Html).nth(2).times(2));
        let mut struck = || faults.strike("GET", "/v2/droplets").is_some();
        assert_eq!([struck(), struck(), struck(), struck()], [false, true, true, false]);
        assert_eq!(faults.strike("POST", "/v2/droplets"), None);
        assert_eq!(faults.fired, 2);
    }

    #[test]
    fn twists_every_type() {
        let twisted = twist(json!({"a": [1, "ab"], "b": null, "c": true}));
        assert_eq!(twisted, json!({"a": {"0": "1", "1": 2}, "b": {}, "c": "yes"}));
    }
}
