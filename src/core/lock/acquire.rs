//! Taking the lock, answer by answer. Pure: whoever drives it makes the calls.

use super::{Found, Moment, Sight};

/// How often a lock is made in all when each attempt ends with nothing: answers lost, or others quicker.
const ROUNDS: u32 = 6;

/// How often to look again for something that has to pass by itself.
const PAUSES: u32 = 12;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Make a lock.
    Acquire,
    /// Look at what is there.
    Look,
    /// Remove exactly this one.
    Release(String),
    /// Wait a moment.
    Pause,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A lock was made and has this id.
    Made(String),
    /// There was one already.
    Exists,
    /// The answer was lost.
    Unsure,
    /// This is there.
    Seen(Sight),
    /// It is removed.
    Released,
    /// The moment is over.
    Paused,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The lock is this run's, under this id.
    Won(String),
    /// Somebody else has it; who is unknown when it changed hands at every look.
    Held(Option<Found>, Option<Moment>),
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something is left to do.
    Ask(Ask),
    /// It is over.
    Over(Verdict),
}

/// One attempt to take the lock.
#[derive(Clone, Debug)]
pub struct Acquire {
    run: String,
    /// The id of the lock that this run made.
    mine: Option<String>,
    rounds: u32,
    pauses: u32,
    /// Set while this run's own lock is being withdrawn for another's.
    yields: Option<(Option<Found>, Option<Moment>)>,
}

impl Acquire {
    /// An attempt of the run with this id.
    #[must_use]
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), mine: None, rounds: ROUNDS, pauses: PAUSES, yields: None }
    }

    /// The lock that this run has made, if any; it must be removed when the attempt is given up.
    #[must_use]
    pub fn mine(&self) -> Option<&str> {
        self.mine.as_deref()
    }

    /// Decides what follows from an answer.
    pub fn next(&mut self, told: Told) -> Step {
        match told {
            Told::Made(id) => {
                self.mine = Some(id);
                Step::Ask(Ask::Look)
            }
            Told::Exists | Told::Unsure | Told::Paused => Step::Ask(Ask::Look),
            Told::Released => match (self.yields.take(), &self.mine) {
                (Some((by, now)), _) => {
                    self.mine = None;
                    Step::Over(Verdict::Held(by, now))
                }
                (None, Some(_)) => Step::Ask(Ask::Look),
                (None, None) => self.make(),
            },
            Told::Seen(sight) => self.judge(sight),
        }
    }

    fn judge(&mut self, sight: Sight) -> Step {
        let Sight { now, mut locks } = sight;
        locks.sort_by(|a, b| a.age().cmp(&b.age()));
        let (mine, others): (Vec<Found>, Vec<Found>) =
            locks.into_iter().partition(|lock| lock.is_of(&self.run));
        let (lapsed, rivals): (Vec<Found>, Vec<Found>) =
            others.into_iter().partition(|lock| lock.has_lapsed(now));
        if let [_, extra, ..] = &mine[..] {
            // Two calls of this run made one each, the first one's answer being lost.
            self.mine = Some(mine[0].id.clone());
            return Step::Ask(Ask::Release(extra.id.clone()));
        }
        let rival = rivals.into_iter().next();
        match (mine.into_iter().next(), rival, lapsed.into_iter().next()) {
            (Some(mine), Some(rival), _) => {
                let older = rival.age() < mine.age();
                self.mine = Some(mine.id);
                // The oldest waits until it stands alone: nobody can then have taken another one for the oldest.
                if older { self.withdraw(Some(rival), now) } else { self.pause(Some(rival), now) }
            }
            (Some(mine), None, lapsed) => {
                self.mine = Some(mine.id.clone());
                match lapsed {
                    Some(lapsed) => Step::Ask(Ask::Release(lapsed.id)),
                    None => Step::Over(Verdict::Won(mine.id)),
                }
            }
            // Made, and not to be seen: shown late, or broken at once.
            (None, rival, _) if self.mine.is_some() => self.pause(rival, now),
            (None, Some(rival), _) => Step::Over(Verdict::Held(Some(rival), now)),
            (None, None, Some(lapsed)) => Step::Ask(Ask::Release(lapsed.id)),
            (None, None, None) => self.make(),
        }
    }

    fn make(&mut self) -> Step {
        if self.rounds == 0 {
            return Step::Over(Verdict::Held(None, None));
        }
        self.rounds -= 1;
        Step::Ask(Ask::Acquire)
    }

    fn pause(&mut self, by: Option<Found>, now: Option<Moment>) -> Step {
        if self.pauses == 0 {
            return self.withdraw(by, now);
        }
        self.pauses -= 1;
        Step::Ask(Ask::Pause)
    }

    fn withdraw(&mut self, by: Option<Found>, now: Option<Moment>) -> Step {
        self.yields = Some((by, now));
        Step::Ask(Ask::Release(self.mine.clone().unwrap_or_default()))
    }
}
