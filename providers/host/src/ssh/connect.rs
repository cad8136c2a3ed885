//! From an address to an authenticated session: resolve, connect, exchange keys, check, log in.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::{Socket, TcpKeepalive};

use super::auth;
use super::host_key_check::Expectation;
use super::link::{Link, Stop, hung_up};
use super::methods;
use super::patience;
use super::tunnel;
use super::{Fingerprint, SshError, Target};

const EXCHANGE: &str = "key exchange";

/// Connects and logs in. Nothing is sent to the host before its key is checked, except the key
/// exchange itself. Blocks: runs on the connection's own thread.
pub(super) fn connect(target: &Target, wake: UnixStream) -> Result<Link, SshError> {
    let expectation = Expectation::read(target)?;
    let (mut link, deadline) = exchange_keys(target, wake, &expectation.algorithms)?;
    expectation.check(host_key(target, &link)?)?;
    auth::log_in(target, &mut link, deadline)?;
    Ok(link)
}

/// Shows which ed25519 key a host proves itself with, for a person to compare. Nothing but the key exchange reaches
/// the host, and nobody is trusted by it.
///
/// # Errors
/// There is no connection, or the host has no such key.
pub async fn shown_host_key(target: &Target) -> Result<Fingerprint, SshError> {
    let target = target.clone();
    let show = move || {
        let unreachable = |source| SshError::Unreachable { at: target.at(), source };
        let (_kept, wake) = UnixStream::pair().map_err(unreachable)?;
        let (link, _) = exchange_keys(&target, wake, &["ssh-ed25519"])?;
        Ok(Fingerprint::of(host_key(&target, &link)?))
    };
    tokio::task::spawn_blocking(show).await.unwrap_or(Err(SshError::Abandoned))
}

/// The whole public key, in wire form, that a host proves itself with, once it was held against the target's pin. Where
/// that needs nobody, ipai logs in and leaves again: since 9.8, OpenSSH shuts the door on an address from which too many
/// connections end before a login (`PerSourcePenalties` in sshd_config(5)).
///
/// # Errors
/// There is no connection, or the key is not the pinned one.
pub async fn verified_host_key(target: &Target) -> Result<Vec<u8>, SshError> {
    let target = target.clone();
    let show = move || {
        let expectation = Expectation::read(&target)?;
        let unreachable = |source| SshError::Unreachable { at: target.at(), source };
        let (_kept, wake) = UnixStream::pair().map_err(unreachable)?;
        let (mut link, deadline) = exchange_keys(&target, wake, &expectation.algorithms)?;
        let blob = host_key(&target, &link)?.to_vec();
        expectation.check(&blob)?;
        let quiet = Target { passphrase: None, ..target };
        // Whoever wants to log in will be told why it does not work by the one who tries.
        let _ = auth::log_in(&quiet, &mut link, deadline);
        Ok(blob)
    };
    tokio::task::spawn_blocking(show).await.unwrap_or(Err(SshError::Abandoned))
}

/// A server that closes connections before its greeting is asked again for as long as the target's limits say.
fn exchange_keys(
    target: &Target,
    wake: UnixStream,
    algorithms: &[&str],
) -> Result<(Link, Instant), SshError> {
    patience::ask(target, wake, |wake| exchange_keys_once(target, wake, algorithms))
}

fn exchange_keys_once(
    target: &Target,
    wake: UnixStream,
    algorithms: &[&str],
) -> Result<(Link, Instant), SshError> {
    let socket = match &target.via {
        None => open_socket(target)?,
        Some(bastion) => tunnel::open(bastion, target)?,
    };
    let handshake = |detail: String| SshError::Handshake { at: target.at(), detail };
    let mut link = Link::new(socket, wake).map_err(|error| handshake(error.to_string()))?;
    methods::restrict(&link.session, algorithms)
        .map_err(|error| handshake(error.message().to_owned()))?;
    let begun = Instant::now();
    let time = target.limits.exchange.min(target.limits.login);
    let limit = link.limit(time).map_err(|error| handshake(error.to_string()))?;
    let done = link.until(begun + time, |session| session.handshake());
    let stop = |stop| stopped(target, EXCHANGE, time, stop);
    done.map_err(|why| match why {
        Stop::Failed(_) if limit.is_over() => stop(Stop::Overdue),
        Stop::Failed(error) if hung_up(&error) && !greeted(&link) => {
            let words = link.session.banner().unwrap_or_default().trim().to_owned();
            SshError::TurnedAway { at: target.at(), words }
        }
        Stop::Failed(error) => handshake_failed(target, algorithms, &error),
        why => stop(why),
    })?;
    Ok((link, begun + target.limits.login))
}

/// Tells whether the last line that was read is a greeting (RFC 4253, section 4.2). OpenSSH says in a line of another kind
/// why it turns somebody away.
fn greeted(link: &Link) -> bool {
    link.session.banner_bytes().is_some_and(|line| line.starts_with(b"SSH-"))
}

fn host_key<'l>(target: &Target, link: &'l Link) -> Result<&'l [u8], SshError> {
    let none = || SshError::Handshake {
        at: target.at(),
        detail: "the server showed no host key".to_owned(),
    };
    link.session.host_key().map(|(blob, _)| blob).ok_or_else(none)
}

/// Translates everything but libssh2's own refusal, which the caller knows better.
pub(super) fn stopped(
    target: &Target,
    doing: &'static str,
    limit: Duration,
    stop: Stop,
) -> SshError {
    let at = target.at();
    match stop {
        Stop::Failed(error) => SshError::Lost { at, doing, detail: error.message().to_owned() },
        Stop::Overdue => SshError::TimedOut { at, doing, limit },
        Stop::Abandoned => SshError::Abandoned,
        Stop::Poll(error) => SshError::Lost { at, doing, detail: error.to_string() },
    }
}

/// libssh2's codes: -5 no common method, -8 a failed exchange.
fn handshake_failed(target: &Target, algorithms: &[&str], error: &ssh2::Error) -> SshError {
    let at = target.at();
    let detail = error.message().to_owned();
    match error.code() {
        ssh2::ErrorCode::Session(-5 | -8) => SshError::Handshake {
            at,
            detail: format!(
                "{detail}. ipai asked for a host key of type {} and for modern algorithms only",
                algorithms.join(", ")
            ),
        },
        _ if hung_up(error) => SshError::Lost { at, doing: EXCHANGE, detail },
        _ => SshError::Handshake { at, detail },
    }
}

fn open_socket(target: &Target) -> Result<Socket, SshError> {
    let at = target.at();
    let deadline = Instant::now() + target.limits.connect;
    let addresses: Vec<SocketAddr> = (target.address.as_str(), target.port)
        .to_socket_addrs()
        .map_err(|source| SshError::NotResolved { at: at.clone(), source })?
        .collect();
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            last = ErrorKind::TimedOut.into();
            break;
        }
        match TcpStream::connect_timeout(&address, left).and_then(|s| tune(s, target)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(match last.kind() {
        ErrorKind::ConnectionRefused => SshError::Refused { at },
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            SshError::TimedOut { at, doing: "connecting", limit: target.limits.connect }
        }
        _ => SshError::Unreachable { at, source: last },
    })
}

/// Keepalive notices a dead link while it is quiet, TCP_USER_TIMEOUT while bytes are on their way;
/// both leave a healthy link alone, however long a command is silent.
fn tune(stream: TcpStream, target: &Target) -> io::Result<Socket> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let socket = Socket::from(stream);
    let probe = (target.limits.dead_link / 3).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(probe).with_interval(probe).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(target.limits.dead_link))?;
    Ok(socket)
}
