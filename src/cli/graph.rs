//! `ipai graph`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use ipai_core::desired::compile;

use super::world::open_stack;
use super::{Failed, Outcome, Run, exit, show};
use crate::report::Graph;

/// Draw the stack's resources and what each needs; contacts nobody.
///
/// Arrows go from a resource to what it needs, by a reference or by `after`, as Terraform draws them. With a saved plan,
/// colours tell what it does to each resource; what it deletes is no longer declared and has no arrows.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops graph | dot -Tpng -o stack.png\n  ipai graph reviewed.plan --format mermaid\n  ipai graph reviewed.plan --format svg > plan.svg"
)]
pub(super) struct Arguments {
    /// Draw this saved plan.
    #[arg(value_name = "PLANFILE")]
    file: Option<PathBuf>,
    /// For which program.
    #[arg(long, value_enum, default_value = "dot")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Graphviz.
    Dot,
    /// Mermaid, which GitHub draws in a block of that name.
    Mermaid,
    /// A picture, for a browser or a page.
    Svg,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let graph = match &arguments.file {
        Some(file) => Graph::of_plan(&show::read(run, file, None)?.plan),
        None => of_stack(run)?,
    };
    run.print(&match arguments.format {
        Format::Dot => graph.dot(),
        Format::Mermaid => graph.mermaid(),
        Format::Svg => graph.svg(),
    });
    Ok(exit::OK)
}

fn of_stack(run: &Run<'_>) -> Result<Graph, Failed> {
    let loaded = open_stack(run)?;
    run.say_all(&loaded.warnings, &loaded.sources);
    let (desired, _) = loaded.with_inputs(&BTreeMap::new(), compile);
    Ok(Graph::of_stack(&desired.stack.to_string(), &desired.resources))
}
