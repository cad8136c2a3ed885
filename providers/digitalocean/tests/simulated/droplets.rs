//! The life of droplets against a simulated DigitalOcean.

use crate::stage::{Stage, differences, droplet, job, stage, stage_with};
use ipai_core::{Address, Fault, LiveResource, Pins as _, Value, Verb};
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};
use serde_json::json;
use std::time::Duration;

fn paces() -> [Pace; 3] {
    [Pace::instant(), Pace::prompt(), Pace::nasty()]
}

fn disturb(stage: &Stage, method: &str, template: &str, kind: FaultKind) {
    stage.world().fault(Disturbance::first(method, template, kind));
}

#[tokio::test]
async fn a_created_droplet_is_observed_as_wanted() {
    for pace in paces() {
        let stage = stage(pace).await;
        let web = droplet("web", &[]);
        let outputs = stage.create(&web).await;
        for name in ["id", "ipv4", "host_keys", "created_at", "young", "status"] {
            assert!(outputs.contains_key(name), "{name}");
        }
        let live = stage.live(&web).await;
        assert_eq!(differences(&web, &live), Vec::<&str>::new());
        assert_eq!(live.applied, job(Verb::Create, &web, None).version);
        assert_eq!(live.outputs["host_keys"], outputs["host_keys"]);
        assert_eq!(outputs["host_keys"].text_items().len(), 1);
        assert_eq!(
            (&live.outputs["id"], &live.outputs["ipv4"]),
            (&outputs["id"], &outputs["ipv4"])
        );
    }
}

#[tokio::test]
async fn user_data_carries_the_pinned_host_key() {
    let stage = stage(Pace::instant()).await;
    let outputs = stage.create(&droplet("web", &[])).await;
    let made = &stage.world().droplets()[0];
    let text = made["user_data"].as_str().unwrap();
    assert!(text.starts_with("#cloud-config\n") && text.contains("ssh_deletekeys: true"), "{text}");
    let pin = format!("ipai-hostkey:{}:born", outputs["host_keys"].text_items()[0]);
    assert!(made["tags"].as_array().unwrap().contains(&json!(pin)));
}

#[tokio::test]
async fn a_plan_with_everything_in_place_costs_three_requests() {
    let stage = stage(Pace::instant()).await;
    let (web, db) = (droplet("web", &[]), droplet("db", &[]));
    stage.create(&web).await;
    stage.create(&db).await;
    stage.world().clear_log();
    let state = stage.observe(&[&web, &db]).await;
    assert_eq!(state.resources.len(), 2);
    assert_eq!(stage.count("GET", "/v2/droplets"), 1);
    assert_eq!(stage.count("GET", "/v2/firewalls"), 1);
    assert_eq!(stage.count("GET", "/v2/tags"), 1);
    assert_eq!(stage.world().log().len(), 3);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_droplet() {
    for pace in paces() {
        for kind in [
            FaultKind::DropAfter,
            FaultKind::Garbage,
            FaultKind::WrongTypes,
            FaultKind::DropBefore,
            FaultKind::Html,
            FaultKind::Respond { status: 502, headers: vec![], body: "Bad Gateway".into() },
        ] {
            let stage = stage(pace.clone()).await;
            let web = droplet("web", &[]);
            disturb(&stage, "POST", "/v2/droplets", kind.clone());
            stage.create(&web).await;
            assert_eq!(stage.world().droplets().len(), 1, "{kind:?}");
            assert_eq!(differences(&web, &stage.live(&web).await), Vec::<&str>::new());
            assert!(stage.events.heard("lost"));
        }
    }
}

#[tokio::test]
async fn a_create_is_sent_twice_at_most() {
    let stage = stage(Pace::instant()).await;
    let lost = Disturbance::first("POST", "/v2/droplets", FaultKind::DropBefore).times(9);
    stage.world().fault(lost);
    let error = stage.run(job(Verb::Create, &droplet("web", &[]), None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable);
    assert_eq!(stage.count("POST", "/v2/droplets"), 2);
}

#[tokio::test]
async fn after_a_refused_create_nobody_looks_for_its_droplet() {
    let refused = |status| FaultKind::Respond {
        status,
        headers: vec![],
        body: json!({"id": "unprocessable_entity", "message": "Size is not available"}).to_string(),
    };
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    let tag = "ipai:ops:droplet:web".to_owned();
    disturb(&stage, "POST", "/v2/droplets", refused(422));
    assert!(stage.run(job(Verb::Create, &web, None)).await.is_err());
    assert!(!stage.tags().contains(&tag), "{:?}", stage.tags());
    stage.create(&web).await;
    assert!(!stage.events.heard("an earlier run may have asked"));
    // Where an answer was lost before, the refusal says nothing of the first request.
    let db = droplet("db", &[]);
    disturb(&stage, "POST", "/v2/droplets", FaultKind::DropBefore);
    stage.world().fault(Disturbance::first("POST", "/v2/droplets", refused(422)).nth(2));
    assert!(stage.run(job(Verb::Create, &db, None)).await.is_err());
    assert!(stage.tags().contains(&"ipai:ops:droplet:db".to_owned()), "{:?}", stage.tags());
}

#[tokio::test]
async fn no_second_create_while_the_lookup_fails() {
    let stage = stage(Pace::instant()).await;
    disturb(&stage, "POST", "/v2/droplets", FaultKind::DropAfter);
    // The look before the create succeeds, those after it do not.
    let blind = FaultKind::Respond { status: 500, headers: vec![], body: String::new() };
    stage.world().fault(Disturbance::first("GET", "/v2/droplets", blind).nth(2).times(999));
    assert!(stage.run(job(Verb::Create, &droplet("web", &[]), None)).await.is_err());
    assert_eq!(stage.count("POST", "/v2/droplets"), 1);
    stage.world().clear_faults();
    stage.create(&droplet("web", &[])).await;
    assert_eq!(stage.world().droplets().len(), 1);
}

#[tokio::test]
async fn a_droplet_whose_tags_are_late_is_ours_already() {
    let stage = stage(Pace { tag_lag: 30, ..Pace::instant() }).await;
    let web = droplet("web", &[]);
    // The name and the address's tag are looked up, the tag is made, the droplet is asked for.
    stage.run_killed(job(Verb::Create, &web, None), 4).await;
    let state = stage.observe(&[&web]).await;
    assert_eq!((state.resources.len(), state.foreign.len()), (1, 0));
    assert_eq!(state.resources[0].outputs["young"], Value::Bool(true));
    let outputs = stage.create(&web).await;
    assert_eq!(stage.world().droplets().len(), 1);
    assert_eq!(outputs["host_keys"].text_items().len(), 1);
}

#[tokio::test]
async fn a_droplet_that_no_list_shows_yet_is_not_asked_for_again() {
    let stage = stage(Pace { list_lag: 8, ..Pace::instant() }).await;
    let web = droplet("web", &[]);
    stage.run_killed(job(Verb::Create, &web, None), 4).await;
    assert_eq!(stage.observe(&[&web]).await.resources.len(), 0);
    stage.create(&web).await;
    assert_eq!(stage.count("POST", "/v2/droplets"), 1);
}

#[tokio::test]
async fn a_droplet_without_an_address_yet_is_finished_by_an_update() {
    let stage = stage(Pace { active_after: 4, ..Pace::instant() }).await;
    let web = droplet("web", &[]);
    stage.run_killed(job(Verb::Create, &web, None), 4).await;
    let live = stage.observe(&[&web]).await.resources.remove(0);
    assert_eq!(live.attributes["power"], Value::text("new"));
    let outputs = stage.run(job(Verb::Update, &web, Some(&live))).await.unwrap();
    assert!(outputs.contains_key("ipv4"), "{outputs:?}");
}

#[tokio::test]
async fn a_stranger_of_the_same_name_is_foreign() {
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    stage.world().add_foreign_droplet("web.example.com", &["theirs"]).unwrap();
    let old = stage.world().add_foreign_droplet("WEB.example.com", &[]).unwrap();
    stage.world().edit_droplet(old, json!({"created_at": "2020-01-01T00:00:00Z"})).unwrap();
    let state = stage.observe(&[&web]).await;
    assert_eq!((state.resources.len(), state.foreign.len()), (0, 2));
    let identity = state.foreign[0].identity.as_deref();
    assert_eq!(identity, Some("droplet web.example.com"));
}

#[tokio::test]
async fn another_stacks_droplets_do_not_show() {
    let stage = stage(Pace::instant()).await;
    let tags = ["ipai", "ipai:ops--staging", "ipai:ops--staging:droplet:web"];
    stage.world().add_foreign_droplet("web-staging", &tags).unwrap();
    assert!(stage.observe(&[]).await.resources.is_empty());
}

#[tokio::test]
async fn a_droplet_with_a_garbled_marker_is_only_noted() {
    let stage = stage(Pace::instant()).await;
    stage
        .world()
        .add_foreign_droplet("x", &["ipai:ops", "ipai:ops:droplet:a", "ipai:ops:droplet:b"])
        .unwrap();
    stage.world().add_foreign_droplet("y", &["ipai", "ipai:ops"]).unwrap();
    let state = stage.observe(&[]).await;
    assert_eq!((state.resources.len(), state.notes.len()), (0, 2));
}

#[tokio::test]
async fn an_update_changes_name_tags_and_mark() {
    for pace in paces() {
        let stage = stage(pace).await;
        let old = droplet("web", &[]);
        stage.create(&old).await;
        let live = stage.live(&old).await;
        let new = droplet(
            "web",
            &[("name", Value::text("www.example.com")), ("tags", Value::texts(["front"]))],
        );
        assert_eq!(differences(&new, &live), ["name", "tags"]);
        let outputs = stage.run(job(Verb::Update, &new, Some(&live))).await.unwrap();
        assert_eq!(outputs["host_keys"], live.outputs["host_keys"]);
        let after = settled(&stage, &new).await;
        assert_eq!(differences(&new, &after), Vec::<&str>::new());
        assert_eq!(after.applied, job(Verb::Update, &new, None).version);
        assert!(!stage.tags().contains(&format!("ipai-hash:{}", live.applied.unwrap())));
        assert_eq!(stage.world().droplets().len(), 1);
    }
}

/// The live twin once late tags show.
async fn settled(stage: &Stage, wanted: &ipai_core::DesiredResource) -> LiveResource {
    let mut live = stage.live(wanted).await;
    for _ in 0..10 {
        live = stage.live(wanted).await;
    }
    live
}

#[tokio::test]
async fn a_resize_ends_with_the_droplet_running() {
    for pace in paces() {
        let stage = stage(pace).await;
        let old = droplet("web", &[]);
        stage.create(&old).await;
        let live = stage.live(&old).await;
        let new = droplet("web", &[("size", Value::text("s-2vcpu-4gb"))]);
        stage.run(job(Verb::Update, &new, Some(&live))).await.unwrap();
        assert_eq!(differences(&new, &settled(&stage, &new).await), Vec::<&str>::new());
        let made = &stage.world().droplets()[0];
        assert_eq!((&made["status"], &made["disk"]), (&json!("active"), &json!(25)));
    }
}

#[tokio::test]
async fn a_refused_resize_leaves_the_droplet_running() {
    let stage = stage(Pace::instant()).await;
    let old = droplet("web", &[]);
    stage.create(&old).await;
    let live = stage.live(&old).await;
    let new = droplet("web", &[("size", Value::text("s-nonsense"))]);
    let error = stage.run(job(Verb::Update, &new, Some(&live))).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert_eq!(stage.world().droplets()[0]["status"], json!("active"));
}

#[tokio::test]
async fn power_is_switched_as_wanted() {
    let stage = stage(Pace::prompt()).await;
    let (on, off) = (droplet("web", &[]), droplet("web", &[("power", Value::text("off"))]));
    stage.create(&off).await;
    assert_eq!(stage.world().droplets()[0]["status"], json!("off"));
    let live = settled(&stage, &off).await;
    assert_eq!((differences(&off, &live), differences(&on, &live)), (vec![], vec!["power"]));
    stage.run(job(Verb::Update, &on, Some(&live))).await.unwrap();
    assert_eq!(stage.world().droplets()[0]["status"], json!("active"));
}

#[tokio::test]
async fn a_lost_answer_to_an_action_does_no_harm() {
    for kind in [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::Garbage] {
        let stage = stage(Pace::prompt()).await;
        let old = droplet("web", &[]);
        stage.create(&old).await;
        let live = settled(&stage, &old).await;
        let lost = Disturbance::first("POST", "/v2/droplets/{droplet_id}/actions", kind).times(2);
        stage.world().fault(lost);
        let new = droplet("web", &[("size", Value::text("s-2vcpu-4gb"))]);
        stage.run(job(Verb::Update, &new, Some(&live))).await.unwrap();
        assert_eq!(differences(&new, &settled(&stage, &new).await), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn a_replaced_droplet_is_another_one() {
    for pace in paces() {
        let stage = stage(pace).await;
        let old = droplet("web", &[]);
        let before = stage.create(&old).await;
        let live = stage.live(&old).await;
        let new = droplet("web", &[("region", Value::text("ams3"))]);
        assert_eq!(differences(&new, &live), ["region"]);
        let after = stage.run(job(Verb::Replace, &new, Some(&live))).await.unwrap();
        assert_ne!((&before["id"], &before["host_keys"]), (&after["id"], &after["host_keys"]));
        assert_eq!(differences(&new, &settled(&stage, &new).await), Vec::<&str>::new());
        assert_eq!(stage.world().droplets().len(), 1);
        let old_pin = format!("ipai-hostkey:{}:born", before["host_keys"].text_items()[0]);
        assert!(!stage.tags().contains(&old_pin));
    }
}

#[tokio::test]
async fn a_deleted_droplet_takes_its_own_tags_along_and_no_others() {
    let stage = stage(Pace::nasty()).await;
    let (web, db) = (droplet("web", &[]), droplet("db", &[]));
    stage.create(&web).await;
    stage.create(&db).await;
    stage.run(job(Verb::Delete, &web, Some(&stage.live(&web).await))).await.unwrap();
    let tags = stage.tags();
    assert!(!tags.contains(&"ipai:ops:droplet:web".to_owned()), "{tags:?}");
    for kept in ["ipai", "ipai:ops", "ipai:ops:droplet:db", "web"] {
        assert!(tags.contains(&kept.to_owned()), "{kept} of {tags:?}");
    }
    stage.run(job(Verb::Delete, &db, Some(&stage.live(&db).await))).await.unwrap();
    assert_eq!(stage.tags(), ["web"]);
    assert!(stage.world().droplets().is_empty());
    assert!(stage.observe(&[]).await.resources.is_empty());
}

#[tokio::test]
async fn what_is_gone_already_counts_as_deleted() {
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    stage.create(&web).await;
    let live = stage.live(&web).await;
    stage.world().delete_droplet(live.id.parse().unwrap()).await.unwrap();
    stage.run(job(Verb::Delete, &web, Some(&live))).await.unwrap();
    stage.run(job(Verb::Delete, &web, None)).await.unwrap();
}

#[tokio::test]
async fn a_droplet_that_lost_our_mark_is_not_deleted() {
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    stage.create(&web).await;
    let live = stage.live(&web).await;
    let id: u64 = live.id.parse().unwrap();
    stage.world().edit_droplet(id, json!({"tags": ["theirs"]})).unwrap();
    for verb in [Verb::Delete, Verb::Replace, Verb::Update] {
        let error = stage.run(job(verb, &web, Some(&live))).await.unwrap_err();
        assert_eq!(error.fault, Fault::Refused);
    }
    assert_eq!(stage.world().droplets()[0]["status"], json!("active"));
}

#[tokio::test]
async fn a_lost_answer_to_a_delete_is_success() {
    let stage = stage(Pace::prompt()).await;
    let web = droplet("web", &[]);
    stage.create(&web).await;
    let live = stage.live(&web).await;
    disturb(&stage, "DELETE", "/v2/droplets/{droplet_id}", FaultKind::DropAfter);
    stage.run(job(Verb::Delete, &web, Some(&live))).await.unwrap();
    assert!(stage.world().droplets().is_empty());
}

#[tokio::test]
async fn of_duplicates_the_newer_can_go_without_hurting_the_older() {
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    stage.create(&web).await;
    let tags = ["ipai", "ipai:ops", "ipai:ops:droplet:web"];
    let twin = stage.world().add_foreign_droplet("web.example.com", &tags).unwrap();
    let state = stage.observe(&[&web]).await;
    assert_eq!(state.resources.len(), 2);
    let newer = state.resources.iter().find(|r| r.id == twin.to_string()).unwrap();
    stage.run(job(Verb::Delete, &web, Some(newer))).await.unwrap();
    assert_eq!(differences(&web, &stage.live(&web).await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_stranger_is_adopted_and_forgotten_without_a_change() {
    let stage = stage(Pace::instant()).await;
    let id = stage.world().add_foreign_droplet("web.example.com", &["theirs"]).unwrap();
    let web = droplet("web", &[("tags", Value::texts(["theirs"]))]);
    let live = LiveResource {
        address: Address::new("digitalocean", "droplet", "web"),
        id: id.to_string(),
        attributes: Default::default(),
        outputs: Default::default(),
        applied: None,
        created: None,
        home: None,
    };
    stage.run(job(Verb::Adopt, &web, Some(&live))).await.unwrap();
    let seen = stage.live(&web).await;
    assert_eq!((seen.id.clone(), differences(&web, &seen)), (id.to_string(), vec![]));
    let other = droplet("other", &[]);
    let error = stage.run(job(Verb::Adopt, &other, Some(&seen))).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    stage.run(job(Verb::Forget, &web, Some(&seen))).await.unwrap();
    assert_eq!(stage.world().droplets()[0]["tags"], json!(["theirs"]));
    assert_eq!(stage.tags(), ["theirs"]);
}

#[tokio::test]
async fn a_pin_moves_to_another_host_key() {
    let stage = stage(Pace::instant()).await;
    let web = droplet("web", &[]);
    let outputs = stage.create(&web).await;
    let id = outputs["id"].as_text().unwrap().to_owned();
    let old = outputs["host_keys"].text_items()[0].to_owned();
    let new = "ab".repeat(32);
    assert_eq!(outputs["birth_host_keys"], outputs["host_keys"]);
    stage.executor.accept(&id, &new).await.unwrap();
    let both = stage.live(&web).await;
    assert_eq!(both.outputs["host_keys"].text_items().len(), 2);
    assert_eq!(both.outputs["birth_host_keys"].text_items(), [old.as_str()]);
    assert_eq!(both.attributes["host_key"], Value::text("birth"));
    for _ in 0..2 {
        stage.executor.accept_only(&id, &new).await.unwrap();
        let own = stage.live(&web).await;
        assert_eq!(own.outputs["host_keys"].text_items(), [new.as_str()]);
        assert_eq!(own.outputs["birth_host_keys"].text_items(), Vec::<&str>::new());
        assert_eq!(own.attributes["host_key"], Value::text("own"));
    }
    assert!(!stage.tags().iter().any(|tag| tag.contains(&old)));
}

#[tokio::test]
async fn a_failed_create_action_is_told() {
    let stage = stage(Pace::prompt()).await;
    let body = json!({"action": {"id": 1, "status": "errored", "type": "create"}}).to_string();
    let errored = FaultKind::Respond { status: 200, headers: vec![], body };
    disturb(&stage, "GET", "/v2/actions/{action_id}", errored);
    let error = stage.run(job(Verb::Create, &droplet("web", &[]), None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.cause.contains("failed"), "{error}");
}

#[tokio::test]
async fn a_refused_create_gives_the_vendors_reason() {
    let stage = stage(Pace::instant()).await;
    let bad = droplet("web", &[("size", Value::text("s-nonsense"))]);
    let error = stage.run(job(Verb::Create, &bad, None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.cause.contains("invalid size"), "{error}");
    assert_eq!(stage.count("POST", "/v2/droplets"), 1);
}

#[tokio::test]
async fn an_event_that_blocks_the_way_is_waited_for() {
    let stage =
        stage_with(Pace::instant(), |settings| settings.poll = Duration::from_millis(1)).await;
    let web = droplet("web", &[]);
    stage.create(&web).await;
    let live = stage.live(&web).await;
    let body =
        json!({"id": "unprocessable_entity", "message": "Droplet already has a pending event."});
    let pending = FaultKind::Respond { status: 422, headers: vec![], body: body.to_string() };
    let action = "/v2/droplets/{droplet_id}/actions";
    stage.world().fault(Disturbance::first("POST", action, pending.clone()).times(3));
    stage
        .world()
        .fault(Disturbance::first("DELETE", "/v2/droplets/{droplet_id}", pending).times(3));
    let renamed = droplet("web", &[("name", Value::text("www.example.com"))]);
    stage.run(job(Verb::Update, &renamed, Some(&live))).await.unwrap();
    stage.run(job(Verb::Delete, &renamed, Some(&live))).await.unwrap();
    assert!(stage.world().droplets().is_empty());
}

#[tokio::test]
async fn a_reserved_address_is_not_the_droplets_own() {
    for pace in [Pace::instant(), Pace { shuffle: true, ..Pace::instant() }] {
        let stage = stage(pace).await;
        let web = droplet("web", &[]);
        let outputs = stage.create(&web).await;
        stage.observe(&[&web]).await;
        assert_eq!(stage.count("GET", "/v2/reserved_ips"), 0);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/v2/reserved_ips", stage.simulator.digitalocean_url);
        let id: u64 = outputs["id"].as_text().unwrap().parse().unwrap();
        let body = json!({ "droplet_id": id });
        let sent = http.post(url).bearer_auth("t").json(&body).send().await.unwrap();
        assert!(sent.status().is_success());
        for _ in 0..3 {
            assert_eq!(stage.live(&web).await.outputs["ipv4"], outputs["ipv4"]);
        }
        assert!(stage.count("GET", "/v2/reserved_ips") > 0);
    }
}

#[tokio::test]
async fn waits_are_told() {
    let stage = stage(Pace::nasty()).await;
    stage.create(&droplet("web", &[])).await;
    assert!(stage.events.heard("waiting until action"));
    assert!(stage.events.heard("has a public address"));
}

#[tokio::test]
async fn of_two_that_an_earlier_run_made_the_older_is_carried_on() {
    let stage = stage(Pace::instant()).await;
    let pin = format!("ipai-hostkey:{}", "ab".repeat(32));
    let tags = ["ipai", "ipai:ops", "ipai:ops:droplet:web", pin.as_str()];
    let one = stage.world().add_foreign_droplet("web.example.com", &tags).unwrap();
    let two = stage.world().add_foreign_droplet("web.example.com", &tags).unwrap();
    stage.world().edit_droplet(one, json!({"created_at": "2026-01-02T00:00:00Z"})).unwrap();
    stage.world().edit_droplet(two, json!({"created_at": "2026-01-01T00:00:00Z"})).unwrap();
    let outputs = stage.create(&droplet("web", &[])).await;
    assert_eq!(outputs["id"], Value::text(two.to_string()));
    assert_eq!(stage.count("POST", "/v2/droplets"), 0);
}

#[tokio::test]
async fn a_droplet_without_tags_that_may_be_ours_is_not_doubled() {
    let stage = stage(Pace::instant()).await;
    stage.world().add_foreign_droplet("web.example.com", &[]).unwrap();
    let error = stage.run(job(Verb::Create, &droplet("web", &[]), None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.hint.unwrap().contains("ipai adopt"));
    assert_eq!(stage.count("POST", "/v2/droplets"), 0);
}

#[tokio::test]
async fn a_droplet_known_by_its_name_alone_is_not_touched() {
    let stage = stage(Pace::instant()).await;
    stage.world().add_foreign_droplet("web.example.com", &[]).unwrap();
    let web = droplet("web", &[("region", Value::text("ams3"))]);
    let live = stage.live(&web).await;
    for verb in [Verb::Update, Verb::Replace, Verb::Delete] {
        let error = stage.run(job(verb, &web, Some(&live))).await.unwrap_err();
        assert_eq!(error.fault, Fault::Refused);
    }
    let made = &stage.world().droplets()[0];
    assert_eq!((&made["status"], &made["tags"]), (&json!("active"), &json!([])));
}
