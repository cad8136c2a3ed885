//! `ipai check`

mod ask;
mod page;

use ipai_core::check::{Check, Way};
use serde::Serialize;

use super::backup::age::{self, Age};
use super::places::Places;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::http_check::{Outcome as Result, Reach, SIMULATED};
use ask::Asker;

/// Ask every service three things: can it be reached, does it let us in, is it of a version that fits.
///
/// Each `[check.NAME]` of the stack is asked from here, as its users reach it, and on the host itself. Bodies are
/// looked at, never the status alone. Exits with 0 only when everything is ok.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops check\n  ipai check mattermost\n  ipai check --json | jq .overall"
)]
pub(super) struct Arguments {
    /// Only these checks or services.
    names: Vec<String>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// How a service is, all things considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Overall {
    /// Everything that is asked is answered as it must be.
    Ok,
    /// It was not asked.
    Unknown,
    /// Something does not work.
    Degraded,
    /// It works, and is of another version than what uses it can deal with.
    Incompatible,
}

/// What came out for one service.
#[derive(Debug, Serialize)]
struct Verdict {
    check: String,
    service: String,
    overall: Overall,
    reachable: Reachable,
    /// Absent when the check does not ask.
    authentication: Option<Result>,
    /// Absent when the check does not ask.
    version: Option<Version>,
}

#[derive(Debug, Serialize)]
struct Reachable {
    /// From here; absent when there is no way from here, as into a database.
    outside: Option<Result>,
    /// On the host.
    inside: Option<Result>,
}

#[derive(Debug, Serialize)]
struct Version {
    found: Option<String>,
    compatible: String,
    #[serde(flatten)]
    result: Result,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let found = look(run, &world, arguments).await;
    let stack = world.loaded.stack.id.clone();
    world.close().await;
    let (verdicts, age) = found?;
    let stale = age.as_ref().is_some_and(|age| !age.is_well());
    let overall = verdicts.iter().map(|verdict| verdict.overall).max().unwrap_or(Overall::Unknown);
    run.print(&match arguments.json {
        true => page::json(stack.as_str(), overall, &verdicts, age.as_ref().map(Age::document)),
        false => page::text(overall, &verdicts, age.as_ref().map(Age::line)),
    });
    Ok(if overall == Overall::Ok && !stale { exit::OK } else { exit::ERROR })
}

async fn look(
    run: &Run<'_>,
    world: &World,
    arguments: &Arguments,
) -> std::result::Result<(Vec<Verdict>, Option<Age>), Failed> {
    let places = world.places(run).await?;
    let verdicts = verdicts(run, world, &places, arguments).await?;
    // Whoever asks for one service does not ask how old its backup is.
    let age = match arguments.names.is_empty() {
        true => age::if_any(run, world, &places).await,
        false => None,
    };
    Ok((verdicts, age))
}

/// How each check of the stack fares: its name, whether it passed (nothing when it could not be asked), and in words.
pub(super) async fn sign_of_life(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    reach: &Reach,
) -> Vec<(String, Option<bool>, String)> {
    let mut signs = Vec::new();
    for check in &places.desired.checks {
        let verdict = verdict(run, world, places, reach, check).await;
        let passed = match verdict.overall {
            Overall::Ok => Some(true),
            Overall::Unknown => None,
            Overall::Degraded | Overall::Incompatible => Some(false),
        };
        signs.push((check.name.clone(), passed, page::why(&verdict)));
    }
    signs
}

async fn verdicts(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    arguments: &Arguments,
) -> std::result::Result<Vec<Verdict>, Failed> {
    let reach = world.reach(run).await?;
    let named = |check: &&Check| {
        let service = check.service.as_deref();
        let fits = |name: &String| *name == check.name || Some(name.as_str()) == service;
        arguments.names.is_empty() || arguments.names.iter().any(fits)
    };
    let checks: Vec<&Check> = places.desired.checks.iter().filter(named).collect();
    if checks.is_empty() {
        return Err(no_checks(run, places));
    }
    let mut verdicts = Vec::new();
    for check in checks {
        verdicts.push(verdict(run, world, places, &reach, check).await);
    }
    Ok(verdicts)
}

fn no_checks(run: &Run<'_>, places: &Places) -> Failed {
    let names: Vec<&str> = places.desired.checks.iter().map(|check| check.name.as_str()).collect();
    let problem = ipai_core::Diagnostic::error("Nothing to check").hint(match names.is_empty() {
        true => {
            "write a [check.NAME] with a `url` into stack.toml; the README shows one".to_owned()
        }
        false => format!("checks of this stack: {}", names.join(", ")),
    });
    run.trouble(&problem)
}

async fn verdict(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    reach: &Reach,
    check: &Check,
) -> Verdict {
    let mut verdict = Verdict {
        check: check.name.clone(),
        service: check.service.clone().unwrap_or_else(|| check.name.clone()),
        overall: Overall::Unknown,
        reachable: Reachable { outside: None, inside: None },
        authentication: None,
        version: None,
    };
    if *reach == Reach::Nowhere {
        let skipped = Some(Result::Skipped(SIMULATED.into()));
        match check.reach.way {
            Way::Url { .. } => verdict.reachable.outside = skipped,
            Way::Command { .. } => verdict.reachable.inside = skipped,
        }
        return verdict;
    }
    let asker = Asker { run, world, places, reach, check };
    let outside = asker.outside(&check.reach).await;
    let inside = asker.inside(&check.reach).await;
    verdict.reachable = Reachable {
        outside: outside.as_ref().map(|asked| asked.judge(&check.reach)),
        inside: inside.as_ref().map(|asked| asked.judge(&check.reach)),
    };
    // What follows is asked from where the service can be reached.
    let from_here = verdict.reachable.outside == Some(Result::Passed);
    if let Some(question) = &check.auth {
        verdict.authentication = Some(asker.either(question, from_here).await.judge(question));
    }
    if let Some(wanted) = &check.version {
        let asked = match &wanted.question {
            Some(question) => Some(asker.either(question, from_here).await),
            None if from_here => outside,
            None => inside,
        };
        let (found, result) = match asked {
            Some(asked) => asked.version(wanted),
            None => (None, Result::Skipped("it could not be asked".to_owned())),
        };
        verdict.version =
            Some(Version { found, compatible: wanted.compatible.to_string(), result });
    }
    verdict.overall = overall(&verdict);
    verdict
}

fn overall(verdict: &Verdict) -> Overall {
    let Verdict { reachable, authentication, version, .. } = verdict;
    let all = [&reachable.outside, &reachable.inside, authentication];
    let results = || all.into_iter().flatten().chain(version.iter().map(|version| &version.result));
    let wrong = version.as_ref().filter(|version| version.found.is_some());
    if wrong.is_some_and(|version| matches!(version.result, Result::Failed(_))) {
        Overall::Incompatible
    } else if results().any(|result| matches!(result, Result::Failed(_))) {
        Overall::Degraded
    } else if results().any(|result| *result == Result::Passed)
        && !matches!(authentication, Some(Result::Skipped(_)))
        && !version.as_ref().is_some_and(|version| version.result != Result::Passed)
    {
        Overall::Ok
    } else {
        Overall::Unknown
    }
}
