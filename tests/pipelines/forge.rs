//! A forge on loopback: as much of GitHub's and GitLab's APIs as pipelines talk to.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::kept::{Answer, Kept};

/// What jobs are given to talk to it; the second is a person's or a project's own.
pub(crate) const JOB: &str = "job-0123456789";
pub(crate) const PROJECT: &str = "project-0123456789";

#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) url: String,
    kept: Arc<Mutex<Kept>>,
}

impl Forge {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let forge = Self { url, kept: Arc::default() };
        let router = Router::new().fallback(answer).with_state(forge.clone());
        runtime.spawn(async move { serve(listener, router).await });
        forge
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// The comments that the pipeline wrote.
    pub(crate) fn ours(&self) -> Vec<String> {
        let kept = self.kept();
        let ours = kept.comments.iter().filter(|(author, _)| author == "github-actions[bot]");
        ours.map(|(_, text)| text.clone()).collect()
    }
}

async fn answer(
    State(forge): State<Forge>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut kept = forge.kept();
    let path = uri.path();
    if method != Method::GET {
        kept.writes.push(format!("{method} {path}"));
        if kept.refuses {
            return Err(StatusCode::FORBIDDEN);
        }
    }
    let call = (method.as_str(), uri.query().unwrap_or_default(), body);
    let has = |name: &str, value: &str| headers.get(name).is_some_and(|held| held == value);
    if let Some(rest) = path.strip_prefix("/repos/acme/infra/") {
        let known = has("authorization", &format!("Bearer {JOB}"));
        return if known { kept.github(rest, &call) } else { Err(StatusCode::UNAUTHORIZED) };
    }
    match path.strip_prefix("/api/v4/projects/42/packages/generic/ipai-plan/") {
        Some(rest) if has("job-token", JOB) => kept.package(rest, call),
        None if has("private-token", PROJECT) => kept.gitlab(path, &call),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}
