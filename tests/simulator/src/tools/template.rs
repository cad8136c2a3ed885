//! The part of Go templates that `--format` is used for: `{{.A.B}}`, `{{json .A}}`,
//! `{{index .A "key"}}`, `{{.Label "key"}}` and text between them.

use serde_json::Value;

/// Under this key a row of `docker ps` has its labels, for the method `.Label`; no output shows it.
pub(super) const LABELS: &str = "\0labels";

/// Renders `template` over `value`. What is not understood is an error, never wrong output.
pub(super) fn render(template: &str, value: &Value) -> Result<String, String> {
    if template == "json" {
        return Ok(whole(value).to_string());
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after
            .split_once("}}")
            .ok_or_else(|| "template parsing error: unclosed action".to_owned())?;
        out.push_str(&literal(before));
        out.push_str(&evaluate(action.trim(), value)?);
        rest = after;
    }
    out.push_str(&literal(rest));
    Ok(out)
}

/// Docker's CLI turns `\t` and `\n` of a format into what they mean.
fn literal(text: &str) -> String {
    text.replace(r"\t", "\t").replace(r"\n", "\n")
}

fn evaluate(action: &str, value: &Value) -> Result<String, String> {
    if let Some(path) = action.strip_prefix("json ") {
        return Ok(whole(look_up(path.trim(), value)?).to_string());
    }
    if let Some(key) = action.strip_prefix(".Label ") {
        let found = value.get(LABELS).and_then(|labels| labels.get(key.trim().trim_matches('"')));
        return Ok(plain(found.unwrap_or(&Value::String(String::new()))));
    }
    if let Some(arguments) = action.strip_prefix("index ") {
        let (path, key) = arguments
            .trim()
            .split_once(' ')
            .ok_or_else(|| format!("template parsing error: {{{{{action}}}}}"))?;
        let found = look_up(path, value)?.get(key.trim().trim_matches('"'));
        return Ok(plain(found.unwrap_or(&Value::String(String::new()))));
    }
    Ok(plain(look_up(action, value)?))
}

/// Leaves out what only [`LABELS`] is for.
fn whole(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove(LABELS);
    }
    value
}

fn look_up<'a>(path: &str, value: &'a Value) -> Result<&'a Value, String> {
    let names = path
        .strip_prefix('.')
        .ok_or_else(|| format!("the sandbox's docker cannot evaluate {{{{{path}}}}}"))?;
    let mut found = value;
    for name in names.split('.').filter(|name| !name.is_empty()) {
        found = found.get(name).ok_or_else(|| {
            format!(
                "template: :1:2: executing \"\" at <.{names}>: map has no entry for key \"{name}\""
            )
        })?;
    }
    Ok(found)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<no value>".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_paths_json_and_index() {
        let value = serde_json::json!({"A": {"B": "x", "L": {"a.b": "y"}}});
        let of = |template| render(template, &value).unwrap();
        assert_eq!(of("{{.A.B}}|{{ json .A.L }}"), "x|{\"a.b\":\"y\"}");
        assert_eq!(of("{{index .A.L \"a.b\"}}{{index .A.L \"c\"}}"), "y");
        let row = serde_json::json!({"ID": "x", LABELS: {"a.b": "y"}});
        assert_eq!(render("{{.Label \"a.b\"}}{{.Label \"c\"}}", &row).unwrap(), "y");
        assert_eq!(render("{{json .}}", &row).unwrap(), "{\"ID\":\"x\"}");
        assert!(render("{{range .A}}{{end}}", &value).is_err());
        assert!(render("{{.Nope}}", &value).unwrap_err().contains("\"Nope\""));
    }
}
