//! `ipai backups`, and the choice of one.

use ipai_core::Diagnostic;
use ipai_core::backup::{AHEAD, is_id};
use ipai_core::calendar::{minute_for_people, seconds_of};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::world::World;
use super::super::{Failed, Outcome, Run, exit};
use super::age;
use super::site::Site;
use crate::report::{self, size};

/// List the stack's backups, the newest first, and how the last one went.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai backups\n  ipai backups --json | jq -r '.backups[0].id'")]
pub(crate) struct Arguments {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// One backup, as restic lists it: <https://restic.readthedocs.io/en/stable/075_scripting.html#snapshots>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    /// 64 hex digits.
    pub(crate) id: String,
    /// RFC 3339.
    pub(crate) time: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// What restic from 0.17 on says of its size.
    #[serde(default)]
    summary: Option<Summary>,
}

#[derive(Clone, Debug, Deserialize)]
struct Summary {
    #[serde(default)]
    total_bytes_processed: u64,
}

impl Snapshot {
    /// The id as people use it.
    pub(crate) fn id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }

    /// Seconds since 1970.
    pub(crate) fn taken(&self) -> i64 {
        seconds_of(&self.time)
            .or_else(|| Some(chrono::DateTime::parse_from_rfc3339(&self.time).ok()?.timestamp()))
            .unwrap_or_default()
    }

    /// What people are told of it besides: its tags, without those that all have.
    fn notes(&self) -> String {
        let own = self.tags.iter().filter(|tag| *tag != "ipai" && !tag.starts_with("stack:"));
        own.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

pub(crate) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = list(run, &world, arguments).await;
    world.close().await;
    outcome
}

async fn list(run: &Run<'_>, world: &World, arguments: &Arguments) -> Outcome {
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    let all = all(&site).await?;
    let age = age::of(&site).await?;
    if arguments.json {
        let one = |snapshot: &Snapshot| {
            json!({
                "id": snapshot.id, "time": snapshot.time, "tags": snapshot.tags,
                "bytes": snapshot.summary.as_ref().map(|summary| summary.total_bytes_processed),
            })
        };
        let document = json!({
            "format_version": "1.0", "stack": world.loaded.stack.id.as_str(),
            "backups": all.iter().map(one).collect::<Vec<_>>(), "last_run": age.document(),
        });
        run.print(&format!("{}\n", report::json_text(&document, true)));
    } else {
        let mut text = String::new();
        for snapshot in &all {
            let bytes = snapshot
                .summary
                .as_ref()
                .map(|summary| size(summary.total_bytes_processed))
                .unwrap_or_default();
            let line = format!(
                "{}  {}  {bytes:>10}  {}",
                snapshot.id(),
                minute_for_people(snapshot.taken()),
                snapshot.notes()
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if all.is_empty() {
            text.push_str(&format!("No backups yet: {} takes one.\n", run.command("backup")));
        }
        run.print(&report::clean(&text));
        run.say(&age.line());
    }
    Ok(exit::OK)
}

/// All of them, the newest first.
pub(crate) async fn all(site: &Site<'_>) -> Result<Vec<Snapshot>, Failed> {
    let (_, text) = match site.ask(&["list"], "list the backups").await {
        Err(failed) if failed.text.contains("there is no backup repository") => {
            return Ok(Vec::new());
        }
        asked => asked?,
    };
    let json = text.lines().rev().find(|line| line.trim_start().starts_with('[')).unwrap_or("[]");
    let read = serde_json::from_str::<Json>(json).ok();
    let list = read.and_then(|json| serde_json::from_value::<Vec<Snapshot>>(json).ok());
    let mut list = list.ok_or_else(|| Failed::new("error: restic's list of backups cannot be read\n  hint: ipai backups needs restic 0.14 or newer on the host"))?;
    // What will be part of a command is what restic calls a snapshot, whatever the host says.
    list.retain(|snapshot| is_id(&snapshot.id));
    list.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.taken()));
    Ok(list)
}

/// The one that is meant: by its id, or the newest, or the newest at or before a moment in seconds since 1970.
pub(crate) async fn chosen(
    site: &Site<'_>,
    word: &str,
    to_time: Option<i64>,
) -> Result<Snapshot, Failed> {
    let run = site.run;
    let none = |detail: String| {
        let problem = Diagnostic::error("No such backup").detail(detail);
        run.trouble(&problem.hint(format!("list them: {}", run.command("backups"))))
    };
    if !is_id(word) {
        return Err(none(format!("`{}` is no id of a backup, and no file.", word.escape_debug())));
    }
    let all = all(site).await?;
    if word != "latest" {
        let mut fits = all.into_iter().filter(|snapshot| snapshot.id.starts_with(word));
        return match (fits.next(), fits.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(none(format!("This stack has no backup {word}."))),
            (Some(_), Some(_)) => Err(none(format!("Several begin with {word}."))),
        };
    }
    let now = chrono::Utc::now().timestamp();
    let until = to_time.unwrap_or(now + AHEAD);
    let newest = all.first().map(Snapshot::taken).filter(|taken| *taken > now + AHEAD);
    if let (Some(newest), None) = (newest, to_time) {
        let problem = Diagnostic::error("A backup from the future")
            .detail(format!("The newest is of {}: the clock of this machine, or of the host that took it, is wrong.", minute_for_people(newest)))
            .hint("set the clock right, or name a backup by its id");
        return Err(run.trouble(&problem));
    }
    all.into_iter().find(|snapshot| snapshot.taken() <= until).ok_or_else(|| match to_time {
        Some(time) => none(format!("None was taken at or before {}.", minute_for_people(time))),
        None => none("There is none yet.".to_owned()),
    })
}
