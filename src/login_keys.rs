//! Public keys that may log in, as OpenSSH's `authorized_keys` lists them (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The keys of a file, and the numbers of its lines that hold none, counted from 1.
pub(crate) fn read(text: &str) -> (Vec<String>, Vec<usize>) {
    let (mut keys, mut wrong) = (Vec::new(), Vec::new());
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if holds_key(line) {
            keys.push(line.to_owned());
        } else {
            wrong.push(place + 1);
        }
    }
    (keys, wrong)
}

/// Tells whether a type and a key of that type stand in a line; options may come before them, a comment after.
fn holds_key(line: &str) -> bool {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if words.peek().is_some_and(|blob| is_key(word, blob)) {
            return true;
        }
    }
    false
}

/// Tells whether this is a key in base64 that names itself as of this type (RFC 4253, section 6.6).
fn is_key(kind: &str, blob: &str) -> bool {
    let typed = ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|start| kind.starts_with(start));
    let Some(blob) = typed.then(|| STANDARD.decode(blob).ok()).flatten() else { return false };
    let Some((length, rest)) = blob.split_first_chunk::<4>() else { return false };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    rest.len() > length && rest.starts_with(kind.as_bytes()) && length == kind.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPEjYtLVIxXGbnYDlUIdv5JSMxVWDEQXmxuSPfXMJIwD";

    #[test]
    fn keys_are_told_from_what_only_looks_like_one() {
        for good in [
            KEY.to_owned(),
            format!("{KEY} somebody@somewhere"),
            format!("from=\"10.0.0.0/8\",command=\"echo a b\"\t{KEY}"),
        ] {
            assert!(holds_key(&good), "{good}");
        }
        for bad in [
            "not a key at all",
            "ssh-rsa notakey",
            &KEY[12..],
            &KEY.replace("ssh-ed25519", "ssh-rsa"),
            &KEY[..30],
            "ssh-ed25519",
        ] {
            assert!(!holds_key(bad), "{bad}");
        }
    }

    #[test]
    fn lines_without_a_key_are_counted_and_comments_are_not() {
        let (keys, wrong) = read(&format!("# mine\n\n{KEY}\noops\n"));
        assert_eq!((keys, wrong), (vec![KEY.to_owned()], vec![4]));
    }
}
