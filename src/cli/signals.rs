//! Interrupts: the first asks to begin nothing new, the second ends the process at once.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::bars;
use crate::hidden;
use crate::stop::Stop;

/// When the process ends after the first interrupt, whatever it hangs in. Nothing depends on what comes before that.
const LAST_RESORT: Duration = Duration::from_millis(6_800);

/// Stops watching when dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        hidden::attend(false);
        self.0.abort();
    }
}

/// Watches SIGINT and SIGTERM.
pub(super) fn watch(stop: &Stop) -> Watch {
    let stop = stop.clone();
    Watch(tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        hidden::attend(true);
        let mut asked = false;
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            };
            if asked {
                hidden::end(code);
            }
            asked = true;
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
