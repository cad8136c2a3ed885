//! `ipai validate`

use serde_json::Value as Json;

use super::world::open_stack_to_check;
use super::{Outcome, Run, exit};
use crate::report;

/// Check the stack's files; contacts nobody.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops validate\n  ipai --env staging validate --json"
)]
pub(super) struct Arguments {
    /// Print what was found as JSON, in the shape of `terraform validate -json`.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let print = |problems: &Json, code| {
        let document = report::validation_json(problems, code);
        run.print(&format!("{}\n", report::json_text(&document, true)));
    };
    let loaded = match open_stack_to_check(run) {
        Err(failed) if arguments.json => {
            print(&Json::Array(failed.problems.clone()), failed.code);
            return Err(failed);
        }
        outcome => outcome?,
    };
    if arguments.json {
        print(&report::diagnostics_json(&loaded.warnings, &loaded.sources), exit::OK);
        return Ok(exit::OK);
    }
    let (resources, secrets) = (loaded.stack.resources.len(), loaded.stack.secrets.len());
    run.say_all(&loaded.warnings, &loaded.sources);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    run.print(&format!(
        "Success! The stack `{}` is valid: {resources} resource{}, {secrets} secret{}.\n",
        loaded.stack.id,
        plural(resources),
        plural(secrets)
    ));
    Ok(exit::OK)
}
