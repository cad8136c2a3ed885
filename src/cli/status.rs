//! `ipai status`

use std::time::Duration;

use ipai_core::plan::{Options, Plan, Verb};
use ipai_core::{Address, LiveResource, LiveState, Value};
use serde_json::json;

use super::progress::Progress;
use super::world::{Planned, World};
use super::{Outcome, Run, exit};
use crate::http_check::{self, Outcome as CheckOutcome};

/// Show how the stack fares: resources, containers, health checks.
///
/// Exits with 1 when something has drifted, is missing, or fails its check.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let progress = Progress::new(run.talk, false);
    let planned = world.plan(run, &Options::default(), &progress).await;
    let checked = match &planned {
        Ok(planned) => {
            http_check::run(
                &planned.proposal.desired.checks,
                &planned.live.outputs(),
                &world.reach(run).await?,
                Duration::ZERO,
            )
            .await
        }
        Err(_) => Vec::new(),
    };
    world.close().await;
    let Planned { proposal, live } = planned?;
    let ill = checked.iter().any(|(_, outcome)| matches!(outcome, CheckOutcome::Failed(_)));
    let healthy = proposal.plan.is_empty() && !ill;
    if arguments.json {
        run.print(&format!("{}\n", document(&proposal.plan, &live, &checked, healthy)));
    } else {
        run.print(&text(&proposal.plan, &live, &checked));
    }
    Ok(if healthy { exit::OK } else { exit::ERROR })
}

fn state_of(plan: &Plan, address: &Address) -> String {
    let action = plan
        .actions
        .iter()
        .find(|action| action.address == *address && action.verb != Verb::Delete);
    match action {
        None => "no longer in the stack".into(),
        Some(action) if action.verb == Verb::NoOp => "ok".into(),
        Some(action) => action.reason.to_string(),
    }
}

fn services(resource: &LiveResource) -> Vec<(String, String)> {
    let services = resource.attributes.get("services").and_then(Value::as_map);
    let word = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    services.into_iter().flatten().map(|(name, state)| (name.clone(), word(state))).collect()
}

fn text(plan: &Plan, live: &LiveState, checks: &[(String, CheckOutcome)]) -> String {
    let mut lines = vec![format!("Stack {}", plan.stack), String::new()];
    let mut resources: Vec<&LiveResource> = live.resources.iter().collect();
    resources.sort_by(|a, b| a.address.cmp(&b.address));
    let width = resources.iter().map(|r| r.address.to_string().len()).max().unwrap_or(0);
    for resource in resources {
        let address = format!("{:width$}", resource.address.to_string());
        let place = resource
            .outputs
            .get("ipv4")
            .and_then(Value::as_text)
            .map(|ip| format!("  {ip}"))
            .unwrap_or_default();
        lines.push(format!("  {address}  {}{place}", state_of(plan, &resource.address)));
        for (service, state) in services(resource) {
            lines.push(format!("      {service:24} {state}"));
        }
    }
    for action in plan.effective().filter(|action| action.verb == Verb::Create) {
        lines.push(format!("  {:width$}  missing: {}", action.address.to_string(), action.reason));
    }
    if !checks.is_empty() {
        lines.push(String::new());
        lines.extend(checks.iter().map(|(name, outcome)| format!("  {}", outcome.line(name))));
    }
    let changes = plan.effective().count();
    lines.push(String::new());
    lines.push(match changes {
        0 => "Everything is as the stack wants it.".into(),
        n => format!("{n} resources differ from the stack: ipai plan shows how."),
    });
    lines.join("\n") + "\n"
}

fn document(
    plan: &Plan,
    live: &LiveState,
    checks: &[(String, CheckOutcome)],
    healthy: bool,
) -> serde_json::Value {
    let resource = |r: &LiveResource| {
        let services: serde_json::Map<String, serde_json::Value> =
            services(r).into_iter().map(|(name, state)| (name, json!(state))).collect();
        json!({
            "address": r.address,
            "id": r.id,
            "state": state_of(plan, &r.address),
            "ipv4": r.outputs.get("ipv4").and_then(Value::as_text),
            "services": services,
        })
    };
    json!({
        "format_version": "1.0",
        "stack": plan.stack,
        "healthy": healthy,
        "resources": live.resources.iter().map(resource).collect::<Vec<_>>(),
        "missing": plan.effective().filter(|a| a.verb == Verb::Create).map(|a| a.address.to_string()).collect::<Vec<_>>(),
        "checks": checks.iter().map(|(name, outcome)| json!({"name": name, "outcome": outcome})).collect::<Vec<_>>(),
    })
}
