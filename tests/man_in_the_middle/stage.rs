//! A stack, its cloud, a way to its hosts that somebody sits on, and the machine of that somebody.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ipai_host::host_key::KeyPair;
use ipai_simulator::hosts::{Embedded, HostFolder, Options as HostOptions, Sshd};
use ipai_simulator::seam::{Boot, Hosts};
use ipai_simulator::{Limits, Options, Pace, Simulator, WorldHandle};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::common::{CANARY, Ran, copy_folder, ipai, repository};
use crate::interceptor::Interceptor;

/// The number of the other machine, which no droplet has.
const EVIL: u64 = 1;
/// Where the other machine stands.
const EVIL_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 66, 6, 6);

/// Who plays the machines.
#[derive(Clone)]
pub(crate) enum Backend {
    Embedded(Arc<Embedded>),
    Sshd(Arc<Sshd>),
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Embedded,
    Sshd,
}

pub(crate) struct Stage {
    scratch: TempDir,
    runtime: Runtime,
    simulator: Simulator,
    backend: Backend,
    pub(crate) way: Interceptor,
}

impl Backend {
    fn new(kind: Kind, folder: PathBuf) -> Option<Self> {
        let tool = PathBuf::from(env!("CARGO_BIN_EXE_ipai"));
        let options = HostOptions { folder, tool, port: 0 };
        if kind == Kind::Embedded {
            return Some(Self::Embedded(Arc::new(Embedded::new(options).unwrap())));
        }
        let programs = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
        let Some(program) = programs.into_iter().map(PathBuf::from).find(|path| path.exists())
        else {
            let reason = "SKIPPED: no sshd on this machine (apt-get install openssh-server)";
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            eprintln!("{reason}");
            return None;
        };
        Some(Self::Sshd(Arc::new(Sshd::new(options, program).unwrap())))
    }

    fn hosts(&self) -> Arc<dyn Hosts> {
        match self {
            Self::Embedded(hosts) => Arc::clone(hosts) as Arc<dyn Hosts>,
            Self::Sshd(hosts) => Arc::clone(hosts) as Arc<dyn Hosts>,
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Embedded(hosts) => hosts.port(),
            Self::Sshd(hosts) => hosts.port(),
        }
    }

    fn folder(&self, id: u64) -> HostFolder {
        match self {
            Self::Embedded(hosts) => hosts.folder(id),
            Self::Sshd(hosts) => hosts.folder(id),
        }
    }

    fn user(&self) -> String {
        match self {
            Self::Embedded(_) => "deploy".to_owned(),
            Self::Sshd(_) => Sshd::login_user().unwrap(),
        }
    }
}

impl Stage {
    /// A stage whose way to the hosts nobody sits on yet; nothing where there is no sshd to play them.
    pub(crate) fn new(kind: Kind, reuse_addresses: bool) -> Option<Self> {
        let scratch = TempDir::new().unwrap();
        let runtime = Runtime::new().unwrap();
        let backend =
            runtime.block_on(async { Backend::new(kind, scratch.path().join("cloud")) })?;
        let simulator = runtime.block_on(Simulator::start(Options {
            ssh_port: backend.port(),
            hosts: Some(backend.hosts()),
            pace: Pace::prompt(),
            limits: Limits::none(),
            zones: vec!["example.com".into()],
            reuse_addresses,
            ..Options::default()
        }));
        let way = Interceptor::start(Options::default().first_address, backend.port());
        let simulator = simulator.unwrap();
        let stage = Self { scratch, runtime, simulator, backend, way };
        stage.set_up();
        Some(stage)
    }

    fn set_up(&self) {
        copy_folder(&repository().join("tests/stacks/shop"), &self.stack());
        let pair = KeyPair::from_seed(&[7; 32], "test").unwrap();
        std::fs::create_dir_all(self.home().join(".ssh")).unwrap();
        std::fs::write(self.home().join("key"), pair.expose_private()).unwrap();
        std::fs::write(self.stack().join("authorized_keys"), format!("{}\n", pair.public()))
            .unwrap();
        self.edit(
            "stack.toml",
            "user = \"deploy\"",
            &format!("user = \"{}\"", self.backend.user()),
        );
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    fn stack(&self) -> PathBuf {
        self.scratch.path().join("shop")
    }

    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.stack().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} lacks {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = ipai(&self.home());
        command
            .arg("-C")
            .arg(self.stack())
            .args(arguments)
            .env("DIGITALOCEAN_API_URL", &self.simulator.digitalocean_url)
            .env("DIGITALOCEAN_TOKEN", "test-token")
            .env("CLOUDFLARE_BASE_URL", &self.simulator.cloudflare_url)
            .env("CLOUDFLARE_API_TOKEN", "test-token")
            .env("IPAI_SSH_PORT", self.way.port().to_string())
            .env("IPAI_SSH_IDENTITY", self.home().join("key"))
            .env("IPAI_POLL_MS", "10")
            .env("SHOP_API_KEY", CANARY);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        crate::common::run(self.command(arguments))
    }

    /// Applies with nobody in between; the next plan is empty.
    #[track_caller]
    pub(crate) fn apply(&self) {
        self.run(&["apply", "--auto-approve"]).expect(0);
        self.run(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    }

    pub(crate) fn cloud(&self) -> &WorldHandle {
        self.simulator.world()
    }

    #[track_caller]
    pub(crate) fn droplet(&self) -> u64 {
        let droplets = self.cloud().droplets();
        assert_eq!(droplets.len(), 1);
        droplets[0]["id"].as_u64().unwrap()
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.cloud().droplet_address(self.droplet()).unwrap()
    }

    /// The pins in the droplet's tags.
    pub(crate) fn pins(&self) -> Vec<String> {
        let droplet = self.cloud().droplets().remove(0);
        let tags = droplet["tags"].as_array().unwrap().iter().filter_map(|tag| tag.as_str());
        tags.filter_map(|tag| tag.strip_prefix("ipai-hostkey:")).map(str::to_owned).collect()
    }

    /// The private key with which the droplet's machine proves itself.
    pub(crate) fn host_key(&self) -> String {
        let path = self.backend.folder(self.droplet()).inside("/etc/ssh/ssh_host_ed25519_key");
        std::fs::read_to_string(path.unwrap()).unwrap()
    }

    /// A machine that would let ipai in and run whatever it sends, with a key of its own or this one. Gives the way to it.
    pub(crate) fn evil(&self, key: Option<&str>) -> SocketAddr {
        let client = KeyPair::from_seed(&[7; 32], "test").unwrap().public().to_owned();
        let user = self.backend.user();
        let mut user_data = format!(
            "#cloud-config\nusers:\n  - name: {user}\n    ssh_authorized_keys: [\"{client}\"]\n"
        );
        if let Some(key) = key {
            let lines: String = key.lines().map(|line| format!("    {line}\n")).collect();
            user_data.push_str(&format!("ssh_keys:\n  ed25519_private: |\n{lines}"));
        }
        let boot = Boot {
            id: EVIL,
            name: "evil".into(),
            address: EVIL_ADDRESS,
            user_data: Some(user_data),
            account_keys: vec![client],
        };
        self.runtime.block_on(self.backend.hosts().boot(boot)).unwrap();
        SocketAddr::from((EVIL_ADDRESS, self.backend.port()))
    }

    /// The fingerprint of the other machine's key.
    pub(crate) fn evil_fingerprint(&self) -> String {
        let path = self.backend.folder(EVIL).inside("/etc/ssh/ssh_host_ed25519_key.pub").unwrap();
        let key =
            ssh_key::PublicKey::from_openssh(&std::fs::read_to_string(path).unwrap()).unwrap();
        key.fingerprint(ssh_key::HashAlg::Sha256).to_string()
    }

    /// Tells whether the secret reached the other machine.
    pub(crate) fn evil_has_the_secret(&self) -> bool {
        holds(self.backend.folder(EVIL).base())
    }

    /// Demands that the other machine was met, and got nothing but a key exchange: nobody offered it a key to log in,
    /// no program ran, and no secret reached it or passed by in the open.
    #[track_caller]
    pub(crate) fn expect_nothing_given_away(&self) {
        assert!(self.way.diverted() > 0, "nobody was met");
        match &self.backend {
            Backend::Embedded(hosts) => {
                let counters = hosts.counters(EVIL).unwrap();
                assert!(counters.connections.load(Ordering::Relaxed) > 0);
                assert_eq!(counters.offers.load(Ordering::Relaxed), 0, "offers");
                assert_eq!(counters.all()[1..], [0, 0, 0], "logins, channels, programs");
            }
            Backend::Sshd(_) => {
                let log = self.backend.folder(EVIL).base().join("sshd.log");
                let log = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
                assert!(log.contains("Connection from"), "{log}");
                assert!(!log.contains("userauth-request"), "{log}");
                assert!(!log.contains("Accepted publickey"), "{log}");
            }
        }
        assert!(!self.evil_has_the_secret(), "the secret is there");
        assert!(!contains(&self.way.captured()), "the secret passed by in the open");
    }

    /// Tells whether the secret did arrive where it belongs, so that looking for it means something.
    pub(crate) fn secret_is_on_the_host(&self) -> bool {
        holds(self.backend.folder(self.droplet()).base())
    }
}

/// Tells whether a file below a folder holds the secret.
fn holds(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => !path.is_symlink() && holds(&path),
        false => contains(&std::fs::read(&path).unwrap_or_default()),
    })
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}
