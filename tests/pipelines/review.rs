//! What a pull request is shown.

use std::path::{Path, PathBuf};

use super::clones::ttl;
use serde_json::json;

use super::forge::JOB;
use super::runner::Job;
use super::scene::{PULL, Scene};
use crate::common::CANARY;

#[test]
fn a_pull_request_has_one_comment_that_is_kept_up_to_date_by_tokens_that_only_read() {
    let Some(scene) = Scene::new() else { return };
    scene.world.cloud().clear_log();
    scene.propose(ttl(300));
    let first = Job::new(&scene, PULL, 1).for_pull_request().workflow("plan");
    first.log.expect(0).says("ttl: 1 → 300").keeps_quiet_about(CANARY);
    scene.propose(ttl(600));
    let second = Job::new(&scene, PULL, 2).for_pull_request().workflow("plan");
    assert!(second.summary.contains("1 to change"), "{}", second.summary);
    second.log.expect(0).says("ttl: 1 → 600");
    let ours = scene.forge.ours();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].contains("ttl: 600") && !ours[0].contains("300"), "{}", ours[0]);
    assert_eq!(scene.forge.kept().writes.len(), 2);
    assert!(scene.world.cloud().log().iter().all(|exchange| exchange.method == "GET"));
}

#[test]
fn a_commit_that_cannot_be_planned_takes_the_old_plan_out_of_the_comment() {
    let Some(scene) = Scene::reviewed() else { return };
    scene.propose(|text| text.replace("region = \"fra1\"", "regoin = \"fra1\""));
    let failed = Job::new(&scene, PULL, 2).for_pull_request().workflow("plan");
    let log = failed.log.expect(1).says("did you mean `region`?");
    log.says("::error file=stacks/ops/stack.toml,line=");
    let ours = scene.forge.ours();
    assert!(ours.len() == 1 && ours[0].contains("There is no plan for this commit"), "{ours:?}");
    assert!(!ours[0].contains("ttl"), "{ours:?}");
    assert_eq!(scene.forge.kept().artifacts.len(), 1);
}

#[test]
fn what_stands_in_the_way_is_shown_and_nothing_is_for_review() {
    let Some(scene) = Scene::new() else { return };
    let foreign = json!({"type": "A", "name": "new.example.com", "content": "203.0.113.9"});
    scene.world.cloud().add_foreign_record("example.com", foreign).unwrap();
    let record = "zone = \"example.com\"\nname = \"new\"\ntype = \"A\"\ncontent = \"203.0.113.9\"";
    scene.propose(|text| format!("{text}\n[cloudflare.dns_record.new]\n{record}\n"));
    Job::new(&scene, PULL, 1).for_pull_request().workflow("plan").log.expect(5);
    assert!(scene.forge.ours()[0].contains("in the way: A new.example.com"));
    assert_eq!(scene.forge.kept().artifacts.len(), 0);
}

#[test]
fn where_the_comment_cannot_be_written_nothing_is_for_review() {
    let Some(scene) = Scene::new() else { return };
    scene.propose(ttl(300));
    scene.forge.kept().refuses = true;
    let ended = Job::new(&scene, PULL, 1).for_pull_request().workflow("plan");
    assert_ne!(ended.log.says("403").code, 0);
    assert_eq!(scene.forge.kept().artifacts.len(), 0);
}

#[test]
fn a_comment_of_somebody_else_is_left_alone_and_ours_is_found_behind_a_hundred() {
    let Some(scene) = Scene::new() else { return };
    scene.propose(ttl(300));
    let spoof = ("somebody".to_owned(), "<!-- ipai plan: stacks/ops -->\nNo changes.".to_owned());
    scene.forge.kept().comments.push(spoof.clone());
    let remarks = (0..120).map(|n| ("talker".to_owned(), format!("remark {n}")));
    scene.forge.kept().comments.extend(remarks);
    for run in 1..=2 {
        Job::new(&scene, PULL, run).for_pull_request().workflow("plan").log.expect(0);
    }
    assert_eq!(scene.forge.ours().len(), 1);
    assert_eq!(scene.forge.kept().comments[0], spoof);
    let writes = scene.forge.kept().writes.clone();
    let [first, second] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!(first, "POST /repos/acme/infra/issues/7/comments");
    assert_eq!(second, "PATCH /repos/acme/infra/issues/comments/121");
}

/// A secret that nobody has made, and what needs it.
const FRESH: &str = r#"
[secret.fresh]
generate = "hex"
[host.file.fresh]
host = "digitalocean.droplet.web"
path = "/opt/ipai/shop/fresh"
content = "{{ secret.fresh }}"
"#;

#[test]
fn a_stack_whose_secrets_a_runner_would_make_is_not_for_review() {
    let Some(scene) = Scene::new() else { return };
    scene.propose(|text| format!("{text}{FRESH}"));
    let plan = Job::new(&scene, PULL, 1).for_pull_request().workflow("plan");
    plan.log.expect(1).says("secret.fresh would be made on a runner and lost with it");
    assert!(scene.forge.ours()[0].contains("Run ipai secrets generate"));
    assert_eq!(scene.forge.kept().artifacts.len(), 0);
}

#[test]
fn nothing_that_lets_anybody_in_stays_in_a_runners_folders() {
    let Some(scene) = Scene::new() else { return };
    scene.propose(ttl(300));
    let ended = Job::new(&scene, PULL, 1).for_pull_request().workflow("plan");
    let key = std::fs::read_to_string(scene.world.home().join("key")).unwrap();
    let key = key.lines().nth(1).unwrap();
    let files = files_below(ended.place.path());
    assert!(files.len() > 10);
    for (path, text) in files {
        for secret in [key, JOB, "readonly-digitalocean", CANARY] {
            assert!(!text.contains(secret), "{}", path.display());
        }
    }
    ended.log.expect(0);
}

fn files_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}
