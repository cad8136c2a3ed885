//! The exit code, with `--detailed-exitcode` and without, and the `exit_code` in JSON: one and the same, for every way in
//! which a command can end.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Stdio;
use std::time::Duration;

use common::World;
use ipai_simulator::tools::ToolFaults;
use ipai_simulator::{Fault, FaultKind};
use rustix::process::Signal;
use serde_json::Value;

/// Runs a command that prints JSON, and demands that its code is the one that it tells last.
#[track_caller]
fn codes(world: &World, arguments: &[&str], plain: i32, detailed: i32) {
    for (flag, code) in [(None, plain), (Some("--detailed-exitcode"), detailed)] {
        let mut command = world.command(arguments);
        command.arg("--json").args(flag);
        let ran: common::Ran = command.output().unwrap().into();
        let ran = ran.expect(code);
        assert_eq!(told(&ran.out), code, "{arguments:?} {flag:?}\n{}", ran.out);
    }
}

/// The exit code that a document tells, or the last line of a stream.
#[track_caller]
fn told(out: &str) -> i32 {
    let last = || out.lines().last().map(serde_json::from_str::<Value>);
    let document = serde_json::from_str(out).ok().or_else(|| last()?.ok());
    let code = document.as_ref().and_then(|document| document["exit_code"].as_i64());
    code.unwrap_or_else(|| panic!("no exit code in {out}")).try_into().unwrap()
}

const APPLY: &[&str] = &["apply", "--auto-approve"];

#[test]
fn what_is_pending_done_or_neither() {
    let world = World::new();
    codes(&world, &["plan"], 0, 2);
    codes(&world, APPLY, 0, 0);
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"bye\"");
    world.run(&["apply", "-y", "--json", "--detailed-exitcode"]).expect(2).says("\"exit_code\":2");
    codes(&world, &["plan"], 0, 0);
    codes(&world, APPLY, 0, 0);
    let file = world.scratch.path().join("plan");
    let file = file.to_str().unwrap();
    world.edit("stack.toml", "greeting = \"bye\"", "greeting = \"again\"");
    world.run(&["plan", "--out", file]).expect(0);
    assert_eq!(told(&world.run(&["show", "--json", file]).expect(0).out), 0);
    world.edit("stack.toml", "greeting = \"again\"", "greeting = \"more\"");
    codes(&world, &["apply", file], 1, 4);
}

#[test]
fn what_cannot_be_saved_is_an_error_and_no_plan_says_otherwise() {
    let world = World::new();
    let nowhere = world.scratch.path().join("no/where.plan");
    let ran = world.run(&["plan", "--json", "--out", nowhere.to_str().unwrap()]).expect(1);
    assert_eq!(told(&ran.out), 1, "a plan that was not saved tells of another end");
    ran.keeps_quiet_about("resource_changes");
}

#[test]
fn a_guard_and_what_stands_in_the_way() {
    let world = World::new();
    world.apply();
    codes(&world, &["destroy", "--auto-approve"], 1, 5);
    world.run(&["apply", "-y", "--replace", "digitalocean.droplet.web", "--json"]).expect(1);
    codes(&world, &["apply", "-y", "--replace", "digitalocean.droplet.web"], 1, 5);
    world.run(&["forget", "cloudflare.dns_record.spf", "-y"]).expect(0);
    codes(&world, &["plan"], 1, 5);
    codes(&world, APPLY, 1, 5);
}

#[test]
fn a_failure_and_a_return() {
    let world = World::new();
    let answer = FaultKind::Respond { status: 422, headers: Vec::new(), body: "{}".into() };
    world.cloud().fault(Fault::first("POST", "/v2/droplets", answer).times(2));
    codes(&world, APPLY, 1, 1);
    world.edit("stack.toml", "timeout = \"1m\"", "timeout = \"6s\"");
    world.apply();
    world.edit("compose.yaml", "app:1.0.0", "app:1.1.0");
    let failing = vec!["registry.example.com/app:1.1.0".to_owned()];
    ToolFaults { failing, ..ToolFaults::default() }.save(world.host().base()).unwrap();
    codes(&world, APPLY, 1, 6);
}

/// An apply that is under way and holds the lock: its droplet takes a while to be answered.
fn under_way(world: &World) -> std::process::Child {
    let delay = FaultKind::Delay(Duration::from_secs(8));
    world.cloud().fault(Fault::first("POST", "/v2/droplets", delay));
    let mut first = world.command(&["apply", "--auto-approve", "--json"]);
    let first = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut tries = 0..200;
    while tries.next().is_some()
        && !world
            .records()
            .iter()
            .any(|record| record["name"] == "www.example.com" || record["type"] == "MX")
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    first
}

/// Signals it so often, some milliseconds apart; it must end with this code, say so, and hold no lock.
fn ends(world: &World, running: std::process::Child, signal: Signal, times: u32, code: i32) {
    let id = rustix::process::Pid::from_child(&running);
    for _ in 0..times {
        rustix::process::kill_process(id, signal).unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(code));
    assert_eq!(told(&String::from_utf8(ended.stdout).unwrap()), code);
    world.run(&["lock", "status"]).expect(0).says("Nobody holds");
}

#[test]
fn a_lock_and_an_interrupt() {
    let world = World::new();
    let first = under_way(&world);
    codes(&world, APPLY, 1, 3);
    ends(&world, first, Signal::INT, 1, 130);
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one_request() {
    let world = World::new();
    let first = under_way(&world);
    ends(&world, first, Signal::TERM, 3, 143);
}

#[test]
fn a_terminal_that_goes_is_an_interrupt() {
    let world = World::new();
    let first = under_way(&world);
    ends(&world, first, Signal::HUP, 1, 129);
}
