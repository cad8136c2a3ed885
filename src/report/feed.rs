//! The message stream of `apply --json`: one JSON object for each line, in the shape of Terraform's
//! machine-readable UI.

use ipai_core::{Action, Address, Event, Plan, Verb};
use serde_json::{Value as Json, json};

use super::plan_json::type_name;
use super::{Moment, event_text, plan_text, summary, verbs};
use crate::apply::Report;

/// The version of this stream's format: readers refuse another major one and ignore what they do not know.
const UI: &str = "1.0";

/// The first message: which program speaks, and in which version of this format.
#[must_use]
pub fn version_message(ipai_version: &str, timestamp: Option<&str>) -> Json {
    let text = format!("ipai {ipai_version}");
    let mut message = envelope("info", &text, "version", timestamp);
    message["ipai"] = json!(ipai_version);
    message["ui"] = json!(UI);
    message
}

/// What is planned: drift, every action that does something, and the counts.
pub fn plan_messages(plan: &Plan, timestamp: Option<&str>) -> impl Iterator<Item = Json> {
    let change = move |action: &Action, text: String, kind: &str| {
        let mut message = envelope("info", &text, kind, timestamp);
        message["change"] = json!({
            "resource": resource(&action.address),
            "action": verbs::action(Some(action.verb)),
            "reason": action.reason.to_string(),
        });
        message
    };
    let drift = plan.effective().filter(|action| action.is_drift()).map(move |action| {
        change(action, format!("{}: Drift detected", action.address), "resource_drift")
    });
    let planned = plan.effective().map(move |action| {
        let verb = verbs::action(Some(action.verb));
        change(action, format!("{}: Plan to {verb}", action.address), "planned_change")
    });
    let counts = plan.summary();
    let mut end = envelope(
        "info",
        &format!("Plan: {}", plan_text::counts(counts)),
        "change_summary",
        timestamp,
    );
    end["changes"] = json!({ "add": counts.add, "change": counts.change, "remove": counts.destroy, "operation": "plan" });
    drift.chain(planned).chain([end])
}

/// One event.
#[must_use]
pub fn event_message(event: &Event, moment: &Moment, timestamp: Option<&str>) -> Json {
    let (kind, address, verb) = match event {
        Event::Started { address, verb } => ("apply_start", address, Some(*verb)),
        Event::Progress { address, .. } => ("apply_progress", address, moment.verb),
        Event::Finished { address, verb } => ("apply_complete", address, Some(*verb)),
        Event::Failed { address, .. } => ("apply_errored", address, moment.verb),
        Event::Skipped { address, .. } => ("apply_skipped", address, moment.verb),
    };
    let level = if kind == "apply_errored" { "error" } else { "info" };
    let mut message = envelope(level, &event_text::words(event, moment), kind, timestamp);
    message["hook"] = hook(address, verb, moment);
    match event {
        Event::Progress { text, .. } => message["hook"]["waiting_for"] = json!(text),
        Event::Failed { error, .. } => message["hook"]["error"] = json!(error.to_string()),
        Event::Skipped { because, .. } => message["hook"]["because"] = json!(because),
        Event::Started { .. } | Event::Finished { .. } => {}
    }
    message
}

/// A problem. `problem` is what [`diagnostic_json`](super::diagnostic_json) or
/// [`remote_error_json`](super::remote_error_json) made.
#[must_use]
pub fn problem_message(problem: &Json, timestamp: Option<&str>) -> Json {
    let word = |name: &str| problem.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (level, title) =
        if word("severity") == "warning" { ("warn", "Warning") } else { ("error", "Error") };
    let text = format!("{title}: {}", word("summary"));
    let mut message = envelope(level, &text, "diagnostic", timestamp);
    message["diagnostic"] = problem.clone();
    message
}

/// The last message of a run that failed before it did anything.
#[must_use]
pub fn exit_message(exit_code: u8, timestamp: Option<&str>) -> Json {
    let mut message =
        envelope("error", &format!("Ended with exit code {exit_code}"), "exit", timestamp);
    message["exit_code"] = json!(exit_code);
    message
}

/// The last message: how it ended. The exit code is the process's.
#[must_use]
pub fn apply_result(
    report: &Report,
    destroy: bool,
    exit_code: u8,
    timestamp: Option<&str>,
) -> Json {
    let counts = report.summary();
    let (level, text) = if report.is_complete() {
        ("info", summary::complete(counts, destroy))
    } else {
        ("error", summary::short_of_it(report, destroy))
    };
    let mut message = envelope(level, &text, "change_summary", timestamp);
    message["changes"] = json!({
        "add": counts.add,
        "change": counts.change,
        "remove": counts.destroy,
        "operation": if destroy { "destroy" } else { "apply" },
    });
    let failed: Vec<&Address> = report.failed.iter().map(|(address, _)| address).collect();
    let skipped: Vec<&Address> = report.skipped.iter().map(|(address, _)| address).collect();
    message["failed"] = json!(failed);
    if !report.undone.is_empty() {
        message["undone"] = json!(report.undone);
    }
    message["skipped"] = json!(skipped);
    message["exit_code"] = json!(exit_code);
    message
}

pub(super) fn envelope(level: &str, text: &str, kind: &str, timestamp: Option<&str>) -> Json {
    let mut message = json!({ "@level": level, "@message": text, "@module": "ipai.ui" });
    if let Some(timestamp) = timestamp {
        message["@timestamp"] = json!(timestamp);
    }
    message["type"] = json!(kind);
    message
}

fn hook(address: &Address, verb: Option<Verb>, moment: &Moment) -> Json {
    json!({
        "resource": resource(address),
        "action": verbs::action(verb),
        "elapsed_seconds": moment.elapsed.as_secs(),
    })
}

fn resource(address: &Address) -> Json {
    json!({
        "addr": address,
        "module": "",
        "resource": address,
        "implied_provider": address.provider,
        "resource_type": type_name(address),
        "resource_name": address.name,
        "resource_key": null,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ipai_core::{Fault, RemoteError};

    use super::*;
    use crate::report::remote_error_json;

    const NOW: Option<&str> = Some("2026-01-01T00:00:00Z");

    fn address() -> Address {
        Address::new("digitalocean", "droplet", "ops")
    }

    #[test]
    fn the_first_line_names_the_format() {
        assert_eq!(
            version_message("0.1.0", NOW).to_string(),
            r#"{"@level":"info","@message":"ipai 0.1.0","@module":"ipai.ui","@timestamp":"2026-01-01T00:00:00Z","type":"version","ipai":"0.1.0","ui":"1.0"}"#
        );
        assert!(version_message("0.1.0", None).get("@timestamp").is_none());
    }

    #[test]
    fn an_event_carries_its_words_and_its_parts() {
        let moment = Moment { verb: Some(Verb::Create), elapsed: Duration::from_secs(12) };
        let event = Event::Finished { address: address(), verb: Verb::Create };
        let message = event_message(&event, &moment, NOW);
        assert_eq!(message["@message"], "digitalocean.droplet.ops: Creation complete after 12s");
        assert_eq!(message["type"], "apply_complete");
        assert_eq!(message["hook"]["action"], "create");
        assert_eq!(message["hook"]["elapsed_seconds"], 12);
        assert_eq!(message["hook"]["resource"]["resource_type"], "digitalocean_droplet");
    }

    #[test]
    fn failures_and_problems_are_of_level_error() {
        let error = RemoteError::new(Fault::Refused, "create the droplet", "422").hint("h");
        let event = Event::Failed { address: address(), error: error.clone() };
        let message = event_message(&event, &Moment::default(), None);
        assert_eq!(
            (&message["@level"], &message["type"]),
            (&json!("error"), &json!("apply_errored"))
        );
        let problem = problem_message(&remote_error_json(&error, Some(&address())), None);
        assert_eq!(problem["@message"], "Error: cannot create the droplet");
        assert_eq!(problem["diagnostic"]["hint"], "h");
    }

    #[test]
    fn the_last_line_says_how_it_ended() {
        let report = Report { done: vec![(address(), Verb::Create)], ..Report::default() };
        let message = apply_result(&report, false, 0, None);
        assert_eq!(
            message["@message"],
            "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."
        );
        assert_eq!(
            message["changes"],
            json!({ "add": 1, "change": 0, "remove": 0, "operation": "apply" })
        );
        let skipped = vec![(address(), None)];
        let message = apply_result(&Report { skipped, ..Report::default() }, true, 1, None);
        assert_eq!(message["@level"], "error");
        assert_eq!(message["skipped"], json!(["digitalocean.droplet.ops"]));
    }
}
