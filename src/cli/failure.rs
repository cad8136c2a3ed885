//! Why a command failed, as JSON: a document, or the end of a stream of messages.

use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};

use super::{Failed, Run, now};
use crate::report;

impl Failed {
    /// A failure in words and as a list of diagnostics.
    pub(super) fn of(text: String, problems: Json) -> Self {
        let problems = match problems {
            Json::Array(problems) => problems,
            one => vec![one],
        };
        Self { problems, ..Self::new(text) }
    }
}

/// A failure that was only put into words, with what it says to do next.
pub(super) fn of_text(text: &str) -> Json {
    let (head, hint) = text.split_once("\n  hint: ").unwrap_or((text, ""));
    let (summary, detail) = head.split_once('\n').unwrap_or((head, ""));
    let summary = summary.strip_prefix("error: ").unwrap_or(summary).trim();
    let mut problem = json!({ "severity": "error", "summary": summary, "detail": detail.trim() });
    if !hint.is_empty() {
        problem["hint"] = json!(hint.trim_end());
    }
    problem
}

/// A failed command's one document.
fn document(problems: &[Json], code: u8) -> String {
    let document = json!({
        "format_version": "1.0",
        "ipai_version": env!("CARGO_PKG_VERSION"),
        "timestamp": now(),
        "errored": true,
        "diagnostics": problems,
        "exit_code": code,
    });
    format!("{}\n", report::json_text(&document, true))
}

/// What a program is told whose words could not be parsed.
pub(super) fn of_usage(text: &str, code: u8, streams: bool) -> String {
    let problem = of_text(text.split("\n\nFor more information").next().unwrap_or(text));
    if !streams {
        return document(&[problem], code);
    }
    let now = now();
    let messages = [
        report::version_message(env!("CARGO_PKG_VERSION"), Some(&now)),
        report::problem_message(&problem, Some(&now)),
        report::exit_message(code, Some(&now)),
    ];
    messages.iter().map(|message| format!("{}\n", report::json_text(message, false))).collect()
}

impl Run<'_> {
    /// Tells programs why a command failed, and its exit code, unless it has spoken to them already.
    pub(super) fn print_failure(&self, failed: &Failed, streams: bool) {
        if streams {
            // A stream that has come to its own end has said so itself.
            if !self.told.load(Ordering::Relaxed) {
                self.end_stream(failed);
            }
        } else if !self.wrote.load(Ordering::Relaxed) {
            self.print(&document(&failed.problems, failed.code));
        }
    }

    /// Ends a stream that has not told the exit code, such as that of a command which found nothing to do.
    pub(super) fn close_stream(&self, code: u8) {
        if !self.told.load(Ordering::Relaxed) && self.may_stream() {
            let now = now();
            self.begin_stream(&now);
            self.feed_end(&report::exit_message(code, Some(&now)));
        }
    }

    /// What a command of its own shape has printed is no stream.
    fn may_stream(&self) -> bool {
        self.feeds.load(Ordering::Relaxed) || !self.wrote.load(Ordering::Relaxed)
    }

    fn end_stream(&self, failed: &Failed) {
        let now = now();
        if !self.may_stream() {
            return;
        }
        self.begin_stream(&now);
        let problems = failed.problems.iter().map(|one| report::problem_message(one, Some(&now)));
        let last = report::exit_message(failed.code, Some(&now));
        problems.for_each(|message| self.feed(&message));
        self.feed_end(&last);
    }

    /// Says first who speaks, and in which version of the format.
    pub(super) fn begin_stream(&self, now: &str) {
        if !self.feeds.swap(true, Ordering::Relaxed) {
            self.feed(&report::version_message(env!("CARGO_PKG_VERSION"), Some(now)));
        }
    }

    /// The last message of a stream, which tells the exit code.
    pub(super) fn feed_end(&self, message: &Json) {
        self.told.store(true, Ordering::Relaxed);
        self.feed(message);
    }

    /// One message of a stream.
    pub(super) fn feed(&self, message: &Json) {
        self.print(&format!("{}\n", report::json_text(message, false)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_apart_into_what_programs_look_for() {
        let problem =
            of_text("error: not approved\n  nothing was changed\n  hint: pass --auto-approve\n");
        assert_eq!(
            problem,
            json!({
                "severity": "error", "summary": "not approved", "detail": "nothing was changed",
                "hint": "pass --auto-approve",
            })
        );
        assert_eq!(of_text("Cancelled.")["summary"], "Cancelled.");
    }
}
