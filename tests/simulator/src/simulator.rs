//! Starting and stopping a world.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::handle::WorldHandle;
use crate::options::Options;
use crate::server::router;
use crate::wire::{Scissors, Wires};
use crate::world::{Setup, World};
use crate::{cloudflare, digitalocean};

/// A world that answers. Dropping it stops the listener; [`Simulator::stop`] also waits.
pub struct Simulator {
    /// DigitalOcean's base, `http://127.0.0.1:PORT`, without `/v2`.
    pub digitalocean_url: String,
    /// Cloudflare's base, `http://127.0.0.1:PORT/client/v4/`.
    pub cloudflare_url: String,
    /// The port at which every host's SSH listens, on its own address.
    pub ssh_port: u16,
    handle: WorldHandle,
    /// Tells whether the machines go on without it.
    outlived: bool,
    /// Dropping it stops the server.
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<io::Result<()>>,
}

impl Simulator {
    /// Starts a world on 127.0.0.1: the one in `options.folder`, or a new one. Machines whose
    /// droplets are active boot again before this returns.
    ///
    /// # Errors
    ///
    /// When the port is taken, the folder cannot be used, or the world in it cannot be read; the
    /// error then names the file and how to begin anew.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let world = match &options.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                World::load(folder)?
            }
            None => World::new(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let base = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
        let ssh_port = match options.ssh_port {
            0 => free_port().await?,
            port => port,
        };
        let app = Arc::new(app(world, &options, base.clone()));
        populate(&app, &options.zones).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let service = router(Arc::clone(&app)).into_make_service_with_connect_info::<Scissors>();
        let server = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or(()) };
            axum::serve(Wires(listener), service).with_graceful_shutdown(stopped).await
        });
        Ok(Simulator {
            cloudflare_url: format!("{base}/client/v4/"),
            digitalocean_url: base,
            ssh_port,
            handle: WorldHandle(app),
            outlived: options.hosts.is_some_and(|hosts| hosts.outlive()),
            stop: Some(stop),
            server,
        })
    }

    /// The world, for tests to look into and to disturb.
    pub fn world(&self) -> &WorldHandle {
        &self.handle
    }

    /// Stops answering: idle connections are closed, the listener is gone, requests under way get
    /// a second to end, and machines are powered off unless they outlive it. A start in the same folder goes on from here.
    pub async fn stop(mut self) {
        self.stop.take();
        if tokio::time::timeout(Duration::from_secs(1), &mut self.server).await.is_err() {
            self.server.abort();
        }
        if !self.outlived {
            self.handle.halt_all().await;
        }
    }
}

fn app(world: World, options: &Options, base: String) -> App {
    let setup = Setup {
        pace: options.pace.clone(),
        limits: options.limits.clone(),
        base,
        first_address: options.first_address,
        reuse_addresses: options.reuse_addresses,
    };
    App::new(
        world,
        setup,
        options.folder.clone(),
        options.clock,
        options.record_bodies,
        options.hosts.clone(),
    )
}

/// Makes the zones that are not there yet and boots what was running.
async fn populate(app: &App, zones: &[String]) -> io::Result<()> {
    let boots = {
        let mut shared = app.lock();
        let run = |cx: &mut crate::world::Cx<'_>| {
            for zone in zones {
                cloudflare::zones::ensure(cx, zone);
            }
            digitalocean::life::boot_again(cx);
        };
        app.change(&mut shared, run)?.1
    };
    app.tell(boots).await;
    Ok(())
}

/// Finds a port that nothing on 127.0.0.1 listens at just now.
async fn free_port() -> io::Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr().map(|address| address.port())
}
