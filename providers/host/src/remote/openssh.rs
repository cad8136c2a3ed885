//! A login by the system's own `ssh`, told everything that ipai knows: where, who, by which way, and which key must answer.
//!
//! A pin is a fingerprint, and OpenSSH compares whole keys. So the key is taken from a key exchange of ipai's own, held
//! against the pin first; what is written down is a key that ipai accepts, and `ssh` accepts no other.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipai_core::{Address, Fault, Outputs, RemoteError};

use crate::connections::Connections;
use crate::failure;
use crate::session::{GREETING, SessionError, needs_sudo, quote};
use crate::ssh::{HostKeyPin, Identity, Target, verified_host_key};

/// What `ssh -F CONFIG NAME` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSsh {
    /// The name to call the host by.
    pub name: String,
    /// The text of its configuration.
    pub config: String,
    /// The text of the file of known hosts that the configuration names.
    pub known_hosts: String,
    sudo: bool,
}

impl OpenSsh {
    /// The command text that runs shell text with root's rights in a terminal.
    #[must_use]
    pub fn as_root(&self, command: &str) -> String {
        let start = if self.sudo { "exec sudo -n sh -c " } else { "exec sh -c " };
        format!("{GREETING}{start}{}", quote(&format!("exec {command}")))
    }
}

impl Connections {
    /// Checks the key of the host with these outputs and describes the way there; `known_hosts` is where the caller will
    /// put the file of that name.
    ///
    /// # Errors
    /// The host cannot be reached or shows another key than the pinned one, or a name cannot be written for OpenSSH.
    pub async fn openssh(
        &self,
        home: &Address,
        outputs: &Outputs,
        known_hosts: &Path,
    ) -> Result<OpenSsh, RemoteError> {
        let attempted = format!("log in on {home}");
        let target = self.place(home, outputs)?.target(self.settings());
        let blob = verified_host_key(&target)
            .await
            .map_err(|error| failure::of_session(&attempted, &SessionError::Connect(error)))?;
        let refused = |what: String| RemoteError::new(Fault::Refused, &attempted, what);
        let kind = kind(&blob).ok_or_else(|| refused("its key has no type".to_owned()))?;
        let name = format!("ipai-{}-{}", home.kind, home.name);
        let mut config = String::new();
        block(&mut config, &name, &target, Some(known_hosts)).map_err(refused)?;
        Ok(OpenSsh {
            known_hosts: format!("{name} {kind} {}\n", STANDARD.encode(&blob)),
            sudo: needs_sudo(self.settings().sudo, &target.user),
            name,
            config,
        })
    }
}

/// The type that a public key names itself by (RFC 4253, section 6.6).
fn kind(blob: &[u8]) -> Option<&str> {
    let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?);
    let text = std::str::from_utf8(blob.get(4..4 + usize::try_from(length).ok()?)?).ok()?;
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@.".contains(&b)).then_some(text)
}

/// Writes the block of one host, and those of the bastions before it. Bastions prove themselves by the user's own files.
fn block(
    config: &mut String,
    name: &str,
    target: &Target,
    known_hosts: Option<&Path>,
) -> Result<(), String> {
    let mut line = |key: &str, value: &str| config.push_str(&format!("  {key} {value}\n"));
    line("HostName", plain(&target.address)?);
    line("Port", &target.port.to_string());
    line("User", plain(&target.user)?);
    match (known_hosts, &target.pin) {
        (Some(file), _) => {
            line("HostKeyAlias", name);
            line("UserKnownHostsFile", &word(file)?);
        }
        (None, HostKeyPin::KnownHosts(files)) => {
            let files: Result<Vec<String>, String> = files.iter().map(|file| word(file)).collect();
            line("UserKnownHostsFile", &files?.join(" "));
        }
        (None, HostKeyPin::Fingerprints(_)) => {
            return Err("a bastion's key is not in a file".into());
        }
    }
    for (key, value) in [
        ("GlobalKnownHostsFile", "/dev/null"),
        ("StrictHostKeyChecking", "yes"),
        ("UpdateHostKeys", "no"),
        ("VerifyHostKeyDNS", "no"),
        ("CheckHostIP", "no"),
        ("ForwardAgent", "no"),
        ("ForwardX11", "no"),
    ] {
        line(key, value);
    }
    let (agent, files, only) = identities(&target.identities);
    line("IdentityAgent", &agent.as_deref().map_or(Ok("none".to_owned()), word)?);
    for file in files {
        line("IdentityFile", &word(&file)?);
    }
    line("IdentitiesOnly", if only { "yes" } else { "no" });
    let bastion = format!("{name}-via");
    if target.via.is_some() {
        line("ProxyJump", &bastion);
    }
    config.insert_str(0, &format!("Host {name}\n"));
    if let Some(via) = &target.via {
        let mut before = String::new();
        block(&mut before, &bastion, via, None)?;
        config.push_str(&before);
    }
    Ok(())
}

/// The agent, the key files, and whether the agent may offer those alone.
fn identities(all: &[Identity]) -> (Option<PathBuf>, Vec<PathBuf>, bool) {
    let (mut agent, mut files, mut only) = (None, Vec::new(), false);
    for identity in all {
        match identity {
            Identity::Agent(socket) => agent = Some(socket.clone()),
            Identity::AgentKeys { socket, files: named } => {
                (agent, only) = (Some(socket.clone()), true);
                files.extend(named.iter().cloned());
            }
            Identity::File(file) => files.push(file.clone()),
            // A key that is in memory alone is not written down for another program.
            Identity::Key { .. } => {}
        }
    }
    files.dedup();
    (agent, files, only)
}

/// An address or a user, which have no quoting in common with every version of OpenSSH.
fn plain(text: &str) -> Result<&str, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".:_-".contains(&b);
    let good = !text.is_empty() && !text.starts_with('-') && text.bytes().all(fits);
    good.then_some(text).ok_or_else(|| format!("`{text}` cannot be written for OpenSSH"))
}

/// A path in ssh_config(5): in double quotes, and `%` doubled because it begins a token.
fn word(path: &Path) -> Result<String, String> {
    let text = path.to_str().filter(|text| !text.contains(['"', '\n', '\\', '$']));
    let text = text.ok_or_else(|| format!("{} cannot be written for OpenSSH", path.display()))?;
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::{Fingerprint, Limits};

    fn target(via: Option<Target>) -> Target {
        Target {
            address: "203.0.113.7".into(),
            port: 2222,
            user: "deploy".into(),
            pin: HostKeyPin::Fingerprints(vec![Fingerprint::of(b"x")]),
            identities: vec![Identity::Agent("/agent".into()), Identity::File("/a 50%".into())],
            passphrase: None,
            limits: Limits::default(),
            via: via.map(Box::new),
        }
    }

    #[test]
    fn the_whole_way_is_written_down_and_every_key_on_it_is_checked() {
        let pin = HostKeyPin::KnownHosts(vec!["/home/me/.ssh/known_hosts".into()]);
        let bastion = Target { address: "bastion".into(), user: "me".into(), pin, ..target(None) };
        let mut config = String::new();
        block(&mut config, "web", &target(Some(bastion)), Some(Path::new("/run/known"))).unwrap();
        assert_eq!(config.matches("StrictHostKeyChecking yes").count(), 2);
        for line in [
            "Host web\n  HostName 203.0.113.7\n  Port 2222\n  User deploy\n",
            "  UserKnownHostsFile \"/run/known\"\n",
            "  IdentityFile \"/a 50%%\"\n",
            "  ProxyJump web-via\n",
            "Host web-via\n  HostName bastion\n",
            "  UserKnownHostsFile \"/home/me/.ssh/known_hosts\"\n",
        ] {
            assert!(config.contains(line), "{line} is not in\n{config}");
        }
    }

    #[test]
    fn a_command_for_a_terminal_stays_the_words_that_it_is() {
        let (name, config, known_hosts) = Default::default();
        let text = OpenSsh { name, config, known_hosts, sudo: false }
            .as_root("printf '<%s>' 'it'\\''s a' '$x'");
        let ran = std::process::Command::new("dash").args(["-c", &text]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "<it's a><$x>");
    }

    #[test]
    fn what_openssh_could_read_otherwise_is_refused() {
        for text in ["", "-oProxyCommand=x", "a b", "a\nProxyCommand x", "%h"] {
            assert!(plain(text).is_err(), "{text}");
        }
        assert!(word(Path::new("/a\"b")).is_err());
    }

    #[test]
    fn a_keys_type_is_its_first_field() {
        assert_eq!(kind(b"\0\0\0\x0bssh-ed25519\0\0\0\x20"), Some("ssh-ed25519"));
        assert_eq!(kind(b"\0\0\0\xffssh"), None);
        assert_eq!(kind(b"\0\0\0\x03a b"), None);
    }
}
