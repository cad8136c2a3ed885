//! `ipai man`

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use ipai_core::Diagnostic;

use super::{Outcome, Run, exit};

/// Print ipai's manual page, or write the pages of all commands into a folder.
///
/// Pages bear today's date, or the one of the variable SOURCE_DATE_EPOCH.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai man | man -l -\n  ipai man --dir ~/.local/share/man/man1 && man ipai-plan"
)]
pub(super) struct Arguments {
    /// Write a page for each command, such as ipai-plan.1, into this folder.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// How many lines say, before everything else, what an apostrophe is.
const PREAMBLE: usize = 2;

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    // Built, so that every command knows its full name; the pages are no place for the words of `ipai help`.
    let mut ipai = super::Arguments::command().disable_help_subcommand(true);
    ipai.build();
    let written = match &arguments.dir {
        None => page(ipai, &date(run)).map(|(_, text)| run.print(&text)),
        Some(folder) => {
            std::fs::create_dir_all(folder).and_then(|()| write(&ipai, folder, &date(run)))
        }
    };
    written.map_err(|error| {
        let place = arguments.dir.as_deref().unwrap_or(Path::new("the page")).display();
        let problem = Diagnostic::error("Cannot write the manual");
        run.problem(problem.detail(format!("{place}: {error}")))
    })?;
    Ok(exit::OK)
}

/// The day that the pages bear: today, unless who packs ipai names the second, so that equal builds give equal pages.
fn date(run: &Run<'_>) -> String {
    let named = run.edges.variable("SOURCE_DATE_EPOCH").and_then(|second| second.parse().ok());
    let named = named.and_then(|second| chrono::DateTime::from_timestamp(second, 0));
    named.unwrap_or_else(|| std::time::SystemTime::now().into()).format("%Y-%m-%d").to_string()
}

/// Writes the page of a command and of each one within it.
fn write(command: &clap::Command, folder: &Path, date: &str) -> io::Result<()> {
    let (name, text) = page(command.clone(), date)?;
    std::fs::write(folder.join(name), text)?;
    let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    inner.try_for_each(|inner| write(inner, folder, date))
}

/// The name of a command's page, and its text.
fn page(command: clap::Command, date: &str) -> io::Result<(String, String)> {
    let examples = command.get_after_help().map(|help| examples(&help.to_string()));
    let has_commands = command.has_subcommands();
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command).date(date).source(format!("ipai {version}")).manual("ipai");
    let mut bytes = Vec::new();
    man.render_title(&mut bytes)?;
    man.render_name_section(&mut bytes)?;
    man.render_synopsis_section(&mut bytes)?;
    man.render_description_section(&mut bytes)?;
    man.render_options_section(&mut bytes)?;
    if has_commands {
        man.render_subcommands_section(&mut bytes)?;
    }
    examples.map_or(Ok(()), |examples| examples.to_writer(&mut bytes))?;
    Ok((man.get_filename(), tidy(&String::from_utf8_lossy(&bytes))))
}

/// What says nothing is taken out, since linters mind it: each section's preamble but the first, blanks at the end of a
/// line, and breaks around an empty line.
fn tidy(page: &str) -> String {
    let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
    let (preamble, body) = lines.split_at(PREAMBLE.min(lines.len()));
    let body = body.iter().filter(|line| !preamble.contains(line));
    let lines: String = preamble.iter().chain(body).map(|line| format!("{line}\n")).collect();
    lines.replace(".br\n\n.br\n", ".sp\n")
}

/// What a command's help says below `Examples:`, line for line, and after it what else it says.
fn examples(help: &str) -> Roff {
    let help = help.strip_prefix("Examples:\n").unwrap_or(help);
    let (examples, rest) = help.split_once("\n\n").unwrap_or((help, ""));
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    examples.lines().for_each(|line| {
        roff.text([roman(line.trim_start())]);
    });
    roff.control("fi", []);
    if !rest.is_empty() {
        roff.control("PP", []).text([roman(rest)]);
    }
    roff
}
