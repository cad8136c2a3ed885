//! The scripts run here, in a folder that plays the host's root, with this machine's own ssh-keygen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::host_key::KeyPair;

struct Host {
    root: TempDir,
    born: KeyPair,
}

impl Host {
    /// A host with a key that came from outside, or nothing where there is no OpenSSH.
    fn new() -> Option<Self> {
        if Command::new("ssh-keygen").arg("-?").output().is_err() {
            let reason = "SKIPPED: no ssh-keygen on this machine (apt-get install openssh-client)";
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), reason.as_bytes());
            return None;
        }
        let host = Self {
            root: TempDir::new().unwrap(),
            born: KeyPair::from_seed(&[1; 32], "x").unwrap(),
        };
        fs::create_dir_all(host.path("etc/ssh")).unwrap();
        fs::create_dir_all(host.path("bin")).unwrap();
        host.write("etc/ssh/ssh_host_ed25519_key", host.born.expose_private(), 0o600);
        host.write("bin/systemctl", "#!/bin/sh\necho \"$@\" >>\"$IPAI_ROOT/reloads\"\n", 0o755);
        Some(host)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        fs::write(self.path(path), text).unwrap();
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, script: &str) -> (bool, String, String) {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let output = Command::new("sh")
            .args(["-c", &format!("umask 077; set -u; {script}")])
            .env("IPAI_ROOT", self.root.path())
            .env("PATH", path)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    /// The key that the host says it ends up with.
    fn prepare(&self) -> String {
        let (well, out, err) = self.run(&prepare(&[self.born.fingerprint()]));
        assert!(well, "{out}{err}");
        out.trim().strip_prefix("key ").unwrap().to_owned()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("etc/ssh")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn public(&self) -> String {
        fs::read_to_string(self.path("etc/ssh/ssh_host_ed25519_key.pub")).unwrap()
    }
}

#[test]
fn a_key_is_made_once_and_takes_the_old_ones_place_once() {
    let Some(host) = Host::new() else { return };
    let key = host.prepare();
    assert_eq!(host.prepare(), key, "a run that was killed left it");
    let mode = fs::metadata(host.path("etc/ssh/ssh_host_ed25519_key.ipai-new")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    for _ in 0..2 {
        let (well, _, err) = host.run(&switch(&key));
        assert!(well, "{err}");
        assert_eq!(host.prepare(), key);
    }
    assert_eq!(host.public(), format!("ssh-ed25519 {key} ipai\n"));
    assert_eq!(host.files(), ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]);
    assert_eq!(fs::read_to_string(host.path("reloads")).unwrap(), "reload ssh\nreload ssh\n");
}

#[test]
fn a_switch_that_was_cut_short_is_finished() {
    let Some(host) = Host::new() else { return };
    let key = host.prepare();
    // Killed right after the rename: the public half and the server still speak of the old key.
    let (new, old) = ("etc/ssh/ssh_host_ed25519_key.ipai-new", "etc/ssh/ssh_host_ed25519_key");
    fs::rename(host.path(new), host.path(old)).unwrap();
    assert_eq!(host.prepare(), key);
    assert!(host.run(&switch(&key)).0);
    assert!(host.public().contains(&key));
    assert_eq!(host.files().len(), 2);
}

#[test]
fn half_a_key_is_made_anew_and_another_one_is_not_switched_to() {
    let Some(host) = Host::new() else { return };
    host.write("etc/ssh/ssh_host_ed25519_key.ipai-new", "-----BEGIN OPENSSH", 0o600);
    let key = host.prepare();
    let (well, _, err) = host.run(&switch("AAAA"));
    assert!(!well && err.contains("another key"), "{err}");
    assert!(host.run(&switch(&key)).0);
}

#[test]
fn a_host_without_its_key_or_the_tool_says_so() {
    let Some(host) = Host::new() else { return };
    fs::remove_file(host.path("etc/ssh/ssh_host_ed25519_key")).unwrap();
    let (well, _, err) = host.run(&prepare(&[host.born.fingerprint()]));
    assert!(!well && err.contains("cannot be read"), "{err}");
}
