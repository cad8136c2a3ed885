//! What explains a difference that somebody made on purpose: a host that went back, a project that was taken down.

use ipai_core::{LiveState, Value};

use super::containers::MISSING;
use super::report::Report;
use crate::compose::SERVICES;

/// Says so of a host that serves an older release than it has served, as long as something there is not as wanted.
pub(super) fn gone_back(report: &Report<'_>, live: &LiveState) -> Option<String> {
    let releases = &report.manifest.releases;
    let current = releases.current.filter(|current| *current < releases.last)?;
    let differs = report.desired.iter().any(|wanted| {
        let mut found = live.resources.iter().filter(|found| found.address == wanted.address);
        let content = wanted.attributes.get("content");
        found.any(|found| content.is_some() && found.attributes.get("content") != content)
    });
    differs.then(|| {
        format!(
            "{} went back to release {current} of {}, which an apply leaves again; to stay with it, put the stack back too",
            report.home, releases.last
        )
    })
}

/// Says so of projects that stand there without a single container, as `ipai down` leaves them.
pub(super) fn taken_down(live: &LiveState) -> Vec<String> {
    let is_down = |services: &Value| {
        let words = services.as_map().into_iter().flatten();
        let mut words = words.map(|(_, word)| word.as_text() == Some(MISSING)).peekable();
        words.peek().is_some() && words.all(|missing| missing)
    };
    let projects = live.resources.iter().filter(|found| found.address.kind == "compose");
    let down = projects.filter(|found| found.attributes.get(SERVICES).is_some_and(is_down));
    down.map(|found| {
        format!(
            "{} has no container, as after `ipai down`; an apply, or `ipai up`, starts it",
            found.address
        )
    })
    .collect()
}

#[cfg(test)]
#[path = "remarks_tests.rs"]
mod tests;
