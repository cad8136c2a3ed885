//! The same at GitLab.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::clones::ttl;
use super::forge::{JOB, PROJECT};
use super::runner::{Environment, filled, yaml};
use super::scene::Scene;
use crate::common::Ran;

/// Does a job's script on a commit as GitLab's runner does: in a shallow clone, by bash.
fn job(scene: &Scene, name: &str, branch: &str, merge_request: bool) -> Ran {
    job_with(scene, name, branch, merge_request, ("IPAI_ENV", ""))
}

/// The same with a variable of its own.
fn job_with(
    scene: &Scene,
    name: &str,
    branch: &str,
    merge_request: bool,
    (variable, value): (&str, &str),
) -> Ran {
    let file = yaml("docs/ci/gitlab-ci.yml");
    let place = TempDir::new().unwrap();
    let url = scene.url();
    scene.git(place.path(), &["clone", "-q", "--depth", "1", "-b", branch, &url, "clone"]);
    let lines = file[name]["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let script = lines.collect::<Vec<_>>().join("\n");
    let mut shell = Command::new("bash");
    shell.args(["-e", "-o", "pipefail", "-c", &script]).current_dir(place.path().join("clone"));
    shell.env_clear().envs(variables(scene)).envs(filled(&file["variables"], &file));
    shell.env(variable, value).envs(merge_request.then_some(("CI_MERGE_REQUEST_IID", "7")));
    shell.stdin(Stdio::null()).output().unwrap().into()
}

fn variables(scene: &Scene) -> Environment {
    let key = std::fs::read_to_string(scene.world.home().join("key")).unwrap();
    let own = [
        ("CI", "true"),
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", &format!("{}/api/v4", scene.forge.url)),
        ("CI_PROJECT_ID", "42"),
        ("CI_JOB_TOKEN", JOB),
        ("CI_JOB_URL", "https://gitlab.example.com/acme/infra/-/jobs/1"),
        ("DIGITALOCEAN_TOKEN", "digitalocean"),
        ("CLOUDFLARE_API_TOKEN", "cloudflare"),
        ("IPAI_COMMENT_TOKEN", PROJECT),
        ("IPAI_SSH_KEY", key.trim_end()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    scene.surroundings().into_iter().chain(own).collect()
}

#[test]
fn at_gitlab_too_one_note_is_kept_and_exactly_the_reviewed_plan_is_applied() {
    let Some(scene) = Scene::new() else { return };
    for seconds in [300, 600] {
        scene.propose(ttl(seconds));
        job(&scene, "plan", "change", true).expect(0).says(&format!("ttl: 1 → {seconds}"));
    }
    let notes = scene.forge.kept().comments.clone();
    let [(author, text)] = &notes[..] else { panic!("{notes:?}") };
    assert!(author == "ipai" && text.contains("600") && text.contains("/-/jobs/1"), "{text}");
    scene.merge("refs/heads/main");
    scene.drift(20);
    job(&scene, "apply", "main", false).expect(4).says("Not what was reviewed: ");
    job(&scene, "drift", "main", false).expect(2).says("Drift: stacks/ops");
    job(&scene, "plan", "main", false).expect(0).says("2 to change");
    job(&scene, "apply", "main", false).expect(0).says("Apply complete!");
    job(&scene, "drift", "main", false).expect(0);
}

#[test]
fn at_gitlab_too_what_nobody_planned_is_not_applied() {
    let Some(scene) = Scene::new() else { return };
    job(&scene, "apply", "main", false).expect(4).says("Nothing reviewed fits");
}

#[test]
fn each_environment_of_a_stack_has_a_plan_and_a_note_of_its_own() {
    let Some(scene) = Scene::new() else { return };
    scene.world.cloud().add_zone("example.org").unwrap();
    let overlay = "[var]\ndomain = \"example.org\"\n[digitalocean.droplet.web]\nname = \"other\"\n";
    std::fs::write(scene.author().join("stacks/ops/stack.staging.toml"), overlay).unwrap();
    scene.propose(ttl(300));
    job(&scene, "plan", "change", true).expect(0).says("1 to change");
    scene.merge("refs/heads/main");
    let staging = ("IPAI_ENV", "staging");
    job_with(&scene, "apply", "main", false, staging).expect(4).says("Nothing reviewed fits");
    job_with(&scene, "plan", "change", true, staging).expect(0).says("to add");
    let kept = scene.forge.kept();
    let plans: Vec<&String> = kept.packages.keys().collect();
    assert!(plans.len() == 2 && plans[1].replace("/r", "-staging/r") == *plans[0], "{plans:?}");
    assert!(kept.comments[1].1.starts_with("<!-- ipai plan: stacks/ops (staging) -->\n"));
}

#[test]
fn without_a_token_for_comments_the_plan_is_kept_and_none_is_written() {
    let Some(scene) = Scene::new() else { return };
    scene.propose(ttl(300));
    job_with(&scene, "plan", "change", true, ("IPAI_COMMENT_TOKEN", "")).expect(0);
    let kept = scene.forge.kept();
    assert_eq!((kept.packages.len(), kept.comments.len()), (1, 0));
}
