//! `ipai show`

use std::path::{Path, PathBuf};

use ipai_core::plan::SavedPlan;
use ipai_core::{Diagnostic, StackId};

use super::plan::{exit_code, json};
use super::{Failed, Outcome, Run, exit};
use crate::report::{self, PlanOptions};

/// Show a saved plan.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The plan file.
    file: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let saved = read(run, &arguments.file, None)?;
    if arguments.json {
        let code = exit_code(&saved.plan, true);
        run.print(&json(&saved.plan, code));
    } else {
        run.print(&report::plan_text(&saved.plan, &run.output, &PlanOptions::default()));
    }
    Ok(exit::OK)
}

/// Reads a plan file, of this stack when one is given.
pub(super) fn read(
    run: &Run<'_>,
    path: &Path,
    stack: Option<&StackId>,
) -> Result<SavedPlan, Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let detail = format!("{} cannot be read: {error}", path.display());
        run.problem(
            Diagnostic::error("No such plan file")
                .detail(detail)
                .hint("make one: ipai plan --out FILE"),
        )
    })?;
    SavedPlan::read(&text, stack).map_err(|problem| run.problem(problem))
}
