//! `IPAI_LOG`, `--log-file` and `--timings`: what they tell, and that they change nothing else.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{CANARY, Ran, World};
use ipai_simulator::Vendor;
use serde_json::Value;

fn run(world: &World, level: &str, arguments: &[&str]) -> Ran {
    let mut command = world.command(arguments);
    command.env("IPAI_LOG", level);
    command.output().unwrap().into()
}

fn log_of(world: &World) -> PathBuf {
    world.scratch.path().join("ipai.log")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// How many requests a vendor got since then.
fn heard(world: &World, vendor: Vendor, since: usize) -> usize {
    world.cloud().log().iter().skip(since).filter(|exchange| exchange.vendor == vendor).count()
}

#[test]
fn a_trace_names_phases_actions_requests_and_commands_and_no_secret() {
    let world = World::new();
    let file = log_of(&world);
    let path = file.to_str().unwrap();
    run(&world, "trace", &["apply", "-y", "--log-file", path]).expect(0);
    let log = read(&file);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for told in [
        "INFO  apply:observe: over ms=",
        "INFO  apply:apply: over ms=",
        "DEBUG apply:observe: request vendor=digitalocean method=GET path=/v2/droplets status=200 ms=",
        "DEBUG apply:apply:digitalocean.droplet.web: request vendor=digitalocean method=POST path=/v2/droplets status=202 ms=",
        "request vendor=cloudflare method=POST path=/client/v4/zones/",
        "dns_records/batch status=200 ms=",
        "INFO  apply:apply: digitalocean.droplet.web: Creation complete",
        " connection host=127.",
        ": exec name=\"push files\" host=",
        "INFO  apply: ended code=0",
    ] {
        assert!(log.contains(told), "missing: {told}\n{log}");
    }
    let requests: Vec<&str> = log.lines().filter(|line| line.contains(": request ")).collect();
    let named = |line: &&&str| line.contains(" id=");
    assert_eq!(requests.iter().filter(named).count(), requests.len(), "{requests:#?}");
    assert!(!log.contains(CANARY) && !log.contains("test-token"));
    for line in log.lines() {
        assert!(line.len() > 30 && line.as_bytes()[23] == b'Z', "not a line of the log: {line}");
    }
    run(&world, "error", &["plan", "--log-file", path]).expect(0);
    assert_eq!(read(&file), log, "nothing went wrong, and what was there stays");
    run(&world, "info", &["plan", "--log-file", path]).expect(0);
    assert!(read(&file).starts_with(&log) && read(&file).ends_with("plan: ended code=0\n"));
}

#[test]
fn a_log_changes_nothing_of_what_is_printed() {
    let world = World::new();
    let plain = world.run(&["plan"]).expect(0);
    let file = log_of(&world);
    let logged = run(&world, "trace", &["plan", "--log-file", file.to_str().unwrap()]).expect(0);
    assert_eq!((&logged.out, &logged.err), (&plain.out, &plain.err));
    let told = run(&world, "debug", &["plan"]).expect(0);
    assert_eq!(told.out, plain.out);
    assert!(told.err.contains("DEBUG plan:observe: request ") && !told.err.contains("TRACE"));
    assert_eq!(run(&world, "off", &["plan"]).expect(0).err, plain.err);
}

#[test]
fn a_level_or_file_that_is_none_is_refused_before_anybody_is_asked() {
    let world = World::new();
    run(&world, "loud", &["plan"]).expect(1).says("IPAI_LOG names no level").says("`loud`");
    let nowhere = world.scratch.path().join("no/where.log");
    let ran = world.run(&["plan", "--log-file", nowhere.to_str().unwrap()]).expect(1);
    ran.says("The log cannot be written").says("where.log");
    assert_eq!(world.cloud().log().len(), 0);
}

#[test]
fn a_failure_is_in_the_log_in_one_line() {
    let world = World::new();
    world.edit("stack.toml", "region = \"fra1\"", "region = 7");
    let ran = run(&world, "error", &["plan"]).expect(1);
    let lines: Vec<&str> = ran.err.lines().filter(|line| line.contains(" ERROR plan: ")).collect();
    assert!(lines.len() == 1 && lines[0].contains("failed code=1 why=\"error: "), "{}", ran.err);
}

#[test]
fn timings_count_every_request_that_was_heard() {
    let world = World::new();
    world.apply();
    let before = world.cloud().log().len();
    let ran = world.run(&["plan", "--timings"]).expect(0).says("No changes.");
    for vendor in [Vendor::DigitalOcean, Vendor::Cloudflare] {
        let name = format!("{vendor:?}").to_lowercase();
        let count = heard(&world, vendor, before);
        let line = format!("requests to {name}: {count}\n");
        assert!(count > 0 && ran.err.contains(&line), "{line}{}", ran.err);
    }
    let row = |name: &str| -> Vec<String> {
        let line = ran.err.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name}:\n{}", ran.err))
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    let all = (world.cloud().log().len() - before).to_string();
    assert_eq!(
        (&row("total")[2..], &row("observe")[2..]),
        (&[all.clone(), "1".into(), "1".into()][..], &[all, "1".into(), "1".into()][..])
    );
    for phase in ["read", "plan", "other"] {
        assert_eq!(row(phase)[2..], ["0", "0", "0"]);
    }
    let seconds = |name: &str| row(name)[1].parse::<f64>().unwrap();
    let parts = ["read", "observe", "plan", "other"].map(seconds).iter().sum::<f64>();
    assert!((parts - seconds("total")).abs() < 0.01, "{}", ran.err);
}

#[test]
fn timings_end_the_stream_of_json() {
    let world = World::new();
    let ran = world.run(&["apply", "-y", "--json", "--timings"]).expect(0);
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., end, timings] = &lines[..] else { panic!("{}", ran.out) };
    assert_eq!((&end["type"], &end["exit_code"]), (&"change_summary".into(), &0.into()));
    assert_eq!(timings["type"], "timings");
    assert!(timings["total"]["requests"]["digitalocean"].as_u64() > Some(5), "{timings}");
    assert!(timings["total"]["execs"].as_u64() > Some(2), "{timings}");
    let names: Vec<&str> = timings["phases"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["phase"].as_str())
        .collect();
    for phase in ["read", "lock", "observe", "plan", "apply", "verify", "unlock", "other"] {
        assert!(names.contains(&phase), "{names:?}");
    }
    assert!(!ran.err.contains("seconds"), "{}", ran.err);
}
