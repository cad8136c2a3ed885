//! The sections of a stack that are no resources.

use ipai_core::sections::{Key, SECTIONS, Section};
use ipai_core::{Diagnostic, diagnostic};

use super::super::{Outcome, Run, exit};

/// A line for each.
pub(super) fn list(run: &Run<'_>) -> String {
    let line = |section: &Section| {
        let end = section.summary.find(['.', ':']).unwrap_or(section.summary.len());
        let summary = format!("{}.", &section.summary[..end]);
        run.output.row(&format!("  {:26} ", section.header), &summary)
    };
    SECTIONS.iter().map(line).collect()
}

pub(super) fn names() -> impl Iterator<Item = String> {
    SECTIONS.iter().map(|section| section.name().to_owned())
}

/// The section that `secret`, `[secret]`, `secret.NAME` or `secret.generate` speaks of.
pub(super) fn find(name: &str) -> Option<&'static Section> {
    let name = name.trim_matches(['[', ']']);
    let first = name.split('.').next()?;
    let of = |section: &&Section| section.name() == first;
    // `backup.service` is a section of its own within another.
    let depth = |section: &&Section| {
        let parts = section.header.split('.').filter(|part| *part != "NAME").count();
        let same = section.header.split('.').zip(name.split('.')).take(parts);
        if same.clone().count() == parts && same.into_iter().all(|(a, b)| a == b) {
            parts
        } else {
            0
        }
    };
    SECTIONS.iter().filter(of).max_by_key(depth)
}

/// Prints a section, or one of its keys with what lies in it.
pub(super) fn explain(run: &Run<'_>, section: &Section, name: &str) -> Outcome {
    let name = name.trim_matches(['[', ']']);
    let key = name.split_once('.').map(|(_, key)| key).filter(|_| name != section.header);
    let Some(key) = key else {
        run.print(&super::laid_out(run, &manual(section)));
        return Ok(exit::OK);
    };
    let within =
        |name: &str| name == key || name.split_once('.').is_some_and(|(all, _)| all == key);
    let found = section.keys.iter().filter(|key| within(key.name));
    let text: String = found.map(describe).collect();
    if text.is_empty() {
        let first = section.name();
        let mut problem = Diagnostic::error("No such key")
            .detail(format!("`[{}]` has no `{key}`.", section.header));
        let near = diagnostic::nearest(key, section.keys.iter().map(|key| key.name));
        problem.hint = near.map(|near| format!("did you mean {first}.{near}?"));
        return Err(run.problem(problem));
    }
    run.print(&super::laid_out(run, &text));
    Ok(exit::OK)
}

fn manual(section: &Section) -> String {
    let keys: String = section.keys.iter().map(describe).collect();
    let keys = if keys.is_empty() { keys } else { format!("Keys:\n{keys}\n") };
    let Section { header, summary, example, .. } = section;
    format!("[{header}]\n\n{summary}\n\n{keys}Example:\n\n{example}\n")
}

fn describe(Key { name, doc, .. }: &Key) -> String {
    format!("  {name}\n      {doc}\n")
}

/// Their part of `docs/reference.md`.
pub(super) fn markdown() -> String {
    let one = |section: &Section| {
        let key = |Key { name, doc, .. }: &Key| format!("- `{name}`: {doc}\n");
        let keys: String = section.keys.iter().map(key).collect();
        let keys = if keys.is_empty() { keys } else { keys + "\n" };
        let Section { header, summary, example, .. } = section;
        format!("\n## `[{header}]`\n\n{summary}\n\n{keys}```toml\n{example}\n```\n")
    };
    SECTIONS.iter().map(one).collect()
}
