//! The plan as JSON, in the shape of `terraform show -json`, which programs already read.

use std::io::{self, Write};

use ipai_core::exposure::{Exposed, Turn};
use ipai_core::plan::{AttributeChange, Shown};
use ipai_core::{Action, Address, Diagnostic, Plan, Reason, Sources, Verb};
use serde_json::{Map, Value as Json, json};

use super::{exposure_json, json_text, problem_json, value, verbs};

/// What the JSON must know beside the plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanFacts<'a> {
    /// Which ipai made the plan.
    pub ipai_version: &'a str,
    /// When, RFC 3339.
    pub timestamp: Option<&'a str>,
    /// Names the configuration that was planned, as `sha256:HEX`.
    pub config_hash: Option<&'a str>,
    /// The exit code of the process that writes this.
    pub exit_code: u8,
    /// Whether planning failed.
    pub errored: bool,
    /// Errors and warnings.
    pub diagnostics: &'a [Diagnostic],
    /// What can be reached from outside, and how that turns.
    pub exposure: &'a [(Exposed, Turn)],
}

/// Writes the plan as JSON, an action at a time. Secrets appear as `(sensitive value)`, contents as hash and size.
/// `before` and `after` hold the attributes that change; those of resources that stay as they are, are left out.
///
/// # Errors
/// The output takes no more.
pub fn write_plan_json(
    output: &mut dyn Write,
    plan: &Plan,
    facts: &PlanFacts<'_>,
    sources: &Sources,
) -> io::Result<()> {
    let frame = json_text(&frame(plan, facts, sources), true);
    let (head, rest) = around(&frame, "resource_changes");
    // The frame names the two in this order.
    let (between, end) = around(rest, "resource_drift");
    output.write_all(head.as_bytes())?;
    array(output, plan.actions.iter().map(resource_change))?;
    output.write_all(between.as_bytes())?;
    array(output, plan.effective().filter(|action| action.is_drift()).map(resource_drift))?;
    output.write_all(end.as_bytes())?;
    output.write_all(b"\n")
}

/// What stands before and behind the empty array of this name in a document.
fn around<'t>(text: &'t str, name: &str) -> (&'t str, &'t str) {
    // No string holds a line end, so only the document's own keys begin a line.
    let key = format!("\n  \"{name}\": ");
    let at = text.find(&key).map_or(text.len(), |at| at + key.len());
    let (head, rest) = text.split_at(at);
    (head, rest.strip_prefix("[]").unwrap_or(rest))
}

/// Writes an array as [`json_text`] does, two levels deep, holding one item at a time.
fn array(output: &mut dyn Write, items: impl Iterator<Item = Json>) -> io::Result<()> {
    let mut empty = true;
    for item in items {
        let item = json_text(&item, true).replace('\n', "\n    ");
        write!(output, "{}\n    {item}", if empty { "[" } else { "," })?;
        empty = false;
    }
    output.write_all(if empty { b"[]" } else { b"\n  ]" })
}

/// The document with no actions in it.
fn frame(plan: &Plan, facts: &PlanFacts<'_>, sources: &Sources) -> Json {
    let summary = plan.summary();
    let errored = facts.errored || facts.diagnostics.iter().any(Diagnostic::is_error);
    let mut json = json!({
        "format_version": "1.0",
        "ipai_version": facts.ipai_version,
        "stack": plan.stack,
        "errored": errored,
        "applyable": !errored && plan.conflicts.is_empty() && plan.effective().next().is_some(),
        "complete": !errored,
        "fingerprint": plan.fingerprint(),
        "targets": plan.targets,
        "live_hash": plan.live_digest,
        "resource_changes": [],
        "resource_drift": [],
        "output_changes": {},
        "checks": [],
        "exposure": exposure_json(facts.exposure),
        "summary": { "add": summary.add, "change": summary.change, "destroy": summary.destroy },
        "conflicts": plan.conflicts,
        "notes": plan.notes,
        "foreign": plan.foreign,
        "diagnostics": problem_json::diagnostics_json(facts.diagnostics, sources),
        "exit_code": facts.exit_code,
    });
    if let Some(timestamp) = facts.timestamp {
        json["timestamp"] = json!(timestamp);
    }
    if let Some(hash) = facts.config_hash {
        json["config_hash"] = json!(hash);
    }
    json
}

/// The type as Terraform would call it: `digitalocean_droplet`; a secret's is `secret`.
pub(super) fn type_name(address: &Address) -> String {
    if address.kind.is_empty() {
        return address.provider.clone();
    }
    format!("{}_{}", address.provider, address.kind)
}

/// Which resource it is.
fn resource(address: &Address) -> Json {
    json!({
        "address": address,
        "mode": "managed",
        "type": type_name(address),
        "name": address.name,
        "provider_name": address.provider,
    })
}

fn resource_change(action: &Action) -> Json {
    let mut json = resource(&action.address);
    let mut change =
        change(verbs::actions(action.verb), &action.changes, |c| (&c.before, &c.after));
    // There is nothing before a creation and nothing after a deletion, not even an empty object.
    match action.verb {
        Verb::Create => change["before"] = Json::Null,
        Verb::Delete => change["after"] = Json::Null,
        _ => {}
    }
    let forced = action.changes.iter().filter(|change| change.forces_replace);
    change["replace_paths"] = forced.map(|change| path(&change.name)).collect();
    if action.verb == Verb::Adopt {
        change["importing"] = json!({ "id": action.id });
    }
    json["change"] = change;
    if let Some(reason) = reason(action) {
        json["action_reason"] = json!(reason);
        json["reason"] = json!(action.reason.to_string());
    }
    if let Some(id) = &action.id {
        json["id"] = json!(id);
    }
    json["depends_on"] = json!(action.after);
    json["holds_data"] = json!(action.holds_data);
    json
}

/// How the resource left the desired state: from what it should be to what it is.
fn resource_drift(action: &Action) -> Json {
    let mut json = resource(&action.address);
    let deleted = action.reason == Reason::Deleted;
    let actions: &[&str] = if deleted { &["delete"] } else { &["update"] };
    let mut change = change(actions, &action.changes, |c| (&c.after, &c.before));
    if deleted {
        change["after"] = Json::Null;
    }
    json["change"] = change;
    json
}

type Sides = fn(&AttributeChange) -> (&Shown, &Shown);

fn change(actions: &[&str], changes: &[AttributeChange], sides: Sides) -> Json {
    let (mut before, mut after) = (Map::new(), Map::new());
    let (mut before_sensitive, mut after_sensitive) = (Map::new(), Map::new());
    let mut unknown = Map::new();
    for change in changes {
        let (was, is) = sides(change);
        side(&change.name, was, &mut before, &mut before_sensitive);
        side(&change.name, is, &mut after, &mut after_sensitive);
        if *is == Shown::Unknown {
            unknown.insert(change.name.clone(), json!(true));
        }
    }
    json!({
        "actions": actions,
        "before": before,
        "after": after,
        "after_unknown": unknown,
        "before_sensitive": before_sensitive,
        "after_sensitive": after_sensitive,
    })
}

/// Adds one attribute to one side; an unknown one is left out, as Terraform does.
fn side(
    name: &str,
    shown: &Shown,
    values: &mut Map<String, Json>,
    sensitive: &mut Map<String, Json>,
) {
    let (json, mask) = match shown {
        Shown::Unknown => return,
        Shown::Absent => (Json::Null, None),
        Shown::Sensitive(_) => (json!(value::SENSITIVE), Some(json!(true))),
        Shown::Value(json) => (redacted(json), mask(json)),
    };
    values.insert(name.to_owned(), json);
    if let Some(mask) = mask {
        sensitive.insert(name.to_owned(), mask);
    }
}

/// A value with its secrets taken out.
fn redacted(json: &Json) -> Json {
    match value::kind(json) {
        value::Kind::Sensitive => json!(value::SENSITIVE),
        value::Kind::Content { .. } => json.clone(),
        value::Kind::Plain(Json::Array(items)) => items.iter().map(redacted).collect(),
        value::Kind::Plain(Json::Object(map)) => {
            map.iter().map(|(name, item)| (name.clone(), redacted(item))).collect()
        }
        value::Kind::Plain(other) => other.clone(),
    }
}

/// Where in a value the secrets are: `true`, or a list or an object that holds such.
fn mask(json: &Json) -> Option<Json> {
    match value::kind(json) {
        value::Kind::Sensitive => Some(json!(true)),
        value::Kind::Plain(Json::Array(items)) => {
            let masks: Vec<Option<Json>> = items.iter().map(mask).collect();
            let any = masks.iter().any(Option::is_some);
            any.then(|| masks.into_iter().map(|mask| mask.unwrap_or(json!(false))).collect())
        }
        value::Kind::Plain(Json::Object(map)) => {
            let masks = map.iter().filter_map(|(name, item)| Some((name.clone(), mask(item)?)));
            let masks: Map<String, Json> = masks.collect();
            (!masks.is_empty()).then_some(Json::Object(masks))
        }
        _ => None,
    }
}

/// `services.caddy` as a path of two steps. Attribute names have no dots; the names of members may.
fn path(name: &str) -> Json {
    name.splitn(2, '.').collect()
}

/// Terraform's word where it has one, else ours in the same manner; none for what stays as it is.
fn reason(action: &Action) -> Option<&'static str> {
    Some(match (&action.reason, action.verb) {
        (Reason::Same, _) => return None,
        (Reason::CannotUpdate(_), _) => "replace_because_cannot_update",
        (Reason::Requested, Verb::Adopt) => "adopt_by_request",
        (Reason::Requested, Verb::Forget) => "forget_by_request",
        (Reason::Requested, _) => "replace_by_request",
        (Reason::NoLongerDesired, _) => "delete_because_no_resource_config",
        (Reason::DuplicateOf(_), _) => "delete_because_duplicate",
        (Reason::Destroyed, _) => "delete_because_destroyed",
        (Reason::NotFound, _) => "create_because_not_found",
        (Reason::Deleted, _) => "create_because_deleted_outside",
        (Reason::HomeIsNew(_), _) => "create_because_home_is_new",
        (Reason::NotGenerated, _) => "create_because_not_generated",
        (Reason::Edited, _) => "update_because_edited",
        (Reason::Unfinished, _) => "update_because_unfinished",
        (Reason::Drifted, _) => "update_because_drifted",
        (Reason::WaitsFor(_), _) => "update_because_values_unknown",
    })
}
