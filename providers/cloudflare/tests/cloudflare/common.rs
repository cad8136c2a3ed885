//! What the tests share: stacks read as ipai reads them, and a simulator with one zone.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use ipai_cloudflare::{CloudflareExecutor, CloudflareObserver, Connection, Limits, Settings};
use ipai_core::desired::{Inputs, compile};
use ipai_core::plan::{Options as PlanOptions, plan};
use ipai_core::{
    Diagnostic, Event, Events, Execute, Job, JobResult, LiveResource, LiveState, Observe, Plan,
    RemoteError, Scope, Secret, Types, Verb,
};
use ipai_core::{desired::DesiredState, secret::DigestKey, stack};
use ipai_simulator::{Options, Pace, Simulator, Vendor, WorldHandle};

/// The zone of most tests.
pub(crate) const ZONE: &str = "example.com";
/// The path template of a zone's records.
pub(crate) const RECORDS: &str = "/zones/{zone_id}/dns_records";
/// The path template of batches.
pub(crate) const BATCH: &str = "/zones/{zone_id}/dns_records/batch";

/// All events that were told, as text.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<String>>);

impl Events for Told {
    fn event(&self, event: Event) {
        if let Event::Progress { address, text } = event {
            self.0.lock().unwrap().push(format!("{address}: {text}"));
        }
    }
}

/// Reads the resources of a stack `ops` as ipai does.
pub(crate) fn desire(resources: &str) -> (DesiredState, Vec<Diagnostic>) {
    desire_in("ops", None, resources)
}

/// Reads the resources of a stack in an environment.
pub(crate) fn desire_in(
    stack: &str,
    environment: Option<&str>,
    resources: &str,
) -> (DesiredState, Vec<Diagnostic>) {
    let types = Types::new(ipai_cloudflare::types());
    let text = format!("[stack]\nname = \"{stack}\"\n{resources}");
    let (stack, mut problems) = stack::parse(&[("stack.toml", &text)], environment, &types);
    let secret = |name: &String| (name.clone(), Some(Secret::new(format!("{name}-value"))));
    let stack = stack.unwrap();
    let secrets = stack.secrets.keys().map(secret).collect();
    let inputs = Inputs {
        stack: &stack,
        types: &types,
        files: &BTreeMap::new(),
        secrets: &secrets,
        outputs: &BTreeMap::new(),
        variables: &BTreeMap::new(),
        authorized_keys: &[],
        key: &DigestKey::new(vec![7; 32]),
        images: None,
        sandbox: false,
    };
    let (desired, more) = compile(&inputs);
    problems.extend(more);
    (desired, problems)
}

/// Reads resources that nothing is wrong with.
pub(crate) fn good(resources: &str) -> DesiredState {
    let (desired, problems) = desire(resources);
    assert!(problems.is_empty(), "{problems:#?}");
    desired
}

/// A simulator with the zone, and a connection to it.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) connection: Connection,
    pub(crate) told: Told,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Options { pace: Pace::instant(), ..Options::default() }, "token").await
    }

    pub(crate) async fn with(options: Options, token: &str) -> Self {
        let zones = vec![ZONE.to_owned()];
        let options = Options { zones, record_bodies: true, ..options };
        let simulator = Simulator::start(options).await.unwrap();
        let connection = connect(&simulator.cloudflare_url, token);
        Self { simulator, connection, told: Told::default() }
    }

    pub(crate) fn world(&self) -> &WorldHandle {
        self.simulator.world()
    }

    pub(crate) fn count(&self, method: &str, template: &str) -> u64 {
        self.world().count(Vendor::Cloudflare, method, template)
    }

    pub(crate) async fn observe(&self, desired: &DesiredState) -> Result<LiveState, RemoteError> {
        let scope = scope(desired);
        CloudflareObserver::new(&self.connection).observe(&scope, &self.told).await
    }

    pub(crate) async fn plan(&self, desired: &DesiredState) -> (Plan, LiveState) {
        let live = self.observe(desired).await.unwrap();
        let types = Types::new(ipai_cloudflare::types());
        (plan(desired, &live, &types, &PlanOptions::default()), live)
    }

    pub(crate) async fn execute(&self, jobs: Vec<Job>) -> Vec<JobResult> {
        CloudflareExecutor::new(&self.connection).execute(jobs, &self.told).await
    }

    /// Plans and executes once; gives what was planned and how it ended.
    pub(crate) async fn apply(
        &self,
        desired: &DesiredState,
    ) -> (Vec<(String, Verb)>, Vec<JobResult>) {
        let (plan, live) = self.plan(desired).await;
        let jobs = jobs(&plan, desired, &live);
        let verbs = jobs.iter().map(|job| (job.address.name.clone(), job.verb)).collect();
        (verbs, self.execute(jobs).await)
    }

    /// Applies, expects success, and expects that nothing is left to do.
    pub(crate) async fn converge(&self, desired: &DesiredState) -> Vec<(String, Verb)> {
        let (verbs, results) = self.apply(desired).await;
        assert_eq!(results.len(), verbs.len());
        for (address, result) in results {
            assert!(result.is_ok(), "{address}: {result:?}");
        }
        self.settled(desired).await;
        verbs
    }

    /// Expects that nothing is left to do.
    pub(crate) async fn settled(&self, desired: &DesiredState) {
        let (plan, live) = self.plan(desired).await;
        let left = jobs(&plan, desired, &live);
        assert!(left.is_empty(), "{left:#?}");
    }

    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        self.world().records(ZONE)
    }
}

pub(crate) fn connect(url: &str, token: &str) -> Connection {
    let limits = Limits {
        pause: Duration::from_millis(5),
        longest_wait: Duration::from_secs(3),
        request: Duration::from_secs(5),
        body: 4 << 20,
        ..Limits::default()
    };
    let token = Secret::new(token.to_owned());
    let settings = Settings { base_url: url.to_owned(), limits, ..Settings::new(token) };
    Connection::open(&settings).unwrap()
}

pub(crate) fn scope(desired: &DesiredState) -> Scope {
    Scope {
        stack: desired.stack.clone(),
        desired: desired.resources.clone(),
        homes: BTreeMap::new(),
        wanted_homes: Vec::new(),
    }
}

/// The jobs of a plan, as apply makes them.
pub(crate) fn jobs(plan: &Plan, desired: &DesiredState, live: &LiveState) -> Vec<Job> {
    let types = Types::new(ipai_cloudflare::types());
    let actions = plan.actions.iter().filter(|action| action.verb != Verb::NoOp);
    actions
        .map(|action| {
            let wanted = desired.resources.iter().find(|r| r.address == action.address);
            let wanted = wanted.filter(|_| !matches!(action.verb, Verb::Delete | Verb::Forget));
            let schema = types.get(&action.address).unwrap().schema();
            let mine = |r: &&LiveResource| Some(&r.id) == action.id.as_ref();
            Job {
                stack: plan.stack.clone(),
                address: action.address.clone(),
                verb: action.verb,
                desired: wanted.cloned(),
                version: wanted.and_then(|d| d.version(schema)),
                live: live.resources.iter().find(mine).cloned(),
                home: None,
            }
        })
        .collect()
}

/// A record in TOML.
pub(crate) fn record(name: &str, body: &str) -> String {
    format!("[cloudflare.dns_record.{name}]\nzone = \"{ZONE}\"\n{body}\n")
}

/// An A record in TOML.
pub(crate) fn address(name: &str, content: &str) -> String {
    record(name, &format!("name = \"{name}\"\ntype = \"A\"\ncontent = \"{content}\""))
}
