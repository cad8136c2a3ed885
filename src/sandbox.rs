//! The embedded cloud: both vendors' APIs and SSH hosts on this machine, kept in the stack's folder between commands.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipai_host::host_key::KeyPair;
use ipai_simulator::hosts::{
    DockerHosts, DockerOptions, Embedded, Options as HostOptions, Sshd, docker,
};
use ipai_simulator::seam::Hosts;
use ipai_simulator::{Limits, Options, Pace, Simulator};
use serde::{Deserialize, Serialize};

use crate::edges::Edges;
use crate::http_check::Reach;
use crate::load::SandboxAccess;

/// Who plays the machines of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// An SSH server inside ipai; Docker is simulated. Needs nothing.
    Embedded,
    /// This machine's own OpenSSH server, one process for each droplet; Docker is simulated.
    Sshd,
    /// A container for each droplet: a real host with systemd, cloud-init, sshd and a Docker Engine of its own. Needs
    /// Docker here and the images that tests/lab/build.sh makes; hosts go on between commands until `sandbox reset`.
    Docker,
}

/// Where a running sandbox can be reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// For `DIGITALOCEAN_API_URL`.
    pub digitalocean_url: String,
    /// For `CLOUDFLARE_BASE_URL`.
    pub cloudflare_url: String,
    /// For `IPAI_SSH_PORT`.
    pub ssh_port: u16,
}

/// A sandbox at work; it stops when dropped.
pub struct Sandbox {
    /// Where it can be reached.
    pub addresses: Addresses,
    simulator: Option<Simulator>,
    folder: PathBuf,
    kind: Kind,
    serves: bool,
    /// Held while this process runs the world in the folder.
    _lock: Option<File>,
}

/// The private key with which ipai logs in on sandbox hosts.
pub const CLIENT_KEY: &str = "id_ed25519";
const SERVING: &str = "serve.json";
/// Says who uses the sandbox, for those who wait.
const HOLDER: &str = "holder";
/// How long a wait for another command says nothing.
const SILENCE: Duration = Duration::from_millis(700);
/// How long another command may hold the sandbox before this one gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The sandbox's folder: `$IPAI_SANDBOX_DIR`, or `.ipai/sandbox` in the stack's folder.
#[must_use]
pub fn folder(stack: &Path, edges: &Edges) -> PathBuf {
    let folder = edges
        .variable("IPAI_SANDBOX_DIR")
        .map_or_else(|| stack.join(".ipai").join("sandbox"), PathBuf::from);
    // Hosts run programs in folders of their own, so a relative path would lead elsewhere there.
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Makes the folder and the operator's key, if they are not there yet.
///
/// # Errors
/// When the folder cannot be written, or there is no randomness.
pub fn prepare(folder: &Path, kind: Kind) -> io::Result<SandboxAccess> {
    // Simulated hosts keep their secrets where a real one's root would; nobody else is to look in.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "*\n")?;
    }
    let path = folder.join(CLIENT_KEY);
    let public = folder.join(format!("{CLIENT_KEY}.pub"));
    if !path.exists() || !public.exists() {
        let mut seed = [0; 32];
        Edges::random(&mut seed)?;
        let pair = KeyPair::from_seed(&seed, "ipai-sandbox").map_err(io::Error::other)?;
        write_private(&path, pair.expose_private())?;
        fs::write(&public, format!("{}\n", pair.public()))?;
    }
    let user = match kind {
        Kind::Embedded | Kind::Docker => None,
        Kind::Sshd => Some(Sshd::login_user()?),
    };
    let public_key = fs::read_to_string(&public)?.trim().to_owned();
    Ok(SandboxAccess { folder: folder.to_owned(), public_key, user })
}

/// Who uses the sandbox, as it says itself.
fn holder(folder: &Path) -> String {
    let text = crate::text_file::read(&folder.join(HOLDER)).unwrap_or_default();
    let line = text.lines().next().map(|line| crate::report::one_line(line).into_owned());
    line.filter(|line| !line.is_empty()).unwrap_or_else(|| "another ipai command".to_owned())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

impl Sandbox {
    /// Starts the world in `folder`, or joins the one that `ipai sandbox serve` runs there. Others that wait for it
    /// are told of `command`.
    ///
    /// # Errors
    /// When the folder cannot be used, another command holds it for too long, or a port is taken.
    pub async fn start(
        folder: &Path,
        kind: Kind,
        zones: Vec<String>,
        port: u16,
        command: &str,
        edges: &Edges,
    ) -> io::Result<Self> {
        let lock = File::options().create(true).append(true).open(folder.join("lock"))?;
        let begun = tokio::time::Instant::now();
        let (deadline, mut told) = (begun + PATIENCE, false);
        while lock.try_lock().is_err() {
            if let Some(addresses) = serving(folder) {
                return Ok(Self {
                    addresses,
                    simulator: None,
                    folder: folder.to_owned(),
                    kind,
                    serves: false,
                    _lock: None,
                });
            }
            if !told && begun.elapsed() > SILENCE {
                told = true;
                let who = holder(folder);
                crate::bars::say(&format!("Waiting for {who}, which uses this sandbox."));
            }
            if tokio::time::Instant::now() > deadline {
                let text = format!(
                    "{} has been using the sandbox in {} for {} seconds",
                    holder(folder),
                    folder.display(),
                    PATIENCE.as_secs()
                );
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Whoever left these behind no longer holds the lock.
        let _ = fs::remove_file(folder.join(SERVING));
        let _ = fs::write(
            folder.join(HOLDER),
            format!("`ipai {command}` (process {})", std::process::id()),
        );
        let hosts = Played::start(folder, kind, edges).await?;
        let ssh_port = hosts.ssh_port;
        let simulator = Simulator::start(Options {
            folder: Some(folder.to_owned()),
            port,
            ssh_port,
            first_address: hosts.first_address,
            hosts: Some(hosts.hosts),
            pace: Pace::prompt(),
            limits: Limits::default(),
            zones,
            ..Options::default()
        })
        .await?;
        let addresses = Addresses {
            digitalocean_url: simulator.digitalocean_url.clone(),
            cloudflare_url: simulator.cloudflare_url.clone(),
            ssh_port,
        };
        Ok(Self {
            addresses,
            simulator: Some(simulator),
            folder: folder.to_owned(),
            kind,
            serves: false,
            _lock: Some(lock),
        })
    }

    /// Lets other commands join this sandbox.
    ///
    /// # Errors
    /// When the note for them cannot be written, or this process joined another one's world itself.
    pub fn serve(&mut self) -> io::Result<()> {
        if self.simulator.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another `ipai sandbox serve` runs in this folder",
            ));
        }
        self.serves = true;
        let text = serde_json::to_string(&self.addresses).map_err(io::Error::other)?;
        fs::write(self.folder.join(SERVING), text)
    }

    /// How its sites are reached.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub async fn reach(&self) -> io::Result<Reach> {
        match self.kind {
            Kind::Embedded | Kind::Sshd => Ok(Reach::Nowhere),
            Kind::Docker => Ok(Reach::Trusting(docker::authorities(&self.folder).await?)),
        }
    }

    /// Deletes droplets behind everybody's back; gives their names.
    ///
    /// # Errors
    /// When the world cannot be saved.
    pub async fn lose(&self, name: Option<&str>) -> io::Result<Vec<String>> {
        let Some(simulator) = &self.simulator else { return Ok(Vec::new()) };
        let mut lost = Vec::new();
        for droplet in simulator.world().droplets() {
            let (Some(id), Some(own)) = (droplet["id"].as_u64(), droplet["name"].as_str()) else {
                continue;
            };
            if name.is_none_or(|name| name == own) {
                simulator.world().delete_droplet(id).await?;
                lost.push(own.to_owned());
            }
        }
        Ok(lost)
    }

    /// Stops the world, if this process runs it.
    pub async fn stop(mut self) {
        if let Some(simulator) = self.simulator.take() {
            simulator.stop().await;
        }
    }
}

/// Those who play the machines, and where they answer.
struct Played {
    hosts: Arc<dyn Hosts>,
    ssh_port: u16,
    first_address: Ipv4Addr,
}

impl Played {
    async fn start(folder: &Path, kind: Kind, edges: &Edges) -> io::Result<Self> {
        let begun = folder.join("world.json").exists();
        if begun && (kind == Kind::Docker) != docker::has_containers(folder) {
            let text = "the world in this folder was begun with another kind of hosts";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let options =
            HostOptions { folder: folder.to_owned(), tool: edges.executable.clone(), port: 0 };
        let first_address = Options::default().first_address;
        Ok(match kind {
            Kind::Embedded => {
                let hosts = Embedded::new(options)?;
                Self { ssh_port: hosts.port(), first_address, hosts: Arc::new(hosts) }
            }
            Kind::Sshd => {
                let hosts = Sshd::new(options, sshd_program(edges)?)?;
                Self { ssh_port: hosts.port(), first_address, hosts: Arc::new(hosts) }
            }
            Kind::Docker => {
                let trouble = |text: &str| eprintln!("sandbox: {text}");
                let options = DockerOptions {
                    folder: folder.to_owned(),
                    port: 0,
                    store: image_store(edges),
                    trouble,
                };
                let hosts = DockerHosts::new(options).await?;
                Self {
                    ssh_port: hosts.port(),
                    first_address: hosts.first_address(),
                    hosts: Arc::new(hosts),
                }
            }
        })
    }
}

/// The volume that tests/lab/images/build.sh filled last, if it ever ran here. `IPAI_LAB_IMAGES` names another.
fn image_store(edges: &Edges) -> Option<String> {
    let cache = edges.variable("IPAI_LAB_CACHE").map(PathBuf::from);
    let general =
        || edges.variable("XDG_CACHE_HOME").map(|folder| Path::new(&folder).join("ipai-lab"));
    let home = || edges.home().map(|folder| folder.join(".cache/ipai-lab"));
    let noted =
        || fs::read_to_string(cache.or_else(general).or_else(home)?.join("image-store")).ok();
    edges.variable("IPAI_LAB_IMAGES").or_else(noted).map(|name| name.trim().to_owned())
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.serves {
            let _ = fs::remove_file(self.folder.join(SERVING));
        }
    }
}

fn serving(folder: &Path) -> Option<Addresses> {
    serde_json::from_str(&fs::read_to_string(folder.join(SERVING)).ok()?).ok()
}

fn sshd_program(edges: &Edges) -> io::Result<PathBuf> {
    let named = edges.variable("IPAI_SSHD").map(PathBuf::from);
    let usual = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].map(PathBuf::from);
    let found = named.into_iter().chain(usual).find(|path| path.exists());
    found.ok_or_else(|| {
        let text = "this machine has no sshd; on Debian and Ubuntu: apt-get install openssh-server";
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}
