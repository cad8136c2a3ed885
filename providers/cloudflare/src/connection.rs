//! The connection to Cloudflare: one HTTP client, the token, and what was learnt about zones. It sends one request
//! and judges one answer; trying again is the callers' business.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cloudflare::framework::Environment;
use cloudflare::framework::auth::Credentials;
use cloudflare::framework::endpoint::spec::EndpointSpec;
use ipai_core::{Fault, RemoteError, Secret, Witness};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use reqwest::{Client, redirect};
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Hidden, judge};
use crate::api::Request;
use crate::failure::{Failure, Meaning, RIGHTS};
use crate::pace::Pace;
use crate::settings::{self, Limits, Settings};
use crate::wire::{Envelope, Zone};

/// A connection that observer and executor share, so that neither connects nor looks zones up a second time.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    http: Client,
    environment: Environment,
    token: Secret,
    limits: Limits,
    zones: Mutex<BTreeMap<String, Zone>>,
    /// The headers of the last answer.
    headers: Mutex<HeaderMap>,
    pace: Pace,
    witness: Witness,
}

impl Connection {
    /// Checks the settings and makes the client ready. Nothing is contacted.
    ///
    /// # Errors
    /// When the address is not https (or plain HTTP to loopback), or no TLS client can be built. A missing token is
    /// reported when it is first needed.
    pub fn open(settings: &Settings) -> Result<Self, RemoteError> {
        let url = settings::base_url(&settings.base_url)?;
        let mut builder = Client::builder()
            .user_agent(concat!("ipai/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(settings.limits.connect)
            .timeout(settings.limits.request);
        if settings::is_loopback(&url) {
            builder = builder.no_proxy();
        }
        if url.scheme() == "http" {
            // Reading the system's certificates costs time, and none is asked for.
            builder = builder.tls_built_in_root_certs(false);
        }
        let http = builder.build().map_err(|error| {
            RemoteError::new(Fault::Unreachable, "prepare for Cloudflare", chain(&error))
        })?;
        let inner = Inner {
            http,
            environment: Environment::Custom(url.into()),
            token: settings.token.clone(),
            limits: settings.limits,
            zones: Mutex::default(),
            headers: Mutex::default(),
            pace: Pace::new(),
            witness: settings.witness.clone(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The bounds on time and size.
    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    /// A zone that was looked up before.
    pub(crate) fn known_zone(&self, name: &str) -> Option<Zone> {
        self.0.zones.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Keeps a zone for later.
    pub(crate) fn remember_zone(&self, zone: &Zone) {
        let mut zones = self.0.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.insert(zone.name.clone(), zone.clone());
    }

    /// A header of the last answer.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let headers = self.0.headers.lock().unwrap_or_else(PoisonError::into_inner);
        headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Makes a call once. `hidden` are secrets in what is sent, which no message may repeat.
    pub(crate) async fn call<E: EndpointSpec>(
        &self,
        call: &E,
        attempted: &str,
        hidden: Hidden<'_>,
    ) -> Result<Envelope<E::JsonResponse>, Failure> {
        let answer = self.exchange(call, attempted).await?;
        self.judge(&answer, attempted, hidden)
    }

    /// Makes a call once that sends no secret, and tells what time it is at the other side.
    pub(crate) async fn call_dated<E: EndpointSpec>(
        &self,
        call: &E,
        attempted: &str,
    ) -> Result<Dated<Envelope<E::JsonResponse>>, Failure> {
        let answer = self.exchange(call, attempted).await?;
        let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        Ok(Dated { envelope: self.judge(&answer, attempted, &[])?, date })
    }

    async fn exchange(&self, call: &impl EndpointSpec, attempted: &str) -> Result<Answer, Failure> {
        let request = Request::of(call, &self.0.environment);
        let (method, path) = (request.method.clone(), request.url.path().to_owned());
        self.0.pace.turn().await;
        let begun = Instant::now();
        let sending = self.send(request, attempted);
        let result = self.0.witness.step(|| format!("{method} {path}"), sending).await;
        tell(method.as_str(), &path, begun, &result);
        result
    }

    fn judge<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        attempted: &str,
        hidden: Hidden<'_>,
    ) -> Result<Envelope<T>, Failure> {
        let mut secrets = vec![self.0.token.expose().trim()];
        secrets.extend(hidden);
        judge(answer, attempted, &secrets)
    }

    async fn send(&self, request: Request, attempted: &str) -> Result<Answer, Failure> {
        let mut outgoing = self.0.http.request(request.method, request.url);
        for (name, value) in self.credentials(attempted)? {
            outgoing = outgoing.header(name, value);
        }
        if let Some(body) = request.body {
            outgoing = outgoing.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = outgoing.send().await.map_err(|error| broken(attempted, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(left) = headers.get("ratelimit").and_then(|left| left.to_str().ok()) {
            self.0.pace.hear(left);
        }
        let body = self.read(response, attempted).await?;
        *self.0.headers.lock().unwrap_or_else(PoisonError::into_inner) = headers.clone();
        Ok(Answer { status, headers, body })
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        attempted: &str,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| broken(attempted, &e))? {
            if body.len() + chunk.len() > self.0.limits.body {
                let cause = format!("the answer is longer than {} bytes", self.0.limits.body);
                let error = RemoteError::new(Fault::BadAnswer, attempted, cause);
                return Err(Failure::new(Meaning::Garbled, error));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn credentials(&self, attempted: &str) -> Result<Vec<(&'static str, HeaderValue)>, Failure> {
        let denied = |cause: &str| {
            let error = RemoteError::new(Fault::Denied, attempted, cause).hint(RIGHTS);
            Failure::new(Meaning::Refused, error)
        };
        let token = self.0.token.expose().trim();
        if token.is_empty() {
            return Err(denied("there is no Cloudflare token"));
        }
        let credentials = Credentials::UserAuthToken { token: token.to_owned() };
        let sensitive = |(name, text): (&'static str, String)| {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| denied("the Cloudflare token holds characters no token can have"))?;
            value.set_sensitive(true);
            Ok((name, value))
        };
        credentials.headers().into_iter().map(sensitive).collect()
    }
}

/// Tells of a request and its answer: neither the query, nor a header that was sent, nor a body.
fn tell(method: &str, path: &str, begun: Instant, result: &Result<Answer, Failure>) {
    let vendor = "cloudflare";
    let ms = begun.elapsed().as_millis();
    match result {
        Ok(Answer { status, headers, body }) => {
            let id = headers.get("cf-ray").and_then(|id| id.to_str().ok());
            let (status, bytes) = (status.as_u16(), body.len());
            tracing::debug!(target: "ipai::http", vendor, method, path, status, ms, bytes, id, "request");
        }
        Err(failure) => {
            let lost = failure.error.cause.as_str();
            tracing::debug!(target: "ipai::http", vendor, method, path, ms, lost, "request");
        }
    }
}

/// An answer together with the header `Date` that came with it.
pub(crate) struct Dated<T> {
    pub(crate) envelope: T,
    pub(crate) date: Option<String>,
}

/// No answer, or not a whole one.
fn broken(attempted: &str, error: &reqwest::Error) -> Failure {
    let fault = if error.is_timeout() { Fault::TimedOut } else { Fault::Unreachable };
    Failure::new(Meaning::Lost, RemoteError::new(fault, attempted, chain(error)))
}

/// An error with its causes, without repetitions.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}
