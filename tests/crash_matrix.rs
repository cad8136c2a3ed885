//! Killed anywhere, run again, converges: every step of four scenarios, hit in every way.
//!
//! Plain `cargo test` hits each changing step once. `IPAI_FULL=1` hits every step in every way, and the fresh apply at
//! pairs of steps: `IPAI_MATRIX_PAIRS` says how many first steps, spread evenly, are followed by every second one (6;
//! `all` takes every one). `IPAI_MATRIX_SHARD=2/4` takes the second quarter of all this.
//! `IPAI_MATRIX_ONLY=fresh:17:sent` repeats one cell, `fresh:17:sent+5:before` one pair.

#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crash::blow::{ANSWERS, Blow, How, KILLS, Killer};
use crash::place::{Cloud, Place};
use crash::run::{Ended, Goal};
use crash::scenario::{ALL, Scenario};
use crash::truth::{Truth, faults, torn};
use ipai_simulator::hosts::HostFaults;
use ipai_simulator::{Fault, Moment, Pace, Stage};

/// One story: a scenario, and a blow to each of its first runs.
#[derive(Clone, Debug)]
struct Cell {
    scenario: Scenario,
    blows: Vec<Blow>,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blows: Vec<String> = self.blows.iter().map(ToString::to_string).collect();
        write!(f, "{}:{}", self.scenario.name(), blows.join("+"))
    }
}

impl Cell {
    fn parse(text: &str) -> Option<Self> {
        let (scenario, blows) = text.split_once(':')?;
        let blows: Option<Vec<Blow>> = blows.split('+').map(Blow::parse).collect();
        Some(Self { scenario: Scenario::parse(scenario)?, blows: blows? })
    }
}

/// What an undisturbed run of a scenario does.
#[derive(Clone, Debug)]
struct Measure {
    /// The steps in their order.
    steps: Vec<String>,
    /// How long each took.
    durations: Vec<Duration>,
    /// Bytes that went into programs on the host.
    stdin: u64,
    truth: Truth,
}

/// A worker: its place, and how each scenario ends there.
struct Worker {
    place: Place,
    measures: Vec<Measure>,
}

/// What came of one cell.
struct Verdict {
    /// How many of its blows hit.
    hits: usize,
    faults: Vec<String>,
    runs: u64,
}

impl Worker {
    fn new(number: u8) -> Self {
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

    fn judge(&self, cell: &Cell) -> Verdict {
        let scenario = cell.scenario;
        self.place.begin(scenario);
        let cloud = self.place.start();
        let made = Arc::new(AtomicU64::new(0));
        let mut verdict = Verdict { hits: 0, faults: Vec::new(), runs: 0 };
        for blow in &cell.blows {
            verdict.runs += 1;
            let (hit, ended) = self.strike(&cloud, scenario, *blow, &made);
            let before = &self.measures[0].truth;
            verdict.faults.extend(torn(&cloud, before, &self.measure_of(scenario).truth));
            if !hit {
                break;
            }
            verdict.hits += 1;
            if let Ended::Failed(why) = ended
                && why.contains("somebody would have to decide")
            {
                verdict.faults.push(why);
            }
        }
        // A run that was not killed may still have failed for what hit it; nothing hits the next.
        for goal in [Goal::Apply, Goal::Plan] {
            verdict.runs += 1;
            let killer = Killer::new(None);
            cloud.simulator.world().watch(Some(killer.watch(counting(&made))));
            match self.place.run(&cloud, &scenario.options(), goal, &killer) {
                Ended::Empty => {}
                Ended::Complete if goal == Goal::Apply => {}
                other => verdict.faults.push(format!("{goal:?} ended so: {other:?}")),
            }
        }
        let wanted = &self.measure_of(scenario).truth;
        verdict.faults.extend(faults(&cloud, scenario, wanted, made.load(Ordering::SeqCst)));
        self.place.stop(cloud);
        verdict
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
fn counting(made: &Arc<AtomicU64>) -> impl Fn(&Moment) + Send + Sync + 'static {
    let made = Arc::clone(made);
    move |moment| {
        if moment.stage == Stage::CarriedOut && moment.what == "POST /v2/droplets" {
            made.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// All cells for these measures. A quick run takes each changing step and every third other one, in one way each.
fn cells(measures: &[Measure], full: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (scenario, measure) in ALL.into_iter().zip(measures) {
        let mut requests = 0;
        for (at, name) in (1..).zip(&measure.steps) {
            requests += u64::from(name.contains(" /"));
            let blows =
                if full { all_blows(name, at, requests) } else { quick_blows(name, at, requests) };
            cells.extend(blows.into_iter().map(|blow| Cell { scenario, blows: vec![blow] }));
        }
        let cuts = if full { 16 } else { 1 };
        for part in 1..=cuts {
            for (at, how) in [
                (measure.stdin * part / (cuts + 1), How::CutIn),
                (4000 * part / (cuts + 1), How::CutOut),
            ] {
                cells.push(Cell { scenario, blows: vec![Blow { at: at + 1, how }] });
            }
        }
    }
    cells
}

/// Everything that can be done to one step. Answers are bent by the number of the request among requests.
fn all_blows(name: &str, at: u64, request: u64) -> Vec<Blow> {
    let mut blows: Vec<Blow> = KILLS.into_iter().map(|how| Blow { at, how }).collect();
    if name.contains(" /") {
        blows.extend(ANSWERS.into_iter().map(|how| Blow { at: request, how }));
    } else {
        blows.extend((0..10).map(|tenths| Blow { at, how: How::Midway(tenths) }));
    }
    blows
}

fn quick_blows(name: &str, at: u64, request: u64) -> Vec<Blow> {
    let turn = usize::try_from(at).unwrap();
    let kill = Blow { at, how: KILLS[turn % 3] };
    match name {
        "push files" => vec![Blow { at, how: How::Midway(u8::try_from(3 + at % 7).unwrap()) }],
        _ if name.starts_with("GET ") && !at.is_multiple_of(6) => Vec::new(),
        _ if name.starts_with("GET ") => {
            vec![Blow { at: request, how: ANSWERS[turn / 6 % ANSWERS.len()] }]
        }
        "POST /v2/droplets" => {
            vec![Blow { at, how: How::Sent }, Blow { at: request, how: How::LostAnswer }]
        }
        // The world did it and nobody here knows: the hardest case for whatever changes something.
        _ if name.contains(" /") => vec![Blow { at, how: How::Sent }],
        _ => vec![kill],
    }
}

/// Everything that the workers share.
struct Matrix {
    jobs: Vec<Job>,
    next: AtomicUsize,
    tally: Mutex<Tally>,
}

enum Job {
    One(Cell),
    /// All pairs that begin with this kill of the fresh apply.
    Pairs(u64),
}

#[derive(Default)]
struct Tally {
    cells: u64,
    hits: u64,
    runs: u64,
    failures: Vec<String>,
}

impl Matrix {
    fn work(&self, worker: &Worker) {
        while let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::SeqCst)) {
            match job {
                Job::One(cell) => drop(self.tell(worker, cell)),
                Job::Pairs(first) => self.pairs(worker, *first),
            }
        }
    }

    /// Kills the fresh apply at `first`, and the run after it at each of its steps.
    fn pairs(&self, worker: &Worker, first: u64) {
        for second in 1.. {
            let how = |at: u64| KILLS[usize::try_from(at % 3).unwrap_or(0)];
            let blows = vec![
                Blow { at: first, how: how(first + second) },
                Blow { at: second, how: how(first + second / 3) },
            ];
            if self.tell(worker, &Cell { scenario: Scenario::Fresh, blows }) < 2 && second > 3 {
                return;
            }
        }
    }

    fn tell(&self, worker: &Worker, cell: &Cell) -> usize {
        let began = Instant::now();
        let verdict = worker.judge(cell);
        let mut tally = self.tally.lock().unwrap();
        tally.cells += 1;
        tally.hits += u64::from(verdict.hits == cell.blows.len());
        tally.runs += verdict.runs;
        if std::env::var_os("IPAI_MATRIX_SHOW").is_some() {
            eprintln!("{cell} {} hits {:?}", verdict.hits, began.elapsed());
        }
        if !verdict.faults.is_empty() {
            let steps = &worker.measure_of(cell.scenario).steps;
            let (at, how) = (usize::try_from(cell.blows[0].at).unwrap(), cell.blows[0].how);
            let counted = |name: &&String| how.fault().is_none() || name.contains(" /");
            let name = steps.iter().filter(counted).nth(at.saturating_sub(1));
            let text = format!(
                "IPAI_MATRIX_ONLY={cell} ({}): {}",
                name.map_or("", String::as_str),
                verdict.faults.join("\n  ")
            );
            eprintln!("{text}");
            tally.failures.push(text);
        }
        verdict.hits
    }
}

/// The steps of the fresh apply after which a second kill is tried at every step.
fn first_kills(steps: usize) -> Vec<u64> {
    let wanted = match std::env::var("IPAI_MATRIX_PAIRS").as_deref() {
        Ok("all") => steps,
        Ok(number) => number.parse().expect("a number or `all`"),
        Err(_) => 6,
    };
    (0..wanted.min(steps)).map(|part| (part * steps / wanted + 1) as u64).collect()
}

/// This process's part of the work.
fn shard(jobs: Vec<Job>) -> Vec<Job> {
    let Ok(text) = std::env::var("IPAI_MATRIX_SHARD") else { return jobs };
    let (number, of) = text.split_once('/').expect("NUMBER/OF");
    let (number, of): (usize, usize) = (number.parse().unwrap(), of.parse().unwrap());
    let own = |(at, job)| (at % of == number % of).then_some(job);
    jobs.into_iter().enumerate().filter_map(own).collect()
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

#[test]
fn killed_or_cheated_at_any_step_the_next_run_converges() {
    let (began, full) = (Instant::now(), is_set("IPAI_FULL"));
    let first = Worker::new(0);
    let only = std::env::var("IPAI_MATRIX_ONLY")
        .ok()
        .map(|text| Cell::parse(&text).expect("SCENARIO:STEP:HOW"));
    let mut jobs: Vec<Job> = match &only {
        Some(cell) => vec![Job::One(cell.clone())],
        None => cells(&first.measures, full).into_iter().map(Job::One).collect(),
    };
    if full && only.is_none() {
        jobs.extend(first_kills(first.measures[0].steps.len()).into_iter().map(Job::Pairs));
    }
    let jobs = shard(jobs);
    let matrix = Matrix { jobs, next: AtomicUsize::new(0), tally: Mutex::default() };
    // Runs wait as often as they work.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = if only.is_some() { 1 } else { cores + cores / 2 };
    std::thread::scope(|scope| {
        for number in 1..threads {
            let matrix = &matrix;
            scope.spawn(move || matrix.work(&Worker::new(u8::try_from(number).unwrap())));
        }
        matrix.work(&first);
    });
    let counts: Vec<String> = ALL
        .iter()
        .zip(&first.measures)
        .map(|(s, m)| format!("{} N={}", s.name(), m.steps.len()))
        .collect();
    let tally = matrix.tally.into_inner().unwrap();
    println!(
        "matrix: {}: {} cells ({} hit), {} runs, {} failures, {:.0} s",
        counts.join(", "),
        tally.cells,
        tally.hits,
        tally.runs,
        tally.failures.len(),
        began.elapsed().as_secs_f64()
    );
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n"));
}

#[test]
fn a_droplet_that_lists_show_late_is_asked_for_once() {
    let place = Place::new(90, Pace { list_lag: 5, get_lag: 2, tag_lag: 3, ..Pace::prompt() });
    let run = |cloud: &Cloud, goal, killer: &Arc<Killer>, made: &Arc<AtomicU64>| {
        cloud.simulator.world().watch(Some(killer.watch(counting(made))));
        place.run(cloud, &Scenario::Fresh.options(), goal, killer)
    };
    let made = Arc::new(AtomicU64::new(0));
    place.begin(Scenario::Fresh);
    let cloud = place.start();
    let killer = Killer::new(None);
    assert_eq!(run(&cloud, Goal::Apply, &killer, &made), Ended::Complete);
    place.stop(cloud);
    let at = killer.names().iter().position(|name| name == "POST /v2/droplets").unwrap() as u64 + 1;
    for how in KILLS {
        let made = Arc::new(AtomicU64::new(0));
        place.begin(Scenario::Fresh);
        let cloud = place.start();
        let killer = Killer::new(Some(Blow { at, how }));
        assert_eq!(run(&cloud, Goal::Apply, &killer, &made), Ended::Killed, "{how:?}");
        assert_eq!(run(&cloud, Goal::Apply, &Killer::new(None), &made), Ended::Complete, "{how:?}");
        assert_eq!(made.load(Ordering::SeqCst), 1, "{how:?}");
        assert_eq!(cloud.own_droplets().len(), 1, "{how:?}");
        place.stop(cloud);
    }
}
