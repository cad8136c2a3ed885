//! What a person types without its being shown. However the program ends meanwhile, short of SIGKILL, the terminal shows
//! again afterwards what is typed.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::bars;

/// Room for a typed line, so that the buffer does not move: the kernel's own limit is 4,096 bytes.
const LONGEST: usize = 4_096;

/// How a terminal is told that no key stands for a signal (`_POSIX_VDISABLE`).
const NO_KEY: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// How the terminal was before it stopped showing what is typed; nothing while it shows it.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// One question at a time. Holds the end on which an interrupt is told to whoever waits for a line, once there is one.
static ASKING: Mutex<Option<UnixStream>> = Mutex::new(None);

/// Set while somebody else ends the program in good order on an interrupt.
static ATTENDED: AtomicBool = AtomicBool::new(false);

/// Asks on standard error and reads a line from the terminal that standard input is, without showing it.
///
/// # Errors
/// Standard input is no terminal, what was typed is no UTF-8, or the run was interrupted.
pub fn line(question: &str) -> io::Result<Zeroizing<String>> {
    let mut asking = lock(&ASKING);
    let interrupts = match &mut *asking {
        Some(interrupts) => interrupts,
        none => none.insert(watch()?),
    };
    while interrupts.read(&mut [0; 8]).is_ok_and(|length| length > 0) {}
    let _pause = bars::pause();
    let _hidden = Hidden::begin()?;
    say(question);
    let typed = read(interrupts);
    say("\n");
    typed
}

/// Tells whether somebody ends the program in good order on SIGINT and SIGTERM. Otherwise they end it at once.
pub fn attend(attended: bool) {
    ATTENDED.store(attended, Ordering::Relaxed);
}

/// From now on an interrupt that nobody attends to ends the program in good order, and not with half a drawing on the
/// terminal.
pub fn heed() {
    // Whoever asks for a line now has seen to it.
    if let Ok(mut asking) = ASKING.try_lock()
        && asking.is_none()
    {
        *asking = watch().ok();
    }
}

/// Ends the program at once; the terminal shows again what is typed, and nothing is drawn on it any more.
#[expect(
    clippy::disallowed_methods,
    reason = "an interrupt that nobody attends to, the second one, or one that everything ignored"
)]
pub fn end(code: u8) -> ! {
    show();
    bars::leave();
    std::process::exit(i32::from(code))
}

fn say(text: &str) {
    let mut talk = io::stderr().lock();
    let _ = talk.write_all(text.as_bytes()).and_then(|()| talk.flush());
}

/// Reads byte by byte past the standard library's buffer, which keeps what it read.
fn read(interrupts: &UnixStream) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    while bytes.len() < LONGEST {
        wait(interrupts)?;
        if rustix::io::read(io::stdin(), &mut *byte)? == 0 || byte[0] == b'\n' {
            break;
        }
        bytes.push(byte[0]);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Waits until something was typed.
fn wait(interrupts: &UnixStream) -> io::Result<()> {
    let stdin = io::stdin();
    loop {
        let mut ready =
            [PollFd::new(&stdin, PollFlags::IN), PollFd::new(interrupts, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => drop(other?),
        }
        if !ready[1].revents().is_empty() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "it was interrupted"));
        }
        if !ready[0].revents().is_empty() {
            return Ok(());
        }
    }
}

/// A terminal that does not show what is typed, until this is dropped. It cannot be suspended meanwhile, because the
/// shell would bring it back showing everything.
struct Hidden;

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO;
        hidden.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
        // Locked until it is done: an interrupt puts back what it finds.
        let mut kept = lock(&BEFORE);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        *kept = Some(before);
        Ok(Self)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        show();
    }
}

/// Puts the terminal back; tells whether it was hiding anything.
fn show() -> bool {
    let before = lock(&BEFORE).take();
    let put_back = |before| tcsetattr(io::stdin(), OptionalActions::Now, &before);
    before.map(put_back).is_some()
}

/// Watches for what would end the program, from before the first line is hidden until the program ends: what was once
/// watched for cannot be left to the system again. Gives the end on which a line that is waited for learns of it.
fn watch() -> io::Result<UnixStream> {
    let (told, tell) = UnixStream::pair()?;
    told.set_nonblocking(true)?;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        show();
        usual(panic);
    }));
    let (ready, watching) = mpsc::channel();
    std::thread::Builder::new().name("interrupts".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without a runtime the sender is dropped, and whoever waits for it is told.
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let signals = Signals::new();
            let _ = ready.send(signals.as_ref().map(|_| ()).map_err(io::Error::kind));
            if let Ok(signals) = signals {
                signals.attend(&tell).await;
            }
        });
    })?;
    match watching.recv() {
        Ok(begun) => begun.map_err(io::Error::from).map(|()| told),
        Err(_) => Err(io::Error::other("interrupts cannot be watched for")),
    }
}

/// What would end the program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn attend(mut self, mut tell: &UnixStream) {
        loop {
            let (code, others) = tokio::select! {
                _ = self.interrupt.recv() => (130, true),
                _ = self.terminate.recv() => (143, true),
                _ = self.hang_up.recv() => (129, true),
                _ = self.quit.recv() => (131, false),
            };
            if show() {
                say("\nInterrupted.\n");
            }
            if !(others && ATTENDED.load(Ordering::Relaxed)) {
                end(code);
            }
            // Full or gone: then whoever waits knows already, or does not wait.
            let _ = tell.write(&[1]);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
