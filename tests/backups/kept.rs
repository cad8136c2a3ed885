//! A stack whose data is kept, on a simulated host.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ipai_simulator::hosts::HostFaults;
use ipai_simulator::tools::ToolFaults;

use crate::common::{Ran, World};

pub(crate) struct Kept {
    pub(crate) world: World,
}

impl Kept {
    /// Applied, and empty.
    pub(crate) fn new() -> Self {
        Self::named("shop")
    }

    /// The same under another name.
    pub(crate) fn named(name: &str) -> Self {
        let world = World::new();
        let text = include_str!("../stacks/kept/stack.toml");
        world.write(
            "stack.toml",
            &text.replacen("name = \"shop\"", &format!("name = \"{name}\""), 1),
        );
        world.write("compose.yaml", include_str!("../stacks/kept/compose.yaml"));
        world.apply();
        Self { world }
    }

    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.world.run(words)
    }

    fn docker(&self, droplet: u64, words: &[&str], input: &str) -> String {
        let host = self.world.hosts.folder(droplet);
        let mut command = Command::new(self.world.scratch.path().join("cloud/bin/docker"));
        command.args(words).env_clear().envs(host.environment("deploy"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn sql(&self, droplet: u64, database: &str, sql: &str) -> String {
        let label = "label=com.docker.compose.service=postgres";
        let id = self.docker(droplet, &["ps", "-q", "--no-trunc", "--filter", label], "");
        self.docker(
            droplet,
            &[
                "exec",
                "-i",
                id.trim(),
                "psql",
                "-X",
                "-q",
                "-A",
                "-t",
                "-U",
                "postgres",
                "-d",
                database,
            ],
            sql,
        )
    }

    /// Puts a row into each database and a text into each folder.
    pub(crate) fn fill(&self, text: &str) {
        let droplet = self.world.droplet();
        for (database, role) in [("app_db", "app"), ("notes_db", "notes")] {
            let there = self.sql(
                droplet,
                "postgres",
                &format!("SELECT datname FROM pg_database WHERE datname IN ('{database}');\n"),
            );
            if there.trim().is_empty() {
                self.sql(
                    droplet,
                    "postgres",
                    &format!("CREATE DATABASE \"{database}\" OWNER \"{role}\";\n"),
                );
            }
            self.sql(droplet, database, &format!("INSERT INTO notes VALUES ('{text}');\n"));
        }
        for volume in ["app-data", "notes-data", "proxy-data"] {
            fs::write(self.folder(volume).join("file"), text).unwrap();
        }
        assert_eq!(self.rows("app_db").last().unwrap(), text);
        fs::write(self.world.host_path("/opt/ipai/shop/uploads/file"), text).unwrap();
    }

    pub(crate) fn folder(&self, volume: &str) -> PathBuf {
        let name = format!("shop_{volume}");
        let path = self.docker(
            self.world.droplet(),
            &["volume", "inspect", "--format", "{{.Mountpoint}}", &name],
            "",
        );
        PathBuf::from(path.trim())
    }

    pub(crate) fn file(&self, volume: &str) -> String {
        fs::read_to_string(self.folder(volume).join("file")).unwrap()
    }

    pub(crate) fn rows(&self, database: &str) -> Vec<String> {
        self.rows_on(self.world.droplet(), database, "notes")
    }

    pub(crate) fn rows_on(&self, droplet: u64, database: &str, table: &str) -> Vec<String> {
        let text = self.sql(droplet, database, &format!("SELECT * FROM {table};\n"));
        text.lines().map(str::to_owned).collect()
    }

    /// All of it is as `fill` left it when it was called with this text alone.
    #[track_caller]
    pub(crate) fn holds(&self, text: &str) {
        for database in ["app_db", "notes_db"] {
            assert_eq!(self.rows(database), [text], "{database}");
        }
        for volume in ["app-data", "notes-data", "proxy-data"] {
            assert_eq!(self.file(volume), text, "{volume}");
        }
        assert_eq!(
            fs::read_to_string(self.world.host_path("/opt/ipai/shop/uploads/file")).unwrap(),
            text
        );
    }

    #[track_caller]
    pub(crate) fn everything_runs(&self) {
        let list = self.docker(
            self.world.droplet(),
            &["ps", "-a", "--format", "{{.Label \"com.docker.compose.service\"}} {{.State}}"],
            "",
        );
        let mut lines: Vec<&str> = list.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["app running", "notes running", "postgres running", "proxy running"]);
    }

    /// The same as an answer.
    pub(crate) fn is_running(&self) -> bool {
        let list = self.docker(self.world.droplet(), &["ps", "-a", "--format", "{{.State}}"], "");
        list.lines().count() == 4 && list.lines().all(|line| line == "running")
    }

    /// Whether nothing of a restore or of a backup is left.
    pub(crate) fn is_clean(&self) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.nothing_lies_beside()))
            .is_ok()
    }

    /// The id of the newest backup.
    pub(crate) fn newest(&self) -> String {
        let listed: serde_json::Value =
            serde_json::from_str(&self.run(&["backups", "--json"]).expect(0).out).unwrap();
        listed["backups"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Nothing of a restore is left: no database, folder or journal beside what is there.
    #[track_caller]
    pub(crate) fn nothing_lies_beside(&self) {
        let names =
            self.sql(self.world.droplet(), "postgres", "SELECT datname FROM pg_database;\n");
        assert!(!names.contains("__ipai"), "{names}");
        let beside = |path: &Path| {
            fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .any(|name| name.contains(".ipai-"))
        };
        assert!(!beside(self.folder("app-data").parent().unwrap()));
        assert!(!beside(&self.world.host_path("/opt/ipai/shop")));
        assert!(!self.world.host_path("/var/lib/ipai/shop/backup/journal").exists());
        assert!(!self.world.host_path("/var/lib/ipai/shop/backup/stopped").exists());
    }

    fn repository(&self) -> PathBuf {
        self.world.scratch.path().join("cloud/objects/objects.example.com/kept")
    }

    pub(crate) fn snapshots(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.repository().join("data")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Leaves a lock of a restic that was killed, or of one that lives.
    pub(crate) fn lock_repository(&self, dead: bool) {
        let pid = if dead { i32::MAX.unsigned_abs() } else { std::process::id() };
        let lock = serde_json::json!({
            "time": "2026-11-24T00:00:00Z", "exclusive": true, "hostname": "h", "username": "root", "pid": pid,
        });
        let folder = self.repository().join("locks");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a".repeat(64)), lock.to_string()).unwrap();
    }

    /// `df` says from now on that nothing is left.
    pub(crate) fn full_disk(&self) {
        let path = self.world.scratch.path().join("cloud/bin/df");
        fs::write(&path, "#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted\necho /dev/vda1 100 100 0 100% /\n").unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Changes one byte of everything that the repository keeps.
    pub(crate) fn damage_repository(&self) {
        self.damage_newest(&[]);
    }

    /// Changes one byte of every file that was added to the repository since.
    pub(crate) fn damage_newest(&self, before: &[PathBuf]) {
        let mut folders: Vec<PathBuf> =
            self.snapshots().into_iter().filter(|path| !before.contains(path)).collect();
        assert!(!folders.is_empty());
        while let Some(path) = folders.pop() {
            if path.is_dir() {
                folders.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let mut bytes = fs::read(&path).unwrap();
                if let Some(byte) = bytes.first_mut() {
                    *byte ^= 0x55;
                    fs::write(&path, bytes).unwrap();
                }
            }
        }
    }

    /// From its next start on, what runs this image never gets well.
    pub(crate) fn make_ill(&self, image: &str) {
        let faults = ToolFaults { unhealthy: vec![image.to_owned()], ..ToolFaults::default() };
        faults.save(self.world.host().base()).unwrap();
    }

    /// The image that a service's container has.
    pub(crate) fn image(&self, service: &str) -> String {
        let label = format!("label=com.docker.compose.service={service}");
        let id = self.docker(
            self.world.droplet(),
            &["ps", "-a", "-q", "--no-trunc", "--filter", &label],
            "",
        );
        self.docker(
            self.world.droplet(),
            &["inspect", "--format", "{{.Image}} {{.Config.Image}}", id.trim()],
            "",
        )
        .trim()
        .to_owned()
    }

    /// The droplet's machine goes silent; the droplet itself is still there.
    pub(crate) fn silence(&self, id: u64) {
        let faults = HostFaults { refuse_connections: true, ..HostFaults::default() };
        self.world.runtime.block_on(self.world.hosts.set_faults(id, faults)).unwrap();
    }

    /// Somebody deletes the droplet behind ipai's back.
    pub(crate) fn lose_droplet(&self) {
        let id = self.world.droplet();
        self.world.runtime.block_on(self.world.cloud().delete_droplet(id)).unwrap();
    }
}
