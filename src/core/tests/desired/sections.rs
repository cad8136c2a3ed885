//! What the manual and the JSON Schema tell of a stack's sections is what their readers take.

use std::collections::BTreeSet;

use ipai_core::Diagnostic;
use ipai_core::sections::{QUESTION, SECTIONS, Takes};
use ipai_core::stack::parse;

use super::{HEAD, problems, toy};

/// The keys that a table takes, by the complaint about one that it does not.
fn taken(header: &str) -> BTreeSet<String> {
    let first = if header == "[stack]" { "" } else { HEAD };
    let found = problems(&format!("{first}{header}\nqqqqqqqqqqqq = 1\n"), "");
    let unknown = found.iter().find(|problem| problem.summary == "Unknown key `qqqqqqqqqqqq`");
    let Some(hint) = unknown.and_then(|problem| problem.hint.clone()) else {
        return BTreeSet::new();
    };
    let list = hint.strip_prefix("known here: ").unwrap();
    list.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_manual_of_the_sections_names_every_key_and_no_other() {
    // What goes with a question is told of once.
    let asks = |table: &str| matches!(table, "auth" | "version");
    for section in SECTIONS {
        let header = section.header.replace("NAME", "x");
        let keys = || section.keys.iter().map(|key| key.name);
        let tables: BTreeSet<&str> =
            keys().filter_map(|name| Some(name.split_once('.')?.0)).chain([""]).collect();
        for table in tables {
            let told = keys().filter_map(|name| match table {
                "" => (!name.contains('.')).then_some(name),
                table => name.strip_prefix(table)?.strip_prefix('.'),
            });
            let told: BTreeSet<String> = told.map(str::to_owned).collect();
            let inner = if table.is_empty() { String::new() } else { format!(".{table}") };
            let mut taken = taken(&format!("[{header}{inner}]"));
            if asks(table) {
                taken.retain(|name| !keys().any(|known| known == name));
            }
            assert_eq!(told, taken, "[{header}{inner}]");
        }
        let head = if section.name() == "stack" { "" } else { HEAD };
        let (_, found) =
            parse(&[("stack.toml", &format!("{head}{}", section.example))], None, &toy::types());
        // The toy world has no Compose project to keep anything of.
        let known = |problem: &Diagnostic| {
            section.name() == "backup"
                && (problem.summary == "Reference to nothing"
                    || problem.summary.starts_with("Missing key"))
        };
        let found: Vec<_> = found.into_iter().filter(|problem| !known(problem)).collect();
        assert!(found.is_empty(), "{}: {found:?}", section.header);
    }
}

/// Whether a key's reader takes this TOML, as far as its type goes.
fn takes(takes: Takes, value: &str) -> bool {
    match takes {
        Takes::Text | Takes::Choice(_) | Takes::StackName | Takes::Address => value == "'x'",
        Takes::Int(low, _) => value == low.to_string(),
        Takes::Bool | Takes::Truth => value == "true",
        Takes::Texts => value == "['x']",
        Takes::Question | Takes::Tables | Takes::Table => value == "{ x = 'y' }",
        Takes::TextMap | Takes::AnyMap | Takes::Counts(_) => value == "{ x = 'y' }",
    }
}

#[test]
fn the_manual_of_the_sections_tells_what_each_key_takes() {
    for section in SECTIONS {
        for key in section.keys {
            let (table, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            let header = section.header.replace("NAME", "x");
            let header = if table.is_empty() { header } else { format!("{header}.{table}") };
            let int = if let Takes::Int(low, _) = key.takes { low } else { 1 };
            for value in ["'x'", "true", "['x']", "{ x = 'y' }", &int.to_string()] {
                let head = if section.name() == "stack" { "" } else { HEAD };
                let found = problems(&format!("{head}[{header}]\n{name} = {value}\n"), "");
                let wrong =
                    [format!("Wrong type for `{name}`"), format!("Not a truth for `{name}`")];
                // A word may be no truth, but a template makes one of it.
                let word = matches!(key.takes, Takes::Truth) && value == "'x'";
                let refused = found.iter().any(|problem| wrong.contains(&problem.summary));
                assert_eq!(
                    !refused,
                    takes(key.takes, value) && !word,
                    "[{header}] {name} = {value}"
                );
            }
        }
    }
}

#[test]
fn the_manual_knows_the_keys_of_a_question() {
    let auth = taken("[check.x.auth]");
    assert_eq!(auth, QUESTION.iter().map(|&key| key.to_owned()).collect());
}
