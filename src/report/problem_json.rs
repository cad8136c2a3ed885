//! Problems as JSON, in the shape of `terraform validate -json`.

use ipai_core::diagnostic::Position;
use ipai_core::{Address, Diagnostic, RemoteError, Severity, Sources, Span};
use serde_json::{Value as Json, json};

use super::place::Places;

/// All problems as a list.
#[must_use]
pub fn diagnostics_json(diagnostics: &[Diagnostic], sources: &Sources) -> Json {
    let places = Places::new(diagnostics, sources);
    diagnostics.iter().map(|diagnostic| entry(diagnostic, &places)).collect()
}

/// One problem.
#[must_use]
pub fn diagnostic_json(diagnostic: &Diagnostic, sources: &Sources) -> Json {
    entry(diagnostic, &Places::new(std::slice::from_ref(diagnostic), sources))
}

/// The answer of `ipai validate --json`, from a list of problems.
#[must_use]
pub fn validation_json(problems: &Json, exit_code: u8) -> Json {
    let all = problems.as_array().map(Vec::as_slice).unwrap_or_default();
    let errors = all.iter().filter(|problem| problem["severity"] == "error").count();
    json!({
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": all.len() - errors,
        "diagnostics": problems,
        "exit_code": exit_code,
    })
}

/// A provider's failure, as a problem.
#[must_use]
pub fn remote_error_json(error: &RemoteError, address: Option<&Address>) -> Json {
    let mut entry = json!({
        "severity": Severity::Error,
        "summary": format!("cannot {}", error.attempted),
        "detail": error.cause,
    });
    if let Some(address) = address {
        entry["address"] = json!(address);
    }
    if let Some(hint) = &error.hint {
        entry["hint"] = json!(hint);
    }
    entry
}

fn entry(diagnostic: &Diagnostic, places: &Places<'_>) -> Json {
    let mut entry = json!({
        "severity": diagnostic.severity,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail.as_deref().unwrap_or_default(),
    });
    if let Some(hint) = &diagnostic.hint {
        entry["hint"] = json!(hint);
    }
    if let Some(span) = &diagnostic.at {
        entry["range"] = range(span, places);
        if let Some(place) = places.find(span) {
            entry["snippet"] = json!({
                "context": null,
                "code": place.line,
                "start_line": place.start.line,
                "highlight_start_offset": place.marked.start,
                "highlight_end_offset": place.marked.end,
                "values": [],
            });
        }
    }
    entry
}

fn range(span: &Span, places: &Places<'_>) -> Json {
    let end = |position: Position, byte: usize| json!({ "line": position.line, "column": position.column, "byte": byte });
    match places.find(span) {
        Some(place) => json!({
            "filename": span.file,
            "start": end(place.start, span.start),
            "end": end(place.end, span.end),
        }),
        None => json!({ "filename": span.file }),
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::Fault;

    use super::*;

    #[test]
    fn has_the_shape_that_readers_of_terraform_know() {
        let mut sources = Sources::default();
        sources.add("stack.toml", "a\nbc = 1\n");
        let problem = Diagnostic::error("Wrong")
            .detail("d")
            .hint("h")
            .at(&Span::new(&"stack.toml".into(), 2..4));
        let problems = diagnostics_json(&[problem, Diagnostic::warning("Odd")], &sources);
        let json = validation_json(&problems, 1);
        assert_eq!(json["exit_code"], 1);
        assert_eq!(json["valid"], false);
        assert_eq!((&json["error_count"], &json["warning_count"]), (&json!(1), &json!(1)));
        let first = &json["diagnostics"][0];
        assert_eq!(first["severity"], "error");
        assert_eq!(first["range"]["start"], json!({ "line": 2, "column": 1, "byte": 2 }));
        assert_eq!(first["range"]["end"], json!({ "line": 2, "column": 3, "byte": 4 }));
        assert_eq!(first["snippet"]["code"], "bc = 1");
        assert_eq!(json["diagnostics"][1]["severity"], "warning");
        assert!(json["diagnostics"][1].get("range").is_none());
    }

    #[test]
    fn a_failure_of_a_provider_is_a_problem_too() {
        let error = RemoteError::new(Fault::Denied, "list the droplets", "401");
        let json = remote_error_json(&error, None);
        assert_eq!(
            json,
            json!({ "severity": "error", "summary": "cannot list the droplets", "detail": "401" })
        );
    }
}
