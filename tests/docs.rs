//! What the documents say is so.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/stage.rs"]
mod stage;

use common::{Ran, ipai, repository};
use page::Page;
use stage::{Stage, parses};

fn document(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap()
}

#[test]
fn the_reference_is_what_explain_prints() {
    let ran: Ran = ipai(repository()).args(["explain", "--markdown"]).output().unwrap().into();
    let hint = "cargo run -- explain --markdown > docs/reference.md";
    assert!(ran.expect(0).out == document("docs/reference.md"), "docs/reference.md is old: {hint}");
}

#[test]
fn explain_knows_the_sections_of_a_stack_and_their_keys() {
    let explain =
        |name: &str| -> Ran { ipai(repository()).args(["explain", name]).output().unwrap().into() };
    for name in ["stack", "var", "ssh", "secret", "secret.NAME", "[check.NAME]", "output"] {
        explain(name).expect(0).says("Example:");
    }
    let key = explain("secret.generate").expect(0).says("keypair").keeps_quiet_about("alphabet");
    assert_eq!(key.out.lines().count(), 2);
    explain("check.version").expect(0).says("version.compatible").keeps_quiet_about("expect_");
    explain("secret.genrate").expect(1).says("did you mean secret.generate?");
    explain("sekret").expect(1).says("did you mean secret?");
    let all: Ran = ipai(repository()).arg("explain").output().unwrap().into();
    all.expect(0).says("  secret.NAME ").says("  host.compose ");
}

#[test]
fn the_readme_names_every_command_and_no_other() {
    let help: Ran = ipai(repository()).arg("--help").output().unwrap().into();
    let help = help.expect(0).out;
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let names = commands.lines().filter_map(|line| {
        let line = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        line.split_whitespace().next()
    });
    let readme = document("README.md");
    for name in names.filter(|name| *name != "help" && *name != "version") {
        assert!(readme.contains(&format!("ipai {name}")), "README lacks `ipai {name}`");
    }
}

#[test]
fn the_readmes_stack_is_valid() {
    let readme = document("README.md");
    let stack = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("stack.toml", stack);
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    write("authorized_keys", &format!("ssh-ed25519 {key} me\n"));
    write("cloud-init.yaml", "#cloud-config\n");
    write("compose.yaml", "services:\n  caddy:\n    image: caddy:2.11.4-alpine\n");
    let ran: Ran =
        ipai(folder.path()).arg("-C").arg(folder.path()).arg("validate").output().unwrap().into();
    ran.expect(0).says("Success!");
}

/// The pages of the manual for whoever runs `stacks/ops`. The reference is not one of them.
fn pages() -> Vec<(String, Page)> {
    let names = std::fs::read_dir(repository().join("docs")).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md") && name != "reference.md");
    let mut names: Vec<String> = pages.collect();
    names.sort();
    assert_eq!(
        names,
        ["BACKUP.md", "CI.md", "DNS_TLS.md", "RECOVERY.md", "SETUP.md", "UPGRADE.md"]
    );
    let read = |name: String| {
        let page = Page::read(&document(&format!("docs/{name}")));
        let page = page.unwrap_or_else(|why| panic!("docs/{name}:{why}"));
        (name, page)
    };
    names.into_iter().map(read).collect()
}

#[test]
fn every_picture_that_is_shown_is_there_and_small() {
    let mut shown = 0;
    for (folder, name) in [("", "README.md"), ("docs/", "docs/SETUP.md")] {
        let text = document(name);
        for (end, _) in text.match_indices(".png") {
            let start = text[..end].rfind(['"', '(']).unwrap() + 1;
            let path = repository().join(format!("{folder}{}.png", &text[start..end]));
            let size = std::fs::metadata(&path).map_or(0, |file| file.len());
            assert!((1..150_000).contains(&size), "{name}: {} has {size} bytes", path.display());
            shown += 1;
        }
    }
    assert!(shown >= 4, "{shown} pictures");
}

#[test]
fn what_the_manual_shows_is_what_happens() {
    let pages = pages();
    let play = |(name, page): &(String, Page)| {
        let (wrong, steps) = Stage::new().play(page);
        println!("docs/{name}: {steps} commands ran");
        assert!(steps >= 3, "docs/{name} shows hardly anything that can be tried");
        wrong.into_iter().map(|text| format!("docs/{name}:{text}")).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = pages.iter().map(|page| scope.spawn(move || play(page))).collect();
        all.into_iter().flat_map(|page| page.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_command_and_flag_in_the_manual_exists() {
    let mut calls = 0;
    for (name, page) in pages() {
        for (line, words) in page.calls {
            assert!(parses(&words), "docs/{name}:{line}: there is no `ipai {}`", words.join(" "));
            calls += 1;
        }
    }
    println!("{calls} calls parse");
    assert!(calls > 50, "only {calls}");
}

#[test]
fn a_command_or_flag_that_does_not_exist_is_caught() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for good in ["plan --json", "--env staging secrets recipients add age1…", "exec postgres"] {
        assert!(parses(&words(good)), "{good}");
    }
    for bad in [
        "backup --onlin",
        "plan --jsn",
        "secrets steal",
        "output --format odo",
        "exec postgres --tty",
    ] {
        assert!(!parses(&words(bad)), "{bad}");
    }
}
