//! Every decision that ipai makes, as pure functions: no input or output, no clock, no randomness, no async.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod hash;
pub mod secret;

use std::future::Future;
use std::pin::Pin;

pub use secret::{DigestKey, Secret};

/// A boxed future, so that traits with async methods can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
