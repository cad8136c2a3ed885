//! `docker ps` and the commands that change containers by name.

use serde_json::{Value, json};

use super::super::args::{switch, valued};
use super::super::template::LABELS;
use super::super::{ToolFaults, complain};
use super::engine::{Container, Engine, Status};
use super::{Docker, Failure, Outcome, print, read, show};

impl Docker<'_> {
    /// Runs `docker ps`, the newest container first.
    pub(super) fn ps(&self, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--all", "-a"]),
                switch(&["--quiet", "-q"]),
                switch(&["--no-trunc"]),
                valued(&["--filter", "-f"]),
                valued(&["--format"]),
            ],
        )?;
        let filters: Vec<&str> = parsed.values("--filter").collect();
        let by_status = filters.iter().any(|filter| filter.starts_with("status="));
        let whole = parsed.has("--no-trunc");
        let rows = self.engine(|engine| {
            let mut rows = Vec::new();
            for container in engine.containers.iter_mut().rev() {
                let shown = parsed.has("--all") || by_status || container.status == Status::Running;
                if shown && fits(container, &filters)? {
                    // Who asks for ids alone has not looked at anyone's health.
                    if !parsed.has("--quiet") {
                        container.look();
                    }
                    rows.push(row(container, &self.faults, whole));
                }
            }
            Ok::<_, Failure>(rows)
        })??;
        match parsed.value("--format") {
            _ if parsed.has("--quiet") => {
                rows.iter().for_each(|row| print(format!("{}\n", text(&row["ID"]))));
            }
            Some(format) => rows.iter().try_for_each(|row| show(format, row))?,
            None => {
                print("CONTAINER ID\tIMAGE\tSTATUS\tNAMES\n");
                for row in &rows {
                    let [id, image, status, names] =
                        ["ID", "Image", "Status", "Names"].map(|key| text(&row[key]));
                    print(format!("{id}\t{image}\t{status}\t{names}\n"));
                }
            }
        }
        Ok(())
    }

    /// Runs `docker rm|stop|start|restart|kill NAME…`.
    pub(super) fn change_containers(&self, verb: &str, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--force", "-f"]),
                switch(&["--volumes", "-v"]),
                valued(&["--time", "--timeout", "-t"]),
                valued(&["--signal", "-s"]),
            ],
        )?;
        let force = parsed.has("--force");
        let signal = parsed.value("--signal").unwrap_or("KILL");
        let mut failed = false;
        for name in &parsed.words {
            let done = self.engine(|engine| {
                let Some(at) = engine.find(name) else {
                    return if verb == "rm" && force {
                        Ok(())
                    } else {
                        Err(Failure::engine(format!("No such container: {name}")))
                    };
                };
                change(engine, at, verb, force, signal, &self.faults)
            })?;
            match done {
                Ok(()) => print(format!("{name}\n")),
                Err(failure) => {
                    complain(failure.text);
                    failed = true;
                }
            }
        }
        if failed { Err(Failure::silent(1)) } else { Ok(()) }
    }

    /// Runs `docker logs NAME`.
    pub(super) fn logs(&self, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--timestamps", "-t"]),
                valued(&["--tail", "-n"]),
                valued(&["--since"]),
                valued(&["--until"]),
            ],
        )?;
        let name = parsed.words.first().map_or("", String::as_str);
        let line = self.engine(|engine| {
            let container = &engine.containers[engine.find(name)?];
            let said = self.faults.logs.get(container.service());
            Some(said.cloned().unwrap_or_else(|| log_line(container)))
        })?;
        let line = line.ok_or_else(|| Failure::engine(format!("No such container: {name}")))?;
        print(format!("{line}\n"));
        Ok(())
    }
}

fn change(
    engine: &mut Engine,
    at: usize,
    verb: &str,
    force: bool,
    signal: &str,
    faults: &ToolFaults,
) -> Result<(), Failure> {
    let container = &mut engine.containers[at];
    let up = matches!(container.status, Status::Running | Status::Restarting);
    match verb {
        "rm" if up && !force => {
            let name = &container.recipe.name;
            return Err(Failure::engine(format!(
                "cannot remove container \"/{name}\": container is running: stop the container before removing or force remove"
            )));
        }
        "rm" => drop(engine.containers.remove(at)),
        "stop" => container.stop(0),
        "kill" if !up => {
            let id = &container.id;
            return Err(Failure::engine(format!(
                "cannot kill container: {id}: container {id} is not running"
            )));
        }
        "kill" => container.kill(signal),
        "start" if up => {}
        _ => container.start(faults),
    }
    Ok(())
}

/// What a container's log holds: it never ran, so one line that says so.
pub(super) fn log_line(container: &Container) -> String {
    format!("ipai sandbox: simulated container of {}, nothing runs", container.recipe.image)
}

fn row(container: &Container, faults: &ToolFaults, whole: bool) -> Value {
    let id = if whole { &container.id } else { &container.id[..12] };
    let labels: Vec<String> =
        container.recipe.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    json!({
        "ID": id,
        "Image": container.recipe.image,
        "Names": container.recipe.name,
        "State": container.status.word(),
        "Status": container.summary(faults),
        "CreatedAt": container.created,
        "Labels": labels.join(","),
        LABELS: container.recipe.labels,
    })
}

/// Applies `--filter`s: labels must all fit, as in docker-ps(1).
pub(super) fn fits(container: &Container, filters: &[&str]) -> Result<bool, Failure> {
    for filter in filters {
        let fit = match filter.split_once('=') {
            Some(("label", label)) => label_fits(&container.recipe.labels, label),
            Some(("name", name)) => container.recipe.name.contains(name),
            Some(("status", status)) => container.status.word() == status,
            Some(("id", id)) => container.id.starts_with(id),
            _ => return Err(Failure::engine(format!("invalid filter '{filter}'"))),
        };
        if !fit {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn label_fits(labels: &super::engine::Labels, label: &str) -> bool {
    match label.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|held| held == value),
        None => labels.contains_key(label),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
