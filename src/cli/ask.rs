//! Questions to a person.

use std::io::{BufRead, Write};

use super::{Failed, Run};

impl Run<'_> {
    /// Asks for the word; anything else is a no.
    pub(super) fn confirm(&self, question: &str, word: &str, instead: &str) -> Result<(), Failed> {
        if !self.edges.can_ask {
            let text = format!(
                "error: nobody can be asked here, so nothing was changed\n  hint: {instead}"
            );
            return Err(Failed::new(text));
        }
        let mut talk = std::io::stderr().lock();
        let _ = write!(
            talk,
            "\n{question}\n  Only '{word}' will be accepted to approve.\n\n  Enter a value: "
        );
        let _ = talk.flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && answer.trim() == word {
            return Ok(());
        }
        Err(Failed::new("Cancelled. Nothing was changed."))
    }
}
