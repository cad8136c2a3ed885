//! One attribute's value in words.

use ipai_core::plan::Shown;
pub(crate) use ipai_core::size::in_words as size;
use serde_json::Value as Json;

pub(super) const SENSITIVE: &str = "(sensitive value)";
pub(super) const UNKNOWN: &str = "(known after apply)";

/// What a value of core looks like once it is JSON.
pub(super) enum Kind<'a> {
    /// A whole file that may be shown.
    Content { sha256: &'a str, size: u64 },
    /// A secret, or content with one in it.
    Sensitive,
    /// Anything else, as it is.
    Plain(&'a Json),
}

/// Recognises the forms that core gives to contents and secrets. Both carry hex digests of fixed length, so
/// that a table of the stack is not taken for one.
pub(super) fn kind(json: &Json) -> Kind<'_> {
    let Some(map) = json.as_object() else { return Kind::Plain(json) };
    let hex = |name: &str, length: usize| {
        let digest = map.get(name)?.as_str()?;
        let is_hex = digest.len() == length && digest.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then_some(digest)
    };
    match (map.len(), hex("sensitive", 32), hex("sha256", 64)) {
        (1, Some(_), _) => Kind::Sensitive,
        (2, _, Some(sha256)) => match map.get("size").and_then(Json::as_u64) {
            Some(size) => Kind::Content { sha256, size },
            None => Kind::Plain(json),
        },
        _ => Kind::Plain(json),
    }
}

/// A value in at most about `limit` characters.
pub(super) fn shown(value: &Shown, limit: usize) -> String {
    match value {
        Shown::Absent => "(none)".to_owned(),
        Shown::Sensitive(_) => SENSITIVE.to_owned(),
        Shown::Unknown => UNKNOWN.to_owned(),
        Shown::Value(json) => json_words(json, limit),
    }
}

/// Two values in at most about `limit` characters each; of long texts the part where they begin to differ.
pub(super) fn pair(before: &Shown, after: &Shown, limit: usize) -> (String, String) {
    let texts = (before, after);
    if let (Shown::Value(Json::String(before)), Shown::Value(Json::String(after))) = texts {
        let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
        let from = |text: &str| {
            let long = text.chars().count() > limit && same > limit / 2;
            if long { same.saturating_sub(limit / 3) } else { 0 }
        };
        return (text(before, limit, from(before)), text(after, limit, from(after)));
    }
    (shown(before, limit), shown(after, limit))
}

/// JSON in words. Values are no deeper than the TOML reader allows.
fn json_words(json: &Json, limit: usize) -> String {
    match kind(json) {
        Kind::Sensitive => SENSITIVE.to_owned(),
        Kind::Content { size: bytes, .. } => size(bytes),
        Kind::Plain(Json::String(value)) => text(value, limit, 0),
        Kind::Plain(Json::Array(items)) => {
            list(items.iter().map(|item| json_words(item, limit)), limit, ['[', ']'])
        }
        Kind::Plain(Json::Object(map)) => {
            let entry = |(name, value): (&String, &Json)| {
                format!("{}: {}", text(name, limit, 0), json_words(value, limit))
            };
            list(map.iter().map(entry), limit, ['{', '}'])
        }
        Kind::Plain(other) => other.to_string(),
    }
}

fn list(items: impl ExactSizeIterator<Item = String>, limit: usize, ends: [char; 2]) -> String {
    let (total, mut words, mut length) = (items.len(), String::from(ends[0]), 0);
    for (place, item) in items.enumerate() {
        length += item.chars().count() + 2;
        if length > limit && place > 0 {
            words += &format!(", … {} more", total - place);
            break;
        }
        if place > 0 {
            words += ", ";
        }
        words += &item;
    }
    words.push(ends[1]);
    words
}

/// A text, bare when it is one plain word, else quoted; shortened to `limit` characters from `from` on.
pub(super) fn text(value: &str, limit: usize, from: usize) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@+*~%".contains(&b);
    if value.len() <= limit && !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    let total = value.chars().count();
    if total <= limit {
        return quoted(value);
    }
    let piece: String = value.chars().skip(from).take(limit).collect();
    let (left, right) =
        (if from > 0 { "…" } else { "" }, if from + limit < total { "…" } else { "" });
    format!("{left}{}{right} ({total} characters)", quoted(&piece))
}

/// As in JSON: what would end the quotation or the line is escaped.
fn quoted(value: &str) -> String {
    Json::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(json: Json) -> String {
        shown(&Shown::Value(json), 20)
    }

    #[test]
    fn plain_words_stand_bare_and_all_else_is_quoted() {
        assert_eq!(words(json!("203.0.113.7")), "203.0.113.7");
        assert_eq!(words(json!("two words")), "\"two words\"");
        assert_eq!(words(json!("")), "\"\"");
        assert_eq!(words(json!("(known after apply)")), "\"(known after apply)\"");
        assert_eq!(words(json!("a\nb")), "\"a\\nb\"");
        assert_eq!(words(json!([true, 60, null])), "[true, 60, null]");
    }

    #[test]
    fn long_values_are_shortened_and_say_so() {
        assert_eq!(
            words(json!("x".repeat(30))),
            format!("\"{}\"… (30 characters)", "x".repeat(20))
        );
        assert_eq!(words(json!(["aaaaaaaa", "bbbbbbbb", "cc"])), "[aaaaaaaa, bbbbbbbb, … 1 more]");
    }

    #[test]
    fn long_texts_are_shown_where_they_differ() {
        let (same, one, other) = ("k".repeat(40), "1 end", "2 end");
        let value = |tail: &str| Shown::Value(json!(format!("{same}{tail}")));
        let (before, after) = pair(&value(one), &value(other), 20);
        assert_eq!(before, "…\"kkkkkk1 end\" (45 characters)");
        assert_eq!(after, "…\"kkkkkk2 end\" (45 characters)");
    }

    #[test]
    fn secrets_and_contents_are_recognised_only_with_their_digests() {
        let digest = "ab".repeat(16);
        assert_eq!(words(json!([{ "sensitive": digest }])), "[(sensitive value)]");
        assert_eq!(words(json!({ "sensitive": "yes" })), "{sensitive: yes}");
        let content = json!({ "sha256": "ab".repeat(32), "size": 3175 });
        assert_eq!(words(content), "3.1 KiB");
    }
}
