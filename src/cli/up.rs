//! `ipai up`

use super::locked::Locking;
use super::upkeep::{Deed, carry_out, consent};
use super::world::World;
use super::{Outcome, Run};

/// Start the stack's Compose projects as they were applied last, and wait until they are well.
///
/// What was edited in the stack since then is not applied: that is what `ipai apply` does.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops up\n  ipai -C stacks/ops down --auto-approve && ipai -C stacks/ops up"
)]
pub(super) struct Arguments {
    /// The project; all of the stack's when it is left out.
    project: Option<String>,
    /// Exit with 2 when something was started, 3 when the stack is locked.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    locking: Locking,
}

pub(super) async fn run(run: &Run<'_>, arguments: Arguments) -> Outcome {
    let world = World::open(run).await?;
    let consent = consent(arguments.locking, arguments.detailed_exitcode);
    let work = run_in(run, &world, arguments.project.as_deref(), consent.detailed_exitcode);
    let outcome = consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, world: &World, name: Option<&str>, detailed: bool) -> Outcome {
    let places = world.places(run).await?;
    let mut deeds = Vec::new();
    for project in places.projects(run, name)? {
        let attempted = format!("start project {}", project.name);
        deeds.push(Deed {
            project,
            command: project.up(),
            attempted,
            only: Vec::new(),
            well: true,
        });
    }
    let code = carry_out(run, world, &places, &deeds, detailed).await?;
    run.print("Up: every service is as it should be.\n");
    Ok(code)
}
