//! What people do by hand on a stack that runs: logs, commands in containers, a login, down and up again.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, World};
use ipai_simulator::tools::{Answer, ToolFaults};

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(20);

fn faults(world: &World, faults: &ToolFaults) {
    let folder = world.host().base().to_owned();
    faults.save(&folder).unwrap();
}

fn logging(text: &str) -> ToolFaults {
    ToolFaults { logs: [("app".to_owned(), text.to_owned())].into(), ..ToolFaults::default() }
}

/// Reads standard output until the text has come.
#[track_caller]
fn wait_for(child: &mut Child, text: &str) -> String {
    let (mut seen, mut piece) = (String::new(), [0; 4096]);
    while !seen.contains(text) {
        let length = child.stdout.as_mut().unwrap().read(&mut piece).unwrap();
        assert!(length > 0, "it ended before it said {text}: {seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    seen
}

#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LIMIT, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whether a process of this world still follows a log.
fn somebody_follows(place: &Path) -> bool {
    let ours = place.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let around = std::fs::read(process.path().join("environ")).unwrap_or_default();
        line.contains("logs")
            && line.contains("--follow")
            && String::from_utf8_lossy(&around).contains(&ours)
    })
}

#[test]
fn logs_come_as_they_are_written_and_an_interrupt_ends_the_process_on_the_host() {
    let world = World::new();
    world.apply();
    faults(&world, &logging("one\ntwo \u{1b}[31mred"));
    let ran = world.run(&["logs", "app"]).expect(0);
    assert_eq!(ran.out, "one\ntwo \\u{1b}[31mred\n", "escapes from outside are shown, not obeyed");
    assert_eq!(world.run(&["logs", "app", "--tail", "1"]).expect(0).out.lines().count(), 1);
    let mut command = world.command(&["logs", "app", "-f", "--tail", "1"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    wait_for(&mut child, "red");
    faults(&world, &logging("one\ntwo\nthree"));
    wait_for(&mut child, "three");
    assert!(somebody_follows(world.scratch.path()));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    until("the process on the host ends", || !somebody_follows(world.scratch.path()));
}

#[test]
fn logs_that_nobody_reads_any_more_end() {
    let world = World::new();
    world.apply();
    faults(&world, &logging("one"));
    let mut child = world.command(&["logs", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    wait_for(&mut child, "one");
    drop(child.stdout.take());
    faults(&world, &logging("one\ntwo"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_that_does_not_exist_is_named_with_the_nearest_that_does() {
    let world = World::new();
    world.run(&["logs", "app"]).expect(1).says("not applied yet: ipai -C ").says(" apply");
    world.apply();
    world.run(&["logs", "apq"]).expect(1).says("No such service").says("did you mean app?");
    world
        .run(&["exec", "nothing-like-it", "--", "true"])
        .expect(1)
        .says("services: app, migrate, proxy");
}

fn exec(world: &World, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = world.command(arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that reads nothing closes its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_command_in_a_container_reads_what_is_piped_and_its_exit_code_is_ours() {
    let world = World::new();
    world.apply();
    let input = vec![b'x'; 3_000_000];
    let ran = exec(&world, &["exec", "app", "--", "wc", "-c", "a b"], &input).expect(0);
    assert!(ran.out.contains("nothing ran: wc -c a b (3000000 bytes of input)"), "{}", ran.out);
    let answer = Answer {
        contains: "app fails".into(),
        exit: 42,
        stdout: "\u{1b}[31m".into(),
        stderr: "\u{1b}[31m".into(),
        ..Answer::default()
    };
    faults(&world, &ToolFaults { answers: vec![answer], ..ToolFaults::default() });
    let ran = exec(&world, &["exec", "shop/app", "--", "fails"], b"").expect(42);
    assert_eq!(ran.out, "\u{1b}[31m", "what goes into a pipe is not touched");
    assert_eq!(ran.err, "\\u{1b}[31m\n");
}

#[test]
fn a_project_goes_down_with_its_volumes_kept_and_comes_up_as_it_was() {
    let world = World::new();
    world.apply();
    world.run(&["down"]).expect(1).says("nobody can be asked here");
    world.run(&["down", "--no-input"]).expect(1).says("--auto-approve");
    world.run(&["down", "--auto-approve"]).expect(0).says("every volume is");
    assert_eq!(world.docker(&["ps", "-aq"]).expect(0).out, "");
    world.run(&["plan", "--detailed-exitcode"]).expect(2).says("services.app: missing → running");
    // What was edited meanwhile is apply's business.
    world.edit("compose.yaml", "app:1.0.0", "app:2.0.0");
    let up = world.run(&["up", "--detailed-exitcode"]).expect(2);
    up.says("Up: every service is as it should be.").says("shop: Container shop-app-1");
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("app:2.0.0").keeps_quiet_about("missing");
    world.run(&["up", "--detailed-exitcode"]).expect(0);
    world.apply();
    world.expect_empty_plan();
}

#[test]
fn a_restart_touches_the_named_service_alone_and_waits_for_it() {
    let world = World::new();
    world.apply();
    let (app, proxy) = (world.container("app"), world.container("proxy"));
    world.run(&["restart", "app"]).expect(0).says("Restarted: app.");
    let after = world.container("app");
    assert_eq!(after.0, app.0);
    assert_ne!(after.1, app.1, "it was started anew");
    assert_eq!(world.container("proxy"), proxy);
    world.expect_empty_plan();
    faults(&world, &ToolFaults { failing: vec!["app".into()], ..ToolFaults::default() });
    world.edit("stack.toml", "timeout = \"1m\"", "timeout = \"2s\"");
    world.run(&["restart", "app"]).expect(1).says("ipai logs app --tail 50");
}

#[test]
fn another_run_keeps_these_verbs_out_as_it_keeps_apply() {
    let world = World::new();
    world.apply();
    faults(&world, &ToolFaults { unhealthy: vec!["app".into()], ..ToolFaults::default() });
    let mut held = world
        .command(&["restart", "app", "--why", "testing"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("somebody holds the lock", || world.run(&["lock", "status"]).all().contains("testing"));
    for verb in [&["up"][..], &["down", "-y"], &["restart", "app"]] {
        let arguments = [verb, &["--detailed-exitcode"]].concat();
        world.run(&arguments).expect(3).says("another run is at work");
    }
    interrupt(&held);
    assert_eq!(held.wait().unwrap().code(), Some(130));
    faults(&world, &ToolFaults::default());
    world.run(&["restart", "app"]).expect(0);
}

/// A stack in the sandbox whose hosts are real OpenSSH servers; nothing without one.
fn on_real_sshd() -> Option<(tempfile::TempDir, impl Fn(&[&str]) -> Command)> {
    if !Path::new("/usr/sbin/sshd").exists() || Command::new("ssh").arg("-V").output().is_err() {
        let loud = "SKIPPED: needs OpenSSH (apt-get install openssh-server openssh-client)";
        assert!(std::env::var_os("CI").is_none(), "{loud}");
        eprintln!("{loud}");
        return None;
    }
    let scratch = tempfile::TempDir::new().unwrap();
    let stack = scratch.path().join("shop");
    common::copy_folder(&common::repository().join("tests/stacks/shop"), &stack);
    std::fs::write(stack.join("authorized_keys"), "# the sandbox adds its own\n").unwrap();
    let home = scratch.path().to_owned();
    let command = move |arguments: &[&str]| {
        let mut command = common::ipai(&home);
        command.arg("-C").arg(&stack).arg("--sandbox=sshd").args(arguments);
        command.env("SHOP_API_KEY", common::CANARY).env("TMPDIR", &home);
        command
    };
    Some((scratch, command))
}

fn folder_of(scratch: &Path) -> std::path::PathBuf {
    let hosts = scratch.join("shop/.ipai/sandbox/hosts");
    std::fs::read_dir(hosts).unwrap().flatten().next().unwrap().path()
}

#[test]
fn logs_and_commands_work_on_a_real_sshd_and_an_interrupt_ends_both_sides() {
    let Some((scratch, ipai)) = on_real_sshd() else { return };
    common::run(ipai(&["apply", "--auto-approve"])).expect(0);
    logging("one").save(&folder_of(scratch.path())).unwrap();
    let mut child = ipai(&["logs", "app", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    wait_for(&mut child, "one");
    assert!(somebody_follows(scratch.path()));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    until("the process on the host ends", || !somebody_follows(scratch.path()));
    let mut command = ipai(&["exec", "app", "--", "wc"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[b'x'; 100_000]).unwrap();
    let out = Ran::from(child.wait_with_output().unwrap()).expect(0).out;
    assert!(out.contains("(100000 bytes of input)"), "{out}");
}

#[test]
fn the_systems_ssh_is_told_the_pinned_key_and_takes_no_other() {
    let Some((scratch, ipai)) = on_real_sshd() else { return };
    common::run(ipai(&["apply", "--auto-approve"])).expect(0);
    let hello = ["ssh", "--", ": ipai-host-1; echo hello; exit 7"];
    let ran = common::run(ipai(&hello)).expect(7);
    assert_eq!(ran.out, "hello\n");
    common::run(ipai(&["ssh", "web", "--", "ls"])).expect(126).says("belongs to the ipai sandbox");
    common::run(ipai(&["ssh", "other"])).expect(1).says("hosts: digitalocean.droplet.web");
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with("ipai-ssh")));
    // A machine in between: the host suddenly proves itself by another key.
    let key = ipai_host::host_key::KeyPair::from_seed(&[5; 32], "x").unwrap();
    let file = find(&folder_of(scratch.path()), "ssh_host_ed25519_key");
    std::fs::write(&file, key.expose_private()).unwrap();
    let refused = common::run(ipai(&hello)).expect(1);
    refused.says("is not the expected one").keeps_quiet_about("hello");
}

fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let found = Command::new("find").arg(folder).args(["-name", name]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().next().unwrap().into()
}

#[test]
fn without_an_ssh_client_it_says_what_to_install() {
    let world = World::new();
    let mut command = world.command(&["ssh"]);
    command.env("PATH", world.scratch.path());
    common::run(command).expect(1).says("apt-get install openssh-client");
}
