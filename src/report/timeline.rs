//! When which action began, so that events can say how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use ipai_core::{Address, Event, Verb};

/// How long one and the same wait stays silent.
const SAME: Duration = Duration::from_secs(10);
/// How long a wait that names something new stays silent after the line before.
const NEW: Duration = Duration::from_secs(1);

/// What an event alone does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// What is done to the resource; absent while it is only looked at.
    pub verb: Option<Verb>,
    /// How long that has been going on.
    pub elapsed: Duration,
}

/// Follows the events of one run. It holds no clock: `now` is the time since some fixed moment.
#[derive(Debug, Default)]
pub struct Timeline(BTreeMap<Address, Course>);

#[derive(Debug)]
struct Course {
    verb: Option<Verb>,
    begun: Duration,
    spoke: Duration,
    /// What is waited for, as last heard, and whether that was told.
    text: Option<(String, bool)>,
}

impl Timeline {
    /// Takes an event and says when in its course it happened; nothing when it is a wait that was reported just
    /// before and deserves no line of its own.
    pub fn take(&mut self, event: &Event, now: Duration) -> Option<Moment> {
        match event {
            Event::Started { address, verb } => {
                let course = Course { verb: Some(*verb), begun: now, spoke: now, text: None };
                self.0.insert(address.clone(), course);
                Some(Moment { verb: Some(*verb), elapsed: Duration::ZERO })
            }
            Event::Progress { address, text } => self.progress(address, text, now),
            Event::Finished { address, verb } => {
                Some(Moment { verb: Some(*verb), ..self.end(address, now) })
            }
            Event::Failed { address, .. } | Event::Skipped { address, .. } => {
                Some(self.end(address, now))
            }
        }
    }

    /// The waits that nobody has said anything about for `pause`, as events with their moments: a log that
    /// stands still looks dead.
    pub fn heartbeat(&mut self, now: Duration, pause: Duration) -> Vec<(Event, Moment)> {
        let mut beats = Vec::new();
        for (address, course) in &mut self.0 {
            if course.verb.is_some() && now.saturating_sub(course.spoke) >= pause {
                course.spoke = now;
                let text = course.text.clone().map(|text| text.0).unwrap_or_default();
                beats
                    .push((Event::Progress { address: address.clone(), text }, course.moment(now)));
            }
        }
        beats
    }

    fn progress(&mut self, address: &Address, text: &str, now: Duration) -> Option<Moment> {
        let Some(course) = self.0.get_mut(address) else {
            let text = Some((text.to_owned(), true));
            let course = Course { verb: None, begun: now, spoke: now, text };
            let moment = course.moment(now);
            self.0.insert(address.clone(), course);
            return Some(moment);
        };
        let pause = match &course.text {
            Some((before, true)) if same_wait(before, text) => SAME,
            Some(_) | None => NEW,
        };
        let due = now.saturating_sub(course.spoke) >= pause;
        course.text = Some((text.to_owned(), due || pause == SAME));
        due.then(|| {
            course.spoke = now;
            course.moment(now)
        })
    }

    fn end(&mut self, address: &Address, now: Duration) -> Moment {
        self.0.remove(address).map(|course| course.moment(now)).unwrap_or_default()
    }
}

/// Tells whether two texts speak of one wait: counted seconds and numbers of tries make no news.
fn same_wait(one: &str, other: &str) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    words(one) == words(other)
}

impl Course {
    fn moment(&self, now: Duration) -> Moment {
        Moment { verb: self.verb, elapsed: now.saturating_sub(self.begun) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn address() -> Address {
        Address::new("host", "file", "a")
    }

    fn progress(text: &str) -> Event {
        Event::Progress { address: address(), text: text.into() }
    }

    #[test]
    fn knows_the_verb_and_how_long_it_took() {
        let mut timeline = Timeline::default();
        timeline.take(&Event::Started { address: address(), verb: Verb::Create }, seconds(5));
        let moment = timeline.take(&progress("x"), seconds(7)).unwrap();
        assert_eq!(moment, Moment { verb: Some(Verb::Create), elapsed: seconds(2) });
        let end = Event::Finished { address: address(), verb: Verb::Create };
        assert_eq!(timeline.take(&end, seconds(9)).unwrap().elapsed, seconds(4));
        assert_eq!(timeline.heartbeat(seconds(99), seconds(10)), []);
    }

    #[test]
    fn a_wait_that_repeats_itself_is_told_every_ten_seconds() {
        let mut timeline = Timeline::default();
        timeline.take(&Event::Started { address: address(), verb: Verb::Create }, seconds(0));
        let told = (0..60).filter(|now| timeline.take(&progress("x"), seconds(*now)).is_some());
        assert_eq!(told.collect::<Vec<_>>(), [1, 11, 21, 31, 41, 51]);
        assert!(timeline.take(&progress("y"), seconds(60)).is_some());
        assert!(timeline.take(&progress("z"), seconds(60)).is_none());
    }

    #[test]
    fn silence_is_broken_with_the_last_that_was_said() {
        let mut timeline = Timeline::default();
        timeline.take(&Event::Started { address: address(), verb: Verb::Create }, seconds(0));
        timeline.take(&progress("waiting for SSH"), seconds(1));
        assert_eq!(timeline.heartbeat(seconds(10), seconds(10)), []);
        let moment = Moment { verb: Some(Verb::Create), elapsed: seconds(11) };
        assert_eq!(
            timeline.heartbeat(seconds(11), seconds(10)),
            [(progress("waiting for SSH"), moment)]
        );
        assert_eq!(timeline.heartbeat(seconds(12), seconds(10)), []);
    }

    #[test]
    fn what_is_only_looked_at_has_no_heartbeat() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.take(&progress("busy"), seconds(3)), Some(Moment::default()));
        assert_eq!(timeline.heartbeat(seconds(60), seconds(10)), []);
    }
}
