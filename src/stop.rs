//! A request to begin nothing new: by an interrupt, or because the lock is not surely held any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::lock::Fence;

/// How long what runs may go on after an interrupt. A CI runner kills 7.5 seconds after its SIGINT, and the lock has to be
/// given back within them.
const FINISH: Duration = Duration::from_millis(4_500);
/// How much longer everything else may take before it is dropped as well.
const WRAP_UP: Duration = Duration::from_millis(500);

/// Shared by those who ask to stop and those who do.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<State>>);

#[derive(Clone, Default)]
struct State {
    /// The exit code that the process shall end with, and when what still runs is dropped.
    asked: Option<(u8, Instant)>,
    fence: Option<Fence>,
}

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl Stop {
    /// Asks to stop and to end with this exit code; what runs may finish, if it does not take long. The first request
    /// counts.
    pub fn request(&self, code: u8) {
        self.ask(code, FINISH);
    }

    /// Asks to drop what runs at once and to end with this exit code.
    pub fn abort(&self, code: u8) {
        self.ask(code, Duration::ZERO);
    }

    fn ask(&self, code: u8, time: Duration) {
        let drop_at = Instant::now() + time;
        self.0.send_modify(|state| {
            let (code, earlier) = state.asked.unwrap_or((code.max(1), drop_at));
            state.asked = Some((code, earlier.min(drop_at)));
        });
    }

    /// From now on nothing begins unless the lock is surely held.
    pub fn fence(&self, fence: Fence) {
        self.0.send_modify(|state| state.fence = Some(fence));
    }

    /// The exit code, if somebody asked.
    #[must_use]
    pub fn code(&self) -> Option<u8> {
        self.0.borrow().asked.map(|(code, _)| code)
    }

    /// Tells whether something new may begin now.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        if self.is_locked_out() {
            self.abort(1);
        }
        self.code().is_none()
    }

    /// Tells whether the lock is not surely held, so that not even what was done may be written down.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        self.0.borrow().fence.as_ref().is_some_and(|fence| !fence.is_sure())
    }

    /// Waits until somebody asks, and gives the exit code.
    pub async fn requested(&self) -> u8 {
        self.asked().await.0
    }

    /// Waits until what runs has to be dropped.
    pub async fn cut(&self) {
        self.until(Duration::ZERO).await;
    }

    /// Waits until everything has to be dropped, and gives the exit code.
    pub async fn overdue(&self) -> u8 {
        self.until(WRAP_UP).await;
        self.requested().await
    }

    async fn asked(&self) -> (u8, Instant) {
        let mut state = self.0.subscribe();
        let asked = state.wait_for(|state| state.asked.is_some()).await;
        match asked.ok().and_then(|state| state.asked) {
            Some(asked) => asked,
            // The sender lives as long as `self`, so this is never reached.
            None => std::future::pending().await,
        }
    }

    /// The time may be brought forward while it is waited for.
    async fn until(&self, later: Duration) {
        let mut state = self.0.subscribe();
        loop {
            let (_, drop_at) = self.asked().await;
            tokio::select! {
                () = sleep_until(drop_at + later) => return,
                _ = state.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_code_counts_and_the_earliest_end() {
        let stop = Stop::default();
        assert!(stop.may_begin() && stop.code().is_none());
        stop.request(130);
        assert!(!stop.may_begin());
        stop.abort(1);
        assert_eq!(stop.code(), Some(130));
        let begun = Instant::now();
        stop.cut().await;
        assert!(begun.elapsed() < FINISH / 2, "the wait was brought forward");
        assert_eq!(stop.overdue().await, 130);
    }

    #[tokio::test]
    async fn a_wait_that_began_before_is_brought_forward_too() {
        let stop = Stop::default();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.cut().await }
        });
        stop.request(143);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        stop.abort(1);
        tokio::time::timeout(Duration::from_secs(2), waiting).await.unwrap().unwrap();
    }
}
