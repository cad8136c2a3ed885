//! The lock while it is held: signs of life, and until when it is sure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipai_core::lock::{Lease, LockStore, Note, Renewed, beat};
use ipai_core::{Fault, RemoteError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Between attempts to remove a lock that failed in a way that may pass.
const RELEASE_PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1_500)];

/// The time by a clock that runs only forward, and on while the machine sleeps.
pub(super) fn uptime() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Tells whether the lock is surely held; clones tell the same.
#[derive(Clone)]
pub struct Fence(Arc<Inner>);

struct Inner {
    lease: Mutex<Lease>,
    /// Why the lock was lost, once it was.
    lost: watch::Sender<Option<String>>,
    /// Set when the lock's own place is to be replaced or deleted, and the lock with it.
    open: AtomicBool,
    /// Set when the lock is known to be removed.
    gone: AtomicBool,
}

impl Fence {
    fn new(lease: Lease) -> Self {
        let (lost, open, gone) = (watch::Sender::new(None), false.into(), false.into());
        Self(Arc::new(Inner { lease: Mutex::new(lease), lost, open, gone }))
    }

    /// Tells whether work may begin.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.is_open() || self.lease(|lease| lease.is_sure(uptime()))
    }

    /// From now on the lock may go without anything being stopped by it.
    pub fn open(&self) {
        self.0.open.store(true, Ordering::SeqCst);
    }

    fn is_open(&self) -> bool {
        self.0.open.load(Ordering::SeqCst)
    }

    /// Why the lock is not surely held; nothing while it is.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let unheard = || "this machine stood still for longer than its lease".to_owned();
        (!self.is_sure()).then(|| self.0.lost.borrow().clone().unwrap_or_else(unheard))
    }

    /// Waits until the lock is lost and gives the reason.
    pub async fn lost(&self) -> String {
        let mut lost = self.0.lost.subscribe();
        match lost.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) {
            Some(reason) if !self.is_open() => reason,
            _ => std::future::pending().await,
        }
    }

    fn lease<T>(&self, with: impl FnOnce(&mut Lease) -> T) -> T {
        // A panic elsewhere left the lease whole: it is replaced in one assignment.
        with(&mut self.0.lease.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lose(&self, reason: String) {
        self.lease(Lease::lose);
        self.0.lost.send_replace(Some(reason));
    }

    /// How long it is still sure without another sign of life.
    fn left(&self) -> Duration {
        self.lease(|lease| lease.sure_until()).saturating_sub(uptime())
    }
}

/// The lock while this process holds it. Dropped, it gives no more signs of life and lapses by itself.
pub struct Held {
    store: Arc<dyn LockStore>,
    id: String,
    fence: Fence,
    beating: JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Held {
    /// What tells whether it is still held.
    #[must_use]
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Gives the lock back within `limit`.
    ///
    /// # Errors
    /// When it could not be removed in time; it lapses by itself then.
    pub async fn release(self, limit: Duration) -> Result<(), RemoteError> {
        self.beating.abort();
        if self.fence.0.gone.load(Ordering::SeqCst) {
            return Ok(());
        }
        release(self.store.as_ref(), &self.id, limit).await
    }
}

pub(super) async fn release(
    store: &dyn LockStore,
    id: &str,
    limit: Duration,
) -> Result<(), RemoteError> {
    timeout(limit, released(store, id)).await.unwrap_or_else(|_| {
        Err(RemoteError::new(Fault::TimedOut, "give the lock back", "no answer in time"))
    })
}

/// Removes a lock, which may be tried as often as one likes: no later lock has its id.
async fn released(store: &dyn LockStore, id: &str) -> Result<(), RemoteError> {
    for pause in RELEASE_PAUSES {
        match store.release(id).await {
            Err(error) if error.fault != Fault::Denied => sleep(pause).await,
            result => return result,
        }
    }
    store.release(id).await
}

/// Begins to hold a lock that was won.
pub(super) fn hold(store: &Arc<dyn LockStore>, id: String, note: &Note, lease: Lease) -> Held {
    let fence = Fence::new(lease);
    let beating =
        tokio::spawn(give_signs(Arc::clone(store), id.clone(), note.clone(), fence.clone()));
    Held { store: Arc::clone(store), id, fence, beating }
}

/// Gives signs of life until the lock is lost.
async fn give_signs(store: Arc<dyn LockStore>, id: String, mut note: Note, fence: Fence) {
    let often = beat(note.lease);
    let mut pause = often;
    let mut trouble: Option<RemoteError> = None;
    loop {
        sleep(pause.min(fence.left())).await;
        note = note.next();
        let sent = uptime();
        match timeout(fence.left(), store.renew(&id, &note)).await {
            Ok(Ok(Renewed::Yes)) => {
                fence.lease(|lease| lease.renewed(sent, uptime()));
                (pause, trouble) = (often, None);
            }
            Ok(Ok(Renewed::Gone)) => {
                fence.0.gone.store(true, Ordering::SeqCst);
                return fence.lose("somebody removed it".to_owned());
            }
            Ok(Err(error)) => {
                trouble = Some(error);
                pause = often / 5;
            }
            Err(_) => {}
        }
        if !fence.lease(|lease| lease.is_sure(uptime())) {
            let cause = trouble.map_or_else(|| "no answer in time".to_owned(), |error| error.cause);
            return fence.lose(format!("it could not be renewed: {cause}"));
        }
    }
}
