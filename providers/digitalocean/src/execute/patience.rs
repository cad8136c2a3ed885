//! Waiting, with an end.

use std::time::{Duration, Instant};

use ipai_core::{Fault, RemoteError};

use super::Task;
use crate::api::ApiError;

/// So many looks in a row may fail before a wait is given up.
const TOLERATED: u32 = 3;
/// So often it is looked at least, however long the looks take: a slow line is no reason to stop after two.
const LEAST: u32 = 6;
/// The user hears of a wait that goes on so often.
const REMINDER: Duration = Duration::from_secs(10);

/// One wait for one thing.
pub(super) struct Patience<'a> {
    task: &'a Task<'a>,
    /// What is waited for, as in "droplet 7 is active".
    what: String,
    limit: Duration,
    began: Instant,
    said: Option<Instant>,
    failures: u32,
    pauses: u32,
}

impl<'a> Patience<'a> {
    /// Begins to wait until `what`, no longer than `limit`.
    pub(super) fn new(task: &'a Task<'a>, what: impl Into<String>, limit: Duration) -> Self {
        let (what, began) = (what.into(), Instant::now());
        Self { task, what, limit, began, said: None, failures: 0, pauses: 0 }
    }

    /// Tells whether the limit is reached.
    pub(super) fn is_over(&self) -> bool {
        self.began.elapsed() >= self.limit && self.pauses >= LEAST
    }

    /// Pauses before the next look, or gives up.
    pub(super) async fn pause(&mut self) -> Result<(), RemoteError> {
        if self.is_over() {
            let cause = format!("it is not so after {} of waiting", seconds(self.limit));
            return Err(RemoteError::new(
                Fault::TimedOut,
                format!("confirm that {}", self.what),
                cause,
            )
            .hint("run `ipai plan` again: what was begun is found and carried on"));
        }
        if self.said.is_none_or(|said| said.elapsed() >= REMINDER) {
            let (passed, limit) = (seconds(self.began.elapsed()), seconds(self.limit));
            self.task.say(format!("waiting until {} ({passed} of at most {limit})", self.what));
            self.said = Some(Instant::now());
        }
        tokio::time::sleep(self.task.executor.poll).await;
        self.pauses += 1;
        Ok(())
    }

    /// Overlooks a failed look now and then: the next one may do better.
    pub(super) fn overlook<T>(
        &mut self,
        look: Result<T, ApiError>,
    ) -> Result<Option<T>, RemoteError> {
        match look {
            Ok(seen) => {
                self.failures = 0;
                Ok(Some(seen))
            }
            Err(error) if error.is_transient() && self.failures < TOLERATED => {
                self.failures += 1;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
