//! What observing finds, and what it costs.

use std::time::{Duration, Instant};

use ipai_core::{Fault as Kind, Verb};
use ipai_simulator::{Fault, FaultKind, Options, Pace};
use serde_json::json;

use crate::common::{RECORDS, World, address, good, record};

#[tokio::test]
async fn nothing_is_asked_when_no_record_is_desired() {
    let world = World::start().await;
    let live = world.observe(&good("")).await.unwrap();
    assert_eq!((live, world.world().log().len()), (ipai_core::LiveState::default(), 0));
}

#[tokio::test]
async fn records_of_all_types_may_stand_in_the_zone() {
    let world = World::start().await;
    for body in [
        json!({"type": "CAA", "name": "@", "data": {"flags": 0, "tag": "issue", "value": "ca.example"}}),
        json!({"type": "NS", "name": "sub", "content": "ns1.example.net"}),
        json!({"type": "HTTPS", "name": "chat", "data": {"priority": 1, "target": ".", "value": "alpn=h2"}}),
    ] {
        world.world().add_foreign_record("example.com", body).unwrap();
    }
    let live = world.observe(&good(&address("chat", "203.0.113.7"))).await.unwrap();
    assert!(live.resources.is_empty());
    assert_eq!(live.foreign.len(), 1);
    assert!(live.foreign[0].title.starts_with("HTTPS chat.example.com → "), "{live:?}");
    assert_eq!(live.notes, ["3 records in example.com are not ipai's and stay as they are"]);
}

#[tokio::test]
async fn a_foreign_record_in_the_way_stops_the_plan_and_one_beside_is_told() {
    let world = World::start().await;
    let foreign = json!({"type": "A", "name": "chat", "content": "203.0.113.99"});
    world.world().add_foreign_record("example.com", foreign).unwrap();
    for (wanted, conflicts, adoptable) in [
        (address("chat", "203.0.113.99"), 1, true),
        (
            record("chat", "name = \"chat\"\ntype = \"CNAME\"\ncontent = \"b.example.com\""),
            1,
            false,
        ),
        (address("chat", "203.0.113.7"), 0, false),
    ] {
        let (plan, live) = world.plan(&good(&wanted)).await;
        assert_eq!(plan.conflicts.len(), conflicts, "{wanted}");
        assert_eq!(plan.conflicts.iter().any(|c| c.adoptable), adoptable);
        let told = live.notes.iter().any(|note| note.contains("resolvers give it out beside"));
        assert_eq!(told, wanted.contains("203.0.113.7"), "{:?}", live.notes);
    }
}

#[tokio::test]
async fn a_copied_marker_is_a_duplicate_and_the_newer_one_goes() {
    let world = World::start().await;
    let desired = good(&address("chat", "203.0.113.7"));
    world.converge(&desired).await;
    let comment = world.records()[0]["comment"].clone();
    let copy = json!({"type": "A", "name": "copy", "content": "203.0.113.7", "comment": comment});
    world.world().add_foreign_record("example.com", copy).unwrap();
    assert_eq!(world.observe(&desired).await.unwrap().resources.len(), 2);
    assert_eq!(world.converge(&desired).await, [("chat".to_owned(), Verb::Delete)]);
    assert_eq!(world.records()[0]["name"], json!("chat.example.com"));
}

#[tokio::test]
async fn drift_is_found_and_put_right() {
    let world = World::start().await;
    let desired = good(&address("chat", "203.0.113.7"));
    world.converge(&desired).await;
    let id = world.records()[0]["id"].as_str().unwrap().to_owned();
    world.world().edit_record("example.com", &id, json!({"content": "203.0.113.66"})).unwrap();
    let (plan, _) = world.plan(&desired).await;
    assert_eq!(plan.actions[0].reason, ipai_core::Reason::Drifted);
    assert_eq!(world.converge(&desired).await, [("chat".to_owned(), Verb::Update)]);
}

#[tokio::test]
async fn records_left_behind_in_another_zone_are_told_of_and_stay() {
    let world = World::start().await;
    for zone in ["old.example", "theirs.example"] {
        world.world().add_zone(zone).unwrap();
    }
    let marked = |name: &str, comment: &str| json!({"type": "A", "name": name, "content": "203.0.113.7", "comment": comment});
    for (zone, name, comment) in [
        ("old.example", "chat", "ipai ops chat 0123456789abcdef"),
        ("old.example", "www", "ipai ops www 0123456789abcdef"),
        ("old.example", "x", "ipai ops--staging x 0123456789abcdef"),
        ("old.example", "y", "ipai OPS y 0123456789abcdef"),
        ("theirs.example", "z", "ipai shop z 0123456789abcdef"),
    ] {
        world.world().add_foreign_record(zone, marked(name, comment)).unwrap();
    }
    let desired = good(&address("chat", "203.0.113.7"));
    let (plan, live) = world.plan(&desired).await;
    assert_eq!(plan.actions.len(), 1);
    assert_eq!(
        live.notes,
        [
            "2 records of a stack of this name in old.example, a zone that this one does not name (chat.old.example, www.old.example); ipai leaves them alone: if they are left over from a move, delete them at Cloudflare"
        ]
    );
    // What is complete has moved nowhere, and costs no more than before.
    world.converge(&desired).await;
    world.world().clear_log();
    assert_eq!(world.observe(&desired).await.unwrap().notes, [""; 0]);
    assert_eq!(world.count("GET", RECORDS), 1);
    assert_eq!(world.world().log().len(), 1);
}

#[tokio::test]
async fn zones_that_may_not_be_read_are_passed_over_and_a_failed_look_is_told() {
    let world = World::start().await;
    world.world().add_zone("old.example").unwrap();
    let desired = good(&address("chat", "203.0.113.7"));
    let refused = FaultKind::Respond { status: 403, headers: vec![], body: "{\"success\":false,\"errors\":[{\"code\":10000,\"message\":\"Authentication error\"}],\"result\":null}".into() };
    world.world().fault(Fault::first("GET", RECORDS, refused.clone()).nth(2));
    assert_eq!(world.observe(&desired).await.unwrap().notes, [""; 0]);
    world.world().clear_faults();
    world.world().fault(Fault::first("GET", "/zones", refused));
    let live = world.observe(&desired).await.unwrap();
    assert!(live.notes[0].starts_with("whether this stack left records"), "{:?}", live.notes);
}

#[tokio::test]
async fn zones_are_asked_side_by_side() {
    let world = World::start().await;
    let names = ["b.example", "c.example", "d.example"];
    for name in names {
        world.world().add_zone(name).unwrap();
    }
    let delay = FaultKind::Delay(Duration::from_millis(700));
    world.world().fault(Fault::first("GET", RECORDS, delay).times(9));
    let elsewhere = |zone: &str, place: usize| {
        let name = place.to_string();
        format!(
            "[cloudflare.dns_record.r{name}]\nzone = \"{zone}\"\nname = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\"\n"
        )
    };
    let all: String =
        names.iter().enumerate().map(|(place, zone)| elsewhere(zone, place)).collect();
    let begun = Instant::now();
    world.observe(&good(&(all + &address("chat", "203.0.113.7")))).await.unwrap();
    assert_eq!(world.count("GET", RECORDS), 4);
    assert!(begun.elapsed() < Duration::from_millis(2_100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_zone_that_is_not_served_is_refused_by_its_state() {
    let world = World::start().await;
    world.world().add_zone_like("new.example", "pending", "full").unwrap();
    let text = "[cloudflare.dns_record.r]\nzone = \"new.example\"\nname = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\"";
    let error = world.observe(&good(text)).await.unwrap_err();
    assert!(error.cause.contains("pending"), "{error}");
    assert!(error.hint.unwrap().contains("name servers"));
}

#[tokio::test]
async fn a_zone_that_is_not_shown_names_both_causes() {
    let text = "[cloudflare.dns_record.r]\nzone = \"no.example\"\nname = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\"";
    let options = || Options { pace: Pace::instant(), ..Options::default() };
    let world = World::with(options(), "token").await;
    let error = world.observe(&good(text)).await.unwrap_err();
    assert_eq!(error.fault, Kind::NotFound);
    assert!(error.cause.contains("no such zone in this account, or the token may not see it"));
    let world = World::with(options(), "norights").await;
    let error = world.observe(&good(&address("chat", "203.0.113.7"))).await.unwrap_err();
    assert!(error.cause.contains("the token itself is valid"), "{error}");
    assert!(error.hint.unwrap().contains("Zone:Read"));
}

#[tokio::test]
async fn a_wrong_token_is_denied_with_what_it_needs() {
    for (token, cause) in [
        ("invalid", "10000"),
        ("two words", "6003"),
        ("", "no Cloudflare token"),
        ("a\u{7f}b", "characters"),
    ] {
        let world = World::with(Options::default(), token).await;
        let error = world.observe(&good(&address("chat", "203.0.113.7"))).await.unwrap_err();
        assert_eq!(error.fault, Kind::Denied, "{error}");
        assert!(error.cause.contains(cause), "{error}");
        assert!(error.hint.unwrap().contains("CLOUDFLARE_API_TOKEN"));
    }
}

#[tokio::test]
async fn a_reading_token_can_plan_and_is_told_what_it_lacks_to_apply() {
    let world = World::with(Options::default(), "readonly").await;
    let all: String = (0..5).map(|i| address(&format!("n{i}"), "203.0.113.7")).collect();
    let (verbs, results) = world.apply(&good(&all)).await;
    assert_eq!(verbs.len(), 5);
    for (_, result) in results {
        let error = result.unwrap_err();
        assert_eq!(error.fault, Kind::Denied);
        assert!(error.cause.contains("9109") && error.hint.unwrap().contains("DNS:Edit"));
    }
    assert_eq!(world.count("POST", "/zones/{zone_id}/dns_records/batch"), 1);
}

#[tokio::test]
async fn a_secret_text_is_compared_without_being_shown() {
    let world = World::start().await;
    let text = format!(
        "[secret.token]\nenv = \"T\"\n{}",
        record("r", "name = \"r\"\ntype = \"TXT\"\ncontent = \"v={{ secret.token }}\"")
    );
    let desired = good(&text);
    world.converge(&desired).await;
    assert_eq!(world.records()[0]["content"], json!("\"v=token-value\""));
    let id = world.records()[0]["id"].as_str().unwrap().to_owned();
    world.world().edit_record("example.com", &id, json!({"content": "v=older-value"})).unwrap();
    let (plan, live) = world.plan(&desired).await;
    let shown = format!("{} {live:?}", serde_json::to_string(&plan).unwrap());
    assert!(!shown.contains("token-value") && !shown.contains("older-value"), "{shown}");
    assert_eq!(world.converge(&desired).await, [("r".to_owned(), Verb::Update)]);
}
