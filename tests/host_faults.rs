//! A host with a full disk, a read-only file system, no Docker or a wrong clock, one that reboots, a file that its own
//! program refuses: the error says so, nothing is left half done, and once the host is well again the next apply ends the work.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::World;
use ipai_simulator::hosts::HostFaults;
use ipai_simulator::seam::{Boot, Hosts};
use ipai_simulator::tools::{Answer, ToolFaults};

/// The stack's folder on the host.
const FOLDER: &str = "/opt/ipai/shop";

/// A file system of its own for a folder of the host; taken away at the end.
struct Disk(PathBuf);

impl Disk {
    /// Puts the folder, with what is in it, on a disk of so many KiB. `None` where mounting is not allowed, which in CI
    /// is a failure.
    fn below(folder: PathBuf, size: &str) -> Option<Self> {
        let aside = folder.with_extension("aside");
        std::fs::rename(&folder, &aside).unwrap();
        std::fs::create_dir(&folder).unwrap();
        let options = format!("size={size}k,mode=755");
        let mounted = mount(&["-t", "tmpfs", "-o", &options, "none"], &folder);
        if !mounted {
            std::fs::remove_dir(&folder).unwrap();
            std::fs::rename(&aside, &folder).unwrap();
            assert!(std::env::var_os("CI").is_none(), "mounting a file system needs root");
            eprintln!("SKIPPED: mounting a file system needs root");
            return None;
        }
        let disk = Self(folder);
        let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(&disk.0).status();
        assert!(copied.unwrap().success());
        Some(disk)
    }

    fn again_with(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

/// Where a tool of the stack's host lies: before all others on the host's path.
fn tool(world: &World, name: &str) -> PathBuf {
    let environment = world.host().environment("deploy");
    let path = environment.iter().find(|(name, _)| *name == "PATH").unwrap().1.to_str().unwrap();
    PathBuf::from(path.split(':').next().unwrap()).join(name)
}

/// Puts a script in a tool's place.
fn play(tool: &Path, script: &str) {
    std::fs::write(tool, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(tool, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_full_disk_keeps_the_old_files_whole_and_says_so() {
    let world = World::new();
    world.apply();
    let Some(disk) = Disk::below(world.host_path(FOLDER), "512") else { return };
    let before = files(&disk.0);
    world.write("index.html", &"far too much\n".repeat(100_000));
    world.edit("Caddyfile", "\n", "\n# edited\n");
    let ran = world.run(&["apply", "--auto-approve"]).expect(1);
    ran.says("No space left on device").says("df -h");
    assert_eq!(files(&disk.0), before, "neither file was changed, and nothing lies about");
    disk.again_with("size=64m");
    world.apply();
    assert!(
        std::fs::metadata(world.host_path(FOLDER).join("site/index.html")).unwrap().len()
            > 1_000_000
    );
}

#[test]
fn a_read_only_file_system_is_named_and_nothing_is_restarted() {
    let world = World::new();
    world.apply();
    let container = world.container("proxy");
    let Some(disk) = Disk::below(world.host_path(FOLDER), "4096") else { return };
    disk.again_with("ro");
    world.edit("Caddyfile", "\n", "\n# edited\n");
    world.run(&["apply", "--auto-approve"]).expect(1).says("Read-only file system").says("dmesg");
    assert_eq!(world.container("proxy"), container, "what needs the file is left alone");
    disk.again_with("rw");
    world.apply();
}

#[test]
fn a_host_without_docker_gets_its_files_and_an_error_that_tells_what_to_install() {
    let world = World::new();
    world.apply();
    let docker = tool(&world, "docker");
    let real = std::fs::read_link(&docker).unwrap();
    std::fs::remove_file(&docker).unwrap();
    // As a shell answers that does not find it; a real one may be on this machine.
    play(&docker, "echo 'docker: not found' >&2\nexit 127");
    world.edit("index.html", "</", "<!-- edited --></");
    world
        .run(&["apply", "--auto-approve"])
        .expect(1)
        .says("find Docker on the host")
        .says("docker-compose-plugin");
    std::fs::remove_file(&docker).unwrap();
    std::os::unix::fs::symlink(real, &docker).unwrap();
    world.apply();
}

#[test]
fn a_host_whose_clock_is_a_day_off_is_changed_all_the_same() {
    let world = World::new();
    world.apply();
    let date = tool(&world, "date");
    for (off, told) in [("yesterday", "seconds behind"), ("tomorrow", "seconds ahead")] {
        play(&date, &format!("exec /bin/date -d {off} \"$@\""));
        world.edit("index.html", "</", "<!-- edited --></");
        world.apply();
        world.run(&["doctor"]).says(told);
    }
}

/// Text that does not get smaller by compression.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from(state >> 33 & 15).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_reboot_in_the_middle_of_a_push_is_survived() {
    let world = World::new();
    world.apply();
    let page = world.host_path(FOLDER).join("site/index.html");
    let old = std::fs::read_to_string(&page).unwrap();
    let new = noise(8 << 20);
    world.write("index.html", &new);
    let id = world.droplet();
    let counters = world.hosts.counters(id).unwrap();
    // So that there is time to hit the middle.
    let slow = HostFaults { slow_input: Duration::from_millis(10), ..HostFaults::default() };
    world.runtime.block_on(world.hosts.set_faults(id, slow)).unwrap();
    let before = counters.stdin.load(Ordering::Relaxed);
    let mut command = world.command(&["apply", "--auto-approve"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let arrived = (0..2_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        counters.stdin.load(Ordering::Relaxed) - before > 1 << 20
    });
    assert!(arrived, "the push never began");
    world.runtime.block_on(world.hosts.halt(id)).unwrap();
    assert!(counters.stdin.load(Ordering::Relaxed) - before < 3 << 20, "in the middle");
    let whole = std::fs::read_to_string(&page).unwrap();
    assert!(whole == old || whole == new, "a part of a file");
    world.runtime.block_on(world.hosts.set_faults(id, HostFaults::default())).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let address = world.cloud().droplet_address(id).unwrap();
    let boot = Boot { id, name: "web".into(), address, user_data: None, account_keys: Vec::new() };
    world.runtime.block_on(world.hosts.boot(boot)).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains("hint: "), "{said}");
    world.apply();
    assert_eq!(std::fs::read_to_string(&page).unwrap(), new);
}

#[test]
fn a_file_that_its_program_refuses_never_reaches_the_host() {
    let world = World::new();
    let validated = "content = { file = \"Caddyfile\" }\nvalidate = [\"caddy\", \"validate\"]\nvalidate_image = \"caddy:2.8.4\"";
    world.edit("stack.toml", "content = { file = \"Caddyfile\" }", validated);
    world.apply();
    let file = world.host_path("/opt/ipai/shop/proxy/Caddyfile");
    let lies = || (world.container("proxy"), std::fs::read(&file).unwrap());
    let before = lies();
    let refuse = Answer {
        contains: "caddy:2.8.4 caddy validate".into(),
        while_fed: Some("broken".into()),
        exit: 1,
        stderr: "Error: adapting config: unrecognized argument".into(),
        ..Answer::default()
    };
    let faults = ToolFaults { answers: vec![refuse], ..ToolFaults::default() };
    faults.save(world.host().base()).unwrap();
    world.edit("Caddyfile", "app:8080", "app:8080 broken");
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    let ran = world
        .run(&["apply", "--auto-approve", "--detailed-exitcode"])
        .expect(1)
        .says("cannot validate a file")
        .says("nothing was written");
    let ran =
        ran.says("Caddyfile was refused by its validation, and a push writes all files or none");
    ran.says("/opt/ipai/shop/proxy/Caddyfile: its validation ended with code 1: Error: adapting config: unrecognized argument");
    assert_eq!(lies(), before);
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2).says("~ host.file.page");
    plan.says("~ host.file.proxy").keeps_quiet_about("drifted");
    world.edit("Caddyfile", "app:8080 broken", "app:8081");
    world.apply();
}
