//! A running simulator and a client that says what it wants in one line.

#![allow(dead_code, reason = "each test binary uses its own part")]

use ipai_simulator::{Clock, Limits, Options, Pace, Simulator};
use serde_json::Value;
use std::time::Duration;

/// A simulator and a client of it.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) client: reqwest::Client,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// The first Cloudflare error code.
    pub(crate) fn code(&self) -> u64 {
        self.body["errors"][0]["code"].as_u64().unwrap_or_default()
    }

    /// The first code of the first Cloudflare error's chain.
    pub(crate) fn chained(&self) -> u64 {
        self.body["errors"][0]["error_chain"][0]["code"].as_u64().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Options of a world that is the same in each run.
pub(crate) fn options(pace: Pace) -> Options {
    Options {
        pace,
        limits: Limits::default(),
        clock: Clock::Fixed { start: 1_790_000_000, step: Duration::from_millis(1500) },
        zones: vec!["example.com".to_owned()],
        record_bodies: true,
        ..Options::default()
    }
}

pub(crate) async fn world(pace: Pace) -> World {
    world_with(options(pace)).await
}

pub(crate) async fn world_with(options: Options) -> World {
    let simulator = Simulator::start(options).await.unwrap();
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    World { simulator, client }
}

impl World {
    /// Calls a path of either API; paths that begin with `/v2` are DigitalOcean's.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Answer> {
        self.call_as("sandbox", method, path, body).await
    }

    /// Calls with that token.
    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Answer> {
        let url = match path.starts_with("/v2") {
            true => format!("{}{path}", self.simulator.digitalocean_url),
            false => format!("{}{}", self.simulator.cloudflare_url.trim_end_matches('/'), path),
        };
        let method = method.parse().unwrap();
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, body, text })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_call("GET", path, None).await.unwrap()
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.call_as(token, "GET", path, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_call("POST", path, Some(body)).await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.try_call("PATCH", path, Some(body)).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.try_call("PUT", path, Some(body)).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.try_call("DELETE", path, None).await.unwrap()
    }

    /// The path of the zone's records.
    pub(crate) fn records(&self) -> String {
        let zone = self.simulator.world().zone("example.com").unwrap();
        format!("/zones/{zone}/dns_records")
    }
}
