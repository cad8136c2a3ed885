//! `IPAI_LOG`, `--log-file` and `--timings`, which every command takes.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use ipai_core::Diagnostic;
use tracing::level_filters::LevelFilter;

use super::{Failed, Outcome, Run, now};
use crate::log::{Log, Wanted, level};
use crate::report;

/// Begins the log that this run is asked for.
pub(super) fn begin(run: &Run<'_>) -> Result<Option<Log>, Failed> {
    let file = run.global.log_file.clone();
    let file = file.or_else(|| run.edges.variable("IPAI_LOG_PATH").map(PathBuf::from));
    let level = match run.edges.variable("IPAI_LOG") {
        Some(text) => level(&text).ok_or_else(|| no_level(run, &text))?,
        None if file.is_some() => LevelFilter::INFO,
        None => LevelFilter::OFF,
    };
    let wanted = Wanted { level, file, timings: run.global.timings };
    Log::begin(&wanted).map_err(|error| {
        let place = wanted.file.map(|file| format!("{}: ", file.display())).unwrap_or_default();
        let problem = Diagnostic::error("The log cannot be written");
        run.problem(problem.detail(format!("{place}{error}")))
    })
}

fn no_level(run: &Run<'_>, text: &str) -> Failed {
    let problem = Diagnostic::error("IPAI_LOG names no level").detail(format!("`{text}`"));
    run.problem(problem.hint("it is off, error, warn, info, debug or trace"))
}

/// Writes down how a command ended.
pub(super) fn note(outcome: &Outcome) {
    match outcome {
        Ok(code) => tracing::info!(code, "ended"),
        Err(Failed { code, text, .. }) => {
            tracing::error!(code, why = first_line(text), "failed");
        }
    }
}

/// The first line of a text of ours, without its colours.
fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or(part, |(_, rest)| rest))
}

impl Run<'_> {
    /// Says at the end what the log has to say.
    pub(super) fn tell_of(&self, log: &Log) {
        if log.is_cut() {
            self.say("warning: the log could not be written to the end");
        }
        if !self.global.timings {
            return;
        }
        let timings = log.timings();
        if self.feeds.load(Ordering::Relaxed) {
            let message = report::timings_message(&timings, Some(&now()));
            self.print(&format!("{}\n", report::json_text(&message, false)));
        } else {
            self.say(&report::timings_text(&timings));
        }
    }
}
