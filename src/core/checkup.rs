//! What `ipai doctor` asks providers, and how they answer.

use crate::BoxFuture;
use crate::provider::{Fault, RemoteError, Scope};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Works, and may stop working.
    Warn,
    /// Will not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a few words.
    pub about: String,
    /// How it is.
    pub grade: Grade,
    /// What was found, in one line.
    pub says: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// Looks whether a provider can be used; reads and never writes.
pub trait Probe: Send + Sync {
    /// The provider's name.
    fn provider(&self) -> &'static str;
    /// Looks. `now` is this machine's clock in seconds since 1970, to hold the other side's against.
    fn probe<'a>(&'a self, scope: &'a Scope, now: i64) -> BoxFuture<'a, Vec<Finding>>;
}

/// Beyond this many seconds certificates and signed requests begin to fail.
const SKEW_FAILS: u64 = 300;
/// This many seconds are a clock that nobody sets.
const SKEW_WARNS: u64 = 30;

impl Grade {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

impl Finding {
    /// Everything is well.
    #[must_use]
    pub fn ok(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { about: about.into(), grade: Grade::Ok, says: says.into(), fix: None }
    }

    /// Something may stop working.
    #[must_use]
    pub fn warn(about: impl Into<String>, says: impl Into<String>, fix: impl Into<String>) -> Self {
        let fix = Some(fix.into());
        Self { about: about.into(), grade: Grade::Warn, says: says.into(), fix }
    }

    /// Something does not work.
    #[must_use]
    pub fn fail(about: impl Into<String>, says: impl Into<String>, fix: impl Into<String>) -> Self {
        let fix = Some(fix.into());
        Self { about: about.into(), grade: Grade::Fail, says: says.into(), fix }
    }

    /// A provider's failure as a finding.
    #[must_use]
    pub fn of_error(about: impl Into<String>, error: &RemoteError) -> Self {
        Self {
            about: about.into(),
            grade: Grade::Fail,
            says: error.to_string(),
            fix: error.hint.clone().or_else(|| Some(usual_fix(error.fault).to_owned())),
        }
    }
}

/// What to do about a failure that does not say so itself.
fn usual_fix(fault: Fault) -> &'static str {
    match fault {
        Fault::Denied => "give ipai a token, or a key, that may do this",
        Fault::Unreachable | Fault::TimedOut => {
            "see that the network is up and the address right; behind a proxy set HTTPS_PROXY, and SSL_CERT_FILE if it shows a certificate of its own"
        }
        Fault::NotFound => "make it, or correct its name in stack.toml",
        Fault::Refused | Fault::BadAnswer | Fault::Returned => {
            "mend what the message names, or try again later if it is not of this machine's making"
        }
        Fault::WrongHostKey => {
            "compare the key on the host's console; if it is the shown one: ipai adopt ADDRESS --host-key SHA256:…"
        }
    }
}

/// Compares two clocks, in seconds since 1970.
#[must_use]
pub fn clocks(whose: &str, theirs: i64, ours: i64) -> Finding {
    let about = format!("clock of {whose}");
    let skew = theirs.abs_diff(ours);
    let says = match skew {
        0..=2 => "agrees with this machine's".to_owned(),
        _ if theirs > ours => format!("{skew} seconds ahead of this machine's"),
        _ => format!("{skew} seconds behind this machine's"),
    };
    let fix = "set the clock that is wrong: timedatectl set-ntp true";
    match skew {
        0..=SKEW_WARNS => Finding::ok(about, says),
        _ if skew <= SKEW_FAILS => Finding::warn(about, says, fix),
        _ => Finding::fail(about, says, fix),
    }
}

/// Judges how many requests are left in the present window.
#[must_use]
pub fn budget(whose: &str, left: u64, of: Option<u64>) -> Finding {
    let about = format!("rate budget at {whose}");
    let says = match of {
        Some(of) => format!("{left} of {of} requests left"),
        None => format!("{left} requests left"),
    };
    let fix = "wait for the window to move on, or find out who else uses this token";
    match left {
        0..=9 => Finding::fail(about, says, fix),
        10..=99 => Finding::warn(about, says, fix),
        _ => Finding::ok(about, says),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_graded_by_how_far_they_are_apart_either_way() {
        for (theirs, grade) in [
            (1_000, Grade::Ok),
            (1_030, Grade::Ok),
            (969, Grade::Warn),
            (1_300, Grade::Warn),
            (1_301, Grade::Fail),
            (600, Grade::Fail),
        ] {
            assert_eq!(clocks("x", theirs, 1_000).grade, grade, "{theirs}");
        }
        assert!(clocks("x", 900, 1_000).says.contains("100 seconds behind"));
    }

    #[test]
    fn an_empty_budget_fails_and_a_small_one_warns() {
        assert_eq!(budget("x", 0, Some(5_000)).grade, Grade::Fail);
        assert_eq!(budget("x", 50, None).grade, Grade::Warn);
        assert_eq!(budget("x", 4_990, Some(5_000)).says, "4990 of 5000 requests left");
    }
}
