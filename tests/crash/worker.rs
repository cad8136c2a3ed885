//! A worker: runs one story after the other in its own place, and judges how each ended.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ipai_simulator::hosts::HostFaults;
use ipai_simulator::{Fault, Moment, Pace, Stage};

use super::blow::{Blow, How, KILLS, Killer};
use super::place::{Cloud, Place};
use super::run::{Ended, Goal};
use super::scenario::{ALL, Scenario};
use super::truth::{Truth, faults, torn};

/// One story: a scenario, and a blow to each of its first runs.
#[derive(Clone, Debug)]
pub struct Cell {
    pub scenario: Scenario,
    pub blows: Vec<Blow>,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blows: Vec<String> = self.blows.iter().map(ToString::to_string).collect();
        write!(f, "{}:{}", self.scenario.name(), blows.join("+"))
    }
}

impl Cell {
    pub fn parse(text: &str) -> Option<Self> {
        let (scenario, blows) = text.split_once(':')?;
        let blows: Option<Vec<Blow>> = blows.split('+').map(Blow::parse).collect();
        Some(Self { scenario: Scenario::parse(scenario)?, blows: blows? })
    }
}

/// What an undisturbed run of a scenario does.
#[derive(Clone, Debug)]
pub struct Measure {
    /// The steps in their order.
    pub steps: Vec<String>,
    /// How long each took.
    pub durations: Vec<Duration>,
    /// Bytes that went into programs on the host.
    pub stdin: u64,
    pub truth: Truth,
}

/// A worker: its place, and how each scenario ends there.
pub struct Worker {
    pub place: Place,
    pub measures: Vec<Measure>,
}

/// What came of one cell.
#[derive(Default)]
pub struct Verdict {
    /// How many of its blows hit.
    pub hits: usize,
    pub faults: Vec<String>,
    pub runs: u64,
    /// Plans right after an apply, found empty.
    pub empty: u64,
    /// Locks of dead runs that had lapsed after a minute.
    pub lapsed: u64,
}

impl Worker {
    pub fn new(number: u8) -> Self {
        let mut worker = Self { place: Place::new(number, Pace::prompt()), measures: Vec::new() };
        for scenario in ALL {
            let measure = worker.measure(scenario);
            worker.measures.push(measure);
        }
        worker
    }

    /// Runs a scenario undisturbed. The fresh one leaves behind what the others begin with.
    fn measure(&self, scenario: Scenario) -> Measure {
        self.place.begin(scenario);
        let cloud = self.place.start();
        let killer = Killer::new(None);
        let ended = self.place.run(&cloud, &scenario.options(), Goal::Apply, &killer);
        assert_eq!(ended, Ended::Complete, "{}", scenario.name());
        let (steps, durations, truth) = (killer.names(), killer.durations(), Truth::of(&cloud));
        let stdin = cloud.own_droplets().first().and_then(|id| cloud.hosts.counters(*id));
        let stdin = stdin.map_or(0, |counters| counters.stdin.load(Ordering::Relaxed));
        let ended = self.place.run(&cloud, &scenario.options(), Goal::Plan, &Killer::new(None));
        assert_eq!(ended, Ended::Empty, "{}", scenario.name());
        self.place.stop(cloud);
        if scenario == Scenario::Fresh {
            self.place.keep_applied();
        }
        Measure { steps, durations, stdin, truth }
    }

    fn measure_of(&self, scenario: Scenario) -> &Measure {
        &self.measures[ALL.iter().position(|s| *s == scenario).unwrap()]
    }

    /// Tells one story from its beginning.
    pub fn judge(&self, cell: &Cell) -> Verdict {
        self.place.begin(cell.scenario);
        let made = Arc::default();
        self.go_on(cell, &cell.blows, &made)
    }

    /// Tells the rest of a story from how stack and cloud lie there; `made` droplets were asked for before.
    fn go_on(&self, cell: &Cell, blows: &[Blow], made: &Arc<AtomicU64>) -> Verdict {
        let scenario = cell.scenario;
        let cloud = self.place.start();
        let mut verdict = Verdict::default();
        let mut last = Ended::Killed;
        for blow in blows {
            let hit;
            verdict.lapsed += u64::from(cloud.outlast_lock());
            (hit, last) = self.strike(&cloud, scenario, *blow, made);
            verdict.runs += 1;
            let before = &self.measures[0].truth;
            verdict.faults.extend(torn(&cloud, before, &self.measure_of(scenario).truth));
            if !hit {
                break;
            }
            verdict.hits += 1;
            if let Ended::Failed(why) = &last
                && why.contains("somebody would have to decide")
            {
                verdict.faults.push(why.clone());
            }
        }
        // What succeeded all the same must leave nothing to do.
        let goals: &[Goal] =
            if last == Ended::Complete { &[Goal::Plan] } else { &[Goal::Apply, Goal::Plan] };
        for goal in goals {
            verdict.lapsed += u64::from(cloud.outlast_lock());
            verdict.runs += 1;
            let killer = Killer::new(None);
            cloud.simulator.world().watch(Some(killer.watch(counting(made))));
            match self.place.run(&cloud, &scenario.options(), *goal, &killer) {
                Ended::Empty if *goal == Goal::Plan => verdict.empty += 1,
                Ended::Empty => {}
                Ended::Complete if *goal == Goal::Apply => {}
                other => verdict.faults.push(format!("{goal:?} ended so: {other:?}")),
            }
        }
        let wanted = &self.measure_of(scenario).truth;
        verdict.faults.extend(faults(&cloud, scenario, wanted, made.load(Ordering::SeqCst)));
        self.place.stop(cloud);
        verdict
    }

    /// Kills the fresh apply at its first blow, and from there once more at every step of the next run.
    pub fn pairs(&self, first: Blow, mut told: impl FnMut(&Cell, Verdict)) {
        let made: Arc<AtomicU64> = Arc::default();
        self.place.begin(Scenario::Fresh);
        let cloud = self.place.start();
        self.strike(&cloud, Scenario::Fresh, first, &made);
        self.place.stop(cloud);
        self.place.keep("struck");
        for at in 1.. {
            let second = Blow { at, how: KILLS[usize::try_from(at + first.at / 3).unwrap() % 3] };
            let cell = Cell { scenario: Scenario::Fresh, blows: vec![first, second] };
            self.place.restore("struck");
            let made = Arc::new(AtomicU64::new(made.load(Ordering::SeqCst)));
            let verdict = self.go_on(&cell, &[second], &made);
            let over = verdict.hits == 0;
            told(&cell, verdict);
            if over && at > 3 {
                return;
            }
        }
    }

    /// One run under one blow; tells whether the blow hit.
    fn strike(
        &self,
        cloud: &Cloud,
        scenario: Scenario,
        blow: Blow,
        made: &Arc<AtomicU64>,
    ) -> (bool, Ended) {
        let world = cloud.simulator.world();
        let usual = self.measure_of(scenario).durations.get(usize::try_from(blow.at).unwrap() - 1);
        let killer = Killer::knowing(Some(blow), usual.copied().unwrap_or_default());
        world.watch(Some(killer.watch(counting(made))));
        let fired = world.faults_fired();
        let cut = match blow.how {
            How::CutIn => {
                Some(HostFaults { cut_after_stdin: Some(blow.at), ..HostFaults::default() })
            }
            How::CutOut => {
                Some(HostFaults { cut_after_output: Some(blow.at), ..HostFaults::default() })
            }
            _ => None,
        };
        if let Some(kind) = blow.how.fault() {
            world.fault(Fault::first("*", "*", kind).nth(u32::try_from(blow.at).unwrap()));
        }
        if let Some(faults) = cut.clone() {
            cloud.hosts.set_newborn_faults(faults.clone());
            for id in cloud.own_droplets() {
                self.place.world.block_on(cloud.hosts.set_faults(id, faults.clone())).unwrap();
            }
        }
        let ended = self.place.run(cloud, &scenario.options(), Goal::Apply, &killer);
        // What a dead run has started on a host ends long before its lock lapses.
        for id in cloud.own_droplets() {
            self.place.world.block_on(cloud.hosts.settle(id));
        }
        let hit = match (&cut, blow.how.fault()) {
            (Some(_), _) => {
                cloud.hosts.set_newborn_faults(HostFaults::default());
                let mut hit = false;
                for id in cloud.own_droplets() {
                    hit |= cloud.hosts.faults(id) == Some(HostFaults::default());
                    let _ = self
                        .place
                        .world
                        .block_on(cloud.hosts.set_faults(id, HostFaults::default()));
                }
                hit || scenario == Scenario::Destroy
            }
            (_, Some(_)) => world.faults_fired() > fired,
            _ => ended == Ended::Killed,
        };
        world.clear_faults();
        (hit, ended)
    }
}

/// Counts how many droplets are asked for and granted.
pub fn counting(made: &Arc<AtomicU64>) -> impl Fn(&Moment) + Send + Sync + 'static {
    let made = Arc::clone(made);
    move |moment| {
        if moment.stage == Stage::CarriedOut && moment.what == "POST /v2/droplets" {
            made.fetch_add(1, Ordering::SeqCst);
        }
    }
}
