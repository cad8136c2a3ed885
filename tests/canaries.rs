//! Every secret of the stack that ships is a marker, and so are the tokens and the age identity. Whatever ipai does with
//! them (a first apply, an update, a deploy that fails and whose log tells them, a rotation, a killed run), no marker
//! shows where it does not belong: not in what is printed, saved or sent, not in a process's arguments or environment,
//! not in a file that others can read, not for an instant.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod secret_life;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use common::{Ran, World};
use ipai_simulator::tools::ToolFaults;
use secret_life::{fed, ops, secret};

/// A world full of markers, and what was seen of them.
struct Canaries {
    world: World,
    /// In every marker, so that worlds side by side do not see each other's.
    tag: String,
    /// What each marker stands for.
    markers: Mutex<BTreeMap<String, String>>,
    /// Processes of ipai itself, whose environment may hold tokens.
    own: Mutex<BTreeSet<u32>>,
    hits: Mutex<BTreeSet<String>>,
}

impl Canaries {
    fn new() -> Self {
        let world = ops();
        world.edit("stack.toml", "smtp_host = \"\"", "smtp_host = \"mail.example.com\"");
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let canaries = Self {
            world,
            tag: format!("{:07}{count}", std::process::id()),
            markers: Mutex::default(),
            own: Mutex::default(),
            hits: Mutex::default(),
        };
        let listed = canaries.world.run(&["secrets", "list"]).expect(0).out;
        let names: Vec<&str> =
            listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        for (index, name) in names.into_iter().enumerate() {
            let outside = ["smtp_password", "spaces_key", "spaces_secret"];
            if !name.ends_with("_hash") && !outside.contains(&name) {
                let marker = format!("Canary{index:02}Vq7Tn3vXzL0pBw2YkRj5{}", canaries.tag);
                let set = fed(canaries.world.command(&["secrets", "set", name]), &marker);
                set.expect(0);
                canaries.mark(name, &marker);
            }
        }
        canaries.world.run(&["secrets", "generate"]).expect(0);
        canaries.mark("hash", &secret(&canaries.world, "n8n_owner_password_hash"));
        for (_, name, value) in canaries.outside() {
            canaries.mark(name, &value);
        }
        let keys = canaries.world.home().join(".config/sops/age/keys.txt");
        let keys = std::fs::read_to_string(keys).unwrap();
        canaries.mark("age identity", keys.lines().find(|line| line.starts_with("AGE-")).unwrap());
        let key = std::fs::read_to_string(canaries.world.home().join("key")).unwrap();
        canaries.mark("SSH key", key.lines().nth(2).unwrap());
        canaries
    }

    fn mark(&self, name: &str, value: &str) {
        assert!(value.len() > 16, "{name}");
        self.markers.lock().unwrap().insert(value.to_owned(), name.to_owned());
    }

    fn search(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for (marker, name) in self.markers.lock().unwrap().iter() {
            // What a URL or JSON does to a marker does not hide it.
            if text.contains(marker.as_str()) || text.contains(&marker.replace('$', "%24")) {
                self.hits.lock().unwrap().insert(format!("{name} in {place}"));
            }
        }
    }

    /// Secrets that come from the environment: the variable, what it is, its value.
    fn outside(&self) -> [(&'static str, &'static str, String); 5] {
        [
            ("DIGITALOCEAN_TOKEN", "DigitalOcean token", format!("canary-do-9f8e7d6c{}", self.tag)),
            ("CLOUDFLARE_API_TOKEN", "Cloudflare token", format!("canary-cf-1a2b3c4d{}", self.tag)),
            ("SMTP_PASSWORD", "smtp_password", format!("CanarySmtpVq7Tn3vXzL0p{}", self.tag)),
            ("SPACES_ACCESS_KEY_ID", "spaces_key", format!("CanarySpKeyVq7Tn3vXz{}", self.tag)),
            (
                "SPACES_SECRET_ACCESS_KEY",
                "spaces_secret",
                format!("CanarySpSecVq7Tn3vX{}", self.tag),
            ),
        ]
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        command.env("IPAI_LOG", "trace").env("IPAI_LOG_PATH", self.log());
        command.envs(self.outside().map(|(variable, _, value)| (variable, value)));
        command
    }

    /// All that is logged, of every run.
    fn log(&self) -> PathBuf {
        self.world.scratch.path().join("trace.log")
    }

    fn spawn(&self, mut command: Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Held until the process is known as ours, lest its environment is taken for a leak.
        let mut own = self.own.lock().unwrap();
        let child = command.spawn().unwrap();
        own.insert(child.id());
        child
    }

    /// Runs the program and searches everything it says.
    fn run(&self, arguments: &[&str]) -> Ran {
        let command = self.command(arguments);
        let ran: Ran = self.spawn(self.command(arguments)).wait_with_output().unwrap().into();
        let again = |plan| self.spawn(plan).wait_with_output().unwrap().into();
        let ran = common::settled_by(&command, ran, again);
        self.search(&format!("the output of {arguments:?}"), ran.all().as_bytes());
        ran
    }

    /// Looks again and again at every process and at the host's files while `then` runs.
    fn watched(&self, then: impl FnOnce()) {
        /// Ends the looking when `then` has failed, too.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let look = |look: fn(&Self)| {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        look(self);
                        std::thread::sleep(Duration::from_millis(2));
                    }
                })
            };
            let looking = [look(Self::processes), look(Self::host_files)];
            let end = Over(&over);
            then();
            drop(end);
            looking.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    /// The arguments of every process, and the environment of every one that is not ipai itself. The simulated hosts
    /// run their programs on this machine, so theirs are among them.
    fn processes(&self) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let read = |what: &str| std::fs::read(entry.path().join(what)).unwrap_or_default();
            let arguments = read("cmdline");
            self.search(&format!("the arguments of `{}`", shown(&arguments)), &arguments);
            // What opens the repository of the backups is restic's to know, and root's.
            if shown(&arguments).contains("restic") {
                continue;
            }
            let own = self.own.lock().unwrap();
            if !own.contains(&id) && id != std::process::id() && !is_being_started(id, &own) {
                self.search(
                    &format!("the environment of `{}`", shown(&arguments)),
                    &read("environ"),
                );
            }
        }
    }

    /// Files on the host that others can read.
    fn host_files(&self) {
        for id in self.world.droplets() {
            let root = self.world.hosts.folder(id).root();
            self.files(&root, &|mode| mode & 0o004 != 0);
        }
    }

    fn files(&self, folder: &Path, readable: &dyn Fn(u32) -> bool) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
            if found.is_dir() {
                self.files(&path, readable);
            } else if found.is_file() && readable(found.permissions().mode()) {
                let bytes = std::fs::read(&path).unwrap_or_default();
                // A file may have become private between the look at its mode and the reading of it.
                let still = std::fs::symlink_metadata(&path)
                    .is_ok_and(|now| readable(now.permissions().mode()));
                if still {
                    self.search(&path.display().to_string(), &bytes);
                }
            }
        }
    }

    /// What stays when all is over: the stack's folder, the cloud's world, what was sent to the vendors.
    fn remains(&self) {
        self.files(&self.world.stack(), &|_| true);
        let folder = self.world.scratch.path();
        let log = std::fs::read_to_string(self.log()).unwrap();
        self.search("the log", log.as_bytes());
        for told in ["vendor=digitalocean method=POST", "vendor=cloudflare", " exec ", " TRACE "] {
            assert!(log.contains(told), "the log is not told of {told}, so it proves nothing");
        }
        for plan in ["first.plan", "second.plan"] {
            self.search(plan, &std::fs::read(folder.join(plan)).unwrap_or_default());
        }
        self.search("the cloud's world", self.world.cloud().snapshot().to_string().as_bytes());
        for exchange in self.world.cloud().log() {
            let place = format!("a request: {} {}", exchange.method, exchange.path);
            self.search(&place, format!("{exchange:?}").as_bytes());
        }
    }

    fn faults(&self, faults: &ToolFaults) {
        faults.save(self.world.host().base()).unwrap();
    }

    #[track_caller]
    fn expect_no_hit(&self) {
        let hits = self.hits.lock().unwrap();
        assert!(
            hits.is_empty(),
            "secrets where none belongs:\n{}",
            hits.iter().cloned().collect::<Vec<_>>().join("\n")
        );
    }
}

/// Tells whether a process has just been forked off one of ours and is still its image: what it will run, and with which
/// environment, is not decided yet.
fn is_being_started(id: u32, own: &BTreeSet<u32>) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, which may hold anything, ends with the last parenthesis; state and parent follow (proc_pid_stat(5)).
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let parent = after.split_whitespace().nth(1).and_then(|parent| parent.parse::<u32>().ok());
    let program = |id: u32| std::fs::read_link(format!("/proc/{id}/exe")).ok();
    parent.is_some_and(|parent| own.contains(&parent) && program(id) == program(parent))
}

fn shown(arguments: &[u8]) -> String {
    String::from_utf8_lossy(arguments).replace('\0', " ").chars().take(60).collect()
}

#[test]
fn no_secret_is_seen_where_it_does_not_belong_through_a_whole_life() {
    let canaries = Canaries::new();
    let folder = canaries.world.scratch.path().to_owned();
    let plan = |name: &str| folder.join(name).display().to_string();
    canaries.watched(|| {
        first_apply(&canaries, &plan("first.plan"));
        update(&canaries, &plan("second.plan"));
        failed_deploy(&canaries);
        rotation(&canaries);
        killed_run(&canaries);
        refusals(&canaries);
    });
    canaries.remains();
    canaries.expect_no_hit();
}

fn first_apply(canaries: &Canaries, plan: &str) {
    canaries.run(&["validate", "-v"]).expect(0);
    canaries.run(&["plan", "-v", "--out", plan]).expect(0);
    canaries.run(&["show", "-v", plan]).expect(0);
    canaries.run(&["plan", "--json"]).expect(0);
    canaries.run(&["apply", "-v", plan]).expect(0);
    canaries.run(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    canaries.run(&["status", "--json"]).expect(0);
}

fn update(canaries: &Canaries, plan: &str) {
    canaries.world.edit("caddy/Caddyfile", "encode zstd gzip", "encode gzip");
    canaries.world.edit(
        "env/n8n.env",
        "DB_POSTGRESDB_PASSWORD",
        "# edited\nDB_POSTGRESDB_PASSWORD",
    );
    canaries.run(&["plan", "-v", "--out", plan]).expect(0);
    canaries.run(&["apply", "--json", plan]).expect(0);
}

/// What is ill would be seen in the backup before the change already.
const WITHOUT: &str = "--without-backup=mattermost";

/// A service that does not get well, and whose log holds every secret.
fn failed_deploy(canaries: &Canaries) {
    let markers = canaries.markers.lock().unwrap().clone();
    // The operator's own keys are nowhere near a host, so no log of one can hold them.
    let known = markers
        .into_iter()
        .filter(|(_, name)| !["age identity", "SSH key"].contains(&name.as_str()));
    let all: Vec<String> = known.map(|(marker, _)| marker).collect();
    // The last twenty lines are shown.
    let lines: Vec<String> = all.chunks(2).map(|two| two.join(", or ")).collect();
    let log = format!("FATAL: cannot connect with {}", lines.join("\nand with "));
    canaries.faults(&ToolFaults {
        unhealthy: vec!["mattermost".into()],
        logs: [("mattermost".to_owned(), log)].into(),
        ..ToolFaults::default()
    });
    canaries.world.edit("stack.toml", "team-edition:11.7.11", "team-edition:11.7.9");
    canaries.world.edit("stack.toml", "timeout = \"20m\"", "timeout = \"2s\"");
    let failed = canaries.run(&["apply", "-v", "--auto-approve", WITHOUT]).expect(1);
    failed.says("mattermost").says("FATAL: cannot connect").says("(sensitive value)");
    canaries.run(&["apply", "--json", "--auto-approve", WITHOUT]).expect(1);
    canaries.run(&["status"]).expect(1);
    canaries.faults(&ToolFaults::default());
    canaries.world.edit("stack.toml", "timeout = \"2s\"", "timeout = \"20m\"");
    canaries.run(&["apply", "-v", "--auto-approve"]).expect(0);
}

fn rotation(canaries: &Canaries) {
    for name in ["mattermost_db_password", "n8n_owner_password", "postgres_password"] {
        canaries.run(&["secrets", "rotate", name, "-v"]).expect(0);
        canaries.mark(name, &secret(&canaries.world, name));
    }
    canaries.mark("hash", &secret(&canaries.world, "n8n_owner_password_hash"));
    canaries.run(&["plan", "-v"]).expect(0).says("(sensitive value)");
    canaries.run(&["plan", "--json"]).expect(0);
    canaries.run(&["apply", "-v", "--auto-approve"]).expect(0);
}

fn killed_run(canaries: &Canaries) {
    canaries.run(&["secrets", "rotate", "superset_db_password"]).expect(0);
    canaries.mark("superset_db_password", &secret(&canaries.world, "superset_db_password"));
    let mut child = canaries.spawn(canaries.command(&["apply", "-v", "--auto-approve"]));
    std::thread::sleep(Duration::from_millis(350));
    let _ = child.kill();
    let ran: Ran = child.wait_with_output().unwrap().into();
    canaries.search("the output of a killed run", ran.all().as_bytes());
    canaries.run(&["unlock", "--yes"]);
    canaries.run(&["apply", "-v", "--auto-approve"]).expect(0);
    canaries.run(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
}

/// What goes wrong is told, and with what is not.
fn refusals(canaries: &Canaries) {
    for name in ["DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN"] {
        let token = "invalid-canary-5f4e3d2c1b0a";
        canaries.mark("invalid token", token);
        for arguments in [&["plan", "-v"][..], &["doctor"], &["doctor", "--json"]] {
            let mut command = canaries.command(arguments);
            command.env(name, token);
            let ran: Ran = canaries.spawn(command).wait_with_output().unwrap().into();
            canaries.search("a refusal", ran.expect(1).all().as_bytes());
        }
    }
    canaries.world.edit(
        "env/n8n.env",
        "{{ secret.n8n_db_password }}",
        "{{ secret.n8n_db_password | int }}",
    );
    canaries.run(&["plan", "-v"]).expect(1).says("Template error");
    canaries.world.edit("env/n8n.env", " | int }}", " }}");
    canaries.run(&["secrets", "list", "-v"]).expect(0);
    canaries.run(&["secrets", "audit", "-v"]).expect(0);
    canaries.run(&["doctor", "-v"]).expect(0);
    canaries.run(&["destroy", "-v", "--auto-approve"]).expect(1);
}

/// The nets catch: in each place that is searched, a secret that is put there is found.
#[test]
fn a_secret_in_any_of_the_places_that_are_searched_is_found() {
    let canaries = Canaries::new();
    let marker = secret(&canaries.world, "postgres_password");
    canaries.run(&["apply", "--auto-approve"]).expect(0);
    canaries.expect_no_hit();
    let found = |place: &str| {
        let mut hits = canaries.hits.lock().unwrap();
        assert!(
            hits.iter().any(|hit| hit.starts_with("postgres_password in ") && hit.contains(place)),
            "{place}: {hits:?}"
        );
        hits.clear();
    };
    canaries.run(&["secrets", "get", "postgres_password", "--reveal"]).expect(0);
    found("the output of");
    for (what, place) in [("arguments", "the arguments of"), ("environment", "the environment of")]
    {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("60");
        if what == "arguments" {
            sleeper = Command::new("sh");
            sleeper.args(["-c", "sleep 60; true", &marker]);
        } else {
            sleeper.env("PGPASSWORD", &marker);
        }
        let mut child = sleeper.spawn().unwrap();
        canaries.watched(|| std::thread::sleep(Duration::from_millis(300)));
        child.kill().unwrap();
        child.wait().unwrap();
        found(place);
    }
    let leak = canaries.world.host_path("/opt/ipai/ops/caddy/leak");
    std::fs::write(&leak, &marker).unwrap();
    std::fs::set_permissions(&leak, std::fs::Permissions::from_mode(0o644)).unwrap();
    canaries.watched(|| std::thread::sleep(Duration::from_millis(300)));
    found("caddy/leak");
    std::fs::remove_file(leak).unwrap();
    for (file, place) in [
        (canaries.world.stack().join("notes"), "notes"),
        (canaries.world.scratch.path().join("first.plan"), "first.plan"),
    ] {
        std::fs::write(&file, &marker).unwrap();
        canaries.remains();
        std::fs::remove_file(file).unwrap();
        found(place);
    }
    let body = serde_json::json!({"type": "TXT", "name": "x.example.com", "content": format!("\"{marker}\"")});
    canaries.world.cloud().add_foreign_record("example.com", body).unwrap();
    canaries.remains();
    found("the cloud's world");
}

/// What the sandbox keeps between commands is for its owner alone, its secret file is encrypted.
#[test]
fn the_sandbox_keeps_its_secrets_to_its_owner() {
    let scratch = tempfile::TempDir::new().unwrap();
    let stack = scratch.path().join("ops");
    common::copy_folder(&common::repository().join("stacks/ops"), &stack);
    let run = |arguments: &[&str]| -> Ran {
        let mut command = common::ipai(scratch.path());
        command.arg("-C").arg(&stack).arg("--sandbox").args(arguments);
        common::run(command)
    };
    run(&["apply", "--auto-approve"]).expect(0);
    let value = run(&["secrets", "get", "postgres_password", "--reveal"]).expect(0).out;
    let folder = stack.join(".ipai/sandbox");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["identity.txt", "id_ed25519"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    let outside: Vec<PathBuf> = ["secrets.toml", "world.json"].map(|file| folder.join(file)).into();
    for file in outside {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(value.trim_end()), "{}", file.display());
    }
}
