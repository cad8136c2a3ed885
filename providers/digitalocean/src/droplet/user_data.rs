//! User-data: what the stack wrote, and the host key that ipai adds so that the very first connection is verified.

use std::collections::BTreeMap;

use ipai_core::{Diagnostic, Secret};
use serde::de::IgnoredAny;

/// The API's limit, in bytes.
const LIMIT: usize = 64 << 10;
/// Room for the block that is appended, in bytes; an ed25519 pair takes some 650.
const RESERVE: usize = 1 << 10;
/// The first line of every cloud-config.
const HEADER: &str = "#cloud-config";
/// Keys that ipai sets itself.
const TAKEN: [&str; 2] = ["ssh_keys", "ssh_deletekeys"];

/// A host key that a droplet is born with.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The private half in OpenSSH's text form.
    pub private_key: Secret,
    /// The public half, one line as in a `.pub` file.
    pub public_key: String,
    /// SHA-256 of the public half's binary form, 64 lower-case hex digits.
    pub fingerprint_hex: String,
}

/// Checks what the stack wrote.
pub(super) fn check(text: &str, sensitive: bool) -> Result<(), Diagnostic> {
    let first = text.lines().next().unwrap_or_default().trim_end();
    if first != HEADER {
        return Err(Diagnostic::error("user-data must be cloud-config")
            .detail("ipai adds the SSH host key to it, which only cloud-config can carry.")
            .hint("make `#cloud-config` its first line; a script goes under `runcmd`"));
    }
    let room = LIMIT - RESERVE;
    if text.len() > room {
        return Err(Diagnostic::error("user-data is too long")
            .detail(format!("it has {} bytes; {room} fit beside the host key.", text.len()))
            .hint("move files to `host.file` resources, which have no such limit"));
    }
    let keys = top_level(text, sensitive)?;
    match TAKEN.iter().find(|taken| keys.contains_key(**taken)) {
        Some(taken) => Err(Diagnostic::error("user-data sets what ipai sets itself")
            .detail(format!("`{taken}` stands at its top level; ipai puts the host key there."))
            .hint(format!("remove `{taken}`"))),
        None => appendable(text, sensitive),
    }
}

fn top_level(text: &str, sensitive: bool) -> Result<BTreeMap<String, IgnoredAny>, Diagnostic> {
    let parsed = serde_saphyr::from_str::<Option<BTreeMap<String, IgnoredAny>>>(text);
    parsed.map(Option::unwrap_or_default).map_err(|error| {
        let line = error.location().and_then(|at| u32::try_from(at.line()).ok());
        let place = line.map_or_else(|| "somewhere".into(), |line| format!("line {line}"));
        // The parser quotes the text, which may hold a secret.
        let why = if sensitive { String::new() } else { format!(": {}", first_line(&error)) };
        let problem =
            Diagnostic::error("user-data is not a YAML mapping").detail(format!("{place}{why}."));
        line.map(|line| problem.clone().on_rendered_line(line)).unwrap_or(problem)
    })
}

fn first_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// A mapping in braces, or one that was ended by `...`, cannot be added to.
fn appendable(text: &str, sensitive: bool) -> Result<(), Diagnostic> {
    let joined = join(text, "ssh_keys: {}\n");
    let keys = top_level(&joined, sensitive).unwrap_or_default();
    if keys.contains_key("ssh_keys") {
        return Ok(());
    }
    Err(Diagnostic::error("user-data cannot be added to").detail(
        "it must be one YAML mapping in block style, because ipai adds the host key at its end.",
    ))
}

/// The whole user-data: what the stack wrote, then the host key.
pub(crate) fn compose(text: Option<&str>, birth: &Birth) -> Result<Secret, String> {
    let whole = join(text.unwrap_or(HEADER), &block(birth));
    if whole.len() > LIMIT {
        let (size, room) = (text.map_or(0, str::len), LIMIT - RESERVE);
        return Err(format!("user_data has {size} bytes; {room} fit beside the host key"));
    }
    Ok(Secret::new(whole))
}

fn join(text: &str, block: &str) -> String {
    let gap = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}{block}")
}

/// See cloud-init's module "SSH": deleting the image's keys first leaves this one as the only host key.
fn block(birth: &Birth) -> String {
    let lines = birth.private_key.expose().trim_end().lines();
    let private: String = lines.map(|line| format!("    {line}\n")).collect();
    // A JSON text is a YAML text, whatever the key's comment holds.
    let public = serde_json::Value::from(birth.public_key.trim()).to_string();
    format!(
        "ssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n{private}  ed25519_public: {public}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn birth() -> Birth {
        Birth {
            private_key: Secret::new("-----BEGIN-----\nabc\n-----END-----\n".into()),
            public_key: "ssh-ed25519 AAAA web: host\n".into(),
            fingerprint_hex: "ab".repeat(32),
        }
    }

    fn summary(text: &str) -> String {
        check(text, false).unwrap_err().summary
    }

    #[test]
    fn the_host_key_is_appended_as_a_block() {
        let whole = compose(Some("#cloud-config\npackages: [curl]"), &birth()).unwrap();
        let expected = "#cloud-config\npackages: [curl]\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n    -----BEGIN-----\n    abc\n    -----END-----\n  ed25519_public: \"ssh-ed25519 AAAA web: host\"\n";
        assert_eq!(whole.expose(), expected);
    }

    #[test]
    fn the_whole_is_yaml_that_gives_the_key_back() {
        let whole = compose(None, &birth()).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(whole.expose()).unwrap();
        assert_eq!(read["ssh_keys"]["ed25519_private"], "-----BEGIN-----\nabc\n-----END-----\n");
        assert_eq!(read["ssh_keys"]["ed25519_public"], "ssh-ed25519 AAAA web: host");
        assert_eq!(read["ssh_deletekeys"], true);
    }

    #[test]
    fn takes_ordinary_cloud_config() {
        for text in [
            "#cloud-config\n",
            "#cloud-config",
            "#cloud-config\n# nothing\n",
            "#cloud-config\nusers:\n  - name: a\n    ssh_keys: nested is fine\nruncmd:\n- [ls, -l]\n",
            "#cloud-config\nwrite_files:\n  - path: /x\n    content: |\n      ssh_keys: in a text\n",
        ] {
            assert_eq!(check(text, false), Ok(()), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_add_a_key_to() {
        assert_eq!(summary("#!/bin/sh\n"), "user-data must be cloud-config");
        assert_eq!(summary(""), "user-data must be cloud-config");
        assert_eq!(summary("#cloud-config-archive\n"), "user-data must be cloud-config");
        assert_eq!(
            summary("#cloud-config\nssh_keys: {}\n"),
            "user-data sets what ipai sets itself"
        );
        let quoted = "#cloud-config\n\"ssh_deletekeys\" : false\n";
        assert_eq!(summary(quoted), "user-data sets what ipai sets itself");
        assert_eq!(summary("#cloud-config\n{packages: [curl]}\n"), "user-data cannot be added to");
        assert_eq!(summary("#cloud-config\n- a\n"), "user-data is not a YAML mapping");
        assert_eq!(summary("#cloud-config\na: [\n"), "user-data is not a YAML mapping");
    }

    #[test]
    fn names_both_numbers_when_it_is_too_long() {
        let text = format!("#cloud-config\n#{}\n", "x".repeat(64 << 10));
        let detail = check(&text, false).unwrap_err().detail.unwrap();
        assert!(detail.contains("65552") && detail.contains("64512"), "{detail}");
        assert!(compose(Some(&text), &birth()).is_err());
    }

    #[test]
    fn an_error_in_sensitive_user_data_does_not_quote_it() {
        let text = "#cloud-config\npassword: [hunter2\n";
        let problem = check(text, true).unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }

    #[test]
    fn a_birth_does_not_print_its_private_key() {
        assert!(!format!("{:?}", birth()).contains("abc"));
    }
}
