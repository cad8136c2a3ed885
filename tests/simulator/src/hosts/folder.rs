//! Where one host's files and bookkeeping lie, and what surrounds its programs.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// The folder of one host: `root/` is what its programs see, the rest is bookkeeping.
#[derive(Debug, Clone)]
pub struct HostFolder {
    base: PathBuf,
    shims: PathBuf,
}

impl HostFolder {
    /// Names the folder of host `id`; creates nothing.
    pub fn new(folder: &Path, id: u64) -> Self {
        Self { base: folder.join("hosts").join(id.to_string()), shims: shim_folder(folder) }
    }

    /// Returns the bookkeeping folder: the tools' state, `faults.json`, `boot.log`.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Returns the folder that plays `/`.
    pub fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// Returns the log that tells what first boot did and left out.
    pub fn log(&self) -> PathBuf {
        self.base.join("boot.log")
    }

    /// Maps an absolute path of the host to a path of this machine, or `None` when it would leave
    /// the host's root.
    pub fn inside(&self, path: &str) -> Option<PathBuf> {
        let mut mapped = self.root();
        for component in Path::new(path).components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => mapped.push(name),
                Component::ParentDir | Component::Prefix(_) => return None,
            }
        }
        Some(mapped)
    }

    /// Returns the home folder of `user`, on this machine.
    pub fn home(&self, user: &str) -> PathBuf {
        match user {
            "root" => self.root().join("root"),
            other => self.root().join("home").join(other),
        }
    }

    /// Returns the keys that may log in as `user`, in the form of an `authorized_keys` file.
    /// They are read anew each time, as sshd does, so that a program may change them.
    pub fn authorized_keys(&self, user: &str) -> String {
        let plain = !user.is_empty() && !user.contains(['/', '\0']) && user != "..";
        let path = self.home(user).join(".ssh/authorized_keys");
        if plain { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() }
    }

    /// Returns the whole environment of a program that `user` runs.
    pub fn environment(&self, user: &str) -> Vec<(&'static str, OsString)> {
        let root = self.root();
        let mut path = self.shims.clone().into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        vec![
            ("IPAI_SANDBOX_TOOLS", self.base.clone().into()),
            ("PATH", path),
            ("HOME", self.home(user).into()),
            ("USER", user.into()),
            ("LOGNAME", user.into()),
            ("LANG", "C.UTF-8".into()),
            ("TMPDIR", root.join("tmp").into()),
            ("IPAI_ROOT", root.into()),
        ]
    }

    /// Appends one line to the boot log.
    pub fn note(&self, line: &str) -> io::Result<()> {
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        writeln!(log, "{line}")
    }
}

/// Returns where the tools of all hosts lie.
pub(super) fn shim_folder(folder: &Path) -> PathBuf {
    folder.join("bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_path_below_the_root() {
        let folder = HostFolder::new(Path::new("/w"), 7);
        let inside = |path: &str| folder.inside(path);
        assert_eq!(inside("/etc/motd"), Some("/w/hosts/7/root/etc/motd".into()));
        assert_eq!(inside("etc/./motd"), Some("/w/hosts/7/root/etc/motd".into()));
        assert_eq!(inside("/etc/../../x"), None);
    }
}
