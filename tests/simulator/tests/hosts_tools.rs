//! `sudo`, `chown`, `stat` and `cloud-init` of a host, through their links.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Output;
use std::time::{Duration, Instant};

use hosts_support::World;
use ipai_simulator::tools::ToolFaults;

fn text(output: &Output) -> (String, String, i32) {
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (utf8(&output.stdout), utf8(&output.stderr), output.status.code().unwrap())
}

fn out(world: &World, name: &str, arguments: &[&str]) -> String {
    let (stdout, stderr, status) = text(&world.tool(name, arguments));
    assert_eq!((status, stderr.as_str()), (0, ""), "{name} {arguments:?}");
    stdout
}

#[test]
fn stat_says_what_gnu_stat_says() {
    let world = World::new();
    let root = world.host().root();
    fs::write(root.join("opt/a file"), "hello").unwrap();
    fs::set_permissions(root.join("opt/a file"), fs::Permissions::from_mode(0o2640)).unwrap();
    fs::write(root.join("opt/empty"), "").unwrap();
    symlink("a file", root.join("opt/link")).unwrap();
    let formats = ["%a|%s|%F|%n|%Y|%f|%h|%i|%%", "%06a|%8s|%-6s|%N", "%F"];
    for format in formats {
        for flags in [&["-c"][..], &["-L", "-c"]] {
            let mut arguments: Vec<&str> = flags.to_vec();
            arguments.extend([format, "--", "opt/a file", "opt/empty", "opt/link", "opt"]);
            let real = std::process::Command::new("/usr/bin/stat")
                .args(&arguments)
                .env_clear()
                .env("LANG", "C.UTF-8")
                .current_dir(&root)
                .output()
                .unwrap();
            assert_eq!(out(&world, "stat", &arguments), text(&real).0, "{arguments:?}");
        }
    }
    let printed = out(&world, "stat", &["--printf", r"%n\0%s\n\x41", "opt/a file", "opt/empty"]);
    assert_eq!(printed, "opt/a file\x005\nAopt/empty\x000\nA");
    assert_eq!(out(&world, "stat", &["--printf=%s", "opt/empty"]), "0");
    assert_eq!(out(&world, "stat", &["--format=%s", "opt/empty"]), "0\n");
}

#[test]
fn stat_goes_on_after_a_missing_file() {
    let world = World::new();
    let (stdout, stderr, status) = text(&world.tool("stat", &["-c", "%n", "nope", "opt"]));
    assert_eq!((stdout.as_str(), status), ("opt\n", 1));
    assert_eq!(stderr, "stat: cannot statx 'nope': No such file or directory\n");
}

#[test]
fn chown_is_remembered_by_file_and_not_by_name() {
    let world = World::new();
    let root = world.host().root();
    for name in ["opt/a", "opt/b"] {
        fs::write(root.join(name), "").unwrap();
    }
    let owner = |path| out(&world, "stat", &["-c", "%U:%G %u:%g", path]);
    assert_eq!(owner("opt/a"), "root:root 0:0\n");
    out(&world, "chown", &["deploy:deploy", "--", "opt/a", "opt/b"]);
    assert_eq!(owner("opt/b"), "deploy:deploy 1000:1000\n");
    fs::rename(root.join("opt/a"), root.join("opt/c")).unwrap();
    assert_eq!(owner("opt/c"), "deploy:deploy 1000:1000\n");
    fs::write(root.join("opt/a"), "").unwrap();
    assert_eq!(owner("opt/a"), "root:root 0:0\n");
    out(&world, "chown", &["-R", "65534:999", "opt"]);
    assert_eq!(owner("opt/a"), "nobody:postgres 65534:999\n");
    out(&world, "chown", &[":4242", "opt/a"]);
    assert_eq!(owner("opt/a"), "nobody:4242 65534:4242\n");
    symlink("nowhere", root.join("opt/link")).unwrap();
    assert_eq!(text(&world.tool("chown", &["deploy", "opt/link"])).2, 1);
    out(&world, "chown", &["-h", "deploy", "opt/link"]);
    assert_eq!(owner("opt/link"), "deploy:root 1000:0\n");
}

#[test]
fn chown_refuses_strangers_and_missing_files() {
    let world = World::new();
    let (_, stderr, status) = text(&world.tool("chown", &["someone", "opt"]));
    assert_eq!((stderr.as_str(), status), ("chown: invalid user: 'someone'\n", 1));
    let (_, stderr, status) = text(&world.tool("chown", &["deploy", "nope"]));
    assert_eq!(status, 1);
    assert_eq!(stderr, "chown: cannot access 'nope': No such file or directory\n");
}

#[test]
fn sudo_becomes_the_command() {
    let world = World::new();
    let script = "echo \"$USER $A\"; exit 5";
    let (stdout, _, status) = text(&world.tool("sudo", &["-n", "A=b", "sh", "-c", script]));
    assert_eq!((stdout.as_str(), status), ("root b\n", 5));
    let arguments = ["-n", "-u", "deploy", "--", "sh", "-c", script];
    assert_eq!(text(&world.tool("sudo", &arguments)).0, "deploy \n");
    assert_eq!(text(&world.tool("sudo", &["-n", "no-such-command"])).2, 1);
    let nested = out(&world, "sudo", &["-n", "stat", "-c", "%U", "opt"]);
    assert_eq!(nested, "root\n");
}

#[test]
fn cloud_init_is_done_or_what_the_test_says() {
    let world = World::new();
    assert_eq!(out(&world, "cloud-init", &["status", "--wait"]), "status: done\n");
    let json = out(&world, "cloud-init", &["status", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["status"], "done");
    assert!(out(&world, "cloud-init", &["status", "--long"]).contains("simulated"));
    let faults = ToolFaults { cloud_init: Some("error".to_owned()), ..ToolFaults::default() };
    faults.save(world.host().base()).unwrap();
    let (stdout, _, status) = text(&world.tool("cloud-init", &["status"]));
    assert_eq!((stdout.as_str(), status), ("status: error\n", 1));
}

#[test]
fn a_tool_starts_in_milliseconds() {
    let world = World::new();
    let mut times: Vec<Duration> = (0..15)
        .map(|_| {
            let start = Instant::now();
            out(&world, "stat", &["-c", "%a", "opt"]);
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("stat: median {:?}", times[7]);
    assert!(times[7] < Duration::from_millis(100), "{times:?}");
}
