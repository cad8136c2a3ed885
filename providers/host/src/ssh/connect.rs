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
use super::{SshError, Target};

/// Connects and logs in. Nothing is sent to the host before its key is checked, except the key
/// exchange itself. Blocks: runs on the connection's own thread.
pub(super) fn connect(target: &Target, wake: UnixStream) -> Result<Link, SshError> {
    let expectation = Expectation::read(target)?;
    let socket = open_socket(target)?;
    let handshake = |detail: String| SshError::Handshake { at: target.at(), detail };
    let mut link = Link::new(socket, wake).map_err(|error| handshake(error.to_string()))?;
    methods::restrict(&link.session, &expectation.algorithms)
        .map_err(|error| handshake(error.message().to_owned()))?;
    let deadline = Instant::now() + target.limits.login;
    link.until(deadline, |session| session.handshake()).map_err(|stop| match stop {
        Stop::Failed(error) => handshake_failed(target, &expectation, &error),
        stop => stopped(target, "key exchange", target.limits.login, stop),
    })?;
    match link.session.host_key() {
        Some((blob, _)) => expectation.check(blob)?,
        None => return Err(handshake("the server showed no host key".to_owned())),
    }
    auth::log_in(target, &mut link, deadline)?;
    Ok(link)
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
fn handshake_failed(target: &Target, expected: &Expectation, error: &ssh2::Error) -> SshError {
    let at = target.at();
    let detail = error.message().to_owned();
    match error.code() {
        ssh2::ErrorCode::Session(-5 | -8) => SshError::Handshake {
            at,
            detail: format!(
                "{detail}. ipai asked for a host key of type {} and for modern algorithms only",
                expected.algorithms.join(", ")
            ),
        },
        _ if hung_up(error) => SshError::Lost { at, doing: "key exchange", detail },
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
