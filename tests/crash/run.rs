//! One run of the program's insides: load, observe, propose, apply; each with clients and sessions of its own.

use std::sync::Arc;

use ipai::apply::{Stop, apply};
use ipai::load::{Choice, load};
use ipai::observe::observe;
use ipai::providers;
use ipai_core::desired::compile;
use ipai_core::plan::{Options, lint, propose};
use ipai_core::{Event, Events, Execute, Witness, diagnostic};

use super::blow::Killer;
use super::place::{Cloud, Place};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was killed.
    Killed,
    /// There was nothing to do.
    Empty,
    /// Everything planned was done.
    Complete,
    /// It failed, in these words.
    Failed(String),
}

/// What a run is to do once it has a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    Plan,
    Apply,
}

struct Silent;

impl Events for Silent {
    fn event(&self, _event: Event) {}
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
                ended = self.go(cloud, options, goal, witness) => ended.unwrap_or_else(Ended::Failed),
            }
        });
        drop(runtime);
        killer.bury();
        ended
    }

    async fn go(
        &self,
        cloud: &Cloud,
        options: &Options,
        goal: Goal,
        witness: Witness,
    ) -> Result<Ended, String> {
        let edges = self.edges(cloud, witness);
        let choice = Choice { folder: self.stack(), ..Choice::default() };
        let loaded = load(&choice, providers::types(), &edges)
            .map_err(|f| format!("load: {:?}", f.problems))?;
        let access =
            providers::access(&loaded, None, &edges).map_err(|p| format!("access: {p:?}"))?;
        let observers = providers::observers(&access).map_err(|error| error.to_string())?;
        let events: Arc<dyn Events> = Arc::new(Silent);
        let live = observe(&loaded, &observers, &events)
            .await
            .map_err(|errors| format!("observe: {errors:?}"))?;
        let proposal =
            loaded.with_inputs(&live.outputs(), |inputs| propose(inputs, &live, options));
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
        let mut executors = providers::executors(&access).map_err(|error| error.to_string())?;
        executors.push(Arc::clone(&loaded.vault) as Arc<dyn Execute>);
        let report = apply(&loaded, plan, &live, &executors, &events, &Stop::default()).await;
        let (desired, _) = loaded.with_inputs(&report.outputs, compile);
        drop(desired);
        access.close().await;
        if report.is_complete() {
            return Ok(Ended::Complete);
        }
        let failed: Vec<String> =
            report.failed.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        Err(format!("{} ({} skipped)", failed.join("; "), report.skipped.len()))
    }
}
