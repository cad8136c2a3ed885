//! Public key authentication: every identity in its order, and a list of what became of each.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use ssh2::ErrorCode;
use zeroize::Zeroizing;

use super::connect::stopped;
use super::link::{Link, Stop, hung_up};
use super::private_key;
use super::{Identity, SshError, Target};

const DOING: &str = "authentication";

/// libssh2's `AUTHENTICATION_FAILED` and `PUBLICKEY_UNVERIFIED`: the server does not want this key.
const REFUSED: [ErrorCode; 2] = [ErrorCode::Session(-18), ErrorCode::Session(-19)];

/// Tries the target's identities until one is accepted.
pub(super) fn log_in(target: &Target, link: &mut Link, deadline: Instant) -> Result<(), SshError> {
    let mut attempt = Attempt { target, link, deadline, tried: Vec::new() };
    for identity in &target.identities {
        let accepted = match identity {
            Identity::Agent(socket) => attempt.agent(socket, None)?,
            Identity::AgentKeys { socket, files } => {
                let wanted: Vec<_> =
                    files.iter().filter_map(|file| private_key::public_blob(file)).collect();
                attempt.agent(socket, Some(&wanted))?
            }
            Identity::File(path) => attempt.file(path)?,
            Identity::Key { label, text } => attempt.key(label, text, None)?,
        };
        if accepted {
            return Ok(());
        }
    }
    Err(attempt.refused())
}

struct Attempt<'a> {
    target: &'a Target,
    link: &'a mut Link,
    deadline: Instant,
    /// One line per key: its name and what became of it.
    tried: Vec<String>,
}

impl Attempt<'_> {
    fn agent(&mut self, socket: &Path, only: Option<&[Vec<u8>]>) -> Result<bool, SshError> {
        let name = format!("ssh-agent {}", socket.display());
        let listed = self.link.session.agent().and_then(|mut agent| {
            agent.set_identity_path(socket)?;
            agent.connect()?;
            agent.list_identities()?;
            let keys = agent.identities()?;
            Ok((agent, keys))
        });
        let (agent, keys) = match listed {
            Ok(listed) => listed,
            Err(error) => {
                self.tried.push(format!("{name}: no answer ({})", error.message()));
                return Ok(false);
            }
        };
        if keys.is_empty() {
            self.tried.push(format!("{name}: holds no key; add one with ssh-add"));
        }
        let wanted = |key: &ssh2::PublicKey| {
            only.is_none_or(|only| only.iter().any(|blob| blob == key.blob()))
        };
        for key in keys.into_iter().filter(wanted) {
            let user = self.target.user.as_str();
            let outcome = self.link.until(self.deadline, |_| agent.userauth(user, &key));
            if self.judge(format!("{name}: {}", key.comment()), outcome)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn file(&mut self, path: &Path) -> Result<bool, SshError> {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.tried.push(format!("{name}: no such file"));
                return Ok(false);
            }
            Err(error) => {
                self.tried.push(format!("{name}: cannot be read ({error})"));
                return Ok(false);
            }
        };
        if !private_key::is_encrypted(&text) {
            return self.key(&name, &text, None);
        }
        match self.ask_passphrase(path) {
            Some(passphrase) => self.key(&name, &text, Some(&passphrase)),
            None => {
                self.tried.push(format!(
                    "{name}: is encrypted and nobody gave its passphrase; run `ssh-add {name}` first"
                ));
                Ok(false)
            }
        }
    }

    /// The time that somebody takes to type is not the host's.
    fn ask_passphrase(&mut self, path: &Path) -> Option<Zeroizing<String>> {
        let began = Instant::now();
        let passphrase = self.target.passphrase.as_ref()?.ask(path);
        self.deadline += began.elapsed();
        passphrase
    }

    fn key(&mut self, name: &str, text: &str, passphrase: Option<&str>) -> Result<bool, SshError> {
        if !private_key::looks_like_one(text) {
            self.tried.push(format!("{name}: is no private key in OpenSSH or PEM form"));
            return Ok(false);
        }
        if passphrase.is_none() && private_key::is_encrypted(text) {
            self.tried.push(format!("{name}: is encrypted"));
            return Ok(false);
        }
        let user = self.target.user.as_str();
        let outcome = self.link.until(self.deadline, |session| {
            session.userauth_pubkey_memory(user, None, text, passphrase)
        });
        self.judge(name.to_owned(), outcome)
    }

    fn judge(&mut self, name: String, outcome: Result<(), Stop>) -> Result<bool, SshError> {
        match outcome {
            Ok(()) => Ok(true),
            Err(Stop::Failed(error)) if hung_up(&error) => {
                self.tried.push(format!("{name}: the server hung up"));
                Err(self.hung_up())
            }
            Err(Stop::Failed(error)) => {
                let outcome =
                    if REFUSED.contains(&error.code()) { "refused" } else { error.message() };
                self.tried.push(format!("{name}: {outcome}"));
                Ok(false)
            }
            Err(stop) => Err(stopped(self.target, DOING, self.target.limits.login, stop)),
        }
    }

    /// A server hangs up after too many refused keys (`MaxAuthTries`), which is then the answer.
    fn hung_up(&mut self) -> SshError {
        if self.tried.len() > 1 {
            return self.none_accepted();
        }
        let detail = "the server hung up".to_owned();
        SshError::Lost { at: self.target.at(), doing: DOING, detail }
    }

    fn none_accepted(&mut self) -> SshError {
        SshError::NoIdentityAccepted {
            at: self.target.at(),
            user: self.target.user.clone(),
            tried: std::mem::take(&mut self.tried),
        }
    }

    /// Asks what the server would take, to tell "not this key" from "no key at all".
    fn refused(&mut self) -> SshError {
        let user = self.target.user.clone();
        let methods = self
            .link
            .until(self.deadline, |session| session.auth_methods(&user).map(str::to_owned));
        match methods {
            Ok(methods) if !methods.split(',').any(|method| method == "publickey") => {
                SshError::AuthRefused { at: self.target.at(), user, methods }
            }
            _ => self.none_accepted(),
        }
    }
}
