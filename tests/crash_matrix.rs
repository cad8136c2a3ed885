//! Killed anywhere, run again, converges: every step of four scenarios, hit in every way, and every pair of kills.
//!
//! Plain `cargo test` hits each changing step of the fresh apply once. `IPAI_FULL=1` hits every step in every way
//! (gate 1), and the fresh apply at all ordered pairs of steps (gate 2; `IPAI_MATRIX_PAIRS=6` takes six first steps,
//! spread evenly). `IPAI_MATRIX_SHARD=2/4` takes the second quarter of it.
//! `IPAI_MATRIX_ONLY=fresh:17:sent` repeats one cell, `fresh:17:sent+5:before` one pair. `IPAI_MATRIX_TOOL` names the
//! executable that the simulated hosts' tools are links to, instead of the program itself: a smaller one starts sooner.

#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;
mod gate;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crash::blow::{ANSWERS, Blow, How, KILLS, Killer};
use crash::place::{Cloud, Place};
use crash::run::{Ended, Goal};
use crash::scenario::{ALL, Scenario};
use crash::worker::{Cell, Measure, Verdict, Worker, counting};
use ipai_simulator::Pace;

/// All cells for these measures. A quick run takes each changing step once.
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
        let cuts = if full { 8 } else { 1 };
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
        // One that only looks is as good as over once it has begun; files can be torn at any time.
        let tenths: &[u8] = match name {
            "push files" => &[0, 2, 4, 6, 8],
            _ if name.starts_with("look") || name.starts_with("see") => &[],
            _ => &[0, 5],
        };
        blows.extend(tenths.iter().map(|tenths| Blow { at, how: How::Midway(*tenths) }));
    }
    blows
}

fn quick_blows(name: &str, at: u64, request: u64) -> Vec<Blow> {
    let turn = usize::try_from(at).unwrap();
    match name {
        "push files" => vec![Blow { at, how: How::Midway(u8::try_from(3 + at % 7).unwrap()) }],
        _ if name.starts_with("GET ") && at.is_multiple_of(9) => {
            vec![Blow { at: request, how: ANSWERS[turn / 9 % ANSWERS.len()] }]
        }
        _ if name.starts_with("GET ") => Vec::new(),
        "POST /v2/droplets" => {
            vec![Blow { at, how: How::Sent }, Blow { at: request, how: How::LostAnswer }]
        }
        // The world did it and nobody here knows: the hardest case for whatever changes something.
        _ if name.contains(" /") && at.is_multiple_of(2) => vec![Blow { at, how: How::Sent }],
        _ if at.is_multiple_of(3) => vec![Blow { at, how: KILLS[turn % 3] }],
        _ => Vec::new(),
    }
}

/// What there is to do, and what came of it.
#[derive(Default)]
struct Matrix {
    jobs: Vec<Job>,
    next: AtomicUsize,
    tally: Mutex<Tally>,
}

enum Job {
    One(Cell),
    /// All pairs that begin with this kill of the fresh apply.
    Pairs(Blow),
}

#[derive(Default)]
struct Tally {
    cells: u64,
    hits: u64,
    sum: Verdict,
    failures: Vec<String>,
}

impl Matrix {
    fn work(&self, worker: &Worker) {
        while let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::SeqCst)) {
            match job {
                Job::One(cell) => {
                    let verdict = worker.judge(cell);
                    let hit = verdict.hits == cell.blows.len();
                    self.tell(cell, verdict, hit);
                }
                Job::Pairs(first) => worker.pairs(*first, |cell, verdict| {
                    let hit = verdict.hits == 1;
                    self.tell(cell, verdict, hit);
                }),
            }
        }
    }

    fn tell(&self, cell: &Cell, verdict: Verdict, hit: bool) {
        let mut tally = self.tally.lock().unwrap();
        tally.cells += 1;
        tally.hits += u64::from(hit);
        tally.sum.runs += verdict.runs;
        tally.sum.empty += verdict.empty;
        tally.sum.lapsed += verdict.lapsed;
        if gate::is_set("IPAI_MATRIX_SHOW") {
            eprintln!("{cell} {hit}");
        }
        if !verdict.faults.is_empty() {
            let text = format!("IPAI_MATRIX_ONLY={cell}: {}", verdict.faults.join("\n  "));
            eprintln!("{text}");
            tally.failures.push(text);
        }
    }

    /// Does all of it and prints the figures of this gate.
    fn run(mut self, number: u8, first: &Worker, base: u8) {
        let began = Instant::now();
        self.jobs = gate::shard(std::mem::take(&mut self.jobs), 1);
        // Runs wait as often as they work.
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for worker in 1..(cores + cores / 2).min(self.jobs.len()) {
                let matrix = &self;
                let worker = base + u8::try_from(worker).unwrap();
                scope.spawn(move || matrix.work(&Worker::new(worker)));
            }
            self.work(first);
        });
        let steps =
            ALL.iter().zip(&first.measures).map(|(s, m)| format!("{} {}", s.name(), m.steps.len()));
        let Tally { cells, hits, sum, failures } = self.tally.into_inner().unwrap();
        let found = format!(
            "steps: {}; N={cells} ({hits} hit), {} runs, {} empty plans after an apply, {} lapsed locks taken over",
            steps.collect::<Vec<_>>().join(", "),
            sum.runs,
            sum.empty,
            sum.lapsed
        );
        gate::print(number, &found, failures.len(), began);
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

/// The steps of the fresh apply after which a second kill is tried at every step.
fn first_kills(steps: usize) -> Vec<Blow> {
    let wanted = match std::env::var("IPAI_MATRIX_PAIRS").as_deref() {
        Ok("all") | Err(_) => steps,
        Ok(number) => number.parse().expect("a number or `all`"),
    };
    let at = (0..wanted.min(steps)).map(|part| (part * steps / wanted + 1) as u64);
    at.map(|at| Blow { at, how: KILLS[usize::try_from(at % 3).unwrap()] }).collect()
}

#[test]
fn killed_or_cheated_at_any_step_the_next_run_converges() {
    let first = Worker::new(0);
    let jobs = match std::env::var("IPAI_MATRIX_ONLY") {
        Ok(text) => vec![Job::One(Cell::parse(&text).expect("SCENARIO:STEP:HOW"))],
        Err(_) => cells(&first.measures, gate::is_full()).into_iter().map(Job::One).collect(),
    };
    Matrix { jobs, ..Matrix::default() }.run(1, &first, 0);
}

#[test]
fn killed_twice_in_a_row_the_third_run_converges() {
    if !gate::is_full() || gate::is_set("IPAI_MATRIX_ONLY") {
        return;
    }
    let first = Worker::new(40);
    let jobs = first_kills(first.measures[0].steps.len()).into_iter().map(Job::Pairs).collect();
    Matrix { jobs, ..Matrix::default() }.run(2, &first, 40);
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
        cloud.outlast_lock();
        assert_eq!(run(&cloud, Goal::Apply, &Killer::new(None), &made), Ended::Complete, "{how:?}");
        assert_eq!(made.load(Ordering::SeqCst), 1, "{how:?}");
        assert_eq!(cloud.own_droplets().len(), 1, "{how:?}");
        place.stop(cloud);
    }
}
