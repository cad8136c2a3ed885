//! What DigitalOcean refuses, limits and splits into pages.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{World, options, world, world_with};
use ipai_simulator::{Limits, Pace};
use serde_json::{Value, json};

fn order() -> Value {
    json!({"name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
}

fn with(name: &str, value: Value) -> Value {
    let mut order = order();
    order[name] = value;
    order
}

async fn create(world: &World, order: Value) -> u64 {
    let made = world.post("/v2/droplets", order).await;
    assert_eq!(made.status, 202, "{}", made.text);
    made.body["droplet"]["id"].as_u64().unwrap()
}

#[tokio::test]
async fn every_answer_tells_what_is_left_and_has_an_id() {
    let world = world(Pace::instant()).await;
    let first = world.get("/v2/account").await;
    assert_eq!(first.header("ratelimit-limit"), "5000");
    assert_eq!(first.header("ratelimit-remaining"), "4999");
    assert_eq!(first.header("ratelimit-reset"), "1790003600");
    assert_eq!(first.header("x-request-id").len(), 36);
    let second = world.get("/v2/nonsense").await;
    assert_eq!((second.status, second.header("ratelimit-remaining")), (404, "4998"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn a_burst_says_when_to_come_back_and_a_spent_hour_does_not() {
    let burst = Limits { minutely: 2, ..Limits::default() };
    let world =
        world_with(ipai_simulator::Options { limits: burst, ..options(Pace::instant()) }).await;
    for _ in 0..2 {
        assert_eq!(world.get("/v2/account").await.status, 200);
    }
    let refused = world.get("/v2/account").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["id"], "too_many_requests");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    assert_eq!(refused.header("retry-after"), "57");
    assert_eq!(world.get_as("another", "/v2/account").await.status, 200);
    world.simulator.world().set_limits(Limits { hourly: 1, ..Limits::default() });
    let refused = world.get("/v2/account").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, ""));
}

#[tokio::test]
async fn the_list_of_keys_has_a_limit_of_its_own() {
    let world = world(Pace::instant()).await;
    for _ in 0..10 {
        assert_eq!(world.get("/v2/account/keys").await.status, 200);
    }
    assert_eq!(world.get("/v2/account/keys").await.status, 429);
    assert_eq!(world.get("/v2/account/keys/00%3A11").await.status, 404);
}

#[tokio::test]
async fn pages_link_to_this_simulator_and_keep_the_query() {
    let world = world(Pace::instant()).await;
    for _ in 0..3 {
        create(&world, with("tags", json!(["ipai"]))).await;
    }
    let first = world.get("/v2/droplets?tag_name=ipai&per_page=1").await;
    let base = &world.simulator.digitalocean_url;
    assert_eq!(first.body["meta"]["total"], 3);
    assert_eq!(
        first.body["links"]["pages"],
        json!({
            "next": format!("{base}/v2/droplets?page=2&tag_name=ipai&per_page=1"),
            "last": format!("{base}/v2/droplets?page=3&tag_name=ipai&per_page=1"),
        })
    );
    let last = world.get("/v2/droplets?tag_name=ipai&per_page=1&page=3").await;
    let names: Vec<&String> = last.body["links"]["pages"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["first", "prev"]);
    assert_eq!(world.get("/v2/droplets").await.body["links"], json!({}));
    let whole = world.get("/v2/droplets?per_page=500").await;
    assert_eq!(whole.body["droplets"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn refuses_orders_that_make_no_sense() {
    let world = world(Pace::instant()).await;
    for (order, message) in [
        (
            with("name", json!("a_b")),
            "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)",
        ),
        (with("size", json!("huge")), "You specified an invalid size for Droplet creation."),
        (
            json!({"name": "web", "region": "nyc1", "size": "s-2vcpu-4gb", "image": "debian-12-x64"}),
            "Size is not available in this region.",
        ),
        (with("ssh_keys", json!([7])), "7 are invalid key identifiers for Droplet creation."),
    ] {
        let refused = world.post("/v2/droplets", order).await;
        assert_eq!((refused.status, &refused.body["message"]), (422, &json!(message)));
        assert_eq!(refused.body["id"], "unprocessable_entity");
    }
    let large = with("user_data", json!("x".repeat(64 * 1024 + 1)));
    assert_eq!(world.post("/v2/droplets", large).await.status, 422);
    let most = with("user_data", json!("x".repeat(64 * 1024)));
    assert_eq!(world.post("/v2/droplets", most).await.status, 202);
    assert_eq!(world.get("/v2/droplets?tag_name=a&name=b").await.status, 400);
}

#[tokio::test]
async fn the_account_holds_so_many_droplets() {
    let limits = Limits { droplets: 1, ..Limits::default() };
    let world = world_with(ipai_simulator::Options { limits, ..options(Pace::instant()) }).await;
    create(&world, order()).await;
    let refused = world.post("/v2/droplets", order()).await;
    assert_eq!(
        refused.body["message"],
        "creating this/these droplet(s) will exceed your droplet limit"
    );
}

#[tokio::test]
async fn a_bad_tag_is_refused_in_a_shape_of_its_own() {
    let world = world(Pace::instant()).await;
    for name in ["a b", "a.b", "a/b", "a=b", ""] {
        let refused = world.post("/v2/tags", json!({"name": name})).await;
        assert_eq!(refused.status, 400, "{name}");
        assert!(refused.body["error"].is_string() && refused.body["root_causes"].is_array());
        assert!(refused.body.get("message").is_none());
    }
    let refused = world.post("/v2/droplets", with("tags", json!(["a b"]))).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_tag_keeps_its_first_spelling() {
    let world = world(Pace::instant()).await;
    world.post("/v2/tags", json!({"name": "Ops"})).await;
    let id = create(&world, with("tags", json!(["OPS"]))).await;
    let seen = world.get(&format!("/v2/droplets/{id}")).await;
    assert_eq!(seen.body["droplet"]["tags"], json!(["Ops"]));
    assert_eq!(world.get("/v2/tags/ops").await.status, 404);
    assert_eq!(world.get("/v2/tags/Ops").await.body["tag"]["resources"]["droplets"]["count"], 1);
}

#[tokio::test]
async fn tagging_needs_the_tag_and_untagging_deletes_nothing() {
    let world = world(Pace::instant()).await;
    let id = create(&world, order()).await;
    let body = json!({"resources": [{"resource_id": id.to_string(), "resource_type": "droplet"}]});
    assert_eq!(world.post("/v2/tags/ops/resources", body.clone()).await.status, 404);
    world.post("/v2/tags", json!({"name": "ops"})).await;
    assert_eq!(world.post("/v2/tags/ops/resources", body).await.status, 204);
    assert_eq!(world.get("/v2/droplets?tag_name=ops").await.body["meta"]["total"], 1);
    assert_eq!(world.delete("/v2/tags/ops").await.status, 204);
    assert_eq!(world.get("/v2/droplets?tag_name=ops").await.body["meta"]["total"], 0);
    assert_eq!(world.get("/v2/droplets").await.body["meta"]["total"], 1);
}

#[tokio::test]
async fn a_firewall_needs_existing_tags_a_rule_and_a_free_name() {
    let world = world(Pace { firewall_lag: 1, ..Pace::instant() }).await;
    let rules = json!([
        {"protocol": "icmp", "ports": "8", "sources": {"addresses": ["0.0.0.0/0"]}},
        {"protocol": "udp", "ports": "all", "sources": {"addresses": ["::/0"]}},
    ]);
    let body = json!({"name": "ipai-ops-edge", "inbound_rules": rules, "tags": ["ipai"]});
    assert_eq!(world.post("/v2/firewalls", body.clone()).await.status, 422);
    let id = create(&world, with("tags", json!(["ipai"]))).await;
    assert_eq!(world.post("/v2/firewalls", json!({"name": "ipai-ops-edge"})).await.status, 422);
    let mut body = body;
    body["droplet_ids"] = json!([id]);
    let made = world.post("/v2/firewalls", body.clone()).await;
    assert_eq!((made.status, &made.body["firewall"]["status"]), (202, &json!("waiting")));
    let ports = |at: usize| made.body["firewall"]["inbound_rules"][at]["ports"].clone();
    assert_eq!((ports(0), ports(1)), (json!("0"), json!("0")));
    let refused = world.post("/v2/firewalls", body).await;
    assert_eq!((refused.status, &refused.body["message"]), (409, &json!("duplicate name")));
    let path = format!("/v2/firewalls/{}", made.body["firewall"]["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.body["firewall"]["status"], "waiting");
    assert_eq!(world.get(&path).await.body["firewall"]["status"], "succeeded");
    let whole = json!({"name": "ipai-ops-edge", "outbound_rules": [
        {"protocol": "tcp", "ports": "1-65535", "destinations": {"addresses": ["0.0.0.0/0"]}},
    ]});
    let put = world.put(&path, whole).await;
    assert_eq!(put.body["firewall"]["inbound_rules"], json!([]));
    assert_eq!(put.body["firewall"]["droplet_ids"], json!([]));
    assert_eq!(put.body["firewall"]["pending_changes"][0]["removing"], true);
}

#[tokio::test]
async fn an_assigned_reserved_address_is_a_second_public_one() {
    let world = world(Pace::instant()).await;
    let id = create(&world, order()).await;
    let path = format!("/v2/droplets/{id}");
    assert_eq!(world.post("/v2/reserved_ips", json!({"droplet_id": id})).await.status, 422);
    world.get(&path).await;
    let made = world.post("/v2/reserved_ips", json!({"droplet_id": id})).await;
    let ip = made.body["reserved_ip"]["ip"].clone();
    assert_eq!(made.body["reserved_ip"]["locked"], true);
    world.get(&path).await;
    let seen = world.get(&path).await;
    let v4 = seen.body["droplet"]["networks"]["v4"].as_array().unwrap();
    let public: Vec<&Value> = v4.iter().filter(|n| n["type"] == "public").collect();
    assert_eq!(public.len(), 2);
    assert_eq!(public[1]["ip_address"], ip);
    world.delete(&path).await;
    let seen = world.get(&format!("/v2/reserved_ips/{}", ip.as_str().unwrap())).await;
    assert_eq!(seen.body["reserved_ip"]["droplet"], Value::Null);
}

#[tokio::test]
async fn a_volume_outlives_its_droplet_and_reads_attached_a_little_longer() {
    let world = world(Pace { detach_lag: 1, ..Pace::instant() }).await;
    let body = json!({"name": "data", "region": "fra1", "size_gigabytes": 10});
    let made = world.post("/v2/volumes", body.clone()).await;
    let volume = made.body["volume"]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.post("/v2/volumes", body).await.status, 409);
    let id = create(&world, with("volumes", json!([volume]))).await;
    let path = format!("/v2/volumes/{volume}");
    let refused = world.delete(&path).await;
    assert_eq!(refused.status, 409);
    assert!(refused.body["message"].as_str().unwrap().starts_with("A volume that's attached"));
    world.get(&format!("/v2/droplets/{id}")).await;
    assert_eq!(world.delete(&format!("/v2/droplets/{id}")).await.status, 204);
    assert_eq!(world.get(&path).await.body["volume"]["droplet_ids"], json!([id]));
    assert_eq!(world.get(&path).await.body["volume"]["droplet_ids"], json!([]));
    assert_eq!(world.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_rebuilt_droplet_keeps_its_id_and_its_address() {
    let world = world(Pace::instant()).await;
    let id = create(&world, order()).await;
    let path = format!("/v2/droplets/{id}");
    let before = world.get(&path).await.body["droplet"]["networks"].clone();
    let begun = world
        .post(&format!("{path}/actions"), json!({"type": "rebuild", "image": "debian-13-x64"}))
        .await;
    assert_eq!(begun.status, 201);
    let after = world.get(&path).await;
    assert_eq!(after.body["droplet"]["image"]["slug"], "debian-13-x64");
    assert_eq!(after.body["droplet"]["networks"], before);
}

#[tokio::test]
async fn a_private_droplet_never_has_a_public_address() {
    let world = world(Pace::instant()).await;
    let id = create(&world, with("public_networking", json!(false))).await;
    let seen = world.get(&format!("/v2/droplets/{id}")).await;
    let v4 = seen.body["droplet"]["networks"]["v4"].as_array().unwrap();
    assert!(v4.iter().all(|network| network["type"] == "private"));
}
