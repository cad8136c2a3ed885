//! `ipai rebuild`

pub(super) mod bring_up;
pub(super) mod old;
pub(super) mod receipt;
pub(super) mod verify;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipai_core::plan::Options;

use super::apply::{AUTO_APPROVE, Consent};
use super::locked;
use super::progress::Progress;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use bring_up::{BringUp, What};
use receipt::{Kind, Receipt};

/// Bring the stack back from nothing: droplet, host, configuration, secrets, data from the newest good backup, health,
/// and then DNS.
///
/// It needs the repository, the age key, the tokens and the backups. A droplet of the stack that does not answer any
/// more is left alone, untagged, unless --replace names it. Killed anywhere, the same command goes on. In the end it
/// prints a receipt: what took how long, how old the data is, and what was verified.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops rebuild\n  ipai rebuild --rto 30m --json | tail -n 1 > receipt.json\n  ipai rebuild backup-2026-11-24T060000Z.tar.gz\n  ipai rebuild --replace digitalocean.droplet.ops"
)]
pub(super) struct Arguments {
    /// An id as `ipai backups` lists it, `latest`, or a file that `ipai backup --export` wrote.
    #[arg(default_value = "latest")]
    pub(super) backup: String,
    /// Delete this droplet, which does not answer any more, and make it anew.
    #[arg(long, value_name = "ADDRESS")]
    replace: Option<String>,
    #[command(flatten)]
    pub(super) proof: Proof,
    #[command(flatten)]
    pub(super) consent: Consent,
}

/// What is asked of the receipt.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Proof {
    /// Fail when it takes longer than this: 30m, 1h.
    #[arg(long, value_name = "TIME", value_parser = locked::duration)]
    pub(super) rto: Option<Duration>,
    /// Write the receipt, as JSON, into this file as well.
    #[arg(long, value_name = "FILE")]
    pub(super) receipt: Option<PathBuf>,
}

impl Proof {
    /// Tells whether the receipt can be written: after an hour it is late to learn that it cannot.
    pub(super) fn writable(&self) -> Result<(), Failed> {
        let Some(path) = &self.receipt else { return Ok(()) };
        let is_new = !path.exists();
        // Who reads a pipe would take this for all of it.
        if !is_new && !path.is_file() {
            return Ok(());
        }
        File::options()
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| unwritable(path, &error))?;
        if is_new {
            // It is no receipt yet, and who finds it empty would wonder.
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failed {
    Failed::new(format!(
        "error: the receipt cannot be written to {}: {error}\n  hint: name a file in a folder of yours: --receipt FILE",
        path.display()
    ))
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let what = What::of(run, &arguments.backup)?;
    arguments.proof.writable()?;
    let world = World::open(run).await?;
    let inner = world.nameless(run)?;
    let work = rebuild(run, &world, &inner, arguments, what);
    let outcome = arguments.consent.locked(run, &world, work).await;
    inner.close().await;
    world.close().await;
    outcome
}

async fn rebuild(
    run: &Run<'_>,
    world: &World,
    inner: &World,
    arguments: &Arguments,
    what: What,
) -> Outcome {
    let consent = &arguments.consent;
    let progress = Progress::new(run, consent.json);
    let old = old::find(run, inner, &progress).await?;
    let named = old::named(run, &old, arguments.replace.as_deref())?;
    old::judge(run, &old, named.is_some())?;
    run.remark(&old.announcement(named.is_some()));
    let question = "This makes a new droplet, which costs money. Type the stack's name to go on.";
    let stack = world.loaded.stack.id.as_str();
    consent.approve(run, &world.stop, question, stack, AUTO_APPROVE).await?;
    let mut receipt = Receipt::new(Kind::Rebuild, stack);
    let left = old::set_aside(run, inner, &old, named.as_ref(), &progress).await?;
    receipt.phase("old droplet");
    let job = BringUp { run, world: inner, progress: &progress, without: left.clone() };
    job.through(&what, &mut receipt).await?;
    verify::verify(run, inner, &mut receipt).await?;
    run.remark("rebuild: DNS and everything else");
    let planned = world.plan(run, &Options::default(), &progress).await?;
    bring_up::carry(run, world, planned, &progress).await?;
    receipt.phase("DNS");
    receipt.left = left
        .into_iter()
        .map(|id| format!("digitalocean droplet {id}: left as it is, and still paid for"))
        .collect();
    conclude(run, receipt, &arguments.proof, consent)
}

/// Prints the receipt and judges it.
pub(super) fn conclude(
    run: &Run<'_>,
    mut receipt: Receipt,
    proof: &Proof,
    consent: &Consent,
) -> Outcome {
    receipt.finish(proof.rto);
    let refused = receipt.late().or_else(|| receipt.unproven(run)).map(Failed::new);
    let done = if consent.detailed_exitcode { exit::CHANGES } else { exit::OK };
    let document = receipt.document(refused.as_ref().map_or(done, |failed| failed.code));
    let text = format!("{}\n", crate::report::json_text(&document, !consent.json));
    // What was proven is told even when it cannot be written down.
    let written = proof.receipt.as_ref().map_or(Ok(()), |path| {
        std::fs::write(path, &text).map_err(|error| unwritable(path, &error))
    });
    if consent.json {
        run.feed_end(&document);
    } else {
        run.print(&crate::report::clean(&receipt.text(&document)));
    }
    refused.map_or(written.map(|()| done), Err)
}
