//! Killing a run at any of its steps, and what must be true after the next one.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "each test file uses its part")]

pub mod blow;
pub mod place;
pub mod run;
pub mod scenario;
pub mod truth;
pub mod worker;
