//! The stack that ships, on a real host: a container with systemd, cloud-init and Docker, and every service in it.
//!
//! Runs with `IPAI_LAB=1` alone: it needs Docker, builds all images the first time, and takes many minutes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{Ran, repository};
use ipai_simulator::hosts::docker;
use serde_json::Value;

/// The addresses that people and other programs know, and what shows that the right service answers there.
const SITES: [(&str, &str); 4] = [
    ("https://chat.insightpulseai.com/api/v4/system/ping", "\"status\":\"OK\""),
    ("https://boards.insightpulseai.com/api/v2/ping", "\"version\":\"7.11"),
    ("https://n8n.insightpulseai.com/healthz", "{\"status\":\"ok\"}"),
    ("https://superset.insightpulseai.com/health", "OK"),
];

/// Tells people at once; the test runner would keep what `eprintln` says.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "docker_lab: {text}");
}

/// Tells whether the lab can run; says loudly why not.
fn lab() -> bool {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    if !set("IPAI_LAB") {
        tell("SKIPPED: set IPAI_LAB=1 to run the stack on real containers");
        return false;
    }
    let docker =
        Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if docker.is_ok_and(|status| status.success()) {
        return true;
    }
    let why = "no Docker Engine answers; tests/lab/engine.sh start";
    assert!(!set("CI"), "{why}");
    tell(&format!("SKIPPED: {why}"));
    false
}

/// The sandbox's folder; its containers go with it.
struct Lab {
    scratch: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let removed = self.runtime.block_on(docker::remove_containers(&self.folder()));
        if let Err(error) = removed {
            tell(&format!("containers may be left: {error}"));
        }
    }
}

impl Lab {
    fn folder(&self) -> std::path::PathBuf {
        self.scratch.path().join("sandbox")
    }

    fn ipai(&self, words: &[&str]) -> Ran {
        let start = Instant::now();
        let mut command = common::ipai(self.scratch.path());
        command.arg("-C").arg(repository().join("stacks/ops")).arg("--sandbox=docker").args(words);
        command.env("IPAI_SANDBOX_DIR", self.folder());
        for name in ["IPAI_LAB_CACHE", "XDG_CACHE_HOME", "DOCKER_HOST"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        if let Some(home) = std::env::var_os("HOME") {
            command.env("HOME", home);
        }
        let ran = Ran::from(command.output().unwrap());
        tell(&format!("ipai {}: {} s", words.join(" "), start.elapsed().as_secs()));
        ran
    }

    /// Asks a site by its name at the droplet's address, and trusts nobody but the droplet's own authority.
    fn get(&self, url: &str, address: IpAddr) -> String {
        self.runtime.block_on(async {
            let url = reqwest::Url::parse(url).unwrap();
            let name = url.host_str().unwrap().to_owned();
            let mut builder = reqwest::Client::builder()
                .no_proxy()
                .tls_built_in_root_certs(false)
                .resolve(&name, SocketAddr::new(address, 0));
            for text in docker::authorities(&self.folder()).await.unwrap() {
                for root in reqwest::Certificate::from_pem_bundle(text.as_bytes()).unwrap() {
                    builder = builder.add_root_certificate(root);
                }
            }
            let answer = builder.build().unwrap().get(url).send().await.unwrap();
            answer.error_for_status().unwrap().text().await.unwrap()
        })
    }
}

fn build_images() {
    let start = Instant::now();
    let built = Command::new(repository().join("tests/lab/build.sh"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(built.success(), "tests/lab/build.sh failed");
    tell(&format!("images: {} s", start.elapsed().as_secs()));
}

fn droplet_address(world: &Path) -> IpAddr {
    let world: Value = serde_json::from_slice(&std::fs::read(world).unwrap()).unwrap();
    let droplets = &world["digitalocean"]["droplets"];
    let droplet =
        droplets.as_object().and_then(|all| all.values().next()).or_else(|| droplets.get(0));
    droplet.unwrap()["address"].as_str().unwrap().parse().unwrap()
}

#[test]
fn the_ops_stack_comes_up_from_nothing_on_a_real_host_and_serves_its_four_sites() {
    if !lab() {
        return;
    }
    build_images();
    let lab = Lab {
        scratch: tempfile::tempdir().unwrap(),
        runtime: tokio::runtime::Runtime::new().unwrap(),
    };
    let applied = lab.ipai(&["apply", "--auto-approve"]).expect(0);
    let all = applied.all();
    let told = |line: &&str| line.starts_with("check ") || line.starts_with("Apply complete");
    all.lines().filter(told).for_each(tell);
    lab.ipai(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");

    let address = droplet_address(&lab.folder().join("world.json"));
    for (url, expected) in SITES {
        let body = lab.get(url, address);
        tell(&format!("{url}: {body}"));
        assert!(body.contains(expected), "{url}: {body}");
    }
    // The stack's own checks see the same, and nothing has drifted meanwhile.
    lab.ipai(&["status"]).expect(0).says("ok");
}
