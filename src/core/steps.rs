//! The steps of a run at which something outside of the process may change: each request, each command, each stored
//! secret. Who watches them can stop a run at any one, which is how "killed anywhere, run again, converges" is proven.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use crate::BoxFuture;

/// One step, at one moment of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in this run, from 1, in the order in which steps begin.
    pub number: u64,
    /// What it does, as in `POST /v2/droplets` or `push files`.
    pub name: String,
    /// How far it is.
    pub phase: Phase,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was sent.
    Before,
    /// It is on its way; nobody here knows what became of it. Whoever is told this runs beside the step.
    Sent,
    /// It is over, well or not, and nothing has been done about it yet.
    Answered,
}

/// Watches the steps of a run.
pub trait Steps: Send + Sync {
    /// A step is reached. It goes on when the future is ready; one that never is stops it there.
    fn reach(&self, step: Step) -> BoxFuture<'_, ()>;
}

/// Whoever watches the steps. Usually nobody does, and then watching costs nothing.
#[derive(Clone, Default)]
pub struct Witness(Option<Arc<Watch>>);

struct Watch {
    steps: Arc<dyn Steps>,
    count: AtomicU64,
}

impl Witness {
    /// Lets `steps` watch; clones number their steps together.
    #[must_use]
    pub fn new(steps: Arc<dyn Steps>) -> Self {
        Self(Some(Arc::new(Watch { steps, count: AtomicU64::new(0) })))
    }

    /// Does one step's work under the watch.
    pub async fn step<T>(
        &self,
        name: impl FnOnce() -> String + Send,
        work: impl Future<Output = T> + Send,
    ) -> T {
        match &self.0 {
            None => work.await,
            Some(watch) => watch.step(name(), work).await,
        }
    }
}

impl Watch {
    async fn step<T>(&self, name: String, work: impl Future<Output = T> + Send) -> T {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let at = |phase| Step { number, name: name.clone(), phase };
        self.steps.reach(at(Phase::Before)).await;
        let mut work = pin!(work);
        let mut sent = None;
        let mut told = false;
        let outcome = poll_fn(|context| {
            if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                return Poll::Ready(outcome);
            }
            // The work has begun and waits for the other side.
            if !told {
                let sent = sent.get_or_insert_with(|| self.steps.reach(at(Phase::Sent)));
                told = sent.as_mut().poll(context).is_ready();
            }
            Poll::Pending
        });
        let outcome = outcome.await;
        self.steps.reach(at(Phase::Answered)).await;
        outcome
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Witness" } else { "nobody" })
    }
}
