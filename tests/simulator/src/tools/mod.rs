//! The tools of a sandbox host: simulated `docker`, `sudo`, `chown`, `stat`, `cloud-init`,
//! `systemctl`, `restic` and `ssh-keygen`, each a name of one executable.
//!
//! A host has a folder of links, named after the tools, that comes first in its programs' `PATH`.
//! They point at one executable, which asks [`dispatch`] before anything else; the environment
//! variable [`STATE`] names the host's bookkeeping folder and, by being set, says that this is a
//! sandbox. What the tools remember lies there in JSON files, what a test breaks in `faults.json`.

mod args;
mod chown;
mod clock;
mod cloud_init;
mod docker;
mod faults;
mod owners;
mod restic;
mod ssh_keygen;
mod stat;
mod store;
mod sudo;
mod systemctl;
mod template;
pub(crate) mod yaml;

pub(crate) use cloud_init::leave_result;
pub use faults::{Answer, ToolFaults};

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The names under which the executable is a tool.
pub const NAMES: [&str; 8] =
    ["docker", "sudo", "chown", "stat", "cloud-init", "systemctl", "restic", "ssh-keygen"];

/// The environment variable that names the host's bookkeeping folder.
pub const STATE: &str = "IPAI_SANDBOX_TOOLS";

/// The file in the bookkeeping folder whose length counts reloads of sshd.
pub(crate) const SSH_RELOADS: &str = "ssh-reloads";

/// The file in the bookkeeping folder that names a real sshd's process, if there is one.
pub(crate) const SSHD_PID: &str = "sshd.pid";

/// Runs a tool when this process was started under a tool's name inside a sandbox host, and
/// returns its exit status. An executable that the links point at calls this first.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let called = PathBuf::from(arguments.next()?);
    run(called.file_name()?.to_str()?, arguments.collect())
}

/// Runs the tool `name`, or returns `None` when there is no such tool or this is no sandbox host.
pub fn run(name: &str, arguments: Vec<OsString>) -> Option<ExitCode> {
    let state = PathBuf::from(std::env::var_os(STATE)?);
    let status = match name {
        "docker" => docker::run(&state, &lossy(&arguments)),
        "sudo" => sudo::run(&arguments),
        "chown" => chown::run(&state, &arguments),
        "stat" => stat::run(&state, &arguments),
        "cloud-init" => cloud_init::run(&state, &lossy(&arguments)),
        "systemctl" => systemctl::run(&state, &lossy(&arguments)),
        "restic" => restic::run(&state, &lossy(&arguments)),
        "ssh-keygen" => ssh_keygen::run(&lossy(&arguments)),
        _ => return None,
    };
    Some(ExitCode::from(status))
}

/// Fills `folder` with a link to `tool` for each name. Links that are right already are left.
pub fn install_shims(folder: &Path, tool: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let tool = std::path::absolute(tool)?;
    for name in NAMES {
        let link = folder.join(name);
        if std::fs::read_link(&link).is_ok_and(|target| target == tool) {
            continue;
        }
        // Renamed into place, because another simulator may start programs here right now.
        let fresh = folder.join(format!(".{name}.{}", std::process::id()));
        std::os::unix::fs::symlink(&tool, &fresh)?;
        std::fs::rename(&fresh, &link)?;
    }
    Ok(())
}

/// Records `owner` (`user[:group]`) of a file, as `chown` would.
pub(crate) fn record_owner(state: &Path, file: &Path, owner: &str) -> io::Result<()> {
    let change = owners::Change::parse(owner).map_err(io::Error::other)?;
    owners::record(state, &[std::fs::symlink_metadata(file)?], change)
}

fn lossy(arguments: &[OsString]) -> Vec<String> {
    arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Writes a path as the bytes that it is.
fn write_path(out: &mut Vec<u8>, path: &Path) {
    out.extend_from_slice(path.as_os_str().as_bytes());
}

/// Prints to standard output; a reader that went away is its own problem.
fn print(bytes: impl AsRef<[u8]>) {
    let mut out = io::stdout().lock();
    let _ = io::Write::write_all(&mut out, bytes.as_ref());
    let _ = io::Write::flush(&mut out);
}

/// Prints one line to standard error.
fn complain(line: impl AsRef<str>) {
    let _ = io::Write::write_all(&mut io::stderr(), format!("{}\n", line.as_ref()).as_bytes());
}
