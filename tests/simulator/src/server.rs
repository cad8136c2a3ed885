//! From a request on the wire to an answer on the wire.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;

use crate::app::App;
use crate::call::{Answer, Call, Reply, Token};
use crate::fault::FaultKind;
use crate::log::Vendor;
use crate::moment::Stage;
use crate::route::{self, Route};
use crate::wire::Scissors;
use crate::world::Cx;
use crate::{cloudflare, digitalocean};

/// The largest request body that is read, in bytes.
const LARGEST_BODY: usize = 16 << 20;

/// How long an answer waits for the machines that it tells. A machine that takes longer goes on
/// by itself: a cloud says `active` before SSH answers, too.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request that was read whole.
pub(crate) struct Incoming {
    pub(crate) vendor: Vendor,
    /// The path template, or the path where no operation is documented.
    pub(crate) template: String,
    route: Option<&'static Route>,
    pub(crate) call: Call,
    /// The address that names the same list again, for endless ones.
    again: String,
}

impl Incoming {
    /// Method and path, as they stood in the request.
    fn name(&self) -> String {
        let prefix = if self.vendor == Vendor::Cloudflare { cloudflare::PREFIX } else { "" };
        format!("{} {prefix}{}", self.call.method, self.call.path)
    }

    /// Asks the world, whatever the limits say.
    pub(crate) fn run(&self, cx: &mut Cx<'_>) -> Reply {
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
    if app.watched.loses(Stage::Arrived, || incoming.name()) {
        return finish(&Reply::empty(503), true, &scissors);
    }
    let fault = app.lock().faults.strike(&incoming.call.method, &incoming.template);
    if let Some(FaultKind::Delay(time)) = &fault {
        tokio::time::sleep(*time).await;
    }
    if let Some(reply) = fault.as_ref().and_then(FaultKind::instead) {
        if fault == Some(FaultKind::Reset) {
            scissors.reset();
        }
        let dropped = matches!(fault, Some(FaultKind::DropBefore | FaultKind::Reset));
        app.record(&incoming, (!dropped).then_some(&reply), true);
        return finish(&reply, dropped, &scissors);
    }
    if fault == Some(FaultKind::EndlessPages) {
        incoming.call.query.retain(|(name, _)| name != "page");
    }
    let reply = ask(&app, &incoming).await;
    if app.watched.loses(Stage::CarriedOut, || incoming.name()) {
        return finish(&reply, true, &scissors);
    }
    if let Some(FaultKind::Silence(time)) = &fault {
        tokio::time::sleep(*time).await;
    }
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
    let (reply, errand) = app.answer(incoming);
    if !errand.is_empty() {
        let app = Arc::clone(app);
        let telling = tokio::spawn(async move { app.tell(errand).await });
        let _ = tokio::time::timeout(PATIENCE, telling).await;
    }
    reply
}

/// Reads a request whole and finds its route; `None` when it is too large or breaks off.
async fn read(request: Request) -> Option<Incoming> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.ok()?.to_vec();
    let path = parts.uri.path();
    let (vendor, path, routes) = match path.strip_prefix(cloudflare::PREFIX) {
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
