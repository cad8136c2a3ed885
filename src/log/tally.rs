//! Where the time went, and how often somebody was asked.

use std::collections::BTreeMap;
use std::time::Duration;

/// What belongs to no phase.
const OTHER: &str = "other";

/// One phase, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The phase.
    pub phase: String,
    /// How long it took, all its turns together.
    pub took: Duration,
    /// How many HTTP requests were sent to whom.
    pub requests: BTreeMap<String, u64>,
    /// How many SSH connections were tried.
    pub connections: u64,
    /// How many commands were run over them.
    pub execs: u64,
}

/// A run's phases in the order in which they first ended or asked somebody, and their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Each phase once.
    pub phases: Vec<Row>,
    /// All of them, and the whole time.
    pub total: Row,
}

/// Counts while a run goes on.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<Row>);

impl Tally {
    /// Counts an event, if it is a request, a connection or a command.
    pub(super) fn count(&mut self, phase: Option<String>, vendor: Option<&str>, message: &str) {
        match (message, vendor) {
            ("request", Some(vendor)) => {
                *self.row(phase).requests.entry(vendor.to_owned()).or_default() += 1;
            }
            ("connection", _) => self.row(phase).connections += 1,
            ("exec", _) => self.row(phase).execs += 1,
            _ => {}
        }
    }

    /// Adds to a phase's time.
    pub(super) fn spent(&mut self, phase: Option<String>, took: Duration) {
        self.row(phase).took += took;
    }

    fn row(&mut self, phase: Option<String>) -> &mut Row {
        let phase = phase.unwrap_or_else(|| OTHER.to_owned());
        let at = self.0.iter().position(|row| row.phase == phase).unwrap_or_else(|| {
            self.0.push(Row { phase, ..Row::default() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Everything until now, `all` after the beginning. What no phase took is put down to none.
    pub(super) fn until(&self, all: Duration) -> Timings {
        let mut tally = Self(self.0.clone());
        let known: Duration = tally.0.iter().map(|row| row.took).sum();
        tally.row(None).took += all.saturating_sub(known);
        // Last, whenever it was heard of first.
        tally.0.sort_by_key(|row| row.phase == OTHER);
        let mut total = Row { phase: "total".to_owned(), took: all, ..Row::default() };
        for row in &tally.0 {
            total.connections += row.connections;
            total.execs += row.execs;
            for (vendor, count) in &row.requests {
                *total.requests.entry(vendor.clone()).or_default() += count;
            }
        }
        Timings { phases: tally.0, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_summed_up_and_the_rest_of_the_time_is_nobodys() {
        let mut tally = Tally::default();
        let observe = || Some("observe".to_owned());
        tally.count(None, Some("cloudflare"), "request");
        tally.count(observe(), Some("digitalocean"), "request");
        tally.count(observe(), Some("digitalocean"), "request");
        tally.count(observe(), None, "connection");
        tally.count(observe(), None, "exec");
        tally.count(observe(), None, "something else");
        tally.spent(observe(), Duration::from_secs(2));
        tally.spent(observe(), Duration::from_secs(1));
        let timings = tally.until(Duration::from_secs(5));
        let names: Vec<&str> = timings.phases.iter().map(|row| row.phase.as_str()).collect();
        assert_eq!(names, ["observe", "other"]);
        assert_eq!(timings.phases[0].took, Duration::from_secs(3));
        assert_eq!(timings.phases[1].took, Duration::from_secs(2));
        assert_eq!(timings.phases[0].requests["digitalocean"], 2);
        let total = timings.total;
        assert_eq!((total.connections, total.execs, total.requests.len()), (1, 1, 2));
        assert_eq!(total.took, Duration::from_secs(5));
    }
}
