//! One apply per stack at a time: real processes on one cloud, killed, interrupted, and robbed of their lock.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod gate;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, World, repository};
use ipai_simulator::{Fault, FaultKind, Vendor};
use serde_json::{Value, json};

const APPLY: &[&str] = &["apply", "--auto-approve", "--detailed-exitcode"];
const BATCH: &str = "/zones/{zone_id}/dns_records/batch";
const LOCK: &str = "shop._ipai-lock.example.com";

/// A world whose stack is small and quick to apply: a few records, and nothing that boots.
fn records_only() -> World {
    let world = World::new();
    let mut text = "[stack]\nname = \"shop\"\n".to_owned();
    for name in ["a", "b", "c"] {
        text += &format!(
            "[cloudflare.dns_record.{name}]\nzone = \"example.com\"\nname = \"{name}\"\ntype = \"A\"\ncontent = \"203.0.113.7\"\n"
        );
    }
    world.write("stack.toml", &text);
    world
}

fn start(world: &World, arguments: &[&str]) -> Child {
    spawn(world.command(arguments))
}

fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn locks(world: &World) -> Vec<Value> {
    world.records().into_iter().filter(|record| record["name"] == LOCK).collect()
}

/// Requests that change something, the lock's own aside.
fn changes(world: &World) -> usize {
    let is_lock = |body: &Option<Value>| body.as_ref().is_some_and(|body| body["name"] == LOCK);
    let log = world.cloud().log();
    let changing = log.iter().filter(|e| e.method != "GET" && !is_lock(&e.request));
    changing.filter(|e| e.method != "DELETE" || e.vendor == Vendor::DigitalOcean).count()
}

/// Puts another run's lock into the zone; gives its id.
fn plant(world: &World, comment: &str) -> String {
    let record = json!({"type": "TXT", "name": LOCK, "content": "\"ipai lock\"", "ttl": 60, "comment": comment});
    world.cloud().add_foreign_record("example.com", record).unwrap()
}

const ANNS: &str = "ipai-lock/1 9f86d081884c7d65 50s 3 ann@laptop deploy of 1.2";

/// Rounds in several worlds side by side, because each round mostly waits.
#[test]
fn of_two_runs_at_once_one_works_and_the_other_says_who_does() {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let world = records_only();
                (0..6).for_each(|round| two_at_once(&world, round));
            });
        }
    });
    gate::print(6, "two processes at once: N=24, one worked and the other ended with 3", 0, begun);
}

fn two_at_once(world: &World, round: u32) {
    for record in world.records() {
        world.cloud().delete_record("example.com", record["id"].as_str().unwrap()).unwrap();
    }
    // Whoever is first works for long enough that the other one meets it.
    world.cloud().clear_faults();
    let slowly = FaultKind::Delay(Duration::from_millis(2_000));
    world.cloud().fault(Fault::first("POST", BATCH, slowly));
    world.cloud().clear_log();
    let both = [start(world, APPLY), start(world, APPLY)].map(finish);
    let mut codes = both.each_ref().map(|ran| ran.code);
    codes.sort_unstable();
    assert_eq!(codes, [2, 3], "round {round}: {both:#?}");
    let refused = both.iter().find(|ran| ran.code == 3).unwrap();
    assert!(refused.err.contains("held by "), "{}", refused.err);
    let unlock = format!("ipai -C {} unlock", world.stack().display());
    assert!(refused.err.contains(&unlock), "{}", refused.err);
    assert_eq!(changes(world), 1, "one batch was sent");
    assert_eq!(world.records().len(), 3, "each record once, and no lock is left");
}

#[test]
fn who_waits_gets_the_lock_when_it_is_given_back_and_finds_nothing_to_do() {
    let world = records_only();
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(1))));
    let first = start(&world, &["apply", "--auto-approve", "--why", "release 7"]);
    wait_until("the lock", || locks(&world).len() == 1);
    let second = world.run(&["apply", "--auto-approve", "--lock-timeout", "30s"]).expect(0);
    second.says("waiting for the lock").says("(release 7)").says("No changes.");
    finish(first).expect(0);
    assert!(locks(&world).is_empty());
}

#[test]
fn waiting_ends_with_its_time() {
    let world = records_only();
    plant(&world, ANNS);
    let begun = Instant::now();
    let arguments = ["apply", "--auto-approve", "--detailed-exitcode", "--lock-timeout", "1s"];
    world.run(&arguments).expect(3).says("held by ann@laptop").says("deploy of 1.2");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    world.run(&["apply", "--auto-approve"]).expect(1).says("it lapses in");
    let refused =
        world.run(&["apply", "--auto-approve", "--json", "--detailed-exitcode"]).expect(3);
    let json: Value = serde_json::from_str(refused.out.lines().last().unwrap()).unwrap();
    assert_eq!(json["type"], json!("diagnostic"));
    assert_eq!(json["lock"]["holder"], json!("ann@laptop"));
    assert_eq!(changes(&world), 0);
}

#[test]
fn destroy_adopt_and_forget_are_locked_out_too_and_looking_is_not() {
    let world = records_only();
    world.apply();
    plant(&world, ANNS);
    world.cloud().clear_log();
    for arguments in [
        &["destroy", "--auto-approve"][..],
        &["adopt", "cloudflare.dns_record.a", "--auto-approve"],
        &["forget", "cloudflare.dns_record.a", "--auto-approve"],
    ] {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--detailed-exitcode"]).collect();
        world.run(&arguments).expect(3).says("ann@laptop");
    }
    assert_eq!(changes(&world), 0);
    world.cloud().clear_log();
    world.expect_empty_plan();
    world.run(&["plan", "-v"]).expect(0).keeps_quiet_about("_ipai-lock");
    world.run(&["status"]).expect(0).keeps_quiet_about("_ipai-lock");
    world.run(&["validate"]).expect(0);
    let log = world.cloud().log();
    assert!(!log.is_empty() && log.iter().all(|exchange| exchange.method == "GET"));
}

#[test]
fn a_killed_holders_lock_lapses_and_the_next_run_goes_on() {
    let world = records_only();
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(20))));
    let mut command = world.command(APPLY);
    command.env("IPAI_LOCK_LEASE", "2");
    let mut killed = spawn(command);
    wait_until("the lock", || locks(&world).len() == 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    world.cloud().clear_faults();
    world.run(APPLY).expect(3);
    let begun = Instant::now();
    let arguments = ["apply", "--auto-approve", "--lock-timeout", "30s"];
    world.run(&arguments).expect(0).says("Apply complete!");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    world.expect_empty_plan();
    assert!(locks(&world).is_empty());
}

/// With the lease that every run has, and in real time.
#[test]
fn a_lock_is_free_a_minute_after_its_holder_was_killed() {
    if !gate::is_full() {
        return;
    }
    let world = records_only();
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(90))));
    let mut killed = start(&world, APPLY);
    wait_until("the lock", || locks(&world).len() == 1);
    // Until right after a sign of life, when it has the longest time to run.
    let first = locks(&world)[0]["comment"].clone();
    wait_until("a sign of life", || locks(&world)[0]["comment"] != first);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let begun = Instant::now();
    world.cloud().clear_faults();
    let arguments = ["apply", "--auto-approve", "--lock-timeout", "90s"];
    world.run(&arguments).expect(0).says("waiting for the lock").says("Apply complete!");
    let free = begun.elapsed();
    assert!(free <= Duration::from_secs(60), "{free:?}");
    assert!(locks(&world).is_empty());
    let found = format!("SIGKILL: the next apply was through {:.1} s later", free.as_secs_f64());
    gate::print(5, &found, 0, begun);
}

#[test]
fn signs_of_life_keep_a_lock_longer_than_its_lease() {
    let world = records_only();
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(6))));
    let mut command = world.command(APPLY);
    command.env("IPAI_LOCK_LEASE", "3");
    let slow = spawn(command);
    wait_until("the lock", || locks(&world).len() == 1);
    while locks(&world).len() == 1 && changes(&world) == 0 {
        let code = world.run(&["lock", "release"]).code;
        // Meanwhile the run may have come to its end and given it back.
        assert!(code == 1 || changes(&world) > 0, "a live lock is refused");
        std::thread::sleep(Duration::from_millis(300));
    }
    finish(slow).expect(2);
    world.expect_empty_plan();
}

#[test]
fn a_run_whose_lock_is_removed_begins_nothing_more() {
    let world = World::new();
    world.apply();
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    // The firewall's change takes long; records and files wait for nothing but their own lanes.
    world.edit("stack.toml", "\"tcp 443 from", "\"tcp 80 from 0.0.0.0/0\", \"tcp 443 from");
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(5))));
    let mut command = world.command(&["apply", "--auto-approve"]);
    command.env("IPAI_LOCK_LEASE", "2");
    let robbed = spawn(command);
    wait_until("the lock", || locks(&world).len() == 1);
    std::thread::sleep(Duration::from_millis(1_000));
    let begun = Instant::now();
    world.run(&["unlock", "--yes"]).expect(0).says("Removed the lock");
    let before = changes(&world);
    finish(robbed).expect(1).says("the stack's lock was lost").says("somebody removed it");
    assert!(begun.elapsed() < Duration::from_secs(4), "it did not wait for what ran");
    assert_eq!(changes(&world), before, "nothing was begun after the lock was gone");
    world.apply();
    assert!(locks(&world).is_empty());
}

#[test]
fn a_run_that_cannot_renew_its_lock_stops_in_time() {
    let world = records_only();
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(20))));
    let record = "/zones/{zone_id}/dns_records/{dns_record_id}";
    world.cloud().fault(Fault::first("PATCH", record, FaultKind::DropBefore).times(1_000));
    let mut command = world.command(&["apply", "--auto-approve"]);
    command.env("IPAI_LOCK_LEASE", "2");
    let begun = Instant::now();
    finish(spawn(command)).expect(1).says("it could not be renewed");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    world.cloud().clear_faults();
    world.run(&["apply", "--auto-approve", "--lock-timeout", "10s"]).expect(0);
    world.expect_empty_plan();
}

#[test]
fn a_lost_answer_to_taking_or_giving_back_the_lock_does_no_harm() {
    for (method, template) in [
        ("POST", "/zones/{zone_id}/dns_records"),
        ("DELETE", "/zones/{zone_id}/dns_records/{dns_record_id}"),
    ] {
        for kind in [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::Garbage] {
            let world = records_only();
            world.cloud().fault(Fault::first(method, template, kind));
            world.apply();
            assert_eq!(world.records().len(), 3, "{method}");
        }
    }
}

/// Interrupts an apply that hangs in this call; then nothing may be left of it that the next one could not mend.
#[track_caller]
fn interrupt(name: &str, code: i32, method: &str, template: &str) {
    let world = World::new();
    let long = FaultKind::Delay(Duration::from_secs(30));
    world.cloud().fault(Fault::first(method, template, long).times(1_000));
    let child = start(&world, &["apply", "--auto-approve"]);
    wait_until("the lock", || locks(&world).len() == 1);
    wait_until("the call", || world.cloud().faults_fired() > 0);
    let begun = Instant::now();
    signal(&child, name);
    let ran = finish(child);
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    assert_eq!(ran.code, code, "{ran:#?}");
    assert!(ran.err.contains("Stopp"), "{}", ran.err);
    assert!(locks(&world).is_empty(), "the lock is given back");
    world.cloud().clear_faults();
    world.apply();
    assert_eq!(world.droplets().len(), 1);
}

#[test]
fn an_interrupt_while_looking_gives_the_lock_back_in_time() {
    interrupt("INT", 130, "GET", "/v2/droplets");
}

#[test]
fn an_interrupt_while_creating_gives_the_lock_back_in_time() {
    interrupt("INT", 130, "POST", "/v2/droplets");
}

#[test]
fn an_interrupt_while_waiting_for_a_droplet_gives_the_lock_back_in_time() {
    interrupt("TERM", 143, "GET", "/v2/droplets/{droplet_id}");
}

#[test]
fn an_interrupt_while_records_change_gives_the_lock_back_in_time() {
    interrupt("INT", 130, "POST", BATCH);
}

#[test]
fn an_interrupted_wait_for_the_lock_ends_at_once() {
    let world = records_only();
    plant(&world, ANNS);
    let child = start(&world, &["apply", "--auto-approve", "--lock-timeout", "5m"]);
    std::thread::sleep(Duration::from_millis(700));
    let begun = Instant::now();
    signal(&child, "INT");
    finish(child).expect(130).says("Nothing was changed");
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(locks(&world).len(), 1, "another's lock stays");
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let world = records_only();
    world.cloud().fault(Fault::first("POST", BATCH, FaultKind::Delay(Duration::from_secs(30))));
    let child = start(&world, &["apply", "--auto-approve"]);
    wait_until("the batch", || world.cloud().faults_fired() > 0);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(700));
    let begun = Instant::now();
    signal(&child, "INT");
    finish(child).expect(130);
    assert!(begun.elapsed() < Duration::from_secs(1));
    world.cloud().clear_faults();
    world.run(&["unlock", "--yes"]).expect(0);
    world.apply();
}

#[test]
fn a_dead_lock_is_released_and_a_live_one_only_by_its_run_or_by_unlock() {
    let world = records_only();
    world
        .run(&["lock", "status"])
        .expect(0)
        .says("Nobody holds the stack's lock in the zone example.com");
    let id = plant(&world, ANNS);
    world
        .run(&["lock", "status"])
        .expect(0)
        .says("held by ann@laptop since 20")
        .says("run 9f86d081884c7d65");
    let json: Value =
        serde_json::from_str(&world.run(&["lock", "status", "--json"]).expect(0).out).unwrap();
    assert_eq!((&json["locked"], &json["locks"][0]["id"]), (&json!(true), &json!(id)));
    world.run(&["lock", "release"]).expect(1).says("another run's");
    world.run(&["lock", "release", "0000000000000000"]).expect(1);
    world.run(&["unlock"]).expect(1).says("--yes");
    assert_eq!(locks(&world).len(), 1);
    world.run(&["lock", "release", "9f86d081884c7d65"]).expect(0).says("Removed");
    plant(&world, "ipai-lock/2 from the future");
    world.run(&["lock", "release"]).expect(1);
    world.run(APPLY).expect(3).says("newer ipai");
    world.run(&["unlock", "--yes"]).expect(0);
    assert!(locks(&world).is_empty());
    plant(&world, "ipai-lock/1 9f86d081884c7d65 1s 3 ann@laptop");
    std::thread::sleep(Duration::from_millis(2_300));
    world.run(&["lock", "status"]).expect(0).says("lapsed; was held by ann@laptop");
    let json: Value =
        serde_json::from_str(&world.run(&["lock", "release", "--json"]).expect(0).out).unwrap();
    assert_eq!(json["removed"][0]["run"], json!("9f86d081884c7d65"));
    assert_eq!(json["locked"], json!(false));
    world.run(&["lock", "release"]).expect(0).says("nothing to do");
    plant(&world, ANNS);
    let refused = world.run(&["lock", "release", "--json"]).expect(1);
    let json: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!((&json["removed"], &json["locked"]), (&json!([]), &json!(true)));
    assert_eq!(json["locks"][0]["holder"], json!("ann@laptop"));
}

/// A stack without a zone has its lock on its host.
fn host_only(world: &World) {
    let text = world.read("stack.toml");
    let parts: Vec<&str> =
        text.split("\n\n").filter(|part| !part.contains("[cloudflare.")).collect();
    world.write(
        "stack.toml",
        &parts.join("\n\n").replace("after = [\"cloudflare.dns_record.www\"]\n", ""),
    );
}

#[test]
fn a_stack_without_a_zone_is_locked_on_its_host() {
    let world = World::new();
    host_only(&world);
    let first = world.run(&["apply", "--auto-approve"]).expect(0);
    first.says("warning: this stack has no lock").says("no host of it exists yet");
    let lock = world.host_path("/opt/ipai/shop/.ipai/lock");
    assert!(!lock.exists());
    world.expect_empty_plan();
    world.age_droplet();
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    world
        .run(&["apply", "--auto-approve"])
        .expect(0)
        .keeps_quiet_about("warning: this stack has no lock");
    assert!(!lock.exists(), "it is given back");
    std::fs::create_dir_all(&lock).unwrap();
    std::fs::write(lock.join("9f86d081884c7d65"), ANNS).unwrap();
    world
        .run(&["lock", "status"])
        .expect(0)
        .says("the host digitalocean.droplet.web")
        .says("held by ann@laptop");
    world.run(APPLY).expect(3).says("deploy of 1.2");
    world.expect_empty_plan();
    world.run(&["unlock", "--yes"]).expect(0);
    std::fs::create_dir_all(&lock).unwrap();
    std::fs::write(lock.join("9f86d081884c7d65"), "ipai-lock/1 9f86d081884c7d65 1s 3 ann@laptop")
        .unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    world.run(APPLY).expect(0);
    assert!(!lock.exists(), "a lapsed lock is taken over and given back");
    let destroy = ["destroy", "--auto-approve", "--allow-data-loss", "digitalocean.droplet.web"];
    world.run(&destroy).expect(0).says("goes with it");
    assert!(world.droplets().is_empty());
}

#[test]
fn of_two_runs_on_one_host_one_works() {
    let world = World::new();
    host_only(&world);
    world.apply();
    world.age_droplet();
    for round in 0..6 {
        world.edit("index.html", "</h1>", &format!("</h1><!-- {round} -->"));
        let waits = ["apply", "--auto-approve", "--lock-timeout", "60s"];
        let both = [start(&world, &waits), start(&world, &waits)].map(finish);
        let text: String = both.iter().map(Ran::all).collect();
        assert!(both.iter().all(|ran| ran.code == 0), "round {round}: {text}");
        let done = text.matches("Apply complete!").count();
        assert_eq!((done, text.matches("No changes.").count()), (1, 1), "round {round}: {text}");
    }
}

#[test]
fn the_shipped_stack_is_locked_in_the_sandbox_too() {
    let world = World::new();
    let sandbox = |arguments: &[&str]| -> Ran {
        let mut command = common::ipai(&world.home());
        command.arg("-C").arg(repository().join("stacks/ops")).args(arguments).arg("--sandbox");
        command.env("IPAI_SANDBOX_DIR", world.scratch.path().join("sandbox"));
        command.output().unwrap().into()
    };
    sandbox(&["lock", "status"]).expect(0).says("Nobody holds the stack's lock in the zone ");
}
