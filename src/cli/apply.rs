//! `ipai apply`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipai_core::plan::{Options, Plan, moved};
use ipai_core::{Address, Events, Reason};

use super::locked::{Locking, locked, mind_the_lock};
use super::plan::{Subset, must_be_known};
use super::progress::Progress;
use super::world::{Planned, World};
use super::{Failed, Outcome, Run, exit, now, parse_addresses, show};
use crate::apply::{Report, Stop, apply};
use crate::http_check::{self, Outcome as CheckOutcome};
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
    /// Does a command's work under the stack's lock.
    pub(super) async fn locked(
        &self,
        run: &Run<'_>,
        world: &World,
        work: impl Future<Output = Outcome>,
    ) -> Outcome {
        locked(run, world, self, work).await
    }
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
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
    let progress = Progress::new(run.talk, arguments.consent.json);
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

/// A saved plan may have been made with targets, replacements or for destruction; the new look must ask for the same.
fn options_of(plan: &Plan) -> Options {
    let requested =
        plan.actions.iter().filter(|a| a.reason == Reason::Requested).map(|a| a.address.clone());
    let destroy = plan.actions.iter().any(|action| action.reason == Reason::Destroyed);
    let targets = plan.targets.iter().cloned().collect();
    Options { replace: requested.collect(), targets, destroy }
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
    let text = format!(
        "error: the live world or the stack moved since this plan was made; nothing was changed{list}\n  hint: review a new one: {}",
        run.command("plan --out FILE")
    );
    Err(Failed::new(text).with_code(exit::STALE, detailed))
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
    let losses = parse_addresses(&consent.data_loss, run)?;
    let declared = world.loaded.stack.resources.iter().map(|declared| &declared.address);
    let known = declared.chain(plan.actions.iter().map(|action| &action.address)).collect();
    must_be_known(run, losses.iter(), &known, "is neither in the stack nor in the plan")?;
    if consent.json {
        let now = now();
        let first = report::version_message(env!("CARGO_PKG_VERSION"), Some(&now));
        let messages = std::iter::once(first).chain(report::plan_messages(plan, Some(&now)));
        messages
            .for_each(|message| run.print(&format!("{}\n", report::json_text(&message, false))));
    } else {
        let approved = losses.clone();
        let destroy = plan.actions.iter().any(|action| action.reason == Reason::Destroyed);
        run.print(&report::plan_text(
            plan,
            &run.output,
            &PlanOptions { destroy, approved, ipai: run.ipai() },
        ));
        run.print(&report::exposure_text(&planned.exposure(world), &run.output));
    }
    if plan.is_empty() {
        return Ok(exit::OK);
    }
    guard(plan, &losses, consent.detailed_exitcode)?;
    let makes_secrets = plan.effective().any(|action| action.address.is_secret());
    let problem = || world.loaded.vault.cannot_store(&run.command("secrets init"));
    if let Some(problem) = makes_secrets.then(problem).flatten() {
        return Err(run.trouble(&problem));
    }
    if !(consent.auto_approve || reviewed) {
        ask(run, world, plan, consent).await?;
    }
    mind_the_lock(run, world, plan);
    let executors = world.executors(run)?;
    let events: Arc<dyn Events> = Arc::new(progress.clone());
    let heartbeat = progress.heartbeat();
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
        return Err(Failed::new(text).with_code(exit::GUARD, detailed));
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
    Err(Failed::new(text).with_code(exit::GUARD, detailed))
}

async fn ask(run: &Run<'_>, world: &World, plan: &Plan, consent: &Consent) -> Result<(), Failed> {
    let ipai = run.ipai();
    let instead =
        format!("pass --auto-approve or a plan file: {ipai} plan --out FILE && {ipai} apply FILE");
    if consent.no_input || consent.json {
        return Err(Failed::new(format!(
            "error: not approved, so nothing was changed\n  hint: {instead}"
        )));
    }
    let summary = plan.summary();
    let only_destroys = summary.destroy > 0 && summary.add + summary.change == 0;
    let question = if only_destroys {
        "Do you really want to destroy all of these?\n  There is no undo."
    } else {
        "Do you want to perform these actions?"
    };
    run.confirm_unless(&world.stop, question, "yes", &instead).await
}

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
    let healthy = !report.is_complete() || destroys || check_health(run, world, report).await;
    let code = match (report.is_complete() && healthy, stop.code()) {
        (true, _) if consent.detailed_exitcode => exit::CHANGES,
        (true, _) => exit::OK,
        (false, Some(code)) => code,
        (false, None) if consent.detailed_exitcode && report.has_returned() => exit::RETURNED,
        (false, None) => exit::ERROR,
    };
    if consent.json {
        run.print(&format!(
            "{}\n",
            report::json_text(&report::apply_result(report, destroys, code, Some(&now())), false)
        ));
    }
    if !report.is_complete() {
        return Err(Failed { code, text });
    }
    if !consent.json {
        run.print(&text);
    }
    match (healthy, stop.code()) {
        (true, _) => Ok(code),
        (false, Some(_)) => {
            let text =
                "Stopped: the stack was applied, and its sites were not waited for.".to_owned();
            Err(Failed { code, text })
        }
        (false, None) => Err(Failed::new(format!(
            "error: the stack was applied, but a health check fails (see above)\n  hint: {} shows more",
            run.command("status")
        ))),
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
    let outcomes = tokio::select! {
        biased;
        outcomes = http_check::run(&desired.checks, &report.outputs, &reach, CHECK_PATIENCE) => outcomes,
        _ = world.stop.requested() => return false,
    };
    outcomes.iter().for_each(|(name, outcome)| run.say(&outcome.line(name)));
    !outcomes.iter().any(|(_, outcome)| matches!(outcome, CheckOutcome::Failed(_)))
}
