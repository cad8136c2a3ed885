//! Interrupts: the first asks to begin nothing new, the second ends the process at once.

use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::bars;
use crate::hidden;
use crate::stop::Stop;

/// When the process ends after the first interrupt, whatever it hangs in. Nothing depends on what comes before that.
const LAST_RESORT: Duration = Duration::from_millis(6_800);

/// Signals within this time are one request: `timeout` and runners signal a program and then its whole group.
const ONE_REQUEST: Duration = Duration::from_millis(250);

/// The next signal of a kind, if it is watched.
async fn heard(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Tells whether the process was started with a signal ignored (`SigIgn` in proc(5)).
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

/// Stops watching when dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        hidden::attend(false);
        self.0.abort();
    }
}

/// Watches SIGINT, SIGTERM and SIGHUP.
pub(super) fn watch(stop: &Stop) -> Watch {
    let stop = stop.clone();
    Watch(tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        // Whoever let it be ignored, as nohup does, wants the run to outlive its terminal.
        let mut hang_up = match is_ignored(SignalKind::hangup()) {
            false => signal(SignalKind::hangup()).ok(),
            true => None,
        };
        hidden::attend(true);
        let mut asked: Option<Instant> = None;
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                Some(_) = heard(&mut hang_up) => 129,
            };
            match asked {
                Some(first) if first.elapsed() < ONE_REQUEST => continue,
                Some(_) => hidden::end(code),
                None => asked = Some(Instant::now()),
            }
            stop.request(code);
            // A thread of its own fires even when everything else is stuck, the terminal too.
            std::thread::spawn(move || {
                std::thread::sleep(LAST_RESORT);
                hidden::end(code);
            });
            bars::say(
                "Stopping: nothing new begins, what runs may finish for some seconds. Once more to stop at once.",
            );
        }
    }))
}
