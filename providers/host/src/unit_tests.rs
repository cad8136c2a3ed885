use std::collections::{BTreeMap, BTreeSet};

use ipai_core::{Address, Content, DigestKey, Span, StackId};

use super::*;

const TIMER: &str = "[Timer]\nOnCalendar=daily\n";

fn unit(name: &str, content: Content, enabled: bool) -> DesiredResource {
    let attributes = [
        ("host", Value::text("digitalocean.droplet.ops")),
        ("name", Value::text(name)),
        ("content", Value::Content(content)),
        ("enabled", Value::Bool(enabled)),
    ];
    DesiredResource {
        address: Address::new("host", "unit", "a"),
        attributes: attributes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        after: BTreeSet::new(),
        home: None,
        span: Span::new(&"stack.toml".into(), 0..1),
        spans: BTreeMap::new(),
    }
}

/// Runs check and settle, and gives back the resource and the summaries of what was found.
fn compiled(
    mut resource: DesiredResource,
    all: &[DesiredResource],
) -> (DesiredResource, Vec<String>) {
    let (stack, key, mut problems) =
        (StackId::new("ops", None), DigestKey::new(vec![1; 32]), Vec::new());
    let mut draft = Draft {
        resource: &mut resource,
        stack: &stack,
        key: &key,
        images: None,
        problems: &mut problems,
    };
    UnitType.check(&mut draft);
    UnitType.settle(&mut draft, all);
    (resource, problems.into_iter().map(|problem| problem.summary).collect())
}

#[test]
fn names_are_those_of_units_that_are_files() {
    for name in ["a.service", "b.timer", "mnt-my\\x2ddata.mount", "x.y.path", "a:b_c.slice"] {
        assert_eq!(problem(name), None, "{name}");
        assert_eq!(name_of(&path(name)), Some(name));
    }
    let long = format!("{}.service", "a".repeat(200));
    for name in [
        "",
        "a",
        "a.conf",
        "a.device",
        "a/b.service",
        "../a.service",
        "a@.service",
        "a@b.timer",
        ".service",
        "-a.service",
        ".a.service",
        "a b.service",
        "a\n.timer",
        "ü.timer",
        &long,
    ] {
        assert!(problem(name).is_some(), "{name:?}");
        assert_eq!(name_of(&path(name)), None);
    }
}

#[test]
fn a_unit_should_be_up_unless_it_ends_by_itself_or_waits_for_another() {
    let state = |name: &str, text: &str, enabled: bool| {
        let (unit, problems) = compiled(unit(name, Content::plain(text.into()), enabled), &[]);
        assert_eq!(problems, Vec::<String>::new());
        unit.text(STATE).unwrap().to_owned()
    };
    assert_eq!(state("a.timer", TIMER, true), "active");
    assert_eq!(state("a.timer", TIMER, false), "ready");
    assert_eq!(state("a.service", "[Service]\nType = oneshot\n", true), "ready");
    assert_eq!(state("a.service", "[Service]\nType=oneshot\nType=exec\n", true), "active");
}

#[test]
fn a_secret_does_not_belong_into_a_unit() {
    let secret = Content::sensitive(TIMER.into(), &DigestKey::new(vec![1; 32]));
    let (_, problems) = compiled(unit("a.timer", secret, true), &[]);
    assert_eq!(problems, ["A secret in a unit that everybody may read"]);
}

#[test]
fn the_file_of_a_unit_is_written_by_nobody_else() {
    let one = unit("a.timer", Content::plain(TIMER.into()), true);
    let mut file = one.clone();
    file.address = Address::new("host", "file", "x");
    file.attributes.insert("path".into(), Value::text("/etc/systemd/system/a.timer"));
    let (_, problems) = compiled(one.clone(), &[file]);
    assert_eq!(problems, ["Two resources exclude each other"]);
    assert!(UnitType.clash(&one.attributes, &one.attributes).unwrap().contains("a.timer"));
}
