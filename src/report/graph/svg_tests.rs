//! What the picture shows, whatever is drawn.

use ipai_core::{Action, Address, Plan, Reason, Verb};

use super::super::samples::*;
use super::*;

fn needing(address: &str, verb: Verb, needs: &[&str]) -> Action {
    let after = needs.iter().map(|need| need.parse().unwrap()).collect();
    Action { after, ..action(address, verb, Reason::Edited, Vec::new()) }
}

fn svg(plan: &Plan) -> String {
    let svg = Graph::of_plan(plan).svg();
    expect_well_formed(&svg);
    svg
}

/// Tags are paired and nothing else stands in angle brackets.
#[track_caller]
fn expect_well_formed(svg: &str) {
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("{piece}\n{svg}"));
        assert!(!text.contains('>'), "{piece}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// The files of one droplet, of which one is edited, and a Compose project that needs them all.
fn stack() -> Plan {
    let droplet = "digitalocean.droplet.ops";
    let names = ["host.file.a", "host.file.b", "host.file.c", "host.file.d"];
    let mut actions = vec![needing(droplet, Verb::NoOp, &[])];
    actions.extend(names.map(|name| needing(name, Verb::Create, &[droplet])));
    actions[1].verb = Verb::Update;
    actions.push(needing("host.compose.ops", Verb::Replace, &[&names[..], &[droplet]].concat()));
    actions.push(needing("cloudflare.dns_record.old", Verb::Delete, &[]));
    plan(actions)
}

#[test]
fn each_resource_is_drawn_once_with_its_action_in_colour_and_in_words() {
    let svg = svg(&stack());
    for said in [
        "digitalocean.droplet.ops: unchanged",
        "host.file.a: update",
        "host.file.d: create",
        "host.compose.ops: replace",
        "cloudflare.dns_record.old: destroy",
    ] {
        let (_, word) = said.split_once(": ").unwrap();
        let colour = if word == "destroy" { "delete" } else { word };
        let node = format!("<g class=\"node {colour}\"><title>{said}</title><rect ");
        assert_eq!(svg.matches(&node).count(), 1, "{node}\n{svg}");
    }
    assert!(svg.contains(
        "<tspan class=\"sign\">-/+\u{a0}</tspan><tspan class=\"soft\">host.compose.</tspan>"
    ));
    assert!(svg.contains("role=\"img\" aria-labelledby=\"graph-title\""));
    assert!(
        svg.contains("<title id=\"graph-title\">The resources of ops and what each needs</title>")
    );
}

#[test]
fn what_is_alike_has_one_frame_and_one_arrow_and_what_follows_has_none() {
    let svg = svg(&stack());
    assert_eq!(svg.matches("class=\"frame\"").count(), 1, "{svg}");
    // From the project to the files and from the files to the droplet; the project's own to the droplet follows.
    assert_eq!(svg.matches("class=\"arrow\"").count(), 2, "{svg}");
}

#[test]
fn nothing_is_loaded_and_equal_plans_are_equal_pictures() {
    let mut turned = stack();
    turned.actions.reverse();
    let svg = svg(&stack());
    assert_eq!(svg, self::svg(&turned));
    for outside in ["http", "url(", "href", "@import", "<script", "<image", "src="] {
        let allowed = ["http://www.w3.org/2000/svg", "url(#graph-head)"];
        let rest = allowed.iter().fold(svg.clone(), |text, allowed| text.replace(allowed, ""));
        assert!(!rest.contains(outside), "{outside}");
    }
    assert!(svg.contains("@media (prefers-color-scheme:dark)"), "{svg}");
}

#[test]
fn no_name_is_markup() {
    let evil = "\"><script>alert(1)</script>&\u{1b}";
    let old = action("host.file.a", Verb::Delete, Reason::DuplicateOf("1".into()), Vec::new());
    let mut plan = plan(vec![Action { id: Some(evil.into()), ..old }]);
    plan.stack = ipai_core::StackId::new(evil, None);
    let svg = svg(&plan);
    assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
    assert!(svg.contains("a (&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\\"), "{svg}");
}

#[test]
fn thousands_become_one_box_for_each_type_and_action_and_the_picture_says_so() {
    let mut actions = vec![new_droplet()];
    actions.extend((0..3000).map(|n| {
        let address = format!("host.file.f{n}");
        needing(&address, Verb::Update, &["digitalocean.droplet.ops"])
    }));
    actions.push(needing("host.file.last", Verb::Create, &["host.file.f1", "host.file.last"]));
    let svg = svg(&plan(actions));
    assert!(svg.contains("<title>host.file × 3000: update</title>"), "{svg}");
    assert!(svg.contains(">3002 resources: one box for each type and action</text>"), "{svg}");
    assert_eq!(svg.matches("<g class=\"node ").count(), 3, "{svg}");
    assert_eq!(svg.matches("class=\"arrow\"").count(), 2, "{svg}");
}

#[test]
fn on_a_page_boxes_lead_to_their_changes_and_bring_no_style() {
    let figure = Graph::of_plan(&stack()).figure();
    expect_well_formed(&figure);
    assert!(figure.contains("<a href=\"#c1\"><g class=\"node update\">"), "{figure}");
    assert!(!figure.contains("href=\"#c0\"") && !figure.contains("<style"), "{figure}");
    assert!(figure.contains(" role=\"group\" "), "{figure}");
    let wide =
        ["digitalocean.droplet", "host.file"].map(|kind| format!("{kind}.{}", "x".repeat(36)));
    let chain = ["digitalocean.droplet.ops", &wide[0], &wide[1]];
    let actions = (0..3).map(|n| needing(chain[n], Verb::Create, &chain[n.saturating_sub(1)..n]));
    let svg = Graph::of_plan(&plan(actions.collect())).figure();
    let size = |mark: &str| -> f64 {
        svg.split(mark).nth(1).unwrap().split(['"', ' ']).next().unwrap().parse().unwrap()
    };
    assert!(size("viewBox=\"0 0 ") > 1080.0 && size(" width=\"") <= 1080.0, "{svg}");
}

#[test]
fn a_stack_without_a_plan_has_no_colours_and_an_empty_one_is_a_picture_too() {
    let svg = Graph::of_stack("ops", &[]).svg();
    expect_well_formed(&svg);
    let mut graph = Graph::new("ops");
    graph.add(&Address::new("host", "file", "a"), String::new(), None, []);
    assert!(graph.svg().contains("<g class=\"node plain\"><title>host.file.a</title>"));
}
