//! One command running on a host: bytes go in, bytes come out, and in the end there is an exit code.
//!
//! libssh2 blocks or asks to be polled, so each connection lives on a thread of its own. The async
//! side holds a [`Line`]; a socket pair wakes the thread, and its end tells that the line is dropped.

use std::collections::VecDeque;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as orders;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::channel::{Channel, Turn};
use super::connect::connect;
use super::{SshError, Target};

/// How many pieces of output may wait for the reader before the host is made to wait: about 2 MiB.
const PIECES: usize = 64;

/// How much later than the thread the waiting side gives up.
const GRACE: Duration = Duration::from_secs(1);

/// The longest command text: libssh2 refuses packets above some 35,000 bytes.
pub const MAX_TEXT: usize = 30_000;

/// A running command's ends. Dropping it cuts the connection at once and never blocks.
#[derive(Debug)]
pub struct Line {
    orders: orders::Sender<Order>,
    events: mpsc::Receiver<Event>,
    wake: UnixStream,
    backlog: Backlog,
}

/// How much of a line's standard input was handed over and has not gone yet. It may outlive the line.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<AtomicUsize>);

impl Backlog {
    /// In bytes; none when the line is broken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a running command does.
#[derive(Debug)]
pub enum Event {
    /// Some bytes of standard output.
    Stdout(Vec<u8>),
    /// Some bytes of standard error.
    Stderr(Vec<u8>),
    /// It ended, with this exit code; 128 when a signal ended it.
    Ended(i32),
    /// The connection is gone; nothing is known about the command.
    Failed(SshError),
}

pub(super) enum Order {
    Write(Input),
    Eof,
}

/// Bytes on their way; they count until they have gone or are dropped.
pub(super) struct Input {
    bytes: Vec<u8>,
    gone: usize,
    backlog: Backlog,
}

impl Input {
    fn new(bytes: Vec<u8>, backlog: &Backlog) -> Self {
        backlog.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Self { bytes, gone: 0, backlog: backlog.clone() }
    }

    /// What has not gone yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    /// Notes that as many bytes of the rest have gone.
    pub(super) fn advance(&mut self, length: usize) {
        let length = length.min(self.rest().len());
        self.gone += length;
        self.backlog.0.fetch_sub(length, Ordering::Relaxed);
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.advance(self.rest().len());
    }
}

impl Line {
    /// Connects, logs in, runs `text` and hands its standard input the first bytes.
    pub async fn open(target: &Target, text: String, stdin: Vec<u8>) -> Result<Self, SshError> {
        let (begun, host) = (Instant::now(), target.at());
        let opened = Self::connect(target, text, stdin).await;
        let ms = begun.elapsed().as_millis();
        match &opened {
            Ok(_) => tracing::debug!(target: "ipai::ssh", host, ms, "connection"),
            Err(error) => {
                tracing::debug!(target: "ipai::ssh", host, ms, lost = %error, "connection");
            }
        }
        opened
    }

    async fn connect(target: &Target, text: String, stdin: Vec<u8>) -> Result<Self, SshError> {
        if text.contains('\0') {
            return Err(SshError::CommandText { detail: "it holds a NUL byte" });
        }
        if text.len() > MAX_TEXT {
            return Err(SshError::CommandText { detail: "it is longer than 30,000 bytes" });
        }
        let no_thread = |source| SshError::Unreachable { at: target.at(), source };
        let (wake, woken) = UnixStream::pair().map_err(no_thread)?;
        wake.set_nonblocking(true).map_err(no_thread)?;
        let (order, ordered) = orders::channel();
        let (event, events) = mpsc::channel(PIECES);
        let (opened, open) = oneshot::channel();
        let line = Self { orders: order, events, wake, backlog: Backlog::default() };
        line.send(stdin);
        let (target, at, patience) = (target.clone(), target.at(), patience(target));
        thread::Builder::new()
            .name(format!("ssh {at}"))
            .spawn(move || live(&target, &text, woken, &ordered, opened, &event))
            .map_err(no_thread)?;
        within(patience, &at, open).await?;
        Ok(line)
    }

    /// Queues bytes for standard input. When the line is broken, [`Line::next`] says so.
    pub fn send(&self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.order(Order::Write(Input::new(bytes, &self.backlog)));
        }
    }

    /// How much of standard input waits to be sent.
    #[must_use]
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Ends standard input after what is queued.
    pub fn finish(&self) {
        self.order(Order::Eof);
    }

    /// Waits for what happens next. After [`Event::Ended`] or [`Event::Failed`] comes `None`.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            // A full pair already wakes the thread; a closed one has ended it.
            let _ = (&self.wake).write(&[1]);
        }
    }
}

/// The limits of all phases together. The thread keeps them itself, except where a name server or
/// an agent does not answer at all; then it is left behind. Whoever types a passphrase may take
/// any time.
fn patience(target: &Target) -> Option<Duration> {
    let limits = target.limits;
    let before = match &target.via {
        Some(bastion) => patience(bastion)?,
        None => Duration::ZERO,
    };
    let own = || limits.connect + 2 * limits.login + GRACE;
    target.passphrase.is_none().then(|| before + own())
}

async fn within(
    patience: Option<Duration>,
    at: &str,
    opened: oneshot::Receiver<Result<(), SshError>>,
) -> Result<(), SshError> {
    let opened = match patience {
        None => Ok(opened.await),
        Some(limit) => tokio::time::timeout(limit, opened).await.map_err(|_| limit),
    };
    match opened {
        Ok(opened) => opened.unwrap_or(Err(SshError::Abandoned)),
        Err(limit) => Err(SshError::TimedOut { at: at.to_owned(), doing: "logging in", limit }),
    }
}

/// The life of the connection's thread.
fn live(
    target: &Target,
    text: &str,
    woken: UnixStream,
    orders: &orders::Receiver<Order>,
    opened: oneshot::Sender<Result<(), SshError>>,
    events: &mpsc::Sender<Event>,
) {
    let channel = connect(target, woken).and_then(|link| Channel::open(target, link, text));
    let mut channel = match channel {
        Ok(channel) => channel,
        Err(error) => {
            // Nobody waits any more: then nobody misses the error.
            let _ = opened.send(Err(error));
            return;
        }
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    let last = serve(&mut channel, orders, events);
    // The ordered end is reported before the connection is cut.
    if let Some(last) = last {
        let _ = events.blocking_send(last);
    }
}

/// Moves bytes until the command ends, the link breaks, or nobody listens (`None`).
fn serve(
    channel: &mut Channel<'_>,
    orders: &orders::Receiver<Order>,
    events: &mpsc::Sender<Event>,
) -> Option<Event> {
    let mut pending: VecDeque<Order> = VecDeque::new();
    loop {
        pending.extend(orders.try_iter());
        match channel.turn(&mut pending) {
            Ok(Turn::Read(event)) => events.blocking_send(event).ok()?,
            Ok(Turn::Moved) => {}
            Ok(Turn::Ended(code)) => return Some(Event::Ended(code)),
            Ok(Turn::Idle) => match channel.wait() {
                Ok(()) => {}
                Err(SshError::Abandoned) => return None,
                Err(error) => return Some(Event::Failed(error)),
            },
            Err(error) => return Some(Event::Failed(error)),
        }
    }
}
