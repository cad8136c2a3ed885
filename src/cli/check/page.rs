//! Verdicts as a person reads them, and as JSON.

use serde_json::{Value as Json, json};

use super::{Overall, Verdict};
use crate::http_check::Outcome as Result;
use crate::report::{json_text, one_line};

impl Overall {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "DEGRADED",
            Self::Incompatible => "INCOMPATIBLE",
        }
    }
}

/// One block for each service, and how it is all in all.
pub(super) fn text(overall: Overall, verdicts: &[Verdict], backup: Option<String>) -> String {
    let mut lines = Vec::new();
    for verdict in verdicts {
        lines.push(format!("{}: {}", verdict.service, verdict.overall.word()));
        let reachable = &verdict.reachable;
        lines.extend(reachable.outside.iter().map(|r| line("reachable from here", r)));
        lines.extend(reachable.inside.iter().map(|r| line("reachable on the host", r)));
        lines.extend(verdict.authentication.iter().map(|r| line("authentication", r)));
        if let Some(version) = &verdict.version {
            lines.push(match (&version.result, &version.found) {
                (Result::Passed, Some(found)) => {
                    line_of("version", &format!("{found} ({})", version.compatible))
                }
                (result, _) => line("version", result),
            });
        }
    }
    lines.extend(backup);
    lines.push(String::new());
    lines.push(match overall {
        Overall::Unknown => "Overall: unknown, not everything could be asked.".to_owned(),
        overall => format!("Overall: {}", overall.word()),
    });
    lines.join("\n") + "\n"
}

/// What is not well of a verdict, in one line.
pub(super) fn why(verdict: &Verdict) -> String {
    let reachable =
        [&verdict.reachable.outside, &verdict.reachable.inside, &verdict.authentication];
    let version = verdict.version.iter().map(|version| &version.result);
    let said = reachable.into_iter().flatten().chain(version).filter_map(|result| match result {
        Result::Passed => None,
        Result::Failed(why) | Result::Skipped(why) => Some(one_line(why).into_owned()),
    });
    said.collect::<Vec<_>>().join("; ")
}

fn line(what: &str, result: &Result) -> String {
    line_of(
        what,
        &match result {
            Result::Passed => "ok".to_owned(),
            Result::Failed(why) => format!("FAILED: {}", one_line(why)),
            Result::Skipped(why) => format!("not asked: {}", one_line(why)),
        },
    )
}

fn line_of(what: &str, says: &str) -> String {
    format!("  {what:22} {says}")
}

pub(super) fn json(
    stack: &str,
    overall: Overall,
    verdicts: &[Verdict],
    backup: Option<Json>,
) -> String {
    let document = json!({
        "format_version": "1.0",
        "stack": stack,
        "overall": overall,
        "services": verdicts,
        "backup": backup,
    });
    format!("{}\n", json_text(&document, true))
}
