//! One embedded host, and what a stack wants of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ipai_core::resource::Default as Standard;
use ipai_core::{
    Address, Content, DesiredResource, Diagnostic, DigestKey, Draft, Event, Events, Execute as _,
    Job, LiveResource, LiveState, Observe as _, Outputs, RemoteError, Scope, Span, StackId, Value,
    Verb,
};
use ipai_host::host_key::KeyPair;
use ipai_host::ssh::Identity;
use ipai_host::{Connections, HostExecutor, HostObserver, Settings, types};
use ipai_simulator::hosts::{Embedded, HostFaults, Options};
use ipai_simulator::seam::{Boot, Hosts as _};
use ipai_simulator::tools::ToolFaults;

/// The droplet's id in the simulator.
const ID: u64 = 7;

static NEXT: AtomicU8 = AtomicU8::new(1);

/// A host, and two processes' worth of connections to it.
pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) hosts: Embedded,
    pub(crate) key: DigestKey,
    pub(crate) outputs: Outputs,
    boot: Boot,
    client: KeyPair,
    connections: Arc<Connections>,
    pub(crate) news: Mutex<Vec<String>>,
}

impl Events for World {
    fn event(&self, event: Event) {
        if let Event::Progress { text, .. } = event {
            self.news.lock().unwrap().push(text);
        }
    }
}

impl World {
    /// A host that has booted.
    pub(crate) async fn new() -> Self {
        Self::with_files("").await
    }

    /// A host whose user-data holds these further lines of cloud-config.
    pub(crate) async fn with_files(more: &str) -> Self {
        let world = Self::before_boot(more).await;
        world.boot().await;
        world
    }

    /// A host that does not answer yet.
    pub(crate) async fn before_boot(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tool = std::env::current_exe().unwrap();
        let options = Options { folder: folder.path().to_owned(), tool, port: 0 };
        let hosts = Embedded::new(options).unwrap();
        let pid = std::process::id().to_le_bytes();
        let address =
            Ipv4Addr::new(127, 80 | (pid[0] & 7), pid[1], NEXT.fetch_add(1, Ordering::Relaxed));
        let (host, client) = (pair(1), pair(2));
        let private =
            host.expose_private().lines().map(|line| format!("    {line}\n")).collect::<String>();
        let user_data = format!("#cloud-config\nssh_keys:\n  ed25519_private: |\n{private}{more}");
        let boot = Boot {
            id: ID,
            name: "ops".into(),
            address,
            user_data: Some(user_data),
            account_keys: vec![client.public().to_owned()],
        };
        let outputs = Outputs::from([
            ("ipv4".to_owned(), Value::text(address.to_string())),
            ("host_keys".to_owned(), Value::texts([host.fingerprint().to_hex()])),
            ("young".to_owned(), Value::Bool(false)),
        ]);
        let key = DigestKey::new(vec![3; 32]);
        let connections = connect(&client, hosts.port(), &key);
        Self {
            _folder: folder,
            hosts,
            key,
            outputs,
            boot,
            client,
            connections,
            news: Mutex::default(),
        }
    }

    pub(crate) async fn boot(&self) {
        self.hosts.boot(self.boot.clone()).await.unwrap();
    }

    /// Forgets all sessions, as another run of ipai would.
    pub(crate) fn another_process(&mut self) {
        self.connections = connect(&self.client, self.hosts.port(), &self.key);
    }

    /// A path of the host on this machine.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.hosts.folder(ID).inside(path).unwrap()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
    }

    pub(crate) async fn break_host(&self, faults: HostFaults) {
        self.hosts.set_faults(ID, faults).await.unwrap();
    }

    pub(crate) fn break_tools(&self, faults: &ToolFaults) {
        faults.save(self.hosts.folder(ID).base()).unwrap();
    }

    /// Connections, logins, channels and programs so far.
    pub(crate) fn counted(&self) -> [u64; 4] {
        self.hosts.counters(ID).unwrap().all()
    }

    /// What the simulated Docker holds, as it keeps it.
    pub(crate) fn docker(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.hosts.folder(ID).base().join("docker.json"));
        serde_json::from_str(&text.unwrap_or_else(|_| "{}".into())).unwrap()
    }

    /// Runs the simulated `docker` as somebody on the host would.
    pub(crate) fn run_docker(&self, arguments: &[&str]) {
        let folder = self.hosts.folder(ID);
        let mut command = std::process::Command::new("docker");
        let output = command.args(arguments).env_clear().envs(folder.environment("root")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Ids of the containers by service.
    pub(crate) fn containers(&self) -> BTreeMap<String, String> {
        let docker = self.docker();
        let all = docker["containers"].as_array().cloned().unwrap_or_default();
        let entry = |c: &serde_json::Value| {
            let name = c["recipe"]["name"].as_str().unwrap().to_owned();
            (name, c["id"].as_str().unwrap().to_owned())
        };
        all.iter().map(entry).collect()
    }

    pub(crate) async fn observe(&self, desired: &[DesiredResource]) -> LiveState {
        self.try_observe(desired).await.unwrap()
    }

    pub(crate) async fn try_observe(
        &self,
        desired: &[DesiredResource],
    ) -> Result<LiveState, RemoteError> {
        let scope = Scope {
            stack: stack(),
            desired: desired.to_vec(),
            homes: BTreeMap::from([(home(), self.outputs.clone())]),
            wanted_homes: vec![home()],
        };
        HostObserver::new(Arc::clone(&self.connections)).observe(&scope, self).await
    }

    pub(crate) async fn execute(
        &self,
        jobs: Vec<Job>,
    ) -> BTreeMap<Address, Result<Outputs, RemoteError>> {
        let executor = HostExecutor::new(Arc::clone(&self.connections));
        executor.execute(jobs, self).await.into_iter().collect()
    }

    pub(crate) async fn remember(&self, applied: &BTreeMap<Address, String>) {
        let executor = HostExecutor::new(Arc::clone(&self.connections));
        let homes = BTreeMap::from([(home(), self.outputs.clone())]);
        executor.remember(&stack(), &homes, applied, false).await.unwrap();
    }

    /// A job as a plan would make it.
    pub(crate) fn job(
        &self,
        verb: Verb,
        desired: Option<&DesiredResource>,
        live: Option<&LiveResource>,
    ) -> Job {
        let address = desired.map(|d| d.address.clone()).or(live.map(|l| l.address.clone()));
        Job {
            stack: stack(),
            address: address.unwrap(),
            verb,
            desired: desired.cloned(),
            version: desired.and_then(version),
            live: live.cloned(),
            home: Some((home(), self.outputs.clone())),
        }
    }

    /// Observes, then creates or updates what differs, files first; gives the addresses that were worked on.
    pub(crate) async fn apply(
        &self,
        desired: &[DesiredResource],
    ) -> Result<Vec<String>, RemoteError> {
        let live = self.try_observe(desired).await?;
        let mut done = Vec::new();
        for kind in ["file", "compose"] {
            let mut jobs = Vec::new();
            for resource in desired.iter().filter(|r| r.address.kind == kind) {
                let found = live.resources.iter().find(|l| l.address == resource.address);
                let verb = if found.is_some() { Verb::Update } else { Verb::Create };
                if !differences(resource, found).is_empty() {
                    done.push(resource.address.name.clone());
                    jobs.push(self.job(verb, Some(resource), found));
                }
            }
            for result in self.execute(jobs).await.into_values() {
                result?;
            }
        }
        Ok(done)
    }
}

fn connect(client: &KeyPair, port: u16, key: &DigestKey) -> Arc<Connections> {
    let identity = Identity::key("test", client.expose_private());
    let mut settings = Settings::new("root", vec![identity], key.clone());
    settings.port = port;
    settings.poll = Duration::from_millis(100);
    settings.boot_limit = Duration::from_secs(10);
    Connections::new(settings)
}

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(&[seed; 32], "test").unwrap()
}

pub(crate) fn stack() -> StackId {
    StackId::new("ops", None)
}

pub(crate) fn home() -> Address {
    "digitalocean.droplet.ops".parse().unwrap()
}

/// The names of attributes that differ, as the plan compares them.
pub(crate) fn differences(desired: &DesiredResource, live: Option<&LiveResource>) -> Vec<String> {
    let Some(live) = live else { return vec!["everything".into()] };
    let kinds = types();
    let kind = kinds.iter().find(|t| t.name() == desired.address.kind).unwrap();
    let compared = kind.schema().iter().filter(|a| a.change != ipai_core::Change::Local);
    let differs = |name: &str| {
        let wanted = desired.attributes.get(name);
        wanted.is_some() && wanted != live.attributes.get(name)
    };
    compared.filter(|a| differs(a.name)).map(|a| a.name.to_owned()).collect()
}

fn version(desired: &DesiredResource) -> Option<String> {
    let kinds = types();
    let kind = kinds.iter().find(|t| t.name() == desired.address.kind)?;
    desired.version(kind.schema())
}

/// Type, name and attributes of a resource as somebody wrote it.
pub(crate) type Raw<'a> = (&'a str, &'a str, Vec<(&'a str, Value)>);

/// Makes resources as the core would: defaults, checks, then everything settled.
pub(crate) fn compile(raw: Vec<Raw<'_>>) -> Vec<DesiredResource> {
    let file: Arc<str> = "stack.toml".into();
    let kinds = types();
    let key = DigestKey::new(vec![3; 32]);
    let (id, mut problems) = (stack(), Vec::<Diagnostic>::new());
    let mut all: Vec<DesiredResource> = Vec::new();
    for (kind, name, attributes) in raw {
        let about = kinds.iter().find(|t| t.name() == kind).unwrap();
        let mut resource = DesiredResource {
            address: Address::new("host", kind, name),
            attributes: attributes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            after: BTreeSet::new(),
            home: Some(home()),
            span: Span::new(&file, 0..1),
            spans: BTreeMap::new(),
        };
        resource.attributes.insert("host".into(), Value::text(home().to_string()));
        for attribute in about.schema() {
            if let Standard::Text(text) = attribute.default {
                resource.attributes.entry(attribute.name.into()).or_insert(Value::text(text));
            }
        }
        about.check(&mut Draft {
            resource: &mut resource,
            stack: &id,
            key: &key,
            images: None,
            problems: &mut problems,
        });
        all.push(resource);
    }
    let before = all.clone();
    for resource in &mut all {
        let about = kinds.iter().find(|t| t.name() == resource.address.kind).unwrap();
        about.settle(
            &mut Draft { resource, stack: &id, key: &key, images: None, problems: &mut problems },
            &before,
        );
    }
    assert!(problems.is_empty(), "{problems:?}");
    all
}

pub(crate) fn file<'a>(name: &'a str, path: &str, content: &str) -> Raw<'a> {
    let content = Value::Content(Content::plain(content.to_owned()));
    ("file", name, vec![("path", Value::text(path)), ("content", content)])
}

pub(crate) fn secret(content: &str) -> Value {
    Value::Content(Content::sensitive(content.to_owned(), &DigestKey::new(vec![3; 32])))
}
