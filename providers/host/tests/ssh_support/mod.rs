//! A real OpenSSH server of the test's own: scratch folder, loopback address, free port, own keys.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use ipai_host::host_key::KeyPair;
use ipai_host::session::{Command, Output, Session, SessionError, Sudo};
use ipai_host::ssh::{HostKeyPin, Identity, Limits, Target};
use tempfile::TempDir;

pub(crate) struct Sshd {
    pub(crate) folder: TempDir,
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) host: KeyPair,
    pub(crate) client: KeyPair,
    pub(crate) user: String,
    process: Child,
}

impl Sshd {
    /// Starts a server, or says loudly why the test is skipped; in CI that is a failure.
    pub(crate) fn start(extra: &str) -> Option<Self> {
        let Some(program) = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            let reason = "SKIPPED: no sshd on this machine (apt-get install openssh-server)";
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            eprintln!("{reason}");
            return None;
        };
        Some(Self::run(program, extra))
    }

    fn run(program: &str, extra: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let address = Ipv4Addr::new(127, 0, 0, 7);
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let host = KeyPair::from_seed(&[1; 32], "host").unwrap();
        let client = KeyPair::from_seed(&[2; 32], "client").unwrap();
        let path = |name: &str| folder.path().join(name);
        write(&path("host_key"), host.expose_private(), 0o600);
        write(&path("client_key"), client.expose_private(), 0o600);
        write(&path("authorized"), client.public(), 0o600);
        fs::create_dir(path("bin")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\nSetEnv PATH={}:/usr/local/bin:/usr/bin:/bin\n{extra}\nLogLevel DEBUG1\n",
            path("host_key").display(),
            path("authorized").display(),
            path("bin").display(),
        );
        write(&path("config"), &config, 0o600);
        // OpenSSH as root insists on its empty folder; anybody else needs none.
        let _ = fs::create_dir("/run/sshd");
        // A log file of its own, because on standard error it would mix with the commands' words.
        let process = Process::new(program)
            .arg("-D")
            .arg("-E")
            .arg(path("log"))
            .arg("-f")
            .arg(path("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let user = Process::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        let server = Self { folder, address, port, host, client, user, process };
        server.await_listening();
        server
    }

    fn await_listening(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((self.address, self.port)).is_err() {
            assert!(Instant::now() < until, "sshd does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("log")).unwrap()).into_owned()
    }

    /// Waits until the server has written these words.
    pub(crate) fn log_with(&self, words: &str) -> String {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let log = self.log();
            if log.contains(words) {
                return log;
            }
            assert!(Instant::now() < until, "no {words:?} in:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            address: self.address.to_string(),
            port: self.port,
            user: self.user.clone(),
            pin: HostKeyPin::Fingerprints(vec![self.host.fingerprint()]),
            identities: vec![Identity::key("test key", self.client.expose_private())],
            passphrase: None,
            limits: Limits::default(),
            via: None,
        }
    }

    /// Puts a program on the login user's PATH.
    pub(crate) fn program(&self, name: &str, text: &str) {
        write(&self.path("bin").join(name), text, 0o755);
    }

    pub(crate) async fn open(&self, first: &str) -> Result<(Session, Output), SessionError> {
        Session::open(&self.target(), Sudo::Never, &script(first)).await
    }

    /// The processes of the server that serve a connection.
    pub(crate) fn connections(&self) -> Vec<i32> {
        let mut all = children(self.process.id());
        let mut index = 0;
        while let Some(pid) = all.get(index).copied() {
            all.extend(children(u32::try_from(pid).unwrap()));
            index += 1;
        }
        let is_sshd = |pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.starts_with("sshd"))
        };
        all.into_iter().filter(is_sshd).collect()
    }

    /// Sends a signal to those processes and to nothing else.
    pub(crate) fn signal_connections(&self, signal: rustix::process::Signal) {
        let pids = self.connections();
        assert!(!pids.is_empty(), "no connection to signal");
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            // One that ended meanwhile is what a kill wants anyway.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for pid in self.connections().into_iter().filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn script(text: &str) -> Command {
    Command::new("test", text, Duration::from_secs(20))
}

pub(crate) fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn children(pid: u32) -> Vec<i32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}
