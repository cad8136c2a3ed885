//! The marker in a record's comment: `ipai STACK NAME HEX16`.

use ipai_core::address::is_name;

/// How many characters a comment may have on the free plan.
pub(crate) const MAX_COMMENT: usize = 100;

/// Who a record belongs to, and which version of its desired attributes was applied last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The stack's id.
    pub(crate) stack: String,
    /// The resource's name in the stack.
    pub(crate) name: String,
    /// Sixteen lower-case hex digits.
    pub(crate) version: String,
}

impl Marker {
    /// Reads a comment; anything but an exact marker is none.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        let parts: Vec<&str> = comment.split(' ').collect();
        let ["ipai", stack, name, version] = parts[..] else { return None };
        let known = is_stack(stack) && is_name(name) && is_version(version);
        known.then(|| Self { stack: stack.into(), name: name.into(), version: version.into() })
    }

    /// What the markers of a stack begin with.
    pub(crate) fn beginning(stack: &ipai_core::StackId) -> String {
        format!("ipai {stack} ")
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ipai {} {} {}", self.stack, self.name, self.version)
    }
}

/// How long the marker of a resource is, in characters.
pub(crate) fn length(stack: &str, name: &str) -> usize {
    "ipai ".len() + stack.len() + 1 + name.len() + 1 + 16
}

fn is_stack(text: &str) -> bool {
    match text.split_once("--") {
        Some((name, environment)) => is_name(name) && is_name(environment),
        None => is_name(text),
    }
}

fn is_version(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_survive_printing_and_reading() {
        for text in ["ipai ops chat 0123456789abcdef", "ipai ops--staging mx-1 ffffffffffffffff"] {
            let marker = Marker::parse(text).unwrap();
            assert_eq!(marker.to_string(), text);
            assert_eq!(length(&marker.stack, &marker.name), text.len());
        }
    }

    #[test]
    fn only_an_exact_marker_counts() {
        for text in [
            "",
            "ipai",
            "managed by ipai",
            "ipai ops chat",
            "ipai ops chat 0123456789abcde",
            "ipai ops chat 0123456789ABCDEF",
            "ipai ops chat 0123456789abcdef ",
            " ipai ops chat 0123456789abcdef",
            "ipai  ops chat 0123456789abcdef",
            "ipai ops chat 0123456789abcdef more",
            "IPAI ops chat 0123456789abcdef",
            "ipai OPS chat 0123456789abcdef",
            "ipai ops-- chat 0123456789abcdef",
            "ipai ops ch.at 0123456789abcdef",
        ] {
            assert_eq!(Marker::parse(text), None, "{text}");
        }
    }
}
