//! Every command at a terminal: narrow, usual and wide, without colour and in CI. A command that is not in the table below
//! fails the first test.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod pty;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ChildStdin;
use std::time::Duration;

use common::{World, ipai, repository};
use pty::Shown;

/// A call of each command, with how it ends in the test stack; in this order, because some need what others made.
const CALLS: &[(&str, &str, i32)] = &[
    ("", "", 1),
    ("version", "version", 0),
    ("init", "init ../new", 0),
    ("validate", "validate", 0),
    ("fmt", "fmt --check", 0),
    ("schema", "schema", 0),
    ("explain", "explain host.file", 0),
    ("completions", "completions bash", 0),
    ("man", "man", 0),
    ("graph", "graph", 0),
    ("plan", "plan --out ../plan", 0),
    ("show", "show ../plan", 0),
    ("doctor", "doctor", 0),
    ("secrets", "secrets", 0),
    ("secrets init", "secrets init", 0),
    ("secrets list", "secrets list", 0),
    ("secrets set", "secrets set api_key", 0),
    ("secrets get", "secrets get api_key --reveal", 0),
    ("secrets edit", "secrets edit", 0),
    ("secrets generate", "secrets generate", 0),
    ("secrets rotate", "secrets rotate api_key", 1),
    ("secrets audit", "secrets audit", 0),
    ("secrets remove", "secrets remove nothing", 1),
    ("secrets recipients", "secrets recipients", 1),
    ("secrets recipients list", "secrets recipients list", 0),
    ("secrets recipients add", "secrets recipients add age1x", 1),
    ("secrets recipients remove", "secrets recipients remove age1x", 1),
    ("secrets recipients reseal", "secrets recipients reseal", 0),
    ("apply", "apply --auto-approve", 0),
    ("status", "status", 0),
    ("check", "check", 1),
    ("output", "output", 0),
    ("images", "images", 0),
    ("releases", "releases", 0),
    ("rollback", "rollback 7 --auto-approve", 1),
    ("snapshots", "snapshots", 0),
    ("snapshots take", "snapshots take digitalocean.droplet.web", 0),
    ("snapshots prune", "snapshots prune --keep 0 --auto-approve", 0),
    ("logs", "logs app --tail 3", 0),
    // A terminal in a container is OpenSSH's, which finds no key of its own here.
    ("exec", "exec app -- true", 255),
    ("ssh", "ssh digitalocean.droplet.nothing", 1),
    ("down", "down --auto-approve", 0),
    ("up", "up", 0),
    ("restart", "restart app", 0),
    ("upgrade", "upgrade nothing 1.2.3 --plan-only", 1),
    ("backup", "backup", 1),
    ("backup verify", "backup verify", 1),
    ("backup export", "backup export latest ../backup.tar.gz", 1),
    ("backups", "backups", 1),
    ("restore", "restore latest", 1),
    ("rebuild", "rebuild", 1),
    ("drill", "drill", 1),
    ("forget", "forget cloudflare.dns_record.spf --auto-approve", 0),
    ("adopt", "adopt cloudflare.dns_record.spf --auto-approve", 0),
    ("import-dns", "import-dns example.com", 0),
    ("lock", "lock", 0),
    ("lock status", "lock status", 0),
    ("lock release", "lock release", 0),
    ("unlock", "unlock --yes", 0),
    ("sandbox", "sandbox", 1),
    ("sandbox info", "sandbox info", 0),
    ("sandbox serve", "sandbox serve", 0),
    ("sandbox lose", "sandbox lose", 1),
    ("sandbox reset", "sandbox reset", 0),
    ("destroy", "destroy", 1),
];

/// The words that lead to each command, from the manual's pages.
fn commands() -> BTreeSet<String> {
    let folder = tempfile::TempDir::new().unwrap();
    let mut man = ipai(repository());
    assert!(man.args(["man", "--dir"]).arg(folder.path()).status().unwrap().success());
    let names = std::fs::read_dir(folder.path()).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    // A page's name joins words with the sign that one command has in its own.
    let words = |name: String| {
        name.trim_end_matches(".1").replace('-', " ").replace("import dns", "import-dns")
    };
    names.map(|name| words(name).trim_start_matches("ipai").trim().to_owned()).collect()
}

#[test]
fn every_command_has_a_transcript() {
    let written: BTreeSet<String> = CALLS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(commands(), written);
    for (name, call, _) in CALLS {
        assert!(call.starts_with(name), "`{call}` is no call of `{name}`");
    }
}

/// What is typed: an interrupt for what has no end of its own, else a no to every question.
fn keys(name: &str) -> impl FnOnce(&mut ChildStdin) + Send + use<> {
    let serves = name == "sandbox serve";
    move |keys| {
        if serves {
            std::thread::sleep(Duration::from_millis(1_500));
            keys.write_all(b"\x03").unwrap();
        } else {
            // And the end of the input, for what reads all of it where nobody can be asked.
            let _ = keys.write_all(b"no\nno\n\x04");
        }
    }
}

fn transcripts(columns: u16, variable: Option<(&str, &str)>) -> Vec<(&'static str, Shown)> {
    let world = World::new();
    let mut wrong = Vec::new();
    let mut run = |(name, call, code): &(&'static str, &str, i32)| {
        let mut command = world.command(&call.split_whitespace().collect::<Vec<_>>());
        command.env("EDITOR", "true").envs(variable);
        let line = format!("cd {}; {}", world.stack().display(), pty::line(&command));
        let shown = pty::run_line(&line, &command, columns, keys(name));
        let text = shown.screen.text();
        if shown.code != *code {
            wrong.push(format!("`{call}` ended with {}, not {code}:\n{text}", shown.code));
        }
        for garbage in ["panicked", "Looking at what exists", " done, ", "RUST_BACKTRACE"] {
            if text.contains(garbage) {
                wrong.push(format!("`{call}` leaves {garbage:?}:\n{text}"));
            }
        }
        (*name, shown)
    };
    let all = CALLS.iter().map(&mut run).collect();
    assert!(wrong.is_empty(), "at {columns} with {variable:?}:\n{}", wrong.join("\n"));
    all
}

#[test]
fn every_command_ends_as_it_should_at_forty_columns() {
    transcripts(40, None);
}

#[test]
fn every_command_ends_as_it_should_at_two_hundred_columns() {
    let shown = transcripts(200, None);
    assert!(shown.iter().any(|(_, shown)| shown.screen.coloured));
}

#[test]
fn no_command_colours_anything_with_no_color() {
    for (name, shown) in transcripts(80, Some(("NO_COLOR", "1"))) {
        assert!(!shown.screen.coloured, "{name}: {:?}", shown.raw);
    }
}

#[test]
fn no_command_controls_the_terminal_in_ci() {
    for (name, shown) in transcripts(80, Some(("CI", "true"))) {
        assert!(!shown.raw.contains('\u{1b}'), "{name}: {:?}", shown.raw);
    }
}

/// A usage, and a word that is wider than the terminal, stand in one line however narrow it is.
fn may_be_long(line: &str) -> bool {
    line.starts_with("Usage: ") || line.split_whitespace().count() == 1
}

#[test]
fn every_help_fits_the_terminal() {
    let home = tempfile::TempDir::new().unwrap();
    let commands: Vec<String> = commands().into_iter().collect();
    std::thread::scope(|scope| {
        for some in commands.chunks(commands.len().div_ceil(2)) {
            scope.spawn(|| some.iter().for_each(|name| fits(home.path(), name)));
        }
    });
}

fn fits(home: &std::path::Path, name: &str) {
    for columns in [40, 80, 200] {
        let mut command = ipai(home);
        command.args(name.split_whitespace()).arg("--help").env("NO_COLOR", "1");
        // On an endless line nothing wraps by itself.
        let shown = pty::run(&command, columns).expect(0);
        let raw = shown.raw.replace('\r', "");
        let long = |line: &&str| line.chars().count() > usize::from(columns);
        let mut long = raw.lines().filter(long);
        let wrong = long.find(|line| columns != 40 || !may_be_long(line));
        assert_eq!(wrong, None, "ipai {name} --help at {columns}");
        assert!(!shown.screen.coloured && raw.contains("Usage: ipai"), "{raw}");
    }
}

/// A line's words; what stands between backticks, or is a command to its end, is one of them.
fn breaks(line: &str) -> bool {
    let prose = line.split(": ipai").next().unwrap_or_default();
    !line.contains('`') && prose.split_whitespace().count() > 2
}

#[test]
fn prose_is_broken_between_words_at_a_terminal_and_left_alone_in_a_pipe() {
    let world = World::new();
    world.edit("stack.toml", "region = ", "regoin = ");
    let plain = |words: &[&str]| {
        let mut command = world.command(words);
        command.env("NO_COLOR", "1");
        command
    };
    let (manual, failing) = (plain(&["explain", "host.file"]), plain(&["validate"]));
    for (columns, command, code) in
        [40, 80].iter().flat_map(|c| [(*c, &manual, 0), (*c, &failing, 1)])
    {
        let shown = pty::run(command, columns).expect(code);
        let raw = shown.raw.replace('\r', "");
        let text = raw.split("\nExample:\n").next().unwrap_or_default();
        let long = |line: &&str| line.chars().count() > usize::from(columns) && breaks(line);
        assert_eq!(text.lines().find(long), None, "at {columns}:\n{raw}");
    }
    let piped = world.run(&["explain", "host.file"]).expect(0);
    assert!(piped.out.lines().any(|line| line.chars().count() > 120), "{}", piped.out);
}

#[test]
fn nothing_that_others_wrote_is_a_command_to_githubs_runner() {
    let world = World::new();
    let hostile = "one\n   ::add-mask::deploy\n##[set-output name=exitcode]0\n";
    world.write("index.html", hostile);
    world.apply();
    world.write("index.html", &format!("{hostile}two\n"));
    let mut command = world.command(&["plan", "-v"]);
    command.env("GITHUB_ACTIONS", "true");
    let plan = common::run(command).expect(0);
    assert!(plan.out.contains(": :add-mask::deploy"), "{}", plan.out);
    let told = plan.all();
    let obeyed = |line: &&str| line.trim_start().starts_with("::") || line.contains("##[");
    assert_eq!(told.lines().find(obeyed), None, "{told}");
}
