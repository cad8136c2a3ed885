//! Locks in words and as JSON.

use chrono::{DateTime, SecondsFormat};
use ipai_core::Severity;
use ipai_core::lock::{Found, Moment, Sight};
use serde_json::{Value as Json, json};

use super::clean::one_line as clean;
use super::feed::problem_message;

/// Who holds a lock, in one line: `held by ann@laptop since 2026-01-01T00:00:00Z (deploy), run 9f86d081884c7d65`.
#[must_use]
pub fn lock_line(lock: &Found, now: Option<Moment>) -> String {
    let since = time(lock.since).map(|time| format!(" since {time}")).unwrap_or_default();
    let note = match &lock.note {
        Ok(note) => note,
        Err(error) => return format!("held{since}; {error}"),
    };
    let why = if note.why.is_empty() { String::new() } else { format!(" ({})", clean(&note.why)) };
    let held = if lock.has_lapsed(now) { "lapsed; was held" } else { "held" };
    format!("{held} by {}{since}{why}, run {}", clean(&note.holder), note.run)
}

/// The answer of `ipai lock status --json`.
#[must_use]
pub fn locks_json(stack: &str, place: Option<&str>, sight: &Sight) -> Json {
    let lock = |found: &Found| lock_json(found, sight.now);
    json!({
        "format_version": "1.0",
        "stack": stack,
        "place": place,
        "locked": sight.locks.iter().any(|found| !found.has_lapsed(sight.now)),
        "locks": sight.locks.iter().map(lock).collect::<Vec<_>>(),
    })
}

/// The answer of `ipai lock release --json`: as [`locks_json`] after `removed` are gone, and these.
#[must_use]
pub fn release_json(stack: &str, place: Option<&str>, sight: &Sight, removed: &[&Found]) -> Json {
    let gone = |found: &Found| removed.iter().any(|removed| removed.id == found.id);
    let locks = sight.locks.iter().filter(|found| !gone(found)).cloned().collect();
    let mut json = locks_json(stack, place, &Sight { now: sight.now, locks });
    let removed = removed.iter().map(|found| lock_json(found, sight.now));
    json["removed"] = removed.collect();
    json
}

/// A line of `ipai apply --json` when another run has the lock: the problem, and the lock itself when it was seen.
#[must_use]
pub fn locked_message(
    place: &str,
    by: Option<&Found>,
    now: Option<Moment>,
    timestamp: Option<&str>,
) -> Json {
    let who = by.map_or_else(|| "changing hands".to_owned(), |by| lock_line(by, now));
    let problem = json!({
        "severity": Severity::Error,
        "summary": "another run is at work on this stack, so nothing was changed",
        "detail": format!("its lock in {place} is {who}"),
    });
    let mut message = problem_message(&problem, timestamp);
    message["lock"] = json!(by.map(|by| lock_json(by, now)));
    message
}

fn lock_json(found: &Found, now: Option<Moment>) -> Json {
    let note = found.note.as_ref().ok();
    json!({
        "id": found.id,
        "understood": note.is_some(),
        "run": note.map(|note| &note.run),
        "holder": note.map(|note| &note.holder),
        "why": note.map(|note| &note.why),
        "since": time(found.since),
        "last_sign": found.beat.and_then(time),
        "lapsed": found.has_lapsed(now),
        "lapses_in_seconds": found.lapses_in(now).map(|left| left.as_secs()),
    })
}

/// RFC 3339, whole seconds, in UTC; nothing for a time that is not known.
fn time(moment: Moment) -> Option<String> {
    let micros = i64::try_from(moment.0).ok().filter(|micros| *micros > 0)?;
    Some(DateTime::from_timestamp_micros(micros)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ipai_core::lock::{NotANote, Note};

    use super::*;

    fn found() -> Found {
        let note = Note::new("9f86d081884c7d65", Duration::from_secs(50), "ann@laptop", "deploy");
        let since = Moment(1_767_225_600_500_000);
        Found { id: "1".into(), note: Ok(note), since, beat: Some(since) }
    }

    #[test]
    fn a_line_says_who_since_when_and_why() {
        let at = |seconds: u64| Some(Moment(1_767_225_600_500_000 + seconds * 1_000_000));
        let line = "held by ann@laptop since 2026-01-01T00:00:00Z (deploy), run 9f86d081884c7d65";
        assert_eq!(lock_line(&found(), at(54)), line);
        assert_eq!(lock_line(&found(), at(55)), format!("lapsed; was {line}"));
        let newer = Found { note: Err(NotANote::Newer), since: Moment(0), ..found() };
        assert_eq!(lock_line(&newer, at(1)), "held; it was written by a newer ipai");
    }

    #[test]
    fn json_says_the_same() {
        let sight = Sight { now: Some(Moment(1_767_225_610_500_000)), locks: vec![found()] };
        let json = locks_json("ops", Some("the zone example.com"), &sight);
        assert_eq!(json["locked"], json!(true));
        assert_eq!(json["locks"][0]["since"], json!("2026-01-01T00:00:00Z"));
        assert_eq!(json["locks"][0]["lapses_in_seconds"], json!(45));
        assert_eq!(locks_json("ops", None, &Sight::default())["locked"], json!(false));
    }
}
