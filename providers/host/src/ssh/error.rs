//! What can go wrong on the way to a host, told apart by what the user would do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Fingerprint;

/// Why there is no (more) connection to a host. `at` is always `address:port`.
#[derive(Debug)]
pub enum SshError {
    /// The name has no address.
    NotResolved { at: String, source: io::Error },
    /// Nothing listens on the port, or a firewall says no.
    Refused { at: String },
    /// No route, or another failure of the network.
    Unreachable { at: String, source: io::Error },
    /// A phase took longer than its limit.
    TimedOut { at: String, doing: &'static str, limit: Duration },
    /// The host showed another key than the pinned ones. Nothing was sent to it.
    HostKeyMismatch { at: String, shown: Fingerprint, accepted: Vec<Fingerprint>, place: String },
    /// The host showed a key that known_hosts marks as revoked. Nothing was sent to it.
    HostKeyRevoked { at: String, shown: Fingerprint, place: String },
    /// No usable host key is known, so there is nothing to compare with. No connection was made.
    HostKeyUnknown { at: String, why: UnknownHost },
    /// The host and ipai agree on no algorithm, or the key exchange failed.
    Handshake { at: String, detail: String },
    /// The server takes no public key from this user, whichever it is.
    AuthRefused { at: String, user: String, methods: String },
    /// Every identity was tried (or could not be), and none was accepted.
    NoIdentityAccepted { at: String, user: String, tried: Vec<String> },
    /// The server, or what stands before it, closed the connection before its greeting, again and again. `words` is the
    /// line that it said instead, if any.
    TurnedAway { at: String, words: String },
    /// The connection was there and ended.
    Lost { at: String, doing: &'static str, detail: String },
    /// The bastion before the host could not be used.
    Bastion { at: String, source: Box<SshError> },
    /// The bastion was there and did not reach the host.
    NotThrough { at: String, via: String, detail: String },
    /// The server would not open the channel or run the command.
    ChannelRefused { at: String, detail: String },
    /// The command text cannot be sent.
    CommandText { detail: &'static str },
    /// Whoever asked for the connection no longer waits for it.
    Abandoned,
}

/// Why no host key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownHost {
    /// The droplet carries no pin.
    NoPin,
    /// No line of these files names the host.
    NotListed(Vec<PathBuf>),
    /// Only certificate authorities are listed for it, which ipai cannot check.
    OnlyAuthorities(String),
    /// Only key types are listed that ipai cannot use.
    OnlyTypes(Vec<String>),
    /// A `@revoked` line that names the host cannot be read, so no key can be trusted.
    UnreadableRevocation(String),
    /// A file exists and cannot be read.
    Unreadable(PathBuf, String),
}

impl SshError {
    /// Tells whether a host that is still booting answers like this, so that asking again makes sense.
    pub fn may_be_booting(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::TurnedAway { .. }
                | Self::Lost { .. }
                | Self::NotThrough { .. }
        )
    }
}

impl fmt::Display for SshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotResolved { at, .. } => write!(f, "cannot resolve the address of {at}"),
            Self::Refused { at } => {
                write!(
                    f,
                    "{at} refuses connections: no SSH server listens there, or a firewall rejects"
                )
            }
            Self::Unreachable { at, .. } => write!(f, "cannot reach {at}"),
            Self::TimedOut { at, doing, limit } => {
                write!(f, "{at}: {doing} took longer than {} s", limit.as_secs_f32())
            }
            Self::HostKeyMismatch { at, shown, accepted, place } => {
                mismatch(f, at, *shown, accepted, place)
            }
            Self::HostKeyRevoked { at, shown, place } => write!(
                f,
                "{at} shows the host key {shown}, which {place} marks as revoked; nothing was sent. Give the host a new key before connecting"
            ),
            Self::HostKeyUnknown { at, why } => write!(f, "no host key is known for {at}: {why}"),
            Self::Handshake { at, detail } => write!(f, "{at}: key exchange failed: {detail}"),
            Self::AuthRefused { at, user, methods } => write!(
                f,
                "{at} takes no public key for user {user} (it offers: {methods}); allow PubkeyAuthentication for that user"
            ),
            Self::NoIdentityAccepted { at, user, tried } => no_identity(f, at, user, tried),
            Self::TurnedAway { at, words } => {
                write!(f, "{at} closes connections before its greeting")?;
                if words.is_empty() { Ok(()) } else { write!(f, ", saying: {words}") }
            }
            Self::Lost { at, doing, detail } => {
                write!(f, "the connection to {at} ended during {doing}: {detail}")
            }
            Self::Bastion { at, source } => write!(f, "on the way to {at}: {source}"),
            Self::NotThrough { at, via, detail } => {
                write!(f, "the bastion {via} cannot reach {at}: {detail}")
            }
            Self::ChannelRefused { at, detail } => {
                write!(f, "{at} does not run commands: {detail}")
            }
            Self::CommandText { detail } => write!(f, "the command text cannot be sent: {detail}"),
            Self::Abandoned => f.write_str("the connection is no longer wanted"),
        }
    }
}

fn mismatch(
    f: &mut fmt::Formatter<'_>,
    at: &str,
    shown: Fingerprint,
    accepted: &[Fingerprint],
    place: &str,
) -> fmt::Result {
    let expected: Vec<String> = accepted.iter().map(Fingerprint::to_string).collect();
    write!(
        f,
        "the host key of {at} is not the expected one; nothing was sent to it.\n  shown:    {shown}\n  expected: {} ({place})\n\
         Either another machine answers at this address, or the key was changed outside ipai. Compare with\n\
         `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host's console, and change the pin only when it is the shown one",
        expected.join(" or "),
    )
}

fn no_identity(f: &mut fmt::Formatter<'_>, at: &str, user: &str, tried: &[String]) -> fmt::Result {
    write!(f, "{at} accepted no identity for user {user}")?;
    if tried.is_empty() {
        return f
            .write_str(": there is none to offer; start an ssh-agent or name an identity file");
    }
    tried.iter().try_for_each(|line| write!(f, "\n  {line}"))
}

impl fmt::Display for UnknownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPin => f.write_str("it carries no fingerprint"),
            Self::NotListed(files) => {
                let files: Vec<String> = files.iter().map(|p| p.display().to_string()).collect();
                write!(
                    f,
                    "{} does not list it. Connect once with `ssh`, compare the fingerprint with the host's console, and accept it there",
                    files.join(", ")
                )
            }
            Self::OnlyAuthorities(place) => write!(
                f,
                "{place} trusts it by certificate authority, which ipai cannot check. List the host's own key as well"
            ),
            Self::OnlyTypes(types) => write!(
                f,
                "known_hosts lists only keys that ipai cannot use ({}). List its ed25519 key",
                types.join(", ")
            ),
            Self::UnreadableRevocation(place) => {
                write!(
                    f,
                    "the @revoked line at {place} names it and cannot be read. Repair that line"
                )
            }
            Self::Unreadable(path, detail) => write!(f, "cannot read {}: {detail}", path.display()),
        }
    }
}

impl std::error::Error for SshError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotResolved { source, .. } | Self::Unreachable { source, .. } => Some(source),
            _ => None,
        }
    }
}
