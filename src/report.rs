//! From values to text: plans, events, problems. Nothing here prints, waits or reads a clock; callers decide
//! where the text goes.

mod change;
mod clean;
mod diagnostics;
mod diff;
mod event_text;
mod exposure;
mod feed;
mod fold;
mod github;
mod graph;
mod locks;
mod markdown;
mod markdown_details;
mod markup;
mod page;
mod place;
mod plan_html;
mod plan_json;
mod plan_markdown;
mod plan_text;
mod problem_json;
mod remote;
mod sections;
mod summary;
mod timeline;
mod timings;
mod value;
mod verbs;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use clean::{clean, json_text, one_line, tame_commands};
pub use diagnostics::{diagnostic, diagnostics};
pub use event_text::{duration, event_line, running_line, running_total, words as event_words};
pub use exposure::{exposure_json, exposure_text};
pub use feed::{
    apply_result, event_message, exit_message, plan_messages, problem_message, version_message,
};
pub use github::annotations;
pub use graph::Graph;
pub use locks::{lock_line, locked_message, locks_json, release_json};
pub use plan_html::plan_html;
pub use plan_json::{PlanFacts, write_plan_json};
pub use plan_markdown::plan_markdown;
pub use plan_text::{PlanOptions, plan_text, write_plan_text};
pub use problem_json::{diagnostic_json, diagnostics_json, remote_error_json, validation_json};
pub use remote::remote_error;
pub use sections::number;
pub use summary::apply_summary;
pub use timeline::{Moment, Timeline};
pub use timings::{timings_message, timings_text};
pub(crate) use value::size;

/// How text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are used. Text never depends on them.
    pub colour: bool,
    /// Columns of the terminal. Only what is shortened anyway is fitted into it.
    pub width: usize,
    /// Whether everything is shown in full.
    pub verbose: bool,
    /// Whether long prose is broken into lines of that width: at a terminal, and nowhere else.
    pub folds: bool,
}

/// Prose beside columns has at least so much room.
const NARROWEST: usize = 24;
/// How far in prose begins that found no room beside its columns.
const FAR_LEFT: usize = 8;

impl Style {
    /// No colours, 100 columns, long things shortened: what a pipe or a log gets.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colour: false, width: 100, verbose: false, folds: false }
    }

    /// A text whose long lines are broken, where they are to be, with room left for what stands before them.
    pub(crate) fn folded<'t>(&self, text: &'t str, before: usize) -> std::borrow::Cow<'t, str> {
        match self.folds {
            true => fold::fold(text, self.columns().saturating_sub(before)).into(),
            false => text.into(),
        }
    }

    /// A line that ends in prose behind columns. Where long lines are to be broken, the prose goes on below itself, or
    /// further left when that would leave it too little room.
    pub(crate) fn row(&self, columns: &str, prose: &str) -> String {
        let width = columns.chars().count();
        if !self.folds || width + prose.chars().count() <= self.columns() {
            return format!("{columns}{prose}\n");
        }
        let room = self.columns().saturating_sub(width);
        let (first, indent, room) = match room >= NARROWEST {
            true => (columns.to_owned(), width, room),
            false => (format!("{}\n", columns.trim_end()), FAR_LEFT, self.columns() - FAR_LEFT),
        };
        let lines = fold::fold(prose, room).replace('\n', &format!("\n{:indent$}", ""));
        match first.ends_with('\n') {
            true => format!("{first}{:indent$}{lines}\n", ""),
            false => format!("{first}{lines}\n"),
        }
    }

    /// The width that is laid out for: no terminal is so narrow that nothing could be said.
    fn columns(&self) -> usize {
        self.width.max(40)
    }
}
