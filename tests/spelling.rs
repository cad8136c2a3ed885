//! People who know Terraform, docker and kubectl type what they know, and ipai takes it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ran, World, ipai};

#[test]
fn terraforms_options_apply_and_nothing_is_asked() {
    let world = World::new();
    world.run(&["apply", "-input=false"]).expect(1).says("not approved");
    let plan = world.run(&["plan", "-input=false", "-detailed-exitcode", "-no-color"]).expect(2);
    plan.says("to add");
    world.run(&["apply", "-auto-approve", "-input=false"]).expect(0).says("Apply complete!");
    world.run(&["plan", "-json", "-detailed-exitcode"]).expect(0).says("\"resource_changes\"");
}

#[test]
fn a_dry_run_of_apply_is_a_plan_and_changes_nothing() {
    let world = World::new();
    let words = ["apply", "--dry-run", "--auto-approve", "--detailed-exitcode"];
    world.run(&words).expect(2).says("to add").keeps_quiet_about("Apply complete");
    assert!(world.droplets().is_empty());
    let file = world.scratch.path().join("reviewed.plan");
    let file = file.to_str().unwrap();
    let saved = world.run(&["plan", "-out", file]).expect(0);
    saved.says("To do exactly this");
    world.run(&["apply", file, "--dry-run"]).expect(0).says("to add");
    assert!(world.droplets().is_empty());
    let mut silent = world.command(&["plan", "--out", file]);
    let silent: Ran = silent.env("IPAI_IN_AUTOMATION", "1").output().unwrap().into();
    silent.expect(0).says("Saved the plan").keeps_quiet_about("To do exactly this");
}

#[test]
fn the_stacks_file_and_the_form_are_named_as_with_kubectl() {
    let world = World::new();
    let file = world.stack().join("stack.toml");
    let run = |words: &[&str]| -> Ran {
        ipai(&world.home()).args(words).env("SHOP_API_KEY", "x").output().unwrap().into()
    };
    run(&["-f", file.to_str().unwrap(), "validate"]).expect(0).says("`shop` is valid");
    run(&["-f", "nothing.toml", "validate"]).expect(1).says("unexpected argument '-f'");
    world.run(&["plan", "-o", "json"]).expect(0).says("\"format_version\"");
    world.run(&["plan", "-o", "human"]).expect(0).says("Plan: ");
    let mut plan = world.command(&["plan"]);
    let plan: Ran = plan.env("IPAI_CLI_ARGS_plan", "-o markdown").output().unwrap().into();
    plan.expect(0).says("<details>");
    let mut broken = world.command(&["plan"]);
    let broken: Ran = broken.env("IPAI_CLI_ARGS", "'").output().unwrap().into();
    broken.expect(1).says("IPAI_CLI_ARGS: a quote is not closed");
}

#[test]
fn what_other_tools_call_otherwise_is_answered_with_ipais_own() {
    let world = World::new();
    for (words, own) in [
        (&["stop"][..], "ipai down"),
        (&["get", "secrets"], "ipai status"),
        (&["rollout", "undo"], "ipai rollback"),
        (&["compose", "up", "-d"], "ipai up"),
        (&["destroy", "-target", "host.file.env"], "take the resource out of the stack"),
        (&["plan", "--debug"], "IPAI_LOG=debug"),
    ] {
        world.run(words).expect(1).says(own);
    }
    world.run(&["lock"]).expect(0).says("Nobody holds the stack's lock");
    world.run(&["secrets", "--json"]).expect(0).says("\"api_key\"");
    let told = world.run(&["stop", "--json"]).expect(1);
    assert!(told.out.contains("ipai down"), "{}", told.out);
}
