//! Working under the stack's lock: it is taken before anything is looked at, and given back on every way out.

use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ipai_core::lock::{Found, LONGEST_LEASE, Moment, Note};
use ipai_core::{Action, Plan, Verb};
use tracing::Instrument;

use super::keeper::Keeper;
use super::world::World;
use super::{Ending, Failed, Outcome, Run, exit, signals};
use crate::edges::Edges;
use crate::lock::{Held, NotTaken, take};
use crate::log::phase;
use crate::report;

/// Between two words on a wait that goes on.
const REMINDER: Duration = Duration::from_secs(10);
/// How long giving the lock back may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same after an interrupt; see [`crate::stop`].
const HASTE: Duration = Duration::from_millis(1_200);

/// How to deal with other runs on the same stack.
#[derive(Debug, clap::Args)]
pub(super) struct Locking {
    /// How long to wait while another run holds the stack's lock: 30s, 5m.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(super) lock_timeout: Duration,
    /// Tell whoever meets the lock why it is held.
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
}

/// Reads `0`, `300ms`, `30s`, `5m` or `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "write a number and ms, s, m or h")?;
    let milliseconds = match &text[digits.len()..] {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "" if number == 0 => Some(0),
        _ => return Err("write a number and ms, s, m or h".into()),
    };
    let most = 7 * 24 * 3_600_000;
    milliseconds.filter(|m| *m <= most).map(Duration::from_millis).ok_or("at most a week".into())
}

/// How a refusal is told besides on standard error.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Telling {
    /// As JSON on standard output too.
    pub(super) json: bool,
    /// By an exit code of its own.
    pub(super) detailed: bool,
}

/// Does a command's work while this run holds the stack's lock.
pub(super) async fn locked(
    run: &Run<'_>,
    world: &World,
    locking: &Locking,
    telling: Telling,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let _watch = signals::watch(&world.stop);
    let keeper = tokio::select! {
        keeper = world.keeper(run) => keeper?,
        code = world.stop.requested() => return Err(stopped(code)),
    };
    let (store, home) = match keeper {
        Keeper::Store { store, home } => (store, home),
        Keeper::Nobody(why) => {
            run.say(&format!("warning: this stack has no lock, because {why}: two runs at once cannot be excluded"));
            return in_time(world, work).await;
        }
    };
    let note = note(locking, run.edges)?;
    let place = store.place();
    let teller = Teller { run, place: &place, told: Mutex::new(None) };
    let waiting = |by: &Found, now: Option<Moment>| teller.tell(by, now);
    let taking = take(&store, &note, locking.lock_timeout, &waiting, &world.stop);
    match taking.instrument(phase("lock")).await {
        Ok(held) => {
            world.stop.fence(held.fence().clone());
            if let Some(home) = home {
                let _ = world.host_lock.set((home, held.fence().clone()));
            }
            under(run, world, held, work).await
        }
        Err(NotTaken::Stopped(code)) => Err(stopped(code)),
        Err(NotTaken::Failed(error)) => Err(run.remote(&[error])),
        Err(NotTaken::Held(by, now)) => {
            let text = refusal(run, &place, by.as_deref(), now);
            let failed = Failed::new(text).ending(Ending::Locked, telling.detailed);
            if telling.json {
                let mut message =
                    report::locked_message(&place, by.as_deref(), now, Some(&super::now()));
                run.begin_stream(&super::now());
                message["exit_code"] = failed.code.into();
                run.feed_end(&message);
            }
            Err(failed)
        }
    }
}

async fn under(
    run: &Run<'_>,
    world: &World,
    held: Held,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let fence = held.fence().clone();
    let lost = |reason: &str| {
        run.say(&format!("error: the stack's lock was lost, so nothing new begins: {reason}"));
    };
    let mut work = pin!(in_time(world, work));
    let outcome = tokio::select! {
        biased;
        outcome = &mut work => {
            if let Some(reason) = fence.trouble() {
                lost(&reason);
            }
            outcome
        }
        reason = fence.lost() => {
            world.stop.abort(exit::ERROR);
            lost(&reason);
            work.await
        }
    };
    let limit = if world.stop.code().is_some() { HASTE } else { PATIENCE };
    if let Err(error) = held.release(limit).instrument(phase("unlock")).await {
        let seconds = LONGEST_LEASE.as_secs();
        run.say(&format!(
            "warning: the stack's lock could not be given back: {error}\n  it lapses by itself within about {seconds} s"
        ));
    }
    outcome
}

/// Gives up when a stop was asked for and the work does not come to an end.
async fn in_time(world: &World, work: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        biased;
        outcome = work => outcome,
        code = world.stop.overdue() => {
            let text = "error: stopped before the end; the next plan shows what is left to do";
            Err(Failed { code, ..Failed::new(text) })
        }
    }
}

/// A command that was stopped before it changed anything.
pub(super) fn stopped(code: u8) -> Failed {
    Failed { code, ..Failed::new("Stopped. Nothing was changed.") }
}

/// Says so when a plan takes the lock's own host away, and does not let the plan fail for it.
pub(super) fn mind_the_lock(run: &Run<'_>, world: &World, plan: &Plan) {
    let Some((home, fence)) = world.host_lock.get() else { return };
    let leaves = |action: &Action| {
        action.address == *home && matches!(action.verb, Verb::Delete | Verb::Replace)
    };
    if plan.actions.iter().any(leaves) {
        fence.open();
        run.say(&format!("warning: the stack's lock is on {home} and goes with it; from then on two runs at once cannot be excluded"));
    }
}

/// What the lock will say.
fn note(locking: &Locking, edges: &Edges) -> Result<Note, Failed> {
    let mut bytes = [0; 8];
    Edges::random(&mut bytes)
        .map_err(|error| Failed::new(format!("error: no randomness: {error}")))?;
    let run: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let github = edges.variable("GITHUB_RUN_ID").map(|id| format!("GitHub run {id}"));
    let why = locking.why.clone().or(github).unwrap_or_default();
    Ok(Note::new(&run, lease(edges), &edges.holder(), &why))
}

/// `IPAI_LOCK_LEASE`: a shorter lease in seconds, for tests that wait for one to lapse.
fn lease(edges: &Edges) -> Duration {
    let seconds = edges.variable("IPAI_LOCK_LEASE").and_then(|text| text.parse().ok());
    seconds.map_or(LONGEST_LEASE, Duration::from_secs)
}

/// Says who is waited for: at once, when that changes, and every now and then.
struct Teller<'a> {
    run: &'a Run<'a>,
    place: &'a str,
    told: Mutex<Option<(String, Instant)>>,
}

impl Teller<'_> {
    fn tell(&self, by: &Found, now: Option<Moment>) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.as_ref().is_some_and(|(id, at)| *id == by.id && at.elapsed() < REMINDER) {
            return;
        }
        *told = Some((by.id.clone(), Instant::now()));
        let who = report::lock_line(by, now);
        self.run.say(&format!("waiting for the lock in {}: {who}", self.place));
    }
}

/// Why nothing was done, and what can be done about it.
fn refusal(run: &Run<'_>, place: &str, by: Option<&Found>, now: Option<Moment>) -> String {
    let (who, breaks) = match by {
        Some(by) => (report::lock_line(by, now), by.note.is_err()),
        None => ("it changes hands faster than one can look".to_owned(), false),
    };
    let lapses = by.and_then(|by| by.lapses_in(now)).map(|left| {
        format!("\n  without another sign of life it lapses in {} s", left.as_secs() + 1)
    });
    let hint = if breaks {
        "update ipai; if no run is at work, remove the lock"
    } else {
        "wait for it with --lock-timeout 5m; if that run is surely dead, remove its lock"
    };
    let lapses = lapses.unwrap_or_default();
    format!(
        "error: another run is at work on this stack, so nothing was changed\n  its lock in {place} is {who}{lapses}\n  hint: {hint}: {}",
        run.command("unlock")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("300ms", 300),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for text in
            ["", "5", "s", "-1s", "1d", "1.5s", "5 m", "9999999999999999999h", "200h", "5m3s"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
