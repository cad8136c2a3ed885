//! ipai: one plan over cloud, DNS, files, secrets and containers.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod apply;
pub mod archive;
pub mod bars;
pub mod cli;
pub mod edges;
pub mod hidden;
pub mod http_check;
pub mod load;
pub mod lock;
pub mod log;
mod login_keys;
pub mod observe;
pub mod passphrase;
pub mod printed;
pub mod providers;
pub mod registry;
pub mod report;
pub mod sandbox;
pub mod secrets;
pub mod stop;
mod text_file;
pub mod vault;
