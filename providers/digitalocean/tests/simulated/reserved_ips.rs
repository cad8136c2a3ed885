//! The life of reserved addresses against a simulated DigitalOcean.

use crate::stage::{Stage, differences, droplet, job, reserved_ip, stage};
use ipai_core::{Fault, Value, Verb};
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};
use serde_json::{Value as Json, json};

const WEB: &str = "digitalocean.droplet.web";

fn all(stage: &Stage) -> Vec<Json> {
    stage.world().snapshot()["digitalocean"]["reserved_ips"].as_array().unwrap().clone()
}

async fn post(stage: &Stage, path: &str, body: Json) -> Json {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{path}", stage.simulator.digitalocean_url);
    let sent = http.post(url).bearer_auth("t").json(&body).send().await.unwrap();
    assert!(sent.status().is_success());
    serde_json::from_str(&sent.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_reserved_address_is_observed_as_wanted() {
    for pace in [Pace::instant(), Pace::prompt(), Pace::nasty()] {
        let stage = stage(pace).await;
        let (web, ip) = (droplet("web", &[]), reserved_ip("web", WEB));
        stage.create(&web).await;
        let outputs = stage.create(&ip).await;
        stage.live(&web).await;
        let live = stage.live(&ip).await;
        assert_eq!(differences(&ip, &live), Vec::<&str>::new(), "{live:?}");
        assert_eq!((&live.outputs, &live.outputs["ip"]), (&outputs, &Value::text(&*live.id)));
        assert_eq!(live.attributes["region"], Value::text("fra1"));
    }
}

#[tokio::test]
async fn lost_answers_end_in_one_address() {
    for kind in [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::Garbage, FaultKind::Html] {
        let stage = stage(Pace::prompt()).await;
        stage.create(&droplet("web", &[])).await;
        let ip = reserved_ip("web", WEB);
        stage.world().fault(Disturbance::first("POST", "/v2/reserved_ips", kind.clone()));
        stage.create(&ip).await;
        stage.live(&droplet("web", &[])).await;
        assert_eq!(differences(&ip, &stage.live(&ip).await), Vec::<&str>::new(), "{kind:?}");
        assert_eq!(all(&stage).len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn it_moves_to_another_droplet_and_is_released_with_its_tags() {
    let stage = stage(Pace::prompt()).await;
    stage.create(&droplet("web", &[])).await;
    stage.create(&droplet("db", &[])).await;
    stage.create(&reserved_ip("web", WEB)).await;
    let moved = reserved_ip("web", "digitalocean.droplet.db");
    let live = stage.live(&moved).await;
    stage.run(job(Verb::Update, &moved, Some(&live))).await.unwrap();
    let now = stage.live(&moved).await;
    assert_eq!((differences(&moved, &now), &now.id), (Vec::new(), &live.id));
    for _ in 0..2 {
        stage.run(job(Verb::Delete, &moved, Some(&now))).await.unwrap();
    }
    assert!(all(&stage).is_empty());
    assert!(!stage.tags().iter().any(|tag| tag.contains("reserved")), "{:?}", stage.tags());
}

#[tokio::test]
async fn a_strangers_address_is_left_alone_until_it_is_adopted() {
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    stage.create(&web).await;
    let id: u64 = stage.live(&web).await.id.parse().unwrap();
    let theirs = post(&stage, "/v2/reserved_ips", json!({"droplet_id": id})).await;
    let theirs = theirs["reserved_ip"]["ip"].as_str().unwrap().to_owned();
    let ip = reserved_ip("web", WEB);
    stage.live(&web).await;
    let mut state = stage.observe(&[&web, &ip]).await;
    while state.foreign.first().is_none_or(|foreign| foreign.identity.is_none()) {
        stage.live(&web).await;
        post(&stage, "/v2/tags", json!({"name": "x"})).await;
        reqwest_get(&stage, &format!("/v2/reserved_ips/{theirs}")).await;
        state = stage.observe(&[&web, &ip]).await;
    }
    assert_eq!(
        state.foreign[0].identity.as_deref(),
        Some("reserved IP of digitalocean.droplet.web")
    );
    assert!(state.resources.iter().all(|r| r.address.kind == "droplet"));
    let error = stage.run(job(Verb::Create, &ip, None)).await.unwrap_err();
    assert!(error.cause.contains("not ipai's"), "{error}");
    assert_eq!(all(&stage).len(), 1);
    let mut live = stage.live(&web).await;
    live.id.clone_from(&theirs);
    let error = stage.run(job(Verb::Delete, &ip, Some(&live))).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    stage.run(job(Verb::Adopt, &ip, Some(&live))).await.unwrap();
    let live = stage.live(&ip).await;
    assert_eq!((&live.id, differences(&ip, &live)), (&theirs, Vec::<&str>::new()));
    stage.run(job(Verb::Forget, &ip, Some(&live))).await.unwrap();
    assert!(stage.observe(&[&ip]).await.resources.iter().all(|r| r.address != ip.address));
    assert_eq!(all(&stage).len(), 1);
}

async fn reqwest_get(stage: &Stage, path: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{path}", stage.simulator.digitalocean_url);
    http.get(url).bearer_auth("t").send().await.unwrap();
}

#[tokio::test]
async fn a_claim_on_an_address_that_is_gone_is_taken_back() {
    let stage = stage(Pace::prompt()).await;
    stage.create(&droplet("web", &[])).await;
    let tag = "ipai:ops:reserved_ip:web:203-0-113-250";
    post(&stage, "/v2/tags", json!({"name": tag})).await;
    stage.create(&reserved_ip("web", WEB)).await;
    assert!(!stage.tags().contains(&tag.to_owned()));
    assert_eq!(all(&stage).len(), 1);
}

#[tokio::test]
async fn a_free_address_that_a_killed_run_may_have_left_is_told_of() {
    let stage = stage(Pace::instant()).await;
    post(&stage, "/v2/tags", json!({"name": "ipai:ops:reserved_ip:web"})).await;
    post(&stage, "/v2/reserved_ips", json!({"region": "fra1"})).await;
    let state = stage.observe(&[]).await;
    assert!(state.resources.is_empty());
    assert!(state.notes[0].contains("did not end"), "{:?}", state.notes);
    let ip = all(&stage)[0]["ip"].as_str().unwrap().to_owned();
    assert!(state.notes[0].contains(&format!("adopt digitalocean.reserved_ip.web {ip}")));
}
