//! What went wrong with one request, in words for people and in a kind for programs.

use ipai_core::{Fault, RemoteError};

/// A request's failure.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    /// What kind of failure.
    pub(crate) kind: Kind,
    /// What was attempted.
    pub(crate) attempted: String,
    /// Why it failed; in the vendor's words where it gave some.
    pub(crate) cause: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// Kinds of failure that the provider acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No connection came about, so the request was not carried out.
    Unsent,
    /// Nobody answered, or not to the end.
    NoAnswer,
    /// An answer with a status that means no.
    Status(u16),
    /// An answer that makes no sense.
    Bad,
}

impl ApiError {
    /// Tells whether the object that was asked for does not exist (any more, or yet).
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Kind::Status(404)
    }

    /// Tells whether a change may have been carried out although no good answer came.
    pub(crate) fn may_have_happened(&self) -> bool {
        match self.kind {
            Kind::Unsent => false,
            Kind::NoAnswer | Kind::Bad => true,
            Kind::Status(status) => status >= 500,
        }
    }

    /// Tells whether the same request may do better in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unsent | Kind::NoAnswer | Kind::Bad | Kind::Status(500..))
    }

    /// Tells whether another event holds the droplet for the moment.
    pub(crate) fn is_pending_event(&self) -> bool {
        self.kind == Kind::Status(422) && self.says("pending event")
    }

    /// Tells whether the vendor's message contains the words, whatever their case.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.cause.to_ascii_lowercase().contains(words)
    }

    fn fault(&self) -> Fault {
        match self.kind {
            Kind::Unsent | Kind::NoAnswer => Fault::Unreachable,
            Kind::Bad => Fault::BadAnswer,
            Kind::Status(401 | 403) => Fault::Denied,
            Kind::Status(404) => Fault::NotFound,
            Kind::Status(_) => Fault::Refused,
        }
    }
}

impl From<ApiError> for RemoteError {
    fn from(error: ApiError) -> Self {
        let fault = error.fault();
        Self { fault, attempted: error.attempted, cause: error.cause, hint: error.hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Kind, cause: &str) -> ApiError {
        ApiError { kind, attempted: "x".into(), cause: cause.into(), hint: None }
    }

    #[test]
    fn a_lost_or_garbled_answer_may_have_been_a_success() {
        for kind in [Kind::NoAnswer, Kind::Bad, Kind::Status(502)] {
            assert!(error(kind, "").may_have_happened());
        }
        assert!(!error(Kind::Unsent, "").may_have_happened());
        for status in [400, 401, 404, 409, 422, 429] {
            assert!(!error(Kind::Status(status), "").may_have_happened());
        }
    }

    #[test]
    fn knows_the_message_of_a_pending_event() {
        let said = "Droplet already has a pending event.";
        assert!(error(Kind::Status(422), said).is_pending_event());
        assert!(!error(Kind::Status(422), "Size is not available").is_pending_event());
    }
}
