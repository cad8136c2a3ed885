//! The program at a pseudo-terminal of any width, and what somebody would see there. `script` and `stty` are in every
//! Debian and Ubuntu.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "each test file uses its part")]

pub mod screen;

use std::io::{Read, Write};
use std::process::{ChildStdin, Command, Stdio};

use screen::Screen;

/// What came to a terminal, and the exit code.
#[derive(Debug)]
pub struct Shown {
    pub code: i32,
    /// Every byte, with all that was drawn over.
    pub raw: String,
    /// What stands there at the end.
    pub screen: Screen,
}

impl Shown {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{}\n{:?}", self.screen.text(), self.raw);
        self
    }

    /// Demands a text in what stands there at the end.
    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(self.screen.text().contains(text), "missing: {text}\n{}", self.screen.text());
        self
    }

    /// Demands that a text does not stand there at the end.
    #[track_caller]
    pub fn hides(self, text: &str) -> Self {
        assert!(
            !self.screen.text().contains(text),
            "left over: {text}\n{}\n{:?}",
            self.screen.text(),
            self.raw
        );
        self
    }

    /// Demands that a text was there at some time.
    #[track_caller]
    pub fn drew(self, text: &str) -> Self {
        assert!(self.raw.contains(text), "never drawn: {text}\n{:?}", self.raw);
        self
    }

    #[track_caller]
    pub fn never_drew(self, text: &str) -> Self {
        assert!(!self.raw.contains(text), "drawn: {text:?}\n{:?}", self.raw);
        self
    }
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command as a line for a shell.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(word.to_str().unwrap())).collect();
    // In the shell's place, so that the shell has no part in an interrupt.
    format!("exec {}", words.join(" "))
}

/// Runs a command at a terminal of so many columns, in its own environment.
pub fn run(command: &Command, columns: u16) -> Shown {
    run_line(&line(command), command, columns, |_| {})
}

/// Runs a line of shell at a terminal, in a command's environment, while `type_in` is at its keys.
pub fn run_line(
    shell: &str,
    command: &Command,
    columns: u16,
    type_in: impl FnOnce(&mut ChildStdin) + Send,
) -> Shown {
    // What waits for ever ends with 124.
    let mut terminal = Command::new("timeout");
    let sized = format!("stty cols {columns} rows 50; {shell}");
    terminal.args([
        "-k",
        "1",
        "30",
        "script",
        "--quiet",
        "--return",
        "--command",
        &sized,
        "/dev/null",
    ]);
    terminal
        .env_clear()
        .env("TERM", "xterm")
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = terminal.spawn().unwrap();
    let (mut keys, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut raw = Vec::new();
    // The keyboard stays there until the program has ended.
    std::thread::scope(|scope| {
        scope.spawn(|| type_in(&mut keys));
        output.read_to_end(&mut raw).unwrap();
    });
    drop(keys);
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let raw = String::from_utf8_lossy(&raw).into_owned();
    let screen = Screen::showing(&raw, usize::from(columns));
    Shown { code, raw, screen }
}

/// Types an answer at once.
pub fn answers(answer: &str) -> impl FnOnce(&mut ChildStdin) + Send + use<> {
    let answer = format!("{answer}\n");
    move |keys| keys.write_all(answer.as_bytes()).unwrap()
}
