//! Reads OpenSSH `known_hosts` text: which keys are known for one host.
//!
//! The format is that of sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT: plain, several and hashed
//! names, wildcards, negation, ports, `@revoked`, `@cert-authority`. Unlike `ssh`, a host on
//! another port than 22 is looked up only as `[host]:port`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

use super::Fingerprint;
use super::error::UnknownHost;

/// One usable line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Such as `ssh-ed25519`.
    pub(super) key_type: String,
    pub(super) fingerprint: Fingerprint,
    /// `file:line`.
    pub(super) place: String,
}

/// Everything that the files say about one host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) accepted: Vec<Entry>,
    pub(super) revoked: Vec<Entry>,
    authorities: Vec<String>,
    unreadable_revocation: Option<String>,
}

/// How the server's key compares.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Match,
    Revoked(String),
    Mismatch,
}

impl Known {
    /// Adds what one file says about `host:port`. Lines that cannot be read accept nothing.
    pub(super) fn read(&mut self, file: &str, text: &str, host: &str, port: u16) {
        let name = lookup_name(host, port);
        for (index, line) in text.lines().enumerate() {
            self.read_line(line, &name, &format!("{file}:{}", index + 1));
        }
    }

    fn read_line(&mut self, line: &str, name: &str, place: &str) {
        let mut words = line.split_ascii_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let Some(hosts) = words.next().filter(|word| !word.starts_with('#')) else { return };
        if !names_host(hosts, name) {
            return;
        }
        let entry = entry(words.next(), words.next(), place);
        match (marker, entry) {
            (None, Some(entry)) => self.accepted.push(entry),
            (Some("@revoked"), Some(entry)) => self.revoked.push(entry),
            (Some("@revoked"), None) => self.unreadable_revocation = Some(place.to_owned()),
            (Some("@cert-authority"), _) => self.authorities.push(place.to_owned()),
            _ => {}
        }
    }

    /// Lists the host key algorithms to ask for, strongest first, so that the server shows a key
    /// of a known type; otherwise a host known by RSA alone would look like a mismatch.
    pub(super) fn algorithms(&self) -> Result<Vec<&'static str>, UnknownHost> {
        if let Some(place) = &self.unreadable_revocation {
            return Err(UnknownHost::UnreadableRevocation(place.clone()));
        }
        let known = |key_type: &str| self.accepted.iter().any(|entry| entry.key_type == key_type);
        let usable: Vec<&'static str> = USABLE
            .iter()
            .filter(|(key_type, _)| known(key_type))
            .flat_map(|(_, algorithms)| algorithms.iter().copied())
            .collect();
        match (usable.is_empty(), self.accepted.is_empty(), self.authorities.first()) {
            (false, _, _) => Ok(usable),
            (true, false, _) => Err(UnknownHost::OnlyTypes(self.types())),
            (true, true, Some(place)) => Err(UnknownHost::OnlyAuthorities(place.clone())),
            (true, true, None) => Err(UnknownHost::NotListed(Vec::new())),
        }
    }

    /// Compares the key that the server proved to own. Revocation wins over acceptance.
    pub(super) fn verdict(&self, shown: Fingerprint) -> Verdict {
        if let Some(entry) = self.revoked.iter().find(|entry| entry.fingerprint == shown) {
            return Verdict::Revoked(entry.place.clone());
        }
        match self.accepted.iter().any(|entry| entry.fingerprint == shown) {
            true => Verdict::Match,
            false => Verdict::Mismatch,
        }
    }

    fn types(&self) -> Vec<String> {
        let mut types: Vec<String> = self.accepted.iter().map(|e| e.key_type.clone()).collect();
        types.sort();
        types.dedup();
        types
    }
}

/// Key types and the signature algorithms to ask for with each; SHA-1 signatures are left out.
const USABLE: [(&str, &[&str]); 5] = [
    ("ssh-ed25519", &["ssh-ed25519"]),
    ("ecdsa-sha2-nistp256", &["ecdsa-sha2-nistp256"]),
    ("ecdsa-sha2-nistp384", &["ecdsa-sha2-nistp384"]),
    ("ecdsa-sha2-nistp521", &["ecdsa-sha2-nistp521"]),
    ("ssh-rsa", &["rsa-sha2-512", "rsa-sha2-256"]),
];

fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

fn entry(key_type: Option<&str>, base64: Option<&str>, place: &str) -> Option<Entry> {
    let (key_type, blob) = (key_type?, STANDARD.decode(base64?).ok()?);
    // The blob repeats its type (RFC 4253, 6.6); a line that contradicts itself is no entry.
    let length = u32::try_from(key_type.len()).ok()?.to_be_bytes();
    let inside = blob.strip_prefix(&length)?.strip_prefix(key_type.as_bytes())?;
    (!inside.is_empty()).then(|| Entry {
        key_type: key_type.to_owned(),
        fingerprint: Fingerprint::of(&blob),
        place: place.to_owned(),
    })
}

fn names_host(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return hashed_names(hashed, name).unwrap_or(false);
    }
    let mut named = false;
    for pattern in hosts.split(',').map(str::to_ascii_lowercase) {
        match pattern.strip_prefix('!') {
            Some(negated) if glob(negated.as_bytes(), name.as_bytes()) => return false,
            None if glob(pattern.as_bytes(), name.as_bytes()) => named = true,
            _ => {}
        }
    }
    named
}

/// `salt|hash`, both base64; the hash is HMAC-SHA1(salt, name).
fn hashed_names(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&STANDARD.decode(hash).ok()?).is_ok())
}

/// Matches `*` and `?` in time proportional to pattern × text: a hostile file cannot stall it.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const B: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA";

    fn known(text: &str, host: &str, port: u16) -> Known {
        let mut known = Known::default();
        known.read("kh", text, host, port);
        known
    }

    fn print(line: &str) -> Fingerprint {
        let base64 = line.split(' ').nth(1).unwrap_or_default();
        Fingerprint::of(&STANDARD.decode(base64).unwrap_or_default())
    }

    fn check(text: &str, host: &str, port: u16, expected: bool) {
        let listed = known(text, host, port).verdict(print(A)) == Verdict::Match;
        assert_eq!(listed, expected, "{text} for {host}:{port}");
    }

    #[test]
    fn matches_names_ports_and_patterns() {
        check(&format!("web {A}"), "web", 22, true);
        check(&format!("web {A}"), "WEB", 22, true);
        check(&format!("web {A}"), "web2", 22, false);
        check(&format!("a,web,192.0.2.1 {A} comment"), "192.0.2.1", 22, true);
        check(&format!("*.example.org {A}"), "a.example.org", 22, true);
        check(&format!("*.example.org,!bad.example.org {A}"), "bad.example.org", 22, false);
        check(&format!("192.0.2.? {A}"), "192.0.2.7", 22, true);
        check(&format!("[web]:2222 {A}"), "web", 2222, true);
        check(&format!("[web]:2222 {A}"), "web", 22, false);
        check(&format!("web {A}"), "web", 2222, false);
        check(&format!("# web {A}\n\n   \nweb\n{A}"), "web", 22, false);
    }

    #[test]
    fn matches_hashed_names() {
        // The same construction as `ssh-keygen -H`; a test beside a real server reads that one's.
        let mut mac = Hmac::<Sha1>::new_from_slice(b"01234567890123456789").unwrap();
        mac.update(b"[web]:2200");
        let hash = STANDARD.encode(mac.finalize().into_bytes());
        let line = format!("|1|{}|{hash} {A}", STANDARD.encode("01234567890123456789"));
        check(&line, "web", 2200, true);
        check(&line, "web", 22, false);
        check("|1|x|y ssh-ed25519 AAAA", "web", 22, false);
    }

    #[test]
    fn a_revoked_key_stays_revoked_although_it_is_also_listed() {
        let text = format!("web {A}\n@revoked * {A}\nweb {B}");
        assert_eq!(known(&text, "web", 22).verdict(print(A)), Verdict::Revoked("kh:2".into()));
        assert_eq!(known(&text, "web", 22).verdict(print(B)), Verdict::Match);
    }

    #[test]
    fn a_revocation_that_cannot_be_read_stops_everything() {
        let known = known(&format!("web {A}\n@revoked web ssh-ed25519 ???"), "web", 22);
        assert_eq!(known.algorithms(), Err(UnknownHost::UnreadableRevocation("kh:2".into())));
    }

    #[test]
    fn says_that_certificate_authorities_are_not_supported() {
        let known = known(&format!("@cert-authority *.org {A}"), "a.org", 22);
        assert_eq!(known.algorithms(), Err(UnknownHost::OnlyAuthorities("kh:1".into())));
        assert_eq!(known.verdict(print(A)), Verdict::Mismatch);
    }

    #[test]
    fn asks_for_the_known_types_and_ed25519_first() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAABAQ==";
        let both = known(&format!("web {rsa}\nweb {A}"), "web", 22);
        assert_eq!(both.algorithms(), Ok(vec!["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]));
        let only = known(&format!("web {rsa}"), "web", 22);
        assert_eq!(only.algorithms(), Ok(vec!["rsa-sha2-512", "rsa-sha2-256"]));
    }

    #[test]
    fn one_bad_line_does_not_fail_the_file() {
        check(&format!("web ssh-ed25519 !!!\n\u{0}\u{1}\nweb {A}"), "web", 22, true);
        check(&format!("web ssh-rsa {}", &A[12..]), "web", 22, false);
    }

    #[test]
    fn a_pattern_of_stars_does_not_stall() {
        assert!(!glob("*a".repeat(2000).as_bytes(), "a".repeat(1999).as_bytes()));
    }
}
