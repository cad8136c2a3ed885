//! What every command works with: what it was called with, and how it speaks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::ValueEnum as _;
use ipai_core::{Address, Diagnostic, Plan, RemoteError, Sources};

use super::exit::{self, Ending};
use super::{Asked, Global, failure};
use crate::bars;
use crate::edges::Edges;
use crate::load::{Failure, Loaded};
use crate::report::{self, PlanOptions, Style};

/// A command that failed: what to say on standard error, and the exit code.
pub(super) struct Failed {
    pub(super) code: u8,
    pub(super) text: String,
    /// The same for programs: diagnostics, each as JSON.
    pub(super) problems: Vec<serde_json::Value>,
}

pub(super) type Outcome = Result<u8, Failed>;

impl Failed {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code: exit::ERROR, problems: vec![failure::of_text(&text)], text }
    }

    pub(super) fn ending(self, ending: Ending, detailed: bool) -> Self {
        Self { code: ending.code(detailed), ..self }
    }
}

/// How long something is waited for before the terminal shows that it is.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What a command works with.
pub(super) struct Run<'a> {
    pub(super) edges: &'a Edges,
    pub(super) global: Global,
    /// The command's words: `logs`, `secrets set`.
    pub(super) verb: String,
    /// How standard output looks.
    pub(super) output: Style,
    /// How standard error looks.
    pub(super) talk: Style,
    /// Tells whether what runs may be drawn at the end of standard error.
    pub(super) draws: bool,
    /// Set once standard output takes events as JSON lines.
    pub(super) feeds: AtomicBool,
    /// Set once the last of those lines has told the exit code.
    pub(super) told: AtomicBool,
    /// Set when anything was written to standard output.
    pub(super) wrote: AtomicBool,
    /// Set when standard output took not all that it was given.
    pub(super) unwritten: AtomicBool,
}

impl Run<'_> {
    /// Says why a command failed, if it did; gives the exit code.
    pub(super) fn conclude(&self, outcome: Outcome, asked: &Asked) -> u8 {
        match outcome {
            Ok(_) if self.unwritten.load(Ordering::Relaxed) => {
                self.say("error: standard output could not be written to the end");
                exit::ERROR
            }
            Ok(code) => {
                if asked.json && asked.streams {
                    self.close_stream(code);
                }
                code
            }
            Err(failed) => {
                if asked.json {
                    self.print_failure(&failed, asked.streams);
                }
                self.say(&failed.text);
                failed.code
            }
        }
    }

    /// Writes data to standard output. A closed pipe is the reader's choice and no error; a full disk is one.
    pub(super) fn print(&self, text: &str) {
        self.print_by(|output| output.write_all(text.as_bytes()));
    }

    /// The same for what is written as it is made.
    pub(super) fn print_by(&self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
        let written = bars::aside(|| {
            self.wrote.store(true, Ordering::Relaxed);
            let mut output = std::io::BufWriter::new(std::io::stdout().lock());
            write(&mut output).and_then(|()| output.flush())
        });
        if written.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
            self.unwritten.store(true, Ordering::Relaxed);
        }
    }

    /// Writes a plan to standard output as it is composed.
    pub(super) fn print_plan(&self, plan: &Plan, options: &PlanOptions) {
        self.print_by(|output| report::write_plan_text(output, plan, &self.output, options));
    }

    /// Says what is only good to know, unless nobody wants to know it.
    pub(super) fn remark(&self, text: &str) {
        if !self.global.quiet {
            self.say(text);
        }
    }

    /// Writes talk to standard error.
    pub(super) fn say(&self, text: &str) {
        bars::say(text);
    }

    /// A line at the end of the terminal while something takes long that says nothing by itself.
    pub(super) fn waiting(&self, what: &str) -> Option<bars::Line> {
        self.draws.then(|| bars::line(what, bars::Place::Among, PATIENCE))
    }

    pub(super) fn explain(&self, problems: &[Diagnostic], sources: &Sources) -> String {
        self.explain_from(&self.global.folder.display().to_string(), problems, sources)
    }

    /// The same for files whose names begin in `folder`.
    pub(super) fn explain_from(
        &self,
        folder: &str,
        problems: &[Diagnostic],
        sources: &Sources,
    ) -> String {
        let mut text = report::diagnostics(problems, sources, &self.talk);
        if self.edges.is_github() {
            let folder = self.in_workspace(folder);
            text.push_str(&report::annotations(problems, sources, &folder));
        }
        text
    }

    /// A folder as GitHub names it: from the repository's root on.
    fn in_workspace(&self, folder: &str) -> String {
        let own = || {
            let root = self.edges.variable("GITHUB_WORKSPACE")?;
            let root = std::fs::canonicalize(root).ok()?;
            let place = std::fs::canonicalize(if folder.is_empty() { "." } else { folder }).ok()?;
            Some(place.strip_prefix(root).ok()?.display().to_string())
        };
        own().unwrap_or_else(|| folder.to_owned())
    }

    /// Says what is worth mending, if anything is.
    pub(super) fn say_all(&self, warnings: &[Diagnostic], sources: &Sources) {
        if !warnings.is_empty() {
            self.say(&self.explain(warnings, sources));
        }
    }

    pub(super) fn failure(&self, failure: &Failure) -> Failed {
        self.failed(&failure.problems, &failure.sources)
    }

    pub(super) fn failed(&self, problems: &[Diagnostic], sources: &Sources) -> Failed {
        Failed::of(self.explain(problems, sources), report::diagnostics_json(problems, sources))
    }

    pub(super) fn problem(&self, problem: Diagnostic) -> Failed {
        self.all_problems(&[problem])
    }

    /// The same for several that no file shows.
    pub(super) fn all_problems(&self, problems: &[Diagnostic]) -> Failed {
        self.failed(problems, &Sources::default())
    }

    /// A problem that was found after somebody was contacted.
    pub(super) fn trouble(&self, problem: &Diagnostic) -> Failed {
        let nowhere = Sources::default();
        let text = report::diagnostic(problem, &nowhere, &self.talk);
        Failed::of(text, report::diagnostics_json(std::slice::from_ref(problem), &nowhere))
    }

    /// Problems of the stack's files that showed only after somebody was contacted.
    pub(super) fn found(&self, problems: &[Diagnostic], sources: &Sources) -> Failed {
        let texts: Vec<String> =
            problems.iter().map(|one| report::diagnostic(one, sources, &self.talk)).collect();
        Failed::of(texts.join("\n"), report::diagnostics_json(problems, sources))
    }

    pub(super) fn problems(&self, problems: &[Diagnostic], loaded: &Loaded) -> Failed {
        self.failed(problems, &loaded.sources)
    }

    pub(super) fn remote(&self, errors: &[RemoteError]) -> Failed {
        let texts: Vec<String> =
            errors.iter().map(|error| report::remote_error(error, &self.talk)).collect();
        let problems = errors.iter().map(|error| report::remote_error_json(error, None)).collect();
        Failed::of(texts.concat(), problems)
    }

    /// How ipai is called for this stack: with the options that this run was given. To be pasted into a shell.
    pub(super) fn ipai(&self) -> String {
        let Global { folder, environment, sandbox, variables, .. } = &self.global;
        let mut words = vec!["ipai".to_owned()];
        if folder.as_os_str() != "." {
            words.extend(["-C".to_owned(), shell_word(&folder.display().to_string())]);
        }
        words.extend(environment.iter().map(|name| format!("--env {}", shell_word(name))));
        words.extend(sandbox.map(|kind| match kind.to_possible_value() {
            Some(kind) if kind.get_name() != "embedded" => format!("--sandbox={}", kind.get_name()),
            _ => "--sandbox".to_owned(),
        }));
        let variable = |(name, value): &(String, String)| {
            format!("--var {}", shell_word(&format!("{name}={value}")))
        };
        words.extend(variables.iter().map(variable));
        words.join(" ")
    }

    /// A command for this stack, to be pasted into a shell.
    pub(super) fn command(&self, words: &str) -> String {
        format!("{} {words}", self.ipai())
    }

    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        self.global.variables.iter().cloned().collect()
    }
}

/// A text as one word of a shell.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-=,:+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    crate::providers::quote(text)
}

/// The time, RFC 3339 in UTC.
pub(super) fn now() -> String {
    chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

pub(super) fn parse_addresses(
    texts: &[String],
    run: &Run<'_>,
) -> Result<BTreeSet<Address>, Failed> {
    let parse = |text: &String| {
        text.parse().map_err(|error: ipai_core::address::NotAnAddress| {
            run.trouble(
                &Diagnostic::error("Not an address")
                    .detail(error.to_string())
                    .hint("addresses look like digitalocean.droplet.ops"),
            )
        })
    };
    texts.iter().map(parse).collect()
}
