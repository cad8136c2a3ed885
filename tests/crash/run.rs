//! One run of the program's insides: load, observe, propose, apply; each with clients and sessions of its own.

use std::sync::Arc;
use std::time::Duration;

use ipai::apply::{Stop, apply};
use ipai::edges::Edges;
use ipai::load::{Choice, Loaded, load};
use ipai::lock::{Held, NotTaken, take};
use ipai::observe::observe;
use ipai::providers::{self, Access};
use ipai_core::lock::{LONGEST_LEASE, Note};
use ipai_core::plan::{Options, lint, propose};
use ipai_core::{Events, Execute, Silent, Witness, diagnostic};

use super::blow::Killer;
use super::place::{Cloud, Place, ZONE};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was killed.
    Killed,
    /// There was nothing to do.
    Empty,
    /// Everything planned was done.
    Complete,
    /// Another run has the stack's lock.
    Locked,
    /// It failed, in these words.
    Failed(String),
}

/// What a run is to do once it has a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    Plan,
    Apply,
}

impl Place {
    /// Runs, and is dead when `killer` says so. Its runtime goes with it: no task and no connection outlives it.
    pub fn run(&self, cloud: &Cloud, options: &Options, goal: Goal, killer: &Arc<Killer>) -> Ended {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let witness = Witness::new(Arc::clone(killer) as Arc<_>);
        let ended = runtime.block_on(async {
            tokio::select! {
                biased;
                () = killer.killed() => Ended::Killed,
                ended = self.go(self.edges(cloud, witness, killer.hurries()), options, goal) => ended,
            }
        });
        drop(runtime);
        killer.bury();
        ended
    }

    /// One run in these surroundings.
    pub async fn go(&self, edges: Edges, options: &Options, goal: Goal) -> Ended {
        self.try_go(&edges, options, goal).await.unwrap_or_else(Ended::Failed)
    }

    async fn try_go(&self, edges: &Edges, options: &Options, goal: Goal) -> Result<Ended, String> {
        let choice = Choice { folder: self.stack(), ..Choice::default() };
        let loaded = load(&choice, providers::types(), edges)
            .map_err(|f| format!("load: {:?}", f.problems))?;
        let access =
            providers::access(&loaded, None, edges).map_err(|p| format!("access: {p:?}"))?;
        if goal == Goal::Plan {
            let ended = work(&loaded, &access, options, goal, &Stop::default()).await;
            access.close().await;
            return ended;
        }
        let stop = Stop::default();
        let held = match lock(&loaded, &access, &stop).await {
            Ok(held) => held,
            Err(NotTaken::Held(..)) => return Ok(Ended::Locked),
            Err(other) => return Err(format!("lock: {other:?}")),
        };
        stop.fence(held.fence().clone());
        let ended = work(&loaded, &access, options, goal, &stop).await;
        // One that is not given back lapses.
        let _ = held.release(Duration::from_secs(10)).await;
        access.close().await;
        ended
    }
}

/// Takes the stack's lock as the program does.
async fn lock(loaded: &Loaded, access: &Access, stop: &Stop) -> Result<Held, NotTaken> {
    let mut bytes = [0; 8];
    Edges::random(&mut bytes).unwrap();
    let run: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let note = Note::new(&run, LONGEST_LEASE, "test@matrix", "");
    let store = providers::zone_lock(access, &loaded.stack.id, ZONE).unwrap();
    take(&store, &note, Duration::ZERO, &|_, _| {}, stop).await
}

async fn work(
    loaded: &Loaded,
    access: &Access,
    options: &Options,
    goal: Goal,
    stop: &Stop,
) -> Result<Ended, String> {
    let observers = providers::observers(access).map_err(|error| error.to_string())?;
    let events: Arc<dyn Events> = Arc::new(Silent);
    let live = observe(loaded, &observers, &events)
        .await
        .map_err(|errors| format!("observe: {errors:?}"))?;
    let proposal = loaded.with_inputs(&live.outputs(), |inputs| propose(inputs, &live, options));
    if diagnostic::any_error(&proposal.problems) {
        return Err(format!("problems: {:?}", proposal.problems));
    }
    let plan = &proposal.plan;
    let faults = lint(plan);
    if !faults.is_empty() || !plan.conflicts.is_empty() {
        return Err(format!("somebody would have to decide: {faults:?} {:?}", plan.conflicts));
    }
    if plan.is_empty() {
        return Ok(Ended::Empty);
    }
    if goal == Goal::Plan {
        let lines: Vec<String> = plan
            .effective()
            .map(|a| format!("{:?} {} {:?}", a.verb, a.address, a.reason))
            .collect();
        return Err(format!("the plan is not empty: {}", lines.join("; ")));
    }
    let mut executors = providers::executors(access).map_err(|error| error.to_string())?;
    executors.push(Arc::clone(&loaded.vault) as Arc<dyn Execute>);
    let report = apply(loaded, plan, &live, &executors, &events, stop).await;
    if report.is_complete() {
        return Ok(Ended::Complete);
    }
    let failed: Vec<String> =
        report.failed.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    Err(format!("{} ({} skipped)", failed.join("; "), report.skipped.len()))
}
