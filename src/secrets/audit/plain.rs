//! Secrets in the clear: the stack's own values, and what looks like somebody's.

use std::collections::BTreeMap;

use ipai_core::Secret;

/// Something in a text that should not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The line, counted from 1.
    pub line: usize,
    /// What it is, without a word of it.
    pub what: String,
}

/// Shorter values are words that stand everywhere.
const SHORTEST_VALUE: usize = 8;
/// Shorter texts behind `password =` are more often an example than a secret.
const SHORTEST_ASSIGNED: usize = 16;
/// Bits for each character; English has about 2 in a name and 4 in a random text of this length.
const RANDOM: f64 = 3.2;

/// A token that can be told by its look: what it is, how it begins, what follows, how much of it.
type Look = (&'static str, &'static str, fn(char) -> bool, usize);

/// Tokens that can be told by their look.
const TOKENS: &[Look] = &[
    ("an AWS access key", "AKIA", upper, 16),
    ("an AWS access key", "ASIA", upper, 16),
    ("a DigitalOcean token", "dop_v1_", hex, 64),
    ("a GitHub token", "ghp_", word, 36),
    ("a GitHub token", "github_pat_", word, 22),
    ("a Slack token", "xoxb-", word, 10),
    ("an age identity", "AGE-SECRET-KEY-1", upper, 58),
];

/// Names behind which a secret stands, in lower case and without marks between their words.
const TELLING: &[&str] =
    &["password", "passwd", "secret", "apikey", "token", "privatekey", "accesskey", "credential"];

/// What stands in `text` in the clear: values of `secrets`, and what looks like keys, tokens and passwords.
#[must_use]
pub fn sightings(text: &str, secrets: &BTreeMap<String, Secret>) -> Vec<Sighting> {
    let mut found: Vec<Sighting> = secrets
        .iter()
        .filter(|(_, secret)| secret.expose().trim().len() >= SHORTEST_VALUE)
        .filter_map(|(name, secret)| {
            let place = text.find(secret.expose().trim())?;
            let line = text[..place].matches('\n').count() + 1;
            Some(Sighting { line, what: format!("the value of the secret `{name}`") })
        })
        .collect();
    for (index, line) in text.lines().enumerate() {
        let known = found.iter().any(|sighting| sighting.line == index + 1);
        let what = private_key(line).or_else(|| token(line)).or_else(|| assigned(line));
        if let (Some(what), false) = (what, known) {
            found.push(Sighting { line: index + 1, what });
        }
    }
    found.sort_by_key(|sighting| sighting.line);
    found
}

fn private_key(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("-----BEGIN ")?;
    let (kind, _) = rest.split_once("-----")?;
    let plain = kind.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ');
    (plain && kind.ends_with("PRIVATE KEY")).then(|| "a private key".to_owned())
}

fn token(line: &str) -> Option<String> {
    let matches = |(_, start, fits, length): &&(&str, &str, fn(char) -> bool, usize)| {
        line.match_indices(start).any(|(place, _)| {
            let alone = !line[..place].chars().next_back().is_some_and(char::is_alphanumeric);
            let rest = &line[place + start.len()..];
            alone && rest.chars().take_while(|c| fits(*c)).count() >= *length
        })
    };
    TOKENS.iter().find(matches).map(|(what, ..)| (*what).to_owned())
}

fn upper(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

fn hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// `password = "…"` and its relatives in TOML, YAML, JSON and env files, when what follows looks like chance.
fn assigned(line: &str) -> Option<String> {
    let place = line.find(['=', ':'])?;
    let (name, value) = (&line[..place], &line[place + 1..]);
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let telling = TELLING.iter().any(|word| name.ends_with(word));
    let value = value.trim().trim_end_matches([',', ';']).trim_matches(['"', '\'']);
    let whole = value.chars().all(|c| c.is_ascii_graphic());
    let plain =
        !value.contains("{{") && !value.contains("${") && !value.starts_with(['$', '/', '<']);
    let mixed = value.chars().any(|c| c.is_ascii_digit()) && value.chars().any(char::is_alphabetic);
    let secret = telling && whole && plain && mixed && value.len() >= SHORTEST_ASSIGNED;
    (secret && entropy(value) >= RANDOM).then(|| "what looks like a password or key".to_owned())
}

/// Shannon's entropy of the characters, in bits for each.
fn entropy(text: &str) -> f64 {
    let mut counts: BTreeMap<char, u32> = BTreeMap::new();
    text.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    let total = f64::from(counts.values().sum::<u32>());
    counts.values().map(|n| f64::from(*n) / total).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let secrets = [
            ("db".to_owned(), Secret::new("Zk3vQ9xT".to_owned())),
            ("short".to_owned(), Secret::new("deploy".to_owned())),
        ];
        sightings(text, &secrets.into()).into_iter().map(|s| (s.line, s.what)).collect()
    }

    #[test]
    fn values_keys_tokens_and_passwords_are_seen_with_their_line() {
        let aws = format!("key = AKIA{}", "ABCDEFGH12345678");
        let digitalocean = format!("t: dop_v1_{}", "0123456789abcdef".repeat(4));
        for (text, what) in [
            ("# Zk3vQ9xT", "`db`"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
            ("-----BEGIN PRIVATE KEY-----", "private key"),
            (aws.as_str(), "AWS"),
            (digitalocean.as_str(), "DigitalOcean"),
            ("db_password = \"q7Tn3vXzL0pBw2Yk\"", "looks like a password"),
            ("  \"apiKey\": \"q7Tn3vXzL0pBw2Yk\",", "looks like a password"),
            ("SECRET_KEY=x", ""),
            ("MM_TOKEN='q7Tn3vXzL0pBw2Yk'", "looks like a password"),
        ] {
            let seen = found(&format!("first\n{text}\n"));
            match what {
                "" => assert!(seen.is_empty(), "{text}: {seen:?}"),
                _ => assert!(
                    seen.len() == 1 && seen[0].0 == 2 && seen[0].1.contains(what),
                    "{text}: {seen:?}"
                ),
            }
        }
    }

    #[test]
    fn templates_paths_words_and_public_keys_are_no_secrets() {
        for text in [
            "password = \"{{ secret.db_password }}\"",
            "PASSWORD=${DB_PASSWORD_FROM_ELSEWHERE1}",
            "secret = \"/run/secrets/database-password-1\"",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN AGE ENCRYPTED FILE-----",
            "AuthenticationMethods publickey",
            "N8N_USER_MANAGEMENT_JWT_SECRET: see below",
            "user = deploy",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn no_sighting_repeats_what_was_seen() {
        for (_, what) in found("db_password = \"q7Tn3vXzL0pBw2Yk\"\nZk3vQ9xT") {
            assert!(!what.contains("q7Tn") && !what.contains("Zk3v"), "{what}");
        }
    }
}
