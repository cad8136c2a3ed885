//! The way to a host: one SSH connection, its key checked against a pin, carrying one command.
//!
//! This folder alone knows libssh2. It reads nothing from the environment: addresses, keys, the
//! agent's socket and every limit come in with a [`Target`].

mod auth;
mod channel;
mod connect;
mod error;
mod exec;
mod fingerprint;
mod host_key_check;
mod known_hosts;
mod line;
mod link;
mod methods;
mod patience;
mod private_key;
mod target;
mod time_limit;
mod tunnel;

pub(crate) use known_hosts::glob;

pub use connect::{shown_host_key, verified_host_key};
pub use error::{SshError, UnknownHost};
pub use exec::{MAX_EXEC_OUTPUT, Spoken, exec};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use line::{Backlog, Event, Line, MAX_TEXT};
pub use private_key::opens;
pub use target::{HostKeyPin, Identity, Limits, Passphrase, Target};
