//! `ipai drill`

use ipai_core::plan::Options;
use serde_json::json;

use super::apply::{AUTO_APPROVE, Consent};
use super::progress::Progress;
use super::rebuild::bring_up::{BringUp, What, carry};
use super::rebuild::receipt::{Kind, Receipt};
use super::rebuild::{self, Proof, conclude, verify};
use super::world::World;
use super::{Failed, Outcome, Run};

/// Prove that a backup can be restored: bring the stack up from it on a second droplet without public names, verify it,
/// and take everything away again.
///
/// The stack itself is not touched: what the drill makes carries a marker of its own (STACK--drill). `stack.drill.toml`,
/// if there is one, is laid over the stack: Caddy's own authority, no mail, a smaller droplet.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops drill --auto-approve --rto 45m\n  ipai drill --receipt drill.json        # for a monthly pipeline"
)]
pub(super) struct Arguments {
    /// An id as `ipai backups` lists it, `latest`, or a file that `ipai backup --export` wrote.
    #[arg(default_value = "latest")]
    backup: String,
    /// Leave the droplet there, to look around; it goes on costing money.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    proof: Proof,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let what = What::of(run, &arguments.backup)?;
    arguments.proof.writable()?;
    let world = World::open_drill(run).await?;
    let outcome = match rebuild::old::section(run, &world) {
        Ok(_) => arguments.consent.locked(run, &world, drill(run, &world, arguments, what)).await,
        Err(failed) => Err(failed),
    };
    world.close().await;
    outcome
}

async fn drill(run: &Run<'_>, world: &World, arguments: &Arguments, what: What) -> Outcome {
    let consent = &arguments.consent;
    let progress = Progress::new(run, consent.json);
    let question =
        "The drill makes a droplet, which costs money until it is taken away again. Go on?";
    consent.approve(run, &world.stop, question, "yes", AUTO_APPROVE).await?;
    // What an earlier drill left is no place to prove anything on.
    clear(run, world, &progress).await?;
    let mut receipt = Receipt::new(Kind::Drill, world.loaded.stack.id.as_str());
    let job = BringUp { run, world, progress: &progress, without: None };
    let proven = match job.through(&what, &mut receipt).await {
        Ok(()) => verify::verify(run, world, &mut receipt).await,
        Err(failed) => Err(failed),
    };
    if arguments.keep {
        receipt.left.push(format!(
            "everything of {} is left, and is paid for until the next drill takes it away: {}",
            world.loaded.stack.id,
            run.command("drill")
        ));
        proven?;
        return conclude(run, receipt, &arguments.proof, consent);
    }
    let cleared = clear(run, world, &progress).await;
    receipt.phase("taking it away");
    proven?;
    cleared?;
    conclude(run, receipt, &arguments.proof, consent)
}

/// Destroys everything that carries the drill's marker, and looks whether all of it is gone.
async fn clear(run: &Run<'_>, world: &World, progress: &Progress) -> Result<(), Failed> {
    let options = Options { destroy: true, ..Options::default() };
    let planned = world.plan(run, &options, progress).await?;
    carry(run, world, planned, progress).await?;
    let left = world.plan(run, &options, progress).await?;
    let names: Vec<String> = left
        .live
        .resources
        .iter()
        .filter(|resource| !resource.address.is_secret())
        .map(|resource| resource.address.to_string())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Failed::new(format!(
        "error: the drill left something behind: {}\n  hint: the next drill takes it away",
        json!(names)
    )))
}
