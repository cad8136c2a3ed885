//! `ipai snapshots`

use std::sync::Arc;

use ipai_core::calendar::minute_for_people;
use ipai_core::snapshot::{Snapshot, Snapshots, sort, surplus};
use ipai_core::{Address, Diagnostic, Events};
use serde_json::{Value as Json, json};

use super::apply::{AUTO_APPROVE, not_approved};
use super::locked::{Locking, Telling, locked, stopped};
use super::progress::Progress;
use super::world::World;
use super::{Failed, Outcome, Run, exit, parse_addresses};
use crate::apply::Stoppable;
use crate::providers;
use crate::report;

/// List the snapshots of the stack's droplets and volumes; take one, or delete all but the newest.
///
/// What ipai took is marked as the stack's. Snapshots that others took of the stack's own are listed as foreign and never
/// deleted.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  ipai snapshots\n  ipai snapshots take digitalocean.volume.data\n  ipai snapshots prune --keep 3"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take a snapshot of a droplet or volume and wait until it is there.
    ///
    /// It is a copy of the disk at one moment: what programs hold in memory is not in it. For a droplet that is switched off,
    /// or a volume that is not mounted, it is complete.
    #[command(after_help = "Examples:\n  ipai snapshots take digitalocean.volume.data")]
    Take {
        /// The droplet or volume.
        address: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        locking: Locking,
    },
    /// Delete the snapshots that ipai took, beyond the newest of each droplet and volume.
    #[command(
        after_help = "Examples:\n  ipai snapshots prune --keep 3\n  ipai snapshots prune --keep 3 --auto-approve --json"
    )]
    Prune {
        /// How many stay of each.
        #[arg(long, value_name = "N")]
        keep: usize,
        /// Do not ask.
        #[arg(long, short = 'y', visible_alias = "yes")]
        auto_approve: bool,
        /// Print as JSON what was deleted; needs --auto-approve.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        locking: Locking,
    },
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let telling = |json: &bool| Telling { json: *json, detailed: false };
    let outcome = match &arguments.command {
        None => list(run, &world, arguments.json).await,
        Some(Command::Take { address, json, locking }) => {
            let work = take(run, &world, address, *json);
            locked(run, &world, locking, telling(json), work).await
        }
        Some(Command::Prune { keep, auto_approve, json, locking }) => {
            let work = prune(run, &world, *keep, *auto_approve, *json);
            locked(run, &world, locking, telling(json), work).await
        }
    };
    world.close().await;
    outcome
}

/// One who knows snapshots, and those that it knows.
struct Shelf {
    keeper: Arc<dyn Snapshots>,
    snapshots: Vec<Snapshot>,
}

async fn shelves(run: &Run<'_>, world: &World) -> Result<Vec<Shelf>, Failed> {
    let keepers = providers::snapshots(&world.access).map_err(|error| run.remote(&[error]))?;
    let progress = Progress::new(run, false);
    let mut shelves = Vec::new();
    for keeper in keepers {
        let look = async {
            let sources = world.look_at(run, keeper.provider(), &progress).await?.resources;
            let found = keeper.look(&world.loaded.stack.id, &sources).await;
            found.map_err(|error| run.remote(&[error]))
        };
        let mut snapshots = tokio::select! {
            seen = look => seen?,
            code = world.stop.requested() => return Err(stopped(code)),
        };
        sort(&mut snapshots);
        shelves.push(Shelf { keeper, snapshots });
    }
    Ok(shelves)
}

async fn list(run: &Run<'_>, world: &World, json: bool) -> Outcome {
    let shelves = shelves(run, world).await?;
    let all: Vec<&Snapshot> = shelves.iter().flat_map(|shelf| &shelf.snapshots).collect();
    if json {
        let all = all.into_iter().map(document).collect::<Vec<_>>();
        print_json(run, world, &json!({ "snapshots": all }));
    } else if all.is_empty() {
        run.print("No snapshots.\n");
    } else {
        run.print(&report::clean(&text(&all, seconds_now())));
    }
    Ok(exit::OK)
}

async fn take(run: &Run<'_>, world: &World, address: &str, json: bool) -> Outcome {
    let address = parse_addresses(&[address.to_owned()], run)?;
    let address = address.first().ok_or_else(|| Failed::new("error: no address"))?;
    let keepers = providers::snapshots(&world.access).map_err(|error| run.remote(&[error]))?;
    let keeper = keepers.into_iter().find(|keeper| keeper.provider() == address.provider);
    let (Some(keeper), "droplet" | "volume") = (keeper, address.kind.as_str()) else {
        return Err(no_source(run, address, "has no snapshots: droplets and volumes have"));
    };
    let progress = Progress::new(run, false);
    let live = world.look_at(run, &address.provider, &progress).await?;
    let Some(source) = live.resources.iter().find(|live| live.address == *address) else {
        return Err(no_source(run, address, "does not exist"));
    };
    let inner: Arc<dyn Events> = Arc::new(progress.clone());
    let events = Stoppable { events: inner, stop: world.stop.clone() };
    let taken = keeper.take(&world.loaded.stack.id, source, seconds_now(), &events).await;
    let taken = taken.map_err(|error| run.remote(&[error]))?;
    if json {
        print_json(run, world, &json!({ "taken": document(&taken) }));
    } else {
        let line = format!("Snapshot {} of {} is taken.\n", taken.id, taken.source);
        run.print(&report::clean(&line));
    }
    Ok(exit::OK)
}

fn no_source(run: &Run<'_>, address: &Address, why: &str) -> Failed {
    let problem = Diagnostic::error("Nothing to take a snapshot of");
    let hint = format!("{} shows what exists", run.command("status"));
    run.trouble(&problem.detail(format!("`{address}` {why}.")).hint(hint))
}

async fn prune(run: &Run<'_>, world: &World, keep: usize, approved: bool, json: bool) -> Outcome {
    let shelves = shelves(run, world).await?;
    let doomed: Vec<(&Shelf, &Snapshot)> = shelves
        .iter()
        .flat_map(|shelf| surplus(&shelf.snapshots, keep).into_iter().map(move |one| (shelf, one)))
        .collect();
    let listed: Vec<&Snapshot> = doomed.iter().map(|(_, snapshot)| *snapshot).collect();
    if !json && !listed.is_empty() {
        run.print(&report::clean(&text(&listed, seconds_now())));
    }
    if !approved && !doomed.is_empty() {
        if json {
            return Err(not_approved(AUTO_APPROVE));
        }
        let question = "Do you really want to delete these snapshots?\n  There is no undo.";
        run.confirm_unless(&world.stop, question, "yes", AUTO_APPROVE).await?;
    }
    for (shelf, snapshot) in &doomed {
        if let Some(code) = world.stop.code() {
            let text = "Stopped: some snapshots were not deleted.".to_owned();
            return Err(Failed { code, ..Failed::new(text) });
        }
        let deleted = shelf.keeper.delete(&world.loaded.stack.id, snapshot).await;
        deleted.map_err(|error| run.remote(&[error]))?;
    }
    if json {
        let deleted: Vec<Json> = listed.into_iter().map(document).collect();
        print_json(run, world, &json!({ "deleted": deleted }));
    } else {
        run.print(&format!("{} deleted.\n", counted(listed.len())));
    }
    Ok(exit::OK)
}

fn counted(number: usize) -> String {
    if number == 1 { "1 snapshot".to_owned() } else { format!("{number} snapshots") }
}

fn text(all: &[&Snapshot], now: i64) -> String {
    let mut lines = String::new();
    let mut source = None;
    for snapshot in all {
        if source != Some(&snapshot.source) {
            source = Some(&snapshot.source);
            lines += &format!("{}\n", snapshot.source);
        }
        let taken = snapshot.taken.map_or("at an unknown time".to_owned(), minute_for_people);
        let age = snapshot.taken.map_or(String::new(), |taken| age(now - taken));
        let whose = if snapshot.ours { "" } else { "  (foreign)" };
        let (id, size, name) = (&snapshot.id, snapshot.size_gb, &snapshot.name);
        lines += &format!("  {taken}  {age:>9}  {size:>8.2} GB  {id}  {name}{whose}\n");
    }
    lines
}

/// How long ago something was, to the largest unit.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        young @ ..3_600 => format!("{} min", young / 60),
        hours @ ..86_400 => format!("{} h", hours / 3_600),
        days => format!("{} days", days / 86_400),
    }
}

fn document(snapshot: &Snapshot) -> Json {
    let moment = |taken| chrono::DateTime::from_timestamp(taken, 0);
    let taken = snapshot.taken.and_then(moment);
    json!({
        "id": snapshot.id,
        "name": snapshot.name,
        "source": snapshot.source,
        "taken": taken.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
        "size_gb": snapshot.size_gb,
        "foreign": !snapshot.ours,
    })
}

fn print_json(run: &Run<'_>, world: &World, body: &Json) {
    let mut document = json!({ "format_version": "1.0", "stack": world.loaded.stack.id.as_str() });
    if let (Some(all), Some(more)) = (document.as_object_mut(), body.as_object()) {
        all.extend(more.clone());
    }
    run.print(&format!("{}\n", report::json_text(&document, true)));
}

fn seconds_now() -> i64 {
    chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let told = [-5, 59, 3_599, 3_600, 86_399, 86_400, 900_000].map(age);
        assert_eq!(told, ["0 min", "0 min", "59 min", "1 h", "23 h", "1 days", "10 days"]);
    }
}
