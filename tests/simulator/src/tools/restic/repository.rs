//! The repository: a folder with `config`, `snapshots/ID`, `data/TREE/…` and `locks/ID`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Failure, Outcome, Restic, print};
use crate::tools::clock;

/// After this a lock counts as left behind by a process that is gone (restic's own limit).
const STALE: Duration = Duration::from_secs(30 * 60);

/// The longest that `--retry-lock` waits here: nobody else works in a sandbox.
const PATIENCE: Duration = Duration::from_secs(3);

/// What `config` holds.
#[derive(Serialize, Deserialize)]
struct Config {
    version: u32,
    id: String,
    chunker_polynomial: String,
    /// Digest of the password, which restic keeps in `keys` in a better way.
    proof: String,
}

/// An open repository.
pub(super) struct Repository {
    pub(super) folder: PathBuf,
    mask: [u8; 32],
}

/// One snapshot, in restic's JSON.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) time: String,
    pub(super) tree: String,
    pub(super) paths: Vec<String>,
    pub(super) hostname: String,
    pub(super) username: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
    pub(super) program_version: String,
    pub(super) summary: serde_json::Value,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) short_id: String,
}

#[derive(Serialize, Deserialize)]
struct Lock {
    time: String,
    exclusive: bool,
    hostname: String,
    username: String,
    pid: i32,
}

/// A lock that goes when it is dropped.
pub(super) struct Held(Option<PathBuf>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Another process may have removed it by force.
            let _ = fs::remove_file(path);
        }
    }
}

impl Restic<'_> {
    /// Runs `init`.
    pub(super) fn init(&self) -> Outcome {
        let (name, folder) = self.place()?;
        let password = self.password()?;
        if folder.join("config").exists() {
            return Err(Failure::fatal(format!(
                "create repository at {name} failed: config file already exists"
            )));
        }
        for inner in ["snapshots", "data", "locks"] {
            fs::create_dir_all(folder.join(inner))?;
        }
        let id = hex(format!("{name} {} {}", clock::now(), std::process::id()).as_bytes());
        let proof = hex(&mask(&password));
        let config =
            Config { version: 2, id: id.clone(), chunker_polynomial: "sandbox".into(), proof };
        fs::write(folder.join("config"), json!(config).to_string())?;
        if self.is_json() {
            let line = json!({"message_type": "initialized", "id": id, "repository": name});
            print(format!("{line}\n"));
        } else {
            self.tell(format!("created restic repository {} at {name}", &id[..10]));
        }
        Ok(())
    }

    /// Runs `cat config`.
    pub(super) fn cat_config(&self) -> Outcome {
        let repository = self.open()?;
        let _held = repository.lock(self, false)?;
        let config = repository.config()?;
        let shown = json!({"version": config.version, "id": config.id,
            "chunker_polynomial": config.chunker_polynomial});
        print(format!("{shown:#}\n"));
        Ok(())
    }

    /// Opens the repository that the options or the environment name.
    pub(super) fn open(&self) -> Result<Repository, Failure> {
        let (name, folder) = self.place()?;
        let password = self.password()?;
        if !folder.join("config").exists() {
            return Err(Failure::new(
                10,
                format!(
                    "Fatal: repository does not exist: unable to open config file: stat {name}/config: \
                     no such file or directory\nIs there a repository at the following location?\n{name}"
                ),
            ));
        }
        let repository = Repository { folder, mask: mask(&password) };
        if repository.config()?.proof != hex(&repository.mask) {
            return Err(Failure::new(12, "Fatal: wrong password or no key found"));
        }
        Ok(repository)
    }

    /// Returns how the repository is called, and where it lies on this machine.
    fn place(&self) -> Result<(String, PathBuf), Failure> {
        let given = self.parsed.value("--repo").map(str::to_owned);
        let name = given
            .or_else(|| std::env::var("RESTIC_REPOSITORY").ok())
            .filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            Failure::fatal("Please specify repository location (-r or --repository-file)")
        })?;
        if let Some(bucket) = name.strip_prefix("s3:") {
            return self.bucket(bucket).map(|folder| (name.clone(), folder));
        }
        let path = name.strip_prefix("local:").unwrap_or(&name).to_owned();
        let scheme = path.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
        if scheme {
            return Err(Failure::fatal(format!(
                "unable to open repository at {name}: the sandbox has no network"
            )));
        }
        let folder = self.here(&path)?;
        Ok((path, folder))
    }

    /// The object storage that all hosts of a sandbox share: `s3:https://HOST/BUCKET`.
    fn bucket(&self, address: &str) -> Result<PathBuf, Failure> {
        let parts = address.trim_start_matches("https://").trim_start_matches("http://").split('/');
        let legal = |part: &&str| !part.is_empty() && !part.starts_with('.');
        let parts: Vec<&str> = parts.filter(legal).collect();
        let world = self.state.parent().and_then(Path::parent);
        let world = world.filter(|_| parts.len() > 1);
        let world = world.ok_or_else(|| {
            Failure::fatal(format!("unable to open repository at s3:{address}: no bucket"))
        })?;
        Ok(parts.iter().fold(world.join("objects"), |folder, part| folder.join(part)))
    }

    fn password(&self) -> Result<String, Failure> {
        let file = self.parsed.value("--password-file").map(str::to_owned);
        let file = file
            .or_else(|| std::env::var("RESTIC_PASSWORD_FILE").ok())
            .filter(|file| !file.is_empty());
        let password = match file {
            Some(file) => fs::read_to_string(self.here(&file)?).map_err(|_| {
                Failure::fatal(format!("Resolving password failed: {file} does not exist"))
            })?,
            None => std::env::var("RESTIC_PASSWORD").unwrap_or_default(),
        };
        let password = password.trim_end_matches(['\n', '\r']).to_owned();
        if password.is_empty() {
            return Err(Failure::fatal("an empty password is not allowed by default"));
        }
        Ok(password)
    }

    /// Runs `unlock`: locks that are stale go, with `--remove-all` all of them.
    pub(super) fn unlock(&self) -> Outcome {
        let repository = self.open()?;
        let mut removed = 0;
        for (path, lock, age) in repository.locks()? {
            if self.remove_all || is_stale(&lock, age) {
                fs::remove_file(path)?;
                removed += 1;
            }
        }
        if removed > 0 {
            self.tell(format!("successfully removed {removed} locks"));
        }
        Ok(())
    }
}

impl Repository {
    fn config(&self) -> Result<Config, Failure> {
        let text = fs::read_to_string(self.folder.join("config"))?;
        serde_json::from_str(&text)
            .map_err(|_| Failure::fatal("config or key is damaged: ciphertext verification failed"))
    }

    /// Mixes bytes with the password, or the password out of them.
    pub(super) fn mix(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }

    /// Returns all snapshots, the oldest first.
    pub(super) fn snapshots(&self) -> Result<Vec<Snapshot>, Failure> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.folder.join("snapshots"))? {
            let entry = entry?;
            let id = entry.file_name().to_string_lossy().into_owned();
            let bytes = fs::read(entry.path())?;
            if hex(&bytes) != id {
                return Err(Failure::fatal(format!(
                    "load <snapshot/{}>: invalid data returned",
                    &id[..10]
                )));
            }
            let read = serde_json::from_slice(&bytes);
            let mut snapshot: Snapshot = read.map_err(io::Error::other)?;
            snapshot.short_id = id[..8].to_owned();
            snapshot.id = id;
            found.push(snapshot);
        }
        found.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
        Ok(found)
    }

    /// Writes a snapshot down, whole or not at all, and returns its id.
    pub(super) fn keep(&self, snapshot: &Snapshot) -> io::Result<String> {
        let bytes = serde_json::to_vec(snapshot)?;
        let id = hex(&bytes);
        let fresh = self.folder.join(format!(".{id}"));
        fs::write(&fresh, bytes)?;
        fs::rename(fresh, self.folder.join("snapshots").join(&id))?;
        Ok(id)
    }

    fn locks(&self) -> io::Result<Vec<(PathBuf, Lock, Duration)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.folder.join("locks"))? {
            let path = entry?.path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let age = fs::metadata(&path).and_then(|file| file.modified());
            let age = age.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
            if let (Ok(lock), Ok(age)) = (serde_json::from_str(&text), age) {
                found.push((path, lock, age));
            }
        }
        Ok(found)
    }

    /// Takes a lock; exit status 11 when another one is in the way.
    pub(super) fn lock(&self, restic: &Restic<'_>, exclusive: bool) -> Result<Held, Failure> {
        if restic.parsed.has("--no-lock") {
            return Ok(Held(None));
        }
        let patience = restic.parsed.value("--retry-lock").map_or(Duration::ZERO, |_| PATIENCE);
        let begun = Instant::now();
        loop {
            let other = self.locks()?.into_iter().find(|(_, lock, _)| lock.exclusive || exclusive);
            let Some((path, lock, age)) = other else { break };
            if begun.elapsed() >= patience {
                return Err(locked(&path, &lock, age));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        let lock = Lock {
            time: clock::now(),
            exclusive,
            hostname: hostname(&restic.root()),
            username: "root".to_owned(),
            pid,
        };
        let text = json!(lock).to_string();
        let path = self.folder.join("locks").join(hex(text.as_bytes()));
        fs::write(&path, text)?;
        Ok(Held(Some(path)))
    }
}

fn locked(path: &Path, lock: &Lock, age: Duration) -> Failure {
    let how = if lock.exclusive { " exclusively" } else { "" };
    let id = path.file_name().unwrap_or_default().to_string_lossy();
    Failure::new(
        11,
        format!(
            "unable to create lock in backend: repository is already locked{how} by PID {} on {} by {} (UID 0, GID 0)\n\
             lock was created at {} ({}s ago)\nstorage ID {}\n\
             the `unlock` command can be used to remove stale locks",
            lock.pid,
            lock.hostname,
            lock.username,
            lock.time,
            age.as_secs(),
            id.get(..8).unwrap_or(&id)
        ),
    )
}

fn is_stale(lock: &Lock, age: Duration) -> bool {
    let lives = Pid::from_raw(lock.pid).is_some_and(|pid| test_kill_process(pid).is_ok());
    age > STALE || !lives
}

/// Returns the host's own name.
pub(super) fn hostname(root: &Path) -> String {
    let name = fs::read_to_string(root.join("etc/hostname")).unwrap_or_default();
    if name.trim().is_empty() { "sandbox".to_owned() } else { name.trim().to_owned() }
}

fn mask(password: &str) -> [u8; 32] {
    Sha256::digest(format!("ipai sandbox restic {password}")).into()
}

/// Returns SHA-256 in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
