//! A long day at both vendors, held to their own documents, request by request.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{World, world_with};
use ipai_simulator::openapi::Validator;
use ipai_simulator::{Limits, Options, Pace};
use serde_json::{Value, json};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9wZXJhdG9yLWtleS1mb3ItdGVzdHMtb25seS0xMjM0 ops";

async fn droplets(world: &World) -> u64 {
    for path in
        ["/v2/account", "/v2/regions", "/v2/sizes", "/v2/images", "/v2/images/debian-12-x64"]
    {
        assert_eq!(world.get(path).await.status, 200);
    }
    let key = world.post("/v2/account/keys", json!({"name": "ops", "public_key": KEY})).await;
    let key = format!("/v2/account/keys/{}", key.body["ssh_key"]["id"]);
    world.get("/v2/account/keys").await;
    world.get(&key).await;
    world.put(&key, json!({"name": "renamed"})).await;
    let order = json!({
        "name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64",
        "ipv6": true, "tags": ["ipai"], "user_data": "#!/bin/sh\n",
    });
    let made = world.post("/v2/droplets", order.clone()).await;
    let mut many = order;
    many.as_object_mut().unwrap().remove("name");
    many["names"] = json!(["a", "b"]);
    assert_eq!(world.post("/v2/droplets", many).await.status, 202);
    let id = made.body["droplet"]["id"].as_u64().unwrap();
    for _ in 0..6 {
        world.get(&format!("/v2/droplets/{id}")).await;
        world.get("/v2/droplets?per_page=1").await;
    }
    world.get("/v2/droplets?per_page=1&page=2").await;
    for path in
        ["actions", "backups", "snapshots", "firewalls", "destroy_with_associated_resources"]
    {
        assert_eq!(world.get(&format!("/v2/droplets/{id}/{path}")).await.status, 200, "{path}");
    }
    world.delete(&key).await;
    id
}

/// Polls an action until it is done; gives its id.
async fn done(world: &World, action: &Value) -> u64 {
    let id = action["id"].as_u64().unwrap();
    for _ in 0..20 {
        let seen = world.get(&format!("/v2/actions/{id}")).await;
        if seen.body["action"]["status"] == "completed" {
            return id;
        }
    }
    panic!("never done: {action}");
}

async fn actions(world: &World, id: u64) {
    let path = format!("/v2/droplets/{id}/actions");
    for body in [
        json!({"type": "power_off"}),
        json!({"type": "resize", "size": "s-1vcpu-2gb", "disk": true}),
        json!({"type": "power_on"}),
        json!({"type": "snapshot", "name": "before"}),
        json!({"type": "rename", "name": "web2"}),
        json!({"type": "rebuild", "image": "debian-13-x64"}),
    ] {
        let begun = world.post(&path, body).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        let action = done(world, &begun.body["action"]).await;
        world.get(&format!("{path}/{action}")).await;
    }
    world.get("/v2/actions?per_page=2").await;
    let by_tag =
        world.post("/v2/droplets/actions?tag_name=ipai", json!({"type": "enable_ipv6"})).await;
    assert_eq!(by_tag.status, 201);
    for action in by_tag.body["actions"].as_array().unwrap() {
        done(world, action).await;
    }
    world.get(&format!("/v2/droplets/{id}/snapshots")).await;
    world.get("/v2/images?private=true").await;
    let snapshots = world.get("/v2/snapshots?resource_type=droplet").await;
    let snapshot = snapshots.body["snapshots"][0]["id"].as_str().unwrap().to_owned();
    world.get(&format!("/v2/images/{snapshot}")).await;
    world.get(&format!("/v2/snapshots/{snapshot}")).await;
    assert_eq!(world.delete("/v2/snapshots/129211873").await.status, 400);
    assert_eq!(world.delete(&format!("/v2/images/{snapshot}")).await.status, 204);
}

async fn tags_and_firewalls(world: &World, id: u64) {
    assert_eq!(world.post("/v2/tags", json!({"name": "ipai:ops"})).await.status, 201);
    assert_eq!(world.post("/v2/tags", json!({"name": "no spaces"})).await.status, 400);
    let one = json!({"resources": [{"resource_id": id.to_string(), "resource_type": "droplet"}]});
    let resources = "/v2/tags/ipai%3Aops/resources";
    assert_eq!(world.post(resources, one.clone()).await.status, 204);
    world.get("/v2/tags").await;
    world.get("/v2/tags/ipai%3Aops").await;
    assert_eq!(world.get("/v2/droplets?tag_name=ipai%3Aops").await.status, 200);
    let removed = world.try_call("DELETE", resources, Some(one)).await.unwrap();
    assert_eq!(removed.status, 204);
    let rule = |port: &str| json!({"protocol": "tcp", "ports": port, "sources": {"addresses": ["0.0.0.0/0", "::/0"]}});
    let body = json!({"name": "ipai-ops-edge", "inbound_rules": [rule("22")], "droplet_ids": [id], "tags": ["ipai"]});
    let made = world.post("/v2/firewalls", body.clone()).await;
    assert_eq!(made.status, 202, "{}", made.text);
    assert_eq!(world.post("/v2/firewalls", body.clone()).await.status, 409);
    let path = format!("/v2/firewalls/{}", made.body["firewall"]["id"].as_str().unwrap());
    for _ in 0..3 {
        world.get(&path).await;
    }
    world.get("/v2/firewalls").await;
    world.get(&format!("/v2/droplets/{id}/firewalls")).await;
    assert_eq!(world.put(&path, body).await.status, 200);
    for (part, body) in [
        ("droplets", json!({"droplet_ids": [id]})),
        ("tags", json!({"tags": ["ipai:ops"]})),
        ("rules", json!({"inbound_rules": [rule("443")]})),
    ] {
        let path = format!("{path}/{part}");
        for method in ["POST", "DELETE"] {
            let answer = world.try_call(method, &path, Some(body.clone())).await.unwrap();
            assert_eq!(answer.status, 204, "{method} {path} {}", answer.text);
        }
    }
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.delete("/v2/tags/ipai%3Aops").await.status, 204);
}

async fn volumes(world: &World, id: u64) {
    let body = json!({
        "name": "data", "region": "fra1", "size_gigabytes": 10, "filesystem_type": "ext4",
        "filesystem_label": "data", "tags": ["ipai"],
    });
    let made = world.post("/v2/volumes", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(world.post("/v2/volumes", body).await.status, 409);
    let path = format!("/v2/volumes/{}", made.body["volume"]["id"].as_str().unwrap());
    world.get("/v2/volumes?name=data&region=fra1").await;
    let acts = format!("{path}/actions");
    let attach = json!({"type": "attach", "droplet_id": id, "region": "fra1"});
    let begun = world.post(&acts, attach).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_eq!(begun.body["action"]["type"], "attach_volume");
    let action = done(world, &begun.body["action"]).await;
    world.get(&acts).await;
    world.get(&format!("{acts}/{action}")).await;
    assert_eq!(world.delete(&path).await.status, 409);
    let snapshot = world.post(&format!("{path}/snapshots"), json!({"name": "first"})).await;
    assert_eq!(snapshot.status, 201);
    let snapshot = snapshot.body["snapshot"]["id"].as_str().unwrap().to_owned();
    world.get(&format!("{path}/snapshots")).await;
    world.get("/v2/snapshots").await;
    world.get(&format!("/v2/volumes/snapshots/{snapshot}")).await;
    assert_eq!(world.delete(&format!("/v2/volumes/snapshots/{snapshot}")).await.status, 204);
    let grow = json!({"type": "resize", "size_gigabytes": 20, "region": "fra1"});
    done(world, &world.post(&acts, grow).await.body["action"]).await;
    let detach = json!({"type": "detach", "droplet_id": id});
    done(world, &world.post(&acts, detach).await.body["action"]).await;
    assert_eq!(world.get(&path).await.body["volume"]["size_gigabytes"], 20);
    assert_eq!(world.delete(&path).await.status, 204);
    let other = json!({"name": "other", "region": "fra1", "size_gigabytes": 1});
    assert_eq!(world.post("/v2/volumes", other).await.status, 201);
    let by_name = json!({"type": "attach", "droplet_id": id, "region": "fra1"});
    assert_eq!(world.post("/v2/volumes/actions", by_name).await.status, 404);
    assert_eq!(world.delete("/v2/volumes?name=other&region=fra1").await.status, 204);
}

async fn reserved_ips(world: &World, id: u64) {
    let made = world.post("/v2/reserved_ips", json!({"droplet_id": id})).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let ip = made.body["reserved_ip"]["ip"].as_str().unwrap().to_owned();
    let path = format!("/v2/reserved_ips/{ip}");
    assert_eq!(world.delete(&path).await.status, 422);
    done(world, &made.body["links"]["actions"][0]).await;
    let seen = world.get(&path).await;
    assert_eq!(seen.body["reserved_ip"]["droplet"]["id"], id);
    world.get("/v2/reserved_ips").await;
    let acts = format!("{path}/actions");
    let begun = world.post(&acts, json!({"type": "unassign"})).await;
    assert_eq!(begun.status, 201);
    let action = done(world, &begun.body["action"]).await;
    world.get(&acts).await;
    world.get(&format!("{acts}/{action}")).await;
    let again = world.post(&acts, json!({"type": "assign", "droplet_id": id})).await;
    done(world, &again.body["action"]).await;
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.post("/v2/reserved_ips", json!({"region": "fra1"})).await.status, 202);
}

async fn the_end(world: &World, id: u64) {
    assert_eq!(world.get("/v2/droplets/1").await.status, 404);
    let path = format!("/v2/droplets/{id}");
    let selective = format!("{path}/destroy_with_associated_resources/selective");
    let answer = world.try_call("DELETE", &selective, Some(json!({"volumes": []}))).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    let status = format!("{path}/destroy_with_associated_resources/status");
    assert_eq!(world.get(&status).await.status, 200);
    let retry = format!("{path}/destroy_with_associated_resources/retry");
    assert_eq!(world.try_call("POST", &retry, None).await.unwrap().status, 202);
    let others = world.get("/v2/droplets").await;
    let mut others =
        others.body["droplets"].as_array().unwrap().iter().filter(|d| d["locked"] == false);
    let other = format!("/v2/droplets/{}", others.next().unwrap()["id"]);
    let dangerous = format!("{other}/destroy_with_associated_resources/dangerous");
    assert_eq!(world.delete(&dangerous).await.status, 400);
    assert_eq!(world.delete(&other).await.status, 204);
    assert_eq!(world.delete("/v2/droplets?tag_name=ipai").await.status, 204);
    assert_eq!(world.get_as("invalid", "/v2/droplets").await.status, 401);
}

async fn zones_and_records(world: &World) {
    assert_eq!(world.get("/user/tokens/verify").await.status, 200);
    assert_eq!(world.get("/zones?name=example.com").await.status, 200);
    let records = world.records();
    let zone = records.trim_end_matches("/dns_records").to_owned();
    assert_eq!(world.get(&zone).await.status, 200);
    let bodies = [
        json!({"type": "A", "name": "www.example.com", "content": "198.51.100.4", "proxied": true}),
        json!({"type": "AAAA", "name": "www.example.com", "content": "2001:db8::1", "ttl": 60}),
        json!({"type": "CNAME", "name": "chat.example.com", "content": "www.example.com", "comment": "ipai ops chat 00"}),
        json!({"type": "MX", "name": "example.com", "content": "mail.example.com", "priority": 10}),
        json!({"type": "TXT", "name": "example.com", "content": "v=spf1 -all"}),
        json!({"type": "NS", "name": "sub.example.com", "content": "ns1.example.net"}),
        json!({"type": "CAA", "name": "example.com", "data": {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}}),
        json!({"type": "SRV", "name": "_sip._tcp.example.com", "data": {"priority": 1, "weight": 2, "port": 5060, "target": "sip.example.com"}}),
        json!({"type": "TLSA", "name": "_443._tcp.example.com", "data": {"usage": 3, "selector": 1, "matching_type": 1, "certificate": "00ff"}}),
    ];
    let mut ids = Vec::new();
    for body in bodies {
        let made = world.post(&records, body).await;
        assert_eq!(made.status, 200, "{}", made.text);
        ids.push(made.body["result"]["id"].as_str().unwrap().to_owned());
    }
    for query in [
        "",
        "?per_page=2&page=9",
        "?comment.startswith=ipai%20ops&type=CNAME",
        "?name=www.example.com&match=any",
    ] {
        assert_eq!(world.get(&format!("{records}{query}")).await.status, 200);
    }
    let path = format!("{records}/{}", ids[0]);
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(
        world.patch(&path, json!({"comment": "mine", "proxied": false, "ttl": 300})).await.status,
        200
    );
    let whole = json!({"type": "A", "name": "www.example.com", "content": "198.51.100.5"});
    assert_eq!(world.put(&path, whole.clone()).await.status, 200);
    assert_eq!(world.post(&records, whole).await.code(), 81058);
    let batch = json!({
        "deletes": [{"id": ids[2]}],
        "patches": [{"id": ids[1], "comment": "batch"}],
        "puts": [{"id": ids[4], "type": "TXT", "name": "example.com", "content": "other"}],
        "posts": [{"type": "A", "name": "chat.example.com", "content": "198.51.100.6"}],
    });
    assert_eq!(world.post(&format!("{records}/batch"), batch).await.status, 200);
    assert_eq!(world.get(&format!("{records}/export")).await.status, 200);
    let import = world.try_call("POST", &format!("{records}/import"), None).await.unwrap();
    assert_eq!(import.status, 400);
    assert_eq!(world.delete(&path).await.status, 200);
    assert_eq!(world.delete(&path).await.status, 404);
}

#[tokio::test]
async fn every_answer_and_request_fits_the_vendors_documents() {
    let options = Options {
        limits: Limits { minutely: 10_000, key_lists: 100, ..Limits::default() },
        ..common::options(Pace::prompt())
    };
    let world = world_with(options).await;
    let id = droplets(&world).await;
    actions(&world, id).await;
    tags_and_firewalls(&world, id).await;
    volumes(&world, id).await;
    reserved_ips(&world, id).await;
    the_end(&world, id).await;
    zones_and_records(&world).await;
    let validator = Validator::new().unwrap();
    let log = world.simulator.world().log();
    let mut violations: Vec<String> = Vec::new();
    for exchange in &log {
        violations.extend(validator.check_response(exchange));
        // This session sends bad requests on purpose, and they are refused.
        if exchange.status.is_some_and(|status| status < 400) {
            violations.extend(validator.check_request(exchange));
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    let called: BTreeSet<_> = log
        .iter()
        .map(|exchange| (exchange.vendor, exchange.method.clone(), exchange.template.clone()))
        .collect();
    let missed: Vec<_> =
        validator.operations().into_iter().filter(|op| !called.contains(op)).collect();
    assert!(missed.is_empty(), "never called: {missed:?}");
}

#[tokio::test]
async fn the_validator_sees_a_bad_request() {
    let world = common::world(Pace::instant()).await;
    let mut validated = Vec::new();
    let validator = Validator::new().unwrap();
    let records = world.records();
    world.get("/v2/droplets?per_page=500&tags=x").await;
    world.post("/v2/droplets", json!({"name": "web", "sise": "s-1vcpu-1gb"})).await;
    world.post(&records, json!({"type": "A", "name": "www", "content": "nonsense"})).await;
    world
        .post(&records, json!({"type": "A", "name": "www", "content": "198.51.100.4", "id": "x"}))
        .await;
    world.patch(&format!("{records}/{}", "0".repeat(32)), json!({"tll": 5})).await;
    for exchange in world.simulator.world().log() {
        validated.push(validator.check_request(&exchange));
    }
    assert!(validated.iter().all(|violations| !violations.is_empty()), "{validated:#?}");
    assert_eq!(validated[0].len(), 2, "{validated:#?}");
}
