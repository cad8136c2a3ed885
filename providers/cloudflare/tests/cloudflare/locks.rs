//! The lock in a zone: one is made, a second is refused, a dead one lapses by Cloudflare's clock, and none is left.

use std::time::Duration;

use ipai_cloudflare::CloudflareLock;
use ipai_core::lock::{LockStore, Made, NotANote, Note, Renewed};
use ipai_core::{Fault as Why, StackId};
use ipai_simulator::openapi::Validator;
use ipai_simulator::{Clock, Fault, FaultKind, Limits, Options, Pace};
use serde_json::json;

use crate::common::{RECORDS, World, ZONE, connect, good};

const RECORD: &str = "/zones/{zone_id}/dns_records/{dns_record_id}";

fn lock(world: &World) -> CloudflareLock {
    CloudflareLock::new(&world.connection, &StackId::new("ops", None), ZONE)
}

fn note(run: u8) -> Note {
    Note::new(&format!("{run:016x}"), Duration::from_secs(50), "ann@laptop", "deploy")
}

fn check_against_the_document(world: &World) {
    let validator = Validator::new().unwrap();
    for exchange in world.world().log() {
        let broken = validator.check_request(&exchange);
        assert!(broken.is_empty(), "{} {}: {broken:#?}", exchange.method, exchange.path);
    }
}

async fn made(lock: &CloudflareLock, run: u8) -> String {
    match lock.acquire(&note(run)).await.unwrap() {
        Made::Made(id) => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_lock_is_refused_until_the_first_is_gone() {
    let world = World::start().await;
    let lock = lock(&world);
    let id = made(&lock, 1).await;
    assert_eq!(lock.acquire(&note(2)).await.unwrap(), Made::Exists);
    let sight = LockStore::look(&lock).await.unwrap();
    assert_eq!((sight.locks.len(), &sight.locks[0].id), (1, &id));
    assert_eq!(sight.locks[0].note, Ok(note(1)));
    assert!(!sight.locks[0].has_lapsed(sight.now));
    LockStore::release(&lock, &id).await.unwrap();
    LockStore::release(&lock, &id).await.unwrap();
    assert!(LockStore::look(&lock).await.unwrap().locks.is_empty());
    assert!(world.world().records(ZONE).is_empty(), "nothing is left");
    made(&lock, 2).await;
    check_against_the_document(&world);
}

#[tokio::test]
async fn a_sign_of_life_changes_the_comment_of_exactly_one_record() {
    let world = World::start().await;
    let lock = lock(&world);
    let id = made(&lock, 1).await;
    let next = note(1).next();
    assert_eq!(LockStore::renew(&lock, &id, &next).await.unwrap(), Renewed::Yes);
    assert_eq!(LockStore::look(&lock).await.unwrap().locks[0].note, Ok(next.clone()));
    world.world().delete_record(ZONE, &id).unwrap();
    assert_eq!(LockStore::renew(&lock, &id, &next).await.unwrap(), Renewed::Gone);
    check_against_the_document(&world);
}

#[tokio::test]
async fn a_lock_lapses_by_the_clock_in_the_answers() {
    let clock = Clock::Fixed { start: 1_767_225_600, step: Duration::from_secs(9) };
    let options = Options { clock, pace: Pace::instant(), ..Options::default() };
    let world = World::with(options, "token").await;
    let lock = lock(&world);
    // Request 0 finds the zone, request 1 makes the lock; each moves the clock by nine seconds.
    made(&lock, 1).await;
    let mut lapsed = Vec::new();
    for _ in 2..9 {
        let sight = LockStore::look(&lock).await.unwrap();
        lapsed.push(sight.locks[0].has_lapsed(sight.now));
    }
    assert_eq!(
        lapsed,
        [false, false, false, false, false, false, true],
        "9, 18 … 54, 63 seconds later"
    );
}

#[tokio::test]
async fn a_lost_answer_is_told_as_one() {
    let world = World::start().await;
    let lock = lock(&world);
    for kind in [FaultKind::DropAfter, FaultKind::Garbage] {
        world.world().fault(Fault::first("POST", RECORDS, kind));
        assert!(matches!(lock.acquire(&note(1)).await.unwrap(), Made::Unsure(_)));
        let id = LockStore::look(&lock).await.unwrap().locks[0].id.clone();
        world.world().fault(Fault::first("DELETE", RECORD, FaultKind::DropAfter));
        LockStore::release(&lock, &id).await.unwrap();
    }
}

#[tokio::test]
async fn who_may_only_read_cannot_lock() {
    let world = World::start().await;
    let connection = connect(&world.simulator.cloudflare_url, "readonly-token");
    let lock = CloudflareLock::new(&connection, &StackId::new("ops", None), ZONE);
    let error = lock.acquire(&note(1)).await.unwrap_err();
    assert_eq!(error.fault, Why::Denied);
    assert!(error.hint.unwrap().contains("DNS:Edit"));
}

#[tokio::test]
async fn a_full_zone_is_named_as_the_reason() {
    let limits = Limits { records: 0, ..Limits::none() };
    let world = World::with(Options { limits, ..Options::default() }, "token").await;
    let error = lock(&world).acquire(&note(1)).await.unwrap_err();
    assert!(error.hint.unwrap().contains("quota"));
}

#[tokio::test]
async fn comments_of_others_are_held_and_shown_as_not_understood() {
    let world = World::start().await;
    for (comment, expected) in [
        ("", NotANote::Strange),
        ("hands off", NotANote::Strange),
        ("ipai-lock/2 from the future", NotANote::Newer),
    ] {
        let record = json!({"type": "TXT", "name": "ops._ipai-lock.example.com", "content": "\"ipai lock\"", "comment": comment});
        let id = world.world().add_foreign_record(ZONE, record).unwrap();
        let sight = LockStore::look(&lock(&world)).await.unwrap();
        assert_eq!(sight.locks[0].note, Err(expected));
        assert!(!sight.locks[0].has_lapsed(Some(ipai_core::lock::Moment(u64::MAX))));
        world.world().delete_record(ZONE, &id).unwrap();
    }
}

#[tokio::test]
async fn no_plan_sees_a_lock() {
    let world = World::start().await;
    let desired = good(
        "[cloudflare.dns_record.www]\nzone = \"example.com\"\nname = \"www\"\ntype = \"A\"\ncontent = \"203.0.113.7\"",
    );
    let before = world.observe(&desired).await.unwrap();
    made(&lock(&world), 1).await;
    let staging = CloudflareLock::new(&world.connection, &StackId::new("ops", Some("x")), ZONE);
    made(&staging, 1).await;
    let after = world.observe(&desired).await.unwrap();
    assert_eq!((before.notes, before.foreign.len()), (after.notes, after.foreign.len()));
}
