//! What is wrong with secrets that everything else is right about: weak ones, reused ones, and those that stand
//! somewhere in the clear.

mod plain;

use std::collections::BTreeMap;

use ipai_core::Secret;

pub use plain::{Sighting, sightings};

use super::generate::Kind;

/// Fewer bits than this can be tried offline, one after the other, by somebody with a rack of graphics cards.
const FEWEST_BITS: f64 = 64.0;
/// Fewer different characters than this are a pattern.
const FEWEST_DIFFERENT: usize = 6;
/// The beginnings of every list of passwords that are tried first. In lower case.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "changeme",
    "change-me",
    "letmein",
    "welcome",
    "secret",
    "default",
    "administrator",
    "qwerty",
    "qwertz",
    "123456",
    "abc123",
    "iloveyou",
    "correcthorsebatterystaple",
    "postgres",
    "mattermost",
    "superset",
    "focalboard",
    "example",
    "insecure",
    "testtest",
    "hunter2",
];

/// Why a secret is weak; nothing when it is not. What ipai hashed or derived is as strong as what it was made from.
#[must_use]
pub fn weakness(secret: &Secret, kind: Option<Kind>) -> Option<String> {
    let text = secret.expose();
    let derived = matches!(kind, Some(Kind::Bcrypt | Kind::KeyPair | Kind::PublicKey));
    if derived || text.is_empty() || text.contains('\n') {
        return None;
    }
    if is_common(text) {
        return Some("it is one of the words that are tried first, or little more".to_owned());
    }
    let mut letters: Vec<char> = text.chars().collect();
    let length = letters.len();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < FEWEST_DIFFERENT {
        return Some(format!("it has {} different characters", letters.len()));
    }
    // No estimate sees through every pattern; this is the most that a text of this alphabet and length can be worth.
    let most = count(length) * alphabet(text).log2();
    (most < FEWEST_BITS).then(|| {
        format!(
            "its {length} characters are worth {most:.0} bits at most, fewer than {FEWEST_BITS:.0}"
        )
    })
}

fn is_common(text: &str) -> bool {
    let lower = text.to_lowercase();
    // Digits and marks around a word, as in "Password123!", are tried with it.
    let bare = lower.trim_matches(|c: char| !c.is_alphabetic());
    let spread: String = bare.chars().filter(|c| c.is_alphanumeric()).collect();
    COMMON.iter().any(|word| lower == *word || bare == *word || spread == *word)
        || COMMON.iter().any(|word| lower.starts_with(word) && lower.len() < word.len() + 5)
}

/// How many characters there are to choose from, judged by those that were chosen.
fn alphabet(text: &str) -> f64 {
    let any = |fits: fn(&char) -> bool| text.chars().any(|c| fits(&c));
    if text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
        return if any(|c| c.is_ascii_alphabetic()) { 16.0 } else { 10.0 };
    }
    let mut size = 0.0;
    for (fits, more) in [
        (char::is_ascii_lowercase as fn(&char) -> bool, 26.0),
        (char::is_ascii_uppercase, 26.0),
        (char::is_ascii_digit, 10.0),
        (|c: &char| !c.is_ascii_alphanumeric(), 33.0),
    ] {
        if any(fits) {
            size += more;
        }
    }
    size
}

/// A length for a formula; lengths of secrets are far below where a float is exact.
fn count(length: usize) -> f64 {
    u32::try_from(length).map_or(f64::from(u32::MAX), f64::from)
}

/// Names that share one value, each group in the order of names. Empty values are no values.
#[must_use]
pub fn reused(secrets: &BTreeMap<String, Secret>) -> Vec<Vec<&str>> {
    let mut by_value: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, secret) in secrets {
        by_value.entry(secret.expose()).or_default().push(name);
    }
    let shared = by_value.into_iter().filter(|(value, names)| !value.is_empty() && names.len() > 1);
    let mut groups: Vec<Vec<&str>> = shared.map(|(_, names)| names).collect();
    groups.sort();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(text: &str) -> bool {
        weakness(&Secret::new(text.to_owned()), None).is_some()
    }

    #[test]
    fn short_uniform_and_common_secrets_are_weak() {
        for text in [
            "hunter2",
            "Password123!",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "0123456789012345",
            "kdjfhgkd",
            "abababababababababababab",
            "changeme",
            "postgres",
            "postgres1234",
            "Tr0ub4dor",
        ] {
            assert!(weak(text), "{text}");
        }
    }

    #[test]
    fn what_ipai_makes_is_not_weak_and_an_empty_secret_is_none() {
        for text in [
            "q7Tn3vXzL0pB",
            "9f8a7b6c5d4e3f2a",
            "0d1f8e0a9b7c6d5e4f3a2b1c0d9e8f7a",
            "correct horse battery staples of my neighbour",
            "",
            "-----BEGIN X-----\na\n",
        ] {
            assert!(!weak(text), "{text}");
        }
        let hash = Secret::new("$2b$10$aaaaaaaaaaaaaaaaaaaaaa".to_owned());
        assert!(weakness(&hash, Some(Kind::Bcrypt)).is_none());
    }

    #[test]
    fn secrets_that_share_a_value_are_named_together() {
        let secrets = [("a", "1"), ("b", "2"), ("c", "1"), ("d", ""), ("e", "")];
        let secrets = secrets.map(|(n, v)| (n.to_owned(), Secret::new(v.to_owned()))).into();
        assert_eq!(reused(&secrets), [["a", "c"]]);
    }
}
