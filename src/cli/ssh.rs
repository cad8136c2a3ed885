//! `ipai ssh`

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use ipai_core::{Address, Diagnostic, Outputs};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::tokens;
use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::edges::Edges;
use crate::providers::{OpenSsh, openssh};

/// Log in on a host, or run a command there, by the system's `ssh`.
///
/// `ssh` is told the pinned key, which ipai has verified itself, and accepts no other; user, port, key and bastions are
/// those that ipai uses. Your own `~/.ssh/config` counts as far as ipai reads it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops ssh\n  ipai ssh digitalocean.droplet.ops\n  ipai ssh -- df -h /        # as with ssh, the words are joined and read by the login shell"
)]
pub(super) struct Arguments {
    /// The host's address or name; may be left out when the stack has one host.
    host: Option<String>,
    /// The command; without one you get a shell.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    if !is_installed(run.edges) {
        return Err(missing(run));
    }
    let world = World::open(run).await?;
    let outcome = run_in(run, &world, arguments).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, world: &World, arguments: &Arguments) -> Outcome {
    let places = world.places(run).await?;
    let home = chosen(run, world, arguments.host.as_deref())?;
    let outputs = places.host(run, &home)?;
    let (_files, mut ssh) = prepare(run, world, &home, outputs, |_| Vec::new()).await?;
    if !arguments.command.is_empty() {
        ssh.arg("--").args(&arguments.command);
    }
    wait_for(run, ssh).await
}

/// Runs shell text with root's rights on a host, in a terminal.
pub(super) async fn at_terminal(
    run: &Run<'_>,
    world: &World,
    home: &Address,
    outputs: &Outputs,
    command: &str,
) -> Outcome {
    let flags = |_: &OpenSsh| vec!["-t", "-q"];
    let (files, mut ssh) = prepare(run, world, home, outputs, flags).await?;
    ssh.arg("--").arg(files.way.as_root(command));
    wait_for(run, ssh).await
}

/// Tells whether there is an `ssh` to run.
pub(super) fn is_installed(edges: &Edges) -> bool {
    let path = edges.variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("ssh").is_file())
}

fn missing(run: &Run<'_>) -> Failed {
    let problem = Diagnostic::error("No `ssh` on this machine")
        .detail("`ipai ssh` runs OpenSSH's client, and there is none in PATH.")
        .hint("install it (Debian and Ubuntu: apt-get install openssh-client); `ipai exec` and `ipai logs` need none");
    run.problem(problem)
}

/// The host that is meant: by address, by name, or the only one.
fn chosen(run: &Run<'_>, world: &World, word: Option<&str>) -> Result<Address, Failed> {
    let is_host = |address: &&Address| {
        let kind = world.loaded.types.get(address);
        kind.is_some_and(|kind| kind.outputs().iter().any(|output| output.0 == "host_keys"))
    };
    let declared = world.loaded.stack.resources.iter().map(|declared| &declared.address);
    let hosts: Vec<&Address> = declared.filter(is_host).collect();
    let fits = |host: &&&Address| word.is_none_or(|w| w == host.name || w == host.to_string());
    match hosts.iter().filter(fits).collect::<Vec<_>>()[..] {
        [host] => Ok((*host).clone()),
        _ => {
            let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            let summary = if word.is_none() { "Which host?" } else { "No such host" };
            let problem = Diagnostic::error(summary).hint(match names.is_empty() {
                true => "this stack has no hosts".to_owned(),
                false => format!("hosts: {}", names.join(", ")),
            });
            Err(run.trouble(&problem))
        }
    }
}

/// The files that `ssh` reads, in a folder that nobody else sees; they go when this does.
struct Files {
    folder: PathBuf,
    way: OpenSsh,
}

impl Drop for Files {
    fn drop(&mut self) {
        // They hold nothing secret, and the next run makes a folder of its own.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn prepare(
    run: &Run<'_>,
    world: &World,
    home: &Address,
    outputs: &Outputs,
    flags: impl Fn(&OpenSsh) -> Vec<&'static str>,
) -> Result<(Files, Command), Failed> {
    let unwritten = |error: std::io::Error| {
        Failed::new(format!(
            "error: no folder for ssh's files can be made: {error}\n  hint: set TMPDIR to a folder that you can write"
        ))
    };
    let folder = private_folder(run.edges).map_err(unwritten)?;
    let known_hosts = folder.join("known_hosts");
    let way = openssh(&world.access, home, outputs, &known_hosts).await;
    let way = match way {
        Ok(way) => way,
        Err(error) => {
            let _ = fs::remove_dir_all(&folder);
            return Err(run.remote(&[error]));
        }
    };
    let files = Files { folder, way };
    let config = files.folder.join("config");
    write(&config, &files.way.config).map_err(unwritten)?;
    write(&known_hosts, &files.way.known_hosts).map_err(unwritten)?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(config).args(flags(&files.way)).arg(&files.way.name);
    // Tokens are no business of another program's.
    for name in tokens::NAMES {
        ssh.env_remove(name);
    }
    Ok((files, ssh))
}

/// A new folder for us alone, for as long as one command runs.
fn private_folder(edges: &Edges) -> std::io::Result<PathBuf> {
    let mut bytes = [0; 8];
    Edges::random(&mut bytes)?;
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let below = edges.variable("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = below.join(format!("ipai-ssh-{name}"));
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Waits for `ssh`, which has the terminal to itself; interrupts are its own.
async fn wait_for(run: &Run<'_>, mut ssh: Command) -> Outcome {
    let _interrupts = signal(SignalKind::interrupt());
    let status = match ssh.status().await {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing(run)),
        Err(error) => return Err(Failed::new(format!("error: ssh cannot be run: {error}"))),
    };
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::ERROR))
}
