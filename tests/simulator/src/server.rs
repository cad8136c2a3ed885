//! From a request on the wire to an answer on the wire.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;

use crate::call::{Answer, Call, Reply, Token};
use crate::clock::{Clock, Time};
use crate::fault::{FaultKind, Faults};
use crate::limit::Window;
use crate::log::{self, Exchange, Vendor};
use crate::route::{self, Route};
use crate::seam::Hosts;
use crate::wire::Scissors;
use crate::world::{Cx, Effect, Setup, World};
use crate::{cloudflare, digitalocean};

/// The largest request body that is read, in bytes.
const LARGEST_BODY: usize = 16 << 20;

/// How many exchanges the log keeps.
const LONGEST_LOG: usize = 100_000;

/// A running simulator, shared by its connections and its handles.
pub(crate) struct App {
    shared: Mutex<Shared>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) clock: Clock,
    pub(crate) record_bodies: bool,
    pub(crate) hosts: Option<Arc<dyn Hosts>>,
}

/// What requests change.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) setup: Setup,
    pub(crate) faults: Faults,
    pub(crate) log: VecDeque<Exchange>,
    pub(crate) windows: Windows,
    /// Requests so far; also numbers the request ids.
    pub(crate) requests: u64,
    /// What machines failed to do.
    pub(crate) host_errors: Vec<String>,
}

/// The windows that limits are counted in.
pub(crate) struct Windows {
    pub(crate) hour: Window,
    pub(crate) minute: Window,
    pub(crate) key_lists: Window,
    pub(crate) five_minutes: Window,
    /// Until when Cloudflare blocks everything, in Unix seconds.
    pub(crate) blocked_until: u64,
}

/// A request that was read whole.
struct Incoming {
    vendor: Vendor,
    template: String,
    /// `None` where no operation is documented.
    route: Option<&'static Route>,
    call: Call,
    /// The address that names the same list again, for endless ones.
    again: String,
}

impl Default for Windows {
    fn default() -> Self {
        Windows {
            hour: Window::new(3600),
            minute: Window::new(60),
            key_lists: Window::new(60),
            five_minutes: Window::new(300),
            blocked_until: 0,
        }
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
        };
        App { shared: Mutex::new(shared), folder, clock, record_bodies, hosts }
    }

    /// Locks what requests change. A panic elsewhere left it whole: routes build before they put.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the world, saves the world when it changed, and gives what the machines
    /// must hear of.
    pub(crate) fn change<T>(
        &self,
        shared: &mut Shared,
        run: impl FnOnce(&mut Cx<'_>) -> T,
    ) -> io::Result<(T, Vec<Effect>)> {
        let now = self.clock.time(shared.requests);
        let Shared { world, setup, .. } = shared;
        let mut cx = Cx { world, setup, now, effects: Vec::new(), changed: false };
        let outcome = run(&mut cx);
        let (effects, changed) = (cx.effects, cx.changed);
        if let (true, Some(folder)) = (changed, &self.folder) {
            shared.world.save(folder)?;
        }
        Ok((outcome, effects))
    }

    /// Tells the machines, one after the other; what fails is kept for [`Shared::host_errors`].
    pub(crate) async fn tell(&self, effects: Vec<Effect>) {
        let Some(hosts) = &self.hosts else { return };
        for effect in effects {
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
    }

    /// Asks the world, within the limits.
    fn answer(&self, incoming: &Incoming) -> (Reply, Vec<Effect>) {
        let mut shared = self.lock();
        let number = shared.requests;
        let now = self.clock.time(number);
        let gate = limits(&mut shared, incoming, now);
        let outcome = match gate.refusal {
            Some(refusal) => Ok((refusal, Vec::new())),
            None => self.change(&mut shared, |cx| incoming.run(cx)),
        };
        shared.requests += 1;
        let (mut reply, effects) = outcome.unwrap_or_else(|error| {
            let message = format!("The simulator could not save its world: {error}");
            (failure(incoming.vendor, &message), Vec::new())
        });
        reply.headers.extend(gate.headers);
        if incoming.vendor == Vendor::DigitalOcean {
            reply = reply.with("x-request-id", digitalocean::uuid("request", number));
        }
        (reply, effects)
    }

    fn record(&self, incoming: &Incoming, reply: Option<&Reply>, faulted: bool) {
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

impl Incoming {
    fn run(&self, cx: &mut Cx<'_>) -> Reply {
        let answer: Answer = match (self.vendor, self.route) {
            (Vendor::DigitalOcean, Some(route)) => {
                digitalocean::admit(&self.call).and_then(|()| (route.run)(cx, &self.call))
            }
            (Vendor::Cloudflare, Some(route)) => {
                cloudflare::admit(&self.call).and_then(|()| (route.run)(cx, &self.call))
            }
            (Vendor::DigitalOcean, None) => Err(digitalocean::not_found()),
            (Vendor::Cloudflare, None) => Err(cloudflare::no_route(&self.call.path)),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }
}

/// Whether the limits let a request through, and what they add to its answer.
struct Gate {
    refusal: Option<Reply>,
    headers: Vec<(String, String)>,
}

fn limits(shared: &mut Shared, incoming: &Incoming, now: Time) -> Gate {
    let Shared { setup, windows, .. } = shared;
    let (refusal, headers) = match incoming.vendor {
        Vendor::DigitalOcean => {
            let key_list = incoming.call.method == "GET" && incoming.template == "/v2/account/keys";
            digitalocean::limit(windows, &setup.limits, incoming.call.token.text(), key_list, now)
        }
        Vendor::Cloudflare => {
            cloudflare::limit(windows, &setup.limits, incoming.call.token.text(), now)
        }
    };
    Gate { refusal, headers }
}

fn failure(vendor: Vendor, message: &str) -> Reply {
    match vendor {
        Vendor::DigitalOcean => digitalocean::error(500, message),
        Vendor::Cloudflare => cloudflare::error(500, 1000, message),
    }
}

/// The one service: every path, both APIs.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new().fallback(serve).with_state(app)
}

async fn serve(
    State(app): State<Arc<App>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let Some(mut incoming) = read(request).await else {
        return respond(&Reply::empty(413));
    };
    let fault = app.lock().faults.strike(&incoming.call.method, &incoming.template);
    if let Some(FaultKind::Delay(time)) = &fault {
        tokio::time::sleep(*time).await;
    }
    if let Some(reply) = fault.as_ref().and_then(FaultKind::instead) {
        let dropped = fault == Some(FaultKind::DropBefore);
        app.record(&incoming, (!dropped).then_some(&reply), true);
        return finish(&reply, dropped, &scissors);
    }
    if fault == Some(FaultKind::EndlessPages) {
        incoming.call.query.retain(|(name, _)| name != "page");
    }
    let reply = ask(&app, &incoming).await;
    let reply = match &fault {
        Some(kind) => kind.bend(incoming.vendor, &incoming.again, reply),
        None => reply,
    };
    let dropped = fault == Some(FaultKind::DropAfter);
    app.record(&incoming, (!dropped).then_some(&reply), fault.is_some());
    finish(&reply, dropped, &scissors)
}

/// Asks the world and tells the machines. A client that goes away cancels this future, so the
/// telling is a task of its own: machines hear of everything the world says.
async fn ask(app: &Arc<App>, incoming: &Incoming) -> Reply {
    let (reply, effects) = app.answer(incoming);
    if !effects.is_empty() {
        let app = Arc::clone(app);
        let _ = tokio::spawn(async move { app.tell(effects).await }).await;
    }
    reply
}

/// Reads a request whole and finds its route; `None` when it is too large or breaks off.
async fn read(request: Request) -> Option<Incoming> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.ok()?.to_vec();
    let path = parts.uri.path();
    let (vendor, path, routes) = match path.strip_prefix("/client/v4") {
        Some(rest) => (Vendor::Cloudflare, rest, cloudflare::ROUTES),
        None => (Vendor::DigitalOcean, path, digitalocean::ROUTES),
    };
    let method = parts.method.as_str();
    let found = route::find(routes, method, path);
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let query = parts.uri.query().unwrap_or_default();
    let call = Call {
        method: method.to_owned(),
        path: path.to_owned(),
        params: found.as_ref().map(|found| found.params.clone()).unwrap_or_default(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        token: Token::parse(header("authorization")),
        content_type: header("content-type").unwrap_or_default().to_owned(),
        dangerous: header("x-dangerous") == Some("true"),
        body,
    };
    let route = found.map(|found| found.route);
    let template = route.map_or(path, |route| route.template).to_owned();
    let host = header("host").unwrap_or("127.0.0.1");
    Some(Incoming { vendor, template, route, call, again: format!("http://{host}{}", parts.uri) })
}

fn finish(reply: &Reply, dropped: bool, scissors: &Scissors) -> Response {
    if dropped {
        scissors.cut();
    }
    respond(reply)
}

fn respond(reply: &Reply) -> Response {
    let (bytes, media_type) = reply.bytes();
    let mut builder = Response::builder().status(reply.status);
    let typed = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let (Some(media_type), false) = (media_type, typed) {
        builder = builder.header("content-type", media_type);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(name, value);
    }
    builder.body(Bytes::from(bytes)).unwrap_or_default()
}
