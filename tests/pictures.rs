//! Plans for a comment on a pull request, and drawings of a stack.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{CANARY, World};

const MARKDOWN: [&str; 3] = ["plan", "--format", "markdown"];

#[test]
fn a_plan_in_markdown_names_everything_and_shows_no_secret() {
    let world = World::new();
    let first = world.run(&MARKDOWN).expect(0).keeps_quiet_about(CANARY);
    let heading = "### Plan for `shop`: 13 to add, 0 to change, 0 to destroy.\n\n| |";
    assert!(first.out.starts_with(heading), "{}", first.out);
    first.says("| `+` | `digitalocean.droplet.web` | does not exist yet |").says("+ tcp 443");
    world.apply();
    let mut changed = world.command(&MARKDOWN);
    changed.env("SHOP_API_KEY", format!("{CANARY}-2")).arg("--detailed-exitcode");
    let changed = common::run(changed).expect(2).keeps_quiet_about(CANARY);
    changed.says("! content: (sensitive value) changed\n").says("0 to add, 2 to change");
}

#[test]
fn a_plan_in_markdown_has_the_exit_codes_of_every_plan() {
    let world = World::new();
    let detailed = [&MARKDOWN[..], &["--detailed-exitcode"]].concat();
    world.run(&detailed).expect(2);
    world.apply();
    let none = world.run(&detailed).expect(0);
    assert!(none.out.starts_with("### Plan for `shop`: No changes.\n"), "{}", none.out);
    assert!(none.out.ends_with("unchanged)\n"), "{}", none.out);
    world.edit("stack.toml", "region = \"fra1\"", "region = \"ams3\"");
    let replaced = world.run(&MARKDOWN).expect(0);
    let warning = "**Warning:** this plan replaces `digitalocean.droplet.web` (holds data).";
    assert_eq!(replaced.out.lines().nth(2), Some(warning), "{}", replaced.out);
    world.run(&["plan", "--format", "yaml"]).expect(1);
    world.run(&["plan", "--format", "text", "--json"]).expect(1);
}

#[test]
fn a_saved_plan_is_shown_in_each_form() {
    let world = World::new();
    let file = world.scratch.path().join("first.plan").display().to_string();
    world.run(&["plan", "--out", &file]).expect(0);
    let markdown = world.run(&["show", &file, "--format", "markdown"]).expect(0);
    assert!(markdown.out.starts_with("### Plan for `shop`: 13 to add"), "{}", markdown.out);
    let json = world.run(&["show", &file, "--format", "json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["summary"]["add"], 13);
    world.run(&["show", &file, "--json"]).expect(0).says("\"summary\"");
    world.run(&["show", &file]).expect(0).says("Plan: 13 to add");
}
