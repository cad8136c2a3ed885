//! `ipai validate`

use super::world::open_stack;
use super::{Outcome, Run, exit};

/// Check the stack's files; contacts nobody.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(run: &Run<'_>, _arguments: &Arguments) -> Outcome {
    let loaded = open_stack(run)?;
    let (resources, secrets) = (loaded.stack.resources.len(), loaded.stack.secrets.len());
    run.say_all(&loaded.warnings, &loaded.sources);
    run.print(&format!(
        "Success! The stack `{}` is valid: {resources} resources, {secrets} secrets.\n",
        loaded.stack.id
    ));
    Ok(exit::OK)
}
