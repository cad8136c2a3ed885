//! SIGKILL to the real program at every moment at which the world hears from it, then once more to the end.
//!
//! A request has two moments (it arrived; it was carried out and not answered), a command on the host one for its start
//! and one for every packet that goes in or comes out. Plain `cargo test` takes every ninth; `IPAI_FULL=1` takes all,
//! and `IPAI_KILL_ONLY=fresh:17` one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crash::place::{Cloud, Place};
use crash::scenario::Scenario;
use crash::truth::{Truth, faults, torn};
use ipai_simulator::{Fate, Moment, Pace, Stage, Watch};

const SCENARIOS: [Scenario; 2] = [Scenario::Fresh, Scenario::Update];

/// How far apart the moments are that a quick run takes.
const STRIDE: usize = 9;

/// Counts moments, and kills the program at one of them.
#[derive(Default)]
struct Hunter {
    at: Option<u64>,
    seen: AtomicU64,
    /// Droplets that were asked for and granted.
    made: AtomicU64,
    moments: Mutex<Vec<String>>,
    /// The program while it runs. Held while it starts, so that no moment comes before it is known.
    prey: Mutex<Option<Child>>,
    killed: Mutex<Option<String>>,
}

impl Hunter {
    fn see(&self, moment: &Moment) {
        if moment.stage == Stage::CarriedOut && moment.what == "POST /v2/droplets" {
            self.made.fetch_add(1, Ordering::SeqCst);
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let name = format!("{} {:?}", moment.what, moment.stage);
        if self.at == Some(number) {
            if let Some(mut child) = self.prey.lock().unwrap().take() {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            *self.killed.lock().unwrap() = Some(name.clone());
        }
        self.moments.lock().unwrap().push(name);
    }

    fn watch(self: &Arc<Self>) -> Watch {
        let own = Arc::clone(self);
        Arc::new(move |moment| {
            own.see(moment);
            Fate::GoOn
        })
    }

    /// Runs the program under watch; nothing when it was killed.
    fn run(&self, mut command: Command) -> Option<ExitStatus> {
        let mut prey = self.prey.lock().unwrap();
        *prey = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        drop(prey);
        loop {
            let mut prey = self.prey.lock().unwrap();
            if let Some(status) = prey.as_mut()?.try_wait().unwrap() {
                *prey = None;
                return Some(status);
            }
            drop(prey);
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

struct Worker {
    place: Place,
    /// For each scenario, its moments and its end.
    measures: Vec<(Vec<String>, Truth)>,
}

impl Worker {
    fn new(number: u8) -> Self {
        let mut worker = Self { place: Place::new(number, Pace::prompt()), measures: Vec::new() };
        for scenario in SCENARIOS {
            let measure = worker.measure(scenario);
            worker.measures.push(measure);
        }
        worker
    }

    fn command(&self, cloud: &Cloud, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipai"));
        command.env_clear().envs(self.place.variables(cloud)).stdin(Stdio::null());
        command.arg("-C").arg(self.place.stack()).args(arguments);
        command
    }

    fn apply(&self, cloud: &Cloud) -> Command {
        self.command(cloud, &["apply", "--auto-approve", "--no-input"])
    }

    fn watch(&self, cloud: &Cloud, hunter: &Arc<Hunter>) {
        cloud.simulator.world().watch(Some(hunter.watch()));
        cloud.hosts.watch(Some(hunter.watch()));
    }

    fn measure(&self, scenario: Scenario) -> (Vec<String>, Truth) {
        self.place.begin(scenario);
        let cloud = self.place.start();
        let hunter = Arc::new(Hunter::default());
        self.watch(&cloud, &hunter);
        let ended = hunter.run(self.apply(&cloud)).map(|status| status.code());
        assert_eq!(ended, Some(Some(0)), "{}", scenario.name());
        let moments = hunter.moments.lock().unwrap().clone();
        let truth = Truth::of(&cloud);
        self.place.stop(cloud);
        if scenario == Scenario::Fresh {
            self.place.keep_applied();
        }
        (moments, truth)
    }

    /// Kills one run at one moment; tells what is wrong after the next, and at what it was killed.
    fn judge(&self, index: usize, at: u64) -> (Option<String>, Vec<String>) {
        let scenario = SCENARIOS[index];
        self.place.begin(scenario);
        let cloud = self.place.start();
        let hunter = Arc::new(Hunter { at: Some(at), ..Hunter::default() });
        self.watch(&cloud, &hunter);
        hunter.run(self.apply(&cloud));
        let mut wrong = torn(&cloud, &self.measures[0].1, &self.measures[index].1);
        let plan = self.command(&cloud, &["plan", "--detailed-exitcode"]);
        // What was killed cannot give its lock back. It would lapse within a minute; nobody has to wait for that.
        self.command(&cloud, &["unlock", "--yes"]).output().unwrap();
        for (what, mut command) in [("apply", self.apply(&cloud)), ("plan", plan)] {
            let output = command.output().unwrap();
            if output.status.code() != Some(0) {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let talk = format!("{}{}", text(&output.stdout), text(&output.stderr));
                wrong.push(format!("the next {what} ended with {}: {talk}", output.status));
            }
        }
        wrong.extend(faults(
            &cloud,
            scenario,
            &self.measures[index].1,
            hunter.made.load(Ordering::SeqCst),
        ));
        self.place.stop(cloud);
        let killed = hunter.killed.lock().unwrap().clone();
        (killed, wrong)
    }
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// Which kills to try.
fn jobs(first: &Worker) -> Vec<(usize, u64)> {
    if let Ok(only) = std::env::var("IPAI_KILL_ONLY") {
        let (name, at) = only.split_once(':').expect("SCENARIO:MOMENT");
        let index = SCENARIOS.iter().position(|s| s.name() == name).expect("fresh or update");
        return vec![(index, at.parse().expect("a number"))];
    }
    let stride = if is_set("IPAI_FULL") { 1 } else { STRIDE };
    let all = |index: usize| {
        (1..=first.measures[index].0.len() as u64).map(move |at| (index, at)).step_by(stride)
    };
    (0..SCENARIOS.len()).flat_map(all).collect()
}

#[test]
fn killed_by_the_system_at_any_moment_the_next_run_converges() {
    let began = Instant::now();
    let first = Worker::new(100);
    let (jobs, next) = (jobs(&first), AtomicUsize::new(0));
    let (failures, hits) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let work = |worker: &Worker| {
        while let Some((index, at)) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
            let (killed, wrong) = worker.judge(*index, *at);
            hits.fetch_add(u64::from(killed.is_some()), Ordering::SeqCst);
            if !wrong.is_empty() {
                let moment = killed.unwrap_or_default();
                let text = format!(
                    "IPAI_KILL_ONLY={}:{at} ({moment}): {}",
                    SCENARIOS[*index].name(),
                    wrong.join("\n  ")
                );
                eprintln!("{text}");
                failures.lock().unwrap().push(text);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(jobs.len());
    std::thread::scope(|scope| {
        for number in 1..threads {
            let work = &work;
            scope.spawn(move || work(&Worker::new(100 + u8::try_from(number).unwrap())));
        }
        work(&first);
    });
    let counts =
        SCENARIOS.iter().zip(&first.measures).map(|(s, m)| format!("{} N={}", s.name(), m.0.len()));
    let failures = failures.into_inner().unwrap();
    println!(
        "kill matrix: {}: {} kills tried, {} hit, {} failures, {:.0} s",
        counts.collect::<Vec<_>>().join(", "),
        jobs.len(),
        hits.into_inner(),
        failures.len(),
        began.elapsed().as_secs_f64()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
