//! `ipai show`

use std::path::{Path, PathBuf};

use ipai_core::plan::SavedPlan;
use ipai_core::{Diagnostic, StackId};

use super::form::{Form, Format};
use super::plan::saved_json;
use super::{Failed, Outcome, Run, exit, shell_word};
use crate::report::{self, PlanOptions};

/// Show a saved plan.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai show reviewed.plan\n  ipai show reviewed.plan --format markdown    # for a comment on a pull request"
)]
pub(super) struct Arguments {
    /// The plan file.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
}

impl Arguments {
    /// What `apply FILE --dry-run` asks for.
    pub(super) fn dry(file: &Path, json: bool) -> Self {
        Self { file: file.to_owned(), form: Form::of(json) }
    }
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let saved = read(run, &arguments.file, None)?;
    let (plan, exposure, options) = (&saved.plan, &saved.exposure, PlanOptions::default());
    match arguments.form.format() {
        Format::Json => saved_json(run, &saved),
        Format::Text => {
            run.print_plan(plan, &options);
            run.print(&report::exposure_text(exposure, &run.output));
        }
        Format::Html => run.print_by(|output| report::plan_html(output, plan, exposure, &options)),
        Format::Markdown => {
            let file = shell_word(&arguments.file.display().to_string());
            let all = format!("ipai show -v {file}");
            run.print(&report::plan_markdown(plan, exposure, &run.output, &options, &all));
        }
    }
    Ok(exit::OK)
}

/// Reads a plan file, of this stack when one is given.
pub(super) fn read(
    run: &Run<'_>,
    path: &Path,
    stack: Option<&StackId>,
) -> Result<SavedPlan, Failed> {
    let text = crate::text_file::read_some(path).map_err(|error| {
        let detail = format!("{} cannot be read: {error}", path.display());
        run.problem(
            Diagnostic::error("No such plan file")
                .detail(detail)
                .hint(format!("make one: {}", run.command("plan --out FILE"))),
        )
    })?;
    SavedPlan::read(&text, stack).map_err(|problem| run.problem(problem))
}
