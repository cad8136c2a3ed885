//! `ipai logs`

use super::output_stream::{Show, show};
use super::places::Places;
use super::world::World;
use super::{Failed, Outcome, Run};
use crate::providers::{ComposeProject, LogChoice, stream};

/// Show what services have logged, and with -f what they log from now on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops logs n8n --tail 100\n  ipai logs caddy -f\n  ipai logs --since 10m            # every service of the stack's one project\n\nCtrl-C ends it with exit code 130, and the process on the host with it."
)]
pub(super) struct Arguments {
    /// The services, as SERVICE or PROJECT/SERVICE; all of the stack's one project when none is named.
    services: Vec<String>,
    /// Go on with what is logged from now on.
    #[arg(short, long)]
    follow: bool,
    /// At most so many lines of what is there already, for each service.
    #[arg(long, short = 'n', value_name = "N")]
    tail: Option<u64>,
    /// Only what was logged since: 10m, 2h, or 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = run_in(run, &world, arguments).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, world: &World, arguments: &Arguments) -> Outcome {
    let places = world.places(run).await?;
    let (project, services) = chosen(run, &places, &arguments.services)?;
    let choice = LogChoice {
        follow: arguments.follow,
        tail: arguments.tail,
        since: arguments.since.clone(),
    };
    let command = project.logs(&services, &choice);
    let outputs = places.host(run, &project.home)?;
    let opened = stream(&world.access, &project.home, outputs, &command, "read logs").await;
    show(run, opened.map_err(|error| run.remote(&[error]))?, Show::Clean, false).await
}

/// The services, which must all belong to one project: Compose reads one at a time.
fn chosen<'a>(
    run: &Run<'_>,
    places: &'a Places,
    words: &[String],
) -> Result<(&'a ComposeProject, Vec<&'a str>), Failed> {
    let found: Result<Vec<_>, Failed> =
        words.iter().map(|word| places.service(run, word)).collect();
    let found = found?;
    let several = |hint: &str| {
        Err(Failed::new(format!("error: these are services of several projects\n  hint: {hint}")))
    };
    let Some((project, _)) = found.first() else {
        return match places.projects(run, None)?[..] {
            [project] => Ok((project, Vec::new())),
            _ => several("name a service: ipai logs PROJECT/SERVICE"),
        };
    };
    if found.iter().any(|(other, _)| other.address != project.address) {
        return several("ask for one project after the other");
    }
    Ok((project, found.iter().map(|(_, service)| *service).collect()))
}
