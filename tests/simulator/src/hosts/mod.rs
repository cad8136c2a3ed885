//! Hosts that answer SSH: what a droplet is from the outside.
//!
//! Two backends share the look of a host (its folder, what first boot makes of user-data):
//! - [`Embedded`] speaks SSH itself and runs nothing but the program ipai sends;
//! - [`Sshd`] puts a real OpenSSH server in front of the same folder.
//!
//! Neither is a container: programs run as the user who started the simulator, on this machine,
//! with `IPAI_ROOT` naming the folder that plays the host's root.
//!
//! The third, [`DockerHosts`], is: every host is a container with systemd, cloud-init and Docker.

mod cloud_config;
pub mod docker;
mod embedded;
mod exec;
mod faults;
mod first_boot;
mod folder;
mod host_key;
mod session;
mod sshd;

pub use cloud_config::{CloudConfig, User, WriteFile};
pub use docker::{DockerHosts, DockerOptions};
pub use embedded::Embedded;
pub use faults::{Counters, HostFaults};
pub use folder::HostFolder;
pub use sshd::Sshd;

use std::io;
use std::path::PathBuf;

/// What both backends need to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything lies below this folder: `hosts/ID/` for each host, `bin/` for the tools.
    pub folder: PathBuf,
    /// The executable that plays `docker`, `sudo` and the rest: see [`crate::tools`].
    pub tool: PathBuf,
    /// The port at which every host answers, each on its own address; 0 picks a free one.
    pub port: u16,
}

impl Options {
    /// Makes the folder with its tools, and its path one that holds wherever a program runs.
    fn settle(mut self) -> io::Result<Self> {
        std::fs::create_dir_all(&self.folder)?;
        self.folder = std::fs::canonicalize(&self.folder)?;
        crate::tools::install_shims(&folder::shim_folder(&self.folder), &self.tool)?;
        Ok(self)
    }
}

/// Every command that ipai sends to a host begins with this; nothing else is run.
pub const PROGRAM_MARK: &str = ": ipai-host-1; ";

/// What a host says to anything that is not the host program of ipai.
pub const REFUSAL: &str = "This host belongs to the ipai sandbox and runs the host program of ipai \
     alone: no shell, no terminal, no other command.\n";

/// The exit status that goes with [`REFUSAL`]: "found, but cannot be executed" (POSIX sh, 2.8.2).
pub const REFUSED: u32 = 126;
