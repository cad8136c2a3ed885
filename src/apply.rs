//! Carrying a plan out: as parallel as its dependencies allow, in batches where providers like batches.

mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ipai_core::desired::{compile, without};
use ipai_core::{
    Action, Address, DesiredResource, Event, Events, Execute, Fault, Job, JobResult, LiveResource,
    LiveState, Outputs, Plan, RemoteError, Verb,
};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::load::Loaded;
use crate::log::phase;
pub use crate::stop::Stop;
pub use outcome::Report;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
    /// Done, and undone since by its home's return to what it served before.
    Undone,
}

struct Walk<'a> {
    loaded: &'a Loaded,
    live: &'a LiveState,
    /// Whether the plan is about the whole stack, and not about targets.
    whole: bool,
    actions: Vec<&'a Action>,
    progress: Vec<Progress>,
    /// The action that brings an address about; deletions are not among them.
    makers: BTreeMap<&'a Address, usize>,
    outputs: BTreeMap<Address, Outputs>,
    /// The desired resources under the present outputs; made anew when those change.
    desired: BTreeMap<Address, DesiredResource>,
    report: Report,
}

/// How long dropping what runs may take.
const ABORT: Duration = Duration::from_millis(200);

type Lane = (&'static str, String);

/// Carries out `plan`, which was made on `live`.
pub async fn apply(
    loaded: &Loaded,
    plan: &Plan,
    live: &LiveState,
    executors: &[Arc<dyn Execute>],
    events: &Arc<dyn Events>,
    stop: &Stop,
) -> Report {
    carry_out(loaded, plan, live, executors, events, stop).instrument(phase("apply")).await
}

async fn carry_out(
    loaded: &Loaded,
    plan: &Plan,
    live: &LiveState,
    executors: &[Arc<dyn Execute>],
    events: &Arc<dyn Events>,
    stop: &Stop,
) -> Report {
    let mut walk = Walk::new(loaded, plan, live);
    let events: &Arc<dyn Events> =
        &(Arc::new(Stoppable { events: Arc::clone(events), stop: stop.clone() })
            as Arc<dyn Events>);
    let mut running: JoinSet<(Lane, Vec<usize>, Vec<JobResult>)> = JoinSet::new();
    let mut busy: BTreeSet<Lane> = BTreeSet::new();
    loop {
        if stop.may_begin() {
            walk.skip_hopeless(events.as_ref());
            for (lane, batch) in walk.ready(executors, &busy) {
                busy.insert(lane.clone());
                let Some(executor) = executors.iter().find(|e| e.provider() == lane.0).cloned()
                else {
                    continue;
                };
                let (indices, jobs): (Vec<usize>, Vec<Job>) = batch.into_iter().unzip();
                for job in &jobs {
                    events.event(Event::Started { address: job.address.clone(), verb: job.verb });
                }
                let events = Arc::clone(events);
                let of_these = action(&jobs);
                let acting =
                    async move { (lane, indices, executor.execute(jobs, events.as_ref()).await) };
                running.spawn(acting.instrument(of_these));
            }
        }
        let ended = tokio::select! {
            biased;
            ended = running.join_next() => ended,
            () = stop.cut() => {
                // Gone at their next wait; nothing of them may go on behind our back.
                let _ = tokio::time::timeout(ABORT, running.shutdown()).await;
                walk.cut_off(events.as_ref());
                None
            }
        };
        let Some(ended) = ended else { break };
        match ended {
            Ok((lane, indices, results)) => {
                busy.remove(&lane);
                walk.take(&indices, results, events.as_ref());
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    walk.skip_rest();
    if !stop.is_locked_out() {
        tokio::select! {
            biased;
            () = walk.remember(executors) => {}
            () = stop.cut() => {}
        }
    }
    walk.report.outputs = walk.outputs;
    walk.report
}

/// What these jobs are called together in the log.
fn action(jobs: &[Job]) -> tracing::Span {
    let first = jobs.first().map(|job| job.address.to_string()).unwrap_or_default();
    let more = jobs.len().saturating_sub(1);
    let name = if more == 0 { first } else { format!("{first}+{more}") };
    tracing::info_span!(target: "ipai::action", "action", name)
}

/// Tells whoever carries something out whether the run was asked to stop.
pub struct Stoppable {
    /// Who takes the events.
    pub events: Arc<dyn Events>,
    /// Who asks to stop.
    pub stop: Stop,
}

impl Events for Stoppable {
    fn event(&self, event: Event) {
        self.events.event(event);
    }

    fn may_begin(&self) -> bool {
        self.stop.may_begin()
    }
}

impl<'a> Walk<'a> {
    fn new(loaded: &'a Loaded, plan: &'a Plan, live: &'a LiveState) -> Self {
        let actions: Vec<&Action> = plan.actions.iter().collect();
        let progress = actions.iter().map(|action| match action.verb {
            Verb::NoOp => Progress::Done,
            _ => Progress::Waiting,
        });
        let progress = progress.collect();
        let makes = |action: &Action| !matches!(action.verb, Verb::Delete | Verb::Forget);
        let makers = actions
            .iter()
            .enumerate()
            .filter(|(_, a)| makes(a))
            .map(|(i, a)| (&a.address, i))
            .collect();
        let renewed = |action: &&&Action| matches!(action.verb, Verb::Create | Verb::Replace);
        let gone = actions.iter().filter(renewed).map(|action| action.address.clone()).collect();
        let outputs = without(&live.outputs(), &gone);
        let (desired, report) = Default::default();
        let whole = plan.targets.is_empty();
        let mut walk =
            Self { loaded, live, whole, actions, progress, makers, outputs, desired, report };
        walk.render();
        walk
    }

    fn render(&mut self) {
        let (desired, _) = self.loaded.with_inputs(&self.outputs, compile);
        self.desired = desired.resources.into_iter().map(|r| (r.address.clone(), r)).collect();
    }

    /// The earliest stage in which something is left to do.
    fn stage(&self) -> u32 {
        let open = |(action, progress): (&&Action, &Progress)| {
            matches!(progress, Progress::Waiting | Progress::Running).then_some(action.stage)
        };
        self.actions.iter().zip(&self.progress).filter_map(open).min().unwrap_or(0)
    }

    fn needs(&self, index: usize) -> impl Iterator<Item = usize> {
        self.actions[index].after.iter().filter_map(|need| self.makers.get(need).copied())
    }

    fn ready(
        &mut self,
        executors: &[Arc<dyn Execute>],
        busy: &BTreeSet<Lane>,
    ) -> BTreeMap<Lane, Vec<(usize, Job)>> {
        let stage = self.stage();
        let mut lanes: BTreeMap<Lane, Vec<(usize, Job)>> = BTreeMap::new();
        for (index, action) in self.actions.iter().enumerate() {
            let waits = self.progress[index] != Progress::Waiting || action.stage > stage;
            if waits || self.needs(index).any(|need| self.progress[need] != Progress::Done) {
                continue;
            }
            let Some(executor) = executors.iter().find(|e| e.provider() == action.address.provider)
            else {
                continue;
            };
            let job = self.job(action);
            let lane = (executor.provider(), executor.lane(&job));
            if !busy.contains(&lane) {
                lanes.entry(lane).or_default().push((index, job));
            }
        }
        for (index, _) in lanes.values().flatten() {
            self.progress[*index] = Progress::Running;
        }
        lanes
    }

    fn job(&self, action: &Action) -> Job {
        let desired = match action.verb {
            Verb::Delete | Verb::Forget => None,
            _ => self.desired.get(&action.address).cloned(),
        };
        let schema =
            self.loaded.types.get(&action.address).map(|kind| kind.schema()).unwrap_or_default();
        let live = action.id.as_ref().map(|id| self.live_object(&action.address, id));
        let home =
            desired.as_ref().and_then(|d| d.home.clone()).or_else(|| live.as_ref()?.home.clone());
        let home = home.and_then(|home| Some((home.clone(), self.outputs.get(&home)?.clone())));
        Job {
            stack: self.loaded.stack.id.clone(),
            address: action.address.clone(),
            verb: action.verb,
            version: desired.as_ref().and_then(|desired| desired.version(schema)),
            desired,
            live,
            home,
        }
    }

    /// The object as observed; of a foreign one that is being adopted only the id is known.
    fn live_object(&self, address: &Address, id: &str) -> LiveResource {
        let found = self.live.resources.iter().find(|r| r.address == *address && r.id == id);
        found.cloned().unwrap_or_else(|| LiveResource {
            address: address.clone(),
            id: id.to_owned(),
            attributes: Outputs::new(),
            outputs: Outputs::new(),
            applied: None,
            created: None,
            home: None,
        })
    }

    fn take(&mut self, indices: &[usize], results: Vec<JobResult>, events: &dyn Events) {
        let mut results: BTreeMap<Address, Vec<Result<Outputs, RemoteError>>> =
            results.into_iter().fold(BTreeMap::new(), |mut map, (address, result)| {
                map.entry(address).or_insert_with(Vec::new).push(result);
                map
            });
        let mut returned = BTreeSet::new();
        for &index in indices {
            let action = self.actions[index];
            let (address, verb) = (action.address.clone(), action.verb);
            let result = results
                .get_mut(&address)
                .filter(|left| !left.is_empty())
                .map(|left| left.remove(0))
                .unwrap_or_else(|| Err(unanswered(&address)));
            match result {
                Ok(outputs) => {
                    self.progress[index] = Progress::Done;
                    self.report.done.push((address.clone(), verb));
                    if !matches!(verb, Verb::Delete | Verb::Forget) {
                        self.outputs.entry(address.clone()).or_default().extend(outputs);
                    }
                    events.event(Event::Finished { address, verb });
                }
                Err(mut error) => {
                    error.cause = self.loaded.vault.redact(&error.cause);
                    if error.fault == Fault::Returned {
                        returned.extend(self.home_of(action));
                    }
                    self.progress[index] = Progress::Failed;
                    self.report.failed.push((address.clone(), error.clone()));
                    events.event(Event::Failed { address, error });
                }
            }
        }
        returned.iter().for_each(|home| self.undo(home));
        self.render();
    }

    /// The home of an action's resource.
    fn home_of(&self, action: &Action) -> Option<Address> {
        let desired = self.desired.get(&action.address).and_then(|desired| desired.home.clone());
        let live = || self.live.resources.iter().find(|live| live.address == action.address);
        desired.or_else(|| live()?.home.clone())
    }

    /// Everything that was done in a home that went back is undone.
    fn undo(&mut self, home: &Address) {
        for index in 0..self.actions.len() {
            let action = self.actions[index];
            let done = self.progress[index] == Progress::Done && action.verb != Verb::NoOp;
            if done && self.home_of(action).as_ref() == Some(home) {
                self.progress[index] = Progress::Undone;
                self.report
                    .done
                    .retain(|(address, verb)| (address, verb) != (&action.address, &action.verb));
                self.report.undone.push(action.address.clone());
            }
        }
    }

    /// Gives up what needs something that failed, and late deletions once anything failed before them.
    fn skip_hopeless(&mut self, events: &dyn Events) {
        loop {
            let lost = |progress: &Progress| {
                matches!(progress, Progress::Failed | Progress::Skipped | Progress::Undone)
            };
            let hopeless = (0..self.actions.len())
                .filter(|i| self.progress[*i] == Progress::Waiting)
                .find_map(|i| {
                    let stage = self.actions[i].stage;
                    let earlier = (0..self.actions.len())
                        .find(|j| self.actions[*j].stage < stage && lost(&self.progress[*j]));
                    self.needs(i)
                        .find(|need| lost(&self.progress[*need]))
                        .or(earlier)
                        .map(|because| (i, because))
                });
            let Some((index, because)) = hopeless else { return };
            self.progress[index] = Progress::Skipped;
            let (address, because) =
                (self.actions[index].address.clone(), self.actions[because].address.clone());
            self.report.skipped.push((address.clone(), Some(because.clone())));
            events.event(Event::Skipped { address, because });
        }
    }

    /// Gives up what is under way. What became of it is for the next look to find out.
    fn cut_off(&mut self, events: &dyn Events) {
        for (index, action) in self.actions.iter().enumerate() {
            if self.progress[index] == Progress::Running {
                self.progress[index] = Progress::Failed;
                let (address, error) = (action.address.clone(), cut_off(action));
                self.report.failed.push((address.clone(), error.clone()));
                events.event(Event::Failed { address, error });
            }
        }
    }

    fn skip_rest(&mut self) {
        for (index, action) in self.actions.iter().enumerate() {
            if self.progress[index] == Progress::Waiting {
                self.report.skipped.push((action.address.clone(), None));
            }
        }
    }

    /// Has the hosts write down which version of everything was applied.
    async fn remember(&mut self, executors: &[Arc<dyn Execute>]) {
        let mut applied = self.live.remembered.clone();
        for (index, action) in
            self.actions.iter().enumerate().filter(|(i, _)| self.progress[*i] == Progress::Done)
        {
            let removed = matches!(action.verb, Verb::Delete | Verb::Forget);
            let maker = self.makers.get(&action.address).is_none_or(|maker| *maker == index);
            match self.desired.get(&action.address) {
                Some(desired) if !removed => {
                    drop(applied.insert(action.address.clone(), self.version(desired)))
                }
                _ if removed && maker => drop(applied.remove(&action.address)),
                _ => {}
            }
        }
        let homes: BTreeSet<&Address> =
            self.desired.values().filter_map(|desired| desired.home.as_ref()).collect();
        let homes: BTreeMap<Address, Outputs> = self
            .outputs
            .iter()
            .filter(|(a, _)| homes.contains(a))
            .map(|(a, o)| (a.clone(), o.clone()))
            .collect();
        if applied == self.live.remembered || homes.is_empty() || self.destroys_everything() {
            return;
        }
        let well = self.whole && self.report.is_complete();
        let stack = &self.loaded.stack.id;
        for executor in executors {
            if let Err(error) = executor.remember(stack, &homes, &applied, well).await {
                self.report.forgotten = Some(error);
            }
        }
    }

    fn destroys_everything(&self) -> bool {
        self.actions.iter().all(|action| action.verb == Verb::Delete)
    }

    /// The version of what can be changed and of what is used at birth, as `VERSION+BIRTH`.
    fn version(&self, desired: &DesiredResource) -> String {
        let schema =
            self.loaded.types.get(&desired.address).map(|kind| kind.schema()).unwrap_or_default();
        let version = desired.version(schema).unwrap_or_default();
        format!("{version}+{}", desired.birth_version(schema).unwrap_or_default())
    }
}

fn cut_off(action: &Action) -> RemoteError {
    let cause = "ipai was stopped while it was under way; it may or may not have been done";
    RemoteError::new(Fault::TimedOut, format!("carry out {}", action.address), cause)
        .hint("the next plan looks at what became of it")
}

fn unanswered(address: &Address) -> RemoteError {
    RemoteError::new(
        Fault::BadAnswer,
        format!("carry out {address}"),
        "the provider gave no result for it",
    )
}
