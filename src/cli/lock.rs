//! `ipai lock` and `ipai unlock`

use std::sync::Arc;

use ipai_core::Diagnostic;
use ipai_core::lock::{Found, LockStore, Sight};

use super::keeper::Keeper;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::report;

/// Look at the stack's lock, or remove one that nobody needs any more.
///
/// A run that changes something holds the lock from before its first look to its end. It is a TXT record in the
/// stack's first DNS zone; a stack without one has it on its oldest host. It lapses within a minute after its holder died.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  ipai lock status\n  ipai lock release")]
pub(super) enum Command {
    /// Show who holds the stack's lock, since when and why.
    #[command(
        after_help = "Examples:\n  ipai -C stacks/ops lock status\n  ipai lock status --json"
    )]
    Status {
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a lapsed lock, or the one of a run that is named.
    ///
    /// A live lock of another run is refused; `ipai unlock` removes any.
    #[command(
        after_help = "Examples:\n  ipai lock release             # one that has lapsed\n  ipai lock release 7f3a9c21    # the one of this run"
    )]
    Release {
        /// The run whose lock it is, as `ipai lock status` shows it.
        run: Option<String>,
        /// Answer in JSON: what was removed, and what is left.
        #[arg(long)]
        json: bool,
    },
}

/// Remove the stack's lock, whoever holds it.
///
/// A run that still lives notices within seconds and begins nothing new.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai -C stacks/ops unlock")]
pub(super) struct UnlockArguments {
    /// Do not ask.
    #[arg(long, short = 'y', visible_alias = "auto-approve")]
    yes: bool,
}

/// What a look showed, and who was asked.
struct Look {
    store: Option<Arc<dyn LockStore>>,
    place: String,
    sight: Sight,
}

pub(super) async fn run(run: &Run<'_>, command: &Command) -> Outcome {
    let world = World::open(run).await?;
    let outcome = match command {
        Command::Status { json } => status(run, &world, *json).await,
        Command::Release { run: named, json } => {
            release(run, &world, named.as_deref(), *json).await
        }
    };
    world.close().await;
    outcome
}

pub(super) async fn unlock(run: &Run<'_>, arguments: &UnlockArguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = unlock_in(run, &world, arguments.yes).await;
    world.close().await;
    outcome
}

async fn look(run: &Run<'_>, world: &World) -> Result<Look, Failed> {
    match world.keeper(run).await? {
        Keeper::Nobody(why) => {
            let place = format!("this stack has no lock, because {why}");
            Ok(Look { store: None, place, sight: Sight::default() })
        }
        Keeper::Store { store, .. } => {
            let sight = store.look().await.map_err(|error| run.remote(&[error]))?;
            Ok(Look { place: store.place(), store: Some(store), sight })
        }
    }
}

async fn status(run: &Run<'_>, world: &World, json: bool) -> Outcome {
    let Look { store, place, sight } = look(run, world).await?;
    if json {
        let place = store.is_some().then_some(&*place);
        let json = report::locks_json(world.loaded.stack.id.as_str(), place, &sight);
        run.print(&format!("{}\n", report::json_text(&json, true)));
    } else if store.is_none() {
        run.print(&format!("{place}.\n"));
    } else if sight.locks.is_empty() {
        run.print(&format!("Nobody holds the stack's lock in {place}.\n"));
    } else {
        let line = |lock: &Found| {
            format!("The lock in {place} is {}.\n", report::lock_line(lock, sight.now))
        };
        run.print(&sight.locks.iter().map(line).collect::<String>());
    }
    Ok(exit::OK)
}

async fn release(run: &Run<'_>, world: &World, named: Option<&str>, json: bool) -> Outcome {
    let Look { store, sight, .. } = look(run, world).await?;
    let free =
        |lock: &&Found| lock.has_lapsed(sight.now) || named.is_some_and(|run| lock.is_of(run));
    let (free, live): (Vec<&Found>, Vec<&Found>) = sight.locks.iter().partition(free);
    remove(run, store.as_deref(), &free, &sight).await?;
    if json {
        let place = store.as_ref().map(|store| store.place());
        let stack = world.loaded.stack.id.as_str();
        let json = report::release_json(stack, place.as_deref(), &sight, &free);
        run.print(&format!("{}\n", report::json_text(&json, true)));
    }
    let Some(lock) = live.first() else { return Ok(exit::OK) };
    let line = report::lock_line(lock, sight.now);
    let problem = Diagnostic::error("The lock is another run's").detail(format!("It is {line}."));
    Err(run.trouble(&problem.hint(format!(
        "wait until it is given back; if that run is surely dead: {}",
        run.command("unlock")
    ))))
}

async fn unlock_in(run: &Run<'_>, world: &World, yes: bool) -> Outcome {
    let Look { store, place, sight } = look(run, world).await?;
    let locks: Vec<&Found> = sight.locks.iter().collect();
    if !yes && !locks.is_empty() {
        locks.iter().for_each(|lock| {
            run.say(&format!("The lock in {place} is {}.", report::lock_line(lock, sight.now)));
        });
        let question = "Do you really want to remove it?\n  A run that still works on the stack will be stopped half-way.";
        run.confirm(question, "yes", "pass --yes")?;
    }
    remove(run, store.as_deref(), &locks, &sight).await?;
    Ok(exit::OK)
}

/// Removes exactly these locks; one that was taken meanwhile is another and stays.
async fn remove(
    run: &Run<'_>,
    store: Option<&dyn LockStore>,
    locks: &[&Found],
    sight: &Sight,
) -> Result<(), Failed> {
    if sight.locks.is_empty() {
        run.say("Nobody holds the stack's lock; nothing to do.");
    }
    let Some(store) = store else { return Ok(()) };
    for lock in locks {
        store.release(&lock.id).await.map_err(|error| run.remote(&[error]))?;
        run.say(&format!(
            "Removed the lock in {}: {}.",
            store.place(),
            report::lock_line(lock, sight.now)
        ));
    }
    Ok(())
}
