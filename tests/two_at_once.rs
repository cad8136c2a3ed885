//! Two applies at once, in process: a thousand interleavings of their steps, and in each the world is as if one had run.
//!
//! Plain `cargo test` takes sixty, `IPAI_FULL=1` all. `IPAI_SEED=N` throws other dice. Two real processes meet in
//! `locking.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;
mod gate;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crash::place::{Cloud, Place, ZONE, is_foreign_record};
use crash::run::{Ended, Goal};
use crash::scenario::Scenario;
use gate::Dice;
use ipai_core::{BoxFuture, Phase, Step, Steps, Witness};
use ipai_simulator::{Fate, Moment, Pace, Stage};
use tokio::sync::Notify;

const SEED: u64 = 20_260_901;

/// How long one run waits at most for the other to take its steps; it may have none to take.
const PATIENCE: Duration = Duration::from_millis(8);

/// The same before it begins: the other may have come to its end by then.
const HEAD_START: Duration = Duration::from_millis(200);

/// Where two runs take turns as the dice fall.
struct Table {
    dice: Mutex<Dice>,
    /// How many steps' beginnings and ends each has passed.
    passed: [AtomicU64; 2],
    over: [AtomicBool; 2],
    moved: Notify,
    /// Who passed what, in the order in which it happened.
    order: Mutex<DefaultHasher>,
}

impl Table {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            dice: Mutex::new(Dice(seed)),
            passed: Default::default(),
            over: Default::default(),
            moved: Notify::new(),
            order: Mutex::default(),
        })
    }

    /// Lets the other run go ahead by less than `most` steps, as the dice say.
    async fn wait(&self, run: usize, most: u64, patience: Duration) {
        let other = 1 - run;
        let ahead = {
            let mut dice = self.dice.lock().unwrap();
            if dice.roll(2) == 0 { 0 } else { 1 + dice.roll(most) }
        };
        let goal = self.passed[other].load(Ordering::SeqCst) + ahead;
        let waiting = async {
            loop {
                let moved = self.moved.notified();
                let there = self.passed[other].load(Ordering::SeqCst) >= goal;
                if there || self.over[other].load(Ordering::SeqCst) {
                    return;
                }
                moved.await;
            }
        };
        let _ = tokio::time::timeout(patience, waiting).await;
    }

    fn pass(&self, run: usize, step: &Step) {
        (run, &step.name, step.phase == Phase::Before).hash(&mut *self.order.lock().unwrap());
        self.passed[run].fetch_add(1, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    fn end(&self, run: usize) {
        self.over[run].store(true, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

struct Seat {
    table: Arc<Table>,
    run: usize,
}

impl Steps for Seat {
    fn reach(&self, step: Step) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if step.phase != Phase::Sent {
                self.table.wait(self.run, 8, PATIENCE).await;
                self.table.pass(self.run, &step);
            }
        })
    }
}

/// A world with a stack of three records.
struct Meeting {
    place: Place,
    cloud: Cloud,
    batches: Arc<AtomicU64>,
}

impl Meeting {
    fn new(number: u8) -> Self {
        let place = Place::new(number, Pace::prompt());
        place.begin(Scenario::Fresh);
        let mut text = "[stack]\nname = \"matrix\"\n".to_owned();
        for name in ["a", "b", "c"] {
            text += &format!(
                "[cloudflare.dns_record.{name}]\nzone = \"{ZONE}\"\nname = \"{name}\"\ntype = \"A\"\ncontent = \"203.0.113.7\"\n"
            );
        }
        std::fs::write(place.stack().join("stack.toml"), text).unwrap();
        let cloud = place.start();
        let batches: Arc<AtomicU64> = Arc::default();
        let counter = Arc::clone(&batches);
        cloud.simulator.world().watch(Some(Arc::new(move |moment: &Moment| {
            if moment.stage == Stage::CarriedOut && moment.what.ends_with("/dns_records/batch") {
                counter.fetch_add(1, Ordering::SeqCst);
            }
            Fate::GoOn
        })));
        Self { place, cloud, batches }
    }

    /// The stack's records, and whatever else says that it is ipai's.
    fn ours(&self) -> Vec<(String, String)> {
        let mut records = self.cloud.simulator.world().records(ZONE);
        records.retain(|r| {
            !is_foreign_record(r) || r["name"].as_str().unwrap().contains("_ipai-lock")
        });
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        records.iter().map(|record| (text(&record["id"]), text(&record["name"]))).collect()
    }

    /// One round; tells what is wrong, how the two ended, and in which order their steps came.
    fn round(&self, seed: u64) -> (Vec<String>, [Ended; 2], u64) {
        for (id, _) in self.ours() {
            self.cloud.simulator.world().delete_record(ZONE, &id).unwrap();
        }
        self.batches.store(0, Ordering::SeqCst);
        let table = Table::new(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = Scenario::Fresh.options();
        let one = async |run: usize| {
            let seat = Seat { table: Arc::clone(&table), run };
            let edges = self.place.edges(&self.cloud, Witness::new(Arc::new(seat)), false);
            if run == 1 {
                table.wait(run, 24, HEAD_START).await;
            }
            let ended = self.place.go(edges, &options, Goal::Apply).await;
            table.end(run);
            ended
        };
        let (first, second) = runtime.block_on(async { tokio::join!(one(0), one(1)) });
        let ended = [first, second];
        let mut wrong = Vec::new();
        let winners = ended.iter().filter(|e| **e == Ended::Complete).count();
        let idle = ended.iter().filter(|e| matches!(e, Ended::Locked | Ended::Empty)).count();
        if (winners, idle) != (1, 1) {
            wrong.push(format!("they ended so: {ended:?}"));
        }
        let sent = self.batches.load(Ordering::SeqCst);
        if sent != 1 {
            wrong.push(format!("{sent} batches were sent"));
        }
        let mut names: Vec<String> = self.ours().into_iter().map(|(_, name)| name).collect();
        names.sort();
        if names != ["a", "b", "c"].map(|name| format!("{name}.{ZONE}")) {
            wrong.push(format!("there is: {names:?}"));
        }
        (wrong, ended, table.order.lock().unwrap().finish())
    }
}

#[derive(Default)]
struct Tally {
    orders: BTreeSet<u64>,
    refused: u64,
    failures: Vec<String>,
}

#[test]
fn however_two_applies_interleave_one_works_and_the_world_is_as_if_one_had_run() {
    let began = Instant::now();
    let seed = std::env::var("IPAI_SEED").ok().and_then(|t| t.parse().ok()).unwrap_or(SEED);
    let rounds: u64 = if gate::is_full() { 1_000 } else { 60 };
    let (tally, next) = (Mutex::new(Tally::default()), AtomicU64::new(0));
    let work = |number: u8| {
        let stage = Meeting::new(number);
        loop {
            let round = next.fetch_add(1, Ordering::SeqCst);
            if round >= rounds {
                return stage.place.stop(stage.cloud);
            }
            let (wrong, ended, order) = stage.round(seed.wrapping_add(round));
            let mut tally = tally.lock().unwrap();
            tally.orders.insert(order);
            tally.refused += u64::from(ended.contains(&Ended::Locked));
            if !wrong.is_empty() {
                let text = format!("IPAI_SEED={}: {}", seed + round, wrong.join("; "));
                eprintln!("{text}");
                tally.failures.push(text);
            }
        }
    };
    std::thread::scope(|scope| {
        for number in [181, 182, 183] {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
    let Tally { orders, refused, failures } = tally.into_inner().unwrap();
    let found = format!(
        "two applies in one process: IPAI_SEED={seed}, N={rounds}, {} different orders, the other refused {refused} times and found nothing to do {} times",
        orders.len(),
        rounds - refused
    );
    gate::print(6, &found, failures.len(), began);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
