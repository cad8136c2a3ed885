//! `ipai restart`

use super::locked::Locking;
use super::places::Places;
use super::upkeep::{Deed, carry_out, consent};
use super::world::World;
use super::{Failed, Outcome, Run};

/// Stop services and start them again as they are, and wait until they are well.
///
/// Nothing is created anew: an edited image or setting takes `ipai apply`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops restart n8n\n  ipai restart mattermost superset"
)]
pub(super) struct Arguments {
    /// The services, as SERVICE or PROJECT/SERVICE.
    #[arg(required = true)]
    services: Vec<String>,
    /// Exit with 2 when something was restarted, 3 when the stack is locked.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    locking: Locking,
}

pub(super) async fn run(run: &Run<'_>, arguments: Arguments) -> Outcome {
    let world = World::open(run).await?;
    let consent = consent(arguments.locking, arguments.detailed_exitcode);
    let work = run_in(run, &world, &arguments.services, consent.detailed_exitcode);
    let outcome = consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, world: &World, words: &[String], detailed: bool) -> Outcome {
    let places = world.places(run).await?;
    let deeds = deeds(run, &places, words)?;
    let names: Vec<&str> = deeds.iter().flat_map(|deed| deed.only.iter().copied()).collect();
    let code = carry_out(run, world, &places, &deeds, detailed).await?;
    run.print(&format!("Restarted: {}.\n", names.join(", ")));
    Ok(code)
}

/// One for each project whose services are named.
fn deeds<'a>(run: &Run<'_>, places: &'a Places, words: &[String]) -> Result<Vec<Deed<'a>>, Failed> {
    let mut deeds: Vec<Deed<'a>> = Vec::new();
    for word in words {
        let (project, service) = places.service(run, word)?;
        match deeds.iter_mut().find(|deed| deed.project.address == project.address) {
            Some(deed) => deed.only.push(service),
            None => deeds.push(Deed {
                project,
                command: String::new(),
                attempted: format!("restart services of {}", project.name),
                only: vec![service],
                well: true,
            }),
        }
    }
    for deed in &mut deeds {
        deed.only.sort_unstable();
        deed.only.dedup();
        deed.command = deed.project.restart(&deed.only);
    }
    Ok(deeds)
}
