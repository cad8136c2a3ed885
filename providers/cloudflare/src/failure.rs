//! A call that did not succeed: the error for people, and what the program may do next.

use std::time::Duration;

use ipai_core::{Fault, RemoteError};

use crate::wire::Issue;

/// What a failed call means for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing happened; it may be tried after this time, if the other side named one.
    Throttled(Option<Duration>),
    /// The answer was lost, or the other side broke: a change may have happened. Reads are tried again.
    Lost,
    /// An answer came that cannot be understood: a change may have happened. Trying a read again would not help.
    Garbled,
    /// The other side said no; nothing happened.
    Refused,
}

/// A failed call.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// For people.
    pub(crate) error: RemoteError,
    /// For the program.
    pub(crate) meaning: Meaning,
    /// Every code in the answer, chains included.
    pub(crate) codes: Vec<u32>,
}

/// An identical record exists. Older services send the first.
const ALREADY_SO: [u32; 2] = [81_057, 81_058];
/// A CNAME beside an address, or the other way round.
const IN_THE_WAY: [u32; 2] = [81_053, 81_054];
/// The record does not exist.
const ALREADY_GONE: u32 = 81_044;
/// The token is malformed, unknown, or lacks a right.
const DENIED: [u32; 4] = [9109, 10_000, 6003, 6111];
/// What to check when access is denied.
pub(crate) const RIGHTS: &str = "check CLOUDFLARE_API_TOKEN: the token needs the rights Zone:Read and DNS:Edit \
                                 on the zone (DNS:Read is enough for a plan)";

impl Failure {
    /// A failure without codes.
    pub(crate) fn new(meaning: Meaning, error: RemoteError) -> Self {
        Self { error, meaning, codes: Vec::new() }
    }

    /// A refusal with the reasons that the answer gives.
    pub(crate) fn refused(status: u16, attempted: &str, issues: &[Issue], ray: &str) -> Self {
        let mut codes = Vec::new();
        collect_codes(issues, &mut codes);
        let cause = format!("{} (HTTP {status}{ray})", describe(issues));
        let error = RemoteError::new(fault(status, &codes), attempted, cause);
        let error = match hint(status, &codes) {
            Some(text) => error.hint(text),
            None => error,
        };
        Self { error, meaning: Meaning::Refused, codes }
    }

    /// Tells whether the objects at the other side may already be as wanted, so that a look is worth it.
    pub(crate) fn may_be_done(&self) -> bool {
        self.codes.iter().any(|code| ALREADY_SO.contains(code) || *code == ALREADY_GONE)
    }

    /// Tells whether a record of another type stood in the way. For some seconds after its deletion, it still may.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.codes.iter().any(|code| IN_THE_WAY.contains(code))
    }

    /// Tells whether every further call would meet the same failure.
    pub(crate) fn is_general(&self) -> bool {
        matches!(self.meaning, Meaning::Throttled(_)) || self.error.fault == Fault::Denied
    }
}

fn collect_codes(issues: &[Issue], codes: &mut Vec<u32>) {
    for issue in issues {
        codes.push(issue.code);
        collect_codes(issue.error_chain.as_deref().unwrap_or_default(), codes);
    }
}

/// The reasons in one line: `1004 DNS Validation Error: 9005 Content for A record must be a valid IPv4 address.`
fn describe(issues: &[Issue]) -> String {
    let one = |issue: &Issue| {
        let message: String = issue.message.trim().chars().take(300).collect();
        let own = format!("{} {message}", issue.code);
        match issue.error_chain.as_deref().filter(|chain| !chain.is_empty()) {
            Some(chain) => format!("{}: {}", own.trim_end_matches(['.', ':']), describe(chain)),
            None => own,
        }
    };
    if issues.is_empty() {
        return "no reason was given".to_owned();
    }
    issues.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn fault(status: u16, codes: &[u32]) -> Fault {
    if matches!(status, 401 | 403) || codes.iter().any(|code| DENIED.contains(code)) {
        return Fault::Denied;
    }
    if codes.contains(&ALREADY_GONE) || status == 404 {
        return Fault::NotFound;
    }
    Fault::Refused
}

fn hint(status: u16, codes: &[u32]) -> Option<&'static str> {
    if fault(status, codes) == Fault::Denied {
        return Some(RIGHTS);
    }
    codes.iter().find_map(|code| match code {
        81_057 | 81_058 => Some(
            "a record like this exists and is not this stack's; take it over with `ipai adopt`, or delete it",
        ),
        81_053 | 81_054 => Some(
            "a CNAME cannot stand beside an A, AAAA or CNAME record of the same name; delete one of them",
        ),
        81_045 => Some("the zone's record quota is used up: delete records or choose a larger plan"),
        81_044 | 7000 | 7003 => Some("it was removed meanwhile; run `ipai plan` again"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(code: u32, message: &str, chain: Vec<Issue>) -> Issue {
        Issue { code, message: message.into(), error_chain: Some(chain) }
    }

    #[test]
    fn the_chain_is_part_of_the_cause_and_of_the_codes() {
        let inner = issue(9005, "Content for A record must be a valid IPv4 address.", vec![]);
        let failure = Failure::refused(
            400,
            "x",
            &[issue(1004, "DNS Validation Error", vec![inner])],
            ", ray 1",
        );
        assert_eq!(failure.codes, [1004, 9005]);
        let expected = "1004 DNS Validation Error: 9005 Content for A record must be a valid IPv4 address. \
                        (HTTP 400, ray 1)";
        assert_eq!(failure.error.cause, expected);
    }

    #[test]
    fn faults_follow_status_and_code() {
        for (status, code, expected) in [
            (401, 1000, Fault::Denied),
            (403, 0, Fault::Denied),
            (400, 9109, Fault::Denied),
            (400, 10_000, Fault::Denied),
            (400, 6003, Fault::Denied),
            (404, 81_044, Fault::NotFound),
            (400, 81_058, Fault::Refused),
        ] {
            let failure = Failure::refused(status, "x", &[issue(code, "m", vec![])], "");
            assert_eq!(failure.error.fault, expected, "{status} {code}");
            let named = failure.error.hint.unwrap_or_default().contains("CLOUDFLARE_API_TOKEN");
            assert_eq!(named, expected == Fault::Denied, "{status} {code}");
        }
    }

    #[test]
    fn only_codes_of_a_settled_record_are_worth_a_look() {
        for (code, worth) in
            [(81_057, true), (81_058, true), (81_044, true), (81_053, false), (1004, false)]
        {
            assert_eq!(
                Failure::refused(400, "x", &[issue(code, "", vec![])], "").may_be_done(),
                worth
            );
        }
    }
}
