//! `ipai releases`

use std::collections::BTreeSet;
use std::sync::Arc;

use ipai_core::calendar::minute_for_people;
use ipai_core::release::{Kept, Release, ReleaseImage, Releases};
use ipai_core::{Address, Diagnostic};
use serde_json::{Value as Json, json};

use super::places::Places;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::providers;
use crate::report;

/// List what each host can go back to: the states in which all was well, with their files and images.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai -C stacks/ops releases\n  ipai rollback 3")]
pub(super) struct Arguments {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// One host, and what it keeps.
pub(super) struct Host {
    pub(super) home: Address,
    pub(super) releases: Arc<dyn Releases>,
    pub(super) kept: Kept,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = list(run, &world, arguments).await;
    world.close().await;
    outcome
}

async fn list(run: &Run<'_>, world: &World, arguments: &Arguments) -> Outcome {
    let places = world.places(run).await?;
    let hosts = hosts(run, world, &places).await?;
    if arguments.json {
        let json = document(world.loaded.stack.id.as_str(), &hosts);
        run.print(&format!("{}\n", report::json_text(&json, true)));
    } else {
        run.print(&report::clean(&hosts.iter().map(text).collect::<Vec<_>>().join("\n")));
    }
    Ok(exit::OK)
}

/// The hosts of the stack's Compose projects that exist, with what they keep.
pub(super) async fn hosts(
    run: &Run<'_>,
    world: &World,
    places: &Places,
) -> Result<Vec<Host>, Failed> {
    let homes: BTreeSet<&Address> = places.projects.iter().map(|project| &project.home).collect();
    let mut hosts = Vec::new();
    for home in homes {
        let Some(outputs) = places.outputs.get(home) else { continue };
        let stack = &world.loaded.stack.id;
        let releases = providers::releases(&world.access, stack, home, outputs);
        let kept = tokio::select! {
            kept = releases.look() => kept.map_err(|error| run.remote(&[error]))?,
            code = world.stop.requested() => return Err(super::locked::stopped(code)),
        };
        hosts.push(Host { home: home.clone(), releases, kept });
    }
    if hosts.is_empty() {
        let problem = Diagnostic::error("No host that could keep releases")
            .detail("A release is what a host with a Compose project served when all was well.")
            .hint(format!("{} makes the first one", run.command("apply")));
        return Err(run.trouble(&problem));
    }
    Ok(hosts)
}

fn text(host: &Host) -> String {
    let mut lines = vec![host.home.to_string()];
    for release in &host.kept.releases {
        let current = host.kept.current == Some(release.id);
        let mark = if current { "current" } else { "" };
        let why = release.why.join(", ");
        lines.push(format!(
            "  {:>4}  {}  {mark:7}  {why}",
            release.id,
            minute_for_people(release.time)
        ));
        lines.extend(release.images.iter().map(|image| format!("        {}", image_line(image))));
    }
    if host.kept.releases.is_empty() {
        lines.push("  none yet: the next apply that ends well records one".to_owned());
    } else if !host.kept.since.is_empty() {
        lines.push(format!("  changed since the current one: {}", host.kept.since.join(", ")));
    }
    lines.join("\n") + "\n"
}

fn image_line(image: &ReleaseImage) -> String {
    format!("{:20} {}", image.service, image.name)
}

fn document(stack: &str, hosts: &[Host]) -> Json {
    let host = |host: &Host| {
        let release = |release: &Release| {
            let time = chrono::DateTime::from_timestamp(release.time, 0).unwrap_or_default();
            let image = |image: &ReleaseImage| json!({"project": image.project, "service": image.service, "name": image.name, "id": image.id});
            json!({
                "id": release.id,
                "time": time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                "current": host.kept.current == Some(release.id),
                "why": release.why,
                "images": release.images.iter().map(image).collect::<Vec<_>>(),
                "files": release.files.keys().collect::<Vec<_>>(),
            })
        };
        json!({
            "host": host.home,
            "current": host.kept.current,
            "changed_since": host.kept.since,
            "releases": host.kept.releases.iter().map(release).collect::<Vec<_>>(),
        })
    };
    json!({
        "format_version": "1.0",
        "stack": stack,
        "hosts": hosts.iter().map(host).collect::<Vec<_>>(),
    })
}
