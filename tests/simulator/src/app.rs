//! A running world: what its connections and its handles share.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::call::Reply;
use crate::clock::{Clock, Time};
use crate::fault::Faults;
use crate::limit::Windows;
use crate::log::{self, Exchange, Vendor};
use crate::moment::Watched;
use crate::seam::Hosts;
use crate::server::Incoming;
use crate::world::{Cx, Effect, Setup, World};
use crate::{cloudflare, digitalocean, ids};

/// How many exchanges the log keeps.
const LONGEST_LOG: usize = 100_000;

/// A running simulator, shared by its connections and its handles.
pub(crate) struct App {
    shared: Mutex<Shared>,
    folder: Option<PathBuf>,
    clock: Clock,
    /// How far a test has moved the clock on, in microseconds.
    passed: AtomicU64,
    record_bodies: bool,
    hosts: Option<Arc<dyn Hosts>>,
    pub(crate) watched: Watched,
}

/// What requests change.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) setup: Setup,
    pub(crate) faults: Faults,
    pub(crate) log: VecDeque<Exchange>,
    windows: Windows,
    /// Requests so far; also numbers the request ids.
    requests: u64,
    /// What machines failed to do.
    pub(crate) host_errors: Vec<String>,
    /// Per droplet, the end of the last errand to its machine.
    told: HashMap<u64, oneshot::Receiver<()>>,
}

/// What machines must be told. Each machine hears of things in the order in which they happened,
/// and of nothing before it has dealt with what came first; machines do not wait for each other's.
#[derive(Default)]
#[must_use = "machines hear of nothing otherwise"]
pub(crate) struct Errand {
    effects: Vec<Effect>,
    after: Vec<oneshot::Receiver<()>>,
    done: Vec<oneshot::Sender<()>>,
}

impl Errand {
    pub(crate) fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Lines up behind whatever the same machines are still to be told.
    fn new(effects: Vec<Effect>, told: &mut HashMap<u64, oneshot::Receiver<()>>) -> Errand {
        let mut errand = Errand { effects, ..Errand::default() };
        let mut droplets: Vec<u64> = errand.effects.iter().map(Effect::droplet).collect();
        droplets.sort_unstable();
        droplets.dedup();
        for droplet in droplets {
            let (sender, receiver) = oneshot::channel();
            errand.done.push(sender);
            errand.after.extend(told.insert(droplet, receiver));
        }
        errand
    }
}

impl App {
    pub(crate) fn new(
        world: World,
        setup: Setup,
        folder: Option<PathBuf>,
        clock: Clock,
        record_bodies: bool,
        hosts: Option<Arc<dyn Hosts>>,
    ) -> App {
        let shared = Shared {
            world,
            setup,
            faults: Faults::default(),
            log: VecDeque::new(),
            windows: Windows::default(),
            requests: 0,
            host_errors: Vec::new(),
            told: HashMap::new(),
        };
        let watched = Watched::default();
        let (shared, passed) = (Mutex::new(shared), AtomicU64::new(0));
        App { shared, folder, clock, passed, record_bodies, hosts, watched }
    }

    /// Lets time pass at once.
    pub(crate) fn pass(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.passed.fetch_add(micros, Ordering::SeqCst);
    }

    fn time(&self, request: u64) -> Time {
        self.clock.time(request).later(self.passed.load(Ordering::SeqCst))
    }

    /// Locks what requests change. A panic elsewhere left it whole: routes build before they put.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the world, saves the world when it changed, and gives what the machines
    /// must be told.
    pub(crate) fn change<T>(
        &self,
        shared: &mut Shared,
        run: impl FnOnce(&mut Cx<'_>) -> T,
    ) -> io::Result<(T, Errand)> {
        let now = self.time(shared.requests);
        let Shared { world, setup, .. } = shared;
        let mut cx = Cx { world, setup, now, effects: Vec::new(), changed: false };
        let outcome = run(&mut cx);
        let (effects, changed) = (cx.effects, cx.changed);
        if let (true, Some(folder)) = (changed, &self.folder) {
            shared.world.save(folder)?;
        }
        Ok((outcome, Errand::new(effects, &mut shared.told)))
    }

    /// Tells the machines; what fails is kept for [`Shared::host_errors`].
    pub(crate) async fn tell(&self, errand: Errand) {
        let Some(hosts) = &self.hosts else { return };
        for before in errand.after {
            // An errand that broke off is over too.
            let _ = before.await;
        }
        for effect in errand.effects {
            let id = effect.droplet();
            let told = match effect {
                Effect::Boot(boot) => hosts.boot(boot).await,
                Effect::Halt(id) => hosts.halt(id).await,
                Effect::Delete(id) => hosts.delete(id).await,
            };
            if let Err(error) = told {
                self.lock().host_errors.push(format!("droplet {id}: {error}"));
            }
        }
        drop(errand.done);
    }

    /// Asks the world, within the limits.
    pub(crate) fn answer(&self, incoming: &Incoming) -> (Reply, Errand) {
        let mut shared = self.lock();
        let number = shared.requests;
        let (refusal, headers) = limit(&mut shared, incoming, self.time(number));
        let outcome = match refusal {
            Some(refusal) => Ok((refusal, Errand::default())),
            None => self.change(&mut shared, |cx| incoming.run(cx)),
        };
        shared.requests += 1;
        let (mut reply, errand) = outcome.unwrap_or_else(|error| {
            let message = format!("The simulator could not save its world: {error}");
            (failure(incoming.vendor, &message), Errand::default())
        });
        reply.headers.extend(headers);
        reply = reply.with("date", self.time(number).to_http_text());
        reply = match incoming.vendor {
            Vendor::DigitalOcean => reply.with("x-request-id", ids::uuid("request", number)),
            Vendor::Cloudflare => reply.with("cf-ray", format!("{number:016x}-FRA")),
        };
        (reply, errand)
    }

    /// Writes an exchange down; without a reply, its connection was cut.
    pub(crate) fn record(&self, incoming: &Incoming, reply: Option<&Reply>, faulted: bool) {
        let kept = |bytes: &[u8]| self.record_bodies.then(|| log::body(bytes)).flatten();
        let exchange = Exchange {
            vendor: incoming.vendor,
            method: incoming.call.method.clone(),
            template: incoming.template.clone(),
            path: incoming.call.path.clone(),
            query: incoming.call.query.clone(),
            status: reply.map(|reply| reply.status),
            faulted,
            request: kept(&incoming.call.body),
            response: reply.and_then(|reply| kept(&reply.bytes().0)),
        };
        let mut shared = self.lock();
        if shared.log.len() == LONGEST_LOG {
            shared.log.pop_front();
        }
        shared.log.push_back(exchange);
    }
}

/// Counts a request; gives the refusal, if it is one too many, and the headers that tell.
fn limit(
    shared: &mut Shared,
    incoming: &Incoming,
    now: Time,
) -> (Option<Reply>, Vec<(String, String)>) {
    let Shared { setup, windows, .. } = shared;
    let token = incoming.call.token.text();
    match incoming.vendor {
        Vendor::DigitalOcean => {
            let key_list = incoming.call.method == "GET" && incoming.template == "/v2/account/keys";
            digitalocean::limit(windows, &setup.limits, token, key_list, now)
        }
        Vendor::Cloudflare => cloudflare::limit(windows, &setup.limits, token, now),
    }
}

fn failure(vendor: Vendor, message: &str) -> Reply {
    match vendor {
        Vendor::DigitalOcean => digitalocean::error(500, message),
        Vendor::Cloudflare => cloudflare::error(500, 1000, message),
    }
}
