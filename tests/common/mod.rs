//! A sealed world for tests: a simulator in this process, a stack in a scratch folder, and the real `ipai` program.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "each test file uses its part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ipai_host::host_key::KeyPair;
use ipai_simulator::hosts::{Embedded, HostFolder, Options as HostOptions};
use ipai_simulator::{Limits, Options, Pace, Simulator, WorldHandle};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What a secret of the test stack is; it must never be seen anywhere.
pub const CANARY: &str = "canary-7f3a9c21e5";

pub struct World {
    pub scratch: TempDir,
    pub simulator: Simulator,
    pub hosts: Arc<Embedded>,
    pub runtime: Runtime,
    pub pace_ms: u64,
}

/// What one run of the program printed, and its exit code.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Everything it printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Demands an exit code; shows everything otherwise.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Demands a text in what was printed.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.all().contains(text),
            "missing: {text}\nstdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Demands that a text was not printed.
    #[track_caller]
    pub fn keeps_quiet_about(self, text: &str) -> Self {
        assert!(
            !self.all().contains(text),
            "must not say: {text}\nstdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// The program in a sealed environment: nothing of this machine's comes through.
pub fn ipai(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipai"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end; after a successful apply, whatever the test is about, nothing may be left to do.
#[track_caller]
pub fn run(mut command: Command) -> Ran {
    let ran = command.output().unwrap().into();
    settled(&command, ran)
}

/// Demands an empty plan if that was a successful apply of a whole stack, and counts it.
#[track_caller]
pub fn settled(command: &Command, ran: Ran) -> Ran {
    settled_by(command, ran, |mut plan| plan.output().unwrap().into())
}

/// The same; the plan is run by whoever watches what runs.
#[track_caller]
pub fn settled_by(command: &Command, ran: Ran, run: impl FnOnce(Command) -> Ran) -> Ran {
    let arguments: Vec<&str> = command.get_args().filter_map(|text| text.to_str()).collect();
    let part = arguments.iter().any(|text| text.starts_with("--target"));
    let looks = arguments.contains(&"--dry-run");
    if part || looks || !arguments.contains(&"apply") || !matches!(ran.code, 0 | 2) {
        return ran;
    }
    let mut plan = Command::new(command.get_program());
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    plan.env_clear().envs(variables).stdin(Stdio::null());
    for (at, text) in arguments.iter().enumerate() {
        let valued = at > 0 && matches!(arguments[at - 1], "-C" | "--env" | "--var");
        if valued || matches!(*text, "-C" | "--env" | "--var") || text.starts_with("--sandbox") {
            plan.arg(text);
        }
    }
    plan.args(["plan", "--detailed-exitcode"]);
    let left = run(plan);
    assert_eq!(left.code, 0, "after {arguments:?} something is left to do:\n{}", left.all());
    // One byte each; whoever wants to know how many there were looks at the file's length.
    let counter = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty-plans");
    let mut file = std::fs::File::options().create(true).append(true).open(counter).unwrap();
    file.write_all(b".").unwrap();
    ran
}

/// Replaces a text where it stands first in a file; it must be there.
#[track_caller]
pub fn replace_first(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} lacks {from}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != ".ipai" {
                copy_folder(&entry.path(), &target);
            }
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl World {
    /// A world with the zone example.com and the test stack `shop`, at the simulator's usual pace.
    pub fn new() -> Self {
        Self::with_pace(Pace::prompt())
    }

    pub fn with_pace(pace: Pace) -> Self {
        let scratch = TempDir::new().unwrap();
        let runtime = Runtime::new().unwrap();
        let tool = PathBuf::from(env!("CARGO_BIN_EXE_ipai"));
        let options = HostOptions { folder: scratch.path().join("cloud"), tool, port: 0 };
        let hosts = runtime.block_on(async { Arc::new(Embedded::new(options).unwrap()) });
        let simulator = runtime.block_on(Simulator::start(Options {
            ssh_port: hosts.port(),
            hosts: Some(Arc::clone(&hosts) as Arc<_>),
            pace,
            limits: Limits::none(),
            zones: vec!["example.com".into()],
            record_bodies: true,
            ..Options::default()
        }));
        let world = Self { scratch, simulator: simulator.unwrap(), hosts, runtime, pace_ms: 10 };
        copy_folder(&repository().join("tests/stacks/shop"), &world.stack());
        let pair = KeyPair::from_seed(&[7; 32], "test").unwrap();
        std::fs::create_dir_all(world.home()).unwrap();
        std::fs::write(world.home().join("key"), pair.expose_private()).unwrap();
        world.write("authorized_keys", &format!("{}\n", pair.public()));
        world
    }

    pub fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    pub fn stack(&self) -> PathBuf {
        self.scratch.path().join("shop")
    }

    /// Writes a file of the stack.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.stack().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.stack().join(name)).unwrap()
    }

    /// Replaces a text in a file of the stack; the text must be there.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} lacks {from}");
        self.write(name, &text.replace(from, to));
    }

    /// The program on this world's stack and cloud, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = ipai(&self.home());
        command
            .arg("-C")
            .arg(self.stack())
            .args(arguments)
            .env("DIGITALOCEAN_API_URL", &self.simulator.digitalocean_url)
            .env("DIGITALOCEAN_TOKEN", "test-token")
            .env("CLOUDFLARE_BASE_URL", &self.simulator.cloudflare_url)
            .env("CLOUDFLARE_API_TOKEN", "test-token")
            .env("IPAI_SSH_PORT", self.simulator.ssh_port.to_string())
            .env("IPAI_SSH_IDENTITY", self.home().join("key"))
            .env("IPAI_POLL_MS", self.pace_ms.to_string())
            .env("SHOP_API_KEY", CANARY);
        command
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    /// Applies and demands success, and with it an empty plan right after it.
    #[track_caller]
    pub fn apply(&self) -> Ran {
        self.run(&["apply", "--auto-approve"]).expect(0)
    }

    #[track_caller]
    pub fn expect_empty_plan(&self) {
        self.run(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    }

    pub fn cloud(&self) -> &WorldHandle {
        self.simulator.world()
    }

    /// The id of the stack's one droplet.
    #[track_caller]
    pub fn droplet(&self) -> u64 {
        let ids = self.droplets();
        assert_eq!(ids.len(), 1, "{ids:?}");
        ids[0]
    }

    pub fn droplets(&self) -> Vec<u64> {
        self.cloud().droplets().iter().filter_map(|droplet| droplet["id"].as_u64()).collect()
    }

    /// Makes the stack's droplet old enough that it cannot be in its first boot any more.
    pub fn age_droplet(&self) {
        let long_ago = serde_json::json!({"created_at": "2020-01-01T00:00:00Z"});
        self.cloud().edit_droplet(self.droplet(), long_ago).unwrap();
    }

    pub fn host(&self) -> HostFolder {
        self.hosts.folder(self.droplet())
    }

    /// A file on the stack's host.
    pub fn host_path(&self, path: &str) -> PathBuf {
        self.host().inside(path).unwrap()
    }

    pub fn records(&self) -> Vec<Value> {
        self.cloud().records("example.com")
    }

    #[track_caller]
    pub fn record(&self, name: &str, kind: &str) -> Value {
        let fits = |record: &&Value| record["name"] == name && record["type"] == kind;
        self.records().iter().find(fits).unwrap_or_else(|| panic!("no {kind} {name}")).clone()
    }

    /// Runs `docker` on the stack's host as somebody logged in there would.
    pub fn docker(&self, arguments: &[&str]) -> Ran {
        let host = self.host();
        let mut command = Command::new(self.scratch.path().join("cloud/bin/docker"));
        command.args(arguments).env_clear().envs(host.environment("deploy"));
        command.output().unwrap().into()
    }

    /// What a service's container is: its id and when it was started.
    #[track_caller]
    pub fn container(&self, service: &str) -> (String, String) {
        let label = format!("label=com.docker.compose.service={service}");
        let listed = self.docker(&["ps", "-a", "-q", "--no-trunc", "--filter", &label]).expect(0);
        let id = listed.out.trim().to_owned();
        assert!(!id.is_empty() && !id.contains('\n'), "one container of {service}: {id:?}");
        let inspected: Value =
            serde_json::from_str(&self.docker(&["inspect", &id]).expect(0).out).unwrap();
        (id, inspected[0]["State"]["StartedAt"].as_str().unwrap().to_owned())
    }
}
