//! A role's password changes where it lives: the files that ipai landed are carried out by the stack's own script on a
//! PostgreSQL of this machine, and logging in proves it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod secret_life;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::World;
use secret_life::{ops, secret};
use tempfile::TempDir;

const ROLES: [(&str, &str); 4] = [
    ("mattermost", "mattermost_db"),
    ("focalboard", "focalboard_db"),
    ("superset", "superset_db"),
    ("n8n", "n8n_db"),
];

/// A private server; it stops when dropped.
struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    process: Child,
}

/// Where PostgreSQL's programs are, as Debian installs them.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    found.retain(|folder| folder.join("initdb").exists() && folder.join("psql").exists());
    found.sort();
    found.pop()
}

/// PostgreSQL refuses root; whoever owns files of its package runs it then, or nobody.
fn as_plain_user(command: &mut Command, folder: &Path) {
    let root =
        fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if root {
        let nobody = 65_534;
        std::os::unix::fs::chown(folder, Some(nobody), Some(nobody)).unwrap();
        command.uid(nobody).gid(nobody);
    }
}

impl Server {
    fn start(programs: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut initdb = Command::new(programs.join("initdb"));
        // As the image does it: local connections are trusted, those by address prove themselves.
        initdb.args([
            "-U",
            "postgres",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-sync",
            "-D",
        ]);
        initdb.arg(&data).env_clear().current_dir("/");
        as_plain_user(&mut initdb, &data);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut server = Command::new(programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "log_statement=all",
            "log_min_duration_statement=0",
            "log_min_error_statement=debug5",
        ] {
            server.args(["-c", setting]);
        }
        server.env_clear().current_dir("/").stdout(Stdio::null()).stderr(log);
        as_plain_user(&mut server, &data);
        let server = Self { process: server.spawn().unwrap(), folder, programs, port };
        let begun = Instant::now();
        while !server.sql("postgres", "SELECT 1").status.success() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.env_clear().args(["-X", "-q", "-A", "-t"]);
        psql
    }

    /// As the superuser over the socket.
    fn sql(&self, database: &str, statement: &str) -> Output {
        let mut psql = self.psql();
        psql.arg("-h").arg(self.folder.path().join("data")).args(["-p", &self.port.to_string()]);
        psql.args(["-U", "postgres", "-d", database, "-c", statement]).output().unwrap()
    }

    /// By address, with a password; what the statement answered, or nothing when the login was refused.
    fn login(&self, role: &str, database: &str, password: &str, statement: &str) -> Option<String> {
        let mut psql = self.psql();
        psql.args([
            "-w",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            role,
            "-d",
            database,
        ]);
        let output = psql.env("PGPASSWORD", password).args(["-c", statement]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// The stack's script as the one-shot runs it: the landed files, the landed environment.
    fn reconcile(&self, world: &World) -> Command {
        let mut script = Command::new("sh");
        let path = format!("{}:/usr/bin:/bin", self.programs.display());
        script.arg(world.host_path("/opt/ipai/ops/postgres/reconcile.sh")).env_clear();
        script.env("PATH", path).env("PGUSER", "postgres").env("PGDATABASE", "postgres");
        script.env("PGHOST", self.folder.path().join("data")).env("PGPORT", self.port.to_string());
        let env = fs::read_to_string(world.host_path("/opt/ipai/ops/env/postgres-reconcile.env"))
            .unwrap();
        script.envs(env.lines().filter_map(|line| line.split_once('=')));
        script
    }

    #[track_caller]
    fn reconciled(&self, world: &World) {
        let output = self.reconcile(world).output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{said}");
        for (role, _) in ROLES {
            assert!(!said.contains(&password(world, role)), "the script prints a password");
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

fn password(world: &World, role: &str) -> String {
    secret(world, &format!("{role}_db_password"))
}

/// The password that Mattermost connects with, out of the connection string that landed.
fn connection_string(world: &World) -> String {
    let text = fs::read_to_string(world.host_path("/opt/ipai/ops/env/mattermost.env")).unwrap();
    let (_, rest) = text.split_once("postgres://mattermost:").unwrap();
    rest.split_once('@').unwrap().0.to_owned()
}

#[test]
fn the_old_password_is_refused_and_the_new_one_accepted_and_other_roles_are_left_alone() {
    let Some(programs) = programs() else {
        let loud = "SKIPPED: the password's change in PostgreSQL needs a server (apt-get install postgresql)";
        assert!(std::env::var_os("CI").is_none(), "{loud}");
        eprintln!("{loud}");
        return;
    };
    let server = Server::start(programs);
    let world = ops();
    world.apply();
    server.reconciled(&world);
    for (role, database) in ROLES {
        let made = server.login(
            role,
            database,
            &password(&world, role),
            "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)",
        );
        assert!(made.is_some(), "{role}: {}", server.log());
    }
    let seven = "SELECT n FROM kept";

    let (old, root) = (password(&world, "mattermost"), secret(&world, "postgres_password"));
    world.run(&["secrets", "rotate", "mattermost_db_password"]).expect(0);
    world.apply();
    // Between the files and the script the old one still works, because nothing has changed in the server.
    assert!(server.login("mattermost", "mattermost_db", &old, seven).is_some());
    server.reconciled(&world);
    let new = connection_string(&world);
    assert_eq!(new, password(&world, "mattermost"));
    assert_eq!(server.login("mattermost", "mattermost_db", &new, seven).as_deref(), Some("7"));
    assert_eq!(server.login("mattermost", "mattermost_db", &old, seven), None);
    for (role, database) in &ROLES[1..] {
        let own = password(&world, role);
        assert_eq!(server.login(role, database, &own, seven).as_deref(), Some("7"), "{role}");
        assert_eq!(server.login(role, "mattermost_db", &own, seven), None, "{role} is kept out");
    }
    assert!(server.login("postgres", "postgres", &root, "SELECT 1").is_some());

    // The superuser's too; that of PostgreSQL's image counts on an empty data directory only.
    world.run(&["secrets", "rotate", "postgres_password"]).expect(0);
    world.apply();
    server.reconciled(&world);
    assert_eq!(server.login("postgres", "postgres", &root, "SELECT 1"), None);
    let root = secret(&world, "postgres_password");
    assert!(server.login("postgres", "postgres", &root, "SELECT 1").is_some());

    killed_in_between(&server, &world);
    let log = server.log();
    assert!(log.contains("CREATE TABLE kept"), "the server logs what it is told");
    for secret in [old, new, root, password(&world, "n8n"), password(&world, "mattermost")] {
        assert!(!log.contains(&secret), "a password in the server's log");
    }
}

/// Killed at some moment, the server knows the old password or the new one, whole; run again, the new one.
fn killed_in_between(server: &Server, world: &World) {
    for wait in [5, 15, 30, 60, 90, 120] {
        let old = password(world, "mattermost");
        world.run(&["secrets", "rotate", "mattermost_db_password"]).expect(0);
        world.apply();
        let new = password(world, "mattermost");
        let mut script = server.reconcile(world);
        let mut script =
            script.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let group = format!("-{}", script.id());
        let _ =
            Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
        script.wait().unwrap();
        let works = |password: &str| {
            server.login("mattermost", "mattermost_db", password, "SELECT 1").is_some()
        };
        assert!(works(&old) != works(&new), "exactly one of the two works, {wait} ms in");
        server.reconciled(world);
        assert!(works(&new) && !works(&old), "{wait} ms in");
    }
}
