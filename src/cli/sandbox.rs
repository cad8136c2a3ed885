//! `ipai sandbox`

use ipai_core::Diagnostic;
use ipai_simulator::hosts::docker;

use super::world::sandbox_failed;
use super::{Outcome, Run, exit};
use crate::sandbox::{self, Kind, Sandbox};

/// The simulated cloud that `--sandbox` uses.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops --sandbox apply --auto-approve\n  ipai -C stacks/ops sandbox info\n  ipai -C stacks/ops sandbox reset"
)]
pub(super) enum Command {
    /// Run the simulated cloud in the foreground and print the variables that point programs at it.
    #[command(after_help = "Examples:\n  ipai sandbox serve --port 8080 --zone example.org")]
    Serve {
        /// The HTTP port on 127.0.0.1; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// A DNS zone that shall exist; may be repeated.
        #[arg(long = "zone", value_name = "NAME", default_value = "example.com")]
        zones: Vec<String>,
    },
    /// Forget the simulated world and everything in it.
    #[command(after_help = "Examples:\n  ipai -C stacks/ops sandbox reset")]
    Reset,
    /// Say where the simulated world is kept.
    #[command(after_help = "Examples:\n  ipai -C stacks/ops sandbox info")]
    Info,
    /// Lose droplets at once and for good, as when a server is gone: to try `ipai rebuild`.
    #[command(
        after_help = "Examples:\n  ipai -C stacks/ops sandbox lose && ipai -C stacks/ops --sandbox rebuild"
    )]
    Lose {
        /// The droplet's name; all of them when it is left out.
        name: Option<String>,
    },
}

pub(super) async fn run(run: &Run<'_>, command: &Command) -> Outcome {
    let folder = sandbox::folder(&run.global.folder, run.edges);
    match command {
        Command::Serve { port, zones } => serve(run, *port, zones.clone()).await,
        Command::Info => {
            let state = if folder.join("world.json").exists() { "a world" } else { "nothing yet" };
            run.print(&format!("{}: {state}\n", folder.display()));
            Ok(exit::OK)
        }
        Command::Reset => reset(run, &folder).await,
        Command::Lose { name } => lose(run, name.as_deref()).await,
    }
}

async fn lose(run: &Run<'_>, name: Option<&str>) -> Outcome {
    let folder = sandbox::folder(&run.global.folder, run.edges);
    let kind = run.global.sandbox.unwrap_or(Kind::Embedded);
    let started = Sandbox::start(&folder, kind, Vec::new(), 0, &run.verb, run.edges).await;
    let sandbox = started.map_err(|error| sandbox_failed(run, &error))?;
    let lost = sandbox.lose(name).await;
    sandbox.stop().await;
    let lost = lost.map_err(|error| sandbox_failed(run, &error))?;
    if lost.is_empty() {
        let problem =
            Diagnostic::error("No such droplet").detail("The sandbox has none of that name.");
        return Err(run.problem(
            problem.hint("a running `ipai sandbox serve` keeps its world to itself; stop it first"),
        ));
    }
    run.print(&format!("Lost: {}.\n", lost.join(", ")));
    Ok(exit::OK)
}

async fn serve(run: &Run<'_>, port: u16, zones: Vec<String>) -> Outcome {
    let folder = sandbox::folder(&run.global.folder, run.edges);
    let kind = run.global.sandbox.unwrap_or(Kind::Embedded);
    sandbox::prepare(&folder, kind).map_err(|error| sandbox_failed(run, &error))?;
    let started = Sandbox::start(&folder, kind, zones, port, &run.verb, run.edges).await;
    let mut sandbox = started.map_err(|error| sandbox_failed(run, &error))?;
    sandbox.serve().map_err(|error| sandbox_failed(run, &error))?;
    let addresses = &sandbox.addresses;
    run.print(&format!(
        "# For curl and other programs; ipai itself takes --sandbox.\nexport DIGITALOCEAN_API_URL={}\nexport DIGITALOCEAN_TOKEN=sandbox\nexport CLOUDFLARE_BASE_URL={}\nexport CLOUDFLARE_API_TOKEN=sandbox\nexport IPAI_SSH_PORT={}\nexport IPAI_SSH_IDENTITY={}\n",
        addresses.digitalocean_url,
        addresses.cloudflare_url.trim_end_matches('/'),
        addresses.ssh_port,
        folder.join(sandbox::CLIENT_KEY).display(),
    ));
    run.say("A simulated cloud on this machine. Ctrl-C stops it; what it holds is kept.");
    wait_for_signal().await;
    sandbox.stop().await;
    Ok(exit::OK)
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        }
        _ => std::future::pending().await,
    }
}

async fn reset(run: &Run<'_>, folder: &std::path::Path) -> Outcome {
    let ours = folder.join("lock").exists() || folder.join("world.json").exists();
    if !ours {
        run.say(&format!("{} holds no sandbox; nothing to reset.", folder.display()));
        return Ok(exit::OK);
    }
    let lock = std::fs::File::options().create(true).append(true).open(folder.join("lock"));
    if lock.is_ok_and(|lock| lock.try_lock().is_err()) {
        let problem = Diagnostic::error("The sandbox is in use")
            .detail("Another ipai command runs it.")
            .hint("stop it first");
        return Err(run.problem(problem));
    }
    docker::remove_containers(folder).await.map_err(|error| sandbox_failed(run, &error))?;
    std::fs::remove_dir_all(folder).map_err(|error| sandbox_failed(run, &error))?;
    run.print(&format!("Removed {}.\n", folder.display()));
    Ok(exit::OK)
}
