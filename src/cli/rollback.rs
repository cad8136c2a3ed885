//! `ipai rollback`

use std::collections::BTreeSet;
use std::sync::Arc;

use ipai_core::calendar::minute_for_people;
use ipai_core::release::{ImageChange, Kept, Release, postgres_way};
use ipai_core::{Address, Diagnostic, Event, Events, Fault, RemoteError, Verb};
use serde_json::json;

use super::apply::{AUTO_APPROVE, Consent};
use super::places::Places;
use super::progress::Progress;
use super::releases::{Host, hosts};
use super::world::World;
use super::{Ending, Failed, Outcome, Run, exit, parse_addresses};
use crate::apply::Stoppable;
use crate::report;

/// Go back to what a host served before: its files, Compose file and images together, once they are healthy.
///
/// The stack is not edited: the next plan shows the newer state again. A release that does not become healthy is left
/// for the one that was served before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai rollback\n  ipai rollback 3 --auto-approve\n  ipai rollback --host digitalocean.droplet.ops"
)]
pub(super) struct Arguments {
    /// The release, as `ipai releases` lists it; the one before the current one when left out.
    release: Option<u64>,
    /// The host to go back, where the stack has several.
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let work = rollback(run, &world, arguments);
    let outcome = arguments.consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn rollback(run: &Run<'_>, world: &World, arguments: &Arguments) -> Outcome {
    let consent = &arguments.consent;
    let places = world.places(run).await?;
    let host = chosen_host(run, hosts(run, world, &places).await?, arguments)?;
    let target = chosen_release(run, &host, arguments.release)?;
    let changes = changes(&host.kept, target);
    if changes.is_empty() && host.kept.current == Some(target.id) {
        run.say(&format!("Release {} is what {} serves; nothing to do.", target.id, host.home));
        return Ok(exit::OK);
    }
    if !consent.json {
        let why = target.why.join(", ");
        let head = format!(
            "{} goes back to release {} ({}; {why}):",
            host.home,
            target.id,
            minute_for_people(target.time)
        );
        let lines: String = changes.iter().map(|line| format!("  {line}\n")).collect();
        run.print(&report::clean(&format!("{head}\n{lines}")));
    }
    guard(run, &places, &host, target, consent)?;
    let question = "Do you want to go back?";
    consent.approve(run, &world.stop, question, "yes", AUTO_APPROVE).await?;
    let result = go(run, world, &places, &host, target.id, consent).await;
    conclude(run, world, &host, target.id, consent, result)
}

fn chosen_host(run: &Run<'_>, mut hosts: Vec<Host>, arguments: &Arguments) -> Result<Host, Failed> {
    let named = match &arguments.host {
        None => None,
        Some(text) => parse_addresses(std::slice::from_ref(text), run)?.into_iter().next(),
    };
    let names: Vec<String> = hosts.iter().map(|host| host.home.to_string()).collect();
    hosts.retain(|host| named.as_ref().is_none_or(|named| *named == host.home));
    match (hosts.pop(), hosts.is_empty()) {
        (Some(host), true) => Ok(host),
        (Some(_), false) => {
            let problem = Diagnostic::error("Which host?")
                .detail("Each host of the stack goes back by itself.")
                .hint(format!("name one: --host {}", names.join(" or --host ")));
            Err(run.trouble(&problem))
        }
        (None, _) => {
            let problem = Diagnostic::error("No such host")
                .hint(format!("hosts with a Compose project: {}", names.join(", ")));
            Err(run.trouble(&problem))
        }
    }
}

fn chosen_release<'a>(
    run: &Run<'_>,
    host: &'a Host,
    named: Option<u64>,
) -> Result<&'a Release, Failed> {
    let found = match named {
        Some(id) => host.kept.release(id),
        None => host.kept.previous(),
    };
    let ids: Vec<String> =
        host.kept.releases.iter().map(|release| release.id.to_string()).collect();
    found.ok_or_else(|| {
        let problem = match named {
            Some(id) => Diagnostic::error("No such release")
                .detail(format!("{} keeps no release {id}.", host.home)),
            None => Diagnostic::error("Nothing to go back to")
                .detail(format!("{} keeps no release before the current one.", host.home)),
        };
        run.trouble(&problem.hint(match ids.is_empty() {
            true => "the next apply that ends well records one".to_owned(),
            false => format!("releases: {}", ids.join(", ")),
        }))
    })
}

/// What would change, a line each.
fn changes(kept: &Kept, to: &Release) -> Vec<String> {
    let mut lines = Vec::new();
    for path in kept.files.keys().chain(to.files.keys()).collect::<BTreeSet<_>>() {
        match (kept.files.get(path), to.files.get(path)) {
            (None, Some(_)) => lines.push(format!("+ {path}")),
            (Some(_), None) => lines.push(format!("- {path}")),
            (now, then) if now != then => lines.push(format!("~ {path}")),
            _ => {}
        }
    }
    lines.extend(kept.changed_images(to).iter().map(|change| {
        let ImageChange { from, to } = change;
        let note = if from.name == to.name { " (another image of that name)" } else { "" };
        format!("~ {}/{}: {} → {}{note}", to.project, to.service, from.name, to.name)
    }));
    lines
}

/// Refuses what cannot work: data that the older image would not understand.
fn guard(
    run: &Run<'_>,
    places: &Places,
    host: &Host,
    to: &Release,
    consent: &Consent,
) -> Result<(), Failed> {
    let refuse = |text: String| {
        Err(Failed::new(report::clean(&text).into_owned())
            .ending(Ending::Guarded, consent.detailed_exitcode))
    };
    let changed = host.kept.changed_images(to);
    if let Some((change, (from, then))) =
        changed.iter().find_map(|change| Some((change, change.postgres_majors()?)))
    {
        let (project, service) = (&change.to.project, &change.to.service);
        return refuse(format!(
            "error: release {} runs PostgreSQL {then}, which cannot open the data of PostgreSQL {from} of service {service}; nothing was changed\n  hint: {}",
            to.id,
            postgres_way(project, service, from, then).replace('\n', "\n    | ")
        ));
    }
    let allowed = parse_addresses(&consent.data_loss, run)?;
    let migrating = |change: &&ImageChange<'_>| {
        let (address, services) = migrates(places, &host.home, &change.to.project)?;
        let lowers = services.contains(&change.to.service.as_str()) && change.lowers();
        (lowers && !allowed.contains(&address)).then_some(address)
    };
    let lowered = changed.iter().find_map(|change| Some((change, migrating(&change)?)));
    let Some((change, address)) = lowered else { return Ok(()) };
    refuse(below_migration(&change.to.service, &change.from.name, &change.to.name, &address))
}

/// Why a service is not given an older image, and what to do.
pub(super) fn below_migration(service: &str, from: &str, to: &str, address: &Address) -> String {
    format!(
        "error: {service} would go from {from} back to {to}, and the newer one may have changed its database for good; nothing was changed\n  hint: restore the backup that was taken before the upgrade along with it; if the data may be lost or is known to fit: --allow-data-loss {address}"
    )
}

/// What the stack says of the services of a project that change their database.
pub(super) fn migrates<'a>(
    places: &'a Places,
    home: &Address,
    project: &str,
) -> Option<(Address, Vec<&'a str>)> {
    let resource = places.desired.resources.iter().find(|resource| {
        resource.home.as_ref() == Some(home) && resource.text("project") == Some(project)
    })?;
    Some((resource.address.clone(), resource.texts("migrates")))
}

async fn go(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    host: &Host,
    to: u64,
    consent: &Consent,
) -> Result<(), RemoteError> {
    let project = places.projects.iter().find(|project| project.home == host.home);
    let address = project.map_or(&host.home, |project| &project.address);
    let progress = Progress::new(run, consent.json);
    let events: Arc<dyn Events> = Arc::new(progress.clone());
    let events = Stoppable { events, stop: world.stop.clone() };
    let heartbeat = progress.heartbeat(None);
    events.event(Event::Started { address: address.clone(), verb: Verb::Update });
    let result = tokio::select! {
        biased;
        result = host.releases.go_back(to, address, &events) => result,
        () = world.stop.cut() => {
            let cause = "ipai was stopped while it was under way";
            let error = RemoteError::new(Fault::TimedOut, format!("go back to release {to}"), cause);
            let ipai = run.ipai();
            Err(error.hint(format!("`{ipai} rollback {to}` goes on with it; `{ipai} apply` goes forward")))
        }
    };
    drop(heartbeat);
    let hide = |error: RemoteError| RemoteError {
        cause: world.loaded.vault.redact(&error.cause),
        ..error
    };
    let result = result.map_err(hide);
    match &result {
        Ok(()) => events.event(Event::Finished { address: address.clone(), verb: Verb::Update }),
        Err(error) => {
            events.event(Event::Failed { address: address.clone(), error: error.clone() });
        }
    }
    result
}

fn conclude(
    run: &Run<'_>,
    world: &World,
    host: &Host,
    to: u64,
    consent: &Consent,
    result: Result<(), RemoteError>,
) -> Outcome {
    let returned = result.as_ref().is_err_and(|error| error.fault == Fault::Returned);
    let ending = Ending::of_work(result.is_ok(), returned, world.stop.code());
    let code = ending.code(consent.detailed_exitcode);
    if consent.json {
        let document = json!({
            "type": "rollback", "host": host.home, "release": to, "exit_code": code,
            "error": result.as_ref().err().map(ToString::to_string),
        });
        run.feed_end(&document);
    }
    match result {
        Err(error) => Err(Failed { code, ..run.remote(&[error]) }),
        Ok(()) => {
            if !consent.json {
                run.print(&format!(
                    "Rolled back: {} serves release {to} and is healthy.\nThe stack still wants what came later: {} shows it, and the next apply brings it back unless the stack is edited.\n",
                    host.home,
                    run.command("plan")
                ));
            }
            Ok(code)
        }
    }
}
