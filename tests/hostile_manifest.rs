//! A host is not trusted beyond itself: what its manifest claims must never reach another provider's objects.

#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use serde_json::{Value, json};

const MANIFEST: &str = "/opt/ipai/shop/.ipai/manifest.json";

/// Rewrites the manifest as somebody with root's rights on the host could.
fn forge(world: &World, change: impl FnOnce(&mut Value)) {
    let path = world.host_path(MANIFEST);
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(path, manifest.to_string()).unwrap();
}

fn forge_project(world: &World, name: &str, address: &str) {
    let folder = world.host_path("/tmp/x");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("compose.yaml"), "services: {}\n").unwrap();
    let record = json!({ "address": address, "directory": "/tmp/x" });
    forge(world, |manifest| manifest["projects"][name] = record);
}

/// The plan is refused, or leaves `address` alone.
#[track_caller]
fn expect_untouched(world: &World, address: &str) {
    let ran = world.run(&["plan"]);
    let line = ran.out.lines().find(|line| line.contains(&format!("- {address}")));
    assert_eq!(line, None, "a host's manifest plans the deletion of {address}");
}

#[test]
fn a_manifest_cannot_name_a_firewall_or_a_path_in_the_api() {
    let world = World::new();
    world.apply();
    forge_project(&world, "../droplets/4444", "digitalocean.firewall.old");
    expect_untouched(&world, "digitalocean.firewall.old");
}

#[test]
fn a_manifest_cannot_have_a_secret_made_anew() {
    let world = World::new();
    world.apply();
    let record =
        json!({ "address": "secret.api_key", "content": "", "mode": "0644", "owner": "root:root" });
    forge(&world, |manifest| manifest["files"]["/etc/hostname"] = record);
    expect_untouched(&world, "secret.api_key");
}

#[test]
fn a_manifest_cannot_lead_out_of_the_host_or_speak_for_another_stack() {
    let world = World::new();
    world.apply();
    let record = json!({ "address": "host.compose.x", "directory": "/opt/../../outside" });
    forge(&world, |manifest| manifest["projects"]["x"] = record);
    world.run(&["plan"]).expect(1).says("manifest.json");

    let world = World::new();
    world.apply();
    forge(&world, |manifest| manifest["stack"] = "another".into());
    world.run(&["plan"]).expect(1).says("manifest.json");
}

#[test]
fn a_foreign_compose_file_stands_in_the_way() {
    let world = World::new();
    world.apply();
    let folder = world.host_path("/opt/human");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("compose.yaml"), "services:\n  precious:\n    image: a:1\n")
        .unwrap();
    let other = "\n[host.compose.human]\nhost = \"digitalocean.droplet.web\"\nproject = \"human\"\ndirectory = \"/opt/human\"\ncontent = \"services: {a: {image: 'a:1'}}\"\n";
    world.write("stack.toml", &(world.read("stack.toml") + other));
    world.run(&["plan"]).says("host.compose.human cannot be created");
}
