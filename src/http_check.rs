//! Running a stack's health checks from the operator's side: by public name, at the host's own address.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipai_core::check::Check;
use ipai_core::{Address, Outputs, Value};
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long after a failure a check is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// The most that is read of an answer.
const LONGEST: usize = 1 << 20;

/// How one check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "why")]
pub enum Outcome {
    /// The answer says what it must.
    Passed,
    /// It does not, or there was none.
    Failed(String),
    /// It could not be tried.
    Skipped(String),
}

impl Outcome {
    /// The outcome of the check `name`, in a line.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        match self {
            Self::Passed => format!("check {name}: ok"),
            Self::Failed(why) => format!("check {name}: FAILED: {}", crate::report::one_line(why)),
            Self::Skipped(why) => format!("check {name}: skipped: {why}"),
        }
    }
}

/// How the sites of a stack are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As everybody reaches them.
    Publicly,
    /// Not at all: the sandbox's containers are simulated and serve no pages.
    Nowhere,
    /// On this machine; these authorities, in PEM form, are trusted beside the usual ones.
    Trusting(Vec<String>),
}

/// Runs all checks side by side; the outcomes are in the order of the checks. One that fails is tried again until
/// `patience` is over: what has just been started may still wait for its certificate.
pub async fn run(
    checks: &[Check],
    outputs: &BTreeMap<Address, Outputs>,
    reach: &Reach,
    patience: Duration,
) -> Vec<(String, Outcome)> {
    let mut tasks = Vec::new();
    for check in checks {
        let address = check.host.as_ref().map(|host| find_address(host, outputs));
        let (check, reach) = (check.clone(), reach.clone());
        tasks.push(tokio::spawn(async move {
            let outcome = match address {
                _ if reach == Reach::Nowhere => Outcome::Skipped(
                    "the sandbox's containers are simulated and serve no pages".into(),
                ),
                Some(None) => Outcome::Skipped("its host has no address yet".into()),
                address => ask_until(&check, address.flatten(), &reach, patience).await,
            };
            (check.name, outcome)
        }));
    }
    let mut outcomes = Vec::new();
    for (task, check) in tasks.into_iter().zip(checks) {
        outcomes.push(
            task.await
                .unwrap_or_else(|error| (check.name.clone(), Outcome::Failed(error.to_string()))),
        );
    }
    outcomes
}

async fn ask_until(
    check: &Check,
    address: Option<IpAddr>,
    reach: &Reach,
    patience: Duration,
) -> Outcome {
    let start = Instant::now();
    loop {
        let outcome = ask(check, address, reach).await;
        if outcome == Outcome::Passed || start.elapsed() >= patience {
            return outcome;
        }
        sleep(PAUSE).await;
    }
}

fn find_address(host: &Address, outputs: &BTreeMap<Address, Outputs>) -> Option<IpAddr> {
    outputs.get(host)?.get("ipv4").and_then(Value::as_text)?.parse().ok()
}

async fn ask(check: &Check, address: Option<IpAddr>, reach: &Reach) -> Outcome {
    match fetch(check, address, reach).await {
        Err(error) => Outcome::Failed(error),
        Ok((status, content_type, body)) => match check.judge(status, &content_type, &body) {
            None => Outcome::Passed,
            Some(why) => Outcome::Failed(why),
        },
    }
}

async fn fetch(
    check: &Check,
    address: Option<IpAddr>,
    reach: &Reach,
) -> Result<(u16, String, String), String> {
    let url = reqwest::Url::parse(&check.url).map_err(|error| error.to_string())?;
    let mut builder =
        reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none());
    if let (Some(address), Some(name)) = (address, url.host_str()) {
        builder = builder.resolve(name, SocketAddr::new(address, 0));
    }
    if let Reach::Trusting(authorities) = reach {
        builder = builder.no_proxy();
        for text in authorities {
            let found = reqwest::Certificate::from_pem_bundle(text.as_bytes()).map_err(chain)?;
            builder = found.into_iter().fold(builder, |all, one| all.add_root_certificate(one));
        }
    }
    let client = builder.build().map_err(chain)?;
    let mut response = client.get(url).send().await.map_err(chain)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(chain)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(format!("the answer is longer than {LONGEST} bytes"));
        }
    }
    Ok((status, content_type, String::from_utf8_lossy(&body).into_owned()))
}

/// An error with its causes, which reqwest keeps apart.
fn chain(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
