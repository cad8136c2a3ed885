//! The life of firewalls against a simulated DigitalOcean.

use crate::stage::{differences, droplet, executor, firewall, job, stage};
use ipai_core::{Fault, Value, Verb};
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};
use serde_json::json;

const SSH: &str = "tcp 22 from 203.0.113.0/24";
const WEB: [&str; 3] = ["tcp 443 from ::/0 0.0.0.0/0", SSH, "icmp from 10.0.0.1/32"];

#[tokio::test]
async fn a_created_firewall_is_observed_as_wanted() {
    for pace in [Pace::instant(), Pace::prompt(), Pace::nasty()] {
        let stage = stage(pace).await;
        let web = droplet("web", &[]);
        stage.create(&web).await;
        let wall = firewall("web", &["digitalocean.droplet.web"], &WEB);
        let outputs = stage.create(&wall).await;
        stage.live(&web).await;
        let live = stage.live(&wall).await;
        assert_eq!(differences(&wall, &live), Vec::<&str>::new(), "{live:?}");
        assert_eq!(live.outputs, outputs);
    }
}

#[tokio::test]
async fn another_run_finds_the_droplets_by_their_tags() {
    let stage = stage(Pace::instant()).await;
    stage.create(&droplet("web", &[])).await;
    stage.create(&droplet("db", &[])).await;
    stage.world().clear_log();
    let other = executor(&stage.settings);
    let both = ["digitalocean.droplet.web", "digitalocean.droplet.db"];
    let wall = firewall("web", &both, &WEB);
    stage.run_by(&other, job(Verb::Create, &wall, None)).await.unwrap();
    assert_eq!(stage.count("GET", "/v2/droplets"), 1);
    assert_eq!(differences(&wall, &stage.live(&wall).await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_firewall_before_a_missing_droplet_is_refused() {
    let stage = stage(Pace::instant()).await;
    let wall = firewall("web", &["digitalocean.droplet.web"], &WEB);
    let error = stage.run(job(Verb::Create, &wall, None)).await.unwrap_err();
    assert!(error.cause.contains("digitalocean.droplet.web does not exist"), "{error}");
    assert_eq!(stage.count("POST", "/v2/firewalls"), 0);
}

#[tokio::test]
async fn lost_answers_and_duplicate_names_end_in_one_firewall() {
    let duplicate = json!({"id": "conflict", "message": "duplicate name"}).to_string();
    for kind in [
        FaultKind::DropAfter,
        FaultKind::DropBefore,
        FaultKind::Garbage,
        FaultKind::Html,
        FaultKind::Respond { status: 409, headers: vec![], body: duplicate },
    ] {
        let stage = stage(Pace::prompt()).await;
        let wall = firewall("web", &[], &WEB);
        stage.world().fault(Disturbance::first("POST", "/v2/firewalls", kind.clone()));
        stage.create(&wall).await;
        assert_eq!(differences(&wall, &stage.live(&wall).await), Vec::<&str>::new(), "{kind:?}");
    }
}

#[tokio::test]
async fn an_existing_firewall_of_our_name_is_made_as_wanted() {
    let stage = stage(Pace::instant()).await;
    let wall = firewall("web", &[], &WEB);
    stage.create(&firewall("web", &[], &[SSH])).await;
    stage.create(&wall).await;
    assert_eq!(differences(&wall, &stage.live(&wall).await), Vec::<&str>::new());
}

#[tokio::test]
async fn an_update_sets_the_whole_and_a_delete_removes_it() {
    let stage = stage(Pace::nasty()).await;
    stage.create(&droplet("web", &[])).await;
    let wall = firewall("web", &["digitalocean.droplet.web"], &WEB);
    stage.create(&wall).await;
    let live = stage.live(&wall).await;
    let new = firewall("web", &[], &[SSH]);
    assert_eq!(differences(&new, &live), ["droplets", "inbound"]);
    stage.run(job(Verb::Update, &new, Some(&live))).await.unwrap();
    assert_eq!(differences(&new, &stage.live(&new).await), Vec::<&str>::new());
    for _ in 0..2 {
        stage.run(job(Verb::Delete, &new, Some(&live))).await.unwrap();
    }
    let left = stage.observe(&[]).await.resources;
    assert!(left.iter().all(|resource| resource.address.kind == "droplet"), "{left:?}");
}

#[tokio::test]
async fn strange_droplets_behind_our_firewall_count_as_a_difference() {
    let stage = stage(Pace::instant()).await;
    let wall = firewall("web", &[], &WEB);
    let outputs = stage.create(&wall).await;
    let id = outputs["id"].as_text().unwrap();
    let strange = stage.world().add_foreign_droplet("theirs", &[]).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v2/firewalls/{id}/droplets", stage.simulator.digitalocean_url);
    let body = json!({"droplet_ids": [strange]});
    let sent = http.post(url).bearer_auth("t").json(&body).send().await.unwrap();
    assert!(sent.status().is_success());
    let live = stage.live(&wall).await;
    assert_eq!(differences(&wall, &live), ["droplets"]);
    assert_eq!(live.attributes["droplets"], Value::texts([format!("droplet:{strange}")]));
}

#[tokio::test]
async fn a_firewall_is_forgotten_and_adopted_by_its_name() {
    let stage = stage(Pace::instant()).await;
    let wall = firewall("web", &[], &WEB);
    stage.create(&wall).await;
    let live = stage.live(&wall).await;
    stage.run(job(Verb::Forget, &wall, Some(&live))).await.unwrap();
    assert!(stage.observe(&[&wall]).await.resources.is_empty());
    stage.run(job(Verb::Adopt, &wall, Some(&live))).await.unwrap();
    assert_eq!(stage.live(&wall).await.id, live.id);
}

#[tokio::test]
async fn an_update_of_a_firewall_that_is_gone_says_so() {
    let stage = stage(Pace::instant()).await;
    let wall = firewall("web", &[], &WEB);
    stage.create(&wall).await;
    let live = stage.live(&wall).await;
    stage.run(job(Verb::Delete, &wall, Some(&live))).await.unwrap();
    let error = stage.run(job(Verb::Update, &wall, Some(&live))).await.unwrap_err();
    assert_eq!(error.fault, Fault::NotFound);
}

#[tokio::test]
async fn a_replaced_droplet_stands_behind_the_same_firewall() {
    let stage = stage(Pace::prompt()).await;
    let old = droplet("web", &[]);
    stage.create(&old).await;
    let wall = firewall("web", &["digitalocean.droplet.web"], &WEB);
    stage.create(&wall).await;
    let new = droplet("web", &[("region", Value::text("ams3"))]);
    stage.run(job(Verb::Replace, &new, Some(&stage.live(&old).await))).await.unwrap();
    stage.live(&new).await;
    assert_eq!(differences(&wall, &stage.live(&wall).await), Vec::<&str>::new());
}
