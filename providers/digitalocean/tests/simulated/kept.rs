//! What outlives a droplet: a run that is killed anywhere on the way, and the next ones, end with one volume and one
//! address, both at the droplet that stands there then.

use ipai_core::{DesiredResource, Fault, LiveResource, LiveState, Value, Verb};
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};
use serde_json::Value as Json;

use crate::stage::{Stage, differences, droplet, executor, job, reserved_ip, stage, volume};

const WEB: &str = "digitalocean.droplet.web";

/// A droplet, its volume, its address.
fn world(region: &str, size: i64) -> [DesiredResource; 3] {
    let region = Value::text(region);
    [
        droplet("web", &[("region", region)]),
        volume("data", &[("size_gb", Value::Int(size))]),
        reserved_ip("web", WEB),
    ]
}

fn verb(wanted: &DesiredResource, live: Option<&LiveResource>) -> Verb {
    let Some(live) = live else { return Verb::Create };
    match &differences(wanted, live)[..] {
        [] => Verb::NoOp,
        some if some.contains(&"region") => Verb::Replace,
        _ => Verb::Update,
    }
}

fn of<'a>(state: &'a LiveState, wanted: &DesiredResource) -> Option<&'a LiveResource> {
    let found: Vec<_> =
        state.resources.iter().filter(|live| live.address == wanted.address).collect();
    assert!(found.len() <= 1, "duplicates: {found:?}");
    found.first().copied()
}

/// Plans and applies until there is nothing left to do.
async fn converge(stage: &Stage, wanted: &[DesiredResource]) {
    let mut story = Vec::new();
    for _ in 0..8 {
        let state = stage.observe(&wanted.iter().collect::<Vec<_>>()).await;
        let next = wanted.iter().find(|w| verb(w, of(&state, w)) != Verb::NoOp);
        let Some(next) = next else { return };
        let live = of(&state, next);
        // A run of its own, that remembers nothing.
        let run = executor(&stage.settings);
        match stage.run_by(&run, job(verb(next, live), next, live)).await {
            // The droplet that a list still showed is gone; the next look knows.
            Err(error) if error.fault == Fault::NotFound => {
                story.push(format!("{}: {error}", next.address));
            }
            other => story.push(format!("{}: {:?}", next.address, other.unwrap())),
        }
    }
    panic!("it does not converge: {story:#?}")
}

fn items(stage: &Stage, kind: &str) -> Vec<Json> {
    stage.world().snapshot()["digitalocean"][kind].as_array().unwrap().clone()
}

fn check(stage: &Stage, when: &str) {
    let droplet = stage.world().droplets()[0]["id"].as_u64();
    assert_eq!(stage.world().droplets().len(), 1, "{when}");
    for kind in ["volumes", "reserved_ips"] {
        let all = items(stage, kind);
        assert_eq!(all.len(), 1, "{kind} {when}: {all:?}");
        assert_eq!(all[0]["droplet"].as_u64(), droplet, "{kind} {when}: {all:?}");
    }
}

/// Brings up the first `ready` of `wanted`, kills the next one's job after each number of requests in turn.
async fn killed_anywhere(old: &[DesiredResource], all: [DesiredResource; 3], changed: usize) {
    let mut ids = None;
    for requests in 1..200 {
        let stage = stage(Pace::prompt()).await;
        converge(&stage, old).await;
        let state = stage.observe(&all.iter().collect::<Vec<_>>()).await;
        let (wanted, live) = (&all[changed], of(&state, &all[changed]));
        let verb = verb(wanted, live);
        assert_ne!(verb, Verb::NoOp);
        let killed = stage.run_killed(job(verb, wanted, live), requests).await;
        converge(&stage, &all).await;
        check(&stage, &format!("killed after {requests}"));
        let kept: Vec<Json> = items(&stage, "volumes").iter().map(|v| v["size"].clone()).collect();
        assert_eq!(*ids.get_or_insert(kept.clone()), kept);
        if !killed {
            return;
        }
    }
    panic!("a run that never ends");
}

#[tokio::test]
async fn a_volume_whose_creation_is_killed_anywhere_is_there_once() {
    let all = world("fra1", 10);
    killed_anywhere(&all[..1], all.clone(), 1).await;
}

#[tokio::test]
async fn an_address_whose_reservation_is_killed_anywhere_is_there_once() {
    let all = world("fra1", 10);
    killed_anywhere(&all[..1], all.clone(), 2).await;
}

#[tokio::test]
async fn a_volume_whose_growth_is_killed_anywhere_grows() {
    killed_anywhere(&world("fra1", 10), world("fra1", 20), 1).await;
}

#[tokio::test]
async fn a_droplet_whose_replacement_is_killed_anywhere_keeps_both() {
    let all = world("fra1", 10);
    for requests in 1..300 {
        let stage = stage(Pace::prompt()).await;
        converge(&stage, &all).await;
        let state = stage.observe(&all.iter().collect::<Vec<_>>()).await;
        let before = (
            items(&stage, "volumes")[0]["id"].clone(),
            items(&stage, "reserved_ips")[0]["ip"].clone(),
        );
        let old = of(&state, &all[0]).unwrap();
        let killed = stage.run_killed(job(Verb::Replace, &all[0], Some(old)), requests).await;
        if !killed {
            let state = stage.observe(&all.iter().collect::<Vec<_>>()).await;
            assert!(all.iter().all(|w| verb(w, of(&state, w)) == Verb::NoOp), "both followed");
            assert_ne!(of(&state, &all[0]).unwrap().id, old.id);
        }
        converge(&stage, &all).await;
        check(&stage, &format!("killed after {requests}"));
        let after = (
            items(&stage, "volumes")[0]["id"].clone(),
            items(&stage, "reserved_ips")[0]["ip"].clone(),
        );
        assert_eq!(before, after, "killed after {requests}");
        if !killed {
            return;
        }
    }
    panic!("a run that never ends");
}

#[tokio::test]
async fn a_deletion_killed_anywhere_leaves_nothing() {
    for changed in [1, 2] {
        for requests in 1..100 {
            let stage = stage(Pace::prompt()).await;
            let all = world("fra1", 10);
            converge(&stage, &all).await;
            let delete = || async {
                let state = stage.observe(&all[..1].iter().collect::<Vec<_>>()).await;
                let live = of(&state, &all[changed]).cloned();
                live.map(|live| job(Verb::Delete, &all[changed], Some(&live)))
            };
            let killed = stage.run_killed(delete().await.unwrap(), requests).await;
            if let Some(again) = delete().await {
                stage.run(again).await.unwrap();
            }
            let kind = ["", "volumes", "reserved_ips"][changed];
            assert!(items(&stage, kind).is_empty(), "{kind} killed after {requests}");
            if !killed {
                break;
            }
        }
    }
}

#[tokio::test]
async fn any_answer_may_be_lost_or_make_no_sense() {
    let posts = [
        "/v2/volumes",
        "/v2/volumes/{volume_id}/actions",
        "/v2/reserved_ips",
        "/v2/reserved_ips/{reserved_ip}/actions",
        "/v2/tags",
    ];
    for path in posts {
        for kind in [FaultKind::DropAfter, FaultKind::Garbage, FaultKind::Html] {
            let stage = stage(Pace::prompt()).await;
            let all = world("fra1", 10);
            converge(&stage, &all[..1]).await;
            stage.world().fault(Disturbance::first("POST", path, kind.clone()));
            for wanted in &all[1..] {
                // What fails is taken up by the next run.
                let _ = stage.run(job(Verb::Create, wanted, None)).await;
            }
            converge(&stage, &all).await;
            check(&stage, &format!("{path} {kind:?}"));
        }
    }
}
