//! The provider against the simulator, and against servers that misbehave.

#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod common;
mod life;
mod locks;
mod mishaps;
mod rules;
mod seeing;
