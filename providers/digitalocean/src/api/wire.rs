//! One request and its answer on the wire; the only place that knows reqwest.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ipai_core::{Fault, RemoteError, Witness};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Response, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use super::error::{ApiError, Kind};
use super::requests::{Change, Get, Method};
use super::time::epoch_of_http_date;
use crate::settings::{self, Jitter, Limits, Settings};

/// No honest answer is larger: 200 droplets take under 1 MB.
const MAX_BODY: usize = 32 << 20;
/// The span that the service counts bursts in.
const MINUTE: Duration = Duration::from_secs(60);
/// How much of an answer that was not understood is shown.
const EXCERPT: usize = 200;

/// A connection to the API. Kept inside this module; readers and writers wrap it.
pub(super) struct Wire {
    http: Client,
    base: Url,
    pub(super) limits: Limits,
    pub(super) jitter: Jitter,
    /// When the requests of the last minute were sent.
    turns: Mutex<VecDeque<Instant>>,
    witness: Witness,
}

/// A request of either type, as the wire sees it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    path: &'a str,
    query: &'a [(&'static str, String)],
    body: Option<&'a Json>,
    attempt: &'a str,
    scope: &'static str,
}

impl<'a> From<&'a Get> for Call<'a> {
    fn from(get: &'a Get) -> Self {
        let Get { path, query, attempt, scope } = get;
        Self { method: "GET", path, query, body: None, attempt, scope }
    }
}

impl<'a> From<&'a Change> for Call<'a> {
    fn from(change: &'a Change) -> Self {
        let method = match change.method {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        };
        let Change { path, body, attempt, scope, .. } = change;
        Self { method, path, query: &[], body: body.as_ref(), attempt, scope }
    }
}

/// Tells whether a message repeats a line of the user-data that was sent, which may hold secrets and holds the host key.
fn repeats(message: &str, body: &Json) -> bool {
    let sent = body.get("user_data").and_then(Json::as_str).unwrap_or_default();
    let telling = |line: &&str| line.len() >= 8;
    sent.lines()
        .map(str::trim)
        .filter(telling)
        .any(|line| line.get(..16.min(line.len())).is_some_and(|start| message.contains(start)))
}

impl Call<'_> {
    /// The address that is asked. Paths hold only characters that need no encoding; one that would climb is cut off
    /// at its first step, so that no id, wherever it came from, can name another object.
    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        let steps = self.path.split('/').take_while(|step| !matches!(*step, "." | ".."));
        let path = steps.collect::<Vec<_>>().join("/");
        url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query);
        }
        url
    }

    /// A failure of this request.
    pub(super) fn error(&self, kind: Kind, cause: impl Into<String>) -> ApiError {
        ApiError { kind, attempted: self.attempt.to_owned(), cause: cause.into(), hint: None }
    }
}

/// An answer, read to its end.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    content_type: String,
    location: Option<String>,
    request_id: Option<String>,
    /// The server's clock, seconds since 1970.
    pub(super) date: Option<i64>,
    /// Seconds to wait, as the answer asks.
    pub(super) retry_after: Option<u64>,
    /// When the oldest counted request expires, seconds since 1970.
    pub(super) reset: Option<i64>,
    /// How many requests are left, and of how many.
    pub(super) remaining: Option<u64>,
    pub(super) limit: Option<u64>,
    body: Vec<u8>,
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Result<Self, RemoteError> {
        let base = settings::base(&settings.base_url)?;
        let builder = Client::builder()
            .user_agent(&settings.user_agent)
            .default_headers(headers(settings)?)
            .redirect(redirect::Policy::none())
            .connect_timeout(settings.limits.request)
            .timeout(settings.limits.request);
        // A proxy cannot reach this machine's own ports.
        let builder = if settings::is_loopback(&base) { builder.no_proxy() } else { builder };
        // Reading the system's certificates costs time, and where none is asked for they are left alone.
        let builder = builder.tls_built_in_root_certs(base.scheme() != "http");
        let http = builder.build().map_err(|error| {
            RemoteError::new(Fault::Unreachable, "prepare for HTTPS", chain(&error))
        })?;
        let (limits, jitter) = (settings.limits.clone(), settings.jitter.clone());
        let witness = settings.witness.clone();
        Ok(Self { http, base, limits, jitter, turns: Mutex::default(), witness })
    }

    /// Waits while the last minute is full. A hundred droplets that are watched at once would else run into the
    /// service's own limit, which turns away the requests that matter too.
    async fn take_turn(&self) {
        let mut turns = self.turns.lock().await;
        while turns.front().is_some_and(|sent| sent.elapsed() >= MINUTE) {
            turns.pop_front();
        }
        if turns.len() >= usize::try_from(self.limits.per_minute.max(1)).unwrap_or(usize::MAX)
            && let Some(oldest) = turns.pop_front()
        {
            tokio::time::sleep_until((oldest + MINUTE).into()).await;
        }
        turns.push_back(Instant::now());
    }

    /// Sends a request once. An answer with any status is an answer.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        self.take_turn().await;
        let path = call.url(&self.base).path().to_owned();
        let begun = Instant::now();
        let name = || format!("{} {path}", call.method);
        let result = self.witness.step(name, self.exchange(call)).await;
        tell(call.method, &path, begun, &result);
        result
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let method = reqwest::Method::from_bytes(call.method.as_bytes()).unwrap_or_default();
        let mut request = self.http.request(method, call.url(&self.base));
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let lost = |e: reqwest::Error| {
            let kind = if e.is_connect() { Kind::Unsent } else { Kind::NoAnswer };
            call.error(kind, chain(&e))
        };
        let response = request.send().await.map_err(lost)?;
        let mut answer = Answer::new(response.status().as_u16(), response.headers());
        answer.body = read(call, response).await?;
        Ok(answer)
    }
}

/// Tells of a request and its answer: neither the query, nor a header that was sent, nor a body.
fn tell(method: &str, path: &str, begun: Instant, result: &Result<Answer, ApiError>) {
    let vendor = "digitalocean";
    let ms = begun.elapsed().as_millis();
    match result {
        Ok(Answer { status, request_id, body, .. }) => {
            let (id, bytes) = (request_id.as_deref(), body.len());
            tracing::debug!(target: "ipai::http", vendor, method, path, status, ms, bytes, id, "request");
        }
        Err(error) => {
            let lost = error.cause.as_str();
            tracing::debug!(target: "ipai::http", vendor, method, path, ms, lost, "request");
        }
    }
}

fn headers(settings: &Settings) -> Result<HeaderMap, RemoteError> {
    let token = settings.token.expose().trim();
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let (false, Ok(mut value)) = (token.is_empty(), value) else {
        let cause = "the token is empty or has characters that no token has";
        return Err(RemoteError::new(Fault::Denied, "sign in at DigitalOcean", cause).hint(SIGN_IN));
    };
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
}

const SIGN_IN: &str = "put an API token into DIGITALOCEAN_TOKEN (or DIGITALOCEAN_ACCESS_TOKEN)";

async fn read(call: &Call<'_>, mut response: Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|e| call.error(Kind::NoAnswer, chain(&e)))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > MAX_BODY {
            let cause = format!("the answer is larger than {} MiB", MAX_BODY >> 20);
            return Err(call.error(Kind::Bad, cause));
        }
        body.extend_from_slice(&chunk);
    }
}

impl Answer {
    fn new(status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self {
            status,
            content_type: text("content-type").unwrap_or_else(|| "no content type".into()),
            location: text("location"),
            request_id: text("x-request-id"),
            date: text("date").as_deref().and_then(epoch_of_http_date),
            retry_after: text("retry-after").and_then(|t| t.trim().parse().ok()),
            reset: text("ratelimit-reset").and_then(|t| t.trim().parse().ok()),
            remaining: text("ratelimit-remaining").and_then(|t| t.trim().parse().ok()),
            limit: text("ratelimit-limit").and_then(|t| t.trim().parse().ok()),
            body: Vec::new(),
        }
    }

    /// An answer that came some other time.
    pub(super) fn recorded(status: u16, headers: &HeaderMap, body: Vec<u8>) -> Self {
        Self { body, ..Self::new(status, headers) }
    }

    /// Reads a good answer's JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| self.bad(call, &error.to_string()))
    }

    /// Checks that a request whose success has no body was carried out.
    pub(super) fn nothing(&self, call: &Call<'_>) -> Result<(), ApiError> {
        // A sign-in page of some network in between answers 200 to everything.
        match self.status {
            202 | 204 => Ok(()),
            _ => Err(self.bad(call, "status 204 was expected")),
        }
    }

    /// Refuses a status that means no.
    pub(super) fn checked(self, call: &Call<'_>) -> Result<Self, ApiError> {
        match self.status {
            200..=299 => Ok(self),
            100..=399 => {
                let place = self.location.as_deref().unwrap_or("nowhere");
                Err(self.bad(call, &format!("it redirects to {place}, which is not followed")))
            }
            _ => Err(self.refusal(call)),
        }
    }

    /// Builds the error of an answer that makes no sense.
    pub(super) fn bad(&self, call: &Call<'_>, why: &str) -> ApiError {
        let mut cause = format!("{} {} answered {} ", call.method, call.path, self.status);
        let _ = write!(cause, "({}) that was not understood: {why}", self.content_type);
        if call.body.is_none() {
            let _ = write!(cause, "; it begins: {}", self.excerpt());
        }
        call.error(Kind::Bad, cause + &self.reference())
    }

    fn refusal(&self, call: &Call<'_>) -> ApiError {
        let said = serde_json::from_slice::<Json>(&self.body).ok();
        let said = said.as_ref().and_then(message).map(|message| match call.body {
            Some(body) if repeats(&message, body) => {
                "the reason repeats what was sent and is not shown".to_owned()
            }
            _ => shorten(&message, EXCERPT),
        });
        let said = said.unwrap_or_else(|| match call.body {
            // An answer may repeat what was sent, and what was sent may hold secrets.
            Some(_) => "no reason given".to_owned(),
            None => self.excerpt(),
        });
        let cause = format!("{said} (status {}{})", self.status, self.reference());
        let hint = match self.status {
            401 => Some(format!("{SIGN_IN}; the present one is not known, or has expired")),
            403 => Some(format!(
                "the token in DIGITALOCEAN_TOKEN (or DIGITALOCEAN_ACCESS_TOKEN) needs the scope {}",
                call.scope
            )),
            429 => Some("wait until the rate limit of this token allows more requests".to_owned()),
            _ => None,
        };
        ApiError { hint, ..call.error(Kind::Status(self.status), cause) }
    }

    fn excerpt(&self) -> String {
        // What is shown stands at the beginning, and the body may have megabytes.
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(4 << 10)]);
        if text.trim().is_empty() { "(an empty body)".into() } else { shorten(&text, EXCERPT) }
    }

    fn reference(&self) -> String {
        let id = self.request_id.as_deref().map(|id| shorten(id, 80));
        id.map(|id| format!(", request id {id}")).unwrap_or_default()
    }
}

/// The reason in an error's body; errors about tags have another shape than the rest.
fn message(body: &Json) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Json::as_str).map(str::to_owned);
    let list = body.get("messages").and_then(Json::as_array);
    let joined = list.map(|all| all.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("; "));
    text("message").or(joined.filter(|j| !j.is_empty())).or_else(|| text("error"))
}

/// At most `limit` characters on one line, without control characters: it goes to a terminal.
fn shorten(text: &str, limit: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut clean: String = line.chars().filter(|c| !c.is_control()).take(limit).collect();
    if line.chars().count() > limit {
        clean.push('…');
    }
    clean
}

/// An error with everything that it says it comes from.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source.filter(|_| text.len() < 500) {
        let part = error.to_string();
        if !text.contains(&part) {
            let _ = write!(text, "{}{part}", if text.is_empty() { "" } else { ": " });
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
