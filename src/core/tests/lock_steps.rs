//! What a run that wants the lock does next, answer by answer.

use std::time::Duration;

use ipai_core::lock::{Acquire, Ask, Found, Moment, NotANote, Note, Sight, Step, Told, Verdict};

const ME: &str = "aaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbb";
const SECOND: u64 = 1_000_000;

/// A lock of a run, made at a second, with its last sign of life at another.
fn lock(id: &str, run: &str, since: u64, beat: u64) -> Found {
    Found {
        id: id.into(),
        note: Ok(Note::new(run, Duration::from_secs(50), "ann@laptop", "")),
        since: Moment(since * SECOND),
        beat: Some(Moment(beat * SECOND)),
    }
}

fn seen(now: u64, locks: &[Found]) -> Told {
    Told::Seen(Sight { now: Some(Moment(now * SECOND)), locks: locks.to_vec() })
}

fn release(id: &str) -> Step {
    Step::Ask(Ask::Release(id.into()))
}

const LOOK: Step = Step::Ask(Ask::Look);

#[test]
fn a_free_lock_is_made_looked_at_and_won() {
    let mut acquire = Acquire::new(ME);
    assert_eq!(acquire.next(Told::Made("1".into())), LOOK);
    let won = acquire.next(seen(5, &[lock("1", ME, 5, 5)]));
    assert_eq!(won, Step::Over(Verdict::Won("1".into())));
    assert_eq!(acquire.mine(), Some("1"));
}

#[test]
fn a_live_lock_is_left_alone_and_named() {
    let other = lock("1", OTHER, 5, 90);
    let mut acquire = Acquire::new(ME);
    assert_eq!(acquire.next(Told::Exists), LOOK);
    let held = acquire.next(seen(100, std::slice::from_ref(&other)));
    assert_eq!(held, Step::Over(Verdict::Held(Some(other), Some(Moment(100 * SECOND)))));
}

#[test]
fn a_lock_lapses_one_grace_after_its_lease() {
    let other = lock("1", OTHER, 0, 100);
    for (now, lapsed) in
        [(0, false), (100, false), (150, false), (154, false), (155, true), (9_999, true)]
    {
        assert_eq!(other.has_lapsed(Some(Moment(now * SECOND))), lapsed, "{now}");
    }
    assert!(!other.has_lapsed(None), "without the keeper's time nothing lapses");
    let timeless = Found { beat: None, ..other };
    assert!(!timeless.has_lapsed(Some(Moment(u64::MAX))));
}

#[test]
fn a_lapsed_lock_is_removed_by_its_id_and_then_one_is_made() {
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Exists);
    assert_eq!(acquire.next(seen(100, &[lock("7", OTHER, 5, 45)])), release("7"));
    assert_eq!(acquire.next(Told::Released), Step::Ask(Ask::Acquire));
    // Another run was quicker.
    assert_eq!(acquire.next(Told::Exists), LOOK);
    let held = acquire.next(seen(101, &[lock("8", OTHER, 101, 101)]));
    assert!(matches!(held, Step::Over(Verdict::Held(Some(found), _)) if found.id == "8"));
}

#[test]
fn what_is_not_understood_is_held_whatever_its_age() {
    for note in [NotANote::Newer, NotANote::Strange] {
        let strange = Found { note: Err(note), ..lock("1", OTHER, 0, 0) };
        let mut acquire = Acquire::new(ME);
        acquire.next(Told::Exists);
        let held = acquire.next(seen(1_000_000, std::slice::from_ref(&strange)));
        assert!(matches!(held, Step::Over(Verdict::Held(Some(found), _)) if found == strange));
    }
}

#[test]
fn after_a_lost_answer_the_own_lock_is_recognised_by_its_run() {
    let mut acquire = Acquire::new(ME);
    assert_eq!(acquire.next(Told::Unsure), LOOK);
    let won = acquire.next(seen(5, &[lock("1", ME, 5, 5)]));
    assert_eq!(won, Step::Over(Verdict::Won("1".into())));
}

#[test]
fn after_a_lost_answer_without_a_lock_it_is_made_again() {
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Unsure);
    assert_eq!(acquire.next(seen(5, &[])), Step::Ask(Ask::Acquire));
}

#[test]
fn of_two_locks_the_younger_withdraws() {
    let both = [lock("1", OTHER, 5, 5), lock("2", ME, 6, 6)];
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Made("2".into()));
    assert_eq!(acquire.next(seen(7, &both)), release("2"));
    let held = acquire.next(Told::Released);
    assert!(matches!(held, Step::Over(Verdict::Held(Some(found), _)) if found.id == "1"));
    assert_eq!(acquire.mine(), None);
}

#[test]
fn of_two_locks_the_older_wins_once_it_stands_alone() {
    let both = [lock("2", OTHER, 6, 6), lock("1", ME, 5, 5)];
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Made("1".into()));
    assert_eq!(acquire.next(seen(7, &both)), Step::Ask(Ask::Pause));
    assert_eq!(acquire.next(Told::Paused), LOOK);
    let won = acquire.next(seen(8, &both[1..]));
    assert_eq!(won, Step::Over(Verdict::Won("1".into())));
}

#[test]
fn of_two_locks_of_one_moment_the_smaller_id_wins() {
    let both = [lock("1", ME, 5, 5), lock("2", OTHER, 5, 5)];
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Made("1".into()));
    assert_eq!(acquire.next(seen(7, &both)), Step::Ask(Ask::Pause));
}

#[test]
fn a_rival_that_never_withdraws_is_yielded_to() {
    let both = [lock("1", ME, 5, 5), lock("2", OTHER, 6, 6)];
    let mut acquire = Acquire::new(ME);
    let mut step = acquire.next(Told::Made("1".into()));
    for _ in 0..100 {
        step = match step {
            Step::Ask(Ask::Look) => acquire.next(seen(7, &both)),
            Step::Ask(Ask::Pause) => acquire.next(Told::Paused),
            other => return assert_eq!(other, release("1")),
        };
    }
    panic!("it waits for ever");
}

#[test]
fn a_lapsed_lock_beside_the_own_one_is_removed_first() {
    let both = [lock("1", OTHER, 1, 1), lock("2", ME, 100, 100)];
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Made("2".into()));
    assert_eq!(acquire.next(seen(100, &both)), release("1"));
    assert_eq!(acquire.next(Told::Released), LOOK);
    assert_eq!(acquire.next(seen(101, &both[1..])), Step::Over(Verdict::Won("2".into())));
}

#[test]
fn of_two_own_locks_the_younger_is_removed() {
    let both = [lock("1", ME, 5, 5), lock("2", ME, 6, 6)];
    let mut acquire = Acquire::new(ME);
    acquire.next(Told::Made("2".into()));
    assert_eq!(acquire.next(seen(7, &both)), release("2"));
    assert_eq!(acquire.next(Told::Released), LOOK);
    assert_eq!(acquire.next(seen(8, &both[..1])), Step::Over(Verdict::Won("1".into())));
}

#[test]
fn a_lock_that_vanishes_at_once_is_not_believed_in() {
    let mut acquire = Acquire::new(ME);
    let mut step = acquire.next(Told::Made("1".into()));
    for _ in 0..100 {
        step = match step {
            Step::Ask(Ask::Look) => acquire.next(seen(7, &[])),
            Step::Ask(Ask::Pause) => acquire.next(Told::Paused),
            Step::Ask(Ask::Release(_)) => acquire.next(Told::Released),
            other => {
                return assert_eq!(
                    other,
                    Step::Over(Verdict::Held(None, Some(Moment(7 * SECOND))))
                );
            }
        };
    }
    panic!("it waits for ever");
}

#[test]
fn attempts_end_when_every_answer_is_lost() {
    let mut acquire = Acquire::new(ME);
    let (mut step, mut made) = (Step::Ask(Ask::Acquire), 0);
    for _ in 0..100 {
        step = match step {
            Step::Ask(Ask::Acquire) => {
                made += 1;
                acquire.next(Told::Unsure)
            }
            Step::Ask(_) => acquire.next(seen(7, &[])),
            other => {
                assert_eq!(other, Step::Over(Verdict::Held(None, None)));
                return assert_eq!(made, 7);
            }
        };
    }
    panic!("it goes on for ever");
}
