//! Calls that go wrong on purpose.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{World, world};
use ipai_simulator::{Fault, FaultKind, Pace, Vendor};
use serde_json::json;

async fn order(world: &World) -> reqwest::Result<common::Answer> {
    let body = json!({"name": "web", "size": "s-1vcpu-1gb", "image": "debian-12-x64"});
    world.try_call("POST", "/v2/droplets", Some(body)).await
}

#[tokio::test]
async fn a_call_dropped_before_does_nothing_and_one_dropped_after_has_done_it() {
    let world = world(Pace::instant()).await;
    let handle = world.simulator.world();
    handle.fault(Fault::first("POST", "/v2/droplets", FaultKind::DropBefore));
    assert!(order(&world).await.is_err());
    assert_eq!(handle.droplets().len(), 0);
    handle.fault(Fault::first("POST", "/v2/droplets", FaultKind::DropAfter));
    assert!(order(&world).await.is_err());
    assert_eq!(handle.droplets().len(), 1);
    assert_eq!(order(&world).await.unwrap().status, 202);
    assert_eq!(handle.count(Vendor::DigitalOcean, "POST", "/v2/droplets"), 3);
    let statuses: Vec<_> = handle.log().iter().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [None, None, Some(202)]);
    assert_eq!(handle.faults_fired(), 2);
}

#[tokio::test]
async fn the_nth_call_answers_as_told() {
    let world = world(Pace::instant()).await;
    let kind = FaultKind::Respond {
        status: 503,
        headers: vec![("retry-after".to_owned(), "7".to_owned())],
        body: r#"{"id":"server_error","message":"later"}"#.to_owned(),
    };
    let template = "/zones/{zone_id}/dns_records";
    world.simulator.world().fault(Fault::first("GET", template, kind).nth(2).times(2));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.get(&world.records()).await.status);
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
    world.simulator.world().fault(Fault::first(
        "*",
        "*",
        FaultKind::Respond { status: 401, headers: Vec::new(), body: String::new() },
    ));
    assert_eq!(world.get("/v2/account").await.status, 401);
}

#[tokio::test]
async fn answers_can_be_anything_but_what_was_asked() {
    let world = world(Pace::instant()).await;
    let strike = |kind| world.simulator.world().fault(Fault::first("GET", "/v2/account", kind));
    strike(FaultKind::Html);
    let html = world.get("/v2/account").await;
    assert_eq!((html.status, html.header("content-type")), (200, "text/html"));
    strike(FaultKind::Garbage);
    let garbage = world.get("/v2/account").await;
    assert_eq!(garbage.header("content-type"), "application/json");
    assert!(garbage.text.starts_with("{\"account\"") && garbage.body.is_null());
    strike(FaultKind::Huge(10 << 20));
    assert!(world.get("/v2/account").await.text.len() > 10 << 20);
    strike(FaultKind::Redirect("http://127.0.0.1:9/elsewhere".to_owned()));
    let redirect = world.get("/v2/account").await;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (307, "http://127.0.0.1:9/elsewhere")
    );
    strike(FaultKind::WrongTypes);
    let twisted = world.get("/v2/account").await;
    assert_eq!(twisted.body["account"]["droplet_limit"], "100");
    assert_eq!(twisted.body["account"]["email_verified"], "yes");
    strike(FaultKind::Delay(std::time::Duration::from_millis(1)));
    assert_eq!(world.get("/v2/account").await.status, 200);
}

#[tokio::test]
async fn a_list_can_go_on_for_ever() {
    let world = world(Pace::instant()).await;
    order(&world).await.unwrap();
    let handle = world.simulator.world();
    handle.fault(Fault::first("GET", "/v2/droplets", FaultKind::EndlessPages).times(u32::MAX));
    let page = world.get("/v2/droplets?page=41").await;
    assert_eq!(page.body["droplets"].as_array().unwrap().len(), 1);
    assert!(page.body["links"]["pages"]["next"].is_string());
    let body = json!({"type": "A", "name": "www", "content": "198.51.100.4"});
    world.post(&world.records(), body).await;
    let template = "/zones/{zone_id}/dns_records";
    handle.fault(Fault::first("GET", template, FaultKind::EndlessPages).times(u32::MAX));
    let page = world.get(&format!("{}?page=41", world.records())).await;
    assert_eq!(page.body["result"].as_array().unwrap().len(), 1);
    assert_eq!(page.body["result_info"]["total_pages"], 1_000_000_000);
    handle.clear_faults();
    assert_eq!(world.get(&format!("{}?page=41", world.records())).await.body["result"], json!([]));
}
