//! The lock on a keeper in memory, in real time with leases of a second.

use std::sync::Mutex;
use std::time::SystemTime;

use ipai_core::BoxFuture;
use ipai_core::lock::{Renewed, Sight};

use super::*;

/// A keeper that says what it is told to, and counts.
#[derive(Default)]
struct Keeper {
    locks: Mutex<Vec<Found>>,
    made: Mutex<u64>,
    /// How long each call takes.
    slow: Mutex<Duration>,
    /// Whether signs of life fail.
    deaf: AtomicBool,
    /// How often removing fails before it does not.
    clings: Mutex<u32>,
    calls: Mutex<Vec<&'static str>>,
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Moment(u64::try_from(since.as_micros()).unwrap())
}

impl Keeper {
    async fn begin(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
        let slow = *self.slow.lock().unwrap();
        sleep(slow).await;
    }

    fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|made| **made == call).count()
    }

    fn ids(&self) -> Vec<String> {
        self.locks.lock().unwrap().iter().map(|lock| lock.id.clone()).collect()
    }
}

impl LockStore for Keeper {
    fn place(&self) -> String {
        "memory".into()
    }

    fn look(&self) -> BoxFuture<'_, Result<Sight, RemoteError>> {
        Box::pin(async {
            self.begin("look").await;
            Ok(Sight { now: Some(now()), locks: self.locks.lock().unwrap().clone() })
        })
    }

    fn acquire<'a>(&'a self, note: &'a Note) -> BoxFuture<'a, Result<Made, RemoteError>> {
        Box::pin(async {
            self.begin("acquire").await;
            let (mut locks, mut made) = (self.locks.lock().unwrap(), self.made.lock().unwrap());
            if !locks.is_empty() {
                return Ok(Made::Exists);
            }
            *made += 1;
            let (id, now) = (made.to_string(), now());
            locks.push(Found {
                id: id.clone(),
                note: Ok(note.clone()),
                since: now,
                beat: Some(now),
            });
            Ok(Made::Made(id))
        })
    }

    fn renew<'a>(
        &'a self,
        id: &'a str,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<Renewed, RemoteError>> {
        Box::pin(async move {
            self.begin("renew").await;
            if self.deaf.load(Ordering::SeqCst) {
                return Err(RemoteError::new(Fault::Unreachable, "renew", "the line is dead"));
            }
            let mut locks = self.locks.lock().unwrap();
            let Some(own) = locks.iter_mut().find(|lock| lock.id == id) else {
                return Ok(Renewed::Gone);
            };
            (own.note, own.beat) = (Ok(note.clone()), Some(now()));
            Ok(Renewed::Yes)
        })
    }

    fn release<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            self.begin("release").await;
            let mut clings = self.clings.lock().unwrap();
            if *clings > 0 {
                *clings -= 1;
                return Err(RemoteError::new(Fault::Refused, "release", "slow down"));
            }
            self.locks.lock().unwrap().retain(|lock| lock.id != id);
            Ok(())
        })
    }
}

fn note(run: u8, seconds: u64) -> Note {
    Note::new(&format!("{run:016x}"), Duration::from_secs(seconds), "ann@laptop", "")
}

async fn get(keeper: &Arc<Keeper>, note: &Note, patience: Duration) -> Result<Held, NotTaken> {
    let store: Arc<dyn LockStore> = Arc::<Keeper>::clone(keeper) as _;
    take(&store, note, patience, &|_, _| {}, &Stop::default()).await
}

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn one_holds_it_and_another_waits_until_it_is_given_back() {
    let keeper = Arc::new(Keeper::default());
    let first = get(&keeper, &note(1, 50), AT_ONCE).await.ok().unwrap();
    let refused = get(&keeper, &note(2, 50), AT_ONCE).await.err().unwrap();
    assert!(matches!(refused, NotTaken::Held(Some(by), _) if by.is_of("0000000000000001")));
    let second = tokio::spawn({
        let keeper = Arc::clone(&keeper);
        async move { get(&keeper, &note(2, 50), Duration::from_secs(10)).await.map(drop) }
    });
    sleep(Duration::from_millis(50)).await;
    first.release(Duration::from_secs(1)).await.unwrap();
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test]
async fn signs_of_life_keep_it_beyond_its_lease_and_a_dead_holders_lapses() {
    let keeper = Arc::new(Keeper::default());
    let held = get(&keeper, &note(1, 1), AT_ONCE).await.ok().unwrap();
    sleep(Duration::from_millis(1_500)).await;
    assert!(held.fence().is_sure());
    assert!(get(&keeper, &note(2, 1), AT_ONCE).await.is_err());
    // As when the process is killed: no more signs, nothing removed.
    drop(held);
    let begun = Instant::now();
    let taken = get(&keeper, &note(2, 1), Duration::from_secs(20)).await;
    assert!(taken.is_ok() && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_removed_lock_is_noticed_and_not_removed_again() {
    let keeper = Arc::new(Keeper::default());
    let held = get(&keeper, &note(1, 1), AT_ONCE).await.ok().unwrap();
    keeper.locks.lock().unwrap().clear();
    let reason = timeout(Duration::from_secs(2), held.fence().lost()).await.unwrap();
    assert_eq!(reason, "somebody removed it");
    assert!(!held.fence().is_sure());
    held.release(Duration::from_secs(1)).await.unwrap();
    assert_eq!(keeper.count("release"), 0);
}

#[tokio::test]
async fn giving_it_back_is_tried_again_within_its_time() {
    for (clings, gone) in [(1, true), (3, true), (9, false)] {
        let keeper = Arc::new(Keeper::default());
        let held = get(&keeper, &note(1, 50), AT_ONCE).await.ok().unwrap();
        *keeper.clings.lock().unwrap() = clings;
        let released = held.release(Duration::from_secs(5)).await;
        assert_eq!((released.is_ok(), keeper.ids().is_empty()), (gone, gone), "{clings}");
    }
}

#[tokio::test]
async fn a_holder_that_is_not_heard_stops_before_its_lock_lapses() {
    let keeper = Arc::new(Keeper::default());
    let held = get(&keeper, &note(1, 2), AT_ONCE).await.ok().unwrap();
    keeper.deaf.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let reason = timeout(Duration::from_secs(4), held.fence().lost()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(reason.contains("the line is dead"), "{reason}");
    let lapsed = keeper.locks.lock().unwrap()[0].has_lapsed(Some(now()));
    assert!(!lapsed, "nobody can have taken it over yet");
}

#[tokio::test]
async fn a_lock_that_takes_longer_to_get_than_its_lease_is_given_up() {
    let keeper = Arc::new(Keeper::default());
    *keeper.slow.lock().unwrap() = Duration::from_millis(500);
    let failed = get(&keeper, &note(1, 1), AT_ONCE).await.err().unwrap();
    assert!(
        matches!(failed, NotTaken::Failed(error) if error.cause.contains("longer than the lease"))
    );
    assert!(keeper.ids().is_empty());
}

#[tokio::test]
async fn an_attempt_that_is_stopped_leaves_nothing() {
    let keeper = Arc::new(Keeper::default());
    *keeper.slow.lock().unwrap() = Duration::from_millis(300);
    let store: Arc<dyn LockStore> = Arc::<Keeper>::clone(&keeper) as _;
    let (stop, note) = (Stop::default(), note(1, 50));
    let asks = async {
        // The lock is made by now, and is being looked at.
        sleep(Duration::from_millis(450)).await;
        stop.request(130);
    };
    let (taken, ()) = tokio::join!(take(&store, &note, AT_ONCE, &|_, _| {}, &stop), asks);
    assert!(matches!(taken, Err(NotTaken::Stopped(130))));
    assert!(keeper.ids().is_empty() && keeper.count("acquire") == 1);
}

#[tokio::test]
async fn an_opened_fence_stops_nothing() {
    let keeper = Arc::new(Keeper::default());
    let held = get(&keeper, &note(1, 1), AT_ONCE).await.ok().unwrap();
    held.fence().open();
    keeper.locks.lock().unwrap().clear();
    assert!(timeout(Duration::from_millis(600), held.fence().lost()).await.is_err());
    assert!(held.fence().is_sure());
}
