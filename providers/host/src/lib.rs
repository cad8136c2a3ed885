//! Files and Compose projects on a host, over SSH.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod host_key;
pub mod session;
pub mod ssh;
