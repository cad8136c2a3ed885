//! Registries asked what a tag means, by <https://github.com/opencontainers/distribution-spec>. Whatever they answer may
//! be a lie of any length, so everything is bounded and nothing is taken for a digest that is none.

mod challenge;
mod login;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipai_core::image::{ImageName, Locked, is_digest};
use ipai_core::{Diagnostic, hash};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE,
};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use tracing::Instrument;

use crate::edges::Edges;
use crate::http_check::fetch::chain;
use challenge::Challenge;
use login::{Logins, secret_header};

/// What has a digest that stands for all platforms, then what has one for a single platform.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The most that is read of an answer, in bytes: what registries themselves allow for a manifest.
const LONGEST: usize = 4 << 20;
/// How often one question may be sent elsewhere.
const REDIRECTS: usize = 5;
/// How many images are asked for side by side.
const AT_ONCE: usize = 4;

/// What went wrong, and what to do about it.
type Trouble = (String, String);

/// All registries, and what this user may show them.
pub struct Registries {
    remote: Client,
    local: Client,
    logins: Logins,
}

impl Registries {
    /// Gets ready; contacts nobody.
    ///
    /// # Errors
    /// When there is no TLS.
    pub fn new(edges: &Edges) -> Result<Arc<Self>, Diagnostic> {
        let client = |local: bool| {
            client(local)
                .map_err(|error| Diagnostic::error("Cannot speak HTTPS").detail(chain(error)))
        };
        let (remote, local) = (client(false)?, client(true)?);
        Ok(Arc::new(Self { remote, local, logins: Logins::read(edges) }))
    }

    /// Asks for the digests of these images, a few at a time. Everything that went wrong comes back at once.
    pub async fn digests(self: &Arc<Self>, images: &[ImageName]) -> (Locked, Vec<Diagnostic>) {
        let (mut found, mut problems) = (Locked::new(), Vec::new());
        for some in images.chunks(AT_ONCE) {
            let ask = |image: &ImageName| {
                let (all, asked) = (Arc::clone(self), image.clone());
                tokio::spawn(async move { all.digest(&asked).await }.in_current_span())
            };
            let tasks: Vec<_> = some.iter().map(ask).collect();
            for (image, task) in some.iter().zip(tasks) {
                let ended = task.await.unwrap_or_else(|e| Err((e.to_string(), "try again".into())));
                match ended {
                    Ok(digest) => drop(found.insert(image.name.clone(), digest)),
                    Err((why, hint)) => {
                        let why: String = why.chars().take(300).collect();
                        let detail = format!("{} at {}: {why}.", image.name, image.host);
                        problems.push(Diagnostic::error("No digest").detail(detail).hint(hint));
                    }
                }
            }
        }
        (found, problems)
    }

    /// A registry that answers no HEAD, or answers it without a digest, is asked for the manifest itself.
    async fn digest(&self, image: &ImageName) -> Result<String, Trouble> {
        let origin = Url::parse(&format!("http://{}", image.host)).map_err(unusable)?;
        let local = is_loopback(&origin);
        let scheme = if local { "http" } else { "https" };
        let ImageName { host, path, tag, .. } = image;
        let url = format!("{scheme}://{host}/v2/{path}/manifests/{tag}");
        let url = Url::parse(&url).map_err(unusable)?;
        let mut pass = None;
        for method in [Method::HEAD, Method::GET] {
            let mut response =
                self.ask(&method, &url, &MANIFESTS.join(", "), pass.as_ref()).await?;
            if response.status() == StatusCode::UNAUTHORIZED && pass.is_none() {
                pass = Some(self.pass(response.headers(), image, local).await?);
                response = self.ask(&method, &url, &MANIFESTS.join(", "), pass.as_ref()).await?;
            }
            let status = response.status();
            if !status.is_success() {
                match refusal(status, image) {
                    None if method == Method::HEAD => continue,
                    refusal => return Err(refusal.unwrap_or_else(|| strange(status))),
                }
            }
            let stated = stated(response.headers())?;
            match stated {
                Some(digest) if method == Method::HEAD && is_manifest(response.headers()) => {
                    return Ok(digest);
                }
                _ if method == Method::HEAD => {}
                stated => return hashed(response, stated).await,
            }
        }
        Err(strange(StatusCode::OK))
    }

    async fn ask(
        &self,
        method: &Method,
        url: &Url,
        accept: &str,
        pass: Option<&HeaderValue>,
    ) -> Result<Response, Trouble> {
        let client = if is_loopback(url) { &self.local } else { &self.remote };
        let mut request = client.request(method.clone(), url.clone()).header(ACCEPT, accept);
        if let Some(pass) = pass {
            request = request.header(AUTHORIZATION, pass);
        }
        let begun = Instant::now();
        let answer = request.send().await;
        let ms = begun.elapsed().as_millis();
        let (vendor, method, path) = ("registries", method.as_str(), url.path());
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        tracing::debug!(target: "ipai::http", vendor, method, path, status, ms, "request");
        answer.map_err(unreachable)
    }

    /// What the registry wants to see: a login, or a token that its token server gives, to anybody or for the login.
    async fn pass(
        &self,
        headers: &HeaderMap,
        image: &ImageName,
        local: bool,
    ) -> Result<HeaderValue, Trouble> {
        let texts =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Challenge> = texts.filter_map(Challenge::read).collect();
        let login = self.logins.of(&image.host);
        let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer") else {
            let basic = challenges.iter().any(|challenge| challenge.scheme == "basic");
            return login.filter(|_| basic).ok_or_else(|| refused(StatusCode::UNAUTHORIZED, image));
        };
        let mut url = Url::parse(bearer.get("realm").unwrap_or_default()).map_err(unusable)?;
        if !is_safe(&url, local) {
            let why = format!("it wants a token to be fetched from {url}, which is not https");
            return Err((why, CAUTION.to_owned()));
        }
        let scope = format!("repository:{}:pull", image.path);
        url.query_pairs_mut().append_pair("scope", bearer.get("scope").unwrap_or(&scope));
        if let Some(service) = bearer.get("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        let response = self.ask(&Method::GET, &url, "application/json", login.as_ref()).await?;
        if !response.status().is_success() {
            return Err(refused(response.status(), image));
        }
        let body: serde_json::Value =
            serde_json::from_slice(&body(response).await?).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|key| body.get(key)?.as_str());
        token.and_then(|token| secret_header(&format!("Bearer {token}"))).ok_or_else(|| {
            ("its token server answered without a token".to_owned(), CAUTION.to_owned())
        })
    }
}

const CAUTION: &str =
    "is the name of the registry right? A proxy or a login page may answer in its place";

fn client(local: bool) -> reqwest::Result<Client> {
    let follow = move |attempt: redirect::Attempt<'_>| {
        if attempt.previous().len() > REDIRECTS {
            attempt.error("it was redirected too often")
        } else if is_safe(attempt.url(), local) {
            attempt.follow()
        } else {
            let why = format!("it was redirected to {}, which is not https", attempt.url());
            attempt.error(why)
        }
    };
    let mut builder = Client::builder()
        .user_agent(concat!("ipai/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(LIMIT / 3)
        .timeout(LIMIT)
        .redirect(redirect::Policy::custom(follow));
    if local {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Plain HTTP is spoken on this machine alone, and only by what is on it.
fn is_safe(url: &Url, local: bool) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && local && is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The digest that an answer states about itself.
fn stated(headers: &HeaderMap) -> Result<Option<String>, Trouble> {
    let Some(value) = headers.get("docker-content-digest") else { return Ok(None) };
    match value.to_str() {
        Ok(digest) if is_digest(digest) => Ok(Some(digest.to_owned())),
        _ => Err(("it states something else than a SHA-256 digest".into(), CAUTION.into())),
    }
}

fn is_manifest(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| MANIFESTS.contains(&kind))
}

/// The digest of a manifest, from its own bytes.
async fn hashed(response: Response, stated: Option<String>) -> Result<String, Trouble> {
    if !is_manifest(response.headers()) {
        return Err(("it answered with something else than a manifest".into(), CAUTION.into()));
    }
    let digest = format!("sha256:{}", hash::sha256_hex(&body(response).await?));
    match stated.is_none_or(|stated| stated == digest) {
        true => Ok(digest),
        false => Err(("its manifest is not what its digest says".into(), CAUTION.into())),
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > LONGEST {
            let why = format!("its answer is longer than {LONGEST} bytes");
            return Err((why, CAUTION.into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unusable(error: impl std::fmt::Display) -> Trouble {
    (format!("not a usable address: {error}"), CAUTION.to_owned())
}

fn unreachable(error: reqwest::Error) -> Trouble {
    (chain(error), "is the registry up, and can it be reached from here?".to_owned())
}

fn strange(status: StatusCode) -> Trouble {
    (format!("it answered {status}"), "try again later".to_owned())
}

/// What a status says that no other question would change.
fn refusal(status: StatusCode, image: &ImageName) -> Option<Trouble> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(refused(status, image)),
        StatusCode::NOT_FOUND => Some((
            format!("there is no tag {} of {}", image.tag, image.path),
            "correct the tag in the stack".to_owned(),
        )),
        StatusCode::TOO_MANY_REQUESTS => Some((
            format!("it answered {status}"),
            format!("wait a while, or {}", login::how(image)),
        )),
        _ => None,
    }
}

fn refused(status: StatusCode, image: &ImageName) -> Trouble {
    let why = format!("it answered {status}: there is no such image, or it wants a login");
    (why, format!("correct the name, or {}", login::how(image)))
}
