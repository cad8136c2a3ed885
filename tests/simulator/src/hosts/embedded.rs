//! Hosts that speak SSH themselves.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::PrivateKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::faults::{Counters, HostFaults};
use super::folder::HostFolder;
use super::{Options, first_boot, host_key, session};
use crate::moment::{Stage, Watch, Watched};
use crate::seam::{Boot, BoxFuture, Hosts};

/// How long a halt waits for killed programs to be gone.
const HALT_LIMIT: Duration = Duration::from_secs(5);

/// Plays every host in this process: one listener each, one task per connection.
///
/// A host lets in who its `authorized_keys` files name, by public key alone, and runs the host
/// program of ipai and nothing else: see [`super::PROGRAM_MARK`].
pub struct Embedded {
    options: Options,
    port: u16,
    /// Keeps a port that was picked ours while no host listens on it.
    _reserved: Option<socket2::Socket>,
    hosts: Mutex<HashMap<u64, Arc<Host>>>,
    /// The faults that a host has from its first moment on.
    newborn: Mutex<HostFaults>,
    watched: Arc<Watched>,
}

/// One host: its folder, its listener and the connections it has.
pub(super) struct Host {
    pub(super) folder: HostFolder,
    pub(super) counters: Arc<Counters>,
    address: SocketAddr,
    faults: Mutex<HostFaults>,
    /// The key in use, and the number of sshd reloads that it was read after.
    key: Mutex<Option<(u64, PrivateKey)>>,
    listener: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    links: Mutex<HashMap<u64, Arc<Link>>>,
    next_link: AtomicU64,
    /// How many programs run; halting waits for none.
    pub(super) running: watch::Sender<usize>,
    watched: Arc<Watched>,
}

/// One connection, as something that can be cut from outside.
pub(super) struct Link {
    socket: std::net::TcpStream,
    pub(super) cut: watch::Sender<bool>,
}

impl Embedded {
    /// Makes the folder of tools and picks the port. No host runs yet.
    pub fn new(options: Options) -> io::Result<Self> {
        let options = options.settle()?;
        let (port, reserved) = pick_port(options.port)?;
        Ok(Self {
            options,
            port,
            _reserved: reserved,
            hosts: Mutex::default(),
            newborn: Mutex::default(),
            watched: Arc::default(),
        })
    }

    /// Returns the port at which every host answers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Names the folder of a host.
    pub fn folder(&self, id: u64) -> HostFolder {
        HostFolder::new(&self.options.folder, id)
    }

    /// Returns what a host has counted, once it has been booted.
    pub fn counters(&self, id: u64) -> Option<Arc<Counters>> {
        self.host(id).map(|host| Arc::clone(&host.counters))
    }

    /// Waits until what clients that are gone have started on a host has ended; some seconds at most.
    pub async fn settle(&self, id: u64) {
        if let Some(host) = self.host(id) {
            host.settle().await;
        }
    }

    /// Changes how a host misbehaves. Returns when the change is in force; connections that exist
    /// stay. Fails when the host has not been booted, or cannot listen again.
    pub async fn set_faults(&self, id: u64, faults: HostFaults) -> io::Result<()> {
        let host = self.host(id).ok_or_else(|| no_host(id))?;
        let refuse = faults.refuse_connections;
        *locked(&host.faults) = faults;
        if refuse {
            host.stop_listening().await
        } else {
            host.listen().await?
        }
        Ok(())
    }

    /// Returns the faults that are left, for tests that wait until a cut has happened.
    pub fn faults(&self, id: u64) -> Option<HostFaults> {
        self.host(id).map(|host| host.faults())
    }

    /// Lets somebody watch what reaches the hosts' programs and what leaves them.
    pub fn watch(&self, watch: Option<Watch>) {
        self.watched.set(watch);
    }

    /// Sets the faults of hosts that are booted for the first time from now on.
    pub fn set_newborn_faults(&self, faults: HostFaults) {
        *locked(&self.newborn) = faults;
    }

    fn host(&self, id: u64) -> Option<Arc<Host>> {
        locked(&self.hosts).get(&id).cloned()
    }

    async fn boot_host(&self, boot: Boot) -> io::Result<()> {
        let folder = self.folder(boot.id);
        let host = Arc::clone(locked(&self.hosts).entry(boot.id).or_insert_with(|| {
            let address = SocketAddr::from((boot.address, self.port));
            let faults = locked(&self.newborn).clone();
            Arc::new(Host::new(folder.clone(), address, faults, Arc::clone(&self.watched)))
        }));
        tokio::task::spawn_blocking(move || first_boot::first_boot(&folder, &boot))
            .await
            .map_err(io::Error::other)??;
        host.listen().await
    }

    async fn halt_host(&self, id: u64) {
        if let Some(host) = self.host(id) {
            host.stop().await;
        }
    }

    async fn delete_host(&self, id: u64) -> io::Result<()> {
        self.halt_host(id).await;
        locked(&self.hosts).remove(&id);
        match tokio::fs::remove_dir_all(self.folder(id).base()).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Hosts for Embedded {
    fn boot(&self, boot: Boot) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.boot_host(boot))
    }

    fn halt(&self, id: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            self.halt_host(id).await;
            Ok(())
        })
    }

    fn delete(&self, id: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.delete_host(id))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        for host in locked(&self.hosts).values() {
            if let Ok(mut listener) = host.listener.try_lock()
                && let Some(task) = listener.take()
            {
                task.abort();
            }
            host.cut_links();
        }
    }
}

impl Host {
    fn new(
        folder: HostFolder,
        address: SocketAddr,
        faults: HostFaults,
        watched: Arc<Watched>,
    ) -> Self {
        Self {
            folder,
            counters: Arc::default(),
            address,
            faults: Mutex::new(faults),
            key: Mutex::default(),
            listener: tokio::sync::Mutex::default(),
            links: Mutex::default(),
            next_link: AtomicU64::new(0),
            running: watch::Sender::new(0),
            watched,
        }
    }

    /// Tells whoever watches; says whether the connection is to break.
    pub(super) fn loses(&self, stage: Stage) -> bool {
        self.watched.loses(stage, || format!("host {}", self.address.ip()))
    }

    /// Returns the present faults.
    pub(super) fn faults(&self) -> HostFaults {
        locked(&self.faults).clone()
    }

    /// Changes the present faults, for those that happen once.
    pub(super) fn change_faults(&self, change: impl FnOnce(&mut HostFaults)) {
        change(&mut locked(&self.faults));
    }

    async fn listen(self: &Arc<Self>) -> io::Result<()> {
        let mut listener = self.listener.lock().await;
        if listener.is_none() && !self.faults().refuse_connections {
            let socket = TcpListener::bind(self.address).await?;
            *listener = Some(tokio::spawn(accept(Arc::clone(self), socket)));
        }
        Ok(())
    }

    async fn stop_listening(&self) {
        if let Some(task) = self.listener.lock().await.take() {
            task.abort();
            // The listener is closed when the task is gone, not before.
            let _cancelled = task.await;
        }
    }

    async fn stop(&self) {
        self.stop_listening().await;
        self.cut_links();
        self.settle().await;
        *locked(&self.key) = None;
    }

    /// Waits until no program runs any more; some seconds at most.
    async fn settle(&self) {
        let mut running = self.running.subscribe();
        let _timed_out = tokio::time::timeout(HALT_LIMIT, running.wait_for(|n| *n == 0)).await;
    }

    fn cut_links(&self) {
        for link in locked(&self.links).values() {
            link.cut();
        }
    }

    /// Returns the key that the host proves itself with. A running sshd reads its key when it
    /// starts and when it is told to reload, so this does the same.
    fn host_key(&self) -> io::Result<PrivateKey> {
        if self.faults().other_host_key {
            return host_key::make();
        }
        let reloads = host_key::reloads(&self.folder);
        let mut held = locked(&self.key);
        match &*held {
            Some((at, key)) if *at == reloads => Ok(key.clone()),
            _ => {
                let key = host_key::read(&self.folder)?;
                *held = Some((reloads, key.clone()));
                Ok(key)
            }
        }
    }
}

impl Link {
    /// Breaks the connection as a dead network would, but at once.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
        // Already broken is as good.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

async fn accept(host: Arc<Host>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(Arc::clone(&host), stream))),
            // Out of file descriptors, or a connection that broke already: neither ends a host.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Serves one connection to its end. What goes wrong is the client's to notice.
async fn converse(host: Arc<Host>, stream: TcpStream) {
    Counters::count(&host.counters.connections);
    let Ok((stream, link)) = open_link(stream) else { return };
    let number = host.next_link.fetch_add(1, Ordering::Relaxed);
    locked(&host.links).insert(number, Arc::clone(&link));
    if let Ok(key) = host.host_key() {
        let visitor = session::Visitor::new(Arc::clone(&host), link);
        let config = Arc::new(session::config(key));
        if let Ok(running) = russh::server::run_stream(config, stream, visitor).await {
            // An error here is a connection that broke.
            let _ = running.await;
        }
    }
    locked(&host.links).remove(&number);
}

fn open_link(stream: TcpStream) -> io::Result<(TcpStream, Arc<Link>)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let socket = stream.try_clone()?;
    let link = Arc::new(Link { socket, cut: watch::Sender::new(false) });
    Ok((TcpStream::from_std(stream)?, link))
}

/// Picks a port that is free on loopback. The returned socket is bound and does not listen, so
/// nobody else is given the port, and hosts (which set SO_REUSEADDR) can still take it.
pub(super) fn pick_port(wanted: u16) -> io::Result<(u16, Option<socket2::Socket>)> {
    if wanted != 0 {
        return Ok((wanted, None));
    }
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    let port = address.ok_or_else(|| io::Error::other("a bound socket has an address"))?.port();
    Ok((port, Some(socket)))
}

/// Locks; a panic elsewhere while the lock was held left nothing half-changed here.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_host(id: u64) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("host {id} has not been booted"))
}
