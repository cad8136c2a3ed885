//! Events as they happen: a line each on standard error, or JSON on standard output; a heartbeat for what takes long.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipai_core::{Event, Events};

use super::now;
use crate::report::{self, Moment, Style, Timeline};

/// Between two signs of life of one action.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Takes events and shows them.
#[derive(Clone)]
pub(super) struct Progress(Arc<Shared>);

struct Shared {
    style: Style,
    /// Events go to standard output as JSON lines instead.
    json: bool,
    begun: Instant,
    timeline: Mutex<Timeline>,
}

impl Progress {
    pub(super) fn new(style: Style, json: bool) -> Self {
        Self(Arc::new(Shared { style, json, begun: Instant::now(), timeline: Mutex::default() }))
    }

    /// Begins the heartbeat; it ends with the returned guard.
    pub(super) fn heartbeat(&self) -> Heartbeat {
        let progress = self.clone();
        Heartbeat(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let beats = progress.timeline().heartbeat(progress.0.begun.elapsed(), HEARTBEAT);
                beats.iter().for_each(|(event, moment)| progress.show(event, moment));
            }
        }))
    }

    fn timeline(&self) -> std::sync::MutexGuard<'_, Timeline> {
        self.0.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, event: &Event, moment: &Moment) {
        if self.0.json {
            let message = report::event_message(event, moment, Some(&now()));
            let _ = writeln!(std::io::stdout().lock(), "{}", report::json_text(&message, false));
        } else {
            let line = report::event_line(event, moment, &self.0.style);
            let _ = writeln!(std::io::stderr().lock(), "{}", line.trim_end_matches('\n'));
        }
    }
}

/// Stops the heartbeat when dropped.
pub(super) struct Heartbeat(tokio::task::JoinHandle<()>);

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Events for Progress {
    fn event(&self, event: Event) {
        let moment = self.timeline().take(&event, self.0.begun.elapsed());
        if let Some(moment) = moment {
            self.show(&event, &moment);
        }
    }
}
