//! Running a stack's health checks from the operator's side: by public name, at the host's own address.

pub mod fetch;
pub mod inside;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipai_core::check::{Check, Question, Way};
use ipai_core::{Address, Outputs, Value};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use fetch::{Fetched, fetch};

/// How long after a failure a check is tried again.
const PAUSE: Duration = Duration::from_secs(2);

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

/// How one check ended, and until when the certificate holds that was shown, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The check's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The end of the certificate, where one was shown.
    pub certificate_ends: Option<i64>,
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

/// What to do about a certificate of somebody who is not believed.
pub const NOT_BELIEVED: &str = "; whoever signed its certificate is not believed, as with a staging authority or one of the stack's own: name a file with that one's certificate as `authority` in the check";

/// Why nothing is asked in the sandbox.
pub const SIMULATED: &str = "the sandbox's containers are simulated and serve no pages";

/// Runs all checks side by side; the outcomes are in the order of the checks. One that fails is tried again until
/// `patience` is over: what has just been started may still wait for its certificate.
pub async fn run(
    checks: &[Check],
    outputs: &BTreeMap<Address, Outputs>,
    reach: &Reach,
    patience: Duration,
) -> Vec<(String, Outcome)> {
    let checked = look(checks, outputs, reach, patience).await;
    checked.into_iter().map(|checked| (checked.name, checked.outcome)).collect()
}

/// The same, with what was seen of certificates. Checks that ask inside a container are left to `ipai check`.
pub async fn look(
    checks: &[Check],
    outputs: &BTreeMap<Address, Outputs>,
    reach: &Reach,
    patience: Duration,
) -> Vec<Checked> {
    let mut tasks = Vec::new();
    let from_here = |check: &&Check| matches!(check.reach.way, Way::Url { .. });
    for check in checks.iter().filter(from_here) {
        let address = check.host.as_ref().map(|host| find_address(host, outputs));
        let (check, reach) = (check.clone(), reach.clone());
        let name = check.name.clone();
        let asking = async move {
            match address {
                _ if reach == Reach::Nowhere => (Outcome::Skipped(SIMULATED.into()), None),
                Some(None) => (Outcome::Skipped("its host has no address yet".into()), None),
                address => ask_until(&check.reach, address.flatten(), &reach, patience).await,
            }
        };
        let task = tokio::spawn(asking.in_current_span());
        tasks.push((name, task));
    }
    let mut all = Vec::new();
    for (name, task) in tasks {
        let ended = task.await;
        let (outcome, certificate_ends) =
            ended.unwrap_or_else(|error| (Outcome::Failed(error.to_string()), None));
        all.push(Checked { name, outcome, certificate_ends });
    }
    all
}

async fn ask_until(
    question: &Question,
    address: Option<IpAddr>,
    reach: &Reach,
    patience: Duration,
) -> (Outcome, Option<i64>) {
    let start = Instant::now();
    loop {
        let begun = Instant::now();
        let fetched = fetch(question, address, reach).await;
        tell(begun.elapsed(), &fetched);
        let ends = fetched.as_ref().ok().and_then(|fetched| fetched.certificate_ends);
        let outcome = judge(question, fetched);
        if outcome == Outcome::Passed || start.elapsed() >= patience {
            return (outcome, ends);
        }
        sleep(PAUSE).await;
    }
}

/// Tells of a question by what came of it. Its address may hold a secret.
fn tell(took: Duration, fetched: &Result<Fetched, String>) {
    let (vendor, ms) = ("checks", took.as_millis());
    match fetched {
        Ok(fetched) => {
            let (status, bytes) = (fetched.answer.status, fetched.answer.body.len());
            tracing::debug!(target: "ipai::http", vendor, status, ms, bytes, "request");
        }
        Err(_) => tracing::debug!(target: "ipai::http", vendor, ms, lost = true, "request"),
    }
}

/// The host's address as the stack's outputs have it.
#[must_use]
pub fn find_address(host: &Address, outputs: &BTreeMap<Address, Outputs>) -> Option<IpAddr> {
    outputs.get(host)?.get("ipv4").and_then(Value::as_text)?.parse().ok()
}

fn judge(question: &Question, fetched: Result<Fetched, String>) -> Outcome {
    match fetched.map(|fetched| question.expect.judge(&fetched.answer)) {
        Err(why) | Ok(Some(why)) => Outcome::Failed(why),
        Ok(None) => Outcome::Passed,
    }
}
