//! Tokens, zones and limits at Cloudflare.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{options, world, world_with};
use ipai_simulator::{Limits, Options, Pace};
use serde_json::{Value, json};

#[tokio::test]
async fn a_good_token_is_told_so_with_the_number_of_a_bad_one() {
    let world = world(Pace::instant()).await;
    let good = world.get("/user/tokens/verify").await;
    assert_eq!(good.body["result"]["status"], "active");
    assert_eq!(good.body["messages"][0]["code"], 10000);
    let bad = world.get_as("invalid", "/user/tokens/verify").await;
    assert_eq!((bad.status, bad.code()), (401, 1000));
    let bad = world.get_as("invalid", "/zones").await;
    assert_eq!((bad.status, bad.code()), (403, 10000));
    let odd = world.get_as("two words", "/zones").await;
    assert_eq!((odd.status, odd.code(), odd.chained()), (400, 6003, 6111));
}

#[tokio::test]
async fn a_token_without_rights_verifies_and_sees_no_zones() {
    let world = world(Pace::instant()).await;
    assert_eq!(world.get_as("norights", "/user/tokens/verify").await.status, 200);
    let zones = world.get_as("norights", "/zones?name=example.com").await;
    assert_eq!((zones.status, &zones.body["result"]), (200, &json!([])));
    let records = world.get_as("norights", &world.records()).await;
    assert_eq!((records.status, records.code()), (403, 9109));
}

#[tokio::test]
async fn a_token_that_reads_does_not_write() {
    let world = world(Pace::instant()).await;
    assert_eq!(world.get_as("readonly", &world.records()).await.status, 200);
    let zones = world.get_as("readonly", "/zones").await;
    let permissions = json!(["#dns_records:read", "#zone:read"]);
    assert_eq!(zones.body["result"][0]["permissions"], permissions);
    let body = json!({"type": "A", "name": "www", "content": "198.51.100.4"});
    let refused = world.call_as("readonly", "POST", &world.records(), Some(body)).await.unwrap();
    assert_eq!((refused.status, refused.code()), (403, 9109));
    let order = json!({"name": "web", "size": "s-1vcpu-1gb", "image": "debian-12-x64"});
    let refused = world.call_as("readonly", "POST", "/v2/droplets", Some(order)).await.unwrap();
    assert_eq!((refused.status, &refused.body["id"]), (403, &json!("forbidden")));
}

#[tokio::test]
async fn one_name_may_be_two_zones() {
    let world = world(Pace::instant()).await;
    let handle = world.simulator.world();
    handle.add_zone_like("example.com", "pending", "full").unwrap();
    handle.add_zone("example.com.au").unwrap();
    let found = world.get("/zones?name=example.com").await;
    assert_eq!(found.body["result_info"]["total_count"], 2);
    assert_eq!(found.body["result"][1]["status"], "pending");
    assert_eq!(found.body["result"][1]["activated_on"], Value::Null);
    let active = world.get("/zones?name=example.com&status=active").await;
    assert_eq!(active.body["result_info"]["total_count"], 1);
    let wider = world.get("/zones?name=starts_with:example.com").await;
    assert_eq!(wider.body["result_info"]["total_count"], 3);
    assert_eq!(world.get("/zones?page=2").await.body["result"], json!([]));
}

#[tokio::test]
async fn over_the_limit_everything_is_blocked_for_five_minutes() {
    let limits = Limits { five_minutely: 2, ..Limits::default() };
    let world = world_with(Options { limits, ..options(Pace::instant()) }).await;
    let first = world.get("/zones").await;
    assert_eq!(first.header("ratelimit"), "\"default\";r=1;t=300");
    assert_eq!(first.header("ratelimit-policy"), "\"default\";q=2;w=300");
    assert_eq!(first.header("retry-after"), "");
    world.get("/zones").await;
    let refused = world.get("/zones").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "300"));
    assert_eq!(refused.body["success"], false);
    assert_eq!(world.get_as("another", "/zones").await.status, 429);
}

#[tokio::test]
async fn a_managed_record_can_be_looked_at_only() {
    let world = world(Pace::instant()).await;
    let body = json!({
        "type": "MX", "name": "example.com", "content": "route1.mx.example.net", "priority": 5,
        "meta": {"email_routing": true, "read_only": true},
    });
    let id = world.simulator.world().add_foreign_record("example.com", body).unwrap();
    let path = format!("{}/{id}", world.records());
    assert_eq!(world.get(&path).await.body["result"]["meta"]["read_only"], true);
    assert_eq!(world.delete(&path).await.status, 400);
    assert_eq!(world.patch(&path, json!({"comment": "mine"})).await.status, 400);
}

#[tokio::test]
async fn times_drop_their_trailing_zeros() {
    let world = world(Pace::instant()).await;
    let body = json!({"type": "A", "name": "www", "content": "198.51.100.4"});
    let first = world.post(&world.records(), body).await;
    assert_eq!(first.body["result"]["created_on"], "2026-09-21T14:13:20Z");
    let body = json!({"type": "A", "name": "www", "content": "198.51.100.5"});
    let second = world.post(&world.records(), body).await;
    assert_eq!(second.body["result"]["created_on"], "2026-09-21T14:13:21.5Z");
}
