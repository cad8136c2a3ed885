//! At a terminal: the question, the word, and what happens without either.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{Ran, World};

/// Runs `apply` in a pseudo-terminal and types an answer. `script` is in every Debian and Ubuntu (bsdutils).
fn typed(world: &World, answer: &str) -> Ran {
    let program = world.command(&["apply"]);
    let words: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut terminal = std::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    terminal.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = terminal.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn only_the_word_yes_is_taken_for_a_yes() {
    let world = World::new();
    for answer in ["no", "y", "YES", ""] {
        typed(&world, answer)
            .expect(1)
            .says("Only 'yes' will be accepted")
            .says("Nothing was changed");
        assert!(world.droplets().is_empty(), "{answer:?} was taken for a yes");
    }
    typed(&world, "yes").expect(0).says("Apply complete!").says("\u{1b}[");
    world.expect_empty_plan();
}

#[test]
fn nothing_is_asked_and_nothing_is_coloured_without_a_terminal() {
    let world = World::new();
    let ran = world.run(&["apply"]).expect(1).says("--auto-approve");
    ran.keeps_quiet_about("\u{1b}[").keeps_quiet_about("Enter a value");
    assert!(world.droplets().is_empty());
    world.run(&["--color", "always", "plan"]).expect(0).says("\u{1b}[");
}
