//! Files, systemd units and Compose projects on a host, over SSH.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod changes;
pub mod compose;
mod connections;
mod deploy;
mod failure;
pub mod file;
pub mod host_key;
mod lock;
mod manifest;
pub mod observe;
mod probe;
mod provider;
mod push;
mod ready;
mod release;
mod remote;
mod renewal;
mod route;
pub mod server;
pub mod session;
pub mod ssh;
pub mod ssh_config;
pub mod unit;

pub use compose::ports::{PublishedPort, published_ports};
pub use connections::{Connections, Settings};
pub use lock::HostLock;
pub use observe::HostObserver;
pub use probe::HostProbe;
pub use provider::{HostExecutor, types};
pub use release::HostReleases;
pub use remote::{
    BackupTalk, ComposeProject, ComposeService, Heard, LogChoice, NO_CURL, NO_PROGRAM, OpenSsh,
    Piece, Seen, Standing, Stream, Upkeep, backup_command, projects,
};
pub use renewal::HostKeyRenewal;
