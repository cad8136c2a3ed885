//! The resident program: a small POSIX shell loop that answers one request after the other.
//!
//! It needs `sh` (dash or bash), GNU coreutils and gzip. A script's output goes to files in a
//! folder of its own, so that neither content nor background processes can touch the answer stream,
//! and to new ones each time, so that what an earlier script left running cannot touch the next answer;
//! its standard input passes through a pipe that the program drains, so that a script may read all
//! of it, some of it or nothing. A script that arrives cut short is recognised by its last line,
//! which repeats the nonce, and never run.

use super::quote::{Part, fill, quote};
use super::{Command, MAX_ERROR, MAX_OUTPUT, Sudo};

/// The loop itself, with three places to fill in.
const LOOP: &str = include_str!("program.sh");

/// What a host that serves nobody but ipai may insist on: every command text begins so.
pub const GREETING: &str = ": ipai-host-1; ";

/// The longest command text that carries its first script; see [`crate::ssh::MAX_TEXT`].
const MAX_EMBEDDED: usize = 30_000;

/// How a session begins: the command text, and what follows it on standard input at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) text: String,
    pub(super) stdin: Vec<u8>,
}

/// Embeds the first command in the command text, which saves the round trip that standard input
/// would cost; one that is too long becomes the first request.
pub(super) fn opening(first: &Command, nonce: &str, sudo: bool) -> Opening {
    let embedded =
        format!("ipai_s={}\nipai_run {nonce} {}", quote(&first.script), first.stdin.len());
    let text = text(&embedded, sudo);
    if text.len() <= MAX_EMBEDDED {
        return Opening { text, stdin: first.stdin.clone() };
    }
    Opening { text: self::text(":", sudo), stdin: super::frame::request(first, nonce) }
}

/// Tells whether the program has to be started through sudo.
pub(crate) fn needs_sudo(sudo: Sudo, user: &str) -> bool {
    match sudo {
        Sudo::Always => true,
        Sudo::Never => false,
        Sudo::Auto => user != "root",
    }
}

/// The login shell, whichever it is, only has to start `sh`.
fn text(first: &str, sudo: bool) -> String {
    let (output, error) = (MAX_OUTPUT.to_string(), MAX_ERROR.to_string());
    let parts = [
        ("MAX_OUTPUT", Part::Word(&output)),
        ("MAX_ERROR", Part::Word(&error)),
        ("FIRST", Part::Script(first)),
    ];
    let program = fill(LOOP, &parts);
    let start = if sudo { "exec sudo -n sh -c " } else { "exec sh -c " };
    format!("{GREETING}{start}{}", quote(&program))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn command(script: &str, stdin: &[u8]) -> Command {
        Command::new("test", script, Duration::from_secs(1)).stdin(stdin)
    }

    #[test]
    fn a_short_script_rides_in_the_command_text() {
        let opening = opening(&command("echo 'hi'", b"in"), "n1", false);
        assert!(opening.text.starts_with(": ipai-host-1; exec sh -c '"));
        assert!(opening.text.contains("ipai_run n1 2"));
        assert_eq!(opening.stdin, b"in");
    }

    #[test]
    fn a_long_script_becomes_the_first_request() {
        let opening = opening(&command(&"x".repeat(30_000), b"in"), "n1", true);
        assert!(opening.text.starts_with(": ipai-host-1; exec sudo -n sh -c '"));
        assert!(opening.text.len() < 4_000);
        assert!(opening.stdin.starts_with(b"RUN n1 30004 2\nxxx"));
    }

    #[test]
    fn sudo_is_for_everybody_but_root_unless_told() {
        assert!(needs_sudo(Sudo::Auto, "debian"));
        assert!(!needs_sudo(Sudo::Auto, "root"));
        assert!(needs_sudo(Sudo::Always, "root"));
        assert!(!needs_sudo(Sudo::Never, "debian"));
    }
}
