//! YAML as the tools read it: documents become JSON values.

use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Reads every document of `text`; empty ones are dropped, a repeated key counts as it stood last.
/// The error is one line, in the form of Go's YAML reader.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, String> {
    read(text, DuplicateKeyPolicy::LastWins)
}

/// Like [`documents`], and a repeated key is an error.
pub(crate) fn strict_documents(text: &str) -> Result<Vec<Value>, String> {
    read(text, DuplicateKeyPolicy::Error)
}

fn read(text: &str, duplicate_keys: DuplicateKeyPolicy) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        duplicate_keys: duplicate_keys,
        // `yes` and `on` are words, as in YAML 1.2 and for Go's reader.
        strict_booleans: true,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        match error.location() {
            Some(location) => format!("yaml: line {}: {message}", location.line()),
            None => format!("yaml: {message}"),
        }
    })
}
