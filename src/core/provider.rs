//! The contract between ipai and its providers: observing is one trait, changing is another.

use std::collections::BTreeMap;
use std::fmt;

use crate::BoxFuture;
use crate::address::{Address, StackId};
use crate::live::{LiveResource, LiveState, Outputs};
use crate::plan::Verb;
use crate::resource::DesiredResource;

/// What a provider is asked to look at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Which stack's markers count as ours.
    pub stack: StackId,
    /// What the stack wants of this provider.
    pub desired: Vec<DesiredResource>,
    /// The outputs of the homes that the provider's resources live in; a home that does not exist is missing.
    pub homes: BTreeMap<Address, Outputs>,
    /// Addresses of all homes, existing or not.
    pub wanted_homes: Vec<Address>,
}

/// Reads live resources; all that `ipai plan` is ever given.
pub trait Observe: Send + Sync {
    /// The provider's name.
    fn provider(&self) -> &'static str;
    /// Providers whose outputs are needed first, because our resources live in theirs.
    fn lives_in(&self) -> &'static [&'static str] {
        &[]
    }
    /// Looks at everything in scope in as few requests as possible. Resources come back with canonical attributes;
    /// order means nothing.
    fn observe<'a>(
        &'a self,
        scope: &'a Scope,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<LiveState, RemoteError>>;
}

/// One planned action with everything that carrying it out needs.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which stack's marker to set.
    pub stack: StackId,
    /// On what.
    pub address: Address,
    /// What.
    pub verb: Verb,
    /// The wanted attributes, all known; absent when deleting.
    pub desired: Option<DesiredResource>,
    /// The version to put into the marker.
    pub version: Option<String>,
    /// The object as it was observed; absent when creating.
    pub live: Option<LiveResource>,
    /// The outputs of the home, when the resource lives in one.
    pub home: Option<(Address, Outputs)>,
}

/// How one job ended.
pub type JobResult = (Address, Result<Outputs, RemoteError>);

/// Carries out actions as planned and decides nothing; built by `ipai apply` alone.
pub trait Execute: Send + Sync {
    /// The provider's name.
    fn provider(&self) -> &'static str;
    /// Jobs of one lane are executed together, or one batch after the other; lanes run side by side.
    fn lane(&self, job: &Job) -> String;
    /// Executes jobs of one lane that are ready at the same time. Tolerates "already so" and "already gone".
    /// Every job gets exactly one result.
    fn execute<'a>(
        &'a self,
        jobs: Vec<Job>,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Vec<JobResult>>;
    /// Writes down in the homes what was applied, so that drift can be told from a first creation. `well` tells that a
    /// whole plan was carried out: what lies there now is a state to come back to.
    fn remember<'a>(
        &'a self,
        _stack: &'a StackId,
        _homes: &'a BTreeMap<Address, Outputs>,
        _applied: &'a BTreeMap<Address, String>,
        _well: bool,
    ) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Something happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An action began.
    Started { address: Address, verb: Verb },
    /// A wait goes on; the text says what for.
    Progress { address: Address, text: String },
    /// An action ended well.
    Finished { address: Address, verb: Verb },
    /// An action failed; what depends on it will be skipped.
    Failed { address: Address, error: RemoteError },
    /// An action is not tried because one that it needs failed.
    Skipped { address: Address, because: Address },
}

/// Takes events as they happen.
pub trait Events: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
    /// Tells whether something that takes long may still begin: not in a run that was asked to stop.
    fn may_begin(&self) -> bool {
        true
    }
}

/// Takes events and tells nobody: for what is no news to anybody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _event: Event) {}
}

/// What went wrong in words that a program can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The credentials were missing, wrong or too weak.
    Denied,
    /// Nobody answered.
    Unreachable,
    /// The other side said no to this request.
    Refused,
    /// What was expected is not there.
    NotFound,
    /// It took longer than its limit.
    TimedOut,
    /// The answer was not understood.
    BadAnswer,
    /// The host proved another identity than the pinned one.
    WrongHostKey,
    /// A deployment failed, and its home serves what it served before; what was changed in it for this is undone.
    Returned,
}

/// A provider's failure: what was attempted, why it failed, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// What kind of failure.
    pub fault: Fault,
    /// What was attempted, as in "list the records of example.com".
    pub attempted: String,
    /// Why it failed, as the other side or the system says.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl RemoteError {
    /// Builds an error without a hint.
    #[must_use]
    pub fn new(fault: Fault, attempted: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { fault, attempted: attempted.into(), cause: cause.into(), hint: None }
    }

    /// The error of something that was not begun because the run was asked to stop.
    #[must_use]
    pub fn stopped(attempted: impl Into<String>) -> Self {
        Self::new(Fault::TimedOut, attempted, "ipai was asked to stop before it was begun")
            .hint("apply again to go on")
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.attempted, self.cause)
    }
}

impl std::error::Error for RemoteError {}
