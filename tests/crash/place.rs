//! One worker's place: a stack, a cloud, and how both can be put back to where they were.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipai::edges::Edges;
use ipai::secrets::{Store, create_identity_file};
use ipai_core::Witness;
use ipai_host::host_key::KeyPair;
use ipai_simulator::hosts::{Embedded, HostFolder, Options as HostOptions};
use ipai_simulator::{Limits, Options, Pace, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::blow::LONGEST_REQUEST;
use super::scenario::Scenario;

pub const ZONE: &str = "example.com";

/// How long a lock may outlive its holder.
pub const LONGEST_LOCK: Duration = Duration::from_secs(60);

/// A folder of memory where there is one: thousands of runs sync every file they write.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("ipai-crash-").tempdir_in(folder).unwrap()
}

pub struct Place {
    scratch: TempDir,
    number: u8,
    /// The world's own threads; the runs have runtimes of their own, which die with them.
    pub world: Runtime,
    pub pace: Pace,
}

/// A cloud at work.
pub struct Cloud {
    pub simulator: Simulator,
    pub hosts: Arc<Embedded>,
    pub foreign: Foreign,
}

/// What is not ours, as it was before anything was run.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    pub droplets: Vec<Value>,
    pub records: Vec<Value>,
}

impl Place {
    /// The place of worker `number`, without a stack in it; its droplets have addresses of their own.
    pub fn new(number: u8, pace: Pace) -> Self {
        let world = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let place = Self { scratch: scratch(), number, world, pace };
        let pair = KeyPair::from_seed(&[7; 32], "test").unwrap();
        std::fs::create_dir_all(place.home()).unwrap();
        let key = place.home().join("key");
        std::fs::write(&key, pair.expose_private()).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let recipient = create_identity_file(&place.home().join("identity")).unwrap();
        let stack = place.kept("stack");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/matrix"), &stack);
        std::fs::write(stack.join("authorized_keys"), format!("{}\n", pair.public())).unwrap();
        let mut entropy = |bytes: &mut [u8]| Edges::random(bytes).unwrap();
        Store::init(&stack.join("secrets.toml"), &[recipient], &mut entropy)
            .unwrap()
            .save()
            .unwrap();
        place
    }

    pub fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    pub fn stack(&self) -> PathBuf {
        self.scratch.path().join("stack")
    }

    pub fn cloud(&self) -> PathBuf {
        self.scratch.path().join("cloud")
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.scratch.path().join("kept").join(name)
    }

    /// Puts stack and cloud to where the scenario begins. Paths are the same each time, because containers know theirs.
    pub fn begin(&self, scenario: Scenario) {
        let (stack, cloud) = if scenario.begins_applied() {
            ("applied", "applied.cloud")
        } else {
            ("stack", "cloud")
        };
        for (from, to) in [(stack, self.stack()), (cloud, self.cloud())] {
            if to.exists() {
                std::fs::remove_dir_all(&to).unwrap();
            }
            if self.kept(from).exists() {
                copy(&self.kept(from), &to);
            }
        }
        scenario.edit(&self.stack());
    }

    /// Keeps stack and cloud as they are now, as where scenarios begin that need everything in place.
    pub fn keep_applied(&self) {
        copy(&self.stack(), &self.kept("applied"));
        copy(&self.cloud(), &self.kept("applied.cloud"));
    }

    /// Keeps stack and cloud as they are now under a name of their own.
    pub fn keep(&self, name: &str) {
        for (from, to) in [(self.stack(), "stack"), (self.cloud(), "cloud")] {
            let to = self.kept(&format!("{name}.{to}"));
            if to.exists() {
                std::fs::remove_dir_all(&to).unwrap();
            }
            copy(&from, &to);
        }
    }

    /// Puts stack and cloud to what was kept under this name.
    pub fn restore(&self, name: &str) {
        for (from, to) in [("stack", self.stack()), ("cloud", self.cloud())] {
            std::fs::remove_dir_all(&to).unwrap();
            copy(&self.kept(&format!("{name}.{from}")), &to);
        }
    }

    /// Starts the cloud that lies in the folder; a new one gets its foreign objects.
    pub fn start(&self) -> Cloud {
        let tool = std::env::var_os("IPAI_MATRIX_TOOL");
        let tool = tool.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_ipai")), PathBuf::from);
        let new = !self.cloud().join("world.json").exists();
        self.world.block_on(async {
            let options = HostOptions { folder: self.cloud(), tool, port: 0 };
            let hosts = Arc::new(Embedded::new(options).unwrap());
            let options = Options {
                folder: Some(self.cloud()),
                ssh_port: hosts.port(),
                hosts: Some(Arc::clone(&hosts) as Arc<_>),
                pace: self.pace.clone(),
                limits: Limits::none(),
                zones: vec![ZONE.into()],
                first_address: Ipv4Addr::new(127, 32 + self.number, 0, 1),
                ..Options::default()
            };
            let simulator = Simulator::start(options).await.unwrap();
            if new {
                add_foreign(&simulator);
            }
            let foreign = foreign_of(&simulator);
            Cloud { simulator, hosts, foreign }
        })
    }

    pub fn stop(&self, cloud: Cloud) {
        self.world.block_on(cloud.simulator.stop());
    }

    pub fn variables(&self, cloud: &Cloud) -> BTreeMap<String, String> {
        let path = |path: PathBuf| path.display().to_string();
        [
            ("HOME", path(self.home())),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("DIGITALOCEAN_API_URL", cloud.simulator.digitalocean_url.clone()),
            ("DIGITALOCEAN_TOKEN", "test-token".to_owned()),
            ("CLOUDFLARE_BASE_URL", cloud.simulator.cloudflare_url.clone()),
            ("CLOUDFLARE_API_TOKEN", "test-token".to_owned()),
            ("IPAI_SSH_PORT", cloud.simulator.ssh_port.to_string()),
            ("IPAI_SSH_IDENTITY", path(self.home().join("key"))),
            ("SOPS_AGE_KEY_FILE", path(self.home().join("identity"))),
            ("IPAI_POLL_MS", "8".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    pub fn edges(&self, cloud: &Cloud, witness: Witness, hurries: bool) -> Edges {
        let mut variables = self.variables(cloud);
        if hurries {
            let most = LONGEST_REQUEST.as_millis().to_string();
            variables.insert("IPAI_REQUEST_MS".to_owned(), most);
        }
        let pairs = variables.into_iter();
        Edges {
            variables: pairs
                .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                .collect(),
            executable: PathBuf::from(env!("CARGO_BIN_EXE_ipai")),
            can_ask: false,
            output_is_terminal: false,
            talk_is_terminal: false,
            columns: None,
            witness,
        }
    }
}

impl Cloud {
    /// Ids of the droplets that are ours.
    pub fn own_droplets(&self) -> Vec<u64> {
        let all = self.simulator.world().droplets();
        all.iter().filter(|d| !is_foreign_droplet(d)).filter_map(|d| d["id"].as_u64()).collect()
    }

    /// Lets the time pass after which a dead run's lock must have lapsed; tells whether there was one.
    pub fn outlast_lock(&self) -> bool {
        let world = self.simulator.world();
        let is_lock = |record: &Value| {
            record["comment"].as_str().is_some_and(|text| text.starts_with("ipai-lock/"))
        };
        let locked = world.records(ZONE).iter().any(is_lock);
        if locked {
            world.pass(LONGEST_LOCK);
        }
        locked
    }

    pub fn host(&self, id: u64) -> HostFolder {
        self.hosts.folder(id)
    }
}

fn add_foreign(simulator: &Simulator) {
    let world = simulator.world();
    world.add_foreign_droplet("blog", &["web"]).unwrap();
    for body in [
        json!({"type": "A", "name": "blog.example.com", "content": "203.0.113.9", "ttl": 300}),
        json!({"type": "CAA", "name": "blog.example.com", "data": {"flags": 0, "tag": "issue", "value": "ca.example.net"}}),
        json!({"type": "TXT", "name": "example.com", "content": "\"other=1\"", "comment": "somebody else's"}),
    ] {
        world.add_foreign_record(ZONE, body).unwrap();
    }
}

fn is_foreign_droplet(droplet: &Value) -> bool {
    droplet["name"] == "blog"
}

/// A lock that could not be given back, because that very request was turned away, is ours too; it lapses by itself.
pub fn is_foreign_record(record: &Value) -> bool {
    let comment = record["comment"].as_str().unwrap_or_default();
    !comment.starts_with("ipai ") && !comment.starts_with("ipai-lock/")
}

pub fn foreign_of(simulator: &Simulator) -> Foreign {
    let (mut droplets, mut records) =
        (simulator.world().droplets(), simulator.world().records(ZONE));
    droplets.retain(is_foreign_droplet);
    records.retain(is_foreign_record);
    Foreign { droplets, records }
}

/// Copies a folder with its modes and symbolic links.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), &target).unwrap();
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
}
