//! `ipai exec`

use std::io::IsTerminal;

use super::output_stream::{Show, show};
use super::world::World;
use super::{Outcome, Run, ssh};
use crate::providers::stream;
use crate::sandbox::Kind;

/// Run a command in a service's container; the exit code is the command's.
///
/// Standard input goes to the command. At a terminal the command has one too, by the system's `ssh`; without that
/// program, or in the sandbox, it has none, which is said. An interrupt ends the command on the host; what it began in
/// the container may go on, as Docker has it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops exec postgres -- psql -U postgres -l\n  ipai exec postgres -- pg_dump -U postgres n8n_db > n8n.sql\n  ipai exec n8n -- sh"
)]
pub(super) struct Arguments {
    /// The service, as SERVICE or PROJECT/SERVICE.
    service: String,
    /// Give the command no terminal, even at one.
    #[arg(short = 'T', long)]
    no_tty: bool,
    /// The command and its arguments, each a word of its own; no shell reads them.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outcome = run_in(run, &world, arguments).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, world: &World, arguments: &Arguments) -> Outcome {
    let places = world.places(run).await?;
    let (project, service) = places.service(run, &arguments.service)?;
    let outputs = places.host(run, &project.home)?;
    let at_terminal = std::io::stdin().is_terminal() && run.edges.output_is_terminal;
    if at_terminal && !arguments.no_tty {
        match no_terminal(run) {
            None => {
                let command = project.exec(service, &arguments.command, true);
                return ssh::at_terminal(run, world, &project.home, outputs, &command).await;
            }
            Some(why) => run.say(&format!("warning: the command has no terminal, because {why}")),
        }
    }
    let command = project.exec(service, &arguments.command, false);
    let opened = stream(&world.access, &project.home, outputs, &command, "run a command").await;
    let how = if run.edges.output_is_terminal { Show::Clean } else { Show::Raw };
    show(run, opened.map_err(|error| run.remote(&[error]))?, how, true).await
}

fn no_terminal(run: &Run<'_>) -> Option<&'static str> {
    match run.global.sandbox {
        Some(Kind::Embedded | Kind::Sshd) => Some("the sandbox's hosts have none"),
        _ if !ssh::is_installed(run.edges) => Some("this machine has no `ssh`"),
        _ => None,
    }
}
