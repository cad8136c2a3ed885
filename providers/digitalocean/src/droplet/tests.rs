use crate::droplet::live::is_young;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipai_core::{Address, Content, DesiredResource, DigestKey, Job, Secret, Span, StackId, Verb};
use serde_json::json;

use super::*;
use crate::api::Droplet;
use crate::marker::Marks;

fn desired(attributes: &[(&str, Value)]) -> DesiredResource {
    let span = Span::new(&Arc::from("stack.toml"), 0..1);
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let address = Address::new(PROVIDER, "droplet", "web");
    DesiredResource {
        address,
        attributes,
        after: BTreeSet::new(),
        home: None,
        span,
        spans: BTreeMap::new(),
    }
}

fn checked(attribute: &str, value: Value) -> (Value, Vec<String>) {
    let mut resource = desired(&[(attribute, value)]);
    let (stack, key, mut problems) =
        (StackId::new("ops", None), DigestKey::new(vec![1; 32]), Vec::new());
    let mut draft = Draft {
        resource: &mut resource,
        stack: &stack,
        key: &key,
        images: None,
        problems: &mut problems,
    };
    DropletType.check(&mut draft);
    let details = problems.into_iter().map(|p| p.detail.unwrap_or(p.summary)).collect();
    (resource.attributes[attribute].clone(), details)
}

fn accepts(attribute: &str, text: &str) -> bool {
    checked(attribute, Value::text(text)).1.is_empty()
}

#[test]
fn names_are_hostnames() {
    for name in ["web", "web.example.com", "a", "0-a", "Web1"] {
        assert!(accepts("name", name), "{name}");
    }
    for name in ["", "web.", "web_1", "wéb", "a b", &"a".repeat(256)] {
        assert!(!accepts("name", name), "{name}");
    }
}

#[test]
fn a_region_is_one_and_no_prefix_of_several() {
    assert!(accepts("region", "fra1") && accepts("region", "nyc3"));
    for region in ["nyc", "", "FRA1", "1", "fra1a"] {
        assert!(!accepts("region", region), "{region}");
    }
}

#[test]
fn tags_are_sorted_lower_case_and_not_ours() {
    let (tags, problems) = checked("tags", Value::texts(["b", "A", "a", "env:prod"]));
    assert_eq!((tags, problems.len()), (Value::texts(["a", "b", "env:prod"]), 0));
    for bad in ["a.b", "", "a b", "ipai", "ipai:ops", "IPAI-hash:x"] {
        assert_eq!(checked("tags", Value::texts([bad])).1.len(), 1, "{bad}");
    }
}

#[test]
fn user_data_is_checked() {
    let content = |text: &str| Value::Content(Content::plain(text.into()));
    assert!(checked("user_data", content("#cloud-config\n")).1.is_empty());
    assert_eq!(checked("user_data", content("#!/bin/sh\n")).1.len(), 1);
}

#[test]
fn two_droplets_of_one_name_exclude_each_other() {
    let (one, two) =
        (desired(&[("name", Value::text("Web"))]), desired(&[("name", Value::text("web"))]));
    let other = desired(&[("name", Value::text("db"))]);
    assert!(DropletType.clash(&one.attributes, &two.attributes).is_some());
    assert!(DropletType.clash(&one.attributes, &other.attributes).is_none());
}

#[test]
fn the_example_holds_what_is_required() {
    let table: BTreeSet<&str> =
        DropletType.example().lines().filter_map(|l| l.split(" =").next()).collect();
    let required = SCHEMA.iter().filter(|a| matches!(a.default, Default::Required));
    assert!(required.into_iter().all(|a| table.contains(a.name)));
}

fn droplet(change: impl FnOnce(&mut serde_json::Value)) -> Droplet {
    let mut body = json!({
        "id": 7, "name": "web", "memory": 1024, "locked": false, "status": "active",
        "created_at": "2026-01-01T00:00:00Z", "features": ["monitoring", "private_networking"],
        "region": {"slug": "fra1", "name": "Frankfurt 1"}, "size_slug": "s-1vcpu-1gb",
        "image": {"id": 99, "slug": "debian-13-x64"}, "vpc_uuid": "v-1",
        "tags": ["web", "ipai", "ipai:ops", "ipai:ops:droplet:web", "ipai-hash:aa", "ipai-hostkey:bb"],
        "networks": {
            "v4": [
                {"ip_address": "10.0.0.2", "type": "private"},
                {"ip_address": "192.0.2.9", "type": "public"},
                {"ip_address": "192.0.2.7", "type": "public"},
            ],
            "v6": [{"ip_address": "2001:db8::7", "type": "public"}],
        },
    });
    change(&mut body);
    serde_json::from_value(body).unwrap()
}

fn show(
    droplet: &Droplet,
    reserved: &[&str],
    desired: Option<&DesiredResource>,
) -> ipai_core::LiveResource {
    let reserved: BTreeSet<IpAddr> = reserved.iter().map(|ip| ip.parse().unwrap()).collect();
    let marks = Marks::read(&StackId::new("ops", None), &droplet.tags);
    let now = crate::api::epoch_of_rfc3339("2026-01-01T00:14:59Z").unwrap();
    let around = Surroundings { now, reserved: &reserved, desired };
    live_resource(marks.address().unwrap(), droplet, &marks, around)
}

#[test]
fn a_live_droplet_is_shown_in_canonical_attributes() {
    let live = show(&droplet(|_| ()), &[], None);
    let expected: Attributes = [
        ("name", Value::text("web")),
        ("region", Value::text("fra1")),
        ("size", Value::text("s-1vcpu-1gb")),
        ("image", Value::text("debian-13-x64")),
        ("power", Value::text("on")),
        ("host_key", Value::text("own")),
        ("tags", Value::texts(["web"])),
        ("monitoring", Value::Bool(true)),
        ("ipv6", Value::Bool(false)),
        ("backups", Value::Bool(false)),
        ("vpc_uuid", Value::text("v-1")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert_eq!(live.attributes, expected);
    assert_eq!((live.id.as_str(), live.applied.as_deref()), ("7", Some("aa")));
}

#[test]
fn outputs_hold_the_own_address_not_a_reserved_one() {
    let live = show(&droplet(|_| ()), &["192.0.2.9"], None);
    let text = |name: &str| live.outputs[name].as_text().unwrap().to_owned();
    assert_eq!(text("ipv4"), "192.0.2.7");
    assert_eq!((text("private_ipv4"), text("ipv6")), ("10.0.0.2".into(), "2001:db8::7".into()));
    assert_eq!(live.outputs["host_keys"], Value::texts(["bb"]));
    assert_eq!(live.outputs["young"], Value::Bool(true));
    let young = droplet(|body| body["networks"] = json!({"v4": [], "v6": []}));
    assert!(!show(&young, &[], None).outputs.contains_key("ipv4"));
}

#[test]
fn fifteen_minutes_are_the_end_of_youth() {
    let born = |at: &str| droplet(|body| body["created_at"] = json!(at));
    let now = crate::api::epoch_of_rfc3339("2026-01-01T00:15:00Z").unwrap();
    assert!(is_young(&born("2026-01-01T00:00:01Z"), now));
    assert!(!is_young(&born("2026-01-01T00:00:00Z"), now));
    assert!(!is_young(&born("yesterday"), now));
}

#[test]
fn an_image_is_shown_as_the_stack_names_it() {
    let by_number = desired(&[("image", Value::text("99"))]);
    let live = show(&droplet(|_| ()), &[], Some(&by_number));
    assert_eq!(live.attributes["image"], Value::text("99"));
    let snapshot = droplet(|body| body["image"]["slug"] = json!(null));
    assert_eq!(show(&snapshot, &[], None).attributes["image"], Value::text("99"));
}

#[test]
fn a_droplet_that_is_off_counts_as_a_difference() {
    let off = droplet(|body| body["status"] = json!("off"));
    assert_eq!(show(&off, &[], None).attributes["power"], Value::text("off"));
}

#[test]
fn strange_answers_are_refused() {
    let good = json!({
        "id": 7, "name": "web", "status": "active", "created_at": "x", "tags": [],
        "region": {"slug": "fra1"}, "size_slug": "s", "networks": {},
    });
    assert!(serde_json::from_value::<Droplet>(good.clone()).is_ok());
    for (field, value) in [
        ("id", json!("7")),
        ("status", json!("asleep")),
        ("tags", json!(null)),
        ("networks", json!({"v4": [{"ip_address": "no address", "type": "public"}]})),
    ] {
        let mut body = good.clone();
        body[field] = value;
        assert!(serde_json::from_value::<Droplet>(body).is_err(), "{field}");
    }
}

#[test]
fn a_create_carries_attributes_markers_and_the_host_key() {
    let birth = Birth {
        private_key: Secret::new("PRIVATE\nKEY\n".into()),
        public_key: "ssh-ed25519 AAAA".into(),
        fingerprint_hex: "cc".repeat(32),
    };
    let wanted = desired(&[
        ("name", Value::text("web")),
        ("region", Value::text("fra1")),
        ("size", Value::text("s-1vcpu-1gb")),
        ("image", Value::text("99")),
        ("ssh_keys", Value::texts(["12", "3b:16"])),
        ("monitoring", Value::Bool(true)),
        ("tags", Value::texts(["web"])),
    ]);
    let job = Job {
        stack: StackId::new("ops", None),
        address: wanted.address.clone(),
        verb: Verb::Create,
        desired: Some(wanted),
        version: Some("aa".into()),
        live: None,
        home: None,
    };
    let expected = json!({
        "name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": 99,
        "ssh_keys": [12, "3b:16"], "monitoring": true,
        "user_data": "#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n    PRIVATE\n    KEY\n  ed25519_public: \"ssh-ed25519 AAAA\"\n",
        "tags": ["ipai", "ipai:ops", "ipai:ops:droplet:web", "ipai-hash:aa", format!("ipai-hostkey:{}:born", "cc".repeat(32)), "web"],
    });
    assert_eq!(creation(&job, &birth).unwrap(), expected);
}
