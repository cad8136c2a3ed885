//! `$NAME`, `${NAME:-default}` and their kin
//! (<https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md>).

use std::collections::BTreeMap;

use serde_json::Value;

/// Variables by name.
pub(super) type Variables = BTreeMap<String, String>;

/// Replaces every variable in `text`. A name that is not set is the empty text; `$$` is a dollar.
pub(super) fn interpolate(text: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let end = closing_brace(after).ok_or_else(|| invalid(text))?;
            out.push_str(&braced(&after[..end], text, variables)?);
            &after[end + 1..]
        } else {
            let end = name_length(after);
            if end == 0 {
                return Err(invalid(text));
            }
            out.push_str(look_up(&after[..end], variables));
            &after[end..]
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// Interpolates every text below `value`; `path` is where it stands, for the message.
pub(super) fn interpolate_tree(
    value: &mut Value,
    path: &str,
    variables: &Variables,
) -> Result<(), String> {
    match value {
        Value::String(text) if text.contains('$') => {
            *text = interpolate(text, variables).map_err(|problem| {
                if problem.starts_with("required") {
                    format!("error while interpolating {path}: {problem}")
                } else {
                    format!("invalid interpolation format for {path}: {problem}")
                }
            })?;
        }
        Value::Array(items) => {
            for item in items {
                interpolate_tree(item, &format!("{path}.[]"), variables)?;
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                interpolate_tree(item, &path, variables)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn braced(inner: &str, whole: &str, variables: &Variables) -> Result<String, String> {
    let end = name_length(inner);
    let (name, operator) = inner.split_at(end);
    let set = variables.get(name);
    let filled = set.filter(|value| !value.is_empty());
    let alternative = |text: &str| interpolate(text, variables);
    if name.is_empty() {
        return Err(invalid(whole));
    }
    let missing = |text: &str| {
        let reason = alternative(text)?;
        Err(format!("required variable {name} is missing a value: {reason}"))
    };
    match operator.split_at_checked(usize::from(operator.starts_with(':')) + 1) {
        None if operator.is_empty() => Ok(look_up(name, variables).to_owned()),
        Some((":-", other)) => filled.map_or_else(|| alternative(other), |value| Ok(value.clone())),
        Some(("-", other)) => set.map_or_else(|| alternative(other), |value| Ok(value.clone())),
        Some((":?", reason)) => filled.map_or_else(|| missing(reason), |value| Ok(value.clone())),
        Some(("?", reason)) => set.map_or_else(|| missing(reason), |value| Ok(value.clone())),
        Some((":+", other)) => filled.map_or_else(|| Ok(String::new()), |_| alternative(other)),
        Some(("+", other)) => set.map_or_else(|| Ok(String::new()), |_| alternative(other)),
        _ => Err(invalid(whole)),
    }
}

fn look_up<'a>(name: &str, variables: &'a Variables) -> &'a str {
    variables.get(name).map_or_else(
        || {
            crate::tools::complain(format!(
                "level=warning msg=\"The \\\"{name}\\\" variable is not set. Defaulting to a blank string.\""
            ));
            ""
        },
        String::as_str,
    )
}

fn name_length(text: &str) -> usize {
    let first = |c: char| c == '_' || c.is_ascii_alphabetic();
    if !text.starts_with(first) {
        return 0;
    }
    text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len())
}

fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn invalid(text: &str) -> String {
    format!("\"{text}\". You may need to escape any $ with another $")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        let set = [("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())];
        interpolate(text, &Variables::from(set))
    }

    #[test]
    fn knows_every_form() {
        let cases = [
            ("$A-${A}$$A", "1-1$A"),
            ("${N:-d}${N-d}${E:-d}${E-d}", "ddd"),
            ("${A:+y}${E:+y}${E+y}${N+y}", "yy"),
            ("${N:-${A}x}", "1x"),
            ("${A:?no}", "1"),
            ("é$A", "é1"),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_missing_or_malformed() {
        assert_eq!(
            of("${E:?set it}").unwrap_err(),
            "required variable E is missing a value: set it"
        );
        for text in ["${", "${}", "$ x", "${A!x}", "a$"] {
            assert!(of(text).unwrap_err().contains("escape any $"), "{text}");
        }
    }
}
