//! Snapshots against a simulated DigitalOcean.

use crate::stage::{Stage, droplet, executor, ops, stage, volume};
use ipai_core::snapshot::{Snapshot, Snapshots};
use ipai_core::{DesiredResource, Fault, Value};
use ipai_digitalocean::DigitalOceanSnapshots;
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};
use serde_json::json;

const TIME: i64 = 1_784_111_777;

fn snapshots(stage: &Stage) -> DigitalOceanSnapshots {
    DigitalOceanSnapshots::new(executor(&stage.settings))
}

async fn ready(pace: Pace) -> (Stage, [DesiredResource; 2]) {
    let stage = stage(pace).await;
    let all = [droplet("web", &[]), volume("data", &[("droplet", Value::text(""))])];
    for wanted in &all {
        stage.create(wanted).await;
    }
    (stage, all)
}

async fn take(stage: &Stage, wanted: &DesiredResource) -> Snapshot {
    let live = stage.live(wanted).await;
    snapshots(stage).take(&ops(), &live, TIME, &stage.events).await.unwrap()
}

#[tokio::test]
async fn one_of_each_is_taken_listed_and_deleted() {
    let (stage, all) = ready(Pace::nasty()).await;
    for wanted in &all {
        let taken = take(&stage, wanted).await;
        assert_eq!((&taken.source, taken.ours), (&wanted.address, true));
        let listed = snapshots(&stage).look(&ops(), &[]).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&taken));
        for _ in 0..2 {
            snapshots(&stage).delete(&ops(), &taken).await.unwrap();
        }
        assert!(snapshots(&stage).look(&ops(), &[]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_lost_answer_takes_one_snapshot() {
    let paths = ["/v2/droplets/{droplet_id}/actions", "/v2/volumes/{volume_id}/snapshots"];
    for kind in [FaultKind::DropAfter, FaultKind::DropBefore, FaultKind::Garbage] {
        let (stage, all) = ready(Pace::prompt()).await;
        for (wanted, path) in all.iter().zip(paths) {
            stage.world().fault(Disturbance::first("POST", path, kind.clone()));
            take(&stage, wanted).await;
        }
        let found = snapshots(&stage).look(&ops(), &[]).await.unwrap();
        assert_eq!(found.len(), 2, "{kind:?}: {found:?}");
    }
}

#[tokio::test]
async fn what_others_took_of_ours_is_shown_and_never_deleted() {
    let (stage, all) = ready(Pace::prompt()).await;
    let live = stage.live(&all[1]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v2/volumes/{}/snapshots", stage.simulator.digitalocean_url, live.id);
    let body = json!({"name": "by-hand"});
    http.post(url).bearer_auth("t").json(&body).send().await.unwrap();
    assert!(snapshots(&stage).look(&ops(), &[]).await.unwrap().is_empty());
    let found = snapshots(&stage).look(&ops(), &[live]).await.unwrap();
    let [theirs] = &found[..] else { panic!("{found:?}") };
    assert!(!theirs.ours && theirs.source == all[1].address);
    let error = snapshots(&stage).delete(&ops(), theirs).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert_eq!(stage.count("DELETE", "/v2/snapshots/{snapshot_id}"), 0);
}
