//! The engine's records, and what changes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::ToolFaults;
use super::super::clock::{NEVER, now};
use super::{ENGINE_VERSION, NAME};

/// Labels that Compose puts on what it makes.
pub(super) const PROJECT: &str = "com.docker.compose.project";
pub(super) const SERVICE: &str = "com.docker.compose.service";
pub(super) const HASH: &str = "com.docker.compose.config-hash";

/// How many looks a container takes to become healthy.
const LOOKS: u32 = 2;

pub(super) type Labels = BTreeMap<String, String>;

/// Everything that an engine holds.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Engine {
    pub(super) containers: Vec<Container>,
    /// Images that are here, by reference.
    pub(super) images: BTreeSet<String>,
    /// What references name that do not name the image that they named at first.
    pub(super) ids: BTreeMap<String, String>,
    /// Images that are here without a name.
    pub(super) loose: BTreeSet<String>,
    pub(super) volumes: BTreeMap<String, Thing>,
    pub(super) networks: BTreeMap<String, Thing>,
    /// How many containers there have ever been.
    made: u64,
}

/// A volume or a network.
#[derive(Serialize, Deserialize)]
pub(super) struct Thing {
    pub(super) created: String,
    pub(super) labels: Labels,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Created,
    Running,
    Restarting,
    Exited,
}

/// What a container is made from; it does not change afterwards.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) labels: Labels,
    pub(super) env: Vec<String>,
    /// The command, in exec form.
    pub(super) command: Option<Vec<String>>,
    pub(super) restart: String,
    pub(super) volumes: Vec<String>,
    pub(super) networks: Vec<String>,
    pub(super) has_healthcheck: bool,
    /// Ends with exit status 0 as soon as it is started.
    pub(super) one_shot: bool,
}

/// One container.
#[derive(Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) created: String,
    /// The id of its image, whatever the reference names by now.
    #[serde(default)]
    pub(super) image: String,
    pub(super) recipe: Recipe,
    pub(super) status: Status,
    pub(super) exit_code: u8,
    pub(super) started: String,
    pub(super) finished: String,
    pub(super) restarts: u32,
    /// How often anyone looked since it was started.
    pub(super) looks: u32,
}

impl Engine {
    /// Makes a container and returns its place.
    pub(super) fn create(&mut self, mut recipe: Recipe) -> usize {
        self.made += 1;
        let image = self.image_id(&recipe.image);
        if recipe.labels.contains_key(PROJECT) {
            recipe.labels.insert("com.docker.compose.image".to_owned(), image.clone());
        }
        self.containers.push(Container {
            id: digest(&format!("ipai sandbox container {} {}", self.made, recipe.name)),
            created: now(),
            image,
            recipe,
            status: Status::Created,
            exit_code: 0,
            started: NEVER.to_owned(),
            finished: NEVER.to_owned(),
            restarts: 0,
            looks: 0,
        });
        self.containers.len() - 1
    }

    /// Finds a container by its name, its id or the beginning of that.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let exact = |c: &Container| c.id == name || c.recipe.name == name.trim_start_matches('/');
        let begins = |c: &Container| name.len() >= 4 && c.id.starts_with(name);
        let position = |test: &dyn Fn(&Container) -> bool| self.containers.iter().position(test);
        position(&exact).or_else(|| position(&begins))
    }

    pub(super) fn info(&self) -> Value {
        let count = |status| self.containers.iter().filter(|c| c.status == status).count();
        json!({
            "ID": "ipai-sandbox", "Name": NAME, "OperatingSystem": NAME, "OSType": "linux",
            "ServerVersion": ENGINE_VERSION, "Driver": "none (simulated)",
            "Containers": self.containers.len(), "ContainersRunning": count(Status::Running),
            "ContainersStopped": count(Status::Exited), "ContainersPaused": 0,
            "Images": self.images.len(), "Swarm": {"LocalNodeState": "inactive"}, "Warnings": null,
        })
    }
}

impl Container {
    /// Starts the program, which then is up, ends at once, or dies over and over.
    pub(super) fn start(&mut self, faults: &ToolFaults) {
        self.started = now();
        self.looks = 0;
        self.exit_code = 0;
        self.status = Status::Running;
        if faults.failing.iter().any(|ill| self.is(ill)) {
            self.exit_code = 1;
            self.finished = now();
            let again = matches!(self.recipe.restart.as_str(), "always" | "unless-stopped");
            self.status = if again { Status::Restarting } else { Status::Exited };
            self.restarts += u32::from(again);
        } else if self.recipe.one_shot {
            self.finished = now();
            self.status = Status::Exited;
        }
    }

    /// Ends the program.
    pub(super) fn stop(&mut self, exit_code: u8) {
        if matches!(self.status, Status::Running | Status::Restarting) {
            self.status = Status::Exited;
            self.exit_code = exit_code;
            self.finished = now();
        }
    }

    /// Sends a signal by name or number; those that end most programs end this one.
    pub(super) fn kill(&mut self, signal: &str) {
        match signal.trim_start_matches("SIG") {
            "KILL" | "9" => self.stop(137),
            "TERM" | "15" => self.stop(143),
            "INT" | "2" => self.stop(130),
            "QUIT" | "3" => self.stop(131),
            // A service takes the others as a request: read your configuration again.
            _ => {}
        }
    }

    /// Looks at the container, which is what time is here.
    pub(super) fn look(&mut self) {
        self.looks = self.looks.saturating_add(1);
    }

    /// Returns the health as of the last look, when there is a healthcheck and a program.
    pub(super) fn health(&self, faults: &ToolFaults) -> Option<&'static str> {
        if !self.recipe.has_healthcheck {
            return None;
        }
        let bad = faults.unhealthy.iter().any(|ill| self.is(ill));
        Some(match self.status {
            Status::Running if self.looks < faults.looks_until_healthy.unwrap_or(LOOKS) => {
                "starting"
            }
            Status::Running if !bad => "healthy",
            Status::Created => "starting",
            _ => "unhealthy",
        })
    }

    /// Tells whether a service's or an image's name means this one.
    fn is(&self, name: &str) -> bool {
        name == self.service() || name == self.recipe.image
    }

    pub(super) fn label(&self, key: &str) -> &str {
        self.recipe.labels.get(key).map_or("", String::as_str)
    }

    pub(super) fn service(&self) -> &str {
        self.label(SERVICE)
    }

    /// Says how it is, as `docker ps` does.
    pub(super) fn summary(&self, faults: &ToolFaults) -> String {
        match self.status {
            Status::Created => "Created".to_owned(),
            Status::Restarting => format!("Restarting ({})", self.exit_code),
            Status::Exited => format!("Exited ({})", self.exit_code),
            Status::Running => match self.health(faults) {
                Some("starting") => "Up (health: starting)".to_owned(),
                Some(health) => format!("Up ({health})"),
                None => "Up".to_owned(),
            },
        }
    }
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }
}

/// Returns SHA-256 in hex.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
