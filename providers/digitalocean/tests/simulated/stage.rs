//! A stack of our own on a simulated DigitalOcean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ipai_core::{
    Address, Change, DesiredResource, DigestKey, Draft, Event, Events, Execute, Job, LiveResource,
    LiveState, Observe, Outputs, RemoteError, ResourceType, Scope, Secret, Span, StackId, Value,
    Verb,
};
use ipai_digitalocean::{
    Birth, DigitalOceanExecutor, DigitalOceanObserver, DropletType, FirewallType, Limits,
    ReservedIpType, Settings, VolumeType,
};
use ipai_simulator::{Options, Pace, Simulator, Vendor, WorldHandle};

/// Takes events and keeps what they say.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Events for Recorder {
    fn event(&self, event: Event) {
        if let Event::Progress { text, .. } = event {
            self.0.lock().unwrap().push(text);
        }
    }
}

impl Recorder {
    pub(crate) fn heard(&self, part: &str) -> bool {
        self.0.lock().unwrap().iter().any(|text| text.contains(part))
    }
}

/// A simulated DigitalOcean, and everything that talks to it.
pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) settings: Settings,
    pub(crate) observer: DigitalOceanObserver,
    pub(crate) executor: DigitalOceanExecutor,
    pub(crate) events: Recorder,
}

/// Waits that suit a world which counts requests instead of seconds.
pub(crate) fn settings(base_url: &str, token: &str) -> Settings {
    let short = Duration::from_millis(400);
    let limits = Limits {
        request: Duration::from_secs(5),
        backoff: Duration::from_millis(1),
        per_minute: u32::MAX,
        rate: Duration::from_secs(2),
        create: Duration::from_secs(5),
        address: Duration::from_secs(5),
        tags: short,
        lookup: short,
        action: Duration::from_secs(5),
        shutdown: Duration::from_millis(40),
        delete: Duration::from_secs(5),
        pending: Duration::from_secs(5),
    };
    Settings {
        base_url: base_url.to_owned(),
        poll: Duration::from_millis(2),
        limits,
        ..Settings::new(Secret::new(token.to_owned()))
    }
}

/// Host keys that are told apart by a number; the simulator does not look into them here.
fn birth() -> Result<Birth, String> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(Birth {
        private_key: Secret::new(format!("PRIVATE KEY {number}\n")),
        public_key: format!("ssh-ed25519 AAAA{number}"),
        fingerprint_hex: format!("{number:064x}"),
    })
}

pub(crate) fn executor(settings: &Settings) -> DigitalOceanExecutor {
    DigitalOceanExecutor::new(settings, Arc::new(birth)).unwrap()
}

pub(crate) async fn stage(pace: Pace) -> Stage {
    stage_with(pace, |_| ()).await
}

pub(crate) async fn stage_with(pace: Pace, change: impl FnOnce(&mut Settings)) -> Stage {
    let limits = ipai_simulator::Limits::none();
    let options = Options { pace, limits, record_bodies: true, ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let mut settings = settings(&simulator.digitalocean_url, "dop_v1_test");
    change(&mut settings);
    Stage {
        observer: DigitalOceanObserver::new(&settings).unwrap(),
        executor: executor(&settings),
        events: Recorder::default(),
        simulator,
        settings,
    }
}

pub(crate) fn ops() -> StackId {
    StackId::new("ops", None)
}

fn kind(address: &Address) -> &'static dyn ResourceType {
    match address.kind.as_str() {
        "firewall" => &FirewallType,
        "volume" => &VolumeType,
        "reserved_ip" => &ReservedIpType,
        _ => &DropletType,
    }
}

fn resource(address: Address, attributes: &[(&str, Value)]) -> DesiredResource {
    let span = Span::new(&Arc::from("stack.toml"), 0..1);
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let mut resource = DesiredResource {
        address,
        attributes,
        after: BTreeSet::new(),
        home: None,
        span,
        spans: BTreeMap::new(),
    };
    let (stack, key, mut problems) = (ops(), DigestKey::new(vec![1; 32]), Vec::new());
    let kind = kind(&resource.address);
    let mut draft = Draft {
        resource: &mut resource,
        stack: &stack,
        key: &key,
        images: None,
        problems: &mut problems,
    };
    kind.check(&mut draft);
    assert_eq!(problems, []);
    resource
}

/// A wanted droplet; `changes` add to or replace the usual attributes.
pub(crate) fn droplet(name: &str, changes: &[(&str, Value)]) -> DesiredResource {
    let text = |text: &str| Value::text(text);
    let mut attributes = vec![
        ("name", Value::text(format!("{name}.example.com"))),
        ("region", text("fra1")),
        ("size", text("s-1vcpu-1gb")),
        ("image", text("debian-13-x64")),
        ("power", text("on")),
        ("tags", Value::texts(["web"])),
        ("monitoring", Value::Bool(true)),
    ];
    attributes.extend(changes.iter().cloned());
    resource(Address::new("digitalocean", "droplet", name), &attributes)
}

/// A wanted firewall before droplets.
pub(crate) fn firewall(name: &str, droplets: &[&str], inbound: &[&str]) -> DesiredResource {
    let attributes = [
        ("droplets", Value::texts(droplets.iter().copied())),
        ("inbound", Value::texts(inbound.iter().copied())),
        ("outbound", Value::texts(["tcp all to 0.0.0.0/0 ::/0", "icmp to ::/0 0.0.0.0/0"])),
    ];
    resource(Address::new("digitalocean", "firewall", name), &attributes)
}

/// A wanted volume at the droplet `web`; `changes` add to or replace the usual attributes.
pub(crate) fn volume(name: &str, changes: &[(&str, Value)]) -> DesiredResource {
    let mut attributes = vec![
        ("name", Value::text(name)),
        ("region", Value::text("fra1")),
        ("size_gb", Value::Int(10)),
        ("filesystem_type", Value::text("ext4")),
        ("droplet", Value::text("digitalocean.droplet.web")),
    ];
    attributes.extend(changes.iter().cloned());
    resource(Address::new("digitalocean", "volume", name), &attributes)
}

/// A wanted reserved address of a droplet.
pub(crate) fn reserved_ip(name: &str, droplet: &str) -> DesiredResource {
    let attributes = [("droplet", Value::text(droplet))];
    resource(Address::new("digitalocean", "reserved_ip", name), &attributes)
}

/// The names of attributes that a plan would change.
pub(crate) fn differences(wanted: &DesiredResource, live: &LiveResource) -> Vec<&'static str> {
    let compared = |change| matches!(change, Change::Update | Change::Replace);
    let schema = kind(&wanted.address).schema().iter().filter(|a| compared(a.change));
    let differs = |name: &&str| {
        wanted.attributes.get(*name).is_some_and(|value| live.attributes.get(*name) != Some(value))
    };
    schema.map(|attribute| attribute.name).filter(differs).collect()
}

pub(crate) fn job(verb: Verb, wanted: &DesiredResource, live: Option<&LiveResource>) -> Job {
    let gone = matches!(verb, Verb::Delete | Verb::Forget);
    Job {
        stack: ops(),
        address: wanted.address.clone(),
        verb,
        version: wanted.version(kind(&wanted.address).schema()).filter(|_| !gone),
        desired: (!gone).then(|| wanted.clone()),
        live: live.cloned(),
        home: None,
    }
}

impl Stage {
    pub(crate) fn world(&self) -> &WorldHandle {
        self.simulator.world()
    }

    pub(crate) fn count(&self, method: &str, template: &str) -> u64 {
        self.world().count(Vendor::DigitalOcean, method, template)
    }

    pub(crate) async fn try_observe(
        &self,
        wanted: &[&DesiredResource],
    ) -> Result<LiveState, RemoteError> {
        let scope = Scope {
            stack: ops(),
            desired: wanted.iter().map(|wanted| (*wanted).clone()).collect(),
            homes: BTreeMap::new(),
            wanted_homes: Vec::new(),
        };
        self.observer.observe(&scope, &self.events).await
    }

    pub(crate) async fn observe(&self, wanted: &[&DesiredResource]) -> LiveState {
        self.try_observe(wanted).await.unwrap()
    }

    /// The live twin of a wanted resource, which must be there once. Lists that lag are asked again.
    pub(crate) async fn live(&self, wanted: &DesiredResource) -> LiveResource {
        for _ in 0..20 {
            let state = self.observe(&[wanted]).await;
            let mut found = state.resources.into_iter().filter(|r| r.address == wanted.address);
            if let (Some(live), None) = (found.next(), found.next()) {
                return live;
            }
        }
        panic!("{} does not show", wanted.address)
    }

    pub(crate) async fn run(&self, job: Job) -> Result<Outputs, RemoteError> {
        self.run_by(&self.executor, job).await
    }

    pub(crate) async fn run_by(
        &self,
        executor: &DigitalOceanExecutor,
        job: Job,
    ) -> Result<Outputs, RemoteError> {
        let mut results = executor.execute(vec![job], &self.events).await;
        assert_eq!(results.len(), 1);
        results.remove(0).1
    }

    /// Runs a job until so many requests were made, then stops in the middle. Tells whether it was stopped.
    pub(crate) async fn run_killed(&self, job: Job, requests: usize) -> bool {
        let enough = self.world().log().len() + requests;
        let executor = executor(&self.settings);
        let killed = async {
            while self.world().log().len() < enough {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = killed => true,
            _ = executor.execute(vec![job], &self.events) => false,
        }
    }

    pub(crate) async fn create(&self, wanted: &DesiredResource) -> Outputs {
        self.run(job(Verb::Create, wanted, None)).await.unwrap()
    }

    /// All tags of the account.
    pub(crate) fn tags(&self) -> Vec<String> {
        let snapshot = self.world().snapshot();
        let tags = snapshot["digitalocean"]["tags"].as_array().unwrap().clone();
        tags.into_iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }
}
