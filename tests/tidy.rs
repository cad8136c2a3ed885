//! The house rules, read off the files. Each rule is a function of a path and a text, so that it can be shown to catch
//! what it forbids.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/traces.rs"]
mod traces;
#[path = "tidy/tree.rs"]
mod tree;

use std::collections::BTreeMap;

/// The longest file of Rust, in lines; beyond it a file holds two ideas.
const LONGEST: usize = 600;

#[track_caller]
fn check(rule: impl Fn(&str, &str) -> Vec<String>) {
    let found: Vec<String> = tree::files().iter().flat_map(|(p, text)| rule(p, text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn nobody_imports_what_is_not_theirs() {
    check(imports::forbidden);
}

#[test]
fn manifests_hold_the_same_rules() {
    check(manifests::forbidden);
}

#[test]
fn secrets_are_exposed_only_where_they_are_handed_over() {
    check(imports::unlisted_exposures);
    let files: BTreeMap<String, String> = tree::files().into_iter().collect();
    let stale: Vec<&str> = imports::EXPOSES
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| files.get(*path).is_none_or(|text| !imports::exposes(text)))
        .collect();
    assert!(stale.is_empty(), "listed, but exposing nothing: {stale:?}");
}

#[test]
fn no_file_holds_two_ideas() {
    check(too_long);
}

#[test]
fn nothing_in_the_repository_speaks_of_the_machine_it_was_made_on() {
    check(traces::of_the_machine);
}

#[test]
fn nothing_is_left_to_be_done_later() {
    check(traces::of_unfinished_work);
}

#[test]
fn most_files_are_short() {
    let mut sizes: Vec<usize> = tree::files()
        .iter()
        .filter(|(p, _)| p.ends_with(".rs"))
        .map(|f| f.1.lines().count())
        .collect();
    sizes.sort_unstable();
    let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100];
    println!(
        "{} files of Rust: median {} lines, nine in ten below {}",
        sizes.len(),
        at(50),
        at(90)
    );
    assert!(at(90) <= 400, "nine in ten files have up to {} lines, not 400", at(90));
}

fn too_long(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long = path.ends_with(".rs") && lines > LONGEST;
    long.then(|| format!("{path}: {lines} lines, more than {LONGEST}: look for the seam"))
        .into_iter()
        .collect()
}

#[test]
fn a_file_that_is_too_long_is_caught() {
    assert_eq!(too_long("a.rs", &"\n".repeat(600)), Vec::<String>::new());
    assert_eq!(too_long("a.rs", &"\n".repeat(601)).len(), 1);
    assert!(too_long("data.json", &"\n".repeat(9000)).is_empty());
}

#[test]
fn the_walk_sees_this_file_and_nothing_that_was_built() {
    let files = tree::files();
    assert!(files.iter().any(|(path, _)| path == "tests/tidy.rs"));
    assert!(files.iter().all(|(path, _)| !path.contains("target/") && !path.contains(".ipai/")));
}
