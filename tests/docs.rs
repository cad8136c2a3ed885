//! What the documents say is so.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ran, ipai, repository};

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
    write("authorized_keys", "ssh-ed25519 AAAA me\n");
    write("cloud-init.yaml", "#cloud-config\n");
    write("compose.yaml", "services:\n  caddy:\n    image: caddy:2.11.4-alpine\n");
    let ran: Ran =
        ipai(folder.path()).arg("-C").arg(folder.path()).arg("validate").output().unwrap().into();
    ran.expect(0).says("Success!");
}
