//! The zone file format, as far as one line holds one record.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::state::{Record, Zone};

/// Writes a zone as a file.
pub(super) fn write(zone: &Zone, now: &str) -> String {
    let mut text = format!(
        ";;\n;; Domain:     {name}.\n;; Exported:   {now}\n;;\n\
         ;; This file is intended for use for informational and archival purposes ONLY.\n;;\n",
        name = zone.name
    );
    for record in &zone.records {
        let _ = writeln!(text, "{}", line(record));
    }
    text
}

fn line(record: &Record) -> String {
    let draft = &record.draft;
    let host = |name: &str| format!("{name}.");
    let content = match draft.kind.as_str() {
        "CNAME" | "NS" | "PTR" => host(&draft.content),
        "MX" => format!("{} {}", draft.priority.unwrap_or(0), host(&draft.content)),
        "SRV" => format!("{} {}", draft.priority.unwrap_or(0), host(&draft.content)),
        "TXT" if !draft.content.starts_with('"') => format!("\"{}\"", draft.content),
        _ => draft.content.clone(),
    };
    let comment = match &draft.comment {
        Some(comment) => format!(" ; {comment}"),
        None => String::new(),
    };
    format!("{}\t{}\tIN\t{}\t{content}{comment}", host(&draft.name), draft.ttl, draft.kind)
}

/// Reads a file into the bodies of creates.
pub(super) fn read(zone: &str, text: &str) -> Result<Vec<Map<String, Value>>, String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with([';', '$']));
    lines.map(|line| entry(zone, line).ok_or_else(|| format!("cannot read: {line}"))).collect()
}

/// Reads `name [ttl] [IN] TYPE content`.
fn entry(zone: &str, line: &str) -> Option<Map<String, Value>> {
    let (name, mut rest) = word(line)?;
    let mut body = Map::new();
    let name = name.strip_suffix('.').map_or_else(|| format!("{name}.{zone}"), str::to_owned);
    body.insert("name".to_owned(), json!(if name == format!("@.{zone}") { zone } else { &name }));
    let kind = loop {
        let (next, after) = word(rest)?;
        rest = after;
        match next.parse::<u64>() {
            Ok(ttl) => drop(body.insert("ttl".to_owned(), json!(ttl))),
            Err(_) if next.eq_ignore_ascii_case("IN") => {}
            Err(_) => break next.to_uppercase(),
        }
    };
    if kind == "MX" {
        let (priority, after) = word(rest)?;
        body.insert("priority".to_owned(), json!(priority.parse::<u64>().ok()?));
        rest = after;
    }
    if kind != "TXT" {
        rest = rest.split_once(" ;").map_or(rest, |(content, _)| content);
    }
    body.insert("type".to_owned(), json!(kind));
    match kind.as_str() {
        "SRV" | "CAA" => drop(body.insert("data".to_owned(), data(&kind, rest)?)),
        _ => drop(body.insert("content".to_owned(), json!(rest.trim()))),
    }
    Some(body)
}

fn data(kind: &str, rest: &str) -> Option<Value> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let text = |at: usize| words.get(at).map(|word| word.trim_matches('"').trim_end_matches('.'));
    match kind {
        "SRV" => Some(json!({
            "priority": number(0)?, "weight": number(1)?, "port": number(2)?, "target": text(3)?,
        })),
        _ => Some(json!({"flags": number(0)?, "tag": text(1)?, "value": text(2)?})),
    }
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (!word.is_empty()).then_some((word, rest.trim_start()))
}
