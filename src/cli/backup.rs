//! `ipai backup`

pub(super) mod age;
pub(super) mod export;
pub(super) mod list;
pub(super) mod site;

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::locked::Locking;
use super::upkeep::consent;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::report;
use list::chosen;
use site::Site;

/// Take a backup now: databases first, files after, into the stack's restic repository.
///
/// The services that own the data stand still meanwhile, unless --online. The host takes the same on its schedule by
/// itself. Exits with 0 only when the backup was written and everything runs again.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  ipai -C stacks/ops backup\n  ipai backup --export ~/backups    # one file besides, for people\n  ipai backup verify"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Let the services go on. Each database is still of one moment; files may not fit it.
    #[arg(long)]
    online: bool,
    /// Write it into one file as well, or into a folder under its own name: backup-DATE.tar.gz. It is not encrypted.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Stop the backup that is under way.
    #[arg(long, conflicts_with_all = ["online", "export"])]
    cancel: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    locking: Locking,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Read a backup back: its manifest, every dump, and a part of the repository's data.
    Verify(VerifyArguments),
    /// Write a backup into one file.
    Export(ExportArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai backup verify\n  ipai backup verify 1a2b3c4d --all")]
struct VerifyArguments {
    /// Which one: an id as `ipai backups` lists it, or `latest`.
    #[arg(default_value = "latest")]
    backup: String,
    /// Read all data of the repository, not a tenth.
    #[arg(long)]
    all: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai backup export latest ~/backups\n  ipai backup export 1a2b3c4d ops.tar.gz"
)]
struct ExportArguments {
    /// Which one: an id as `ipai backups` lists it, or `latest`.
    backup: String,
    /// The file, or a folder for backup-DATE.tar.gz. It is not encrypted.
    file: PathBuf,
}

pub(super) async fn run(run: &Run<'_>, arguments: Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = match arguments.verb {
        Some(Verb::Verify(arguments)) => verify(run, &world, &arguments).await,
        Some(Verb::Export(arguments)) => export_one(run, &world, &arguments).await,
        None if arguments.cancel => cancel(run, &world).await,
        None => {
            let consent = consent(arguments.locking, false);
            let (online, export, json) = (arguments.online, arguments.export, arguments.json);
            let work = take_and_tell(run, &world, online, export, json);
            consent.locked(run, &world, work).await
        }
    };
    world.close().await;
    outcome
}

async fn take_and_tell(
    run: &Run<'_>,
    world: &World,
    online: bool,
    export: Option<PathBuf>,
    json: bool,
) -> Outcome {
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    let taken = take(&site, online).await?;
    let id = taken["id"].as_str().unwrap_or_default().to_owned();
    let file = match export {
        None => None,
        Some(file) => Some(export::export(&site, &id, &named(&taken), &file).await?),
    };
    if json {
        let mut document = json!({"format_version": "1.0", "stack": world.loaded.stack.id.as_str(), "backup": taken});
        document["file"] = json!(file.map(|file| file.display().to_string()));
        run.print(&format!("{}\n", report::json_text(&document, true)));
    } else {
        let (all, added) = (size(&taken["bytes"]), size(&taken["added"]));
        run.print(&report::clean(&format!(
            "Backup {id} taken: {all}, of which {added} are new in the repository.\n"
        )));
        file.iter().for_each(|file| {
            run.print(&format!(
                "Written to {}. It is not encrypted: keep it so that nobody reads it.\n",
                file.display()
            ))
        });
    }
    Ok(exit::OK)
}

/// Takes one; gives what the host says of it: `id`, `time`, `online`, `bytes`, `added`.
async fn take(site: &Site<'_>, online: bool) -> Result<Json, Failed> {
    let words: Vec<&str> = ["take"].into_iter().chain(online.then_some("--online")).collect();
    let talk = site.job(&words, "take a backup").await?;
    let told = talk.about("backup").next().and_then(|text| serde_json::from_str(text).ok());
    told.ok_or_else(|| Failed::new("error: the host did not say which backup it took"))
}

/// The name of a backup's file.
fn named(taken: &Json) -> String {
    let time: String =
        taken["time"].as_str().unwrap_or_default().chars().filter(|c| *c != ':').collect();
    format!("backup-{time}.tar.gz")
}

fn size(bytes: &Json) -> String {
    report::size(bytes.as_u64().unwrap_or_default())
}

async fn cancel(run: &Run<'_>, world: &World) -> Outcome {
    let places = world.places(run).await?;
    world.site(run, &places)?.ask(&["cancel"], "stop the backup").await?;
    run.say("Stopped: what stood still for it is started again.");
    Ok(exit::OK)
}

async fn verify(run: &Run<'_>, world: &World, arguments: &VerifyArguments) -> Outcome {
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    let snapshot = chosen(&site, &arguments.backup, None).await?;
    let part = if arguments.all { "100%" } else { "10%" };
    site.job(&["verify", &snapshot.id, part], "verify the backup").await?;
    let id = snapshot.id();
    if arguments.json {
        let document = json!({"format_version": "1.0", "stack": world.loaded.stack.id.as_str(), "backup": id, "time": snapshot.time, "verified": true});
        run.print(&format!("{}\n", report::json_text(&document, true)));
    } else {
        run.print(&format!("Backup {id} is whole: its manifest, every dump, and {} of the repository's data were read back.\n", if arguments.all { "all" } else { "a tenth" }));
    }
    Ok(exit::OK)
}

async fn export_one(run: &Run<'_>, world: &World, arguments: &ExportArguments) -> Outcome {
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    let snapshot = chosen(&site, &arguments.backup, None).await?;
    let name = named(&json!({"time": format!("{}Z", snapshot.time.get(..19).unwrap_or_default())}));
    let file = export::export(&site, &snapshot.id, &name, &arguments.file).await?;
    run.print(&format!(
        "Backup {} is in {}. It is not encrypted: keep it so that nobody reads it.\n",
        snapshot.id(),
        file.display()
    ));
    Ok(exit::OK)
}
