//! Changes whose answers are lost, refused, or come late.

use ipai_core::{Fault as Kind, JobResult, Verb};
use ipai_simulator::{Fault, FaultKind, Limits, Options, Pace};
use serde_json::json;

use crate::common::{BATCH, RECORDS, World, address, good, jobs, record};

fn failures(results: &[JobResult]) -> Vec<&str> {
    results.iter().filter(|(_, r)| r.is_err()).map(|(address, _)| address.name.as_str()).collect()
}

#[tokio::test]
async fn a_lost_answer_is_never_answered_by_a_second_record() {
    let bad_gateway =
        || FaultKind::Respond { status: 502, headers: vec![], body: "<h1>bad".into() };
    let kinds = [
        ("answer lost", FaultKind::DropAfter, 1),
        ("garbled", FaultKind::Garbage, 1),
        ("wrong types", FaultKind::WrongTypes, 1),
        ("request lost", FaultKind::DropBefore, 2),
        ("bad gateway", bad_gateway(), 2),
        ("captive portal", FaultKind::Html, 2),
    ];
    for (what, kind, batches) in kinds {
        let world = World::start().await;
        world
            .converge(&good(&(address("gone", "203.0.113.1") + &address("kept", "203.0.113.2"))))
            .await;
        world.world().clear_log();
        world.world().fault(Fault::first("POST", BATCH, kind));
        let alias =
            record("gone", "name = \"gone\"\ntype = \"CNAME\"\ncontent = \"b.example.com\"");
        let desired =
            good(&(alias + &address("kept", "203.0.113.3") + &address("new", "203.0.113.4")));
        let (verbs, results) = world.apply(&desired).await;
        assert_eq!(verbs.len(), 3, "{what}");
        assert!(
            results.iter().all(|(_, result)| result.as_ref().is_ok_and(|o| o.contains_key("id"))),
            "{what}: {results:?}"
        );
        assert_eq!(world.count("POST", BATCH), batches, "{what}");
        assert_eq!(world.records().len(), 3, "{what}");
        world.settled(&desired).await;
    }
}

#[tokio::test]
async fn answers_that_stay_away_end_in_an_error() {
    let world = World::start().await;
    world.world().fault(Fault::first("POST", BATCH, FaultKind::DropBefore).times(99));
    let (_, results) = world.apply(&good(&address("chat", "203.0.113.7"))).await;
    assert_eq!(
        results[0].1.as_ref().unwrap_err().attempted,
        "create the record A chat.example.com"
    );
    assert_eq!(world.count("POST", BATCH), 3);
    world.world().clear_faults();
    world.world().fault(Fault::first("POST", BATCH, FaultKind::DropBefore).times(2));
    world.world().fault(Fault::first("POST", BATCH, FaultKind::DropAfter).nth(3));
    let (_, results) = world.apply(&good(&address("late", "203.0.113.7"))).await;
    assert!(failures(&results).is_empty(), "the third try landed, though nobody said so");
    world.world().clear_faults();
    world.world().fault(Fault::first("POST", BATCH, FaultKind::DropAfter));
    world.world().fault(Fault::first("GET", RECORDS, FaultKind::DropBefore).nth(2).times(99));
    let (_, results) = world.apply(&good(&address("chat", "203.0.113.7"))).await;
    let error = results[0].1.as_ref().unwrap_err();
    assert!(error.cause.contains("what it did cannot be seen"), "{error}");
    world.world().clear_faults();
    world.converge(&good(&address("chat", "203.0.113.7"))).await;
    assert_eq!(world.records().len(), 1);
}

#[tokio::test]
async fn one_bad_record_does_not_hold_up_the_others() {
    let world = World::start().await;
    let bad =
        record("bad", "name = \"bad\"\ntype = \"A\"\ncontent = \"127.0.0.1\"\nproxied = true");
    let all: String = (0..40).map(|i| address(&format!("n{i}"), "203.0.113.7")).collect();
    let (_, results) = world.apply(&good(&(all + &bad))).await;
    assert_eq!((results.len(), failures(&results)), (41, vec!["bad"]));
    let error = results.iter().find_map(|(_, result)| result.as_ref().err()).unwrap();
    assert!(
        error.cause.contains("9003") && error.attempted.ends_with("A bad.example.com"),
        "{error}"
    );
    assert_eq!(world.records().len(), 40);
    assert!(world.count("POST", BATCH) <= 13, "{}", world.count("POST", BATCH));
}

#[tokio::test]
async fn codes_beyond_sixteen_bits_reach_the_user_with_a_hint() {
    let world = World::start().await;
    let desired = good(&(address("chat", "203.0.113.7") + &address("other", "203.0.113.8")));
    let (plan, live) = world.plan(&desired).await;
    let theirs = json!({"type": "A", "name": "chat", "content": "203.0.113.7"});
    world.world().add_foreign_record("example.com", theirs).unwrap();
    let results = world.execute(jobs(&plan, &desired, &live)).await;
    assert_eq!(failures(&results), ["chat"]);
    let error = results[0].1.as_ref().unwrap_err();
    assert!(
        error.cause.contains("81058") && error.hint.as_ref().unwrap().contains("ipai adopt"),
        "{error:?}"
    );
    assert_eq!(world.records().len(), 2);
}

#[tokio::test]
async fn what_was_done_meanwhile_is_well() {
    let world = World::start().await;
    let old = address("gone", "203.0.113.1") + &address("kept", "203.0.113.2");
    world.converge(&good(&old)).await;
    let desired = good(&(address("kept", "203.0.113.2") + &address("new", "203.0.113.4")));
    let (plan, live) = world.plan(&desired).await;
    let planned = jobs(&plan, &desired, &live);
    // Another run does the same first; then this one finds nothing left to do.
    world.converge(&desired).await;
    let results = world.execute(planned).await;
    assert!(failures(&results).is_empty(), "{results:?}");
    let created = results.iter().find(|(address, _)| address.name == "new").unwrap();
    assert!(created.1.as_ref().unwrap().contains_key("id"));
    assert_eq!(world.records().len(), 2);
}

#[tokio::test]
async fn a_record_that_vanished_is_named_and_the_others_land() {
    let world = World::start().await;
    world.converge(&good(&(address("a", "203.0.113.1") + &address("b", "203.0.113.2")))).await;
    let desired = good(&(address("a", "203.0.113.3") + &address("b", "203.0.113.4")));
    let (plan, live) = world.plan(&desired).await;
    let id = live.resources.iter().find(|r| r.address.name == "a").unwrap().id.clone();
    world.world().delete_record("example.com", &id).unwrap();
    let results = world.execute(jobs(&plan, &desired, &live)).await;
    assert_eq!(failures(&results), ["a"]);
    assert_eq!(results[0].1.as_ref().unwrap_err().fault, Kind::NotFound);
    world.converge(&desired).await;
}

#[tokio::test]
async fn a_name_never_loses_its_record_to_a_bad_successor() {
    let world = World::start().await;
    world.converge(&good(&address("r", "203.0.113.7"))).await;
    let bad = record("heir", "name = \"r\"\ntype = \"A\"\ncontent = \"127.0.0.1\"\nproxied = true");
    let (verbs, results) = world.apply(&good(&bad)).await;
    assert_eq!((verbs.len(), failures(&results).len()), (2, 2));
    assert_eq!(world.records()[0]["content"], json!("203.0.113.7"));
}

#[tokio::test]
async fn a_record_deleted_a_moment_ago_is_waited_for() {
    let pace = Pace { dns_linger: 3, ..Pace::instant() };
    let world = World::with(Options { pace, ..Options::default() }, "token").await;
    let body = json!({"type": "A", "name": "r", "content": "203.0.113.99"});
    let id = world.world().add_foreign_record("example.com", body).unwrap();
    let zone = world.world().zone("example.com").unwrap();
    let url = format!("{}zones/{zone}/dns_records/{id}", world.simulator.cloudflare_url);
    let deleted = reqwest::Client::new().delete(url).bearer_auth("token").send().await.unwrap();
    assert!(deleted.status().is_success());
    let alias = record("r", "name = \"r\"\ntype = \"CNAME\"\ncontent = \"b.example.com\"");
    world.converge(&good(&alias)).await;
    assert!(world.count("POST", BATCH) > 1);
}

#[tokio::test]
async fn a_record_that_stays_in_the_way_is_not_waited_for() {
    let world = World::start().await;
    let alias = good(&record("r", "name = \"r\"\ntype = \"CNAME\"\ncontent = \"b.example.com\""));
    let (plan, live) = world.plan(&alias).await;
    let body = json!({"type": "A", "name": "r", "content": "203.0.113.99"});
    world.world().add_foreign_record("example.com", body).unwrap();
    let results = world.execute(jobs(&plan, &alias, &live)).await;
    assert!(results[0].1.as_ref().unwrap_err().cause.contains("81053"));
    assert_eq!(world.count("POST", BATCH), 1);
}

fn too_many(seconds: &str) -> FaultKind {
    let headers = vec![("retry-after".to_owned(), seconds.to_owned())];
    let body = r#"{"success":false,"errors":[{"code":10429,"message":"slow"}],"messages":[],"result":null}"#;
    FaultKind::Respond { status: 429, headers, body: body.into() }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_told() {
    let world = World::start().await;
    world.world().fault(Fault::first("GET", RECORDS, too_many("1")));
    world.world().fault(Fault::first("POST", BATCH, too_many("1")));
    let begun = std::time::Instant::now();
    let (_, results) = world.apply(&good(&address("chat", "203.0.113.7"))).await;
    assert!(failures(&results).is_empty());
    assert!(begun.elapsed().as_secs() >= 2);
    let told = world.told.0.lock().unwrap().join("\n");
    assert_eq!(told.matches("cloudflare.dns_record.chat: ").count(), 2, "{told}");
    assert!(told.contains("rate limit") && told.contains("trying again in 1.0 s"), "{told}");
}

#[tokio::test]
async fn a_rate_limit_that_stays_ends_the_call_in_time() {
    for seconds in ["3600", "0", "nonsense"] {
        let world = World::start().await;
        world.world().fault(Fault::first("GET", "/zones", too_many(seconds)).times(999));
        let error = world.observe(&good(&address("chat", "203.0.113.7"))).await.unwrap_err();
        assert!(error.cause.contains("429"), "{error}");
        assert!(world.count("GET", "/zones") <= 10);
    }
}

#[tokio::test]
async fn a_full_zone_is_named() {
    let limits = Limits { records: 3, ..Limits::default() };
    let world =
        World::with(Options { limits, pace: Pace::instant(), ..Options::default() }, "t").await;
    let all: String = (0..5).map(|i| address(&format!("n{i}"), "203.0.113.7")).collect();
    let (_, results) = world.apply(&good(&all)).await;
    assert_eq!(failures(&results).len(), 2);
    let error = results.iter().find_map(|(_, result)| result.as_ref().err()).unwrap();
    assert!(error.cause.contains("81045") && error.hint.as_ref().unwrap().contains("quota"));
}

#[tokio::test]
async fn secrets_in_a_refusal_are_hidden() {
    let world = World::start().await;
    let text = format!(
        "[secret.token]\nenv = \"T\"\n{}",
        record("r", "name = \"r\"\ntype = \"TXT\"\ncontent = \"v={{ secret.token }}\"")
    );
    let body = r#"{"success":false,"errors":[{"code":9012,"message":"bad content v=token-value"}],"result":null}"#;
    let kind = FaultKind::Respond { status: 400, headers: vec![], body: body.into() };
    world.world().fault(Fault::first("POST", BATCH, kind).times(9));
    let (verbs, results) = world.apply(&good(&text)).await;
    assert_eq!(verbs, [("r".to_owned(), Verb::Create)]);
    let error = results[0].1.as_ref().unwrap_err();
    assert!(error.cause.contains("9012") && !error.cause.contains("token-value"), "{error}");
}
