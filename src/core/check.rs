//! Health checks as a stack declares them: a URL and what its answer must say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::Fields;
use crate::template::{Origin, Renderer};
use crate::tree::{Data, Node, Table};

/// One check of a service as its users see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// The URL; its host name is kept for TLS and the `Host` header.
    pub url: String,
    /// The resource at whose address the URL is asked for, instead of what DNS says.
    pub host: Option<Address>,
    /// The status that the answer must have.
    pub status: u16,
    /// Members that the JSON answer must have with these values.
    pub json: BTreeMap<String, Json>,
    /// Members that the JSON answer must have, not empty.
    pub keys: Vec<String>,
    /// The whole body, white space around it aside.
    pub body: Option<String>,
}

impl Check {
    /// Reads a check; what is wrong is collected.
    pub fn read(
        name: &str,
        span: &Span,
        table: &Table,
        addresses: &BTreeSet<&Address>,
        renderer: &Renderer,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut fields = Fields::new(table, "A check", span, problems);
        let url = fields.required_text("url");
        let host = fields.text("host");
        let status = fields
            .int("expect_status", 100, 599)
            .and_then(|s| u16::try_from(s).ok())
            .unwrap_or(200);
        let json = fields.table("expect_json").map(members).unwrap_or_default();
        let keys = fields.texts("expect_keys").unwrap_or_default();
        let body = fields.text("expect_body").map(|body| body.0);
        fields.finish();
        let host = host.and_then(|(text, at)| find_host(&text, &at, addresses, problems));
        let (url, at) = url?;
        let url = render_url(&url, at, renderer, problems)?;
        Some(Self { name: name.into(), url, host, status, json, keys, body })
    }

    /// Why an answer does not satisfy the check, if so. HTML where JSON is wanted is named as such, because a
    /// catch-all page answers 200 for everything.
    #[must_use]
    pub fn judge(&self, status: u16, content_type: &str, body: &str) -> Option<String> {
        if status != self.status {
            return Some(format!("answered {status}, expected {}", self.status));
        }
        if let Some(wanted) = &self.body
            && body.trim() != wanted.trim()
        {
            return Some(format!("the body is not \"{wanted}\""));
        }
        if self.json.is_empty() && self.keys.is_empty() {
            return None;
        }
        let Ok(Json::Object(answer)) = serde_json::from_str(body) else {
            return Some(format!(
                "expected JSON, got {}",
                if content_type.is_empty() { "something else" } else { content_type }
            ));
        };
        let wrong = self.json.iter().find(|(key, wanted)| answer.get(*key) != Some(wanted));
        if let Some((key, wanted)) = wrong {
            let found = answer.get(key).map_or("nothing".to_owned(), ToString::to_string);
            return Some(format!("`{key}` is {found}, expected {wanted}"));
        }
        let empty = |key: &&String| {
            matches!(answer.get(*key), None | Some(Json::Null))
                || answer.get(*key) == Some(&Json::from(""))
        };
        self.keys.iter().find(empty).map(|key| format!("`{key}` is missing or empty"))
    }
}

fn find_host(
    text: &str,
    at: &Span,
    addresses: &BTreeSet<&Address>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Address> {
    let found = text.parse::<Address>().ok().filter(|address| addresses.contains(address));
    if found.is_none() {
        let detail = format!("`{text}` is not a resource of this stack.");
        problems.push(Diagnostic::error("Reference to nothing").detail(detail).at(at));
    }
    found
}

fn render_url(
    source: &str,
    at: Span,
    renderer: &Renderer,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let rendered = match renderer.render(source, &Origin::Inline(at.clone())) {
        Ok(rendered) => rendered,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let plain = rendered.references.is_empty() && rendered.secrets.is_empty();
    let http = rendered.text.starts_with("https://") || rendered.text.starts_with("http://");
    if plain && http {
        return Some(rendered.text);
    }
    let detail =
        "A check's URL begins with https:// or http:// and holds neither secrets nor outputs.";
    problems.push(Diagnostic::error("Not a URL for a check").detail(detail).at(&at));
    None
}

fn members(table: &Table) -> BTreeMap<String, Json> {
    table.iter().map(|(key, entry)| (key.clone(), to_json(&entry.node))).collect()
}

fn to_json(node: &Node) -> Json {
    match &node.data {
        Data::Text(text) | Data::Other(text) => Json::from(text.as_str()),
        Data::Int(int) => Json::from(*int),
        Data::Bool(truth) => Json::from(*truth),
        Data::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Data::Table(table) => Json::Object(members(table).into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Check {
        Check {
            name: "boards".into(),
            url: "https://boards.example.com/ping".into(),
            host: None,
            status: 200,
            json: [("status".to_owned(), Json::from("OK"))].into(),
            keys: vec!["version".into()],
            body: None,
        }
    }

    #[test]
    fn a_catch_all_page_with_status_200_does_not_pass() {
        let why = check().judge(200, "text/html", "<!doctype html>").unwrap();
        assert_eq!(why, "expected JSON, got text/html");
    }

    #[test]
    fn members_must_be_there_with_their_values() {
        let judge = |body: &str| check().judge(200, "application/json", body);
        assert_eq!(judge(r#"{"status":"OK","version":"7"}"#), None);
        assert_eq!(
            judge(r#"{"status":"OK","version":""}"#).unwrap(),
            "`version` is missing or empty"
        );
        assert_eq!(
            judge(r#"{"status":"bad","version":"7"}"#).unwrap(),
            "`status` is \"bad\", expected \"OK\""
        );
    }
}
