//! What a lock says: one line of at most 100 ASCII characters, because a DNS record's comment holds no more.
//!
//! ```text
//! ipai-lock/1 9f86d081884c7d65 50s 3 ann@laptop deploy of 1.2
//! ─────────── ──────────────── ─── ─ ────────── ─────────────
//! form        run              │   │ holder     why (may be missing)
//!                              │   signs of life so far, so that no two lines of a run are equal
//!                              lease in seconds
//! ```
//!
//! Since when is not in it: the keeper's own clock says that.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest line, in characters.
pub const MAX_NOTE: usize = 100;
/// The longest name of a holder, in characters.
pub const MAX_HOLDER: usize = 24;
/// The longest reason, in characters; what is left of a line when all else is at its longest.
pub const MAX_WHY: usize = 35;
/// How many hex digits name a run.
pub const RUN_ID: usize = 16;
/// The longest lease. With [`super::grace`], a dead holder's lock is free within a minute.
pub const LONGEST_LEASE: Duration = Duration::from_secs(50);

const FORM: &str = "ipai-lock/1";
const FAMILY: &str = "ipai-lock/";
/// Signs of life are counted up to here and then from zero again.
const BEATS: u32 = 1_000_000;

/// Who holds a lock, for how long, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The run, as sixteen lower-case hex digits.
    pub run: String,
    /// How long a sign of life counts; whole seconds, at most [`LONGEST_LEASE`].
    pub lease: Duration,
    /// How many signs of life there were.
    pub beat: u32,
    /// Who, as in `ann@laptop`: no spaces.
    pub holder: String,
    /// Why; may be empty.
    pub why: String,
}

/// Why a line cannot be read. The lock counts as held all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotANote {
    /// A newer ipai wrote it.
    Newer,
    /// No ipai wrote it.
    Strange,
}

impl fmt::Display for NotANote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newer => "it was written by a newer ipai",
            Self::Strange => "what it says is not understood",
        })
    }
}

impl Note {
    /// Makes a note whatever the texts hold: what does not fit or is not ASCII is cut or replaced.
    #[must_use]
    pub fn new(run: &str, lease: Duration, holder: &str, why: &str) -> Self {
        let lease = lease.clamp(Duration::from_secs(1), LONGEST_LEASE);
        let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        let holder: String = holder.trim().chars().map(plain).take(MAX_HOLDER).collect();
        let words: Vec<&str> = why.split_whitespace().collect();
        let why = words.join(" ").chars().map(|c| if c == ' ' { c } else { plain(c) }).collect();
        Self {
            run: run.to_owned(),
            lease: Duration::from_secs(lease.as_secs()),
            beat: 0,
            holder: if holder.is_empty() { "?".to_owned() } else { holder },
            why: shorten(why),
        }
    }

    /// The same with one more sign of life.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { beat: (self.beat + 1) % BEATS, ..self.clone() }
    }
}

fn shorten(why: String) -> String {
    if why.len() <= MAX_WHY {
        return why;
    }
    // All ASCII, so bytes are characters.
    format!("{}...", why[..MAX_WHY - 3].trim_end())
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, lease, beat, holder, why } = self;
        write!(f, "{FORM} {run} {}s {beat} {holder}", lease.as_secs())?;
        if why.is_empty() { Ok(()) } else { write!(f, " {why}") }
    }
}

impl FromStr for Note {
    type Err = NotANote;

    /// Reads a line strictly: only what this ipai would write itself is understood.
    fn from_str(text: &str) -> Result<Self, NotANote> {
        let note = read(text).filter(|note| note.to_string() == text);
        note.ok_or_else(|| {
            match text.strip_prefix(FAMILY).and_then(|rest| rest.split(' ').next()) {
                Some(form) if form != "1" && form.parse::<u32>().is_ok() => NotANote::Newer,
                _ => NotANote::Strange,
            }
        })
    }
}

fn read(text: &str) -> Option<Note> {
    if !text.is_ascii() || text.len() > MAX_NOTE {
        return None;
    }
    let mut parts = text.splitn(6, ' ');
    let mut part = || parts.next();
    if part()? != FORM {
        return None;
    }
    let run = part().filter(|run| is_run(run))?;
    let lease = Duration::from_secs(part()?.strip_suffix('s')?.parse().ok()?);
    let beat = part()?.parse().ok().filter(|beat| *beat < BEATS)?;
    let note = Note { beat, ..Note::new(run, lease, part()?, part().unwrap_or_default()) };
    (note.lease == lease).then_some(note)
}

fn is_run(text: &str) -> bool {
    text.len() == RUN_ID && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "9f86d081884c7d65";

    fn note(holder: &str, why: &str) -> Note {
        Note::new(RUN, LONGEST_LEASE, holder, why)
    }

    #[test]
    fn every_note_survives_writing_and_reading() {
        let long = "x".repeat(300);
        for holder in ["ann@laptop", "", " ", "a b", "käthe@büro", "line\nbreak", &long] {
            for why in ["", "deploy of 1.2", "  two  spaces ", "grün\u{1b}[31m", "a\nb", &long] {
                for beat in [0, 1, 999_999] {
                    let note = Note { beat, ..note(holder, why) };
                    let line = note.to_string();
                    assert!(line.len() <= MAX_NOTE && line.is_ascii(), "{line}");
                    assert!(!line.contains(|c: char| c.is_control()), "{line}");
                    assert_eq!(line.parse(), Ok(note), "{line}");
                }
            }
        }
    }

    #[test]
    fn a_line_has_its_exact_form() {
        let written = Note { beat: 3, ..note("ann@laptop", "deploy of 1.2") };
        assert_eq!(
            written.to_string(),
            "ipai-lock/1 9f86d081884c7d65 50s 3 ann@laptop deploy of 1.2"
        );
        assert_eq!(note("", "").to_string(), "ipai-lock/1 9f86d081884c7d65 50s 0 ?");
        let cut = note("a", &"ab ".repeat(30)).why;
        assert_eq!(cut, "ab ab ab ab ab ab ab ab ab ab ab...");
    }

    #[test]
    fn only_what_ipai_writes_is_understood() {
        for line in [
            "",
            "ipai lock",
            "ipai-lock",
            "ipai-lock/",
            "ipai-lock/1",
            "ipai-lock/1 9f86d081884c7d65 50s 3",
            "ipai-lock/1 9f86d081884c7d65 50s 3 ",
            "ipai-lock/1 9f86d081884c7d65 50s 3 ann ",
            "ipai-lock/1 9f86d081884c7d65 50s 3  ann",
            "ipai-lock/1 9f86d081884c7d65 50s 3 ann  why",
            " ipai-lock/1 9f86d081884c7d65 50s 3 ann",
            "ipai-lock/1 9f86d081884c7d6 50s 3 ann",
            "ipai-lock/1 9F86D081884C7D65 50s 3 ann",
            "ipai-lock/1 9f86d081884c7d65 50 3 ann",
            "ipai-lock/1 9f86d081884c7d65 050s 3 ann",
            "ipai-lock/1 9f86d081884c7d65 0s 3 ann",
            "ipai-lock/1 9f86d081884c7d65 51s 3 ann",
            "ipai-lock/1 9f86d081884c7d65 99999999999999999999s 3 ann",
            "ipai-lock/1 9f86d081884c7d65 50s -3 ann",
            "ipai-lock/1 9f86d081884c7d65 50s 1000000 ann",
            "ipai-lock/1 9f86d081884c7d65 50s 3 änn",
            "ipai-lock/1 9f86d081884c7d65 50s 3 abcdefghijklmnopqrstuvwxyz",
            "ipai-lock/1 9f86d081884c7d65 50s 3 ann this reason is longer than the line has room for",
            "ipai-lock/x 9f86d081884c7d65 50s 3 ann",
            "ipai ops chat 0123456789abcdef",
        ] {
            assert_eq!(line.parse::<Note>(), Err(NotANote::Strange), "{line}");
        }
    }

    #[test]
    fn a_newer_form_is_named_as_one() {
        for line in
            ["ipai-lock/2", "ipai-lock/2 whatever", "ipai-lock/10 9f86d081884c7d65 50s 3 ann"]
        {
            assert_eq!(line.parse::<Note>(), Err(NotANote::Newer), "{line}");
        }
    }

    #[test]
    fn leases_are_whole_seconds_up_to_the_longest() {
        for (wanted, given) in [(0, 1), (1, 1), (1999, 1), (50_000, 50), (90_000, 50)] {
            let lease = Note::new(RUN, Duration::from_millis(wanted), "a", "").lease;
            assert_eq!(lease, Duration::from_secs(given), "{wanted} ms");
        }
    }

    #[test]
    fn no_two_signs_of_life_in_a_row_are_equal() {
        let last = Note { beat: BEATS - 1, ..note("a", "") };
        assert_eq!((note("a", "").next().beat, last.next().beat), (1, 0));
    }
}
