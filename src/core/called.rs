//! How the program was called, for hints that are to be pasted into a shell.

use std::sync::OnceLock;

static CALLED: OnceLock<String> = OnceLock::new();

/// Says once how this run was called: `ipai` with the options that choose stack, environment and sandbox.
pub fn set_called(text: String) {
    // The first call counts; nobody has to be told.
    let _ = CALLED.set(text);
}

/// A command of ipai's for the stack that this run is about, such as `ipai -C stacks/ops apply`.
#[must_use]
pub fn called(words: &str) -> String {
    format!("{} {words}", CALLED.get().map_or("ipai", String::as_str))
}
