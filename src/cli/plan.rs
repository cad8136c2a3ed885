//! `ipai plan`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ipai_core::exposure::{Exposed, Turn};
use ipai_core::plan::{Options, Plan, SavedPlan};
use ipai_core::{Address, Diagnostic, Sources};

use super::form::{Form, Format};
use super::progress::Progress;
use super::world::World;
use super::{Ending, Failed, Outcome, Run, exit, now, parse_addresses};
use crate::report::{self, PlanFacts, PlanOptions};

/// Show what apply would do; changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops plan\n  ipai plan --out reviewed.plan && ipai apply reviewed.plan\n  ipai plan --detailed-exitcode   # 0 nothing to do, 2 changes, 1 error\n  ipai plan --format markdown     # for a comment on a pull request\n  ipai plan --format html > plan.html   # a page to open or to attach to a review"
)]
pub(super) struct Arguments {
    /// Save the plan for `ipai apply FILE`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
    /// Exit with 2 when there is something to do.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    subset: Subset,
}

impl Arguments {
    /// What `apply --dry-run` asks for.
    pub(super) fn dry(subset: &Subset, json: bool, detailed_exitcode: bool) -> Self {
        Self { out: None, form: Form::of(json), detailed_exitcode, subset: subset.clone() }
    }
}

/// Which part of the stack, and what to replace.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Subset {
    /// Plan only this resource and what it needs; may be repeated.
    #[arg(long = "target", value_name = "ADDRESS")]
    targets: Vec<String>,
    /// Replace this resource although nothing forces it; may be repeated.
    #[arg(long = "replace", value_name = "ADDRESS")]
    replace: Vec<String>,
}

impl Subset {
    pub(super) fn options(&self, run: &Run<'_>, world: &World) -> Result<Options, Failed> {
        self.targets.iter().chain(&self.replace).try_for_each(|text| whole(run, world, text))?;
        let options = Options {
            targets: parse_addresses(&self.targets, run)?,
            replace: parse_addresses(&self.replace, run)?,
            destroy: false,
        };
        let named = options.targets.iter().chain(&options.replace);
        let declared = world.loaded.stack.resources.iter().map(|declared| &declared.address);
        must_be_known(run, named, &declared.collect(), "is not in the stack")?;
        Ok(options)
    }
}

/// Says which address may be meant by a name alone.
fn whole(run: &Run<'_>, world: &World, text: &str) -> Result<(), Failed> {
    if text.parse::<Address>().is_ok() {
        return Ok(());
    }
    let named = world.loaded.stack.resources.iter().map(|declared| &declared.address);
    let named: Vec<String> = named.filter(|a| a.name == text).map(ToString::to_string).collect();
    if named.is_empty() {
        return Ok(());
    }
    let problem = Diagnostic::error("Not an address").detail(format!("`{text}` is a name alone."));
    Err(run.trouble(&problem.hint(format!("did you mean {}?", named.join(" or ")))))
}

/// Refuses an address that nothing has, with the nearest one that something does.
pub(super) fn must_be_known<'a>(
    run: &Run<'_>,
    mut named: impl Iterator<Item = &'a Address>,
    known: &BTreeSet<&Address>,
    why: &str,
) -> Result<(), Failed> {
    let Some(unknown) = named.find(|address| !known.contains(address)) else { return Ok(()) };
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let text = unknown.to_string();
    let near = ipai_core::diagnostic::nearest(&text, names.iter().map(String::as_str));
    let mut problem = Diagnostic::error("No such resource").detail(format!("`{text}` {why}."));
    problem.hint = near.map(|near| format!("did you mean {near}?"));
    Err(run.trouble(&problem))
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let options = arguments.subset.options(run, &world)?;
    let progress = Progress::new(run, false);
    let planned = world.plan(run, &options, &progress).await;
    if let Ok(planned) = &planned {
        run.say_all(&planned.proposal.problems, &world.loaded.sources);
    }
    let exposure = planned.as_ref().map(|planned| planned.exposure(&world)).unwrap_or_default();
    let sources = world.loaded.sources.clone();
    world.close().await;
    let proposal = planned?.proposal;
    let plan = proposal.plan;
    let code = Ending::of_plan(&plan).code(arguments.detailed_exitcode);
    // Before the plan is shown: it tells the exit code, and this may change it.
    arguments.out.iter().try_for_each(|path| save(run, &plan, &exposure, path))?;
    let found = Found { exposure: &exposure, problems: &proposal.problems, sources: &sources };
    print(run, arguments.form.format(), &plan, &found, code);
    arguments.out.iter().for_each(|path| tell_saved(run, path));
    Ok(code)
}

/// What is told beside a plan.
#[derive(Clone, Copy)]
struct Found<'a> {
    exposure: &'a [(Exposed, Turn)],
    problems: &'a [Diagnostic],
    sources: &'a Sources,
}

fn print(run: &Run<'_>, form: Format, plan: &Plan, found: &Found<'_>, code: u8) {
    let options = PlanOptions::calling(run.ipai());
    match form {
        Format::Json => json(run, plan, found, code),
        Format::Markdown => {
            let all = run.command("plan -v");
            run.print(&report::plan_markdown(plan, found.exposure, &run.output, &options, &all));
        }
        Format::Text => {
            run.print_plan(plan, &options);
            run.print(&report::exposure_text(found.exposure, &run.output));
        }
        Format::Html => {
            run.print_by(|output| report::plan_html(output, plan, found.exposure, &options));
        }
    }
}

/// A saved plan in Terraform's shape.
pub(super) fn saved_json(run: &Run<'_>, saved: &SavedPlan) {
    let (sources, exposure) = (Sources::default(), &saved.exposure);
    json(run, &saved.plan, &Found { exposure, problems: &[], sources: &sources }, exit::OK);
}

/// The plan in Terraform's shape.
fn json(run: &Run<'_>, plan: &Plan, found: &Found<'_>, exit_code: u8) {
    let now = now();
    let facts = PlanFacts {
        ipai_version: env!("CARGO_PKG_VERSION"),
        timestamp: Some(&now),
        config_hash: None,
        exit_code,
        errored: false,
        diagnostics: found.problems,
        exposure: found.exposure,
    };
    run.print_by(|output| report::write_plan_json(output, plan, &facts, found.sources));
}

/// Tells whether a file is a saved plan, or empty.
fn is_plan(path: &Path) -> bool {
    let text = crate::text_file::read(path).unwrap_or_default();
    let words = text.trim_start();
    words.is_empty() || words.get(..100).unwrap_or(words).contains("\"ipai-plan\"")
}

fn save(
    run: &Run<'_>,
    plan: &Plan,
    exposure: &[(Exposed, Turn)],
    path: &Path,
) -> Result<(), Failed> {
    if path.is_file() && !is_plan(path) {
        let problem = Diagnostic::error("The plan cannot be saved")
            .detail(format!("{} is there already, and is no saved plan.", path.display()));
        return Err(run.trouble(&problem.hint("name another file, or remove that one")));
    }
    let text = SavedPlan::new(plan.clone(), exposure, env!("CARGO_PKG_VERSION")).to_text();
    std::fs::write(path, text).map_err(|error| {
        run.trouble(
            &Diagnostic::error("The plan cannot be saved")
                .detail(format!("{}: {error}", path.display())),
        )
    })
}

fn tell_saved(run: &Run<'_>, path: &Path) {
    let shown = path.display().to_string();
    // Where a program reads along, it knows what comes next.
    if run.edges.variable("IPAI_IN_AUTOMATION").is_some() {
        return run.remark(&format!("\nSaved the plan to {shown}."));
    }
    let next = run.command(&format!("apply {}", super::shell_word(&shown)));
    run.remark(&format!("\nSaved the plan to {shown}. To do exactly this:\n  {next}"));
}
