//! A small SSH client and a world of one host, shared by the tests of hosts.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part; tests may panic"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ipai_simulator::hosts::{Embedded, HostFolder, Options};
use ipai_simulator::seam::{Boot, Hosts};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

/// The number of the only host.
pub const ID: u64 = 7;

/// An ed25519 key pair made from one byte.
pub struct Key {
    pub private: String,
    pub public: String,
    pub blob: Vec<u8>,
}

pub fn key(seed: u8) -> Key {
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&[seed; 32]));
    let key = PrivateKey::new(pair, "test").unwrap();
    Key {
        private: key.to_openssh(LineEnding::LF).unwrap().to_string(),
        public: key.public_key().to_openssh().unwrap(),
        blob: key.public_key().to_bytes().unwrap(),
    }
}

/// Indents a text for a YAML block.
pub fn block(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// User-data that gives the host `key(1)` and lets `key(2)` log in as deploy.
pub fn user_data() -> String {
    format!(
        "#cloud-config\nhostname: web\nssh_keys:\n  ed25519_private: |\n{}users:\n  - name: deploy\n    \
         ssh_authorized_keys:\n      - {}\nwrite_files:\n  - path: /etc/motd\n    content: hello\n    \
         owner: deploy:deploy\n    permissions: '0640'\n  - path: /../../escaped\n    content: no\n\
         runcmd:\n  - touch /etc/ran\n",
        block(&key(1).private, 4),
        key(2).public
    )
}

pub struct World {
    pub runtime: tokio::runtime::Runtime,
    pub hosts: Embedded,
    pub address: Ipv4Addr,
    // Dropped last: the folder of everything.
    pub folder: tempfile::TempDir,
}

pub fn boot(address: Ipv4Addr) -> Boot {
    let account_keys = vec![key(3).public];
    Boot { id: ID, name: "web".to_owned(), address, user_data: Some(user_data()), account_keys }
}

pub fn options(folder: &std::path::Path) -> Options {
    let tool = PathBuf::from(env!("CARGO_BIN_EXE_ipai-sandbox-tool"));
    Options { folder: folder.to_owned(), tool, port: 0 }
}

impl World {
    /// A world with one embedded host that has booted.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let hosts = runtime.block_on(async { Embedded::new(options(folder.path())) }).unwrap();
        let address = Ipv4Addr::new(127, 7, 7, 7);
        runtime.block_on(hosts.boot(boot(address))).unwrap();
        Self { runtime, hosts, address, folder }
    }

    pub fn host(&self) -> HostFolder {
        self.hosts.folder(ID)
    }

    pub fn login(&self, user: &str, key: &Key) -> Result<ssh2::Session, String> {
        login(self.address, self.hosts.port(), user, key)
    }

    pub fn counts(&self) -> [u64; 4] {
        self.hosts.counters(ID).unwrap().all()
    }

    /// Runs a script as a program on the host would, in the host's root.
    pub fn script(&self, script: &str) -> Said {
        let host = self.host();
        let output = Command::new("/bin/sh")
            .args(["-c", script])
            .env_clear()
            .envs(host.environment("root"))
            .current_dir(host.root())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        Said {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap(),
        }
    }

    /// Runs a script that must end well, and returns what it printed.
    pub fn good(&self, script: &str) -> String {
        let said = self.script(script);
        assert_eq!(said.status, 0, "{script}: {said:?}");
        said.out
    }

    /// Writes a file below the host's root.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.host().root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs a tool as a program on the host would.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Output {
        let host = self.host();
        Command::new(self.folder.path().join("bin").join(name))
            .args(arguments)
            .env_clear()
            .envs(host.environment("root"))
            .current_dir(host.root())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }
}

pub fn login(address: Ipv4Addr, port: u16, user: &str, key: &Key) -> Result<ssh2::Session, String> {
    let stream = TcpStream::connect((address, port)).map_err(|e| format!("connect: {e}"))?;
    stream.set_nodelay(true).unwrap();
    let mut session = ssh2::Session::new().unwrap();
    session.set_timeout(20_000);
    session.set_tcp_stream(stream);
    session.handshake().map_err(|e| format!("handshake: {e}"))?;
    session
        .userauth_pubkey_memory(user, None, &key.private, None)
        .map_err(|e| format!("auth: {e}"))?;
    Ok(session)
}

/// What a script printed and how it ended.
#[derive(Debug)]
pub struct Said {
    pub out: String,
    pub err: String,
    pub status: i32,
}

/// What a program printed and how it ended.
#[derive(Debug, Default)]
pub struct Ran {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub status: i32,
    pub signal: Option<String>,
}

impl Ran {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs the host program `script`, writing `stdin` while reading what comes back.
pub fn program(session: &ssh2::Session, script: &str, stdin: &[u8]) -> Ran {
    exec(session, &format!(": ipai-host-1; {script}"), stdin).unwrap()
}

pub fn exec(session: &ssh2::Session, command: &str, stdin: &[u8]) -> Result<Ran, ssh2::Error> {
    session.set_blocking(true);
    let mut channel = session.channel_session()?;
    channel.exec(command)?;
    session.set_blocking(false);
    let mut ran = Ran::default();
    let (mut sent, mut buffer, start) = (0, vec![0; 65536], Instant::now());
    while !channel.eof() && start.elapsed() < Duration::from_secs(60) {
        let mut idle = true;
        if sent < stdin.len() {
            match channel.write(&stdin[sent..]) {
                Ok(size) => (sent, idle) = (sent + size, false),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => sent = stdin.len(),
            }
        }
        if sent == stdin.len() && channel.send_eof().is_ok() {
            sent += 1;
        }
        match channel.read(&mut buffer) {
            Ok(0) => {}
            Ok(size) => {
                ran.stdout.extend(&buffer[..size]);
                idle = false;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        if let Ok(size @ 1..) = channel.stderr().read(&mut buffer) {
            ran.stderr.push_str(&String::from_utf8_lossy(&buffer[..size]));
            idle = false;
        }
        if idle {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    session.set_blocking(true);
    let mut rest = String::new();
    if channel.stderr().read_to_string(&mut rest).is_ok() {
        ran.stderr.push_str(&rest);
    }
    channel.wait_close()?;
    ran.status = channel.exit_status()?;
    ran.signal = channel.exit_signal()?.exit_signal;
    Ok(ran)
}

/// Waits until `test` holds, for at most five seconds.
pub fn eventually(what: &str, mut test: impl FnMut() -> bool) {
    let start = Instant::now();
    while !test() {
        assert!(start.elapsed() < Duration::from_secs(5), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
