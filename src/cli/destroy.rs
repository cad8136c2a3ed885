//! `ipai destroy`

use ipai_core::plan::Options;

use super::apply::{Consent, carry_out};
use super::progress::Progress;
use super::world::World;
use super::{Outcome, Run};

/// Delete everything that this stack made; what others made stays.
///
/// What holds data is deleted only when its address is given with --allow-data-loss.
#[derive(Debug, clap::Args)]
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
    let progress = Progress::new(run.talk, arguments.consent.json);
    let options = Options { destroy: true, ..Options::default() };
    let planned = world.plan(run, &options, &progress).await?;
    carry_out(run, world, planned, &arguments.consent, false, &progress).await
}
