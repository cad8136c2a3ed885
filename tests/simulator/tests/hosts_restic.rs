//! `restic` of a host, through its link.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use hosts_support::{Said, World};
use ipai_simulator::tools::ToolFaults;
use serde_json::Value;

const ENVIRONMENT: &str = "export RESTIC_REPOSITORY=/srv/restic RESTIC_PASSWORD=secret-word; ";

struct Backups(World);

impl Backups {
    /// A host with a repository and some files.
    fn new() -> Self {
        let backups = Self(World::new());
        backups.0.write("opt/app/a.txt", "alpha alpha alpha");
        backups.0.write("opt/app/deep/b.bin", "beta");
        backups.0.write("opt/app/deep/c.tmp", "temporary");
        backups
            .0
            .good("ln -s a.txt opt/app/link; chmod 0640 opt/app/a.txt; chmod 0711 opt/app/deep");
        backups.0.good(
            "chown 999:998 opt/app/a.txt; touch -d 2020-01-02T03:04:05Z opt/app/a.txt opt/app/deep",
        );
        backups.good("restic init");
        backups
    }

    fn script(&self, script: &str) -> Said {
        self.0.script(&format!("{ENVIRONMENT}{script}"))
    }

    fn good(&self, script: &str) -> String {
        self.0.good(&format!("{ENVIRONMENT}{script}"))
    }

    fn json(&self, script: &str) -> Value {
        serde_json::from_str(&self.good(script)).unwrap()
    }

    /// Backs up at a time, and returns the snapshot's id.
    fn at(&self, time: &str) -> String {
        let summary = self.json(&format!("restic backup --json -q --time '{time}' /opt/app"));
        summary["snapshot_id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn every_failure_has_the_exit_status_that_scripts_ask_for() {
    let backups = Backups::new();
    for (script, status, said) in [
        ("restic -r /nowhere cat config", 10, "Is there a repository at the following location?"),
        ("RESTIC_PASSWORD=wrong restic cat config", 12, "wrong password or no key found"),
        ("RESTIC_PASSWORD= restic cat config", 1, "an empty password"),
        ("restic init", 1, "config file already exists"),
        ("restic -r sftp:x:/y snapshots", 1, "unable to open repository"),
        ("restic -r s3:https://x snapshots", 1, "no bucket"),
        ("restic backup /nope /opt/app", 3, "lstat /nope: no such file or directory"),
        ("restic backup /nope", 1, "all source directories/files do not exist"),
        ("restic dump latest /nope", 1, "not found in snapshot"),
        ("restic restore abcdef --target /tmp/x", 1, "no matching ID found"),
        ("restic forget", 1, "no policy was specified"),
        ("restic wat", 1, "unknown command"),
    ] {
        let answer = backups.script(script);
        assert_eq!(answer.status, status, "{script}: {answer:?}");
        assert!(answer.err.contains(said), "{script}: {answer:?}");
    }
    let json = backups.script("restic cat config --json -r /nowhere").err;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["message_type"], &json["code"]), (&"exit_error".into(), &10.into()));
    backups.0.write("etc/pw", "secret-word\n");
    backups.good("unset RESTIC_PASSWORD; RESTIC_PASSWORD_FILE=/etc/pw restic cat config");
    assert!(backups.good("restic version").starts_with("restic 0.18.0 "));
    let faults = ToolFaults { restic_absent: true, ..ToolFaults::default() };
    faults.save(backups.0.host().base()).unwrap();
    assert_eq!(backups.script("restic version").status, 127);
}

#[test]
fn a_restored_folder_is_what_was_saved() {
    let backups = Backups::new();
    let line = "restic --no-cache backup --json --quiet --retry-lock 5m --host web --tag a,b \
                --exclude '*.tmp' \"$IPAI_ROOT/opt/app\" -o s3.connections=2";
    let summary = backups.json(line);
    assert_eq!(summary["message_type"], "summary");
    assert_eq!((&summary["files_new"], &summary["data_added"]), (&3.into(), &21.into()));
    assert_eq!(summary["total_bytes_processed"], 21);
    let again = backups.json(line);
    assert_eq!((&again["files_unmodified"], &again["data_added"]), (&3.into(), &0.into()));

    let id = summary["snapshot_id"].as_str().unwrap();
    backups.good(&format!("restic restore {id}:/opt/app --target /tmp/back"));
    let root = backups.0.host().root();
    let (before, after) = (root.join("opt/app"), root.join("tmp/back"));
    assert_eq!(fs::read(after.join("a.txt")).unwrap(), b"alpha alpha alpha");
    assert_eq!(fs::read_link(after.join("link")).unwrap().to_str(), Some("a.txt"));
    assert!(!after.join("deep/c.tmp").exists(), "left out");
    for path in ["a.txt", "deep", "deep/b.bin"] {
        let (old, new) =
            (before.join(path).metadata().unwrap(), after.join(path).metadata().unwrap());
        assert_eq!(
            (old.mode(), old.modified().unwrap()),
            (new.mode(), new.modified().unwrap()),
            "{path}"
        );
    }
    assert_eq!(backups.good("stat -c %u:%g tmp/back/a.txt"), "999:998\n");
    backups.good("restic restore latest --target /tmp/whole");
    assert!(root.join("tmp/whole/opt/app/deep/b.bin").exists());
    assert_eq!(backups.good("restic dump latest /opt/app/deep/b.bin"), "beta");
    let listed = backups.good("restic ls latest -q");
    assert_eq!(
        listed,
        "/opt/app\n/opt/app/a.txt\n/opt/app/deep\n/opt/app/deep/b.bin\n/opt/app/link\n"
    );
    // Nothing of it lies in plain in the repository.
    assert_eq!(backups.script("grep -r 'alpha alpha' srv/restic").status, 1);
}

#[test]
fn snapshots_are_found_by_tag_host_and_id() {
    let backups = Backups::new();
    backups.good("restic backup -q --host web --tag nightly /opt/app");
    backups.good("restic backup -q --host db --tag manual --tag extra /opt/app");
    let count = |script: &str| backups.json(script).as_array().unwrap().len();
    assert_eq!(count("restic snapshots --json"), 2);
    assert_eq!(count("restic snapshots --json --tag nightly"), 1);
    assert_eq!(count("restic snapshots --json --tag manual,extra --host db"), 1);
    assert_eq!(count("restic snapshots --json --host db --tag nightly"), 0);
    let latest = backups.json("restic --json snapshots latest");
    assert_eq!((&latest[0]["hostname"], &latest[0]["tags"][1]), (&"db".into(), &"extra".into()));
    assert_eq!(latest[0]["paths"][0], "/opt/app");
    let short = latest[0]["short_id"].as_str().unwrap();
    assert_eq!(backups.json(&format!("restic snapshots {short} --json"))[0]["id"], latest[0]["id"]);
    assert_eq!(backups.json("restic stats --json latest")["snapshots_count"], 1);
}

#[test]
fn forgetting_keeps_what_the_policy_names() {
    let backups = Backups::new();
    let times = [
        "2026-01-01 01:00:00",
        "2026-01-01 02:00:00",
        "2026-01-02 01:00:00",
        "2026-02-03 01:00:00",
    ];
    let ids = times.map(|time| backups.at(time));
    let line = "restic forget --json --prune --keep-daily 2 --keep-monthly 2";
    let groups = backups.json(line);
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&groups[0]["keep"]), [&*ids[3], &*ids[2]]);
    assert_eq!(names(&groups[0]["remove"]), [&*ids[1], &*ids[0]]);
    assert!(backups.json(line)[0]["remove"].is_null());
    backups.good(&format!("restic forget {}", &ids[2][..8]));
    assert_eq!(backups.json("restic snapshots --json").as_array().unwrap().len(), 1);
    let data = || fs::read_dir(backups.0.host().root().join("srv/restic/data")).unwrap().count();
    backups.0.write("opt/app/new", "1");
    let fresh = backups.at("2026-03-01 01:00:00");
    assert_eq!(data(), 2);
    backups.good(&format!("restic forget --prune {fresh}"));
    assert_eq!(data(), 1);
}

#[test]
fn one_changed_byte_is_found_when_the_data_is_read() {
    let backups = Backups::new();
    backups.good("restic backup -q /opt/app && restic check --read-data");
    let data = backups.0.host().root().join("srv/restic/data");
    let tree = fs::read_dir(data).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(tree.join("1")).unwrap();
    bytes[3] ^= 1;
    fs::write(tree.join("1"), &bytes).unwrap();
    backups.good("restic check");
    for line in ["check --read-data", "check --read-data-subset=5%", "dump latest /opt/app/a.txt"] {
        assert_eq!(backups.script(&format!("restic {line}")).status, 1, "{line}");
    }
    let restored = backups.script("restic restore latest --target /tmp/x");
    assert!(restored.status == 1 && restored.err.contains("There were 1 errors"), "{restored:?}");
    fs::remove_file(tree.join("1")).unwrap();
    assert_eq!(backups.script("restic check").status, 1, "a missing file is seen without reading");
}

#[test]
fn a_lock_stands_in_the_way_until_it_is_stale() {
    let backups = Backups::new();
    let lock = |pid: u32, exclusive: bool| {
        let text = format!(
            "{{\"time\":\"x\",\"exclusive\":{exclusive},\"hostname\":\"h\",\"username\":\"u\",\"pid\":{pid}}}"
        );
        backups.0.write("srv/restic/locks/abcdefgh12", &text);
    };
    lock(std::process::id(), true);
    let said = backups.script("restic backup /opt/app");
    assert_eq!(said.status, 11);
    assert!(said.err.contains("already locked exclusively by PID"), "{said:?}");
    backups.good("restic unlock");
    assert_eq!(backups.script("restic backup /opt/app").status, 11, "its process lives");
    lock(std::process::id(), false);
    backups.good("restic backup -q /opt/app");
    assert_eq!(backups.script("restic forget --keep-last 1").status, 11, "wants it alone");
    lock(i32::MAX.unsigned_abs(), true);
    backups.good("restic unlock && restic forget --keep-last 1");
    lock(std::process::id(), true);
    backups.good("restic unlock --remove-all && restic check");
}
