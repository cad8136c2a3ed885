//! One question to a service, and what its answer must say.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::Reading;
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::Fields;
use crate::secret::Secret;
use crate::template::Origin;
use crate::tree::{Data, Node, Table};

/// A question and what its answer must say.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// How it is asked.
    pub way: Way,
    /// What the answer must say.
    pub expect: Expectation,
    /// Secrets that are still to be made: until then nobody can ask.
    pub waits_for: Vec<String>,
    /// Certificates of an authority that is believed as well, in PEM form.
    pub authority: Option<String>,
}

/// How a question is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// By HTTP.
    Url {
        /// The URL; its host name is kept for TLS and the `Host` header.
        url: String,
        /// Headers, which may hold secrets.
        headers: BTreeMap<String, Secret>,
        /// A body of JSON, which is posted; without one it is a GET.
        body: Option<Secret>,
    },
    /// By a command in the service's container.
    Command {
        /// The command and its arguments.
        words: Vec<String>,
        /// What it reads.
        input: Option<Secret>,
    },
}

/// What an answer must say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// The status of an answer by HTTP.
    pub status: u16,
    /// Headers with exactly these values.
    pub headers: BTreeMap<String, String>,
    /// Members that the JSON answer must have with these values.
    pub json: BTreeMap<String, Json>,
    /// Members that the JSON answer must have, not empty.
    pub keys: Vec<String>,
    /// The whole body, or all that a command prints, white space around it aside.
    pub body: Option<String>,
    /// Whether what the answer says may be secret itself, so that no message repeats it.
    pub private: bool,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status; 200 for a command that ended well.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, or what a command printed.
    pub body: String,
}

/// The keys of a question as they stand in a table.
pub(super) struct Parts {
    url: Option<(String, Span)>,
    headers: Option<Table>,
    json: Option<Table>,
    command: Option<Vec<String>>,
    input: Option<(String, Span)>,
    expect: Expectation,
}

impl Question {
    /// Takes the keys of a question out of a table.
    pub(super) fn fields(fields: &mut Fields<'_>) -> Parts {
        let status = fields.int("expect_status", 100, 599).and_then(|s| u16::try_from(s).ok());
        let text = |(name, entry): (&String, &crate::tree::Entry)| match &entry.node.data {
            Data::Text(text) => Some((name.to_ascii_lowercase(), text.clone())),
            _ => None,
        };
        let expected = fields.table("expect_headers");
        Parts {
            url: fields.text("url"),
            headers: fields.table("headers").cloned(),
            json: fields.table("json").cloned(),
            command: fields.texts("command"),
            input: fields.text("input"),
            expect: Expectation {
                status: status.unwrap_or(200),
                headers: expected.iter().flat_map(|t| t.iter()).filter_map(text).collect(),
                json: fields.table("expect_json").map(members).unwrap_or_default(),
                keys: fields.texts("expect_keys").unwrap_or_default(),
                body: fields.text("expect_body").map(|body| body.0),
                private: false,
            },
        }
    }

    /// Reads a table that holds a question and nothing else. Its answer may be secret.
    pub(super) fn table(
        table: &Table,
        what: &str,
        span: &Span,
        has_service: bool,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let mut fields = Fields::new(table, what, span, reading.problems);
        fields.node("when");
        let parts = Self::fields(&mut fields);
        fields.finish();
        let mut question = Self::read(parts, span, has_service, reading)?;
        question.expect.private = true;
        Some(question)
    }

    /// Renders the keys; what is wrong is collected.
    pub(super) fn read(
        parts: Parts,
        span: &Span,
        has_service: bool,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let mut waits_for = Vec::new();
        let way = match (parts.url, parts.command) {
            (Some((url, at)), None) => {
                let headers = parts.headers.map(|table| reading.headers(&table, &mut waits_for));
                let body = parts.json.map(|table| reading.json(&table, &mut waits_for));
                let body = body.map(|body| Secret::new(Json::Object(body).to_string()));
                let url = reading.url(&url, at)?;
                Way::Url { url, headers: headers.unwrap_or_default(), body }
            }
            (None, Some(words)) if has_service && !words.is_empty() => {
                let input = parts.input.map(|(text, at)| reading.text(&text, &at, &mut waits_for));
                Way::Command { words, input: input.map(Secret::new) }
            }
            (None, Some(_)) => {
                let problem = Diagnostic::error("A command without a place to run")
                    .detail("A `command` runs in a service's container.")
                    .hint("name the service: service = \"…\"");
                reading.problems.push(problem.at(span));
                return None;
            }
            (Some(_), Some(_)) | (None, None) => {
                let problem = Diagnostic::error("A check asks in one way")
                    .detail("It has either a `url` or a `command`.")
                    .hint("add `url = \"https://…\"` below this line");
                reading.problems.push(problem.at(span));
                return None;
            }
        };
        waits_for.sort();
        waits_for.dedup();
        let mut expect = parts.expect;
        for value in expect.headers.values_mut() {
            *value = reading.text(value, span, &mut Vec::new());
        }
        Some(Self { way, expect, waits_for, authority: None })
    }
}

impl Reading<'_> {
    fn text(&mut self, source: &str, at: &Span, waits_for: &mut Vec<String>) -> String {
        match self.renderer.render(source, &Origin::Inline(at.clone())) {
            Ok(rendered) => {
                waits_for.extend(rendered.unknown.iter().map(|r| r.address.to_string()));
                rendered.text
            }
            Err(problem) => {
                self.problems.push(problem);
                String::new()
            }
        }
    }

    fn headers(&mut self, table: &Table, waits_for: &mut Vec<String>) -> BTreeMap<String, Secret> {
        let mut headers = BTreeMap::new();
        for (name, entry) in table.iter() {
            let Data::Text(source) = &entry.node.data else {
                self.problems.push(crate::fields::wrong_type(name, &entry.node, "a string"));
                continue;
            };
            let value = self.text(source, &entry.node.span, waits_for);
            headers.insert(name.clone(), Secret::new(value));
        }
        headers
    }

    fn json(&mut self, table: &Table, waits_for: &mut Vec<String>) -> Map<String, Json> {
        let member = |(name, entry): (&String, &crate::tree::Entry)| {
            (name.clone(), self.value(&entry.node, waits_for))
        };
        table.iter().map(member).collect()
    }

    fn value(&mut self, node: &Node, waits_for: &mut Vec<String>) -> Json {
        match &node.data {
            Data::Text(source) => Json::from(self.text(source, &node.span, waits_for)),
            Data::List(items) => items.iter().map(|item| self.value(item, waits_for)).collect(),
            Data::Table(table) => Json::Object(self.json(table, waits_for)),
            _ => to_json(node),
        }
    }

    fn url(&mut self, source: &str, at: Span) -> Option<String> {
        let rendered = match self.renderer.render(source, &Origin::Inline(at.clone())) {
            Ok(rendered) => rendered,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        let plain = rendered.references.is_empty() && rendered.secrets.is_empty();
        let http = rendered.text.starts_with("https://") || rendered.text.starts_with("http://");
        if plain && http {
            return Some(rendered.text);
        }
        let detail =
            "A check's URL begins with https:// or http:// and holds neither secrets nor outputs.";
        self.problems.push(Diagnostic::error("Not a URL for a check").detail(detail).at(&at));
        None
    }
}

impl Expectation {
    /// Why an answer does not say what it must, if so. HTML where JSON is wanted is named as such, because a
    /// catch-all page answers 200 for everything.
    #[must_use]
    pub fn judge(&self, answer: &Answer) -> Option<String> {
        if answer.status != self.status {
            return Some(format!("answered {}, expected {}", answer.status, self.status));
        }
        if let Some((name, wanted)) =
            self.headers.iter().find(|(name, wanted)| answer.headers.get(*name) != Some(wanted))
        {
            let found = answer.headers.get(name).map_or("nothing", String::as_str);
            return Some(format!("the header `{name}` is {found}, expected {wanted}"));
        }
        if let Some(wanted) = &self.body
            && answer.body.trim() != wanted.trim()
        {
            return Some(format!("the body is not \"{wanted}\""));
        }
        if self.json.is_empty() && self.keys.is_empty() {
            return None;
        }
        let Ok(Json::Object(body)) = serde_json::from_str(&answer.body) else {
            let kind = answer.headers.get("content-type").map_or("something else", String::as_str);
            return Some(format!("expected JSON, got {kind}"));
        };
        let wrong = self.json.iter().find(|(key, wanted)| body.get(*key) != Some(wanted));
        if let Some((key, wanted)) = wrong {
            let found = match body.get(key) {
                None => "nothing".to_owned(),
                Some(_) if self.private => "something else".to_owned(),
                Some(found) => found.to_string(),
            };
            return Some(format!("`{key}` is {found}, expected {wanted}"));
        }
        let empty = |key: &&String| {
            matches!(body.get(*key), None | Some(Json::Null))
                || body.get(*key) == Some(&Json::from(""))
        };
        self.keys.iter().find(empty).map(|key| format!("`{key}` is missing or empty"))
    }
}

fn members(table: &Table) -> BTreeMap<String, Json> {
    table.iter().map(|(key, entry)| (key.clone(), to_json(&entry.node))).collect()
}

fn to_json(node: &Node) -> Json {
    match &node.data {
        Data::Text(text) | Data::Other(text) => Json::from(text.as_str()),
        Data::Int(int) => Json::from(*int),
        Data::Bool(truth) => Json::from(*truth),
        Data::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Data::Table(table) => Json::Object(members(table).into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation() -> Expectation {
        Expectation {
            status: 200,
            json: [("status".to_owned(), Json::from("OK"))].into(),
            keys: vec!["version".into()],
            ..Expectation::default()
        }
    }

    fn judge(expectation: &Expectation, kind: &str, body: &str) -> Option<String> {
        let headers = [("content-type".to_owned(), kind.to_owned())].into();
        expectation.judge(&Answer { status: 200, headers, body: body.into() })
    }

    #[test]
    fn a_catch_all_page_with_status_200_does_not_pass() {
        let why = judge(&expectation(), "text/html", "<!doctype html>").unwrap();
        assert_eq!(why, "expected JSON, got text/html");
    }

    #[test]
    fn members_must_be_there_with_their_values() {
        let judge = |body: &str| judge(&expectation(), "application/json", body);
        assert_eq!(judge(r#"{"status":"OK","version":"7"}"#), None);
        assert_eq!(
            judge(r#"{"status":"OK","version":""}"#).unwrap(),
            "`version` is missing or empty"
        );
        assert_eq!(
            judge(r#"{"status":"bad","version":"7"}"#).unwrap(),
            "`status` is \"bad\", expected \"OK\""
        );
    }

    #[test]
    fn what_may_be_secret_is_not_repeated() {
        let private = Expectation { private: true, ..expectation() };
        let why = judge(&private, "application/json", r#"{"status":"hunter2"}"#).unwrap();
        assert_eq!(why, "`status` is something else, expected \"OK\"");
    }
}
