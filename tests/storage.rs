//! What outlives a droplet, as its user would have it: a volume, a reserved address with a record for it, snapshots.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::World;
use serde_json::{Value, json};

const STACK: &str = r#"[stack]
name = "shop"

[digitalocean.droplet.web]
name = "web.example.com"
region = "fra1"
size = "s-1vcpu-1gb"
image = "debian-13-x64"

[digitalocean.volume.data]
name = "shop-data"
region = "fra1"
size_gb = 10
droplet = "digitalocean.droplet.web"

[digitalocean.reserved_ip.web]
droplet = "digitalocean.droplet.web"

[cloudflare.dns_record.www]
zone = "example.com"
name = "www"
type = "A"
content = "{{ digitalocean.reserved_ip.web.ip }}"

[output.device]
value = "{{ digitalocean.volume.data.device }}"
"#;

fn world() -> World {
    let world = World::new();
    world.write("stack.toml", STACK);
    world
}

fn items(world: &World, kind: &str) -> Vec<Value> {
    world.cloud().snapshot()["digitalocean"][kind].as_array().unwrap().clone()
}

const LOSSES: [&str; 6] = [
    "--allow-data-loss",
    "digitalocean.droplet.web",
    "--allow-data-loss",
    "digitalocean.volume.data",
    "--allow-data-loss",
    "digitalocean.reserved_ip.web",
];

#[test]
fn a_volume_and_an_address_outlive_their_droplet_and_go_when_told_to() {
    let world = world();
    world.run(&["plan", "--detailed-exitcode"]).expect(2).says("4 to add");
    world.apply();
    let address = items(&world, "reserved_ips")[0]["ip"].clone();
    assert_eq!(world.record("www.example.com", "A")["content"], address);
    world.edit("stack.toml", "size_gb = 10", "size_gb = 20");
    world.run(&["plan"]).expect(0).says("~ digitalocean.volume.data").says("0 to add, 1 to change");
    world.apply();
    let volume = items(&world, "volumes").remove(0);
    assert_eq!((&volume["size"], &volume["droplet"]), (&json!(20), &json!(world.droplet())));
    let old = world.droplet();
    let replace = ["apply", "--auto-approve", "--replace", "digitalocean.droplet.web"];
    world
        .run(&[&replace[..], &LOSSES[..2]].concat())
        .expect(0)
        .says("1 added, 0 changed, 1 destroyed");
    let new = world.droplet();
    assert_ne!(new, old);
    let (volumes, addresses) = (items(&world, "volumes"), items(&world, "reserved_ips"));
    assert_eq!((&volumes[0]["id"], &volumes[0]["droplet"]), (&volume["id"], &json!(new)));
    assert_eq!((&addresses[0]["ip"], &addresses[0]["droplet"]), (&address, &json!(new)));
    assert_eq!(world.record("www.example.com", "A")["content"], address);
    let refused = world.run(&["destroy", "--auto-approve", "--detailed-exitcode"]).expect(5);
    refused
        .says("--allow-data-loss digitalocean.volume.data")
        .says("--allow-data-loss digitalocean.reserved_ip.web");
    let partly = [&["destroy", "--auto-approve"][..], &LOSSES[..4]].concat();
    world.run(&partly).expect(1).says("--allow-data-loss digitalocean.reserved_ip.web");
    assert_eq!((items(&world, "volumes").len(), world.droplets().len()), (1, 1));
    world.run(&[&["destroy", "--auto-approve"][..], &LOSSES].concat()).expect(0);
    for kind in ["volumes", "reserved_ips", "tags"] {
        assert!(items(&world, kind).is_empty(), "{kind}: {:?}", items(&world, kind));
    }
    assert!(world.droplets().is_empty() && world.records().iter().all(|r| r["type"] != "A"));
}

#[test]
fn what_a_volume_cannot_do_is_said_in_the_plan() {
    let world = world();
    world.apply();
    world.edit("stack.toml", "size_gb = 10", "size_gb = 5");
    let refused = world.run(&["apply", "--auto-approve", "--detailed-exitcode"]).expect(5);
    refused.says("a volume can only grow").says("size_gb = 10");
    assert_eq!(items(&world, "volumes")[0]["size"], 10);
    world.edit("stack.toml", "size_gb = 5", "size_gb = 10");
    world.edit("stack.toml", "region = \"fra1\"\nsize_gb", "region = \"ams3\"\nsize_gb");
    world.run(&["plan"]).expect(1).says("in different regions").says("stack.toml:");
    world.write("stack.toml", STACK.split("\n[digitalocean.volume").next().unwrap());
    let gone = world.run(&["apply", "--auto-approve", "--detailed-exitcode"]).expect(5);
    gone.says("--allow-data-loss digitalocean.volume.data");
}

#[test]
fn snapshots_are_taken_listed_and_pruned_and_those_of_others_stay() {
    let world = world();
    world.run(&["snapshots"]).expect(0).says("No snapshots.");
    world.run(&["snapshots", "take", "digitalocean.volume.data"]).expect(1).says("does not exist");
    world.run(&["snapshots", "take", "digitalocean.firewall.x"]).expect(1).says("has no snapshots");
    world.apply();
    let volume = items(&world, "volumes")[0]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/v2/volumes/{volume}/snapshots", world.simulator.digitalocean_url);
    let by_hand = reqwest::Client::builder().no_proxy().build().unwrap().post(url);
    let by_hand = by_hand.bearer_auth("t").json(&json!({"name": "by-hand"})).send();
    assert!(world.runtime.block_on(by_hand).unwrap().status().is_success());
    for _ in 0..2 {
        world.run(&["snapshots", "take", "digitalocean.volume.data"]).expect(0).says("is taken.");
    }
    let taken = world.run(&["snapshots", "take", "digitalocean.droplet.web", "--json"]).expect(0);
    let taken: Value = serde_json::from_str(&taken.out).unwrap();
    assert_eq!(taken["taken"]["source"], "digitalocean.droplet.web");
    world
        .run(&["snapshots"])
        .expect(0)
        .says("digitalocean.volume.data")
        .says("by-hand  (foreign)")
        .says("2.34 GB");
    let listed: Value =
        serde_json::from_str(&world.run(&["snapshots", "--json"]).expect(0).out).unwrap();
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 4);
    world.run(&["snapshots", "prune", "--keep", "1"]).expect(1).says("nobody can be asked");
    assert_eq!(items(&world, "snapshots").len(), 4);
    world
        .run(&["snapshots", "prune", "--keep", "1", "--yes"])
        .expect(0)
        .says("1 snapshot deleted.");
    world
        .run(&["snapshots", "prune", "--keep", "0", "--yes"])
        .expect(0)
        .says("2 snapshots deleted.");
    world
        .run(&["snapshots", "prune", "--keep", "0", "--yes"])
        .expect(0)
        .says("0 snapshots deleted.");
    let left = items(&world, "snapshots");
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("by-hand")));
    world.expect_empty_plan();
}
