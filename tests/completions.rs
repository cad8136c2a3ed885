//! The shells themselves complete with what `ipai completions` prints, and what `ipai man` writes are clean pages.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Ran, ipai, repository};
use tempfile::TempDir;

/// Tells whether a program is here. Where it must be, its absence is a failure; elsewhere it is told.
fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(here || std::env::var_os("CI").is_none(), "{program} is missing");
    if !here {
        eprintln!("SKIPPED: there is no {program} here, so nothing was shown");
    }
    here
}

/// The script for a shell, as a file.
fn script(folder: &TempDir, shell: &str) -> String {
    let ran: Ran = ipai(repository()).args(["completions", shell]).output().unwrap().into();
    let path = folder.path().join(shell);
    std::fs::write(&path, ran.expect(0).out).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a program says, run in a sealed environment that knows `ipai` as a command.
fn said(folder: &TempDir, program: &str, arguments: &[&str]) -> Ran {
    let bin = Path::new(env!("CARGO_BIN_EXE_ipai")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(program);
    command.env_clear().env("PATH", format!("{}:{path}", bin.display()));
    command.env("HOME", folder.path()).env("LC_ALL", "C.UTF-8");
    command.args(arguments).output().unwrap().into()
}

/// What bash offers for the last of these words.
fn bash_offers(folder: &TempDir, words: &str) -> Vec<String> {
    let script = script(folder, "bash");
    let text = format!(
        "source '{script}'\nread -ra COMP_WORDS <<<'{words}'\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         complete -p ipai | grep -q -- '-F _ipai' || exit 1\n\
         _ipai ipai \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let ran = said(folder, "bash", &["--norc", "-c", &text]).expect(0);
    assert_eq!(ran.err, "");
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_a_command_and_its_options() {
    if have("bash") {
        let folder = TempDir::new().unwrap();
        assert_eq!(bash_offers(&folder, "ipai pl"), ["plan"]);
        assert_eq!(bash_offers(&folder, "ipai plan --detailed"), ["--detailed-exitcode"]);
        assert_eq!(bash_offers(&folder, "ipai secrets rot"), ["rotate"]);
        assert_eq!(bash_offers(&folder, "ipai secrets recipients res"), ["reseal"]);
    }
}

#[test]
fn fish_completes_a_command_and_its_options() {
    if have("fish") {
        let folder = TempDir::new().unwrap();
        let script = script(&folder, "fish");
        let offers = |words: &str| {
            let text = format!("source '{script}'; complete -C '{words}'");
            said(&folder, "fish", &["--no-config", "-c", &text]).expect(0).out
        };
        assert!(offers("ipai pl").starts_with("plan\t"), "{}", offers("ipai pl"));
        assert!(offers("ipai plan --detailed").starts_with("--detailed-exitcode\t"));
        assert!(!offers("ipai validate --detailed").contains("--detailed-exitcode"));
    }
}

#[test]
fn zsh_takes_its_script_and_knows_the_commands_function() {
    if have("zsh") {
        let folder = TempDir::new().unwrap();
        let script = script(&folder, "zsh");
        assert_eq!(said(&folder, "zsh", &["-f", "-n", &script]).expect(0).all(), "");
        let text = format!(
            "autoload -Uz compinit && compinit -u -D\nsource '{script}'\nprint $_comps[ipai]"
        );
        assert_eq!(said(&folder, "zsh", &["-f", "-c", &text]).expect(0).out, "_ipai\n");
    }
}

/// The day of the pages: 2026-11-24.
const DAY: (&str, &str) = ("SOURCE_DATE_EPOCH", "1795500000");

/// The manual, and the paths of its pages.
fn manual() -> (TempDir, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let mut command = ipai(repository());
    command.args(["man", "--dir"]).arg(folder.path()).env(DAY.0, DAY.1);
    let ran: Ran = command.output().unwrap().into();
    assert_eq!(ran.expect(0).all(), "");
    let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
    let mut pages: Vec<String> =
        entries.map(|entry| entry.path().to_str().unwrap().to_owned()).collect();
    pages.sort();
    (folder, pages)
}

#[test]
fn every_command_has_a_page_with_its_examples() {
    let (folder, pages) = manual();
    assert!(pages.len() > 50, "only {pages:?}");
    for name in ["ipai", "ipai-plan", "ipai-backup-export", "ipai-secrets-recipients-add"] {
        let text = std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        assert!(text.contains("\n.SH EXAMPLES\n.nf\nipai "), "{name}: {text}");
        assert!(!text.contains("EXTRA") && !text.contains("ipai\\-help"), "{name}: {text}");
    }
    let alone: Ran = ipai(repository()).arg("man").env(DAY.0, DAY.1).output().unwrap().into();
    let page = std::fs::read_to_string(folder.path().join("ipai.1")).unwrap();
    assert!(page.contains("\n.TH ipai 1 2026-11-24 "), "{page}");
    assert_eq!(alone.expect(0).out, page);
}

#[test]
fn a_linter_finds_nothing_in_the_pages() {
    if have("mandoc") {
        let (folder, pages) = manual();
        let arguments = ["-Tlint", "-Wwarning"].into_iter().chain(pages.iter().map(String::as_str));
        assert_eq!(said(&folder, "mandoc", &arguments.collect::<Vec<_>>()).all(), "");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let ran: Ran =
        ipai(repository()).args(["man", "--dir", "/dev/null/x"]).output().unwrap().into();
    ran.expect(1).says("Cannot write the manual").says("/dev/null/x");
}
