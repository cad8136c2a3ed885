//! Never asking faster than Cloudflare allows: 1,200 calls in five minutes for one user, and whoever goes over is shut
//! out for the next five.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Calls that may be made at once.
const BURST: f64 = 200.0;
/// Calls a second after that. With the burst, no five minutes see more than 1,100: the rest is for whoever else uses
/// the token meanwhile.
const RATE: f64 = 3.0;
/// No answer can hold calls up for longer: that is how long a user is shut out at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A bucket of calls that fills by itself, and what the service said of its own.
pub(crate) struct Pace(Mutex<Bucket>);

#[derive(Clone, Copy)]
struct Bucket {
    calls: f64,
    filled: Instant,
    /// Set while the service has nothing left to give.
    closed_until: Option<Instant>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Bucket { calls: BURST, filled: Instant::now(), closed_until: None }))
    }

    /// Waits until one more call may be made.
    pub(crate) async fn turn(&self) {
        let until = self.with(|bucket| bucket.take(Instant::now()));
        sleep_until(until).await;
    }

    /// Takes in what an answer's header `Ratelimit` says: `"default";r=50;t=30`.
    pub(crate) fn hear(&self, header: &str) {
        if let (Some(0), Some(seconds)) = (number(header, "r="), number(header, "t=")) {
            let pause = Duration::from_secs(seconds).min(LONGEST_PAUSE);
            self.with(|bucket| bucket.closed_until = Some(Instant::now() + pause));
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Bucket) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bucket {
    /// Takes one call out; tells when it may be made. What is not there yet is taken in advance, so that calls line up.
    fn take(&mut self, now: Instant) -> Instant {
        let grown = now.saturating_duration_since(self.filled).as_secs_f64() * RATE;
        self.calls = (self.calls + grown).min(BURST) - 1.0;
        self.filled = now;
        let missing = (-self.calls).max(0.0) / RATE;
        let filled = now + Duration::from_secs_f64(missing);
        self.closed_until.map_or(filled, |open| open.max(filled))
    }
}

/// A number in a header of the form `"default";r=50;t=30`.
pub(crate) fn number(header: &str, key: &str) -> Option<u64> {
    header.split(';').find_map(|part| part.trim().strip_prefix(key)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many calls is made, in seconds, by somebody who makes one after the other.
    fn calls(pace: &Pace, count: usize) -> Vec<f64> {
        let begun = Instant::now();
        let mut now = begun;
        let mut call = || {
            now = now.max(pace.with(|bucket| bucket.take(now)));
            (now - begun).as_secs_f64()
        };
        (0..count).map(|_| call()).collect()
    }

    #[test]
    fn no_five_minutes_see_more_calls_than_are_allowed() {
        let times = calls(&Pace::new(), 3_000);
        let within =
            |from: f64| times.iter().filter(|at| (from..from + 300.0).contains(*at)).count();
        let most = (0..700).map(|second| within(f64::from(second))).max();
        assert!(most <= Some(1_110), "{most:?}");
        assert!(times.last() < Some(&1_000.0), "{:?}", times.last());
    }

    #[test]
    fn ten_thousand_records_in_batches_of_two_hundred_never_wait() {
        assert_eq!(calls(&Pace::new(), 60).last(), Some(&0.0));
    }

    #[test]
    fn what_the_service_says_is_left_is_heeded_and_bounded() {
        for (header, seconds) in [
            ("\"default\";r=1;t=30", 0.0),
            ("\"default\";r=0;t=30", 30.0),
            ("\"default\";r=0;t=99999999999", 300.0),
            ("r=none", 0.0),
        ] {
            let pace = Pace::new();
            pace.hear(header);
            let waited = calls(&pace, 1)[0];
            assert!((waited - seconds).abs() < 0.5, "{header}: {waited}");
        }
    }
}
