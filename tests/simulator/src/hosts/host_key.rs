//! A host's own key, kept where a real host keeps it.
//!
//! The key lies in `etc/ssh/ssh_host_ed25519_key` below the host's root. As with a real sshd, a
//! changed file counts from the next `systemctl reload ssh` on.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

use super::folder::HostFolder;

/// Returns where the private host key lies.
pub(super) fn path(folder: &HostFolder) -> PathBuf {
    folder.root().join("etc/ssh/ssh_host_ed25519_key")
}

/// Reads the host's key.
pub(super) fn read(folder: &HostFolder) -> io::Result<PrivateKey> {
    let text = std::fs::read_to_string(path(folder))?;
    PrivateKey::from_openssh(text.as_bytes()).map_err(io::Error::other)
}

/// Writes `key` as the host's key, with its public half beside it.
pub(super) fn write(folder: &HostFolder, key: &PrivateKey) -> io::Result<()> {
    let private = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let public = key.public_key().to_openssh().map_err(io::Error::other)?;
    let path = path(folder);
    write_private(&path, private.as_bytes())?;
    std::fs::write(path.with_extension("pub"), format!("{public}\n"))
}

/// Makes a fresh ed25519 key.
pub(super) fn make() -> io::Result<PrivateKey> {
    let mut seed = [0_u8; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let pair = Ed25519Keypair::from_seed(&seed);
    PrivateKey::new(KeypairData::from(pair), "sandbox host").map_err(io::Error::other)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// Counts how often the host's sshd was told to read its configuration again.
/// The `systemctl` of the sandbox appends one byte to this file each time.
pub(super) fn reloads(folder: &HostFolder) -> u64 {
    let file = folder.base().join(crate::tools::SSH_RELOADS);
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}
