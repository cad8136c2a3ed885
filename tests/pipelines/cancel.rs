//! Cancelling as runners do it: SIGINT, 7.5 s, SIGTERM, 2.5 s, and then the end.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use ipai_simulator::{Fault, FaultKind};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::runner::Job;
use super::scene::{MAIN, Scene};

/// When to cancel, and who hears of it.
pub(crate) struct Cancel<'a> {
    pub(crate) when: &'a dyn Fn() -> bool,
    /// Every process that the step has started, or the shell alone.
    pub(crate) everybody: bool,
}

/// Runs a step to its end; gives its exit code, and how long it took from the first signal if it was cancelled.
pub(crate) fn wait(mut command: Command, cancel: Option<&Cancel<'_>>) -> (i32, Option<Duration>) {
    let mut child = command.process_group(0).spawn().unwrap();
    let Some(cancel) = cancel else { return (code(child.wait().unwrap()), None) };
    let never = Instant::now() + Duration::from_secs(60);
    while !(cancel.when)() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be cancelled");
        assert!(Instant::now() < never, "nothing to cancel");
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    for (signal, patience) in [(Signal::INT, 7_500), (Signal::TERM, 2_500)] {
        send(&child, signal, cancel.everybody);
        if let Some(status) = ended(&mut child, Duration::from_millis(patience)) {
            return (code(status), Some(begun.elapsed()));
        }
    }
    send(&child, Signal::KILL, true);
    (code(child.wait().unwrap()), Some(begun.elapsed()))
}

fn send(child: &Child, signal: Signal, everybody: bool) {
    let id = Pid::from_child(child);
    if everybody { kill_process_group(id, signal) } else { kill_process(id, signal) }.unwrap();
}

fn ended(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// Cancels an apply while the records' batch hangs.
#[track_caller]
fn cancelled(everybody: bool) {
    let Some(scene) = Scene::reviewed() else { return };
    scene.merge(MAIN);
    let hangs = FaultKind::Delay(Duration::from_secs(30));
    let batch = "/zones/{zone_id}/dns_records/batch";
    scene.world.cloud().fault(Fault::first("POST", batch, hangs).times(1_000));
    let when = || scene.world.cloud().faults_fired() > 0;
    let mut job = Job::new(&scene, MAIN, 2);
    job.cancel = Some(Cancel { when: &when, everybody });
    let ended = job.workflow("apply");
    let stopped = ended.stopped.unwrap();
    assert!(stopped < Duration::from_millis(7_500), "before it is told once more: {stopped:?}");
    ended.log.expect(130).says("Stopping: nothing new begins");
    assert_eq!(scene.locks(), 0, "the lock is given back");
    scene.world.cloud().clear_faults();
    Job::new(&scene, MAIN, 3).workflow("apply").log.expect(0).says("Apply complete!");
    assert_eq!(scene.world.record("example.com", "AAAA")["ttl"], 300);
}

#[test]
fn a_cancelled_apply_gives_its_lock_back_in_time_and_the_next_run_completes() {
    cancelled(false);
}

#[test]
fn the_same_when_every_process_of_the_step_is_signalled() {
    cancelled(true);
}
