//! `docker inspect`: records in the shape of Docker's API.

use serde_json::{Value, json};

use super::super::ToolFaults;
use super::super::args::{switch, valued};
use super::engine::{Container, Engine, Status};
use super::{Docker, Failure, Outcome, print, read, show};

impl Docker<'_> {
    /// Runs `docker inspect NAME…` for containers and images.
    pub(super) fn inspect(&self, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[valued(&["--format", "-f"]), valued(&["--type"]), switch(&["--size", "-s"])],
        )?;
        let (found, missing) = self.engine(|engine| {
            let (mut found, mut missing) = (Vec::new(), Vec::new());
            for name in &parsed.words {
                match engine.find(name) {
                    Some(at) if parsed.value("--type") != Some("image") => {
                        let container = &mut engine.containers[at];
                        container.look();
                        found.push(describe(container, &self.faults));
                    }
                    _ if engine.image(name).is_some() => found.push(describe_image(engine, name)),
                    _ => missing.push(format!("Error: No such object: {name}")),
                }
            }
            (found, missing)
        })?;
        show_all(parsed.value("--format"), found, &missing)
    }

    /// Runs `docker image inspect REFERENCE…`.
    pub(super) fn inspect_images(&self, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[valued(&["--format", "-f"])])?;
        let (found, missing) = self.engine(|engine| {
            let here = |name: &&String| engine.image(name).is_some();
            let (found, missing): (Vec<&String>, Vec<&String>) =
                parsed.words.iter().partition(here);
            let found = found.into_iter().map(|name| describe_image(engine, name));
            (found.collect::<Vec<_>>(), missing)
        })?;
        let missing: Vec<_> = missing
            .iter()
            .map(|name| format!("Error response from daemon: No such image: {name}"))
            .collect();
        show_all(parsed.value("--format"), found, &missing)
    }
}

/// Prints what was found, even when something is missing, as Docker does.
pub(super) fn show_all(format: Option<&str>, found: Vec<Value>, missing: &[String]) -> Outcome {
    match format {
        Some(format) => found.iter().try_for_each(|value| show(format, value))?,
        None => print(format!("{:#}\n", Value::Array(found))),
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::plain(missing.join("\n"))) }
}

fn describe(container: &Container, faults: &ToolFaults) -> Value {
    let recipe = &container.recipe;
    json!({
        "Id": container.id,
        "Created": container.created,
        "Path": "",
        "Args": [],
        "State": state(container, faults),
        "Image": container.image,
        "Name": format!("/{}", recipe.name),
        "RestartCount": container.restarts,
        "Driver": "none (simulated)",
        "HostConfig": {"RestartPolicy": {"Name": recipe.restart, "MaximumRetryCount": 0}},
        "Mounts": recipe.volumes.iter()
            .map(|name| json!({"Type": "volume", "Name": name})).collect::<Vec<_>>(),
        "Config": {
            "Image": recipe.image,
            "Env": recipe.env,
            "Cmd": recipe.command,
            "Labels": recipe.labels,
        },
        "NetworkSettings": {"Networks": recipe.networks.iter()
            .map(|name| (name.clone(), json!({}))).collect::<serde_json::Map<_, _>>()},
    })
}

fn state(container: &Container, faults: &ToolFaults) -> Value {
    let mut state = json!({
        "Status": container.status.word(),
        "Running": matches!(container.status, Status::Running | Status::Restarting),
        "Paused": false,
        "Restarting": container.status == Status::Restarting,
        "OOMKilled": false,
        "Dead": false,
        "Pid": 0,
        "ExitCode": container.exit_code,
        "Error": "",
        "StartedAt": container.started,
        "FinishedAt": container.finished,
    });
    if let Some(health) = container.health(faults) {
        state["Health"] = json!({
            "Status": health,
            "FailingStreak": if health == "unhealthy" { container.looks } else { 0 },
            "Log": log(container, health),
        });
    }
    state
}

fn log(container: &Container, health: &str) -> Value {
    if health == "starting" {
        return json!([]);
    }
    let failed = health == "unhealthy";
    json!([{
        "Start": container.started,
        "End": container.started,
        "ExitCode": u8::from(failed),
        "Output": if failed { "ipai sandbox: made unhealthy by faults.json" } else { "" },
    }])
}

fn describe_image(engine: &Engine, reference: &str) -> Value {
    // A digest that the reference itself names is the only one that is known to be true.
    let digests: Vec<String> = match reference.split_once('@') {
        Some((name, digest)) => vec![format!("{}@{digest}", without_tag(name))],
        None => Vec::new(),
    };
    let id = engine.image(reference).unwrap_or_default();
    let of_it = |name: &&String| engine.image_id(name) == id && !name.contains('@');
    let tags: Vec<&String> = engine.images.iter().filter(of_it).collect();
    json!({
        "Id": id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Os": "linux",
        "Comment": "ipai sandbox (simulated)",
        "Config": {"Labels": null},
    })
}

pub(super) fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}
