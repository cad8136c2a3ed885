//! What a test can break about a host's tools: `faults.json` in its bookkeeping folder.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How the simulated tools misbehave. The default is a healthy host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolFaults {
    /// There is no `docker`: the shell's "not found", exit status 127.
    pub docker_absent: bool,
    /// There is a `docker` without its Compose plugin.
    pub compose_absent: bool,
    /// The client is there and the engine does not answer.
    pub engine_down: bool,
    /// Images that cannot be pulled, by their reference.
    pub unpullable: Vec<String>,
    /// How long a registry takes for each image that Compose pulls, in milliseconds.
    pub slow_pulls: u64,
    /// What a registry has under a name instead of what it had at first, in a word: the tag was moved.
    pub moved: BTreeMap<String, String>,
    /// Services, or images, whose healthcheck never succeeds.
    pub unhealthy: Vec<String>,
    /// Services, or images, whose program ends with exit status 1 at once.
    pub failing: Vec<String>,
    /// What commands in containers (`exec`, `run`) answer; the first that fits counts.
    pub answers: Vec<Answer>,
    /// What services have logged, instead of the simulator's own line.
    pub logs: BTreeMap<String, String>,
    /// How often a container is looked at until it is healthy; absent: 2.
    pub looks_until_healthy: Option<u32>,
    /// What `cloud-init status` says instead of `done`: `running` or `error`. While it is running
    /// there is no `run/cloud-init/result.json`.
    pub cloud_init: Option<String>,
    /// The host was not booted with systemd: `systemctl` refuses.
    pub systemd_absent: bool,
    /// There is no `restic`: the shell's "not found", exit status 127.
    pub restic_absent: bool,
    /// Units that fail whenever they are started, by their full names.
    pub failing_units: Vec<String>,
}

/// The answer of one kind of command in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Text that the command contains, its words joined by spaces and led by the service's name.
    pub contains: String,
    /// Given only while this file of the host holds this text, as a program refuses a broken configuration.
    pub while_file: Option<(String, String)>,
    /// Given only when the command is fed this text.
    pub while_fed: Option<String>,
    /// The exit status.
    pub exit: u8,
    /// What it prints.
    pub stdout: String,
    /// What it complains.
    pub stderr: String,
}

impl ToolFaults {
    /// Reads the faults of the host with this bookkeeping folder.
    pub fn load(folder: &Path) -> io::Result<Self> {
        super::store::read(folder, "faults")
    }

    /// Makes these the faults of the host with this bookkeeping folder.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let status = self.cloud_init.as_deref().unwrap_or("done");
        super::cloud_init::leave_result(&folder.join("root"), status)?;
        super::store::change(folder, "faults", |held: &mut Self| *held = self.clone())
    }

    /// Tells whether a test has an answer of its own to a command, whatever that is fed.
    pub(super) fn mentions(&self, service: &str, command: &[String]) -> bool {
        let text = format!("{service} {}", command.join(" "));
        self.answers.iter().any(|answer| text.contains(&answer.contains))
    }

    /// Finds the answer to a command in a container of `service`, on a host whose files are below `root`, that was fed
    /// `input`.
    pub(super) fn answer(
        &self,
        root: &Path,
        service: &str,
        command: &[String],
        input: &[u8],
    ) -> Option<&Answer> {
        let input = String::from_utf8_lossy(input);
        let text = format!("{service} {}", command.join(" "));
        let holds = |(path, words): &(String, String)| {
            let found = std::fs::read_to_string(root.join(path.trim_start_matches('/')));
            found.is_ok_and(|found| found.contains(words))
        };
        let fits = |answer: &&Answer| {
            let fed = answer.while_fed.as_ref().is_none_or(|words| input.contains(words));
            text.contains(&answer.contains) && answer.while_file.as_ref().is_none_or(holds) && fed
        };
        self.answers.iter().find(fits)
    }
}
