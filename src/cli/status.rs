//! `ipai status`

use std::time::Duration;

use ipai_core::plan::{Options, Plan, Verb};
use ipai_core::{Address, LiveResource, LiveState, Value};
use serde_json::json;

use super::backup;
use super::places::Places;
use super::progress::Progress;
use super::world::{Planned, World};
use super::{Outcome, Run, exit};
use crate::http_check::{self, Checked, Outcome as CheckOutcome};
use crate::providers::{Seen, projects, upkeep};
use crate::report::one_line;

/// Certificates that end in fewer days are named as such.
const SOON: i64 = 14;

/// Show how the stack fares: resources, containers, health checks.
///
/// Exits with 1 when something has drifted, is missing, or fails its check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai -C stacks/ops status\n  ipai status --json")]
pub(super) struct Arguments {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let progress = Progress::new(run, false);
    let planned = world.plan(run, &Options::default(), &progress).await;
    let checked = match &planned {
        Ok(planned) => {
            http_check::look(
                &planned.proposal.desired.checks,
                &planned.live.outputs(),
                &world.reach(run).await?,
                Duration::ZERO,
            )
            .await
        }
        Err(_) => Vec::new(),
    };
    let containers = match &planned {
        Ok(planned) => containers(&world, planned).await,
        Err(_) => Vec::new(),
    };
    let age = match &planned {
        Ok(planned) => backup::age::if_any(run, &world, &Places::of(planned)).await,
        Err(_) => None,
    };
    world.close().await;
    let Planned { proposal, live } = planned?;
    let stale = age.as_ref().is_some_and(|age| !age.is_well());
    let ill =
        stale || checked.iter().any(|checked| matches!(checked.outcome, CheckOutcome::Failed(_)));
    let healthy = proposal.plan.is_empty() && !ill;
    if arguments.json {
        let mut document = document(&proposal.plan, &live, &checked, &containers, healthy);
        document["backup"] = json!(age.as_ref().map(backup::age::Age::document));
        run.print(&format!("{document}\n"));
    } else {
        let backup = age.as_ref().map(backup::age::Age::line);
        run.print(&text(run, &proposal.plan, &live, &checked, &containers, backup));
    }
    Ok(if healthy { exit::OK } else { exit::ERROR })
}

/// The containers of each project, by its address. A host that is not there yet has none.
async fn containers(world: &World, planned: &Planned) -> Vec<(Address, Seen)> {
    let outputs = planned.live.outputs();
    let mut all = Vec::new();
    for project in projects(&planned.proposal.desired.resources) {
        let Some(home) = outputs.get(&project.home) else { continue };
        let Ok(watch) = upkeep(&world.access, &project, home) else { continue };
        // What cannot be looked at was not seen by the plan either, which says so.
        let seen = watch.look(&[]).await.unwrap_or_default().seen;
        all.extend(seen.into_iter().map(|seen| (project.address.clone(), seen)));
    }
    all
}

/// Whole days until then, rounded down.
fn days_left(ends: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.ok().and_then(|now| i64::try_from(now.as_secs()).ok()).unwrap_or_default();
    (ends - now).div_euclid(86_400)
}

fn certificate(checked: &Checked) -> String {
    match checked.certificate_ends.map(days_left) {
        None => String::new(),
        Some(days) if days < 0 => format!("; its certificate ended {} days ago", -days),
        Some(days) if days < SOON => format!("; its certificate ends SOON, in {days} days"),
        Some(days) => format!("; its certificate holds for {days} days"),
    }
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

/// A time as Docker tells it, to the second.
fn since(time: &str) -> String {
    let time = one_line(time);
    match time.split_once('.') {
        Some((whole, fraction)) if fraction.ends_with('Z') => format!("{whole}Z"),
        _ => time.into_owned(),
    }
}

fn services(resource: &LiveResource) -> Vec<(String, String)> {
    let services = resource.attributes.get("services").and_then(Value::as_map);
    let word = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    services.into_iter().flatten().map(|(name, state)| (name.clone(), word(state))).collect()
}

fn text(
    run: &Run<'_>,
    plan: &Plan,
    live: &LiveState,
    checks: &[Checked],
    containers: &[(Address, Seen)],
    backup: Option<String>,
) -> String {
    let mut text = format!("Stack {}\n\n", plan.stack);
    let mut row = |columns: String, prose: String| text.push_str(&run.output.row(&columns, &prose));
    let mut resources: Vec<&LiveResource> = live.resources.iter().collect();
    resources.sort_by(|a, b| a.address.cmp(&b.address));
    let missing = plan.effective().filter(|action| action.verb == Verb::Create);
    let missing: Vec<_> = missing.map(|action| (action.address.to_string(), action)).collect();
    let there = resources.iter().map(|resource| resource.address.to_string().len());
    let width = there.chain(missing.iter().map(|(address, _)| address.len())).max().unwrap_or(0);
    for resource in resources {
        let address = format!("{:width$}", resource.address.to_string());
        let place = resource
            .outputs
            .get("ipv4")
            .and_then(Value::as_text)
            .map(|ip| format!("  {ip}"))
            .unwrap_or_default();
        row(format!("  {address}  "), format!("{}{place}", state_of(plan, &resource.address)));
        for (service, state) in services(resource) {
            row(format!("      {service:24} "), state);
            let of = |(address, seen): &&(Address, Seen)| {
                *address == resource.address && seen.service == service
            };
            for (_, seen) in containers.iter().filter(of) {
                let (name, word) = (one_line(&seen.name), one_line(&seen.word));
                row(
                    format!("        {name:30} "),
                    format!("{word}, since {}", since(&seen.started)),
                );
            }
        }
    }
    for (address, action) in &missing {
        row(format!("  {address:width$}  "), format!("missing: {}", action.reason));
    }
    if !checks.is_empty() {
        row(String::new(), String::new());
        for checked in checks {
            let line = format!("{}{}", checked.outcome.line(&checked.name), certificate(checked));
            row("  ".to_owned(), line);
        }
    }
    backup.into_iter().for_each(|line| row("  ".to_owned(), line));
    row(String::new(), String::new());
    let end = match plan.effective().count() {
        0 => "Everything is as the stack wants it.".into(),
        1 => format!("1 resource differs from the stack: {} shows how.", run.command("plan")),
        n => format!("{n} resources differ from the stack: {} shows how.", run.command("plan")),
    };
    row(String::new(), end);
    text
}

fn document(
    plan: &Plan,
    live: &LiveState,
    checks: &[Checked],
    containers: &[(Address, Seen)],
    healthy: bool,
) -> serde_json::Value {
    let resource = |r: &LiveResource| {
        let services: serde_json::Map<String, serde_json::Value> =
            services(r).into_iter().map(|(name, state)| (name, json!(state))).collect();
        let of = containers.iter().filter(|(address, _)| *address == r.address);
        let containers = of.map(|(_, seen)| {
            json!({"service": seen.service, "name": seen.name, "state": seen.word, "started": seen.started})
        });
        json!({
            "address": r.address,
            "id": r.id,
            "state": state_of(plan, &r.address),
            "ipv4": r.outputs.get("ipv4").and_then(Value::as_text),
            "services": services,
            "containers": containers.collect::<Vec<_>>(),
        })
    };
    json!({
        "format_version": "1.0",
        "stack": plan.stack,
        "healthy": healthy,
        "resources": live.resources.iter().map(resource).collect::<Vec<_>>(),
        "missing": plan.effective().filter(|a| a.verb == Verb::Create).map(|a| a.address.to_string()).collect::<Vec<_>>(),
        "checks": checks.iter().map(|checked| json!({
            "name": checked.name,
            "outcome": checked.outcome,
            "certificate_days_left": checked.certificate_ends.map(days_left),
        })).collect::<Vec<_>>(),
    })
}
