//! The program that takes and restores backups on a host, called from here.

use std::time::Duration;

use ipai_core::{Address, Fault, Outputs, RemoteError};

use crate::connections::{Connections, run};
use crate::failure;
use crate::session::{Command, Output, quote};

/// How long one answer of the program may take: a repository far away may be slow to list.
const LIMIT: Duration = Duration::from_secs(300);
/// The exit code that says that the host has no such program.
pub const NO_PROGRAM: i32 = 127;

/// Shell text that calls the program at `path` with these words.
#[must_use]
pub fn backup_command(path: &str, words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!(" {}", quote(word))).collect();
    format!("sh \"${{IPAI_ROOT-}}\"{}{words}", quote(path))
}

/// What the program has said so far.
#[derive(Clone, Debug, Default)]
pub struct BackupTalk {
    /// Its exit code, once a job has ended.
    pub ended: Option<i32>,
    /// Why it failed.
    pub error: Option<String>,
    /// What can be done about that.
    pub hint: Option<String>,
    /// What else it told ipai: lines that begin with `@`, without that.
    told: Vec<String>,
    /// How many lines of a job's log have been read.
    lines: usize,
}

/// What a line is to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The name of the phase that begins.
    Phase(String),
    /// Words for them.
    Words(String),
    /// Nothing.
    Noted,
}

impl BackupTalk {
    /// Takes all lines of a text in.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut talk = Self::default();
        for line in text.lines() {
            let _ = talk.take(line);
        }
        talk
    }

    /// Takes a line in.
    pub fn take(&mut self, line: &str) -> Heard {
        let ends = line.strip_prefix("@ended ");
        self.lines += usize::from(ends.is_none());
        if let Some(code) = ends {
            self.ended = Some(code.parse().unwrap_or(1));
            return Heard::Noted;
        }
        let Some(told) = line.strip_prefix('@') else { return Heard::Words(line.to_owned()) };
        let (word, rest) = told.split_once(' ').unwrap_or((told, ""));
        match word {
            // The second since 1970 at which it begins comes first.
            "phase" => {
                return Heard::Phase(
                    rest.split_once(' ').map_or(rest, |(_, name)| name).to_owned(),
                );
            }
            "error" => self.error = Some(rest.to_owned()),
            "hint" => self.hint = Some(rest.to_owned()),
            _ => self.told.push(told.to_owned()),
        }
        Heard::Noted
    }

    /// What it told under a word.
    pub fn about<'s>(&'s self, word: &'s str) -> impl Iterator<Item = &'s str> {
        self.told.iter().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    /// The line of a job's log that comes next, counted from 1.
    #[must_use]
    pub fn next_line(&self) -> usize {
        self.lines + 1
    }

    /// Why it failed, as an error; `hint` when it gave none.
    pub(crate) fn into_error(self, doing: &'static str, hint: &str) -> RemoteError {
        let cause = self.error.as_deref().unwrap_or("it ended without a word");
        let error = RemoteError::new(Fault::Refused, doing, failure::readable(cause));
        error.hint(self.hint.as_deref().unwrap_or(hint))
    }
}

impl Connections {
    /// Asks the program at `path` and waits for its answer.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn ask_backup(
        &self,
        home: &Address,
        outputs: &Outputs,
        path: &str,
        words: &[&str],
    ) -> Result<Output, RemoteError> {
        let there = format!("[ -e \"${{IPAI_ROOT-}}\"{} ] || exit {NO_PROGRAM}", quote(path));
        let text = format!("{there}; {}", backup_command(path, words));
        self.ask_shell(home, outputs, &text).await
    }

    /// Runs shell text and waits for its end.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn ask_shell(
        &self,
        home: &Address,
        outputs: &Outputs,
        text: &str,
    ) -> Result<Output, RemoteError> {
        let place = self.place(home, outputs)?;
        let link = self.link(home);
        let command = Command::new("ask about backups", format!("({text})\n"), LIMIT);
        run(&mut *link.lock().await, self.settings(), &place, &command).await
    }
}
