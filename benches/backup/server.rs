//! A PostgreSQL of this machine's, private to the run.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where PostgreSQL's programs are, as Debian installs them; or what is missing.
pub(crate) fn tools() -> Result<PathBuf, &'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("restic").exists()) {
        return Err("it needs restic (apt-get install restic)");
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    found.retain(|folder| ["initdb", "pg_dump"].iter().all(|name| folder.join(name).exists()));
    found.sort();
    found.pop().ok_or("it needs a server of PostgreSQL (apt-get install postgresql)")
}

/// It stops when dropped.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    process: Child,
}

/// PostgreSQL refuses root; nobody runs it then.
fn as_plain_user(command: &mut Command, folder: &Path) {
    let nobody = 65_534;
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        chown(folder, Some(nobody), Some(nobody)).unwrap();
        command.uid(nobody).gid(nobody);
    }
}

impl Server {
    pub(crate) fn start(programs: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args(["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]);
        initdb.arg("-D").arg(&data).env_clear().current_dir("/");
        as_plain_user(&mut initdb, &data);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new(programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&data);
        // Nothing is to happen at a time of the server's own choice.
        for setting in
            ["listen_addresses=", "autovacuum=off", "max_wal_size=16GB", "checkpoint_timeout=1h"]
        {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        server.env_clear().current_dir("/").stdout(Stdio::null()).stderr(log);
        as_plain_user(&mut server, &data);
        let server = Self { process: server.spawn().unwrap(), folder, programs };
        let begun = Instant::now();
        while !server.try_sql("postgres", "SELECT 1") {
            assert!(begun.elapsed() < Duration::from_secs(30), "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The environment in which its programs find it.
    pub(crate) fn environment(&self, command: &mut Command, before: &[&Path]) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = before.iter().map(|folder| (*folder).to_owned());
        let folders = folders.chain([self.programs.clone()]).chain(std::env::split_paths(&path));
        command.env_clear().env("PATH", std::env::join_paths(folders).unwrap());
        command.env("PGHOST", self.folder.path().join("data")).env("PGUSER", "postgres");
        command.env("HOME", self.folder.path());
    }

    fn try_sql(&self, database: &str, sql: &str) -> bool {
        let mut psql = Command::new("psql");
        self.environment(&mut psql, &[]);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql].map(OsStr::new));
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    /// Runs each statement of a script.
    pub(crate) fn sql(&self, database: &str, script: &str) {
        for statement in script.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            assert!(self.try_sql(database, statement), "{statement}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-s", "INT", &id]).status();
        let _ = self.process.wait();
    }
}
