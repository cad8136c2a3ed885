//! What a host answered, read without trusting a single line.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipai_core::{Fault, RemoteError};

use super::containers::{Container, read_containers};
use super::units::{self, Systemd};

/// Everything that one look brought back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What lies at the paths that were asked for; a path without anything is missing.
    pub(crate) stats: BTreeMap<String, Stat>,
    /// SHA-256 of regular files.
    pub(crate) sums: BTreeMap<String, String>,
    /// The beginnings of files whose digest differs, one byte longer than the largest that is shown.
    pub(crate) texts: BTreeMap<String, Vec<u8>>,
    /// The manifest.
    pub(crate) manifest: Option<Vec<u8>>,
    /// Plain words by section: `boot`, `compose`, `phase`, `exit`, `log`, `here`, `services`, `missing`; by
    /// number `release.N`, `kept.N`, `unit.N`.
    pub(crate) words: BTreeMap<String, String>,
    /// What Docker said.
    pub(crate) docker: Docker,
    /// What systemd said.
    pub(crate) systemd: Systemd,
    /// Hashes of services, or what Compose had against the YAML, by the project's place in the question.
    pub(crate) hashes: BTreeMap<usize, Result<BTreeMap<String, String>, String>>,
}

/// What Docker said of its containers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Docker {
    /// It is not installed, or was not asked.
    #[default]
    Absent,
    /// Its engine does not answer; in its own words.
    Down(String),
    /// All containers.
    Containers(Vec<Container>),
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Type and permissions as in stat(2).
    pub(crate) mode: u32,
    /// Owner and group by number.
    pub(crate) numbers: String,
    /// Owner and group by name.
    pub(crate) names: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Last change of the content, in seconds since 1970.
    pub(crate) changed: i64,
}

impl Stat {
    /// Tells whether it is a regular file, and not a link to one.
    pub(crate) fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.mode & 0o170_000 {
            0o100_000 => "a file",
            0o040_000 => "a folder",
            0o120_000 => "a symbolic link",
            _ => "a special file",
        }
    }
}

impl Answer {
    /// Reads an answer; anything unexpected is an error, never a guess.
    pub(crate) fn read(text: &[u8]) -> Result<Self, RemoteError> {
        let bad = |what: &str| {
            RemoteError::new(
                Fault::BadAnswer,
                "look at the host",
                format!("its answer has a broken {what} line"),
            )
        };
        let mut answer = Self::default();
        let mut ended = false;
        let mut lines = text.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).peekable();
        while let Some(line) = lines.next() {
            let line = std::str::from_utf8(line).map_err(|_| bad("unreadable"))?;
            let line = line.strip_prefix('@').ok_or_else(|| bad("bare"))?;
            let read = match line.split_once(' ') {
                Some((name, content)) => answer.encoded(name, content),
                None => {
                    let own = std::iter::from_fn(|| lines.next_if(|line| line[0] != b'@'));
                    answer.section(
                        line,
                        own.flat_map(|line| [line, b"\n"]).flatten().copied().collect(),
                    )
                }
            };
            read.ok_or_else(|| bad(line.split(' ').next().unwrap_or_default()))?;
            ended = line == "end ";
        }
        if ended { Ok(answer) } else { Err(bad("missing last")) }
    }

    /// A plain section's words, without blanks around them; empty when it was not sent.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.words.get(name).map(|word| word.trim()).unwrap_or_default()
    }

    /// Tells whether the first boot still goes on, from the words of `cloud-init status`.
    pub(crate) fn is_booting(&self) -> bool {
        let status = self.word("boot").lines().find_map(|line| line.strip_prefix("status: "));
        matches!(status, Some("running" | "not started" | "not run"))
    }

    /// The containers that were sent; none when Docker does not answer.
    pub(crate) fn containers(&self) -> &[Container] {
        if let Docker::Containers(containers) = &self.docker { containers } else { &[] }
    }

    /// A section of one line.
    fn encoded(&mut self, name: &str, content: &str) -> Option<()> {
        let decode = |content: &str| STANDARD.decode(content).ok();
        if name == "text" {
            let (path, text) = content.split_once(' ')?;
            self.texts.insert(absolute(&String::from_utf8(decode(path)?).ok()?)?, decode(text)?);
            return Some(());
        }
        self.section(name, decode(content)?)
    }

    fn section(&mut self, name: &str, content: Vec<u8>) -> Option<()> {
        let text = || String::from_utf8_lossy(&content).into_owned();
        match name.split_once('.') {
            Some(("hash", number)) => {
                let line = |line: &str| {
                    let (service, hash) = line.split_once(' ')?;
                    Some((service.to_owned(), hash.trim().to_owned()))
                };
                let hashes = text().lines().filter_map(line).collect();
                self.hashes.insert(number.parse().ok()?, Ok(hashes));
            }
            Some(("release" | "kept" | "unit", _)) => {
                self.words.insert(name.to_owned(), text());
            }
            Some(("refused", number)) => {
                self.hashes.insert(number.parse().ok()?, Err(text()));
            }
            Some(_) => return None,
            None => self.plain_section(name, content)?,
        }
        Some(())
    }

    fn plain_section(&mut self, name: &str, content: Vec<u8>) -> Option<()> {
        let text = String::from_utf8_lossy(&content).into_owned();
        match name {
            "stat" => self.stats = text.lines().map(read_stat).collect::<Option<_>>()?,
            "sums" => {
                let lines = text.lines().filter(|line| !line.is_empty());
                self.sums = lines.map(read_sum).collect::<Option<_>>()?;
            }
            "manifest" => self.manifest = Some(content),
            "boot" | "compose" | "phase" | "exit" | "log" | "here" | "services" | "missing" => {
                self.words.insert(name.to_owned(), text);
            }
            "units" => self.systemd = Systemd::Units(units::read(&text)?),
            "nosystemd" => self.systemd = Systemd::Absent(text),
            "docker" if text.is_empty() => self.docker = Docker::Absent,
            "docker" => self.docker = Docker::Down(text),
            "containers" => self.docker = Docker::Containers(read_containers(&text)?),
            "end" => {}
            _ => return None,
        }
        Some(())
    }
}

/// A path as it was asked for, from its form below the root.
fn absolute(path: &str) -> Option<String> {
    path.strip_prefix('.').filter(|path| path.starts_with('/')).map(str::to_owned)
}

fn read_stat(line: &str) -> Option<(String, Stat)> {
    let mut words = line.splitn(6, ' ');
    let mut word = || words.next();
    let stat = Stat {
        mode: u32::from_str_radix(word()?, 16).ok()?,
        numbers: word()?.to_owned(),
        names: word()?.to_owned(),
        size: word()?.parse().ok()?,
        changed: word()?.parse().ok()?,
    };
    Some((absolute(word()?)?, stat))
}

pub(crate) fn read_sum(line: &str) -> Option<(String, String)> {
    let (sum, path) = line.split_at_checked(64)?;
    let hex = sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Two blanks, or a blank and the mark of binary mode.
    let path = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *"))?;
    hex.then(|| Some((absolute(path)?, sum.to_owned())))?
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
