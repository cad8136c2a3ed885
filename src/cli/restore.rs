//! `ipai restore`

use std::path::PathBuf;

use ipai_core::Diagnostic;
use ipai_core::backup::{Facts, Manifest, refusals};
use ipai_core::calendar::{minute_for_people, seconds_of};
use serde_json::json;

use super::apply::{AUTO_APPROVE, Consent};
use super::backup::list::chosen;
use super::backup::site::Site;
use super::backup::{age, export};
use super::places::Places;
use super::upkeep::sites_answer;
use super::world::World;
use super::{Ending, Failed, Outcome, Run, exit};
use crate::archive;
use crate::providers::BackupTalk;
use crate::report::{self, size};

/// Put a backup's data back: databases, volumes and directories, all of them or one service's.
///
/// Everything that speaks against it is said before anything is touched. What is restored is put beside what is there;
/// then the services stop, both are exchanged, and what was there before stays until all is well: if it does not get
/// well, it comes back. Killed anywhere, the same command again completes it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai restore latest\n  ipai restore 1a2b3c4d --service mattermost\n  ipai restore latest --to-time 2026-11-24T06:00:00Z\n  ipai restore backup-2026-11-24T060000Z.tar.gz"
)]
pub(super) struct Arguments {
    /// An id as `ipai backups` lists it, `latest`, or a file that `ipai backup --export` wrote.
    backup: String,
    /// Only this service's data.
    #[arg(long)]
    service: Option<String>,
    /// The newest backup taken at or before this moment: 2026-11-24T06:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to_time: Option<i64>,
    /// Not now: let the next deployment restore it before it starts anything. For an older version of a service, or another
    /// major version of PostgreSQL, which must not meet the data that is there.
    #[arg(long, conflicts_with = "service")]
    at_deploy: bool,
    #[command(flatten)]
    consent: Consent,
}

fn time(text: &str) -> Result<i64, String> {
    let short = format!("{text}T23:59:59Z");
    seconds_of(text).or_else(|| seconds_of(&short)).ok_or_else(|| {
        "write it in UTC: 2026-11-24T06:00:00Z, or 2026-11-24 for the whole day".to_owned()
    })
}

/// What is to be restored, and where it lies.
pub(super) enum Source {
    /// In the repository, with the time at which it was taken.
    Repository { id: String },
    /// On the host, where an export was brought.
    Imported,
}

impl Source {
    /// As the program on the host calls it.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Repository { id } => id,
            Self::Imported => "import",
        }
    }
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let file = PathBuf::from(&arguments.backup);
    let is_file = arguments.backup.contains(['/', '.']) || file.exists();
    // What cannot be restored is no reason to lock or contact anybody.
    if is_file {
        look_through(run, &file)?;
    }
    let world = World::open(run).await?;
    let work = restore(run, &world, arguments, is_file.then_some(file));
    let outcome = arguments.consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

/// Looks an export through.
pub(super) fn look_through(run: &Run<'_>, file: &std::path::Path) -> Result<Manifest, Failed> {
    let refused = |why: String| {
        let problem = Diagnostic::error("The export cannot be restored")
            .detail(format!("{}: {why}", file.display()));
        run.trouble(&problem.hint(
            "nothing was changed; use another file, or a backup of the repository: ipai backups",
        ))
    };
    let text = archive::look_through(file).map_err(refused)?;
    Manifest::read(&text).map_err(refused)
}

async fn restore(
    run: &Run<'_>,
    world: &World,
    arguments: &Arguments,
    file: Option<PathBuf>,
) -> Outcome {
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    let source = match &file {
        Some(file) => {
            run.remark(&format!("bringing {} to the host", file.display()));
            export::import(&site, file).await?;
            Source::Imported
        }
        None => {
            Source::Repository { id: chosen(&site, &arguments.backup, arguments.to_time).await?.id }
        }
    };
    let service = arguments.service.as_deref();
    if let Some(service) = service {
        must_have_data(&site, service)?;
    }
    let manifest = judged(&site, &places, &source, service).await?;
    if !arguments.consent.json {
        run.print(&report::clean(&announcement(&manifest, &source, service)));
    }
    let question = "This replaces what is there. Type the stack's name to go on.";
    let stack = world.loaded.stack.id.as_str();
    arguments.consent.approve(run, &world.stop, question, stack, AUTO_APPROVE).await?;
    if arguments.at_deploy {
        site.ask(&["seed", source.word()], "prepare the restore").await?;
        run.print(&format!(
            "The next deployment restores it before it starts anything: edit the stack, then {}.\n",
            run.command("apply")
        ));
        return Ok(exit::OK);
    }
    let option = service.map(|service| format!("--service={service}"));
    let words: Vec<&str> =
        ["restore", source.word()].into_iter().chain(option.as_deref()).collect();
    let ended = site.job(&words, "restore the backup").await?;
    let answered = sites_answer(run, world, &places).await?;
    conclude(run, world, arguments, &manifest, &ended, answered)
}

fn must_have_data(site: &Site<'_>, service: &str) -> Result<(), Failed> {
    let names = || site.backup.services.keys().map(String::as_str);
    if names().any(|name| name == service) {
        return Ok(());
    }
    let mut problem = Diagnostic::error("No such service")
        .detail(format!("`{service}` has no data in `[backup]`."));
    let near = ipai_core::diagnostic::nearest(service, names());
    problem.hint = Some(near.map_or_else(
        || format!("services with data: {}", names().collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean {near}?"),
    ));
    Err(site.run.trouble(&problem))
}

/// The manifest of what is to be restored, when nothing speaks against that.
pub(super) async fn judged(
    site: &Site<'_>,
    places: &Places,
    source: &Source,
    service: Option<&str>,
) -> Result<Manifest, Failed> {
    let words: Vec<&str> = ["look", source.word()].into_iter().chain(service).collect();
    let (ended, _) = site.ask(&words, "look at the backup").await?;
    let text = ended.about("manifest").next().unwrap_or_default();
    let refused = |why: &str, hint: &str| {
        let problem =
            Diagnostic::error("The backup cannot be restored here").detail(why.to_owned());
        problem.hint(format!("{hint}; nothing was changed"))
    };
    let manifest = Manifest::read(text)
        .map_err(|why| site.run.trouble(&refused(&why, "choose another one: ipai backups")))?;
    let found = refusals(&manifest, &facts(site, places, &ended), service);
    if found.is_empty() {
        return Ok(manifest);
    }
    let problems: Vec<Diagnostic> = found.iter().map(|(why, hint)| refused(why, hint)).collect();
    let texts: String = problems.iter().map(|problem| site.run.trouble(problem).text).collect();
    Err(Failed::new(texts))
}

fn facts(site: &Site<'_>, places: &Places, ended: &BackupTalk) -> Facts {
    let number = |word| ended.about(word).next().and_then(|text| text.parse().ok());
    let pair =
        |text: &str| text.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let images = || site.project.services.iter();
    let image = |(name, service): (&String, &crate::providers::ComposeService)| {
        Some((name.clone(), service.image.clone()?))
    };
    // A server that does not run yet will be of the version that the stack wants.
    let wanted = site
        .project
        .services
        .get(&site.backup.postgres.0)
        .and_then(|service| service.image.as_deref());
    let major = wanted.and_then(ipai_core::release::postgres_major).unwrap_or(u64::MAX / 10_000);
    let resource =
        places.desired.resources.iter().find(|resource| resource.address == site.backup.compose);
    let source = site.world.loaded.stack.backup_source();
    Facts {
        stack: source.to_string(),
        postgres: number("postgres").unwrap_or(major * 10_000),
        keys: ended.about("key").filter_map(pair).collect(),
        free: number("free").unwrap_or_default(),
        images: images().filter_map(image).collect(),
        migrates: resource
            .map(|resource| resource.texts("migrates").into_iter().map(str::to_owned).collect())
            .unwrap_or_default(),
        now: chrono::Utc::now().timestamp(),
    }
}

/// What is about to be put back.
pub(super) fn announcement(manifest: &Manifest, source: &Source, service: Option<&str>) -> String {
    let of = |owner: &str| service.is_none_or(|service| service == owner);
    let taken = manifest.taken().unwrap_or_default();
    let old = age::for_people(chrono::Utc::now().timestamp() - taken);
    let id = match source {
        Source::Repository { id } => format!("backup {}", id.get(..8).unwrap_or(id)),
        Source::Imported => "the export".to_owned(),
    };
    let how = if manifest.online { ", taken while the services went on" } else { "" };
    let mut lines = vec![format!(
        "Restoring {id} of {} ({old} old{how}): {}",
        minute_for_people(taken),
        size(manifest.bytes(service))
    )];
    for (name, database) in manifest.databases.iter().filter(|(_, database)| of(&database.service))
    {
        let rows: u64 = database.rows.values().sum();
        lines.push(format!("  database {name}: {rows} rows in {} tables", database.rows.len()));
    }
    for (name, folder) in manifest.folders.iter().filter(|(_, folder)| of(&folder.service)) {
        lines.push(format!(
            "  {} {name}: {} in {} files",
            folder.kind,
            size(folder.bytes),
            folder.files
        ));
    }
    lines.join("\n") + "\n"
}

fn conclude(
    run: &Run<'_>,
    world: &World,
    arguments: &Arguments,
    manifest: &Manifest,
    ended: &BackupTalk,
    answered: bool,
) -> Outcome {
    let ending = Ending::of_work(answered, false, None);
    let code = ending.code(arguments.consent.detailed_exitcode);
    if arguments.consent.json {
        let document = json!({
            "format_version": "1.0", "type": "restore", "stack": world.loaded.stack.id.as_str(), "exit_code": code,
            "backup": {"time": manifest.time, "online": manifest.online},
            "service": arguments.service, "rows": rows(ended), "sites_answer": answered,
        });
        run.feed_end(&document);
    }
    if !answered {
        let text = format!(
            "error: the data was restored and the containers are well, but a health check fails (see above)\n  hint: {} shows more",
            run.command("status")
        );
        return Err(Failed { code, ..Failed::new(text) });
    }
    if !arguments.consent.json {
        run.print("Restored: every service is well with the backup's data, and every row of the manifest is there.\n");
    }
    Ok(code)
}

/// What was counted after the restore: database, tables, rows.
pub(super) fn rows(ended: &BackupTalk) -> serde_json::Value {
    let line = |text: &str| {
        let mut words = text.split(' ');
        let (name, tables, rows) =
            (words.next()?, words.next()?.parse::<u64>().ok()?, words.next()?.parse::<u64>().ok()?);
        Some((name.to_owned(), json!({"tables": tables, "rows": rows})))
    };
    ended.about("rows").filter_map(line).collect::<serde_json::Map<_, _>>().into()
}
