//! What people type who come from other tools, put into ipai's own words before it is parsed.
//!
//! Terraform's options have one dash (`-auto-approve`); those that ipai has too are taken, from a fixed list, so that no
//! short option of ipai's own can be meant. `IPAI_CLI_ARGS` and `IPAI_CLI_ARGS_plan` hold options for every command, or
//! for one: they stand right after the command's name, so that what is typed wins.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::edges::Edges;

/// Options of Terraform's that ipai has under the same name.
const SAME: [&str; 12] = [
    "auto-approve",
    "check",
    "detailed-exitcode",
    "diff",
    "help",
    "json",
    "lock-timeout",
    "out",
    "replace",
    "target",
    "var",
    "version",
];

/// Options of Terraform's that ipai has not, and what it has instead.
const OTHER: [(&str, &str); 9] = [
    ("destroy", "ipai destroy"),
    ("exclude", "name what is meant instead: -target=ADDRESS, more than once if need be"),
    ("json-into", "ipai plan -out=FILE, then: ipai show FILE -json"),
    ("raw", "ipai output NAME prints the value as it is"),
    (
        "lock",
        "ipai holds its lock whenever it changes something; ipai unlock breaks one that nobody holds",
    ),
    ("parallelism", "ipai does side by side what can be done so"),
    ("refresh", "ipai always looks at what really exists"),
    ("refresh-only", "ipai plan shows drift; apply puts it back, or put it into the stack"),
    ("var-file", "put the values into stack.NAME.toml and call ipai --env NAME"),
];

/// Options of Terraform's that ask for what is so anyway.
const IDLE: [&str; 4] = ["-compact-warnings", "-concise", "-recursive", "-upgrade"];

/// Commands of other tools, and ipai's for the same.
const VERBS: [(&str, &str); 34] = [
    ("compose", "up, ipai down, ipai logs or ipai exec"),
    ("config", "validate"),
    ("console", "explain"),
    ("cp", "ssh, or write a [host.file.NAME] into the stack"),
    ("create", "apply"),
    ("delete", "destroy; for one resource take it out of the stack, then: ipai apply"),
    ("describe", "status, or ipai explain TYPE"),
    ("diff", "plan"),
    ("edit", "plan, once you have edited stack.toml"),
    ("env", "--env NAME plan"),
    ("events", "logs"),
    ("force-unlock", "unlock"),
    ("get", "status"),
    ("import", "adopt ADDRESS ID"),
    ("inspect", "status --json"),
    ("kill", "down"),
    ("login", "doctor"),
    ("ls", "status"),
    ("preview", "plan"),
    ("providers", "explain"),
    ("ps", "status"),
    ("pull", "images"),
    ("refresh", "plan"),
    ("rm", "destroy; for one resource take it out of the stack, then: ipai apply"),
    ("rollout", "rollback, or ipai releases"),
    ("run", "exec SERVICE COMMAND"),
    ("start", "up"),
    ("state", "status, ipai adopt ADDRESS ID or ipai forget ADDRESS"),
    ("stop", "down"),
    ("taint", "apply --replace ADDRESS"),
    ("test", "check"),
    ("top", "status"),
    ("untaint", "plan"),
    ("workspace", "--env NAME plan"),
];

/// Groups of commands, and the one that is meant by the group's name alone: it only looks.
const USUAL: [(&str, &str); 2] = [("lock", "status"), ("secrets", "list")];

/// Global options whose value is the next word.
const VALUED: [&str; 7] =
    ["-C", "--chdir", "--env", "--var", "--token-file", "--log-file", "--color"];

/// The words that ipai parses for those that were typed.
///
/// # Errors
/// A variable whose quotes do not close, or an option of Terraform's that ipai has not, with what to do instead.
pub(super) fn usual(
    typed: Vec<OsString>,
    all: &clap::Command,
    edges: &Edges,
) -> Result<Vec<OsString>, String> {
    let Some(at) = command_at(&typed, all) else {
        refuse_verb(&typed)?;
        return Ok(typed.into_iter().flat_map(|word| spelled(word, None)).collect());
    };
    let command = typed[at].to_str().and_then(|name| all.find_subcommand(name));
    let name = command.map(clap::Command::get_name).unwrap_or_default();
    let mut words: Vec<OsString> = in_front(&typed[..at]);
    words.push(typed[at].clone());
    for variable in variables(name) {
        let text = edges.variable(&variable).unwrap_or_default();
        words.extend(
            shlex::split(&text)
                .ok_or_else(|| format!("{variable}: a quote is not closed"))?
                .into_iter()
                .map(OsString::from),
        );
    }
    let told = typed[at + 1..].iter().any(|word| {
        word.to_str()
            .is_none_or(|word| !word.starts_with('-') || matches!(word, "-h" | "--help" | "-help"))
    });
    if let (Some((_, usual)), false) = (USUAL.iter().find(|(group, _)| *group == name), told) {
        words.push(usual.into());
    }
    // What follows `--` is not ipai's.
    let mut foreign = false;
    for word in &typed[at + 1..] {
        foreign |= word == "--";
        match foreign {
            true => words.push(word.clone()),
            false => {
                refuse(word)?;
                refuse_part(name, word)?;
                words.extend(spelled(word.clone(), command).filter(|word| !is_idle(name, word)));
            }
        }
    }
    Ok(words)
}

/// Those that hold options for a command.
fn variables(command: &str) -> [String; 2] {
    ["IPAI_CLI_ARGS".to_owned(), format!("IPAI_CLI_ARGS_{}", command.replace('-', "_"))]
}

/// What was parsed besides what was typed: who looks for a mistake has to look there too.
pub(super) fn added(command: Option<&str>, edges: &Edges) -> String {
    let note = |variable: &String| {
        let text = edges.variable(variable)?;
        Some(format!("note: {variable} adds: {}\n", crate::report::one_line(&text)))
    };
    variables(command.unwrap_or_default()).iter().filter_map(note).collect()
}

/// The command that is called.
pub(super) fn verb<'c>(words: &[OsString], all: &'c clap::Command) -> Option<&'c clap::Command> {
    all.find_subcommand(words.get(command_at(words, all)?)?)
}

/// Where the command's name stands.
fn command_at(typed: &[OsString], all: &clap::Command) -> Option<usize> {
    let mut at = 1;
    while let Some(word) = typed.get(at) {
        let word = word.to_str()?;
        // The first word that is no option is the command, or none.
        if !word.starts_with('-') {
            return all.find_subcommand(word).map(|_| at);
        }
        at += if VALUED.contains(&word) || is_file(word) { 2 } else { 1 };
    }
    None
}

fn is_file(word: &str) -> bool {
    matches!(word, "-f" | "--file")
}

/// Before the command, `-f` names the stack's file, as docker and kubectl have it.
fn in_front(typed: &[OsString]) -> Vec<OsString> {
    let (mut words, mut rest) = (Vec::new(), typed.iter());
    while let Some(word) = rest.next() {
        let joined = word.to_str().and_then(|word| word.strip_prefix("--file="));
        let named = match word.to_str() {
            Some(word) if is_file(word) => rest.as_slice().first().and_then(|next| folder(next)),
            _ => joined.and_then(|path| folder(OsStr::new(path))),
        };
        match named {
            Some(folder) => {
                words.extend(["-C".into(), folder]);
                if joined.is_none() {
                    rest.next();
                }
            }
            None => words.extend(spelled(word.clone(), None)),
        }
    }
    words
}

/// The folder of a stack's file.
fn folder(path: &OsStr) -> Option<OsString> {
    let path = Path::new(path);
    let parent = path.parent().filter(|_| path.file_name() == Some(OsStr::new("stack.toml")))?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.into() })
}

/// What docker wants said and ipai does by itself: a terminal for a command, a start in the background.
fn is_idle(command: &str, word: &OsStr) -> bool {
    match command {
        "exec" => ["-i", "-t", "-it", "-ti"].iter().any(|idle| word == *idle),
        "up" => word == "-d" || word == "--detach",
        _ => IDLE.iter().any(|idle| word == *idle),
    }
}

/// A command that another tool has under this name.
fn refuse_verb(typed: &[OsString]) -> Result<(), String> {
    let mut words = typed.iter().skip(1).filter_map(|word| word.to_str());
    let mut previous = "";
    let verb = words.find(|word| {
        let value = VALUED.contains(&previous) || is_file(previous);
        previous = word;
        !value && !word.starts_with('-')
    });
    match VERBS.iter().find(|(other, _)| Some(*other) == verb) {
        Some((other, own)) => Err(format!("ipai has no command `{other}`\n  hint: ipai {own}")),
        None => Ok(()),
    }
}

/// What is destroyed is all; parts go with an apply.
fn refuse_part(command: &str, word: &OsStr) -> Result<(), String> {
    let text = word.to_str().unwrap_or_default().trim_start_matches('-');
    match command == "destroy" && text.split('=').next() == Some("target") {
        true => Err("ipai destroys a stack as a whole\n  hint: take the resource out of the stack, then: ipai apply".to_owned()),
        false => Ok(()),
    }
}

fn refuse(word: &OsStr) -> Result<(), String> {
    let name = word.to_str().and_then(|word| word.strip_prefix('-')).unwrap_or_default();
    let name = name.split('=').next().unwrap_or_default();
    if word.to_str().is_some_and(|word| matches!(word, "--debug" | "-debug" | "--trace")) {
        return Err(
            "ipai has no such option\n  hint: IPAI_LOG=debug in front of the command".to_owned()
        );
    }
    match OTHER.iter().find(|(other, _)| *other == name) {
        Some((_, instead)) => Err(format!("ipai has no -{name}\n  hint: {instead}")),
        None => Ok(()),
    }
}

/// One word in ipai's spelling; none for an option that says what is so anyway.
fn spelled(word: OsString, command: Option<&clap::Command>) -> Option<OsString> {
    let Some(text) = word.to_str() else { return Some(word) };
    let (name, value) =
        text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let takes = |id: &str| {
        command.is_some_and(|command| command.get_arguments().any(|one| one.get_id() == id))
    };
    match (name, value) {
        ("-no-color" | "--no-color", None) => Some("--color=never".into()),
        ("-chdir", Some(folder)) => Some(format!("--chdir={folder}").into()),
        ("-input" | "--input", Some("false")) => takes("no_input").then(|| "--no-input".into()),
        ("-input" | "--input", Some("true")) => None,
        // Whoever only looks waits for nobody.
        ("-lock-timeout", Some(_)) if command.is_some() && !takes("lock_timeout") => None,
        _ => {
            let bare = name.strip_prefix('-').filter(|bare| SAME.contains(bare));
            Some(bare.map_or(word.clone(), |_| format!("-{text}").into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Arguments;
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Edges {
        let pairs = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Edges { variables: pairs.collect(), ..Edges::of_process() }
    }

    fn of(typed: &str, variables: &[(&str, &str)]) -> String {
        let edges = with(variables);
        let typed = typed.split(' ').map(OsString::from).collect();
        let words = usual(typed, &Arguments::command(), &edges).unwrap();
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn terraforms_spellings_are_taken() {
        for (typed, meant) in [
            ("ipai apply -auto-approve", "ipai apply --auto-approve"),
            (
                "ipai -chdir=stacks/ops plan -out=x -input=false",
                "ipai --chdir=stacks/ops plan --out=x",
            ),
            ("ipai apply -input=false -no-color x", "ipai apply --no-input --color=never x"),
            (
                "ipai plan -target=a.b.c -detailed-exitcode",
                "ipai plan --target=a.b.c --detailed-exitcode",
            ),
            ("ipai -f stacks/ops/stack.toml plan", "ipai -C stacks/ops plan"),
            ("ipai --file=stack.toml plan", "ipai -C . plan"),
            ("ipai plan -lock-timeout=5s -var a=b", "ipai plan --var a=b"),
            ("ipai -version", "ipai --version"),
            ("ipai fmt -check -diff -recursive", "ipai fmt --check --diff"),
            ("ipai plan -compact-warnings", "ipai plan"),
            ("ipai exec -it caddy -- sh -i", "ipai exec caddy -- sh -i"),
            ("ipai up -d", "ipai up"),
        ] {
            assert_eq!(of(typed, &[]), meant);
        }
    }

    #[test]
    fn what_is_ipais_own_or_somebody_elses_stays_as_it_is() {
        for typed in [
            "ipai logs -f app",
            "ipai -C apply plan -v",
            "ipai exec app -- tool -json -input=false",
            "ipai -f other.toml plan",
            "ipai",
        ] {
            assert_eq!(of(typed, &[]), typed);
        }
    }

    #[test]
    fn what_ipai_has_not_is_refused_with_what_it_has() {
        for word in ["-destroy", "-refresh=false", "-lock=false", "-parallelism=4", "-var-file=x"] {
            let typed = ["ipai", "plan", word].map(OsString::from).into();
            let refused = usual(typed, &Arguments::command(), &with(&[])).unwrap_err();
            assert!(refused.contains("hint: "), "{refused}");
        }
    }

    #[test]
    fn commands_of_other_tools_are_answered_with_ipais_own() {
        for (typed, own) in [
            ("ipai import a b", "ipai adopt ADDRESS ID"),
            ("ipai -C import taint x", "ipai apply --replace ADDRESS"),
            ("ipai --sandbox ps", "ipai status"),
        ] {
            let words = typed.split(' ').map(OsString::from).collect();
            let refused = usual(words, &Arguments::command(), &with(&[])).unwrap_err();
            assert!(refused.ends_with(&format!("hint: {own}")), "{refused}");
        }
        assert_eq!(of("ipai -C ps", &[]), "ipai -C ps");
    }

    #[test]
    fn options_from_the_environment_stand_before_those_that_are_typed() {
        let variables = [("IPAI_CLI_ARGS", "-v --var 'a=b c'"), ("IPAI_CLI_ARGS_plan", "--json")];
        assert_eq!(
            of("ipai -C x plan --out y", &variables),
            "ipai -C x plan -v --var a=b c --json --out y"
        );
        assert_eq!(of("ipai apply", &variables), "ipai apply -v --var a=b c");
        let typed = ["ipai", "plan"].map(OsString::from).into();
        assert_eq!(
            usual(typed, &Arguments::command(), &with(&[("IPAI_CLI_ARGS", "'")])),
            Err("IPAI_CLI_ARGS: a quote is not closed".to_owned())
        );
    }
}
