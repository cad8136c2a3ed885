//! Signals to the real program at every moment at which the world hears from it, then once more to the end.
//!
//! A request has two moments (it arrived; it was carried out and not answered), a command on the host one for its start
//! and one for every packet that goes in or comes out. Plain `cargo test` takes every thirteenth; `IPAI_FULL=1` takes
//! all, `IPAI_MATRIX_SHARD=0/4` a quarter of what it would, and `IPAI_KILL_ONLY=fresh:17` one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;
mod gate;

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crash::place::{Cloud, Place, ZONE};
use crash::scenario::{ALL, Scenario};
use crash::truth::{Truth, faults, torn};
use ipai_simulator::{Fate, Moment, Pace, Stage, Watch};
use rustix::process::{Pid, Signal, kill_process};

/// How far apart the moments are that a quick run takes.
const STRIDE: usize = 13;

/// How long a run may go on after its first interrupt.
const LONGEST_STOP: Duration = Duration::from_secs(7);

/// How many changes may arrive after an interrupt: each vendor may have had one on its way already.
const UNDER_WAY: usize = 2;

/// How many changes an undisturbed run has before it so that an interrupted one cannot have been at its end.
const FAR_FROM_OVER: usize = 10;

/// Counts moments, and sends the program a signal at one of them.
struct Hunter {
    at: Option<u64>,
    signal: Signal,
    seen: AtomicU64,
    /// Droplets that were asked for and granted.
    made: AtomicU64,
    moments: Mutex<Vec<String>>,
    /// The program while it runs. Held while it starts, so that no moment comes before it is known.
    prey: Mutex<Option<Child>>,
    /// At what it was hit, and when.
    hit: Mutex<Option<(String, Instant)>>,
}

impl Hunter {
    fn new(at: Option<u64>, signal: Signal) -> Arc<Self> {
        let (seen, made) = Default::default();
        let (moments, prey, hit) = Default::default();
        Arc::new(Self { at, signal, seen, made, moments, prey, hit })
    }

    fn see(&self, moment: &Moment) {
        if moment.stage == Stage::CarriedOut && moment.what == "POST /v2/droplets" {
            self.made.fetch_add(1, Ordering::SeqCst);
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let name = format!("{} {:?}", moment.what, moment.stage);
        if self.at == Some(number) {
            *self.hit.lock().unwrap() = Some((name.clone(), Instant::now()));
            self.strike();
        }
        self.moments.lock().unwrap().push(name);
    }

    fn strike(&self) {
        let mut prey = self.prey.lock().unwrap();
        let Some(child) = prey.as_mut() else { return };
        kill_process(Pid::from_child(child), self.signal).unwrap();
        if self.signal == Signal::KILL {
            // Nothing of it may be heard of any more when the world goes on.
            child.wait().unwrap();
        }
    }

    fn watch(self: &Arc<Self>) -> Watch {
        let own = Arc::clone(self);
        Arc::new(move |moment| {
            own.see(moment);
            Fate::GoOn
        })
    }

    /// Runs the program under watch.
    fn run(&self, mut command: Command) -> ExitStatus {
        let mut prey = self.prey.lock().unwrap();
        *prey = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        drop(prey);
        loop {
            let mut prey = self.prey.lock().unwrap();
            if let Some(status) = prey.as_mut().and_then(|child| child.try_wait().unwrap()) {
                *prey = None;
                return status;
            }
            drop(prey);
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

/// Tells whether this moment is the beginning of a change. The lock's own come one record at a time, and tags write down
/// what was done.
fn is_change(moment: &str) -> bool {
    let is_lock = moment.contains("/dns_records") && !moment.contains("/dns_records/batch");
    let aside = is_lock || moment.contains("/v2/tags");
    moment.ends_with(" Input")
        || moment.ends_with(" Arrived") && !moment.starts_with("GET ") && !aside
}

/// What an undisturbed run does.
struct Measure {
    moments: Vec<String>,
    truth: Truth,
}

impl Measure {
    /// How many changes come after this moment.
    fn changes_after(&self, at: u64) -> usize {
        let rest = self.moments.iter().skip(usize::try_from(at).unwrap());
        rest.filter(|moment| is_change(moment)).count()
    }
}

struct Worker {
    place: Place,
    measures: Vec<Measure>,
}

/// One signal at one moment.
#[derive(Clone, Copy)]
struct Job {
    scenario: Scenario,
    at: u64,
    signal: Signal,
}

/// What came of it.
struct Verdict {
    /// At what it was hit.
    hit: Option<String>,
    /// How long it went on.
    stopped: Duration,
    wrong: Vec<String>,
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

    fn command(&self, cloud: &Cloud, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipai"));
        command.env_clear().envs(self.place.variables(cloud)).stdin(Stdio::null());
        command.arg("-C").arg(self.place.stack()).args(arguments);
        command
    }

    /// The command that brings the scenario about.
    fn apply(&self, cloud: &Cloud, scenario: Scenario) -> Command {
        let verb = if scenario == Scenario::Destroy { "destroy" } else { "apply" };
        let mut command = self.command(cloud, &[verb, "--auto-approve", "--no-input"]);
        if !matches!(scenario, Scenario::Fresh | Scenario::Update) {
            command.args(["--allow-data-loss", "digitalocean.droplet.web"]);
        }
        command
    }

    /// The command that finds nothing to do once it is brought about.
    fn look(&self, cloud: &Cloud, scenario: Scenario) -> Command {
        match scenario {
            Scenario::Destroy => {
                self.command(cloud, &["destroy", "--auto-approve", "--detailed-exitcode"])
            }
            _ => self.command(cloud, &["plan", "--detailed-exitcode"]),
        }
    }

    fn watch(cloud: &Cloud, hunter: &Arc<Hunter>) {
        cloud.simulator.world().watch(Some(hunter.watch()));
        cloud.hosts.watch(Some(hunter.watch()));
    }

    fn measure(&self, scenario: Scenario) -> Measure {
        self.place.begin(scenario);
        let cloud = self.place.start();
        let hunter = Hunter::new(None, Signal::KILL);
        Self::watch(&cloud, &hunter);
        let ended = hunter.run(self.apply(&cloud, scenario));
        assert_eq!(ended.code(), Some(0), "{}", scenario.name());
        let moments = hunter.moments.lock().unwrap().clone();
        let truth = Truth::of(&cloud);
        self.place.stop(cloud);
        if scenario == Scenario::Fresh {
            self.place.keep_applied();
        }
        Measure { moments, truth }
    }

    fn measure_of(&self, scenario: Scenario) -> &Measure {
        &self.measures[ALL.iter().position(|s| *s == scenario).unwrap()]
    }

    /// Sends one run a signal at one moment; tells what is wrong then, and after the next run.
    fn judge(&self, job: Job) -> Verdict {
        let Job { scenario, at, signal } = job;
        self.place.begin(scenario);
        let cloud = self.place.start();
        let hunter = Hunter::new(Some(at), signal);
        Self::watch(&cloud, &hunter);
        let status = hunter.run(self.apply(&cloud, scenario));
        let hit = hunter.hit.lock().unwrap().clone();
        let stopped = hit.as_ref().map(|(_, when)| when.elapsed()).unwrap_or_default();
        // What a dead run has started on a host ends long before its lock lapses.
        for id in cloud.own_droplets() {
            self.place.world.block_on(cloud.hosts.settle(id));
        }
        let wanted = &self.measure_of(scenario).truth;
        let mut wrong = torn(&cloud, &self.measures[0].truth, wanted);
        if signal == Signal::KILL {
            // What was killed cannot give its lock back. It would lapse within a minute; nobody has to wait for that.
            self.command(&cloud, &["unlock", "--yes"]).output().unwrap();
        } else if hit.is_some() {
            wrong.extend(ill_mannered(&cloud, job, status, stopped));
            let moments = hunter.moments.lock().unwrap();
            let after = moments.iter().skip(usize::try_from(at).unwrap());
            let begun: Vec<&String> =
                after.filter(|m| is_change(m) && !m.ends_with(" Input")).collect();
            if begun.len() > UNDER_WAY {
                wrong.push(format!("after its interrupt it began {begun:?}"));
            }
            let left = self.measure_of(scenario).changes_after(at);
            if status.code() == Some(0) && left > FAR_FROM_OVER {
                wrong.push(format!("it said that all was done, and {left} changes were left"));
            }
        }
        for mut command in [self.apply(&cloud, scenario), self.look(&cloud, scenario)] {
            let output = command.output().unwrap();
            if output.status.code() != Some(0) {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let talk = format!("{}{}", text(&output.stdout), text(&output.stderr));
                wrong.push(format!("{command:?} ended with {}: {talk}", output.status));
            }
        }
        wrong.extend(faults(&cloud, scenario, wanted, hunter.made.load(Ordering::SeqCst)));
        self.place.stop(cloud);
        Verdict { hit: hit.map(|(name, _)| name), stopped, wrong }
    }
}

/// What an interrupted run did that it must not.
fn ill_mannered(cloud: &Cloud, job: Job, status: ExitStatus, stopped: Duration) -> Option<String> {
    let code = if job.signal == Signal::INT { 130 } else { 143 };
    // One that came after everything was done finds nothing to stop.
    if !matches!(status.code(), Some(0)) && status.code() != Some(code) {
        return Some(format!("it ended with {status}"));
    }
    if stopped > LONGEST_STOP {
        return Some(format!("it went on for {stopped:?}"));
    }
    let records = cloud.simulator.world().records(ZONE);
    let locked =
        records.iter().any(|r| r["name"].as_str().is_some_and(|n| n.contains("_ipai-lock")));
    locked.then(|| "it kept the lock".to_owned())
}

/// Which signals to send when.
fn jobs(first: &Worker, signals: &[Signal]) -> Vec<Job> {
    let signal = |at: u64| signals[usize::try_from(at).unwrap() % signals.len()];
    if let Ok(only) = std::env::var("IPAI_KILL_ONLY") {
        let (name, at) = only.split_once(':').expect("SCENARIO:MOMENT");
        let scenario = Scenario::parse(name).expect("a scenario");
        let at = at.parse().expect("a number");
        return vec![Job { scenario, at, signal: signal(at) }];
    }
    let stride = if gate::is_full() { 1 } else { STRIDE };
    let all = |(scenario, measure): (&Scenario, &Measure)| {
        let scenario = *scenario;
        let job = move |at| Job { scenario, at, signal: signal(at) };
        (1..=measure.moments.len() as u64).map(job).step_by(stride).collect::<Vec<_>>()
    };
    gate::shard(ALL.iter().zip(&first.measures).flat_map(all).collect(), signals.len())
}

/// Sends each signal in turn, and prints the figures of this gate.
fn run(number: u8, what: &str, base: u8, signals: &[Signal]) {
    let began = Instant::now();
    let first = Worker::new(base);
    let (jobs, next) = (jobs(&first, signals), AtomicUsize::new(0));
    let (failures, hits) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let longest = Mutex::new(Duration::ZERO);
    let work = |worker: &Worker| {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
            let Verdict { hit, stopped, wrong } = worker.judge(*job);
            hits.fetch_add(u64::from(hit.is_some()), Ordering::SeqCst);
            let mut longest = longest.lock().unwrap();
            *longest = stopped.max(*longest);
            if !wrong.is_empty() {
                let (name, at, moment) = (job.scenario.name(), job.at, hit.unwrap_or_default());
                let text = format!(
                    "IPAI_KILL_ONLY={name}:{at} ({moment}, {:?}): {}",
                    job.signal,
                    wrong.join("\n  ")
                );
                eprintln!("{text}");
                failures.lock().unwrap().push(text);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for number in 1..(cores + cores / 2).min(jobs.len()) {
            let work = &work;
            scope.spawn(move || work(&Worker::new(base + u8::try_from(number).unwrap())));
        }
        work(&first);
    });
    let counts =
        ALL.iter().zip(&first.measures).map(|(s, m)| format!("{} {}", s.name(), m.moments.len()));
    let failures = failures.into_inner().unwrap();
    let found = format!(
        "{what}: moments: {}; N={} ({} hit), at most {:.1} s from signal to end",
        counts.collect::<Vec<_>>().join(", "),
        jobs.len(),
        hits.into_inner(),
        longest.into_inner().unwrap().as_secs_f64()
    );
    gate::print(number, &found, failures.len(), began);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn killed_by_the_system_at_any_moment_the_next_run_converges() {
    run(1, "SIGKILL to the program", 100, &[Signal::KILL]);
}

#[test]
fn interrupted_at_any_moment_it_ends_in_time_without_its_lock_and_the_next_run_converges() {
    run(5, "SIGINT and SIGTERM to the program", 140, &[Signal::INT, Signal::TERM]);
}
