//! The stack that ships, on a real host: a container with systemd, cloud-init and Docker, and every service in it.
//!
//! Runs with `IPAI_LAB=1` alone: it needs Docker, builds all images the first time, and takes many minutes. There is memory
//! for one such host at a time, so its stories are told one after the other, each from where the last one ended.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "docker_lab/failures.rs"]
mod failures;
#[path = "docker_lab/lab.rs"]
mod lab;
#[path = "docker_lab/life.rs"]
mod life;
#[path = "docker_lab/rescue.rs"]
mod rescue;

use std::panic::{AssertUnwindSafe, catch_unwind};

use lab::{Lab, build_images, is_there, tell};

type Story = (&'static str, fn(&Lab));

const STORIES: [Story; 11] = [
    ("comes up from nothing and serves its four sites", life::comes_up),
    ("its checks are green from here and on the host", life::checks_are_green),
    ("a workflow of the repository is active, once", life::workflow_is_active_once),
    ("a change of one service restarts that one", life::one_service_restarts),
    ("a reload of Caddy fails no request", life::reload_fails_no_request),
    ("an image that nobody has leaves the old release", failures::unknown_tag),
    ("a broken Caddyfile leaves the old release", failures::broken_caddyfile),
    ("a wrong password returns to the old release", failures::wrong_password),
    ("a service that never gets well is given up", failures::never_healthy),
    ("drift is mended and what is foreign stays", life::drift_and_foreign),
    ("its droplet is lost, and it comes back from a backup", rescue::comes_back_from_nothing),
];

#[test]
fn the_ops_stack_lives_on_a_real_host() {
    if !is_there() {
        return;
    }
    build_images();
    let lab = Lab::new();
    let mut failed = Vec::new();
    let only = std::env::var("IPAI_LAB_STORIES").unwrap_or_default();
    for (number, (name, story)) in STORIES.into_iter().enumerate() {
        // `IPAI_LAB_STORIES=0,10` tells these alone; the first one brings the stack up.
        if !only.is_empty() && !only.split(',').any(|one| one == number.to_string()) {
            continue;
        }
        let start = std::time::Instant::now();
        tell(&format!("story: {name}"));
        // The next one may hold all the same, and getting here takes minutes.
        if catch_unwind(AssertUnwindSafe(|| story(&lab))).is_err() {
            failed.push(name);
        }
        tell(&format!("told: {name}, {} s", start.elapsed().as_secs()));
    }
    assert!(failed.is_empty(), "{failed:?}");
}
