//! As much of GitHub's expressions as the shipped files use, and strict where GitHub is not: a name that nothing has is a
//! mistake here, and an empty text there.

use serde_json::Value;

/// Fills in each `${{ … }}`.
pub(crate) fn fill(text: &str, context: &Value) -> String {
    let Some((before, rest)) = text.split_once("${{") else { return text.to_owned() };
    let (inside, after) = rest.split_once("}}").unwrap();
    format!("{before}{}{}", in_words(&value(inside, context)), fill(after, context))
}

/// Whether a step runs; without a condition, or with one that does not ask, only when nothing failed before.
pub(crate) fn runs(condition: Option<&str>, failed: bool, context: &Value) -> bool {
    let Some(condition) = condition else { return !failed };
    (!failed || condition.contains("always()")) && holds(&value(condition, context))
}

fn value(text: &str, context: &Value) -> Value {
    let text = text.trim();
    if let Some((left, right)) = text.split_once("&&") {
        return (holds(&value(left, context)) && holds(&value(right, context))).into();
    }
    for (operator, wanted) in [("==", true), ("!=", false)] {
        if let Some((left, right)) = text.split_once(operator) {
            let [left, right] = [left, right].map(|side| in_words(&value(side, context)));
            return ((left == right) == wanted).into();
        }
    }
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(literal) => literal.into(),
        None if text == "always()" => true.into(),
        None => named(text, context),
    }
}

fn named(path: &str, context: &Value) -> Value {
    let mut found = context;
    let mut optional = false;
    for part in path.split('.') {
        let next = found.get(part);
        assert!(next.is_some() || optional, "nothing is called `{part}` in {path}: {found}");
        // What a step writes down, it writes down when it gets there.
        optional |= part == "outputs";
        found = next.unwrap_or(&Value::Null);
    }
    found.clone()
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn holds(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && *value != ""
}

#[test]
fn expressions_mean_what_they_mean_at_github() {
    let context =
        serde_json::json!({"inputs": {"do": "plan"}, "steps": {"a": {"outputs": {"x": "1"}}}});
    assert_eq!(
        fill("${{ inputs.do }}/${{ steps.a.outputs.x }}${{ steps.a.outputs.y }}!", &context),
        "plan/1!"
    );
    let runs = |condition, failed| runs(Some(condition), failed, &context);
    assert!(runs("inputs.do == 'plan' && steps.a.outputs.y == ''", false));
    assert!(!runs("inputs.do == 'plan' && steps.a.outputs.y != ''", false));
    assert!(!runs("inputs.do == 'plan'", true) && runs("always() && inputs.do == 'plan'", true));
}
