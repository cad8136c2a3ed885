//! Hosts that are machines as far as software can tell: a container each, with an address of its own on loopback, systemd
//! as the first process, OpenSSH, cloud-init on the droplet's user-data, and a Docker Engine inside.
//!
//! `tests/lab/build.sh` makes their image. They live on when the simulator stops, as machines do; the next start in the
//! same folder finds them again. Everything of ours carries labels, and nothing without them is touched.

mod command;
mod engine;
mod place;

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use self::command::{FOLDER_LABEL, Machine, WORLD_LABEL, container_name, list, remove, strings};
use self::engine::docker;
use self::place::Place;
use crate::seam::{Boot, BoxFuture, Hosts};

/// The image of a host, as `tests/lab/build.sh` names it.
pub const HOST_IMAGE: &str = "ipai-lab/host:current";

/// How long a container may take until its sshd answers; a few seconds are usual.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(250);
/// How long systemd may take to shut down, in seconds.
const HALT_LIMIT: &str = "30";

/// What the containers are made from.
#[derive(Debug, Clone)]
pub struct DockerOptions {
    /// The sandbox's folder; `hosts/ID/` in it holds what a host is told at its first boot.
    pub folder: PathBuf,
    /// The port at which every host's SSH answers, each on its own address; 0 chooses one.
    pub port: u16,
    /// The volume that `tests/lab/images/build.sh` printed: images that the hosts' engines have from
    /// the start.
    pub store: Option<String>,
    /// Is told at once when a host does not come up; a cloud only shows that nobody answers there.
    pub trouble: fn(&str),
}

/// Plays every host with a container.
#[derive(Debug)]
pub struct DockerHosts {
    folder: PathBuf,
    store: Option<String>,
    trouble: fn(&str),
    place: Place,
}

impl DockerHosts {
    /// Checks that there is an engine with the host image, and removes what an earlier world in this folder left running.
    ///
    /// # Errors
    /// When one of them is missing; the text says how to get it.
    pub async fn new(options: DockerOptions) -> io::Result<Self> {
        docker(&strings(&["version", "--format", "{{.Server.Version}}"])).await?;
        demand("image", HOST_IMAGE).await?;
        if let Some(store) = &options.store {
            demand("volume", store).await?;
        }
        fs::create_dir_all(&options.folder)?;
        let folder = fs::canonicalize(&options.folder)?;
        let place = Place::settle(&folder, options.port)?;
        let hosts = Self { folder, store: options.store, trouble: options.trouble, place };
        hosts.remove_orphans().await?;
        Ok(hosts)
    }

    /// The port at which every host's SSH answers.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.place.ssh_port
    }

    /// Where the droplets' addresses begin.
    #[must_use]
    pub fn first_address(&self) -> Ipv4Addr {
        self.place.first_address
    }

    /// Names the container of droplet `id`.
    #[must_use]
    pub fn container(&self, id: u64) -> String {
        container_name(&self.place.world, id)
    }

    async fn remove_orphans(&self) -> io::Result<()> {
        let listed = docker(&list(FOLDER_LABEL, &self.folder.display().to_string())).await?;
        remove_listed(&listed, |world| world != self.place.world).await
    }

    fn host_folder(&self, id: u64) -> PathBuf {
        self.folder.join("hosts").join(id.to_string())
    }

    async fn boot_host(&self, boot: &Boot) -> io::Result<()> {
        let name = self.container(boot.id);
        match self.status(&name).await?.as_deref() {
            None => self.create(boot).await?,
            // Each look at its greeting ends before a login, and sshd shuts the door on who does that often.
            Some("running") => return Ok(()),
            Some(_) => docker(&strings(&["start", &name])).await.map(drop)?,
        }
        self.wait_until_it_answers(&name, SocketAddr::from((boot.address, self.port()))).await
    }

    /// What Docker says a container does (`running`, `exited`), or nothing when there is no such container.
    async fn status(&self, name: &str) -> io::Result<Option<String>> {
        let filter = format!("name=^/{name}$");
        let words = ["ps", "--all", "--filter", &filter, "--format", "{{.State}}"];
        let state = docker(&strings(&words)).await?.trim().to_owned();
        Ok(Some(state).filter(|state| !state.is_empty()))
    }

    async fn create(&self, boot: &Boot) -> io::Result<()> {
        let machine = Machine {
            world: &self.place.world,
            folder: &self.folder,
            id: boot.id,
            hostname: &boot.name,
            address: boot.address,
            ssh_port: self.port(),
            image: HOST_IMAGE,
            metadata: write_metadata(&self.host_folder(boot.id), boot)?,
            store: self.store.as_deref(),
        };
        if let Err(error) = docker(&machine.run()).await {
            // A container whose ports are taken exists all the same, and would be in the way next time.
            let _ = docker(&remove(&[self.container(boot.id)])).await;
            return Err(error);
        }
        Ok(())
    }

    /// Docker itself takes connections as soon as the container is there, so only sshd's greeting counts.
    async fn wait_until_it_answers(&self, name: &str, at: SocketAddr) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < BOOT_LIMIT {
            if greets(at).await {
                return Ok(());
            }
            if self.status(name).await?.as_deref() != Some("running") {
                let said =
                    docker(&strings(&["logs", "--tail", "20", name])).await.unwrap_or_default();
                return Err(io::Error::other(format!(
                    "the container {name} ended: {}",
                    said.trim()
                )));
            }
            sleep(POLL).await;
        }
        let text = format!(
            "no SSH at {at} after {} s; see: docker exec {name} journalctl -b",
            BOOT_LIMIT.as_secs()
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }
}

impl Hosts for DockerHosts {
    fn boot(&self, boot: Boot) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let booted = self.boot_host(&boot).await;
            booted.inspect_err(|error| (self.trouble)(&format!("droplet {}: {error}", boot.id)))
        })
    }

    fn halt(&self, id: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let name = self.container(id);
            if self.status(&name).await?.as_deref() == Some("running") {
                docker(&strings(&["stop", "-t", HALT_LIMIT, &name])).await?;
            }
            Ok(())
        })
    }

    fn delete(&self, id: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let name = self.container(id);
            if self.status(&name).await?.is_some() {
                docker(&remove(&[name])).await?;
            }
            match fs::remove_dir_all(self.host_folder(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
    }

    fn outlive(&self) -> bool {
        true
    }
}

/// Refuses to go on without an image or a volume: `docker run` would make an empty volume silently.
async fn demand(kind: &str, name: &str) -> io::Result<()> {
    if docker(&strings(&[kind, "inspect", "--format", "{{.}}", name])).await.is_ok() {
        return Ok(());
    }
    let text =
        format!("Docker here has no {kind} {name}; tests/lab/build.sh makes it, in some minutes");
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}

/// Tells whether the world in `folder` has containers for hosts.
#[must_use]
pub fn has_containers(folder: &Path) -> bool {
    place::exists(folder)
}

/// Removes every container of the world in `folder`; without one it does nothing, and asks for no Docker.
///
/// # Errors
/// When Docker does not answer.
pub async fn remove_containers(folder: &Path) -> io::Result<()> {
    let Some(place) = Place::load(folder)? else { return Ok(()) };
    let listed = docker(&list(WORLD_LABEL, &place.world)).await?;
    remove_listed(&listed, |_| true).await
}

/// The certificates of the authorities that Caddies inside the world's hosts made for themselves, in PEM form.
///
/// # Errors
/// When Docker does not answer.
pub async fn authorities(folder: &Path) -> io::Result<Vec<String>> {
    let Some(place) = Place::load(folder)? else { return Ok(Vec::new()) };
    let listed = docker(&list(WORLD_LABEL, &place.world)).await?;
    let mut found = Vec::new();
    for id in listed.lines().filter_map(|line| line.split(' ').next()) {
        let pattern = "*/pki/authorities/local/root.crt";
        let mut words = strings(&["exec", id, "find", "/var/lib/docker/volumes", "-path", pattern]);
        words.extend(strings(&["-exec", "cat", "{}", "+"]));
        // A host that is switched off serves nothing, so its authority is not missed.
        found.extend(docker(&words).await.ok().filter(|text| !text.is_empty()));
    }
    Ok(found)
}

/// Removes those listed containers whose world is one of `which`.
async fn remove_listed(listed: &str, which: impl Fn(&str) -> bool) -> io::Result<()> {
    let ours = listed.lines().filter_map(|line| line.split_once(' '));
    let ids: Vec<String> =
        ours.filter(|(_, world)| which(world)).map(|(id, _)| id.to_owned()).collect();
    if !ids.is_empty() {
        docker(&remove(&ids)).await?;
    }
    Ok(())
}

/// Writes what the metadata service inside tells. User-data holds a private key, so nobody else may read the file.
fn write_metadata(folder: &Path, boot: &Boot) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join("metadata.json");
    let facts = serde_json::json!({
        "droplet_id": boot.id,
        "hostname": boot.name,
        "address": boot.address.to_string(),
        "user_data": boot.user_data.as_deref().unwrap_or_default(),
        "public_keys": boot.account_keys,
    });
    let mut file =
        fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(facts.to_string().as_bytes())?;
    Ok(path)
}

/// Tells whether an SSH server greets at this address (RFC 4253, section 4.2).
async fn greets(at: SocketAddr) -> bool {
    let look = async {
        let mut stream = TcpStream::connect(at).await?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await?;
        io::Result::Ok(&greeting == b"SSH-")
    };
    matches!(timeout(Duration::from_secs(2), look).await, Ok(Ok(true)))
}
