//! First boot: a minimal root, and as much of the user-data as a folder can follow.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use russh::keys::PrivateKey;

use super::cloud_config::{CloudConfig, User, WriteFile};
use super::folder::HostFolder;
use super::host_key;
use crate::seam::Boot;

const FOLDERS: [&str; 13] = [
    "etc/ssh",
    "etc/systemd/system",
    "etc/cron.d",
    "home",
    "opt",
    "root",
    "run",
    "srv",
    "tmp",
    "usr/local/bin",
    "var/lib",
    "var/log",
    "var/backups",
];

const OS_RELEASE: &str = "PRETTY_NAME=\"ipai sandbox (embedded host)\"\nNAME=\"ipai sandbox\"\nID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n";

/// Makes the host's folder as first boot leaves it. Does nothing when that has happened before;
/// repeats everything when it was cut short.
pub(super) fn first_boot(folder: &HostFolder, boot: &Boot) -> io::Result<()> {
    let done = folder.base().join("booted");
    if done.exists() {
        return Ok(());
    }
    let config = CloudConfig::parse(boot.user_data.as_deref().unwrap_or_default());
    let (config, problem) = match config {
        Ok(config) => (config, None),
        // A real host comes up all the same: cloud-init logs the problem and goes on.
        Err(problem) => (CloudConfig::default(), Some(problem)),
    };
    for name in FOLDERS {
        fs::create_dir_all(folder.root().join(name))?;
    }
    fs::write(folder.log(), "")?;
    if let Some(problem) = problem {
        folder.note(&format!("user-data could not be read and was left out: {problem}"))?;
    }
    system_files(folder, boot, &config)?;
    let users = users(boot, &config);
    accounts(folder, &users)?;
    make_host_key(folder, &config)?;
    for file in &config.files {
        write_file(folder, file)?;
    }
    for what in &config.left_out {
        folder.note(&format!("left out, an embedded host does not execute it: {what}"))?;
    }
    crate::tools::leave_result(&folder.root(), "done")?;
    folder.note("first boot done")?;
    fs::write(done, "")
}

fn system_files(folder: &HostFolder, boot: &Boot, config: &CloudConfig) -> io::Result<()> {
    let etc = folder.root().join("etc");
    let hostname = config.hostname.as_deref().unwrap_or(&boot.name);
    fs::write(etc.join("os-release"), OS_RELEASE)?;
    fs::write(etc.join("hostname"), format!("{hostname}\n"))?;
    fs::write(etc.join("machine-id"), format!("{:032x}\n", boot.id))
}

/// Everyone who may log in: root with the account's keys, and who the user-data names.
fn users(boot: &Boot, config: &CloudConfig) -> Vec<User> {
    let root_keys = boot.account_keys.iter().chain(&config.authorized_keys).cloned().collect();
    let mut users = vec![User { name: "root".to_owned(), keys: root_keys }];
    for user in &config.users {
        match users.iter_mut().find(|known| known.name == user.name) {
            Some(known) => known.keys.extend(user.keys.iter().cloned()),
            None => users.push(user.clone()),
        }
    }
    users
}

fn accounts(folder: &HostFolder, users: &[User]) -> io::Result<()> {
    let mut passwd = String::new();
    for (index, user) in users.iter().enumerate() {
        let name = &user.name;
        if name.is_empty() || name.contains(['/', ':', '\n']) || name == ".." {
            folder.note(&format!("left out: `{name}` is not a user name"))?;
            continue;
        }
        // The first ordinary user of a Debian system has the id 1000.
        let (id, home) = match name.as_str() {
            "root" => (0, "/root".to_owned()),
            _ => (999 + index, format!("/home/{name}")),
        };
        passwd.push_str(&format!("{name}:x:{id}:{id}::{home}:/bin/sh\n"));
        let ssh = folder.home(name).join(".ssh");
        fs::create_dir_all(&ssh)?;
        fs::set_permissions(&ssh, Permissions::from_mode(0o700))?;
        let keys: String = user.keys.iter().map(|key| format!("{}\n", key.trim())).collect();
        write_with_mode(&ssh.join("authorized_keys"), keys.as_bytes(), 0o600, false)?;
    }
    fs::write(folder.root().join("etc/passwd"), passwd)
}

fn make_host_key(folder: &HostFolder, config: &CloudConfig) -> io::Result<()> {
    let given = config.host_key.as_ref().map(|text| PrivateKey::from_openssh(text.as_bytes()));
    let key = match given {
        Some(Ok(key)) => key,
        Some(Err(error)) => {
            folder.note(&format!("ssh_keys.ed25519_private is not a private key: {error}"))?;
            host_key::make()?
        }
        None => host_key::make()?,
    };
    host_key::write(folder, &key)
}

fn write_file(folder: &HostFolder, file: &WriteFile) -> io::Result<()> {
    let Some(path) = folder.inside(&file.path) else {
        return folder.note(&format!("left out: {} is outside of the host's root", file.path));
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    write_with_mode(&path, &file.content, file.mode, file.append)?;
    match &file.owner {
        Some(owner) => crate::tools::record_owner(folder.base(), &path, owner),
        None => Ok(()),
    }
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32, append: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).mode(mode);
    if append {
        options.append(true)
    } else {
        options.write(true).truncate(true)
    };
    options.open(path)?.write_all(bytes)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}
