//! Files and Compose projects on a host, over SSH.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod compose;
mod connections;
mod failure;
pub mod file;
pub mod host_key;
mod manifest;
pub mod observe;
pub mod session;
pub mod ssh;

pub use connections::{Connections, Settings};
pub use observe::HostObserver;
