//! The document that ipai adds to a Compose file, as a difference shows it.

use super::yaml;

/// How the document begins.
pub(super) const HEAD: &str = "# added by ipai:";

/// Two versions of a file without ipai's documents, when those differ in nothing but digests of files, which the plan shows
/// as files; else both whole. Whoever reads a difference sees everything else.
pub(super) fn without_digests<'t>(before: &'t str, after: &'t str) -> (&'t str, &'t str) {
    let whole = (before, after);
    let (Some(old), Some(new)) = (apart(before), apart(after)) else { return whole };
    let same = bare(old.1).is_some() && bare(old.1) == bare(new.1);
    if same { (old.0, new.0) } else { whole }
}

/// What people wrote, and the document behind it. The last one is ipai's, whatever stands before it.
fn apart(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind(&format!("\n---\n{HEAD}"))? + 1;
    Some(text.split_at(at))
}

/// The document as data without its digests; none where it is not what ipai would add.
fn bare(document: &str) -> Option<serde_json::Value> {
    let is_digest = |value: &serde_json::Value| {
        value.as_str().is_some_and(|text| {
            text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    let mut document = yaml::read(document).ok()?;
    for (_, service) in document.get_mut("services")?.as_object_mut()? {
        let labels = service.get_mut("labels")?.as_object_mut()?;
        if labels.get("ipai.files").is_some_and(is_digest) {
            labels.remove("ipai.files");
        }
    }
    let loads = document.get_mut("x-ipai").and_then(|ours| ours.get_mut("loads"));
    for (_, load) in loads.and_then(serde_json::Value::as_object_mut).into_iter().flatten() {
        if is_digest(load) {
            *load = serde_json::Value::Null;
        }
    }
    Some(document.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "---\n# added by ipai: labels\nservices:\n  \"a\":\n    labels:\n      ipai.stack: \"ops\"\n      \
                        ipai.files: \"0123456789abcdef\"\nx-ipai:\n  loads:\n    \"b\": \"0123456789abcdef\"\n";

    #[test]
    fn only_digests_are_left_out() {
        let file = |own: &str, ours: &str| format!("{own}\n{ours}");
        let other = OURS.replace("0123456789abcdef", "fedcba9876543210");
        let (old, new) = (file("a: 1", OURS), file("a: 2", &other));
        assert_eq!(without_digests(&old, &new), ("a: 1\n", "a: 2\n"));
        let digests = (file("a: 1", OURS), file("a: 1", &other));
        assert_eq!(without_digests(&digests.0, &digests.1), ("a: 1\n", "a: 1\n"));
        for (old, new) in [
            // Something stands behind the document, or in it, or in its place.
            (format!("{old}  evil:\n    image: x:1\n"), new.clone()),
            (old.replace("ipai.stack: \"ops\"", "ipai.stack: \"else\""), new.clone()),
            (old.replace("    labels:\n", "    image: x:1\n    labels:\n"), new.clone()),
            (old.replace("ipai.files: \"0123456789abcdef\"", "ipai.files: \"x\""), new.clone()),
            ("a: 1\n".to_owned(), new.clone()),
            (format!("{old}---\nservices: {{}}\n"), format!("{new}---\nservices: {{a: 1}}\n")),
        ] {
            assert_eq!(without_digests(&old, &new), (&*old, &*new));
        }
    }
}
