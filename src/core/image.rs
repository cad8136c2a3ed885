//! Names of images, as Docker reads them, and the digests that a stack's lock file gives them.

mod locked;

use std::collections::BTreeMap;

pub use locked::{lock_text, read_lock};

/// Digests (`sha256:` and 64 hex digits) by the name of the image, its tag included, as the Compose file writes it.
pub type Locked = BTreeMap<String, String>;

/// An image whose tag a registry can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// As it is written, with `:latest` where it has no tag: its name in the lock file.
    pub name: String,
    /// The registry's host, with its port where one is written.
    pub host: String,
    /// The repository in that registry.
    pub path: String,
    /// The tag.
    pub tag: String,
}

impl ImageName {
    /// Reads a name as Docker does: <https://pkg.go.dev/github.com/distribution/reference>.
    ///
    /// # Errors
    /// Why no registry can be asked for its digest, to stand behind "cannot be locked:".
    pub fn parse(image: &str) -> Result<Self, &'static str> {
        if image.contains('$') {
            return Err("Compose fills its name in on the host");
        }
        if image.contains('@') {
            return Err("it names its digest itself");
        }
        let last = image.rfind('/').map_or(0, |slash| slash + 1);
        let (written, tag) = match image[last..].split_once(':') {
            Some((name, tag)) => (&image[..last + name.len()], tag),
            None => (image, "latest"),
        };
        let (host, path) = match written.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => ("docker.io", written),
        };
        let hub = matches!(host, "docker.io" | "index.docker.io");
        let official = hub && !path.contains('/');
        let name = Self {
            name: format!("{written}:{tag}"),
            host: if hub { "registry-1.docker.io" } else { host }.to_owned(),
            path: format!("{}{path}", if official { "library/" } else { "" }),
            tag: tag.to_owned(),
        };
        let legal = is_host(&name.host) && is_path(&name.path) && is_tag(tag);
        if legal { Ok(name) } else { Err("it is no name of an image") }
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

fn is_path(text: &str) -> bool {
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part = |part: &str| {
        let ends = [part.as_bytes().first(), part.as_bytes().last()];
        ends.into_iter().all(|end| end.is_some_and(word))
            && part.bytes().all(|b| word(&b) || matches!(b, b'.' | b'_' | b'-'))
    };
    text.len() <= 255 && text.split('/').all(part)
}

/// Tells whether a text can be a tag: a word character, then up to 127 of those, `.` and `-`.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = text.bytes().next().is_some_and(word);
    first && text.len() <= 128 && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Tells whether a text is the one form of digest that is locked: `sha256:` and 64 hex digits in lower case.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.bytes().all(hex))
}

/// The image with the digest that is locked for it, if one is.
#[must_use]
pub fn pinned(image: &str, locked: &Locked) -> Option<String> {
    let name = ImageName::parse(image).ok()?.name;
    locked.get(&name).map(|digest| format!("{name}@{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (image, host, path, tag) in [
            ("caddy:2", "registry-1.docker.io", "library/caddy", "2"),
            ("caddy", "registry-1.docker.io", "library/caddy", "latest"),
            ("n8nio/n8n:2.1", "registry-1.docker.io", "n8nio/n8n", "2.1"),
            ("docker.io/caddy:2", "registry-1.docker.io", "library/caddy", "2"),
            ("ghcr.io/x/y:1", "ghcr.io", "x/y", "1"),
            ("localhost:5000/x/y:1", "localhost:5000", "x/y", "1"),
            ("localhost:5000/x", "localhost:5000", "x", "latest"),
            ("[::1]:5000/x:1", "[::1]:5000", "x", "1"),
            ("latest", "registry-1.docker.io", "library/latest", "latest"),
        ] {
            let name = ImageName::parse(image).unwrap();
            assert_eq!((&*name.host, &*name.path, &*name.tag), (host, path, tag), "{image}");
            let written = if image.ends_with(&format!(":{tag}")) { "" } else { ":latest" };
            assert_eq!(name.name, format!("{image}{written}"));
        }
    }

    #[test]
    fn what_no_registry_can_be_asked_for_is_no_name() {
        for (image, why) in [
            ("caddy:2@sha256:ab", "digest"),
            ("${IMAGE}", "Compose"),
            ("", "no name"),
            ("a b", "no name"),
            ("caddy:", "no name"),
            ("Caddy:2", "no name"),
            ("a//b:1", "no name"),
            ("ghcr.io/../x:1", "no name"),
            ("ghcr.io/x?y:1", "no name"),
            ("evil.com#x/y:1", "no name"),
            ("größe.example/y:1", "no name"),
        ] {
            assert!(ImageName::parse(image).unwrap_err().contains(why), "{image}");
        }
    }

    #[test]
    fn a_tag_is_what_a_registry_takes_for_one() {
        for tag in ["11.7.12", "latest", "17.11-bookworm", "_x"] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", ".1", "-1", "a b", "a\"b", "a/b", "a:b", "{{ x }}", &"1".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }

    #[test]
    fn the_digest_stands_behind_the_tag_and_no_image_gets_two() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let locked: Locked = [("caddy:latest".to_owned(), digest.clone())].into();
        let wanted = Some(format!("caddy:latest@{digest}"));
        assert_eq!(pinned("caddy", &locked), wanted);
        assert_eq!(pinned("caddy:latest", &locked), wanted);
        assert_eq!(pinned("caddy:2", &locked), None);
        assert_eq!(pinned(&format!("caddy@{digest}"), &locked), None);
    }
}
