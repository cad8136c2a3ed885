//! What `up`, `down` and `restart` have in common: one Compose command on a host under the stack's lock, its words as
//! they come, and then a wait until all is well.

use std::time::Duration;

use ipai_core::Diagnostic;

use super::apply::Consent;
use super::locked::{Locking, stopped};
use super::output_stream::Cleaner;
use super::places::Places;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::http_check::{self, Outcome as CheckOutcome};
use crate::providers::{ComposeProject, Piece, Stream, stream, upkeep};

/// How long sites may take to answer once their containers are healthy.
const CHECK_PATIENCE: Duration = Duration::from_secs(60);

/// One thing to do with a project.
pub(super) struct Deed<'a> {
    pub(super) project: &'a ComposeProject,
    /// The command, as shell text.
    pub(super) command: String,
    /// Its name in errors: `start ops`.
    pub(super) attempted: String,
    /// The services that it is about; all when empty.
    pub(super) only: Vec<&'a str>,
    /// Whether services shall be up and well in the end.
    pub(super) well: bool,
}

/// The lock as these commands take it: nothing is asked here, because nothing is planned.
pub(super) fn consent(locking: Locking, detailed_exitcode: bool) -> Consent {
    Consent {
        auto_approve: true,
        no_input: true,
        data_loss: Vec::new(),
        without_backup: Vec::new(),
        json: false,
        detailed_exitcode,
        locking,
    }
}

/// Does one thing after the other, and tells whether anything is another than before.
pub(super) async fn carry_out(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    deeds: &[Deed<'_>],
    detailed: bool,
) -> Outcome {
    let mut changed = false;
    for deed in deeds {
        let doing = one(run, world, places, deed);
        changed |= tokio::select! {
            done = doing => done?,
            code = world.stop.requested() => return Err(cut_short(run, code, deed)),
        };
    }
    if deeds.iter().any(|deed| deed.well) && !sites_answer(run, world, places).await? {
        let text = format!(
            "error: the containers are well, but a health check fails (see above)\n  hint: {} shows more",
            run.command("status")
        );
        return Err(Failed::new(text));
    }
    Ok(if changed && detailed { exit::CHANGES } else { exit::OK })
}

fn cut_short(run: &Run<'_>, code: u8, deed: &Deed<'_>) -> Failed {
    let text = format!(
        "Stopped in the middle of it: {}.\n  hint: {} shows what runs; the same command again goes on",
        deed.attempted,
        run.command("status")
    );
    Failed { code, ..Failed::new(text) }
}

async fn one(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    deed: &Deed<'_>,
) -> Result<bool, Failed> {
    let outputs = places.host(run, &deed.project.home)?;
    let home = &deed.project.home;
    let failed = |error| run.remote(&[error]);
    let watch = upkeep(&world.access, deed.project, outputs).map_err(failed)?;
    let before = watch.look(&deed.only).await.map_err(failed)?;
    let up = deed.well && deed.only.is_empty();
    if up && before.pending.is_empty() && !before.containers.is_empty() {
        return Ok(false);
    }
    let gone = |service: &&&str| !before.seen.iter().any(|seen| seen.service == **service);
    if let Some(service) = deed.only.iter().find(gone) {
        let problem = Diagnostic::error("Nothing to restart")
            .detail(format!("{}/{service} has no container.", deed.project.name))
            .hint(format!("start it: {}", run.command("up")));
        return Err(run.trouble(&problem));
    }
    if !world.stop.may_begin() {
        return Err(stopped(world.stop.code().unwrap_or(exit::ERROR)));
    }
    let opened = stream(&world.access, home, outputs, &deed.command, &deed.attempted).await;
    follow(run, opened.map_err(failed)?, deed).await?;
    let after = if deed.well {
        let news = |text: &str| {
            run.remark(&format!("{}: {}", deed.project.name, crate::report::one_line(text)))
        };
        watch.until_well(&deed.only, news).await
    } else {
        watch.look(&deed.only).await
    };
    Ok(after.map_err(failed)?.containers != before.containers)
}

/// Shows Compose's own words as they come.
async fn follow(run: &Run<'_>, mut stream: Stream, deed: &Deed<'_>) -> Result<(), Failed> {
    let (mut words, mut line) = (Cleaner::default(), String::new());
    stream.end_input();
    loop {
        match stream.next().await.map_err(|error| run.remote(&[error]))? {
            Piece::Output(bytes) | Piece::Talk(bytes) => {
                line.push_str(&words.clean(&bytes));
                while let Some((whole, rest)) = line.split_once('\n') {
                    run.say(&format!("{}: {}", deed.project.name, whole.trim()));
                    line = rest.to_owned();
                }
            }
            Piece::Ended(0) => return Ok(()),
            Piece::Ended(code) => {
                let text = format!(
                    "error: cannot {}: docker compose ended with exit code {code} (see above)\n  hint: {} shows whether the project was applied as it stands in the stack",
                    deed.attempted,
                    run.command("plan")
                );
                return Err(Failed::new(text));
            }
        }
    }
}

/// Asks the sites until they answer as their checks want.
pub(super) async fn sites_answer(
    run: &Run<'_>,
    world: &World,
    places: &Places,
) -> Result<bool, Failed> {
    let reach = world.reach(run).await?;
    let outcomes = tokio::select! {
        biased;
        outcomes = http_check::run(&places.desired.checks, &places.outputs, &reach, CHECK_PATIENCE) => outcomes,
        code = world.stop.requested() => return Err(stopped_waiting(code)),
    };
    outcomes.iter().for_each(|(name, outcome)| run.say(&outcome.line(name)));
    Ok(!outcomes.iter().any(|(_, outcome)| matches!(outcome, CheckOutcome::Failed(_))))
}

fn stopped_waiting(code: u8) -> Failed {
    let text = "Stopped: the containers are well, and the sites were not waited for.";
    Failed { code, ..Failed::new(text) }
}
