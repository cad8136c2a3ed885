//! `ipai upgrade`

mod edit;
mod find;
mod lower;

use ipai_core::Diagnostic;
use ipai_core::image::is_tag;
use ipai_core::plan::Options;

use super::apply::{Consent, carry_out};
use super::progress::Progress;
use super::world::World;
use super::{Ending, Failed, Outcome, Run, exit};
use crate::report::{self, PlanOptions};
use edit::Edit;
use find::{Holder, find};

/// Give a service another image tag: in stack.toml, then in the world, by the same plan and gates as `ipai apply`.
///
/// The variable that holds the tag is found by the Compose file; its one place in the TOML is exchanged and everything
/// else in the file stays byte for byte. When nothing was applied, because it was refused, cancelled or failed at once,
/// the file is put back.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops upgrade mattermost 11.7.12\n  ipai upgrade n8n 2.42.0 --plan-only\n  ipai upgrade superset 6.2.0 --auto-approve"
)]
pub(super) struct Arguments {
    /// The service, as SERVICE or PROJECT/SERVICE.
    service: String,
    /// The new tag of its image.
    tag: String,
    /// Show what would change, and change nothing, the file included.
    #[arg(long)]
    plan_only: bool,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    if !is_tag(&arguments.tag) {
        let problem = Diagnostic::error("Not a tag")
            .detail(format!("`{}` cannot be the tag of an image.", arguments.tag))
            .hint(match arguments.tag.rsplit_once(':').filter(|(_, tag)| is_tag(tag)) {
                Some((_, tag)) => {
                    run.command(&format!("upgrade {} {tag}", super::shell_word(&arguments.service)))
                }
                None => "letters, digits, `.`, `_` and `-`, at most 128, and not one of `.` and `-` first".to_owned(),
            });
        return Err(run.problem(problem));
    }
    let mut world = World::open(run).await?;
    let outcome = run_in(run, &mut world, arguments).await;
    world.close().await;
    outcome
}

async fn run_in(run: &Run<'_>, world: &mut World, arguments: &Arguments) -> Outcome {
    let places = world.places(run).await?;
    let (project, service) = places.service(run, &arguments.service)?;
    let holder = find(run, &world.loaded, &places, project, service, &arguments.tag)?;
    let Some(holder) = holder else {
        let text = format!("{} has the tag {} already.", arguments.service, arguments.tag);
        match arguments.consent.json {
            true => run.say(&text),
            false => run.print(&format!("{text}\n")),
        }
        return Ok(exit::OK);
    };
    run.say(&holder.line());
    lower::refuse(run, world, &places, project, &holder, &arguments.consent).await?;
    for image in &holder.unlocked {
        run.say(&format!(
            "note: {image} is not locked yet: it is deployed by its tag alone until ipai images --lock has asked for its digest"
        ));
    }
    let (options, progress) = (Options::default(), Progress::new(run, arguments.consent.json));
    let before = world.plan(run, &options, &progress).await?.proposal.plan.fingerprint();
    let _ = world.loaded.variables.insert(holder.variable.clone(), holder.new.clone());
    if arguments.plan_only {
        let planned = world.plan(run, &options, &progress).await?;
        let plan = &planned.proposal.plan;
        run.print_plan(plan, &PlanOptions::calling(run.ipai()));
        run.print(&report::exposure_text(&planned.exposure(world), &run.output));
        run.say("Nothing was changed, the stack's file included.");
        return Ok(Ending::of_plan(plan).code(arguments.consent.detailed_exitcode));
    }
    let edit =
        Edit::make(run, &world.loaded.sources, &holder).map_err(|problem| run.trouble(&problem))?;
    let work = async {
        let planned = world.plan(run, &options, &progress).await?;
        carry_out(run, world, planned, &arguments.consent, false, &progress).await
    };
    let outcome = arguments.consent.locked(run, world, work).await;
    match outcome {
        Ok(code) => Ok(code),
        Err(failed) => {
            let untouched = nothing_happened(run, world, &holder, &before, &progress).await;
            run.say(&failed.text);
            Err(Failed { text: after(run, &holder, edit, untouched), ..failed })
        }
    }
}

/// Tells whether the world is still what the old tag's plan was made on.
async fn nothing_happened(
    run: &Run<'_>,
    world: &mut World,
    holder: &Holder,
    before: &str,
    progress: &Progress,
) -> bool {
    let _ = world.loaded.variables.insert(holder.variable.clone(), holder.old.clone());
    // After an interrupt there is no time to look, and whoever cannot look does not know.
    let planned = world.plan(run, &Options::default(), progress).await;
    planned.is_ok_and(|planned| planned.proposal.plan.fingerprint() == before)
}

fn after(run: &Run<'_>, holder: &Holder, edit: Edit, untouched: bool) -> String {
    let file = &holder.span.file;
    if !untouched {
        return format!(
            "note: {file} keeps the new tag, because some of it was applied or nobody could look\n  hint: {} goes on; to go back, set {} = \"{}\" again and apply",
            run.command("apply"),
            holder.variable,
            holder.old
        );
    }
    match edit.undo() {
        Ok(()) => format!("note: nothing was applied, so {file} is as it was"),
        Err(error) => format!(
            "error: {file} could not be put back: {error}\n  hint: set {} = \"{}\" again",
            holder.variable, holder.old
        ),
    }
}
