//! Until when a holder can be sure of its lock, by a clock that only runs forward.

use std::time::Duration;

/// How long before its lease ends a holder stops being sure: time for what was sent last to arrive.
#[must_use]
pub fn margin(lease: Duration) -> Duration {
    lease / 5
}

/// How long after its lease ends a lock is left alone, because the clocks behind one keeper may differ.
#[must_use]
pub fn grace(lease: Duration) -> Duration {
    lease / 10
}

/// How often a holder gives a sign of life.
#[must_use]
pub fn beat(lease: Duration) -> Duration {
    lease * 3 / 10
}

/// A lease as its holder counts it. Times are measured from any one moment on, by a clock that runs on while the machine
/// sleeps: a laptop that wakes up must not go on with what is another's by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    length: Duration,
    sure_until: Duration,
    lost: bool,
}

impl Lease {
    /// A lease whose sign of life was sent at `sent`. It arrived later than that, so counting from there is safe.
    #[must_use]
    pub fn begun(sent: Duration, length: Duration) -> Self {
        Self { length, sure_until: sent + length - margin(length), lost: false }
    }

    /// Until when it is sure.
    #[must_use]
    pub fn sure_until(&self) -> Duration {
        self.sure_until
    }

    /// Tells whether work may begin.
    #[must_use]
    pub fn is_sure(&self, now: Duration) -> bool {
        !self.lost && now < self.sure_until
    }

    /// Takes in a sign of life that was sent at `sent` and confirmed at `answered`. One that was confirmed too late does
    /// not count, and neither does any after it: somebody may have seen the lock lapsed in between.
    pub fn renewed(&mut self, sent: Duration, answered: Duration) {
        if self.is_sure(answered) {
            *self = Self::begun(sent, self.length);
        } else {
            self.lost = true;
        }
    }

    /// Gives it up for good.
    pub fn lose(&mut self) {
        self.lost = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_holder_is_sure_until_the_margin() {
        let lease = Lease::begun(s(100), s(50));
        for (now, sure) in [(100, true), (139, true), (140, false), (1000, false)] {
            assert_eq!(lease.is_sure(s(now)), sure, "{now}");
        }
    }

    #[test]
    fn a_sign_of_life_counts_from_when_it_was_sent() {
        let mut lease = Lease::begun(s(0), s(50));
        lease.renewed(s(15), s(39));
        assert_eq!(lease.sure_until(), s(55));
    }

    #[test]
    fn a_sign_of_life_that_is_confirmed_too_late_ends_the_lease_for_good() {
        let mut lease = Lease::begun(s(0), s(50));
        lease.renewed(s(39), s(40));
        assert!(!lease.is_sure(s(40)));
        lease.renewed(s(41), s(42));
        assert!(!lease.is_sure(s(42)) && !lease.is_sure(s(0)));
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let mut lease = Lease::begun(s(0), s(50));
        lease.lose();
        lease.renewed(s(1), s(2));
        assert!(!lease.is_sure(s(2)));
    }

    #[test]
    fn a_dead_holders_lock_is_free_within_a_minute() {
        let longest = crate::lock::LONGEST_LEASE;
        assert!(longest + grace(longest) <= s(60));
        assert_eq!(beat(longest), s(15));
        assert!(margin(longest) + grace(longest) >= s(15));
    }
}
