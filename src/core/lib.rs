//! Every decision that ipai makes, as pure functions: no input or output, no clock, no randomness, no async.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod address;
pub mod backup;
pub mod calendar;
pub mod called;
pub mod certificate;
pub mod check;
pub mod checkup;
pub mod desired;
pub mod diagnostic;
pub mod exposure;
pub mod fields;
pub mod format;
pub mod hash;
pub mod image;
pub mod live;
pub mod lock;
pub mod order;
pub mod output;
pub mod pins;
pub mod plan;
pub mod provider;
pub mod release;
pub mod resource;
pub mod secret;
pub mod sections;
pub mod size;
pub mod snapshot;
pub mod stack;
pub mod steps;
pub mod template;
pub mod text_diff;
pub mod tree;
pub mod value;

use std::future::Future;
use std::pin::Pin;

pub use address::{Address, Reference, StackId};
pub use diagnostic::{Diagnostic, Severity, Sources, Span};
pub use live::{Foreign, HomeState, LiveResource, LiveState, Outputs, Refusal};
pub use pins::{HostKeys, Pins, Renewal};
pub use plan::{Action, Plan, Reason, Verb};
pub use provider::{
    Event, Events, Execute, Fault, Job, JobResult, Observe, RemoteError, Scope, Silent,
};
pub use resource::{
    Attribute, Change, Default, DesiredResource, Draft, Kind, ResourceType, Services, Types,
};
pub use secret::{DigestKey, Secret};
pub use steps::{Phase, Step, Steps, Witness};
pub use value::{Attributes, Content, SecretText, Value};

/// A boxed future, so that traits with async methods can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
