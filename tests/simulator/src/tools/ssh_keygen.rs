//! `ssh-keygen`: an ed25519 key without a passphrase, and the public half of one (ssh-keygen(1), `-t` and `-y`).

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

use super::{complain, print};

/// Runs `ssh-keygen ARGUMENTS`.
pub(super) fn run(arguments: &[String]) -> u8 {
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let Some(file) = option("-f") else {
        complain("ssh-keygen (ipai sandbox, simulated): name a file with -f");
        return 1;
    };
    let done = if arguments.iter().any(|argument| argument == "-y") {
        show(Path::new(file))
    } else if option("-t") == Some("ed25519") && option("-N") == Some("") {
        make(Path::new(file), option("-C").unwrap_or_default())
    } else {
        Err(io::Error::other("only `-t ed25519 -N ''` and `-y` are known"))
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            complain(format!("{file}: {error}"));
            255
        }
    }
}

fn show(file: &Path) -> io::Result<()> {
    let key = PrivateKey::from_openssh(fs::read(file)?).map_err(io::Error::other)?;
    print(format!("{}\n", key.public_key().to_openssh().map_err(io::Error::other)?));
    Ok(())
}

/// Asks before it overwrites, as the real one does; nobody answers here, so it refuses.
fn make(file: &Path, comment: &str) -> io::Result<()> {
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, comment).map_err(io::Error::other)?;
    let private = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let public = key.public_key().to_openssh().map_err(io::Error::other)?;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(private.as_bytes())?;
    fs::write(format!("{}.pub", file.display()), format!("{public}\n"))
}
