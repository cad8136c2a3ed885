//! Events as they happen: a line each on standard error, or JSON on standard output; a heartbeat for what takes long. At
//! a terminal what runs is drawn instead, and lines are left to what has ended.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipai_core::{Event, Events};

use super::running::Running;
use super::{Run, now};
use crate::bars;
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
    /// Tells whether only what goes wrong is shown.
    quiet: bool,
    /// Tells whether what runs is drawn.
    draws: bool,
    begun: Instant,
    timeline: Mutex<Timeline>,
    /// What is drawn, from the heartbeat's beginning to its end.
    running: Mutex<Option<Running>>,
}

impl Progress {
    pub(super) fn new(run: &Run<'_>, json: bool) -> Self {
        if json {
            run.begin_stream(&now());
        }
        Self(Arc::new(Shared {
            style: run.talk,
            json,
            quiet: run.global.quiet,
            draws: run.draws && !json,
            begun: Instant::now(),
            timeline: Mutex::default(),
            running: Mutex::default(),
        }))
    }

    /// Begins the heartbeat, of so many actions if that is known; it ends with the returned guard.
    pub(super) fn heartbeat(&self, actions: Option<usize>) -> Heartbeat {
        let progress = self.clone();
        if self.0.draws {
            *self.running() = Some(Running::new(self.0.style, actions));
            return Heartbeat { progress, beating: None };
        }
        let beating = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let beats = progress.timeline().heartbeat(progress.0.begun.elapsed(), HEARTBEAT);
                beats.iter().for_each(|(event, moment)| progress.show(event, moment));
            }
        });
        Heartbeat { progress: self.clone(), beating: Some(beating) }
    }

    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.0.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, event: &Event, moment: &Moment) {
        if self.0.json {
            let message = report::event_message(event, moment, Some(&now()));
            let _ = writeln!(std::io::stdout().lock(), "{}", report::json_text(&message, false));
        } else if !self.0.quiet || matches!(event, Event::Failed { .. } | Event::Skipped { .. }) {
            bars::say(&report::event_line(event, moment, &self.0.style));
        }
    }
}

/// Writes an event into the log; a wait that is told on the terminal no further time, too.
fn note(event: &Event, moment: Option<&Moment>) {
    let words = || report::event_words(event, &moment.copied().unwrap_or_default());
    match event {
        Event::Started { .. } | Event::Finished { .. } => tracing::info!("{}", words()),
        Event::Progress { .. } if moment.is_some() => tracing::debug!("{}", words()),
        Event::Progress { .. } => tracing::trace!("{}", words()),
        Event::Failed { .. } | Event::Skipped { .. } => tracing::warn!("{}", words()),
    }
}

/// Stops the heartbeat when dropped, and takes away what is drawn.
pub(super) struct Heartbeat {
    progress: Progress,
    beating: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.beating.iter().for_each(tokio::task::JoinHandle::abort);
        *self.progress.running() = None;
    }
}

impl Events for Progress {
    fn event(&self, event: Event) {
        let moment = self.timeline().take(&event, self.0.begun.elapsed());
        note(&event, moment.as_ref());
        let drawn = self.running().as_mut().is_some_and(|running| running.take(&event));
        if let Some(moment) = moment.filter(|_| !drawn) {
            self.show(&event, &moment);
        }
    }
}
