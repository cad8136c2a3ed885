//! Compose YAML as plain data: documents read, then merged in order as Compose merges them.

use serde_json::{Map, Value as Json};

/// A text that is not YAML, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    /// Line in the rendered text, from 1; 0 when unknown.
    pub(crate) line: u64,
    /// Column, from 1.
    pub(crate) column: u64,
    /// What is wrong. Never quotes the text, which may hold secrets.
    pub(crate) message: String,
}

/// Reads all documents of a text as one mapping; later documents add to earlier ones.
/// See <https://docs.docker.com/reference/compose-file/merge/>.
pub(crate) fn read(text: &str) -> Result<Map<String, Json>, YamlError> {
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Vec<Json> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|e| describe(&e))?;
    let mut merged = Map::new();
    for document in documents {
        match document {
            Json::Object(map) => merge_maps(&mut merged, map),
            Json::Null => {}
            _ => return Err(not_a_mapping()),
        }
    }
    Ok(merged)
}

fn not_a_mapping() -> YamlError {
    YamlError { line: 0, column: 0, message: "a Compose file is a mapping at its top".into() }
}

fn describe(error: &serde_saphyr::Error) -> YamlError {
    let place = error.location();
    let message = error.without_snippet().to_string();
    YamlError {
        line: place.map_or(0, |place| place.line()),
        column: place.map_or(0, |place| place.column()),
        message: plain(message.lines().next().unwrap_or("not YAML")),
    }
}

/// The parser's words without the place, which is told apart, and without advice to those who write Rust.
fn plain(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message {
        text if text.starts_with("cannot deserialize null") => "a key is missing here".into(),
        text if text.contains("found a tab") || text.contains("tabs disallowed") => {
            "a tab stands near here; YAML takes blanks alone".into()
        }
        text if text.starts_with("did not find expected key") => {
            "this line does not fit the ones above it: look at how far in each begins".into()
        }
        text if text.starts_with("illegal placement of ':'") => {
            "a bracket or a quote above is not closed, or a text with `: ` in it needs quotes"
                .into()
        }
        text if text.starts_with("duplicate mapping key") => {
            "this key is there twice in the same mapping".into()
        }
        text => text.to_owned(),
    }
}

fn merge_maps(into: &mut Map<String, Json>, from: Map<String, Json>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Json::Object(mine)), Json::Object(theirs)) => merge_maps(mine, theirs),
            // Compose replaces these lists and adds to all others.
            (Some(Json::Array(mine)), Json::Array(theirs)) if !replaces(&key) => {
                mine.extend(theirs);
            }
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn replaces(key: &str) -> bool {
    matches!(key, "command" | "entrypoint" | "test")
}

/// A text, or a number or truth written without quotes.
pub(crate) fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The items of a list; one text counts as a list of one.
pub(crate) fn items(value: Option<&Json>) -> Vec<&Json> {
    match value {
        Some(Json::Array(items)) => items.iter().collect(),
        Some(Json::Null | Json::Object(_)) | None => Vec::new(),
        Some(one) => vec![one],
    }
}

/// The members of a mapping.
pub(crate) fn members(value: Option<&Json>) -> impl Iterator<Item = (&String, &Json)> {
    value.and_then(Json::as_object).into_iter().flatten()
}
