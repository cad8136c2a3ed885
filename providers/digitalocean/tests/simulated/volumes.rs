//! The life of volumes against a simulated DigitalOcean.

use crate::stage::{Stage, differences, droplet, executor, job, reserved_ip, stage, volume};
use ipai_core::{Fault, Value, Verb};
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};
use serde_json::{Value as Json, json};

fn all(stage: &Stage) -> Vec<Json> {
    stage.world().snapshot()["digitalocean"]["volumes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_created_volume_is_observed_as_wanted() {
    for pace in [Pace::instant(), Pace::prompt(), Pace::nasty()] {
        let stage = stage(pace).await;
        let (web, data) = (droplet("web", &[]), volume("data", &[]));
        stage.create(&web).await;
        let outputs = stage.create(&data).await;
        stage.live(&web).await;
        let live = stage.live(&data).await;
        assert_eq!(differences(&data, &live), Vec::<&str>::new(), "{live:?}");
        assert_eq!(live.outputs, outputs);
        assert_eq!(outputs["device"], Value::text("/dev/disk/by-id/scsi-0DO_Volume_data"));
        assert_eq!(
            live.applied,
            data.version(ipai_core::ResourceType::schema(&ipai_digitalocean::VolumeType))
        );
    }
}

#[tokio::test]
async fn a_volume_grows_and_moves_and_is_let_go_in_place() {
    let stage = stage(Pace::prompt()).await;
    stage.create(&droplet("web", &[])).await;
    stage.create(&droplet("db", &[])).await;
    let data = volume("data", &[]);
    stage.create(&data).await;
    let id = stage.live(&data).await.id;
    for changes in [
        vec![("size_gb", Value::Int(20)), ("droplet", Value::text("digitalocean.droplet.db"))],
        vec![("size_gb", Value::Int(30)), ("droplet", Value::text(""))],
    ] {
        let wanted = volume("data", &changes);
        let live = stage.live(&wanted).await;
        assert_eq!(differences(&wanted, &live), ["size_gb", "droplet"]);
        stage.run(job(Verb::Update, &wanted, Some(&live))).await.unwrap();
        let live = stage.live(&wanted).await;
        assert_eq!(differences(&wanted, &live), Vec::<&str>::new());
        assert_eq!(live.id, id);
    }
}

#[tokio::test]
async fn shrinking_is_refused_in_the_plan_and_by_the_executor() {
    let stage = stage(Pace::instant()).await;
    let data = volume("data", &[("droplet", Value::text(""))]);
    stage.create(&data).await;
    assert!(stage.observe(&[&data]).await.refusals.is_empty());
    let smaller = volume("data", &[("droplet", Value::text("")), ("size_gb", Value::Int(5))]);
    let state = stage.observe(&[&smaller]).await;
    let [refusal] = &state.refusals[..] else { panic!("{:?}", state.refusals) };
    assert!(refusal.why.contains("can only grow") && refusal.hint.contains("size_gb = 10"));
    let live = stage.live(&smaller).await;
    let error = stage.run(job(Verb::Update, &smaller, Some(&live))).await.unwrap_err();
    assert!(error.cause.contains("can only grow"), "{error}");
    let moved = volume(
        "data",
        &[
            ("droplet", Value::text("")),
            ("size_gb", Value::Int(5)),
            ("region", Value::text("ams3")),
        ],
    );
    assert!(stage.observe(&[&moved]).await.refusals.is_empty(), "a new one may be smaller");
}

#[tokio::test]
async fn lost_answers_and_a_name_that_exists_end_in_one_volume() {
    let exists = json!({"id": "conflict", "message": "volume with that name already exists"});
    let exists = FaultKind::Respond { status: 409, headers: vec![], body: exists.to_string() };
    for kind in
        [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::Garbage, FaultKind::Html, exists]
    {
        let stage = stage(Pace::prompt()).await;
        let data = volume("data", &[("droplet", Value::text(""))]);
        stage.world().fault(Disturbance::first("POST", "/v2/volumes", kind.clone()));
        stage.create(&data).await;
        assert_eq!(differences(&data, &stage.live(&data).await), Vec::<&str>::new(), "{kind:?}");
        assert_eq!(all(&stage).len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn answers_of_an_action_that_are_lost_or_late_are_looked_after() {
    let pending =
        json!({"id": "unprocessable_entity", "message": "Droplet already has a pending event."});
    let pending = FaultKind::Respond { status: 422, headers: vec![], body: pending.to_string() };
    for kind in [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::Garbage, pending] {
        let stage = stage(Pace::prompt()).await;
        stage.create(&droplet("web", &[])).await;
        let data = volume("data", &[]);
        let path = "/v2/volumes/{volume_id}/actions";
        stage.world().fault(Disturbance::first("POST", path, kind.clone()));
        stage.create(&data).await;
        stage.live(&droplet("web", &[])).await;
        assert_eq!(differences(&data, &stage.live(&data).await), Vec::<&str>::new(), "{kind:?}");
        let live = stage.live(&data).await;
        stage.world().fault(Disturbance::first("POST", path, kind.clone()));
        stage.run(job(Verb::Delete, &data, Some(&live))).await.unwrap();
        assert!(all(&stage).is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_strangers_volume_of_that_name_is_left_alone_until_it_is_adopted() {
    let stage = stage(Pace::instant()).await;
    let data = volume("data", &[("droplet", Value::text(""))]);
    stage.create(&data).await;
    let live = stage.live(&data).await;
    stage.run(job(Verb::Forget, &data, Some(&live))).await.unwrap();
    assert!(stage.tags().is_empty(), "{:?}", stage.tags());
    let state = stage.observe(&[&data]).await;
    assert!(state.resources.is_empty());
    assert_eq!(state.foreign[0].identity.as_deref(), Some("volume data in fra1"));
    let error = stage.run(job(Verb::Create, &data, None)).await.unwrap_err();
    assert!(error.cause.contains("not ipai's"), "{error}");
    let error = stage.run(job(Verb::Delete, &data, Some(&live))).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert_eq!(all(&stage).len(), 1);
    stage.run(job(Verb::Adopt, &data, Some(&live))).await.unwrap();
    assert_eq!(stage.live(&data).await.id, live.id);
}

#[tokio::test]
async fn a_deleted_volume_is_detached_first_and_leaves_no_tags() {
    let stage = stage(Pace::nasty()).await;
    let (web, data) = (droplet("web", &[]), volume("data", &[]));
    stage.create(&web).await;
    stage.create(&data).await;
    let live = stage.live(&data).await;
    for _ in 0..2 {
        stage.run(job(Verb::Delete, &data, Some(&live))).await.unwrap();
    }
    assert!(all(&stage).is_empty());
    assert!(!stage.tags().iter().any(|tag| tag.contains("volume")), "{:?}", stage.tags());
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors_and_never_nothing() {
    let respond =
        |body: &str| FaultKind::Respond { status: 200, headers: vec![], body: body.to_owned() };
    for template in ["/v2/tags", "/v2/volumes", "/v2/reserved_ips"] {
        for kind in [
            FaultKind::Html,
            FaultKind::Garbage,
            FaultKind::WrongTypes,
            FaultKind::EndlessPages,
            respond("{}"),
            respond(r#"{"tags": {}, "volumes": {}, "reserved_ips": {}, "meta": {"total": 0}}"#),
            respond(
                r#"{"volumes": [{"id": "../droplets/1", "name": "data"}], "meta": {"total": 1}}"#,
            ),
        ] {
            let stage = stage(Pace::instant()).await;
            let (web, data) = (droplet("web", &[]), volume("data", &[]));
            let ip = reserved_ip("web", "digitalocean.droplet.web");
            for wanted in [&web, &data, &ip] {
                stage.create(wanted).await;
            }
            stage.world().fault(Disturbance::first("GET", template, kind.clone()).times(99));
            let error = stage.try_observe(&[&web, &data, &ip]).await.unwrap_err();
            assert_eq!(error.fault, Fault::BadAnswer, "{template} {kind:?}: {error}");
            assert!(error.cause.len() < 1000, "{error}");
        }
    }
}

#[tokio::test]
async fn a_token_that_may_not_list_tags_does_for_a_stack_without_these() {
    let stage = stage(Pace::instant()).await;
    let forbidden = json!({"id": "forbidden", "message": "Forbidden"}).to_string();
    let forbidden = FaultKind::Respond { status: 403, headers: vec![], body: forbidden };
    stage.world().fault(Disturbance::first("GET", "/v2/tags", forbidden).times(99));
    let state = stage.observe(&[&droplet("web", &[])]).await;
    assert!(state.notes[0].contains("tag:read"), "{:?}", state.notes);
    let error = stage.try_observe(&[&volume("data", &[])]).await.unwrap_err();
    assert_eq!(error.fault, Fault::Denied);
}

#[tokio::test]
async fn a_volume_that_the_stack_no_longer_names_is_still_seen() {
    let stage = stage(Pace::instant()).await;
    stage.create(&volume("data", &[("droplet", Value::text(""))])).await;
    assert_eq!(stage.observe(&[]).await.resources.len(), 1);
    stage.world().clear_log();
    let other = executor(&stage.settings);
    let live = stage.observe(&[]).await.resources.remove(0);
    let data = volume("data", &[]);
    stage.run_by(&other, job(Verb::Delete, &data, Some(&live))).await.unwrap();
    assert!(stage.observe(&[]).await.resources.is_empty());
    assert_eq!(stage.count("GET", "/v2/reserved_ips"), 0, "nobody has any");
}
