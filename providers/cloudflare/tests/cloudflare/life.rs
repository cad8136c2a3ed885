//! Records from their creation to their end.

use ipai_cloudflare::CloudflareExecutor;
use ipai_core::{Execute, Job, LiveResource, Outputs, Value, Verb};
use ipai_simulator::openapi::Validator;
use ipai_simulator::{Limits, Options, Pace};
use serde_json::{Value as Json, json};

use crate::common::{BATCH, RECORDS, World, address, good, jobs, record};

/// A record of each type, and a change of each attribute that can be changed in place.
const LIVES: &[(&str, &str, &str)] = &[
    ("A", "content = \"203.0.113.7\"\nttl = 300", "content = \"203.0.113.8\"\nttl = 600"),
    ("AAAA", "content = \"2001:db8::7\"", "content = \"2001:db8::8\""),
    (
        "CNAME",
        "content = \"b.example.com\"\nttl = 300",
        "content = \"b.example.com\"\nproxied = true",
    ),
    (
        "CNAME",
        "content = \"b.example.com\"\nproxied = true",
        "content = \"c.example.net\"\nttl = 60",
    ),
    ("TXT", "content = \"v=spf1 -all\"", "content = 'with \"quotes\" and \\ and ü'"),
    (
        "MX",
        "content = \"m.example.com\"\npriority = 10",
        "content = \"m.example.com\"\npriority = 20",
    ),
    (
        "MX",
        "content = \"m.example.com\"\npriority = 10",
        "content = \"n.example.com\"\npriority = 10",
    ),
    (
        "SRV",
        "content = \"s.example.com\"\npriority = 1\nweight = 2\nport = 3",
        "content = \"t.example.com\"\npriority = 1\nweight = 5\nport = 6\nttl = 60",
    ),
    (
        "CAA",
        "content = \"ca.example\"\ntag = \"issue\"",
        "content = \"mailto:a@example.com\"\ntag = \"iodef\"\nflags = 128",
    ),
];

fn one(kind: &str, body: &str) -> String {
    record("r", &format!("name = \"r\"\ntype = \"{kind}\"\n{body}"))
}

fn names(verbs: &[(String, Verb)], verb: Verb) -> Vec<&str> {
    verbs.iter().filter(|(_, own)| *own == verb).map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn every_type_is_created_seen_as_desired_changed_and_deleted() {
    let validator = Validator::new().unwrap();
    for (kind, born, later) in LIVES {
        let world = World::start().await;
        let first = good(&one(kind, born));
        assert_eq!(world.converge(&first).await, [("r".to_owned(), Verb::Create)]);
        let (_, live) = world.plan(&first).await;
        assert_eq!(live.resources[0].attributes, first.resources[0].attributes, "{kind}");
        let id = live.resources[0].id.clone();
        let second = good(&one(kind, later));
        assert_eq!(world.converge(&second).await, [("r".to_owned(), Verb::Update)], "{kind}");
        let (_, live) = world.plan(&second).await;
        assert_eq!(live.resources[0].attributes, second.resources[0].attributes, "{kind}");
        assert_eq!(live.resources[0].id, id, "{kind} was changed in place");
        assert_eq!(live.resources[0].outputs["fqdn"], Value::text("r.example.com"));
        let other = good(&address("other", "203.0.113.9"));
        let verbs = world.converge(&other).await;
        assert_eq!(names(&verbs, Verb::Delete), ["r"]);
        assert_eq!(world.records().len(), 1);
        for exchange in world.world().log() {
            let broken = validator.check_request(&exchange);
            assert!(broken.is_empty(), "{kind}: {broken:#?}");
        }
    }
}

#[tokio::test]
async fn the_example_is_created_in_one_batch_after_a_lookup_a_list_and_a_look_around() {
    let world = World::start().await;
    let desired = good(ipai_core::ResourceType::example(&ipai_cloudflare::DnsRecord));
    let (verbs, results) = world.apply(&desired).await;
    assert!(verbs.len() == 6 && results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    assert_eq!(
        (world.count("GET", "/zones"), world.count("GET", RECORDS), world.count("POST", BATCH)),
        (2, 1, 1)
    );
    assert_eq!(world.world().log().len(), 4);
    world.settled(&desired).await;
}

#[tokio::test]
async fn outputs_come_from_the_batch_answer() {
    let world = World::start().await;
    let (_, results) = world.apply(&good(&address("chat", "203.0.113.7"))).await;
    let outputs = results[0].1.as_ref().unwrap();
    assert_eq!(outputs["id"], Value::text(world.records()[0]["id"].as_str().unwrap()));
    assert_eq!(outputs["fqdn"], Value::text("chat.example.com"));
}

#[tokio::test]
async fn an_address_becomes_an_alias_in_one_transaction() {
    let world = World::with(Options { pace: Pace::nasty(), ..Options::default() }, "token").await;
    world.converge(&good(&address("r", "203.0.113.7"))).await;
    world.world().clear_log();
    let alias = good(&one("CNAME", "content = \"b.example.com\""));
    assert_eq!(world.converge(&alias).await, [("r".to_owned(), Verb::Replace)]);
    let log = world.world().log();
    let sent: Vec<&Json> = log.iter().filter_map(|exchange| exchange.request.as_ref()).collect();
    let keys: Vec<&str> = sent[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((sent.len(), keys), (1, vec!["deletes", "posts"]));
}

#[tokio::test]
async fn another_resource_may_take_over_a_name_in_one_transaction() {
    let world = World::start().await;
    world.converge(&good(&address("r", "203.0.113.7"))).await;
    let heir = record("heir", "name = \"r\"\ntype = \"CNAME\"\ncontent = \"b.example.com\"");
    let verbs = world.converge(&good(&heir)).await;
    assert_eq!(
        (names(&verbs, Verb::Delete), names(&verbs, Verb::Create)),
        (vec!["r"], vec!["heir"])
    );
    assert_eq!(world.count("POST", BATCH), 2);
}

#[tokio::test]
async fn a_record_moves_between_zones_and_leaves_nothing_behind() {
    let world = World::start().await;
    world.world().add_zone("b.example").unwrap();
    let kept = address("kept", "203.0.113.9");
    world.converge(&good(&(address("r", "203.0.113.7") + &kept))).await;
    let moved = address("r", "203.0.113.7").replace("example.com", "b.example");
    let verbs = world.converge(&good(&(moved + &kept))).await;
    assert_eq!(verbs, [("r".to_owned(), Verb::Replace)]);
    assert_eq!((world.records().len(), world.world().records("b.example").len()), (1, 1));
}

#[tokio::test]
async fn a_patch_sends_what_changes_and_the_marker() {
    let world = World::start().await;
    world.converge(&good(&address("r", "203.0.113.7"))).await;
    world.world().clear_log();
    let desired = good(&address("r", "203.0.113.8"));
    world.apply(&desired).await;
    let log = world.world().log();
    let sent = log.iter().find_map(|exchange| exchange.request.clone()).unwrap();
    let patch = sent["patches"][0].as_object().unwrap();
    let mut keys: Vec<&str> = patch.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["comment", "content", "id"]);
    let version =
        desired.resources[0].version(ipai_core::ResourceType::schema(&ipai_cloudflare::DnsRecord));
    assert_eq!(patch["comment"], json!(format!("ipai ops r {}", version.unwrap())));
}

#[tokio::test]
async fn many_records_travel_in_batches_of_two_hundred() {
    let limits = Limits { records: 10_000, ..Limits::default() };
    let world =
        World::with(Options { limits, pace: Pace::instant(), ..Options::default() }, "t").await;
    let all: String = (0..450).map(|i| address(&format!("n{i}"), "203.0.113.7")).collect();
    world.converge(&good(&all)).await;
    assert_eq!((world.count("POST", BATCH), world.records().len()), (3, 450));
    assert!(world.told.0.lock().unwrap().iter().any(|text| text.contains("batch 2 of 3")));
    let moved: String = (0..450).map(|i| address(&format!("n{i}"), "203.0.113.8")).collect();
    world.converge(&good(&moved)).await;
    assert_eq!(world.count("POST", BATCH), 6);
}

/// A job for a record whose object is known by its id alone, as when adopting.
fn job(verb: Verb, id: Option<&str>) -> Job {
    let desired = good(&address("chat", "203.0.113.7"));
    let live = |id: &str| LiveResource {
        address: desired.resources[0].address.clone(),
        id: id.to_owned(),
        attributes: [("zone".to_owned(), Value::text("example.com"))].into(),
        outputs: Outputs::new(),
        applied: None,
        created: None,
        home: None,
    };
    Job {
        stack: desired.stack.clone(),
        address: desired.resources[0].address.clone(),
        verb,
        version: None,
        live: id.map(live),
        home: None,
        desired: (verb != Verb::Forget).then(|| desired.resources[0].clone()),
    }
}

#[tokio::test]
async fn adopting_and_forgetting_change_the_comment_alone() {
    for by_id in [true, false] {
        let world = World::start().await;
        let body = json!({"type": "A", "name": "chat", "content": "203.0.113.7", "ttl": 120, "comment": "by hand"});
        let id = world.world().add_foreign_record("example.com", body).unwrap();
        let before = world.records();
        let results = world.execute(vec![job(Verb::Adopt, by_id.then_some(id.as_str()))]).await;
        assert_eq!(results[0].1.as_ref().unwrap()["id"], Value::text(&*id));
        assert!(world.records()[0]["comment"].as_str().unwrap().starts_with("ipai ops chat "));
        let results = world.execute(vec![job(Verb::Forget, Some(&id))]).await;
        assert!(results[0].1.as_ref().unwrap().is_empty());
        let after = world.records();
        assert_eq!(after[0]["comment"], json!(null));
        for key in ["id", "type", "name", "content", "ttl", "proxied"] {
            assert_eq!(before[0][key], after[0][key], "{key}");
        }
    }
}

#[tokio::test]
async fn what_is_foreign_is_never_touched() {
    let world = World::start().await;
    for body in [
        json!({"type": "TXT", "name": "r", "content": "theirs"}),
        json!({"type": "A", "name": "r", "content": "203.0.113.99", "comment": "ipai other r 0123456789abcdef"}),
        json!({"type": "MX", "name": "@", "content": "mx.example.com", "priority": 1, "meta": {"email_routing": true, "read_only": true}}),
        json!({"type": "CAA", "name": "@", "data": {"flags": 0, "tag": "issue", "value": "ca.example"}}),
    ] {
        world.world().add_foreign_record("example.com", body).unwrap();
    }
    let before = world.records();
    world.converge(&good(&address("r", "203.0.113.7"))).await;
    world.converge(&good(&address("r", "203.0.113.8"))).await;
    world.converge(&good(&address("s", "203.0.113.8"))).await;
    assert_eq!(world.records()[..before.len()], before);
}

#[tokio::test]
async fn a_lane_is_a_zone() {
    let world = World::start().await;
    let desired = good(&address("chat", "203.0.113.7"));
    let (plan, live) = world.plan(&desired).await;
    let job = &jobs(&plan, &desired, &live)[0];
    let executor = CloudflareExecutor::new(&world.connection);
    assert_eq!(executor.lane(job), "example.com");
    let delete = Job { desired: None, ..self::job(Verb::Delete, Some("x")) };
    assert_eq!(executor.lane(&delete), "example.com");
}
