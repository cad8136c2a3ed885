//! What the program leaves behind when somebody ends it: no memory in a file, no terminal that hides what is typed.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::World;

/// A stack whose secret comes from a command that does not end.
fn waiting() -> World {
    let world = World::new();
    world.edit("stack.toml", "env = \"SHOP_API_KEY\"", "command = [\"sleep\", \"50\"]");
    world
}

fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &id.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until the program has started another.
fn until_it_waits(child: &Child) {
    let began = Instant::now();
    let file = format!("/proc/{0}/task/{0}/children", child.id());
    while std::fs::read_to_string(&file).unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_signal_leaves_the_programs_memory_in_a_file() {
    for name in ["ABRT", "QUIT"] {
        let world = waiting();
        let folder = world.scratch.path().join("here");
        std::fs::create_dir(&folder).unwrap();
        let plan = world.command(&["plan"]);
        let mut words = vec![plan.get_program().to_owned()];
        words.extend(plan.get_args().map(ToOwned::to_owned));
        // As generous a shell as can be, and no signal that whoever runs this test ignores: that is inherited.
        let mut child = Command::new("sh");
        child
            .args(["-c", "ulimit -c unlimited 2>/dev/null; exec env --default-signal \"$@\"", "sh"])
            .args(&words);
        child.env_clear().envs(plan.get_envs().filter_map(|(key, value)| Some((key, value?))));
        child.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        until_it_waits(&child);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let words: Vec<&str> = limit.split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{limit}");
        signal(child.id(), name);
        let ended = child.wait().unwrap();
        assert!(ended.signal().is_some() && !ended.core_dumped(), "{name}: {ended}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }
}

/// Runs the program at a pseudo-terminal, sends it a signal when it has asked, and gives what was seen and how the
/// terminal is afterwards. `script` is in every Debian and Ubuntu (bsdutils).
fn interrupted(program: &Command, question: &str, name: &str) -> String {
    let words: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let script =
        format!("sh -c 'echo id=$$; exec \"$@\"' sh {}; echo code=$?; stty -a", words.join(" "));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &script, "/dev/null"]);
    terminal.env_clear().envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut child = terminal
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut byte, mut sent) = (String::new(), [0], false);
    while output.read(&mut byte).unwrap() == 1 {
        seen.push(char::from(byte[0]));
        if !sent && seen.ends_with(question) {
            sent = true;
            input.write_all(b"half a sec").unwrap();
            let id = seen.split("id=").nth(1).unwrap().lines().next().unwrap().trim();
            std::thread::sleep(Duration::from_millis(200));
            signal(id.parse().unwrap(), name);
        }
    }
    child.wait().unwrap();
    seen
}

#[track_caller]
fn shows_again(seen: &str, code: u8) {
    let terminal = seen.split("code=").nth(1).unwrap();
    let words: Vec<&str> = terminal.split([' ', ';', '\r', '\n']).collect();
    assert_eq!(words[0], code.to_string(), "{seen}");
    assert!(words.contains(&"echo") && !words.contains(&"-echo"), "{seen}");
    assert!(!seen.contains("half a sec") && terminal.contains("susp = ^Z"), "{seen}");
}

#[test]
fn no_signal_at_a_hidden_question_leaves_the_terminal_hiding_what_is_typed() {
    let world = World::new();
    world.run(&["secrets", "init"]).expect(0);
    let set = world.command(&["secrets", "set", "admin"]);
    let before = world.read("secrets.toml");
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        shows_again(&interrupted(&set, "(not shown): ", name), code);
    }
    assert_eq!(world.read("secrets.toml"), before);
}

#[test]
fn an_interrupt_while_a_passphrase_is_asked_for_ends_the_run_and_shows_again_what_is_typed() {
    let world = World::new();
    let apply = &["apply", "--auto-approve"];
    world.run(apply).expect(0);
    let key = world.home().join("key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let encrypt = ["-q", "-p", "-P", "", "-N", "open sesame", "-f"];
    let encrypted = Command::new("ssh-keygen").args(encrypt).arg(&key).output();
    if !encrypted.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "no ssh-keygen");
        eprintln!("SKIPPED: no ssh-keygen on this machine (apt-get install openssh-client)");
        return;
    }
    for (arguments, name, code) in [
        (&["plan"][..], "TERM", 143),
        (&["plan"], "INT", 130),
        (apply, "TERM", 143),
        (apply, "INT", 130),
    ] {
        let seen = interrupted(&world.command(arguments), "(not shown): ", name);
        shows_again(&seen, code);
    }
}
