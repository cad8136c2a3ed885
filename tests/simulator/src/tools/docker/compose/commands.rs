//! Commands on a project's containers as they are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::containers::log_line;
use super::super::engine::{Container, Engine, PROJECT, Status};
use super::super::things::remove;
use super::super::{Docker, Failure, Outcome, print, read};
use super::project::Project;
use crate::tools::args::{Parsed, switch, valued};
use crate::tools::{ToolFaults, complain};

/// Between two looks at a log that is followed.
const FOLLOW: Duration = Duration::from_millis(50);

impl Docker<'_> {
    /// Runs `docker compose pull [SERVICE…]`.
    pub(super) fn compose_pull(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--quiet", "-q"]),
                switch(&["--ignore-buildable"]),
                switch(&["--ignore-pull-failures"]),
                switch(&["--include-deps"]),
                valued(&["--policy"]),
            ],
        )?;
        let mut problems = Vec::new();
        for name in project.choose(&parsed.words)? {
            let Some(service) = project.services.get(name) else { continue };
            let here = self.engine(|engine| engine.images.contains(&service.image))?;
            let missing_alone = parsed.value("--policy") == Some("missing");
            if service.builds || service.never_pulled || (here && missing_alone) {
                continue;
            }
            std::thread::sleep(Duration::from_millis(self.faults.slow_pulls));
            match self.engine(|engine| engine.pull(&service.image, &self.faults))? {
                Ok(()) if parsed.has("--quiet") => {}
                Ok(()) => complain(format!(" {name} Pulled")),
                Err(problem) => {
                    complain(format!(" {name} Error {problem}"));
                    problems.push(problem);
                }
            }
        }
        match problems.into_iter().next() {
            Some(problem) if !parsed.has("--ignore-pull-failures") => Err(Failure::engine(problem)),
            _ => Ok(()),
        }
    }

    /// Runs `docker compose build [SERVICE…]`: the image is then there, whatever it would hold.
    pub(super) fn compose_build(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--quiet", "-q"]),
                switch(&["--pull"]),
                switch(&["--no-cache"]),
                valued(&["--build-arg"]),
                valued(&["--progress"]),
            ],
        )?;
        for name in project.choose(&parsed.words)? {
            if let Some(service) = project.services.get(name).filter(|service| service.builds) {
                self.engine(|engine| engine.images.insert(service.image.clone()))?;
                complain(format!(" {}  Built (ipai sandbox, simulated)", service.image));
            }
        }
        Ok(())
    }

    /// Runs `docker compose down`. Volumes stay unless `-v` says otherwise.
    pub(super) fn compose_down(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--remove-orphans"]),
                switch(&["--volumes", "-v"]),
                valued(&["--timeout", "-t"]),
                valued(&["--rmi"]),
            ],
        )?;
        let all = parsed.has("--remove-orphans") || project.files.is_empty();
        self.engine(|engine| {
            engine.containers.retain(|container| {
                let known = all || project.services.contains_key(container.service());
                let gone = container.label(PROJECT) == project.name && known;
                if gone {
                    complain(format!(" Container {}  Removed", container.recipe.name));
                }
                !gone
            });
            take_things(engine, project, "network");
            if parsed.has("--volumes") {
                take_things(engine, project, "volume");
            }
        })
    }

    /// Runs `docker compose rm -f [-s] [SERVICE…]`.
    pub(super) fn compose_rm(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[switch(&["--force", "-f"]), switch(&["--stop", "-s"]), switch(&["--volumes", "-v"])],
        )?;
        self.engine(|engine| {
            check(engine, project, &parsed)?;
            engine.containers.retain(|container| {
                let up = matches!(container.status, Status::Running | Status::Restarting);
                !(fits(container, project, &parsed) && (!up || parsed.has("--stop")))
            });
            Ok(())
        })?
    }

    /// Runs `docker compose stop|start|restart|kill [SERVICE…]`.
    pub(super) fn compose_change(
        &self,
        project: &Project,
        verb: &str,
        arguments: &[String],
    ) -> Outcome {
        let parsed = read(
            arguments,
            &[
                valued(&["--timeout", "-t"]),
                valued(&["--signal", "-s"]),
                switch(&["--no-deps"]),
                switch(&["--wait"]),
                switch(&["--remove-orphans"]),
            ],
        )?;
        let signal = parsed.value("--signal").unwrap_or("SIGKILL");
        self.engine(|engine| {
            check(engine, project, &parsed)?;
            let chosen = engine.containers.iter_mut().filter(|c| fits(c, project, &parsed));
            for container in chosen {
                let up = matches!(container.status, Status::Running | Status::Restarting);
                let word = match verb {
                    "stop" => {
                        container.stop(0);
                        "Stopped"
                    }
                    "kill" => {
                        container.kill(signal);
                        "Killed"
                    }
                    "start" if up => "Running",
                    _ => {
                        container.start(&self.faults);
                        if verb == "start" { "Started" } else { "Restarted" }
                    }
                };
                complain(format!(" Container {}  {word}", container.recipe.name));
            }
            Ok(())
        })?
    }

    /// Runs `docker compose logs [-f] [SERVICE…]`. Following ends when no container runs any more, as with Compose.
    pub(super) fn compose_logs(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--no-color"]),
                switch(&["--no-log-prefix"]),
                switch(&["--follow", "-f"]),
                switch(&["--timestamps", "-t"]),
                valued(&["--tail", "-n"]),
                valued(&["--since"]),
                valued(&["--until"]),
            ],
        )?;
        let tail = parsed.value("--tail").and_then(|text| text.parse::<usize>().ok());
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let logs = ToolFaults::load(self.state)?.logs;
            let running = self.engine(|engine| {
                check(engine, project, &parsed)?;
                let mut running = false;
                for container in engine.containers.iter().filter(|c| fits(c, project, &parsed)) {
                    let said = logs.get(container.service()).cloned();
                    let said = said.unwrap_or_else(|| log_line(container));
                    let lines: Vec<&str> = said.lines().collect();
                    let first = lines.len().saturating_sub(tail.unwrap_or(lines.len()));
                    let from = shown.get(&container.id).copied().unwrap_or(first);
                    for line in lines.iter().skip(from) {
                        print(match parsed.has("--no-log-prefix") {
                            true => format!("{line}\n"),
                            false => format!("{}  | {line}\n", container.recipe.name),
                        });
                    }
                    shown.insert(container.id.clone(), lines.len());
                    running |= container.status == Status::Running;
                }
                Ok::<_, Failure>(running)
            })??;
            if !(parsed.has("--follow") && running) {
                return Ok(());
            }
            std::thread::sleep(FOLLOW);
        }
    }

    /// Runs `docker compose ps [-a] [-q] [--services] [--format json] [SERVICE…]`.
    pub(super) fn compose_ps(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--all", "-a"]),
                switch(&["--quiet", "-q"]),
                switch(&["--services"]),
                switch(&["--no-trunc"]),
                switch(&["--orphans"]),
                valued(&["--format"]),
                valued(&["--status"]),
            ],
        )?;
        let rows = self.engine(|engine| {
            check(engine, project, &parsed)?;
            let mut rows = Vec::new();
            for container in engine.containers.iter_mut().filter(|c| fits(c, project, &parsed)) {
                let wanted = match parsed.value("--status") {
                    Some(status) => container.status.word() == status,
                    None => {
                        parsed.has("--all")
                            || matches!(container.status, Status::Running | Status::Restarting)
                    }
                };
                if wanted {
                    container.look();
                    rows.push(row(container, project, &self.faults));
                }
            }
            Ok::<_, Failure>(rows)
        })??;
        show_rows(&rows, &parsed);
        Ok(())
    }
}

fn show_rows(rows: &[Value], parsed: &Parsed) {
    let column = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    if parsed.value("--format").is_none() && !parsed.has("--quiet") && !parsed.has("--services") {
        print("NAME\tIMAGE\tSERVICE\tSTATUS\n");
    }
    for row in rows {
        print(match parsed.value("--format") {
            _ if parsed.has("--quiet") => format!("{}\n", column(row, "ID")),
            _ if parsed.has("--services") => format!("{}\n", column(row, "Service")),
            Some("json") => format!("{row}\n"),
            _ => {
                let cells = ["Name", "Image", "Service", "Status"].map(|key| column(row, key));
                format!("{}\n", cells.join("\t"))
            }
        });
    }
}

fn row(container: &Container, project: &Project, faults: &crate::tools::ToolFaults) -> Value {
    let labels: Vec<String> =
        container.recipe.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    json!({
        "ID": container.id,
        "Name": container.recipe.name,
        "Image": container.recipe.image,
        "Project": project.name,
        "Service": container.service(),
        "State": container.status.word(),
        "Health": container.health(faults).unwrap_or_default(),
        "ExitCode": container.exit_code,
        "Status": container.summary(faults),
        "CreatedAt": container.created,
        "Labels": labels.join(","),
        "Publishers": [],
    })
}

fn take_things(engine: &mut Engine, project: &Project, noun: &str) {
    let things = if noun == "volume" { &engine.volumes } else { &engine.networks };
    let names: Vec<String> = things
        .iter()
        .filter(|(_, thing)| thing.labels.get(PROJECT) == Some(&project.name))
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        match remove(engine, noun, &name) {
            Ok(()) => complain(format!(" {noun} {name}  Removed")),
            Err(failure) => complain(failure.text),
        }
    }
}

fn fits(container: &Container, project: &Project, parsed: &Parsed) -> bool {
    let named =
        parsed.words.is_empty() || parsed.words.iter().any(|name| name == container.service());
    container.label(PROJECT) == project.name
        && container.label("com.docker.compose.oneoff") != "True"
        && named
}

/// Refuses a name that neither the files nor any container knows.
fn check(engine: &Engine, project: &Project, parsed: &Parsed) -> Outcome {
    let known = |name: &String| {
        project.services.contains_key(name)
            || engine
                .containers
                .iter()
                .any(|c| c.label(PROJECT) == project.name && c.service() == name)
    };
    match parsed.words.iter().find(|name| !known(name)) {
        Some(stranger) => Err(Failure::plain(format!("no such service: {stranger}"))),
        None => Ok(()),
    }
}
