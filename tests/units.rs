//! systemd units on a host, through their whole life: made, drifted, changed, killed on the way, gone, gone back to.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Ran, World};
use ipai_simulator::Fate;
use ipai_simulator::tools::ToolFaults;
use rustix::process::{Pid, Signal, kill_process};

const UNITS: &str = r#"
[host.unit.timer]
host = "digitalocean.droplet.web"
name = "backup.timer"
content = { file = "backup.timer" }

[host.unit.backup]
host = "digitalocean.droplet.web"
name = "backup.service"
content = { file = "backup.service" }
enabled = false

[host.unit.stamp]
host = "digitalocean.droplet.web"
name = "stamp.service"
content = { file = "stamp.service" }

[host.unit.data]
host = "digitalocean.droplet.web"
name = "mnt-data.mount"
content = "[Mount]\nWhat=/dev/sda\nWhere=/mnt/data\n\n[Install]\nWantedBy=multi-user.target\n"
"#;

/// A oneshot that stays: each start leaves a line, so that it shows what was taken in.
const STAMP: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\n\
    ExecStart=/bin/sh -c 'echo one >> \"$IPAI_ROOT/opt/stamps\"'\n\n[Install]\nWantedBy=multi-user.target\n";

/// A world whose stack has units.
fn world() -> World {
    let world = World::new();
    world.write("stack.toml", &format!("{}{UNITS}", world.read("stack.toml")));
    world.write("backup.timer", "[Timer]\nOnCalendar=daily\n\n[Install]\nWantedBy=timers.target\n");
    world.write(
        "backup.service",
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo ran >> \"$IPAI_ROOT/opt/backups\"'\n",
    );
    world.write("stamp.service", STAMP);
    world
}

fn applied() -> World {
    let world = world();
    world.apply();
    world
}

/// Runs `systemctl` on the host.
fn systemctl(world: &World, line: &str) -> Ran {
    let host = world.host();
    let mut command = Command::new(world.scratch.path().join("cloud/bin/systemctl"));
    command.args(line.split(' ')).env_clear().envs(host.environment("root"));
    command.current_dir(host.root()).output().unwrap().into()
}

fn show(world: &World, unit: &str) -> String {
    let line = format!("show -p UnitFileState,ActiveState,NeedDaemonReload {unit}");
    systemctl(world, &line).expect(0).out.trim().replace('\n', " ")
}

const UP: &str = "ActiveState=active UnitFileState=enabled NeedDaemonReload=no";

fn stamps(world: &World) -> String {
    std::fs::read_to_string(world.host_path("/opt/stamps")).unwrap()
}

fn unit_file(world: &World, name: &str) -> std::path::PathBuf {
    world.host_path(&format!("/etc/systemd/system/{name}"))
}

#[test]
fn units_are_installed_enabled_and_started_and_the_next_plan_is_empty() {
    let world = world();
    world.run(&["plan"]).expect(0).says("+ host.unit.timer").says("17 to add");
    world.apply().says("17 added");
    for unit in ["backup.timer", "stamp.service", "mnt-data.mount"] {
        assert_eq!(show(&world, unit), UP, "{unit}");
    }
    assert_eq!(
        show(&world, "backup.service"),
        "ActiveState=inactive UnitFileState=static NeedDaemonReload=no"
    );
    assert!(!world.host_path("/opt/backups").exists(), "what is not enabled is not started");
    assert_eq!(stamps(&world), "one\n");
    let counters = world.hosts.counters(world.droplet()).unwrap();
    let before = counters.all();
    world.expect_empty_plan();
    let used: Vec<u64> = counters.all().iter().zip(before).map(|(now, then)| now - then).collect();
    assert_eq!(used, [1, 1, 1, 1], "one connection, one login, one channel, one exec");
}

#[test]
fn drift_of_each_kind_is_shown_and_mended() {
    let world = applied();
    let file = unit_file(&world, "backup.timer");
    let mended = |what: &str| {
        let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
        plan.says("~ host.unit.timer").says("drifted").says("0 to add, 1 to change").says(what);
        world.apply();
        assert_eq!(show(&world, "backup.timer"), UP, "{what}");
    };
    systemctl(&world, "disable backup.timer").expect(0);
    mended("enabled");
    systemctl(&world, "stop backup.timer").expect(0);
    mended("inactive");
    std::fs::write(&file, "[Timer]\nOnCalendar=weekly\n[Install]\nWantedBy=timers.target\n")
        .unwrap();
    mended("-OnCalendar=weekly");
    // Edited and put right again, while systemd has read what stood there in between.
    let right = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{right}# by hand\n")).unwrap();
    systemctl(&world, "daemon-reload").expect(0);
    std::fs::write(&file, right).unwrap();
    mended("older than its file");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    mended("0666");
    std::fs::remove_file(&file).unwrap();
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("+ host.unit.timer").says("drifted");
    world.apply();
    assert_eq!(show(&world, "backup.timer"), UP);
    // A oneshot that is not up is as it should be, and so is a service that nothing enables.
    systemctl(&world, "stop stamp.service").expect(0);
    systemctl(&world, "start backup.service").expect(0);
    world.expect_empty_plan();
}

#[test]
fn a_change_restarts_what_is_up_unless_it_is_not_to_be() {
    let world = applied();
    world.edit("stamp.service", "echo one", "echo two");
    world.run(&["plan"]).expect(0).says("~ host.unit.stamp").says("the stack was edited");
    world.apply();
    assert_eq!(stamps(&world), "one\ntwo\n");
    world.edit("stamp.service", "echo two", "echo three");
    world.edit(
        "stack.toml",
        "{ file = \"stamp.service\" }",
        "{ file = \"stamp.service\" }\nrestart = false",
    );
    world.apply();
    assert_eq!(stamps(&world), "one\ntwo\n", "the next start takes it in");
    assert_eq!(show(&world, "stamp.service"), UP);
    world.edit(
        "stack.toml",
        "{ file = \"backup.timer\" }",
        "{ file = \"backup.timer\" }\nenabled = false",
    );
    world.apply();
    assert_eq!(
        show(&world, "backup.timer"),
        "ActiveState=inactive UnitFileState=disabled NeedDaemonReload=no"
    );
}

#[test]
fn what_leaves_the_stack_is_disabled_and_stopped_before_its_file_goes() {
    let world = applied();
    let from = UNITS.find("[host.unit.stamp]").unwrap();
    world.edit("stack.toml", &UNITS[from..], "");
    world.run(&["plan"]).expect(0).says("- host.unit.stamp").says("2 to destroy");
    world.apply();
    for unit in ["stamp.service", "mnt-data.mount"] {
        assert!(!unit_file(&world, unit).exists());
        let link = format!("multi-user.target.wants/{unit}");
        assert!(unit_file(&world, &link).symlink_metadata().is_err(), "{unit} is disabled");
        systemctl(&world, &format!("is-active {unit}")).expect(4);
    }
    assert_eq!(show(&world, "backup.timer"), UP);
    world.edit(
        "stack.toml",
        "name = \"backup.timer\"",
        "name = \"nightly.timer\"\nrestart = false",
    );
    world.edit("backup.timer", "[Timer]", "[Timer]\nUnit=backup.service");
    world.run(&["plan"]).expect(0).says("host.unit.timer").says("replace");
    world.apply();
    assert!(!unit_file(&world, "backup.timer").exists());
    assert_eq!(show(&world, "nightly.timer"), UP);
}

#[test]
fn a_unit_that_does_not_start_is_named_and_tried_again() {
    let world = world();
    world.apply();
    world.edit("stamp.service", "echo one", "exit 7; echo two");
    let failed = world.run(&["apply", "--auto-approve"]).expect(1);
    failed
        .says("host.unit.stamp")
        .says("control process exited")
        .says("journalctl -u 'stamp.service'");
    world.run(&["plan"]).expect(0).says("~ host.unit.stamp").says("not taken in yet");
    world.edit("stamp.service", "exit 7; ", "");
    world.apply();
    assert_eq!(stamps(&world), "one\ntwo\n");
}

/// Applies, and kills the program at one moment of its host; tells whether it lived that long.
fn killed(world: &World, moment: usize) -> bool {
    let prey: Arc<Mutex<Option<Child>>> = Arc::default();
    let (seen, hit) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let (hunted, told) = (Arc::clone(&prey), Arc::clone(&hit));
    world.hosts.watch(Some(Arc::new(move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) != moment {
            return Fate::GoOn;
        }
        if let Some(child) = hunted.lock().unwrap().as_mut() {
            kill_process(Pid::from_child(child), Signal::KILL).unwrap();
            child.wait().unwrap();
            told.store(true, Ordering::Relaxed);
        }
        Fate::Lost
    })));
    let mut command = world.command(&["apply", "--auto-approve"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut held = prey.lock().unwrap();
    *held = Some(command.spawn().unwrap());
    drop(held);
    loop {
        let ended = prey.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
        if ended.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    world.hosts.watch(None);
    // What it had begun on the host ends there.
    world.runtime.block_on(world.hosts.settle(world.droplet()));
    world.command(&["unlock", "--yes"]).output().unwrap();
    hit.load(Ordering::Relaxed)
}

#[test]
fn killed_at_any_moment_of_a_change_the_next_apply_completes_it() {
    let world = applied();
    for moment in 0.. {
        assert!(moment < 200, "it never ends");
        let wanted = format!("run {moment}");
        world.write("stamp.service", &STAMP.replace("echo one", &format!("echo {wanted}")));
        let was_killed = killed(&world, moment);
        world.apply();
        assert_eq!(stamps(&world).lines().last(), Some(wanted.as_str()), "killed at {moment}");
        assert_eq!(show(&world, "stamp.service"), UP, "killed at {moment}");
        if !was_killed {
            assert!(moment > 8, "{moment}");
            break;
        }
    }
}

#[test]
fn a_rollback_brings_units_back_and_takes_later_ones_away() {
    let world = applied();
    world.edit("stamp.service", "echo one", "echo two");
    let late = UNITS.replace("backup", "late").replace("host.unit.timer", "host.unit.late_timer");
    let until = late.find("[host.unit.stamp]").unwrap();
    for name in ["timer", "service"] {
        world.write(&format!("late.{name}"), &world.read(&format!("backup.{name}")));
    }
    world.write("stack.toml", &format!("{}{}", world.read("stack.toml"), &late[..until]));
    world.apply();
    assert_eq!(show(&world, "late.timer"), UP);
    world.run(&["rollback", "1", "--auto-approve"]).expect(0);
    assert_eq!(stamps(&world), "one\ntwo\none\n");
    assert_eq!(show(&world, "stamp.service"), UP);
    assert!(!unit_file(&world, "late.timer").exists());
    systemctl(&world, "is-active late.timer").expect(4);
    assert!(unit_file(&world, "timers.target.wants/late.timer").symlink_metadata().is_err());
    world.run(&["plan"]).expect(0).says("~ host.unit.stamp").says("+ host.unit.late_timer");
    world.apply();
}

#[test]
fn a_host_without_systemd_is_refused_in_the_plan() {
    let world = World::new();
    world.apply();
    let absent = ToolFaults { systemd_absent: true, ..ToolFaults::default() };
    absent.save(world.host().base()).unwrap();
    world.expect_empty_plan();
    world.write("stack.toml", &format!("{}{UNITS}", world.read("stack.toml")));
    for name in ["backup.timer", "backup.service", "stamp.service"] {
        world.write(name, STAMP);
    }
    let plan = world.run(&["plan"]);
    plan.says("systemd does not run on the host").says("System has not been booted with systemd");
    world.run(&["apply", "--auto-approve"]).expect(1).says("a host that was booted with systemd");
    assert!(!unit_file(&world, "backup.timer").exists(), "nothing was begun");
}

#[test]
fn a_unit_that_somebody_else_wrote_stays_until_it_is_adopted() {
    let world = World::new();
    world.apply();
    world.write(
        "stack.toml",
        &format!(
            "{}{}",
            world.read("stack.toml"),
            &UNITS[..UNITS.find("[host.unit.backup]").unwrap()]
        ),
    );
    world.write("backup.timer", "[Timer]\nOnCalendar=daily\n\n[Install]\nWantedBy=timers.target\n");
    let theirs = "[Timer]\nOnCalendar=hourly\n";
    std::fs::write(unit_file(&world, "backup.timer"), theirs).unwrap();
    std::fs::write(unit_file(&world, "backup.service"), "[Service]\nExecStart=/bin/true\n")
        .unwrap();
    world.run(&["apply", "--auto-approve"]).expect(1).says("adopt host.unit.timer`");
    assert_eq!(std::fs::read_to_string(unit_file(&world, "backup.timer")).unwrap(), theirs);
    world.run(&["adopt", "host.unit.timer", "--auto-approve"]).expect(0);
    world.run(&["plan"]).expect(0).says("~ host.unit.timer").says("-OnCalendar=hourly");
    world.apply();
    assert_eq!(show(&world, "backup.timer"), UP);
}
