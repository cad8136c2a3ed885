//! What comes late at DigitalOcean, counted in reads.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{World, world};
use ipai_simulator::Pace;
use serde_json::{Value, json};

fn order(name: &str) -> Value {
    json!({
        "name": name, "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64",
        "tags": ["ipai", "ipai:ops"], "user_data": "#cloud-config\n",
    })
}

async fn create(world: &World, name: &str) -> (u64, u64) {
    let made = world.post("/v2/droplets", order(name)).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let action = made.body["links"]["actions"][0]["id"].as_u64().unwrap();
    (made.body["droplet"]["id"].as_u64().unwrap(), action)
}

#[tokio::test]
async fn an_accepted_droplet_is_new_and_has_no_address() {
    let world = world(Pace::prompt()).await;
    let made = world.post("/v2/droplets", order("web")).await;
    assert_eq!(made.status, 202);
    let droplet = &made.body["droplet"];
    assert_eq!(droplet["status"], "new");
    assert_eq!(droplet["locked"], true);
    assert_eq!(droplet["networks"], json!({"v4": [], "v6": []}));
    let link = &made.body["links"]["actions"][0];
    assert_eq!(link["rel"], "create");
    let href = link["href"].as_str().unwrap();
    assert!(href.starts_with(&world.simulator.digitalocean_url), "{href}");
}

#[tokio::test]
async fn becomes_active_after_as_many_polls_of_droplet_or_action() {
    let world = world(Pace { active_after: 3, ..Pace::instant() }).await;
    let (id, action) = create(&world, "web").await;
    let poll = format!("/v2/droplets/{id}");
    assert_eq!(world.get(&poll).await.body["droplet"]["status"], "new");
    let polled = world.get(&format!("/v2/actions/{action}")).await;
    assert_eq!(polled.body["action"]["status"], "in-progress");
    assert_eq!(world.get(&poll).await.body["droplet"]["status"], "active");
    let polled = world.get(&format!("/v2/actions/{action}")).await;
    assert_eq!(polled.body["action"]["status"], "completed");
}

#[tokio::test]
async fn an_active_droplet_may_have_no_address_yet() {
    let world = world(Pace { address_lag: 2, ..Pace::instant() }).await;
    let (id, _) = create(&world, "web").await;
    let poll = format!("/v2/droplets/{id}");
    for _ in 0..2 {
        let seen = world.get(&poll).await;
        assert_eq!(seen.body["droplet"]["status"], "active");
        assert_eq!(seen.body["droplet"]["networks"]["v4"], json!([]));
    }
    let seen = world.get(&poll).await;
    let v4 = seen.body["droplet"]["networks"]["v4"].as_array().unwrap();
    assert_eq!(v4[0]["type"], "private");
    assert_eq!(v4[1]["type"], "public");
    assert_eq!(v4[1]["ip_address"], "127.16.0.1");
}

#[tokio::test]
async fn a_new_droplet_is_missing_from_lists_and_from_gets() {
    let world = world(Pace { list_lag: 2, get_lag: 1, ..Pace::instant() }).await;
    let (id, _) = create(&world, "web").await;
    assert_eq!(world.get("/v2/droplets").await.body["meta"]["total"], 0);
    assert_eq!(world.get(&format!("/v2/droplets/{id}")).await.status, 404);
    assert_eq!(world.get(&format!("/v2/droplets/{id}")).await.status, 200);
    assert_eq!(world.get("/v2/droplets").await.body["meta"]["total"], 0);
    assert_eq!(world.get("/v2/droplets").await.body["meta"]["total"], 1);
}

#[tokio::test]
async fn tags_come_late_and_so_does_the_list_by_tag() {
    let world = world(Pace { tag_lag: 2, ..Pace::instant() }).await;
    let (id, _) = create(&world, "web").await;
    let by_tag = "/v2/droplets?tag_name=ipai%3Aops";
    assert_eq!(world.get(by_tag).await.body["droplets"], json!([]));
    let seen = world.get(&format!("/v2/droplets/{id}")).await;
    assert_eq!(seen.body["droplet"]["tags"], json!([]));
    let seen = world.get(by_tag).await;
    assert_eq!(seen.body["droplets"][0]["tags"], json!(["ipai", "ipai:ops"]));
}

#[tokio::test]
async fn names_are_not_unique() {
    let world = world(Pace::instant()).await;
    let (one, _) = create(&world, "web").await;
    let (other, _) = create(&world, "web").await;
    assert_ne!(one, other);
    assert_eq!(world.get("/v2/droplets?name=WEB").await.body["meta"]["total"], 2);
}

#[tokio::test]
async fn a_deleted_droplet_shows_a_little_longer() {
    let world = world(Pace { delete_lag: 2, ..Pace::instant() }).await;
    let (id, _) = create(&world, "web").await;
    let path = format!("/v2/droplets/{id}");
    world.get(&path).await;
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&path).await.body["droplet"]["locked"], true);
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(world.get(&path).await.status, 404);
    assert_eq!(world.delete(&path).await.status, 404);
}

#[tokio::test]
async fn one_event_at_a_time_holds_a_droplet() {
    let world = world(Pace { action_polls: 2, ..Pace::instant() }).await;
    let (id, _) = create(&world, "web").await;
    let actions = format!("/v2/droplets/{id}/actions");
    let refused = world.post(&actions, json!({"type": "reboot"})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["message"], "Droplet already has a pending event.");
    assert_eq!(world.delete(&format!("/v2/droplets/{id}")).await.status, 422);
    world.get(&format!("/v2/droplets/{id}")).await;
    let begun = world.post(&actions, json!({"type": "power_off"})).await;
    assert_eq!((begun.status, &begun.body["action"]["status"]), (201, &json!("in-progress")));
    let again = world.post(&actions, json!({"type": "power_on"})).await;
    assert_eq!(again.status, 422);
    let poll = format!("/v2/actions/{}", begun.body["action"]["id"]);
    assert_eq!(world.get(&poll).await.body["action"]["status"], "in-progress");
    assert_eq!(world.get(&poll).await.body["action"]["status"], "completed");
    let seen = world.get(&format!("/v2/droplets/{id}")).await;
    assert_eq!(seen.body["droplet"]["status"], "off");
}

#[tokio::test]
async fn a_new_key_is_unknown_for_a_while() {
    let world = world(Pace { key_lag: 1, ..Pace::instant() }).await;
    let key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9wZXJhdG9yLWtleS1mb3ItdGVzdHMtb25seS0xMjM0 ops";
    let body = json!({"name": "ops", "public_key": key});
    let made = world.post("/v2/account/keys", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let again = world.post("/v2/account/keys", body).await;
    assert_eq!(again.status, 422);
    assert_eq!(again.body["message"], "SSH Key is already in use on your account");
    let print = made.body["ssh_key"]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(print.len(), 47);
    let mut wanted = order("web");
    wanted["ssh_keys"] = json!([print]);
    let refused = world.post("/v2/droplets", wanted.clone()).await;
    assert_eq!(refused.status, 422);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.ends_with("are invalid key identifiers for Droplet creation."), "{message}");
    assert_eq!(world.post("/v2/droplets", wanted).await.status, 202);
    let path = format!("/v2/account/keys/{}", print.replace(':', "%3A"));
    assert_eq!(world.get(&path).await.status, 404);
    assert_eq!(world.get(&path).await.status, 200);
}

#[tokio::test]
async fn the_nasty_pace_still_ends() {
    let world = world(Pace::nasty()).await;
    let (id, _) = create(&world, "web").await;
    let mut reads = 0;
    loop {
        reads += 1;
        assert!(reads < 20, "never ready");
        let seen = world.get(&format!("/v2/droplets/{id}")).await;
        let v4 = seen.body["droplet"]["networks"]["v4"].as_array().map_or(0, Vec::len);
        if v4 == 2 && seen.body["droplet"]["tags"].as_array().unwrap().len() == 2 {
            break;
        }
    }
}
