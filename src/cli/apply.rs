//! `ipai apply`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipai_core::plan::{Options, Plan, moved};
use ipai_core::{Address, Events, Reason, Verb};
use tracing::Instrument;

use super::locked::{Locking, Telling, locked, mind_the_lock};
use super::plan::{self, Subset, must_be_known};
use super::progress::Progress;
use super::world::{Planned, World};
use super::{Ending, Failed, Outcome, Run, now, parse_addresses, show};
use crate::apply::{Report, Stop, apply};
use crate::http_check::{self, Outcome as CheckOutcome};
use crate::log::phase;
use crate::report::{self, PlanOptions};

/// How long sites may take to come up once their containers are healthy; a certificate is the longest wait.
const CHECK_PATIENCE: Duration = Duration::from_secs(60);

/// Make it so: plan, show, ask, carry out.
///
/// With a plan file, does exactly that plan, or refuses because the live world moved since.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops --sandbox apply --auto-approve\n  ipai apply reviewed.plan\n  ipai apply --allow-data-loss digitalocean.droplet.ops"
)]
pub(super) struct Arguments {
    /// A plan saved by `ipai plan --out FILE`; it is not asked about again.
    file: Option<PathBuf>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    subset: Subset,
    /// Only show what would be done, as `ipai plan` does.
    #[arg(long)]
    dry_run: bool,
}

/// What the user agrees to beforehand, and how to report.
#[derive(Debug, clap::Args)]
pub(super) struct Consent {
    /// Do not ask.
    #[arg(long, short = 'y', visible_alias = "yes")]
    pub(super) auto_approve: bool,
    /// Never ask: fail instead.
    #[arg(long)]
    pub(super) no_input: bool,
    /// Delete or replace this although it holds data; may be repeated.
    #[arg(long = "allow-data-loss", value_name = "ADDRESS")]
    pub(super) data_loss: Vec<String>,
    /// Let this service's image change without a backup before; may be repeated.
    #[arg(long, value_name = "SERVICE")]
    pub(super) without_backup: Vec<String>,
    /// Report events as JSON lines on standard output; needs --auto-approve or a plan file.
    #[arg(long)]
    pub(super) json: bool,
    /// Exit with 2 when something was changed, 3 when the stack is locked, 4 when the plan is stale, 5 when a guard refused, 6 when a deployment failed and its host returned to the last release.
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    #[command(flatten)]
    pub(super) locking: Locking,
}

impl Consent {
    /// Asks for the word unless there is consent already; `instead` is what else gives it.
    pub(super) async fn approve(
        &self,
        run: &Run<'_>,
        stop: &Stop,
        question: &str,
        word: &str,
        instead: &str,
    ) -> Result<(), Failed> {
        if self.auto_approve {
            return Ok(());
        }
        if self.no_input || self.json {
            return Err(not_approved(instead));
        }
        run.confirm_unless(stop, question, word, instead).await
    }

    /// Does a command's work under the stack's lock.
    pub(super) async fn locked(
        &self,
        run: &Run<'_>,
        world: &World,
        work: impl Future<Output = Outcome>,
    ) -> Outcome {
        let telling = Telling { json: self.json, detailed: self.detailed_exitcode };
        locked(run, world, &self.locking, telling, work).await
    }
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let Arguments { file, consent, subset, dry_run } = arguments;
    match (dry_run, file) {
        (true, Some(file)) => return show::run(run, &show::Arguments::dry(file, consent.json)),
        (true, None) => {
            let plan = plan::Arguments::dry(subset, consent.json, consent.detailed_exitcode);
            return plan::run(run, &plan).await;
        }
        (false, _) => {}
    }
    let world = World::open(run).await?;
    // A plan file that cannot be used is no reason to lock anything.
    let reviewed = match &arguments.file {
        None => None,
        Some(path) => Some(show::read(run, path, Some(&world.loaded.stack.id))?.plan),
    };
    let work = run_in(run, arguments, &world, reviewed);
    let outcome = arguments.consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn run_in(
    run: &Run<'_>,
    arguments: &Arguments,
    world: &World,
    reviewed: Option<Plan>,
) -> Outcome {
    let options = match &reviewed {
        None => arguments.subset.options(run, world)?,
        Some(plan) => options_of(plan),
    };
    let progress = Progress::new(run, arguments.consent.json);
    let planned = world.plan(run, &options, &progress).await?;
    if let Some(reviewed) = &reviewed {
        refuse_if_moved(
            run,
            reviewed,
            &planned.proposal.plan,
            arguments.consent.detailed_exitcode,
        )?;
    }
    carry_out(run, world, planned, &arguments.consent, reviewed.is_some(), &progress).await
}

/// A saved plan may have been made with targets and replacements; the new look must ask for the same. None is saved for
/// destruction: a file that says so was made up, and is one that the new look does not equal.
fn options_of(plan: &Plan) -> Options {
    let requested =
        plan.actions.iter().filter(|a| a.reason == Reason::Requested).map(|a| a.address.clone());
    let targets = plan.targets.iter().cloned().collect();
    Options { replace: requested.collect(), targets, destroy: false }
}

fn refuse_if_moved(
    run: &Run<'_>,
    reviewed: &Plan,
    now: &Plan,
    detailed: bool,
) -> Result<(), Failed> {
    let lines = moved(reviewed, now);
    if lines.is_empty() {
        return Ok(());
    }
    let list: String = lines.iter().map(|line| format!("\n  - {line}")).collect();
    let hint = match now.is_empty() {
        true => format!(
            "what exists is as the stack wants it; if the plan was applied before, that is why: {}",
            run.command("plan")
        ),
        false => format!("review a new one: {}", run.command("plan --out FILE")),
    };
    let text = format!(
        "error: the live world or the stack moved since this plan was made; nothing was changed{list}\n  hint: {hint}"
    );
    Err(Failed::new(text).ending(Ending::Stale, detailed))
}

/// What may be lost, by name; every name must be somebody's.
pub(super) fn losses(
    run: &Run<'_>,
    world: &World,
    plan: &Plan,
    consent: &Consent,
) -> Result<BTreeSet<Address>, Failed> {
    let losses = parse_addresses(&consent.data_loss, run)?;
    let declared = world.loaded.stack.resources.iter().map(|declared| &declared.address);
    let known = declared.chain(plan.actions.iter().map(|action| &action.address)).collect();
    must_be_known(run, losses.iter(), &known, "is neither in the stack nor in the plan")?;
    Ok(losses)
}

/// Shows a plan, gets consent, carries it out and tells how it went.
pub(super) async fn carry_out(
    run: &Run<'_>,
    world: &World,
    planned: Planned,
    consent: &Consent,
    reviewed: bool,
    progress: &Progress,
) -> Outcome {
    let plan = &planned.proposal.plan;
    let losses = losses(run, world, plan, consent)?;
    if consent.json {
        let now = now();
        run.begin_stream(&now);
        report::plan_messages(plan, Some(&now)).for_each(|message| run.feed(&message));
    } else {
        let approved = losses.clone();
        let destroy = plan.actions.iter().any(|action| action.reason == Reason::Destroyed);
        run.print_plan(plan, &PlanOptions { destroy, approved, ipai: run.ipai() });
        run.print(&report::exposure_text(&planned.exposure(world), &run.output));
    }
    if plan.is_empty() {
        let code = Ending::Nothing.code(consent.detailed_exitcode);
        if consent.json {
            run.feed_end(&report::apply_result(&Report::default(), false, code, Some(&now())));
        }
        return Ok(code);
    }
    guard(plan, &losses, consent.detailed_exitcode)?;
    let makes_secrets = plan.effective().any(|action| action.address.is_secret());
    let problem = || world.loaded.vault.cannot_store(&run.command("secrets init"));
    if let Some(problem) = makes_secrets.then(problem).flatten() {
        return Err(run.trouble(&problem));
    }
    if !(consent.auto_approve || reviewed) {
        ask(run, world, plan, consent).instrument(phase("ask")).await?;
    }
    mind_the_lock(run, world, plan);
    crate::providers::waive_backups(&world.access, &consent.without_backup);
    let executors = world.executors(run)?;
    let events: Arc<dyn Events> = Arc::new(progress.clone());
    let heartbeat = progress.heartbeat(Some(plan.effective().count()));
    let report = apply(&world.loaded, plan, &planned.live, &executors, &events, &world.stop).await;
    drop(heartbeat);
    conclude(run, world, plan, &report, consent, &world.stop).await
}

fn guard(plan: &Plan, approved: &BTreeSet<Address>, detailed: bool) -> Result<(), Failed> {
    if !plan.conflicts.is_empty() {
        let refused = plan.conflicts.iter().any(|conflict| conflict.hint.is_some());
        let text = if refused {
            "error: the plan would do harm (see above); nothing was changed"
        } else {
            "error: objects that are not ipai's stand in the way (see above); nothing was changed"
        };
        return Err(Failed::new(text).ending(Ending::Guarded, detailed));
    }
    let lost = plan.unapproved_losses(approved);
    if lost.is_empty() {
        return Ok(());
    }
    let flags: Vec<String> =
        lost.iter().map(|address| format!("--allow-data-loss {address}")).collect();
    let names: Vec<String> = lost.iter().map(ToString::to_string).collect();
    let text = format!(
        "error: this would destroy data on {}; nothing was changed\n  hint: if that is meant, name it: {}",
        names.join(", "),
        flags.join(" ")
    );
    Err(Failed::new(text).ending(Ending::Guarded, detailed))
}

async fn ask(run: &Run<'_>, world: &World, plan: &Plan, consent: &Consent) -> Result<(), Failed> {
    let ipai = run.ipai();
    let marks = |verb| matches!(verb, Verb::Adopt | Verb::Forget);
    // What a command asks for by itself, such as another tag, is in no plan file.
    let only_here = world.loaded.variables != run.variables();
    let instead = if only_here || plan.actions.iter().all(|action| marks(action.verb)) {
        AUTO_APPROVE.to_owned()
    } else {
        format!("pass --auto-approve or a plan file: {ipai} plan --out FILE && {ipai} apply FILE")
    };
    let summary = plan.summary();
    let only_destroys = summary.destroy > 0 && summary.add + summary.change == 0;
    let question = if only_destroys {
        "Do you really want to destroy all of these?\n  There is no undo."
    } else {
        "Do you want to perform these actions?"
    };
    consent.approve(run, &world.stop, question, "yes", &instead).await
}

/// Nothing may be asked here, and nobody has agreed beforehand.
pub(super) fn not_approved(instead: &str) -> Failed {
    Failed::new(format!("error: not approved, so nothing was changed\n  hint: {instead}"))
}

/// What gives consent where no plan can be reviewed.
pub(super) const AUTO_APPROVE: &str = "pass --auto-approve";

async fn conclude(
    run: &Run<'_>,
    world: &World,
    plan: &Plan,
    report: &Report,
    consent: &Consent,
    stop: &Stop,
) -> Outcome {
    let destroys = plan.actions.iter().any(|action| action.reason == Reason::Destroyed);
    let text = report::apply_summary(report, destroys, &run.talk, &run.ipai());
    tell_of_secrets(run, world, report);
    let healthy = !report.is_complete()
        || destroys
        || check_health(run, world, report).instrument(phase("verify")).await;
    let well = report.is_complete() && healthy;
    let ending = Ending::of_work(well, report.has_returned(), stop.code());
    let code = ending.code(consent.detailed_exitcode);
    if consent.json {
        run.feed_end(&report::apply_result(report, destroys, code, Some(&now())));
    }
    if !report.is_complete() {
        return Err(Failed { code, ..Failed::new(text) });
    }
    if !consent.json {
        run.print(&text);
    }
    match (healthy, stop.code()) {
        (true, _) => Ok(code),
        (false, Some(_)) => {
            let text =
                "Stopped: the stack was applied, and its sites were not waited for.".to_owned();
            Err(Failed { code, ..Failed::new(text) })
        }
        (false, None) => {
            let text = format!(
                "error: the stack was applied, but a health check fails (see above)\n  hint: {} shows more",
                run.command("status")
            );
            Err(Failed { code, ..Failed::new(text) })
        }
    }
}

/// What was made anew exists nowhere but in the file, which belongs into the repository.
fn tell_of_secrets(run: &Run<'_>, world: &World, report: &Report) {
    let made = report.done.iter().filter(|(address, verb)| {
        address.is_secret() && matches!(verb, Verb::Create | Verb::Update | Verb::Replace)
    });
    let made = made.count();
    if made > 0 && !world.loaded.sandbox {
        let (path, what) = (world.loaded.vault.path(), report::number(made, "new secret"));
        run.remark(&format!(
            "{} holds {what}: commit it and keep it. Nobody can make them a second time.",
            path.display()
        ));
    }
}

async fn check_health(run: &Run<'_>, world: &World, report: &Report) -> bool {
    let (desired, _) = world.loaded.with_inputs(&report.outputs, ipai_core::desired::compile);
    let reach = match world.reach(run).await {
        Ok(reach) => reach,
        Err(failed) => {
            run.say(&failed.text);
            return false;
        }
    };
    let _waiting = run.waiting("Waiting for the health checks");
    let outcomes = tokio::select! {
        biased;
        outcomes = http_check::run(&desired.checks, &report.outputs, &reach, CHECK_PATIENCE) => outcomes,
        _ = world.stop.requested() => return false,
    };
    outcomes.iter().for_each(|(name, outcome)| run.say(&outcome.line(name)));
    !outcomes.iter().any(|(_, outcome)| matches!(outcome, CheckOutcome::Failed(_)))
}
