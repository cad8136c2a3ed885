//! Waiting between tries, with an end.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use ipai_core::{Address, Event, Events, RemoteError, Silent};

use crate::failure::{Failure, Meaning};
use crate::settings::Limits;

/// How often a throttled call is tried in all.
const THROTTLED_TRIES: u32 = 10;

/// Tells those who watch what a wait is for.
#[derive(Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) events: &'a dyn Events,
    /// The resource in whose name it is told; without one nothing is.
    pub(crate) address: Option<&'a Address>,
}

impl Teller<'_> {
    /// Tells nobody.
    pub(crate) const fn nobody() -> Self {
        Self { events: &Silent, address: None }
    }

    /// Tells that something is going on.
    pub(crate) fn tell(&self, text: String) {
        if let Some(address) = self.address {
            self.events.event(Event::Progress { address: address.clone(), text });
        }
    }
}

/// What is left of the readiness to try again.
pub(crate) struct Patience {
    limits: Limits,
    /// Whether a lost answer may be asked for again: true for reads alone.
    repeatable: bool,
    broken: u32,
    throttled: u32,
    waited: Duration,
}

impl Patience {
    /// For a call that may be repeated whatever happened.
    pub(crate) fn for_read(limits: Limits) -> Self {
        Self { limits, repeatable: true, broken: 0, throttled: 0, waited: Duration::ZERO }
    }

    /// For a call that may be repeated only when it surely did nothing.
    pub(crate) fn for_change(limits: Limits) -> Self {
        Self { repeatable: false, ..Self::for_read(limits) }
    }

    /// Waits as the failure asks; gives it back when there is nothing more to wait for.
    pub(crate) async fn wait(
        &mut self,
        failure: Failure,
        teller: Teller<'_>,
    ) -> Result<(), Failure> {
        let pause = match self.next(failure.meaning) {
            Next::Wait(pause) => pause,
            Next::GiveUp => return Err(self.exhausted(failure)),
        };
        self.waited += pause;
        let RemoteError { attempted, cause, .. } = &failure.error;
        teller.tell(format!("{attempted}: {cause}; trying again in {:.1} s", pause.as_secs_f64()));
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn next(&mut self, meaning: Meaning) -> Next {
        let (count, most, asked) = match meaning {
            Meaning::Throttled(asked) => (&mut self.throttled, THROTTLED_TRIES, asked),
            Meaning::Lost if self.repeatable => (&mut self.broken, self.limits.tries, None),
            _ => return Next::GiveUp,
        };
        *count += 1;
        let doubled = spread(self.limits.pause.saturating_mul(1 << (*count - 1).min(10)));
        let pause = asked.map_or(doubled, |asked| asked.max(self.limits.pause));
        let late = self.waited.saturating_add(pause) > self.limits.longest_wait;
        if *count >= most || late { Next::GiveUp } else { Next::Wait(pause) }
    }

    fn exhausted(&self, mut failure: Failure) -> Failure {
        if self.broken + self.throttled > 1 {
            let spent = self.waited.as_secs_f64();
            let tries = self.broken + self.throttled;
            failure
                .error
                .cause
                .push_str(&format!("; gave up after {tries} tries and {spent:.1} s of waiting"));
        }
        failure
    }
}

/// Half of the pause is fixed and half is chance, so that runs that failed together do not return together. The chance is
/// the randomness that the standard library seeds its hash maps with.
fn spread(pause: Duration) -> Duration {
    let bits = RandomState::new().build_hasher().finish() >> 48;
    // Sixteen bits fit any float exactly.
    let chance = f64::from(u32::try_from(bits).unwrap_or(0)) / 65_536.0;
    pause.mul_f64(0.5 + chance / 2.0)
}

enum Next {
    Wait(Duration),
    GiveUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(patience: &mut Patience, meaning: Meaning) -> Vec<u128> {
        let mut pauses = Vec::new();
        while let Next::Wait(pause) = patience.next(meaning) {
            patience.waited += pause;
            pauses.push(pause.as_millis());
        }
        pauses
    }

    #[test]
    fn reads_are_tried_again_with_growing_pauses() {
        let mut patience = Patience::for_read(Limits::default());
        let pauses = pauses(&mut patience, Meaning::Lost);
        assert_eq!(pauses.len(), 3);
        for (pause, full) in pauses.into_iter().zip([500, 1000, 2000]) {
            assert!((full / 2..=full).contains(&pause), "{pause} of {full}");
        }
    }

    #[test]
    fn changes_are_repeated_only_when_they_were_turned_away() {
        let mut patience = Patience::for_change(Limits::default());
        for meaning in [Meaning::Lost, Meaning::Garbled, Meaning::Refused] {
            assert!(pauses(&mut patience, meaning).is_empty());
        }
        let one = Some(Duration::from_secs(100));
        assert_eq!(pauses(&mut patience, Meaning::Throttled(one)), [100_000; 3]);
    }

    #[test]
    fn a_wish_of_zero_or_of_ages_ends_as_well() {
        let wish = |seconds| Meaning::Throttled(Some(Duration::from_secs(seconds)));
        assert_eq!(pauses(&mut Patience::for_read(Limits::default()), wish(0)), [500; 9]);
        let unasked = pauses(&mut Patience::for_read(Limits::default()), Meaning::Throttled(None));
        assert!(unasked.len() < 10 && unasked.iter().sum::<u128>() <= 330_000, "{unasked:?}");
        assert!(pauses(&mut Patience::for_read(Limits::default()), wish(u64::MAX)).is_empty());
    }
}
