//! A DigitalOcean, a Cloudflare and SSH hosts on loopback, for the sandbox and the tests.
//!
//! One [`Simulator`] is one world: it answers both vendors' HTTP APIs on one listener, remembers
//! what was made, and lets machines boot through the [`seam`]. It is as awkward as the real
//! services are: things appear late, names are not unique, lists have pages, limits bite. Lateness
//! is counted in requests, never in seconds, so that a test of it needs no clock.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod app;
mod call;
mod clock;
mod cloudflare;
mod digitalocean;
mod fault;
mod handle;
pub mod hosts;
mod ids;
mod limit;
mod log;
mod moment;
#[cfg(feature = "openapi")]
pub mod openapi;
mod options;
mod route;
pub mod seam;
mod server;
mod simulator;
pub mod tools;
mod wire;
mod world;

pub use clock::Clock;
pub use fault::{Fault, FaultKind};
pub use handle::{Counts, WorldHandle};
pub use log::{Exchange, Vendor};
pub use moment::{Fate, Moment, Stage, Watch};
pub use options::{Limits, Options, Pace};
pub use simulator::Simulator;
