//! What the shipped files must and must not say, whatever they do.

use std::process::Command;

use serde_json::Value;

use super::runner::yaml;
use super::scene::{have, script};
use crate::common::{Ran, repository};

const WORKFLOWS: [&str; 4] = ["plan", "apply", "drift", "drill"];

fn workflow(name: &str) -> Value {
    yaml(&format!("docs/ci/github/{name}.yml"))
}

#[test]
fn a_jobs_token_may_do_what_it_must_and_nothing_else() {
    let read = |extra: &str, how: &str| {
        let mut rights = serde_json::json!({"contents": "read"});
        rights[extra] = how.into();
        rights
    };
    let contents = serde_json::json!({"contents": "read"});
    let wanted =
        [read("pull-requests", "write"), read("actions", "read"), contents.clone(), contents];
    for (name, rights) in WORKFLOWS.iter().zip(wanted) {
        assert_eq!(workflow(name)["permissions"], rights, "{name}");
    }
}

/// A secret with a default is empty where a job lacks it, and its plan would empty the live one.
#[test]
fn every_job_brings_what_the_stack_takes_from_the_environment() {
    let stack = std::fs::read_to_string(repository().join("stacks/ops/stack.toml")).unwrap();
    let stack: toml::Table = stack.parse().unwrap();
    let declared = stack["secret"].as_table().unwrap().values();
    let taken: Vec<&str> = declared.filter_map(|secret| secret.get("env")?.as_str()).collect();
    assert!(taken.len() >= 3, "{taken:?}");
    for name in WORKFLOWS {
        let workflow = workflow(name);
        let brought = &workflow["jobs"][name]["steps"][1]["env"];
        for variable in &taken {
            assert_eq!(brought[variable], format!("${{{{ secrets.{variable} }}}}"), "{name}");
        }
    }
}

#[test]
fn what_may_write_is_kept_from_pull_requests_and_only_behind_an_environment() {
    for name in WORKFLOWS {
        let workflow = workflow(name);
        let (name_of, job) = workflow["jobs"].as_object().unwrap().iter().next().unwrap();
        let text = job.to_string();
        let writes = ["secrets.DIGITALOCEAN_TOKEN", "secrets.CLOUDFLARE_API_TOKEN"]
            .iter()
            .any(|s| text.contains(s));
        assert_eq!(writes, job["environment"] == "production", "{name}");
        let triggers: Vec<&String> = workflow["on"].as_object().unwrap().keys().collect();
        // It would run the stranger's stack with our secrets.
        assert!(!triggers.iter().any(|on| *on == "pull_request_target"), "{name}");
        assert!(!(writes && triggers.iter().any(|on| *on == "pull_request")), "{name}");
        assert!(job["timeout-minutes"].is_u64() && name_of == name, "{name}");
    }
}

#[test]
fn an_apply_is_never_dropped_or_cancelled_for_a_newer_one() {
    assert!(workflow("apply")["concurrency"].is_null());
    assert_eq!(yaml("docs/ci/gitlab-ci.yml")["apply"]["interruptible"], false);
    assert_eq!(workflow("plan")["concurrency"]["cancel-in-progress"], true);
}

#[test]
fn the_action_brings_the_sources_that_it_would_build() {
    let action = yaml(".github/actions/ipai/action.yml");
    let step = action["runs"]["steps"][2]["run"].as_str().unwrap();
    assert!(step.contains("cargo install --locked --path \"$GITHUB_ACTION_PATH/../../..\""));
    let root = repository().join(".github/actions/ipai/../../..");
    assert!(root.join("Cargo.lock").exists() && root.join("src/main.rs").exists());
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut source = Command::new(script());
    source.arg("source").arg(root).env("GITHUB_OUTPUT", output.path());
    let ran: Ran = source.env("PATH", "/usr/bin:/bin").output().unwrap().into();
    ran.expect(0);
    let text = std::fs::read_to_string(output.path()).unwrap();
    assert!(text.starts_with("here=false\nkey=ipai-"), "{text}");
}

#[test]
fn a_linter_finds_nothing_in_the_script() {
    if have("shellcheck") {
        let ran: Ran = Command::new("shellcheck").arg(script()).output().unwrap().into();
        ran.expect(0);
    }
}
