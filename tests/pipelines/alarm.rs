//! What runs by timer: the alarm for drift, and the drill.

use serde_json::Value;

use super::runner::Job;
use super::scene::{MAIN, Scene};

#[test]
fn the_drift_alarm_is_silent_until_something_drifts_and_does_not_take_an_apply_for_drift() {
    let Some(scene) = Scene::new() else { return };
    let well = Job::new(&scene, MAIN, 1).workflow("drift");
    assert_eq!((&*well.log.expect(0).out, &*well.summary), ("", ""));
    scene.drift(20);
    let alarm = Job::new(&scene, MAIN, 2).workflow("drift");
    assert!(alarm.summary.contains("`cloudflare.dns_record.mail`"), "{}", alarm.summary);
    alarm.log.expect(2).says("::error title=Drift::stacks/ops").says("changed outside of ipai");
    scene.lock("50s");
    Job::new(&scene, MAIN, 3).workflow("drift").log.expect(0);
}

#[test]
fn a_drill_brings_the_backup_up_and_leaves_its_receipt() {
    let Some(scene) = Scene::sandboxed() else { return };
    scene.by_hand(&["backup"]).expect(0);
    let drill = Job::new(&scene, MAIN, 1).workflow("drill");
    drill.log.expect(0).says("Drill passed");
    let receipt = scene.folder("artifacts/1/receipt/receipt.json");
    let receipt: Value = serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap();
    assert!(receipt["sha256"].is_string(), "{receipt}");
}
