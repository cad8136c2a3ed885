//! One apply per stack at a time: what a lock says, when it has lapsed, and who wins.
//!
//! The lock lives in something that the stack has already, so it needs no server of ours. Whoever keeps it
//! ([`LockStore`]) can do four small things, and its clock is the only one that counts. [`Acquire`] decides, answer by
//! answer, what to do next until the lock is had or known to be another's; [`Lease`] tells its holder until when it can
//! be sure of it.
//!
//! Why two runs never both begin work:
//!
//! - A lock can be taken over only when its last sign of life, by its keeper's clock, is older than its lease and
//!   [`grace`]. Its holder began to count when it *sent* that sign of life, and stops [`margin`] before the lease ends.
//! - A renewal counts only when its answer came while the holder was still sure. So whoever sees a lapsed lock knows
//!   that it stays lapsed: its holder will never believe in it again.
//! - A lapsed lock is removed by its id, which no other lock has, and only then a new one is made.
//! - Whoever made one looks again. The oldest of several wins, and only once it stands alone; the others withdraw.

mod acquire;
mod lease;
mod note;

use std::time::Duration;

pub use acquire::{Acquire, Ask, Step, Told, Verdict};
pub use lease::{Lease, beat, grace, margin};
pub use note::{LONGEST_LEASE, MAX_HOLDER, MAX_NOTE, MAX_WHY, NotANote, Note, RUN_ID};

use crate::{BoxFuture, RemoteError};

/// A moment by the clock of whoever keeps the lock: microseconds since 1970. Comparable with other moments of the same
/// keeper, and with nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to this moment; nothing when that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A lock as its keeper shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What names exactly this one; no later lock has it.
    pub id: String,
    /// What it says, if this ipai understands it.
    pub note: Result<Note, NotANote>,
    /// When it was made. What cannot be read counts as older than everything else.
    pub since: Moment,
    /// Its last sign of life; one that cannot be read never lapses.
    pub beat: Option<Moment>,
}

impl Found {
    /// Tells whether its holder is surely gone. What is not understood is held.
    #[must_use]
    pub fn has_lapsed(&self, now: Option<Moment>) -> bool {
        self.lapses_in(now).is_some_and(|left| left.is_zero())
    }

    /// How long it holds without another sign of life; unknown when there is no telling.
    #[must_use]
    pub fn lapses_in(&self, now: Option<Moment>) -> Option<Duration> {
        let (Ok(note), Some(beat), Some(now)) = (&self.note, self.beat, now) else { return None };
        Some((note.lease + grace(note.lease)).saturating_sub(now.since(beat)))
    }

    /// Tells whether this run made it.
    #[must_use]
    pub fn is_of(&self, run: &str) -> bool {
        self.note.as_ref().is_ok_and(|note| note.run == run)
    }

    /// Locks sort by age; the id decides between equals.
    #[must_use]
    pub fn age(&self) -> (Moment, &str) {
        (self.since, &self.id)
    }
}

/// What a look at the lock showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The keeper's time; without it nothing counts as lapsed.
    pub now: Option<Moment>,
    /// Every lock that is there: none, or one, or more where two were made at once.
    pub locks: Vec<Found>,
}

/// What came of an attempt to make a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was made, and has this id.
    Made(String),
    /// There is one, so none was made.
    Exists,
    /// The answer was lost: it may have been made.
    Unsure(RemoteError),
}

/// What came of a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It was noted.
    Yes,
    /// The lock is not there any more.
    Gone,
}

/// Keeps a stack's lock. Each call is one attempt, within a few seconds; what its answers mean is decided elsewhere.
pub trait LockStore: Send + Sync {
    /// Where the lock is, as in "the zone example.com".
    fn place(&self) -> String;

    /// Shows every lock there is, and the keeper's time. Changes nothing.
    fn look(&self) -> BoxFuture<'_, Result<Sight, RemoteError>>;

    /// Makes a lock unless there is one; of several attempts at once the keeper lets one win.
    fn acquire<'a>(&'a self, note: &'a Note) -> BoxFuture<'a, Result<Made, RemoteError>>;

    /// Gives a sign of life of exactly this lock, which from now on says `note`. A keeper that sees signs of life by
    /// itself need not write down their number.
    fn renew<'a>(
        &'a self,
        id: &'a str,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<Renewed, RemoteError>>;

    /// Removes exactly this lock; one that is gone already is removed.
    fn release<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RemoteError>>;
}
