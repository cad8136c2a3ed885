//! `ipai explain`

mod sections;

use ipai_core::desired::in_words;
use ipai_core::resource::{Change, Default, ResourceType};
use ipai_core::{Attribute, Diagnostic, diagnostic};

use super::{Outcome, Run, exit};
use crate::providers;

/// Explain a resource type or a section of the stack: what it may say, what a change costs, an example.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai explain\n  ipai explain cloudflare.dns_record\n  ipai explain digitalocean.droplet.image\n  ipai explain secret.generate"
)]
pub(super) struct Arguments {
    /// `provider.type`, `provider.type.attribute`, a section or `section.key`; without it, all are listed.
    name: Option<String>,
    /// Print the manual of every type as Markdown.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let types = providers::types();
    if arguments.markdown {
        run.print(&markdown(&types));
        return Ok(exit::OK);
    }
    let Some(name) = &arguments.name else {
        let line = |t: &dyn ResourceType| {
            let name = format!("{}.{}", t.provider(), t.name());
            run.output.row(&format!("  {name:26} "), t.summary())
        };
        run.print(&format!(
            "Resource types:\n\n{}\nOther sections:\n\n{}\nipai explain TYPE, or SECTION, says more.\n",
            types.iter().map(line).collect::<String>(),
            sections::list(run)
        ));
        return Ok(exit::OK);
    };
    if let Some(section) = sections::find(name) {
        return sections::explain(run, section, name);
    }
    let mut parts = name.splitn(3, '.');
    let (provider, kind, attribute) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
    let Some(found) = types.iter().find(|t| t.provider() == provider && t.name() == kind) else {
        return Err(run.problem(unknown(&types, name)));
    };
    match attribute {
        None => run.print(&laid_out(run, &manual(found))),
        Some(key) => match found.schema().iter().find(|attribute| attribute.name == key) {
            Some(attribute) => run.print(&laid_out(run, &describe(attribute))),
            None => {
                let near =
                    diagnostic::nearest(key, found.schema().iter().map(|attribute| attribute.name));
                let mut problem = Diagnostic::error("No such attribute")
                    .detail(format!("`{provider}.{kind}` has no `{key}`."));
                let all =
                    || found.schema().iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
                problem.hint = Some(match near {
                    Some(near) => format!("did you mean {provider}.{kind}.{near}?"),
                    None => format!("it has: {}", all()),
                });
                return Err(run.problem(problem));
            }
        },
    }
    Ok(exit::OK)
}

/// At a terminal long lines are broken; an example is left as it is.
fn laid_out(run: &Run<'_>, text: &str) -> String {
    let (manual, example) = text.split_at(text.find(EXAMPLE).unwrap_or(text.len()));
    format!("{}{example}", run.output.folded(manual, 0))
}

/// A name that is none, with what may be meant: a name that is near, or those that it is a part of.
fn unknown(types: &ipai_core::Types, name: &str) -> Diagnostic {
    let mut names: Vec<String> =
        types.iter().map(|t| format!("{}.{}", t.provider(), t.name())).collect();
    let part = name.split('.').next().unwrap_or_default();
    let within = |whole: &&String| whole.split('.').any(|one| one == part);
    let meant: Vec<&str> = names.iter().filter(within).map(String::as_str).collect();
    let meant = meant.join(", or: ipai explain ");
    names.extend(sections::names());
    names.dedup();
    let known = names.iter().map(String::as_str);
    let whole = name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let near = diagnostic::nearest(&whole, known);
    Diagnostic::error("No such resource type or section")
        .detail(format!("`{name}` is unknown."))
        .hint(match (near, meant.is_empty()) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, false) => format!("ipai explain {meant}"),
            (None, true) => format!("known: {}", names.join(", ")),
        })
}

/// What comes before the example of a manual page.
const EXAMPLE: &str = "\nExample:\n";

/// The whole manual page of a type; the README's reference is made of these.
pub(super) fn manual(kind: &dyn ResourceType) -> String {
    let mut text =
        format!("{}.{}\n\n{}\n\nAttributes:\n", kind.provider(), kind.name(), kind.summary());
    kind.schema().iter().for_each(|attribute| text.push_str(&describe(attribute)));
    text.push_str("  after\n      An array of addresses of this stack that must be done before. Every type takes it.\n");
    if !kind.outputs().is_empty() {
        text.push_str("\nOutputs, for other resources to use:\n");
        kind.outputs()
            .iter()
            .for_each(|(name, doc)| text.push_str(&format!("  {name}\n      {doc}\n")));
    }
    text.push_str(&format!("{EXAMPLE}\n{}\n", kind.example().trim_end()));
    text
}

/// The reference in `docs/reference.md`.
fn markdown(types: &ipai_core::Types) -> String {
    let mut text = String::from(
        "# Resource types, and the other sections of a stack\n\n<!-- Made by `ipai explain --markdown`; a test keeps it true. -->\n",
    );
    for kind in types.iter() {
        text.push_str(&format!(
            "\n## `{}.{}`\n\n{}\n\n",
            kind.provider(),
            kind.name(),
            kind.summary()
        ));
        text.push_str("| Attribute | Takes | Default | A change |\n|---|---|---|---|\n");
        for attribute in kind.schema() {
            let (default, cost) = (default(attribute), cost(attribute.change));
            let takes = in_words(&attribute.kind).replace('|', "\\|");
            text.push_str(&format!("| `{}` | {takes} | {default} | {cost} |\n", attribute.name));
        }
        text.push('\n');
        for attribute in kind.schema() {
            text.push_str(&format!("- `{}`: {}\n", attribute.name, attribute.doc));
        }
        if !kind.outputs().is_empty() {
            text.push_str("\nOutputs, for other resources to use:\n\n");
            kind.outputs()
                .iter()
                .for_each(|(name, doc)| text.push_str(&format!("- `{name}`: {doc}\n")));
        }
        text.push_str(&format!("\n```toml\n{}\n```\n", kind.example().trim()));
    }
    text + &sections::markdown()
}

fn describe(attribute: &Attribute) -> String {
    let (default, cost) = (default(attribute), cost(attribute.change));
    format!(
        "  {}\n      {} Takes {}; {default}; {cost}.\n",
        attribute.name,
        attribute.doc,
        in_words(&attribute.kind)
    )
}

fn default(attribute: &Attribute) -> String {
    match attribute.default {
        Default::Required => "required".to_owned(),
        Default::Absent => "optional".to_owned(),
        Default::Bool(truth) => format!("default {truth}"),
        Default::Int(int) => format!("default {int}"),
        Default::Text(text) => format!("default \"{text}\""),
        Default::EmptyList => "default []".to_owned(),
        Default::EmptyMap => "default {}".to_owned(),
    }
}

/// What a change costs, in words.
pub(super) fn cost(change: Change) -> &'static str {
    match change {
        Change::Update => "changed in place",
        Change::Replace => "a change replaces the object",
        Change::Birth => "used only when the object is created",
        Change::Local => "steers ipai only",
    }
}
