//! `docker run`: a command in a container of its own that is gone afterwards.

use super::super::args::{Parsed, switch, valued};
use super::{Docker, Failure, Outcome};

impl Docker<'_> {
    /// Runs `docker run --rm IMAGE COMMAND…`; what stays is not simulated.
    pub(super) fn run_once(&self, arguments: &[String]) -> Outcome {
        let known = [
            switch(&["--rm"]),
            switch(&["--interactive", "-i"]),
            valued(&["--entrypoint"]),
            valued(&["--network"]),
        ];
        let parsed = Parsed::read(arguments, &known, true).map_err(Failure::usage)?;
        let Some((image, command)) = parsed.words.split_first().filter(|_| parsed.has("--rm"))
        else {
            return Err(Failure::usage("only `docker run --rm IMAGE` is simulated"));
        };
        self.engine(|engine| match engine.image(image) {
            Some(_) => Ok(()),
            None => engine.pull(image, &self.faults).map_err(Failure::engine),
        })??;
        let program = parsed.value("--entrypoint").map(str::to_owned);
        let words: Vec<String> = program.into_iter().chain(command.iter().cloned()).collect();
        self.answer("run", image, "a container", &words)
    }
}
