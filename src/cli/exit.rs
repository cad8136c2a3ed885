//! How a command ends, and the exit code that says so. It is computed here and nowhere else; JSON is handed the same one.

use ipai_core::Plan;

/// Done, or nothing to do.
pub const OK: u8 = 0;
/// An error.
pub const ERROR: u8 = 1;
/// Changes are pending, or were made; with `--detailed-exitcode` alone.
pub const CHANGES: u8 = 2;
/// Another run holds the stack's lock; with `--detailed-exitcode`, else 1.
pub const LOCKED: u8 = 3;
/// The live world moved since the plan was reviewed; with `--detailed-exitcode`, else 1.
pub const STALE: u8 = 4;
/// A guard refused: data would be lost, or something foreign is in the way; with `--detailed-exitcode`, else 1.
pub const GUARD: u8 = 5;
/// A deployment failed and its host serves what it served before; with `--detailed-exitcode`, else 1.
pub const RETURNED: u8 = 6;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There was nothing to do.
    Nothing,
    /// There is something to do, or it was done.
    Changes,
    /// Something went wrong.
    Failed,
    /// Another run holds the lock.
    Locked,
    /// The reviewed plan is not what would be done now.
    Stale,
    /// A guard refused.
    Guarded,
    /// It went wrong and was taken back.
    Returned,
    /// Somebody asked to stop, with this exit code.
    Stopped(u8),
}

impl Ending {
    /// The exit code, with `--detailed-exitcode` or without.
    #[must_use]
    pub const fn code(self, detailed: bool) -> u8 {
        match (self, detailed) {
            (Self::Nothing, _) | (Self::Changes, false) => OK,
            (Self::Changes, true) => CHANGES,
            (Self::Locked, true) => LOCKED,
            (Self::Stale, true) => STALE,
            (Self::Guarded, true) => GUARD,
            (Self::Returned, true) => RETURNED,
            (Self::Stopped(code), _) => code,
            (Self::Failed | Self::Locked | Self::Stale | Self::Guarded | Self::Returned, _) => {
                ERROR
            }
        }
    }

    /// How a command ends that only shows this plan.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        match (plan.conflicts.is_empty(), plan.is_empty()) {
            (false, _) => Self::Guarded,
            (true, false) => Self::Changes,
            (true, true) => Self::Nothing,
        }
    }

    /// How work ends that was begun: well, taken back, stopped with this code, or none of them. What ended well is well,
    /// whoever asked to stop meanwhile.
    #[must_use]
    pub const fn of_work(well: bool, returned: bool, stopped: Option<u8>) -> Self {
        match (well, returned, stopped) {
            (true, _, _) => Self::Changes,
            (false, _, Some(code)) => Self::Stopped(code),
            (false, true, None) => Self::Returned,
            (false, false, None) => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDINGS: [Ending; 9] = [
        Ending::Nothing,
        Ending::Changes,
        Ending::Failed,
        Ending::Locked,
        Ending::Stale,
        Ending::Guarded,
        Ending::Returned,
        Ending::Stopped(130),
        Ending::Stopped(143),
    ];

    #[test]
    fn every_ending_has_the_code_that_the_manual_names() {
        let codes = |detailed| ENDINGS.map(|ending| ending.code(detailed));
        assert_eq!(codes(true), [0, 2, 1, 3, 4, 5, 6, 130, 143]);
        assert_eq!(codes(false), [0, 0, 1, 1, 1, 1, 1, 130, 143]);
    }

    #[test]
    fn work_ends_well_only_when_it_is_well() {
        for (well, returned) in [(true, true), (true, false), (false, true), (false, false)] {
            for stopped in [None, Some(130), Some(143)] {
                let ending = Ending::of_work(well, returned, stopped);
                for detailed in [true, false] {
                    let code = ending.code(detailed);
                    assert_eq!(matches!(code, OK | CHANGES), well, "{ending:?} {detailed}");
                    assert!(well || stopped.is_none_or(|stopped| stopped == code), "{ending:?}");
                    assert_eq!(
                        code == RETURNED,
                        detailed && !well && returned && stopped.is_none()
                    );
                }
            }
        }
    }
}
