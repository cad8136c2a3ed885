//! `systemctl` of a host, through its link.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::fs;

use hosts_support::World;
use ipai_simulator::tools::ToolFaults;

const TIMER: &str = "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n";

fn backup() -> World {
    let world = World::new();
    world.write("etc/systemd/system/backup.timer", TIMER);
    world.write(
        "etc/systemd/system/backup.service",
        "[Service]\nType=oneshot\nEnvironment=A=b \"C=d e\"\nEnvironmentFile=-/etc/backup.env\n\
         ExecStart=/bin/sh /opt/backup.sh \\\n  %n\n",
    );
    world.write("etc/backup.env", "# c\nF='g'\n");
    world.write("opt/backup.sh", "echo \"$1 $A $C $F\" >> \"$IPAI_ROOT/opt/ran\"\n");
    world
}

fn show(world: &World, properties: &str, unit: &str) -> String {
    world.good(&format!("systemctl show -p {properties} {unit}")).trim_end().replace('\n', " ")
}

#[test]
fn a_unit_without_a_file_is_not_found_whatever_is_asked_of_it() {
    let world = World::new();
    for (line, said, status) in [
        ("is-active nope.timer", "inactive\n", 4),
        ("is-enabled nope.timer", "not-found\n", 4),
        ("start nope.timer", "Failed to start nope.timer: Unit nope.timer not found.\n", 5),
        ("restart nope", "Failed to restart nope.service: Unit nope.service not found.\n", 5),
        ("stop nope", "Failed to stop nope.service: Unit nope.service not loaded.\n", 5),
        ("enable --now nope", "Failed to enable unit: Unit nope.service does not exist\n", 1),
        ("cat nope", "No files found for nope.service.\n", 1),
    ] {
        let answer = world.script(&format!("systemctl {line}"));
        assert_eq!((answer.out + &answer.err, answer.status), (said.to_owned(), status), "{line}");
    }
    let properties = "Id,LoadState,UnitFileState,ActiveState,SubState,NeedDaemonReload,Result";
    assert_eq!(
        show(&world, properties, "nope.timer"),
        "Result=success Id=nope.timer LoadState=not-found ActiveState=inactive SubState=dead \
         UnitFileState= NeedDaemonReload=no"
    );
    assert_eq!(world.good("systemctl is-active docker ssh.service"), "active\nactive\n");
}

#[test]
fn enabling_makes_a_link_and_disabling_takes_it_away() {
    let world = backup();
    let link = world.host().root().join("etc/systemd/system/timers.target.wants/backup.timer");
    assert_eq!(world.script("systemctl is-enabled backup.timer").out, "disabled\n");
    assert_eq!(world.script("systemctl is-enabled backup.timer").status, 1);
    assert!(world.script("systemctl enable --now backup.timer").err.contains("Created symlink"));
    assert_eq!(
        fs::read_link(&link).unwrap().to_str(),
        Some("/etc/systemd/system/backup.timer"),
        "as the host names it"
    );
    assert_eq!(world.good("systemctl is-enabled backup.timer"), "enabled\n");
    assert_eq!(
        show(&world, "UnitFileState,ActiveState,SubState", "backup.timer"),
        "ActiveState=active SubState=waiting UnitFileState=enabled"
    );
    world.good("systemctl disable --now backup.timer");
    assert!(link.symlink_metadata().is_err());
    assert_eq!(world.script("systemctl is-active --quiet backup.timer").status, 3);
    // No [Install]: nothing to link, and no mistake either.
    assert!(world.script("systemctl enable backup.service").err.contains("no installation config"));
    assert_eq!(world.good("systemctl is-enabled backup.service"), "static\n");
}

#[test]
fn a_oneshot_service_really_runs_with_its_environment() {
    let world = backup();
    world.good("systemctl start backup.service");
    let ran = fs::read_to_string(world.host().root().join("opt/ran")).unwrap();
    assert_eq!(ran, "backup.service b d e g\n");
    let properties = "ActiveState,SubState,Result,Type";
    let well = "Type=oneshot Result=success ActiveState=inactive SubState=dead";
    assert_eq!(show(&world, properties, "backup.service"), well);

    world.write("opt/backup.sh", "echo broken >&2; exit 4\n");
    let failed = world.script("systemctl start backup.service");
    assert_eq!(failed.status, 1);
    assert!(failed.err.contains("the control process exited with error code"), "{failed:?}");
    let ill = "Type=oneshot Result=exit-code ActiveState=failed SubState=failed";
    assert_eq!(show(&world, properties, "backup.service"), ill);
    assert_eq!(world.good("cat \"$IPAI_SANDBOX_TOOLS\"/journal/backup.service"), "broken\n");
    world.good("systemctl reset-failed backup.service");
    assert_eq!(show(&world, properties, "backup.service"), well);
}

#[test]
fn a_changed_file_counts_from_the_next_reload_on() {
    let world = backup();
    let stale = |unit| show(&world, "NeedDaemonReload", unit);
    world.good("systemctl enable --now backup.timer");
    world.write("etc/systemd/system/backup.timer", &TIMER.replace("daily", "weekly"));
    world.write("etc/systemd/system/backup.service", "[Service]\nExecStart=/bin/true\n");
    assert_eq!(stale("backup.timer"), "NeedDaemonReload=yes");
    assert_eq!(stale("backup.service"), "NeedDaemonReload=no", "it was not in memory");
    world.good("systemctl daemon-reload");
    assert_eq!(stale("backup.timer"), "NeedDaemonReload=no");
    fs::remove_file(world.host().root().join("etc/systemd/system/backup.timer")).unwrap();
    assert_eq!(
        show(&world, "LoadState,ActiveState,NeedDaemonReload", "backup.timer"),
        "LoadState=loaded ActiveState=active NeedDaemonReload=yes"
    );
}

#[test]
fn units_that_systemd_would_refuse_do_not_start() {
    let world = World::new();
    world.write("etc/systemd/system/lonely.timer", TIMER);
    let lonely = world.script("systemctl start lonely.timer");
    assert!(lonely.status == 1 && lonely.err.contains("Job for lonely.timer failed"), "{lonely:?}");
    world.write("etc/systemd/system/mnt-data.mount", "[Mount]\nWhat=/dev/sda\nWhere=/mnt/other\n");
    let bad = world.script("systemctl start mnt-data.mount");
    assert!(bad.status == 1 && bad.err.contains("has a bad unit file setting"), "{bad:?}");
    world.write("etc/systemd/system/mnt-data.mount", "[Mount]\nWhat=/dev/sda\nWhere=/mnt/data\n");
    world.good("systemctl start mnt-data.mount");
    assert_eq!(show(&world, "SubState", "mnt-data.mount"), "SubState=mounted");
    world.good("ln -s /dev/null etc/systemd/system/off.service");
    assert_eq!(world.script("systemctl start off").status, 1);
    assert_eq!(world.script("systemctl is-enabled off").out, "masked\n");
}

#[test]
fn only_what_is_up_is_restarted_by_try_restart() {
    let world = World::new();
    world.write("etc/systemd/system/web.service", "[Service]\nExecStart=/bin/sleep 1\n");
    world.good("systemctl try-restart web");
    assert_eq!(world.script("systemctl is-active web").status, 3);
    world.good("systemctl start web && systemctl try-restart web");
    assert_eq!(show(&world, "SubState", "web"), "SubState=running");
    let faults = ToolFaults { failing_units: vec!["web.service".into()], ..ToolFaults::default() };
    faults.save(world.host().base()).unwrap();
    assert_eq!(world.script("systemctl try-restart web").status, 1);
    assert_eq!(world.good("systemctl is-failed web"), "failed\n");
}

#[test]
fn a_host_without_systemd_says_so() {
    let world = World::new();
    let faults = ToolFaults { systemd_absent: true, ..ToolFaults::default() };
    faults.save(world.host().base()).unwrap();
    let said = world.script("systemctl daemon-reload");
    assert_eq!(said.status, 1);
    assert!(said.err.starts_with("System has not been booted with systemd"), "{said:?}");
}
