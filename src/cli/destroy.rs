//! `ipai destroy`

use ipai_core::plan::Options;

use super::apply::{Consent, carry_out, losses};
use super::progress::Progress;
use super::world::World;
use super::{Outcome, Run, exit};

/// Delete everything that carries this stack's marker: what it made, and what it adopted. Everything else stays.
///
/// `ipai forget ADDRESS` first lets one go that shall stay.
///
/// What holds data is deleted only when its address is given with --allow-data-loss.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai --env staging destroy\n  ipai destroy --allow-data-loss digitalocean.droplet.ops"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = arguments.consent.locked(run, &world, run_in(run, arguments, &world)).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, arguments: &Arguments, world: &World) -> Outcome {
    let progress = Progress::new(run, arguments.consent.json);
    let options = Options { destroy: true, ..Options::default() };
    let planned = world.plan(run, &options, &progress).await?;
    let plan = &planned.proposal.plan;
    losses(run, world, plan, &arguments.consent)?;
    if plan.is_empty() && !arguments.consent.json {
        run.print("Nothing to destroy: nothing that exists carries this stack's marker.\n");
        return Ok(exit::OK);
    }
    carry_out(run, world, planned, &arguments.consent, false, &progress).await
}
