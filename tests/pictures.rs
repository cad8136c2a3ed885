//! Plans for a comment on a pull request and as a page, and drawings of a stack.

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
    // The last word counts.
    assert!(world.run(&["plan", "--format", "text", "--json"]).expect(0).out.starts_with('{'));
    let text = world.run(&["plan", "--json", "--format", "text"]).expect(0);
    assert!(text.out.starts_with("ipai will perform"), "{}", text.out);
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
    let html = world.run(&["show", &file, "--format", "html"]).expect(0).keeps_quiet_about(CANARY);
    assert!(
        html.out.contains("<title>Plan for shop: 13 to add, 0 to change, 0 to destroy.</title>")
    );
    assert!(html.out.starts_with("<!doctype html>") && html.out.ends_with("</html>\n"));
    world.run(&["show", &file, "--json"]).expect(0).says("\"summary\"");
    world.run(&["show", &file]).expect(0).says("Plan: 13 to add");
}

/// The drawing must be one that a reader of DOT takes: quotes closed, braces paired, statements ended.
#[track_caller]
fn expect_well_formed(dot: &str) {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for line in dot.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for c in line.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '{' if !quoted => depth += 1,
                '}' if !quoted => depth -= 1,
                _ => {}
            }
        }
        assert!(!quoted && depth >= 0, "{line}\n{dot}");
        assert!(line.ends_with(['{', '}', ';']), "{line}\n{dot}");
    }
    assert_eq!(depth, 0, "{dot}");
}

#[test]
fn a_stack_is_drawn_without_asking_anybody() {
    let world = World::new();
    let asked = world.cloud().log().len();
    let dot = world.run(&["graph"]).expect(0).keeps_quiet_about(CANARY).out;
    assert_eq!(world.cloud().log().len(), asked);
    expect_well_formed(&dot);
    assert_eq!(dot, world.run(&["graph", "--format", "dot"]).expect(0).out);
    for edge in [
        "\"cloudflare.dns_record.www\" -> \"digitalocean.droplet.web\";",
        "\"host.compose.shop\" -> \"cloudflare.dns_record.www\";",
        "\"digitalocean.firewall.web\" -> \"digitalocean.droplet.web\";",
    ] {
        assert!(dot.contains(edge), "{edge}\n{dot}");
    }
    assert!(!dot.contains("//") && !dot.contains("[fillcolor"), "{dot}");
    assert!(!dot.contains("secret."), "{dot}");
    let mermaid = world.run(&["graph", "--format", "mermaid"]).expect(0).out;
    assert!(mermaid.starts_with("flowchart RL\n  subgraph p0[\"cloudflare\"]\n"), "{mermaid}");
    assert_eq!(mermaid.matches(" --> ").count(), dot.matches(" -> ").count(), "{mermaid}");
}

#[test]
fn a_saved_plan_is_drawn_in_the_colours_of_its_actions() {
    let world = World::new();
    world.apply();
    let text = world.read("stack.toml");
    let old = "[cloudflare.dns_record.spf]";
    let (before, rest) = text.split_once(old).unwrap();
    let (_, after) = rest.split_once("[cloudflare.dns_record.mail]").unwrap();
    let fresh = "[cloudflare.dns_record.fresh]\nzone = \"example.com\"\nname = \"fresh\"\ntype = \"A\"\ncontent = \"203.0.113.9\"\n";
    world.write("stack.toml", &format!("{before}{fresh}[cloudflare.dns_record.mail]{after}"));
    world.edit("stack.toml", "\"2001:db8::1\"", "\"2001:db8::2\"");
    world.edit("stack.toml", "region = \"fra1\"", "region = \"ams3\"");
    let file = world.scratch.path().join("next.plan").display().to_string();
    world.run(&["plan", "--out", &file]).expect(0);
    let dot = world.run(&["graph", &file]).expect(0).out;
    expect_well_formed(&dot);
    assert!(
        dot.contains("  // green: create, yellow: update, red: delete, magenta: replace"),
        "{dot}"
    );
    for (address, colour) in [
        ("cloudflare.dns_record.fresh", "palegreen"),
        ("cloudflare.dns_record.apex6", "yellow"),
        ("cloudflare.dns_record.spf", "salmon"),
        ("digitalocean.droplet.web", "violet"),
        ("cloudflare.dns_record.mail", "lightgrey"),
    ] {
        let node = format!("\"{address}\" [fillcolor = \"{colour}\"];");
        assert!(dot.contains(&node), "{node}\n{dot}");
    }
    let mermaid = world.run(&["graph", &file, "--format", "mermaid"]).expect(0).out;
    assert!(mermaid.contains("  classDef delete fill:salmon,color:black\n"), "{mermaid}");
    let svg = world.run(&["graph", &file, "--format", "svg"]).expect(0).keeps_quiet_about(CANARY);
    for (said, colour) in [
        ("cloudflare.dns_record.fresh: create", "create"),
        ("cloudflare.dns_record.apex6: update", "update"),
        ("cloudflare.dns_record.spf: destroy", "delete"),
        ("digitalocean.droplet.web: replace", "replace"),
        ("cloudflare.dns_record.mail: unchanged", "unchanged"),
    ] {
        let node = format!("<g class=\"node {colour}\"><title>{said}</title>");
        assert!(svg.out.contains(&node), "{node}\n{}", svg.out);
    }
}

#[test]
fn a_stack_is_drawn_as_a_picture_that_needs_no_program() {
    let world = World::new();
    let asked = world.cloud().log().len();
    let svg = world.run(&["graph", "--format", "svg"]).expect(0).keeps_quiet_about(CANARY).out;
    assert_eq!(world.cloud().log().len(), asked);
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.contains("<title>digitalocean.droplet.web</title>"), "{svg}");
    assert_eq!(svg, world.run(&["graph", "--format", "svg"]).expect(0).out);
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let world = World::new();
    world.run(&["graph", "no-such.plan"]).expect(1).says("No such plan file");
    world.run(&["graph", "--format", "png"]).expect(1);
    world.edit("stack.toml", "\"digitalocean.droplet.web\"", "\"digitalocean.droplet.wbe\"");
    let broken = world.run(&["graph"]).expect(1);
    assert_eq!(broken.out, "");
    world.run(&["graph", "--help"]).expect(0).says("from a resource to what it needs");
}
