//! Holding the stack's lock: taking it, giving signs of life, knowing when it can no longer be sure, giving it back.
//!
//! What follows from each answer is decided in `ipai_core::lock`; here the calls are made and the time is kept.

mod hold;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipai_core::lock::{
    Acquire, Ask, Found, Lease, LockStore, Made, Moment, Note, Step, Told, Verdict,
};
use ipai_core::{Fault, RemoteError};
use tokio::time::{Instant, sleep, timeout};

pub use hold::{Fence, Held};
use hold::{hold, release, uptime};

use crate::stop::Stop;

/// Between two looks at something that has to pass by itself.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two attempts while another run has the lock.
const POLL: Duration = Duration::from_secs(2);
/// How often an attempt is made in all when each took so long that its lease had run down.
const SLOW_TRIES: u32 = 3;
/// How long looking for what an abandoned attempt has left may take.
const WITHDRAW: Duration = Duration::from_millis(1_200);
/// How long removing a lock that was not wanted after all may take.
const UNDO: Duration = Duration::from_secs(5);

/// Why the lock was not had.
#[derive(Clone, Debug)]
pub enum NotTaken {
    /// Another run has it; who is unknown when it changed hands at every look.
    Held(Option<Box<Found>>, Option<Moment>),
    /// It could not be asked for.
    Failed(RemoteError),
    /// Somebody asked to stop.
    Stopped(u8),
}

/// Told while another run has the lock: who, and what time it is at the keeper's.
pub type Waiting<'a> = &'a (dyn Fn(&Found, Option<Moment>) + Send + Sync);

/// Takes the lock; while another run has it, tries again until `patience` is over or somebody asks to stop.
///
/// # Errors
/// When another run has it still, or it could not be asked for.
pub async fn take(
    store: &Arc<dyn LockStore>,
    note: &Note,
    patience: Duration,
    waiting: Waiting<'_>,
    stop: &Stop,
) -> Result<Held, NotTaken> {
    // Set while there may be a lock of this run that nobody holds.
    let open = AtomicBool::new(false);
    tokio::select! {
        taken = taking(store, note, patience, waiting, &open) => taken,
        code = stop.requested() => {
            if open.load(Ordering::SeqCst) {
                let _ = timeout(WITHDRAW, withdraw(store.as_ref(), &note.run)).await;
            }
            Err(NotTaken::Stopped(code))
        }
    }
}

/// Removes what an abandoned attempt has left.
async fn withdraw(store: &dyn LockStore, run: &str) -> Result<(), RemoteError> {
    for lock in store.look().await?.locks.iter().filter(|lock| lock.is_of(run)) {
        store.release(&lock.id).await?;
    }
    Ok(())
}

async fn taking(
    store: &Arc<dyn LockStore>,
    note: &Note,
    patience: Duration,
    waiting: Waiting<'_>,
    open: &AtomicBool,
) -> Result<Held, NotTaken> {
    let deadline = Instant::now() + patience;
    let (mut slow, mut first) = (0, Ask::Acquire);
    loop {
        let attempted = attempt(store.as_ref(), note, first, open).await;
        let (verdict, sent) = attempted.map_err(NotTaken::Failed)?;
        // Whoever waits looks before trying: most of the time there is nothing to be had.
        first = Ask::Look;
        let (by, now) = match verdict {
            Verdict::Held(by, now) => (by, now),
            Verdict::Won(id) => {
                let lease = Lease::begun(sent, note.lease);
                if lease.is_sure(uptime()) {
                    return Ok(hold(store, id, note, lease));
                }
                let _ = release(store.as_ref(), &id, UNDO).await;
                slow += 1;
                if slow == SLOW_TRIES {
                    return Err(NotTaken::Failed(too_slow()));
                }
                continue;
            }
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NotTaken::Held(by.map(Box::new), now));
        }
        if let Some(by) = &by {
            waiting(by, now);
        }
        sleep(left.min(POLL)).await;
    }
}

fn too_slow() -> RemoteError {
    RemoteError::new(Fault::TimedOut, "take the lock", "its answers take longer than the lease")
}

/// One attempt, and when its first try to make a lock was sent.
async fn attempt(
    store: &dyn LockStore,
    note: &Note,
    first: Ask,
    open: &AtomicBool,
) -> Result<(Verdict, Duration), RemoteError> {
    let mut acquire = Acquire::new(&note.run);
    let (mut ask, mut sent, mut unsure) = (first, None, None);
    loop {
        let told = match &ask {
            Ask::Acquire => {
                sent.get_or_insert_with(uptime);
                open.store(true, Ordering::SeqCst);
                store.acquire(note).await.map(|made| match made {
                    Made::Made(id) => Told::Made(id),
                    Made::Exists => Told::Exists,
                    Made::Unsure(error) => {
                        unsure = Some(error);
                        Told::Unsure
                    }
                })
            }
            Ask::Look => store.look().await.map(Told::Seen),
            Ask::Release(id) => store.release(id).await.map(|()| Told::Released),
            Ask::Pause => {
                sleep(PAUSE).await;
                Ok(Told::Paused)
            }
        };
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                if let Some(mine) = acquire.mine() {
                    let _ = release(store, mine, UNDO).await;
                }
                return Err(error);
            }
        };
        match (acquire.next(told), unsure.take()) {
            (Step::Ask(next), error) => (ask, unsure) = (next, error),
            (Step::Over(Verdict::Held(None, _)), Some(error)) => return Err(error),
            (Step::Over(verdict), _) => {
                open.store(false, Ordering::SeqCst);
                return Ok((verdict, sent.unwrap_or_else(uptime)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
