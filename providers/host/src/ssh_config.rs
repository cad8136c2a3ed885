//! The part of OpenSSH's client configuration that says how a host is reached (ssh_config(5)).
//!
//! Read are `Host`, `HostName`, `User`, `Port`, `IdentityFile`, `IdentitiesOnly`, `ProxyJump` and `UserKnownHostsFile`; of
//! each the first value counts, as in OpenSSH. Other keywords are left to OpenSSH. `Match` and `Include` are not read,
//! which is said, because what they hold may be missed.

use std::path::{Path, PathBuf};

use crate::ssh::glob;

/// A configuration file, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshConfig {
    home: PathBuf,
    blocks: Vec<Block>,
    remarks: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Block {
    /// The patterns after `Host`; nothing matches none.
    patterns: Vec<String>,
    /// Keywords in lower case, each with its arguments.
    lines: Vec<(String, Vec<String>)>,
}

/// What the file says about one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// Where to connect instead.
    pub host_name: Option<String>,
    /// Who logs in.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Private keys, in order.
    pub identity_files: Vec<PathBuf>,
    /// Nothing else than those is offered, not even by an agent.
    pub identities_only: bool,
    /// Bastions on the way, the first one first.
    pub jumps: Vec<Jump>,
    /// Where host keys are known from.
    pub known_hosts: Vec<PathBuf>,
}

/// One bastion as `ProxyJump` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Who logs in there.
    pub user: Option<String>,
    /// The host, to be looked up in the file in turn.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl SshConfig {
    /// Reads the text of a file; `home` is what `~` stands for. `name` is the file's name in remarks.
    #[must_use]
    pub fn read(name: &str, text: &str, home: &Path) -> Self {
        let mut config = Self { home: home.to_owned(), ..Self::default() };
        // What stands before the first `Host` holds for all.
        let mut block = Block { patterns: vec!["*".to_owned()], lines: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let mut words = words(line).into_iter();
            let Some(keyword) = words.next() else { continue };
            let keyword = keyword.to_ascii_lowercase();
            let arguments: Vec<String> = words.collect();
            match keyword.as_str() {
                "host" => {
                    let next = Block { patterns: arguments, lines: Vec::new() };
                    config.blocks.push(std::mem::replace(&mut block, next));
                }
                "match" => config.blocks.push(std::mem::take(&mut block)),
                _ => block.lines.push((keyword.clone(), arguments)),
            }
            if matches!(keyword.as_str(), "match" | "include") {
                let place = format!("{name}:{}", index + 1);
                config.remarks.push(format!(
                    "{place}: ipai does not read `{}`, so what it says about hosts is missed",
                    line.trim()
                ));
            }
        }
        config.blocks.push(block);
        config
    }

    /// What was not read and may matter.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What the file says about a host, by the name or address that somebody would type.
    #[must_use]
    pub fn about(&self, host: &str) -> HostOptions {
        let mut options = HostOptions::default();
        let mut jump = None;
        let mut only = None;
        for (keyword, arguments) in self.lines_about(host) {
            let Some(first) = arguments.first() else { continue };
            match keyword {
                "hostname" => keep(&mut options.host_name, || Some(expand(first, host))),
                "user" => keep(&mut options.user, || Some(first.clone())),
                "port" => keep(&mut options.port, || first.parse().ok()),
                "identityfile" => options.identity_files.push(self.path(first, host)),
                "identitiesonly" => keep(&mut only, || Some(first.eq_ignore_ascii_case("yes"))),
                "proxyjump" => keep(&mut jump, || Some(first.clone())),
                "userknownhostsfile" if options.known_hosts.is_empty() => {
                    options.known_hosts =
                        arguments.iter().map(|file| self.path(file, host)).collect();
                }
                _ => {}
            }
        }
        options.identities_only = only.unwrap_or(false);
        options.identity_files.retain(|file| file != Path::new("none"));
        options.jumps = jump.as_deref().map(jumps).unwrap_or_default();
        options
    }

    fn lines_about(&self, host: &str) -> impl Iterator<Item = (&str, &[String])> {
        let blocks = self.blocks.iter().filter(|block| block.names(host)).collect::<Vec<_>>();
        blocks
            .into_iter()
            .flat_map(|block| &block.lines)
            .map(|(keyword, arguments)| (keyword.as_str(), arguments.as_slice()))
    }

    fn path(&self, text: &str, host: &str) -> PathBuf {
        let home = self.home.display().to_string();
        let text = match text.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => text.replace("%d", &home),
        };
        PathBuf::from(expand(&text, host))
    }
}

impl Block {
    fn names(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let fits = |pattern: &str| glob(pattern.to_ascii_lowercase().as_bytes(), host.as_bytes());
        let (refused, named): (Vec<_>, Vec<_>) =
            self.patterns.iter().partition(|pattern| pattern.starts_with('!'));
        named.iter().any(|pattern| fits(pattern))
            && !refused.iter().any(|pattern| fits(&pattern[1..]))
    }
}

fn keep<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

fn expand(text: &str, host: &str) -> String {
    text.replace("%h", host).replace("%%", "%")
}

/// Keyword and arguments of a line: separated by blanks or one `=`, quoted where they hold blanks.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Vec::new();
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut words: Vec<String> =
        Some(keyword).filter(|k| !k.is_empty()).map(str::to_owned).into_iter().collect();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for c in rest.chars() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            '#' if !quoted && !begun => break,
            c if c.is_whitespace() && !quoted => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// Reads `[user@]host[:port]` or `ssh://[user@]host[:port]`, several with commas; `none` is none.
fn jumps(text: &str) -> Vec<Jump> {
    if text.eq_ignore_ascii_case("none") {
        return Vec::new();
    }
    text.split(',').map(jump).collect()
}

fn jump(text: &str) -> Jump {
    let text = text.trim();
    let text = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match rest.rsplit_once(':') {
            // More than one colon is an IPv6 address without brackets.
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (rest, None),
        },
    };
    Jump { user, host: host.to_owned(), port: port.and_then(|port| port.parse().ok()) }
}

#[cfg(test)]
#[path = "ssh_config_tests.rs"]
mod tests;
