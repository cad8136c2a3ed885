//! At a terminal: the question, the word, what is drawn while something runs and gone afterwards, and what happens
//! without one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod pty;

use std::io::Write;
use std::time::Duration;

use common::World;
use ipai_simulator::{Fault, FaultKind};
use pty::Shown;

/// Runs `apply` at a terminal and types an answer.
fn typed(world: &World, answer: &str) -> Shown {
    let command = world.command(&["apply"]);
    pty::run_line(&pty::line(&command), &command, 100, pty::answers(answer))
}

/// Makes the first look at droplets, or the making of one, take so long.
fn slow(world: &World, method: &str, seconds: f32) {
    let delay = FaultKind::Delay(Duration::from_secs_f32(seconds));
    world.cloud().fault(Fault::first(method, "/v2/droplets", delay));
}

/// Types an interrupt after a while.
fn interrupts_after(seconds: f32) -> impl FnOnce(&mut std::process::ChildStdin) + Send {
    move |keys| {
        std::thread::sleep(Duration::from_secs_f32(seconds));
        keys.write_all(b"\x03").unwrap();
    }
}

#[test]
fn only_the_word_yes_is_taken_for_a_yes() {
    let world = World::new();
    for answer in ["no", "y", "YES", ""] {
        typed(&world, answer)
            .expect(1)
            .shows("Only 'yes' will be accepted")
            .shows("Nothing was changed");
        assert!(world.droplets().is_empty(), "{answer:?} was taken for a yes");
    }
    typed(&world, "yes").expect(0).shows("Apply complete!").drew("\u{1b}[");
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

#[test]
fn what_runs_is_drawn_in_one_line_each_and_nothing_of_it_stays() {
    for columns in [40, 80, 200] {
        let world = World::new();
        slow(&world, "POST", 1.2);
        let shown = pty::run(&world.command(&["apply", "-y"]), columns);
        let shown = shown.expect(0).drew("digitalocean.droplet.web:").drew(" done, 1 running");
        let text = shown.screen.text();
        assert!(!text.contains(" done, ") && !text.contains("Creating"), "{columns}\n{text}");
        // What ended stays, as a line of its own.
        let done = shown.screen.words().matches("Creationcompleteafter").count();
        assert!(done == 13 && text.replace('\n', "").contains(": 13 added"), "{done}\n{text}");
        world.expect_empty_plan();
    }
}

#[test]
fn a_look_that_takes_long_says_so_and_a_short_one_draws_nothing() {
    let world = World::new();
    let quick = pty::run(&world.command(&["plan"]), 80).expect(0).shows("Plan: ");
    assert!(!quick.screen.moved, "{:?}", quick.raw);
    slow(&world, "GET", 1.6);
    let slow = pty::run(&world.command(&["plan"]), 80).expect(0).drew("Looking at what exists");
    assert!(slow.screen.moved);
    assert_eq!(slow.screen.text(), quick.screen.text());
}

#[test]
fn nothing_is_drawn_for_ci_a_dumb_terminal_or_a_reader_of_json() {
    let world = World::new();
    for (name, value, arguments) in [
        ("CI", "true", &["apply", "-y", "--target", "cloudflare.dns_record.spf"][..]),
        ("TERM", "dumb", &["apply", "-y", "--target", "cloudflare.dns_record.mail"]),
        ("IPAI_X", "", &["apply", "-y", "--json"]),
        ("IPAI_X", "", &["plan", "--format", "json"]),
    ] {
        slow(&world, "GET", 1.4);
        let mut command = world.command(arguments);
        command.env(name, value);
        let shown = pty::run(&command, 80).expect(0);
        assert!(!shown.screen.moved, "{arguments:?}: {:?}", shown.raw);
        assert!(value.is_empty() || !shown.screen.coloured, "{arguments:?}: {:?}", shown.raw);
    }
    slow(&world, "GET", 1.4);
    let mut command = world.command(&["plan"]);
    command.env("NO_COLOR", "1");
    let shown = pty::run(&command, 80).expect(0);
    assert!(shown.screen.moved && !shown.screen.coloured, "{:?}", shown.raw);
}

#[test]
fn what_goes_into_a_pipe_is_the_same_whatever_is_drawn_beside_it() {
    let world = World::new();
    let piped = world.run(&["plan"]).expect(0).out;
    slow(&world, "GET", 1.4);
    let command = world.command(&["plan"]);
    let file = world.scratch.path().join("plan.txt");
    let line = format!("{} | cat > {}", pty::line(&command), file.display());
    let shown = pty::run_line(&line, &command, 80, |_| {}).expect(0).drew("Looking at what exists");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), piped);
    assert_eq!(shown.screen.text(), "\n");
}

#[test]
fn an_interrupt_leaves_no_drawing_behind() {
    let world = World::new();
    slow(&world, "GET", 30.0);
    let command = world.command(&["plan"]);
    let shown = pty::run_line(&pty::line(&command), &command, 80, interrupts_after(5.0));
    shown.expect(130).drew("Looking at what exists").hides("Looking");
    slow(&world, "POST", 7.0);
    let command = world.command(&["apply", "-y"]);
    let shown = pty::run_line(&pty::line(&command), &command, 80, interrupts_after(4.5));
    shown
        .expect(130)
        .drew(" done, 1 running")
        .hides(" done, 1 running")
        .shows("Stopping: nothing new begins");
}
