//! `ipai down`

use super::apply::{AUTO_APPROVE, not_approved};
use super::locked::Locking;
use super::upkeep::{Deed, carry_out, consent};
use super::world::World;
use super::{Failed, Outcome, Run};

/// Stop the stack's Compose projects and remove their containers; volumes, files, names and droplets stay.
///
/// `ipai up` starts them again as they were, `ipai apply` as the stack says now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai -C stacks/ops down\n  ipai down ops --auto-approve")]
pub(super) struct Arguments {
    /// The project; all of the stack's when it is left out.
    project: Option<String>,
    /// Do not ask.
    #[arg(long, short = 'y', visible_alias = "yes")]
    auto_approve: bool,
    /// Never ask: fail instead.
    #[arg(long)]
    no_input: bool,
    /// Exit with 2 when something was stopped, 3 when the stack is locked.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    locking: Locking,
}

pub(super) async fn run(run: &Run<'_>, arguments: Arguments) -> Outcome {
    let world = World::open(run).await?;
    let consent = super::apply::Consent {
        auto_approve: arguments.auto_approve,
        no_input: arguments.no_input,
        ..consent(arguments.locking, arguments.detailed_exitcode)
    };
    let work = run_in(run, &world, arguments.project.as_deref(), &consent);
    let outcome = consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn run_in(
    run: &Run<'_>,
    world: &World,
    name: Option<&str>,
    consent: &super::apply::Consent,
) -> Outcome {
    let places = world.places(run).await?;
    let projects = places.projects(run, name)?;
    if !consent.auto_approve {
        ask(run, world, &projects, consent.no_input).await?;
    }
    let mut deeds = Vec::new();
    for project in projects {
        let attempted = format!("stop project {}", project.name);
        deeds.push(Deed {
            project,
            command: project.down(),
            attempted,
            only: Vec::new(),
            well: false,
        });
    }
    let code = carry_out(run, world, &places, &deeds, consent.detailed_exitcode).await?;
    run.print(&format!(
        "Down: no container is left, and every volume is. Start again with: {}\n",
        run.command("up")
    ));
    Ok(code)
}

async fn ask(
    run: &Run<'_>,
    world: &World,
    projects: &[&crate::providers::ComposeProject],
    no_input: bool,
) -> Result<(), Failed> {
    if no_input {
        return Err(not_approved(AUTO_APPROVE));
    }
    let list: Vec<String> =
        projects.iter().map(|p| format!("\n  {} on {}", p.name, p.home)).collect();
    let question = format!("This stops every service of:{}\nDo you want that?", list.concat());
    run.confirm_unless(&world.stop, &question, "yes", AUTO_APPROVE).await
}
