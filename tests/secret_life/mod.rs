//! The stack that ships on a simulated cloud in this process, with real tokens' place taken by markers: what the tests of
//! secrets share.

#![allow(dead_code, clippy::unwrap_used, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::{Ran, World, copy_folder, repository};

/// The services that stay up.
pub const SERVICES: [&str; 7] =
    ["postgres", "mattermost", "focalboard", "n8n", "n8n-runners", "superset", "caddy"];

/// The stack `ops` instead of `shop`, with an age identity and a secret file of its own.
pub fn ops() -> World {
    let world = World::new();
    std::fs::remove_dir_all(world.stack()).unwrap();
    copy_folder(&repository().join("stacks/ops"), &world.stack());
    let key = std::fs::read_to_string(world.home().join("key")).unwrap();
    let public = ssh_key::PrivateKey::from_openssh(&key).unwrap().public_key().to_openssh();
    world.write("authorized_keys", &format!("{}\n", public.unwrap()));
    world.edit("stack.toml", "\"insightpulseai.com\"", "\"example.com\"");
    // The simulated containers serve no pages.
    let text = world.read("stack.toml");
    let (text, _) = text.split_once("# ── Health, as the operator sees it").unwrap();
    world.write("stack.toml", text);
    world.run(&["secrets", "init"]).expect(0);
    world
}

/// Runs the program with this on its standard input.
pub fn fed(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// The value of a secret.
pub fn secret(world: &World, name: &str) -> String {
    world.run(&["secrets", "get", name, "--reveal"]).expect(0).out.trim_end().to_owned()
}

/// Each lasting service's container: its id, and when it was started.
pub fn containers(world: &World) -> BTreeMap<&'static str, (String, String)> {
    SERVICES.into_iter().map(|service| (service, world.container(service))).collect()
}
