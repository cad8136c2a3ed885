//! Exactly the reviewed plan, or nothing.

use serde_json::{Value, json};

use super::clones::ttl;
use super::forged::{because, forge};
use super::runner::Job;
use super::scene::{MAIN, PULL, Scene};

#[test]
fn the_reviewed_plan_is_refused_once_the_world_moved_and_applied_when_it_was_planned_anew() {
    let Some(scene) = Scene::reviewed() else { return };
    // What others merge elsewhere in the repository is no reason to review again.
    scene.elsewhere();
    scene.drift(20);
    scene.merge(MAIN);
    let before = scene.world.records();
    let refused = Job::new(&scene, MAIN, 2).workflow("apply");
    assert!(refused.summary.contains("Not what was reviewed"), "{}", refused.summary);
    refused.log.expect(4).says("moved since this plan was made").says("not in the reviewed plan");
    assert_eq!(scene.world.records(), before);
    Job::new(&scene, MAIN, 3).workflow("plan").log.expect(0).says("2 to change");
    Job::new(&scene, MAIN, 4).workflow("apply").log.expect(0).says("Apply complete!");
    assert_eq!(scene.world.record("example.com", "AAAA")["ttl"], 300);
    scene.git(&scene.author(), &["pull", "-q", "origin", "main"]);
    scene.by_hand(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    Job::new(&scene, MAIN, 5).workflow("drift").log.expect(0);
}

#[test]
fn what_was_merged_and_never_planned_as_it_is_now_is_not_applied() {
    let Some(scene) = Scene::new() else { return };
    let never = Job::new(&scene, MAIN, 1).workflow("apply");
    never.log.expect(4).says("::error title=Nothing reviewed fits::");
    scene.propose(ttl(300));
    Job::new(&scene, PULL, 2).for_pull_request().workflow("plan").log.expect(0);
    // Pushed after the review.
    scene.propose(ttl(600));
    scene.merge(MAIN);
    let other = Job::new(&scene, MAIN, 3).workflow("apply").log.expect(4);
    other.says("Nothing reviewed fits");
    assert_eq!(scene.world.record("example.com", "AAAA")["ttl"], 1);
}

#[test]
fn an_artifact_of_a_fork_is_no_reviewed_plan() {
    let Some(scene) = Scene::reviewed() else { return };
    scene.forge.kept().artifacts[0]["workflow_run"]["head_repository_id"] = 2.into();
    scene.merge(MAIN);
    Job::new(&scene, MAIN, 2).workflow("apply").log.expect(4).says("Nothing reviewed fits");
}

#[test]
fn a_pipeline_refuses_a_plan_of_a_part_and_one_that_was_made_up_to_replace() {
    let Some(scene) = Scene::reviewed() else { return };
    scene.merge(MAIN);
    let artifact = std::fs::read_dir(scene.folder("artifacts/1")).unwrap().next().unwrap().unwrap();
    let path = artifact.path().join("reviewed.plan");
    let text = std::fs::read_to_string(&path).unwrap();
    let part = |plan: &mut Value| plan["targets"] = json!(["cloudflare.dns_record.apex6"]);
    for forged in [forge(&text, part), forge(&text, because("requested"))] {
        std::fs::write(&path, forged).unwrap();
        let refused = Job::new(&scene, MAIN, 2).workflow("apply");
        refused.log.expect(5).says("Not a plan of the pipeline");
    }
    std::fs::write(&path, text).unwrap();
    Job::new(&scene, MAIN, 3).workflow("apply").log.expect(0);
}

#[test]
fn what_loses_data_waits_for_somebody_who_names_it() {
    let Some(scene) = Scene::new() else { return };
    scene.propose(|text| text.replace("region = \"fra1\"", "region = \"ams3\""));
    let plan = Job::new(&scene, PULL, 1).for_pull_request().workflow("plan");
    assert!(plan.summary.contains("replaces `digitalocean.droplet.web` (holds data)"));
    scene.merge(MAIN);
    let before = scene.world.droplet();
    let refused = Job::new(&scene, MAIN, 2).workflow("apply");
    refused.log.expect(5).says("::error title=Refused::");
    assert_eq!(scene.world.droplet(), before);
    let mut meant = Job::new(&scene, MAIN, 3);
    meant.allow = "digitalocean.droplet.web";
    meant.workflow("apply").log.expect(0).says("Apply complete!");
    assert_ne!(scene.world.droplet(), before);
}

#[test]
fn an_apply_waits_for_another_and_then_goes_on() {
    let Some(scene) = Scene::reviewed() else { return };
    scene.merge(MAIN);
    scene.lock("3s");
    let log = Job::new(&scene, MAIN, 2).workflow("apply").log.expect(0);
    log.says("waiting for the lock").says("Apply complete!");
}
