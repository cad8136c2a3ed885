//! Every command shows examples in its help, and they are examples of it.

use clap::CommandFactory;

use super::Arguments;

/// Calls `look` with every command that its help shows, and the words that lead to it.
fn walk(command: &clap::Command, words: &[&str], look: &mut dyn FnMut(&clap::Command, &[&str])) {
    look(command, words);
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        walk(inner, &[words, &[inner.get_name()]].concat(), look);
    }
}

/// The lines below `Examples:`.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.strip_prefix("Examples:\n").unwrap_or_default().lines();
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The calls of ipai in a line for a shell, each in words.
fn calls(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let parts = line.split(['|', '&', ';', '(', ')']).map(str::trim);
    parts.filter(|part| part.starts_with("ipai ")).map(words).collect()
}

/// The words of a command, without what is redirected.
fn words(call: &str) -> Vec<String> {
    let call = call.split(['<', '>']).next().unwrap_or_default();
    call.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

/// The names of the commands that a call leads through, or why it is none.
fn leads_to(call: &[String]) -> Result<Vec<String>, String> {
    let matches = Arguments::command().try_get_matches_from(call);
    let matches = match &matches {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let inner = std::iter::successors(matches.subcommand(), |(_, inner)| inner.subcommand());
    Ok(inner.map(|(name, _)| name.to_owned()).collect())
}

/// What is wrong with the examples of a command.
fn wrong(command: &clap::Command, path: &[&str]) -> Vec<String> {
    let (mut wrong, mut own) = (Vec::new(), false);
    for line in examples(command) {
        let calls = calls(&line);
        if calls.is_empty() || !line.starts_with("  ") {
            wrong.push(format!("{path:?}: no call of ipai: {line}"));
        }
        for call in calls {
            match leads_to(&call) {
                Ok(names) => {
                    own |=
                        names.iter().map(String::as_str).take(path.len()).eq(path.iter().copied())
                }
                Err(why) => wrong.push(format!("{path:?}: {line}\n{why}")),
            }
        }
    }
    if !own {
        wrong.push(format!("{path:?}: no example of this command"));
    }
    wrong
}

#[test]
fn every_command_shows_examples_of_itself_that_parse() {
    let (mut all, mut count) = (Vec::new(), 0);
    walk(&Arguments::command(), &[], &mut |command, path| {
        count += 1;
        all.extend(wrong(command, path));
    });
    assert!(all.is_empty(), "\n{}", all.join("\n"));
    assert!(count > 50, "only {count}");
}

#[test]
fn an_example_that_is_none_is_caught() {
    let caught = |help: &str| {
        !wrong(&clap::Command::new("plan").after_help(help.to_owned()), &["plan"]).is_empty()
    };
    assert!(!caught(
        "Examples:\n  ipai plan --json    # all of it\n  ipai plan --out p && ipai apply p"
    ));
    for bad in [
        "",
        "ipai plan",
        "Examples:\n  ipai validate",
        "Examples:\n  plan",
        "Examples:\n  ipai plan --jsn",
    ] {
        assert!(caught(bad), "{bad}");
    }
    assert!(caught("Examples:\n  ipai plan\n  (umask 077; ipai steal > x)"));
}
