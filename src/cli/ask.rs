//! Questions to a person.

use std::io::{BufRead, Write};

use super::locked::stopped;
use super::{Failed, Run};
use crate::bars;
use crate::stop::Stop;

impl Run<'_> {
    /// Asks for the word; anything else is a no.
    pub(super) fn confirm(&self, question: &str, word: &str, instead: &str) -> Result<(), Failed> {
        self.can_ask(instead)?;
        verdict(read_answer(question, word), word)
    }

    /// The same, unless a stop is asked for before there is an answer.
    pub(super) async fn confirm_unless(
        &self,
        stop: &Stop,
        question: &str,
        word: &str,
        instead: &str,
    ) -> Result<(), Failed> {
        self.can_ask(instead)?;
        let (question, wanted) = (question.to_owned(), word.to_owned());
        // Nothing can end a read from a terminal, so it is left behind on a thread of its own.
        let answer = tokio::task::spawn_blocking(move || read_answer(&question, &wanted));
        tokio::select! {
            answer = answer => verdict(answer.ok().flatten(), word),
            code = stop.requested() => Err(stopped(code)),
        }
    }

    /// Asks for a value until one can be used, three times at most; an empty answer means the usual one.
    pub(super) fn answer<T>(
        &self,
        question: &str,
        usual: &str,
        instead: &str,
        read: impl Fn(&str) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.can_ask(instead)?;
        let mut tries = 3;
        loop {
            let Some(answer) = read_line(&format!("{question} [{usual}]: ")) else {
                return Err(Failed::new("Cancelled. Nothing was changed."));
            };
            let text = answer.trim();
            tries -= 1;
            match read(if text.is_empty() { usual } else { text }) {
                Err(failed) if tries > 0 => self.say(&failed.text),
                outcome => return outcome,
            }
        }
    }

    fn can_ask(&self, instead: &str) -> Result<(), Failed> {
        if self.edges.can_ask {
            return Ok(());
        }
        let text =
            format!("error: nobody can be asked here, so nothing was changed\n  hint: {instead}");
        Err(Failed::new(text))
    }
}

fn read_answer(question: &str, word: &str) -> Option<String> {
    let text =
        format!("\n{question}\n  Only '{word}' will be accepted to approve.\n\n  Enter a value: ");
    read_line(&text)
}

/// What is typed after this text; nothing where no more comes.
fn read_line(text: &str) -> Option<String> {
    let _pause = bars::pause();
    // Standard error is not kept locked while waiting: others may have to say something.
    let _ = std::io::stderr().write_all(text.as_bytes());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).ok()?;
    (read > 0).then_some(answer)
}

fn verdict(answer: Option<String>, word: &str) -> Result<(), Failed> {
    if answer.is_some_and(|answer| answer.trim() == word) {
        return Ok(());
    }
    Err(Failed::new("Cancelled. Nothing was changed."))
}
