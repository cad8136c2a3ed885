//! What went wrong on a host, in the words of the contract.

use ipai_core::{Fault, RemoteError};

use crate::session::SessionError;
use crate::ssh::{SshError, UnknownHost};

/// The most lines of a host's own words in one error.
const MAX_LINES: usize = 20;

/// The most characters of one such line.
const MAX_LINE: usize = 400;

/// A command could not be run.
pub(crate) fn of_session(attempted: &str, error: &SessionError) -> RemoteError {
    let fault = match error {
        SessionError::Connect(error) => fault_of(error),
        SessionError::ConnectionLost { .. } | SessionError::OutOfStep { .. } => Fault::Unreachable,
        SessionError::SudoRefused { .. } => Fault::Denied,
        SessionError::TimedOut { .. } => Fault::TimedOut,
        SessionError::OutputTooLarge { .. } | SessionError::Protocol { .. } => Fault::BadAnswer,
        SessionError::NotAScript { .. } => Fault::Refused,
    };
    let mut failure = RemoteError::new(fault, attempted, error.to_string());
    failure.hint = hint(error).map(str::to_owned);
    failure
}

/// What to do about it, where there is more to say than the error itself does.
fn hint(error: &SessionError) -> Option<&'static str> {
    let text = match error {
        SessionError::Connect(error) => match error {
            SshError::Refused { .. } | SshError::Unreachable { .. } | SshError::TimedOut { .. } => {
                "check that the droplet runs and that its firewall lets this machine reach the SSH port; the droplet's console at the provider works without either"
            }
            SshError::TurnedAway { .. } => {
                "either its SSH server does not run, or it turns this machine away for a while (too many connections at once, or an address that sshd punishes; MaxStartups and PerSourcePenalties in sshd_config(5)); wait some minutes, then ask again; `journalctl -u ssh` on the host's console tells which"
            }
            SshError::HostKeyMismatch { .. } => {
                "somebody may be in between, or the host's key was changed outside of ipai; compare the fingerprint on the host's own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; if it is the one shown, and only then: ipai adopt ADDRESS --host-key SHA256:…"
            }
            SshError::HostKeyUnknown { why: UnknownHost::NoPin, .. } => {
                "without a pin ipai talks to no host; `ipai adopt ADDRESS --host-key SHA256:…` sets one"
            }
            SshError::AuthRefused { .. } | SshError::NoIdentityAccepted { .. } => {
                "load a key that the host lets in: ssh-add ~/.ssh/id_ed25519, or name one in IPAI_SSH_IDENTITY; the stack's `[ssh]` names the user"
            }
            _ => return None,
        },
        SessionError::ConnectionLost { .. } => "run the command again: it goes on from what stands",
        SessionError::SudoRefused { .. } => {
            "the login user needs sudo without a password, or `[ssh] user = \"root\"`"
        }
        _ => return None,
    };
    Some(text)
}

fn fault_of(error: &SshError) -> Fault {
    match error {
        SshError::Bastion { source, .. } => fault_of(source),
        SshError::HostKeyMismatch { .. }
        | SshError::HostKeyRevoked { .. }
        | SshError::HostKeyUnknown { .. } => Fault::WrongHostKey,
        SshError::AuthRefused { .. } | SshError::NoIdentityAccepted { .. } => Fault::Denied,
        SshError::Handshake { .. } => Fault::BadAnswer,
        SshError::ChannelRefused { .. } | SshError::CommandText { .. } => Fault::Refused,
        _ => Fault::Unreachable,
    }
}

/// Makes a host's words fit for a terminal: no control characters, the last lines, none too long.
pub(crate) fn readable(text: &str) -> String {
    let clean = |line: &str| -> String {
        let tame = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
        line.trim_end().chars().take(MAX_LINE).map(tame).collect()
    };
    let lines: Vec<String> = text.lines().map(clean).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(MAX_LINES)..].join("\n")
}

/// Words of a host, or what to say when it has none.
pub(crate) fn or_silence(text: &str, exit: i32) -> String {
    let text = readable(text);
    if text.is_empty() { format!("it ended with code {exit} and said nothing") } else { text }
}

/// What to do about a cause that has nothing to do with what was attempted: the host's disk.
pub(crate) fn remedy(words: &str) -> Option<&'static str> {
    if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
        Some(
            "make room on the host, then apply again: `df -h` and `df -i` tell what is full, `docker system df` what Docker holds",
        )
    } else if words.contains("Read-only file system") {
        Some(
            "`dmesg` on the host tells why the file system went read-only; when it can be written again, apply again",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_cannot_write_to_the_terminal() {
        let text = format!("\u{1b}]0;owned\u{7}\r\n\n{}\nlast\n", "x".repeat(1000));
        let readable = readable(&text);
        assert!(!readable.chars().any(|c| c.is_control() && c != '\n'));
        assert!(readable.ends_with("\nlast") && readable.len() < 500);
    }
}
