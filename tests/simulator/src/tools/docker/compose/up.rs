//! `docker compose up`: containers become what the model says, in the order of dependencies.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::engine::{Container, Engine, HASH, Labels, PROJECT, Status, Thing};
use super::super::{Docker, Failure, Outcome, read};
use super::project::Project;
use super::service::{Condition, Service};
use crate::tools::args::{Parsed, switch, valued};
use crate::tools::{ToolFaults, clock, complain};

/// How often a container is looked at before waiting is given up.
const PATIENCE: u32 = 1000;

impl Docker<'_> {
    /// Runs `docker compose up -d` and, when nothing is to be started, `create`.
    pub(super) fn compose_up(
        &self,
        project: &Project,
        arguments: &[String],
        start: bool,
    ) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--detach", "-d"]),
                switch(&["--no-deps"]),
                switch(&["--force-recreate"]),
                switch(&["--no-recreate"]),
                switch(&["--remove-orphans"]),
                switch(&["--no-start"]),
                switch(&["--no-build"]),
                switch(&["--build"]),
                switch(&["--quiet-pull"]),
                switch(&["--wait"]),
                switch(&["--yes", "-y"]),
                valued(&["--wait-timeout"]),
                valued(&["--timeout", "-t"]),
                valued(&["--pull"]),
            ],
        )?;
        let start = start && !parsed.has("--no-start");
        if start && !parsed.has("--detach") && !parsed.has("--wait") {
            return Err(Failure::usage(
                "docker compose up (ipai sandbox, simulated): runs detached only, use -d",
            ));
        }
        let chosen = project.choose(&parsed.words)?;
        let names = project.in_order(&chosen, !parsed.has("--no-deps"));
        self.engine(|engine| {
            Up { engine, faults: &self.faults, project, options: &parsed, start }
                .run(&names, &chosen)
        })?
    }
}

impl Project {
    /// Names services with the dependencies they have before them.
    pub(super) fn in_order<'a>(
        &'a self,
        chosen: &[&'a str],
        with_dependencies: bool,
    ) -> Vec<&'a str> {
        let mut ordered = Vec::new();
        for name in chosen {
            self.visit(name, with_dependencies, chosen, &mut ordered);
        }
        ordered
    }

    // Ends because `check_dependencies` found no circle.
    fn visit<'a>(&'a self, name: &'a str, deep: bool, chosen: &[&'a str], into: &mut Vec<&'a str>) {
        let Some(service) = self.services.get(name) else { return };
        if into.contains(&name) {
            return;
        }
        for (dependency, _) in &service.depends_on {
            if deep || chosen.contains(&dependency.as_str()) {
                self.visit(dependency, deep, chosen, into);
            }
        }
        if !into.contains(&name) {
            into.push(name);
        }
    }
}

/// One run of `up`.
struct Up<'a> {
    engine: &'a mut Engine,
    faults: &'a ToolFaults,
    project: &'a Project,
    options: &'a Parsed,
    start: bool,
}

impl Up<'_> {
    fn run(&mut self, names: &[&str], chosen: &[&str]) -> Outcome {
        for name in names {
            self.image(name)?;
        }
        self.things(names)?;
        self.orphans();
        for name in names {
            self.converge(name);
        }
        let started = if self.start { names } else { &[] };
        for name in started {
            if !self.options.has("--no-deps") {
                self.dependencies(name)?;
            }
            self.start(name);
        }
        if self.options.has("--wait") {
            self.wait(names, chosen)?;
        }
        Ok(())
    }

    fn service(&self, name: &str) -> Result<&Service, Failure> {
        let service = self.project.services.get(name);
        service.ok_or_else(|| Failure::plain(format!("no such service: {name}")))
    }

    fn image(&mut self, name: &str) -> Outcome {
        let service = self.service(name)?;
        let (image, builds, never) = (service.image.clone(), service.builds, service.never_pulled);
        let pull_again = self.options.value("--pull") == Some("always") && !builds;
        if self.engine.images.contains(&image) && !pull_again {
            return Ok(());
        }
        if builds {
            complain(format!(" {image}  Built"));
            self.engine.images.insert(image);
        } else if never || self.options.value("--pull") == Some("never") {
            return Err(Failure::engine(format!("No such image: {image}")));
        } else {
            self.engine.pull(&image, self.faults).map_err(Failure::engine)?;
            complain(format!(" {name} Pulled"));
        }
        Ok(())
    }

    fn things(&mut self, names: &[&str]) -> Outcome {
        for kind in ["network", "volume"] {
            let mut used = BTreeSet::new();
            for name in names {
                let service = self.service(name)?;
                let list = if kind == "network" { service.networks() } else { service.volumes() };
                used.extend(list.iter().cloned());
            }
            used.iter().try_for_each(|thing| self.thing(kind, thing))?;
        }
        Ok(())
    }

    fn thing(&mut self, kind: &str, name: &str) -> Outcome {
        let declared = self.project.model.get(&format!("{kind}s")).and_then(Value::as_object);
        let entry = declared
            .into_iter()
            .flatten()
            .find(|(_, thing)| thing.get("name").and_then(Value::as_str) == Some(name));
        let external = entry.is_some_and(|(_, t)| t.get("external") == Some(&Value::Bool(true)));
        let held =
            if kind == "network" { &mut self.engine.networks } else { &mut self.engine.volumes };
        if held.contains_key(name) {
            return Ok(());
        }
        if external && kind == "network" {
            return Err(Failure::plain(format!(
                "network {name} declared as external, but could not be found"
            )));
        }
        if external {
            return Err(Failure::plain(format!("external volume \"{name}\" not found")));
        }
        let mut labels: Labels =
            super::service::labels(entry.and_then(|(_, thing)| thing.get("labels")));
        labels.insert(PROJECT.to_owned(), self.project.name.clone());
        let key = entry.map_or(name, |(key, _)| key.as_str());
        labels.insert(format!("com.docker.compose.{kind}"), key.to_owned());
        held.insert(name.to_owned(), Thing { created: clock::now(), labels });
        let word = if kind == "network" { "Network" } else { "Volume" };
        complain(format!(" {word} {name}  Created"));
        Ok(())
    }

    fn orphans(&mut self) {
        let project = self.project;
        let orphan = |container: &Container| {
            let service = container.service();
            container.label(PROJECT) == project.name
                && container.label("com.docker.compose.oneoff") != "True"
                && !project.services.contains_key(service)
                && !project.disabled.iter().any(|name| name == service)
        };
        let names: Vec<String> = self
            .engine
            .containers
            .iter()
            .filter(|c| orphan(c))
            .map(|c| c.recipe.name.clone())
            .collect();
        if names.is_empty() {
            return;
        }
        if self.options.has("--remove-orphans") {
            self.engine.containers.retain(|container| !orphan(container));
            names.iter().for_each(|name| complain(format!(" Container {name}  Removed")));
        } else {
            let list = names.join(" ");
            complain(format!(
                "level=warning msg=\"Found orphan containers ([{list}]) for this project. If you \
                 removed or renamed this service in your compose file, you can run this command \
                 with the --remove-orphans flag to clean it up.\""
            ));
        }
    }

    /// Makes the containers of one service what they should be. Nothing is started yet: Compose
    /// makes all containers of a project before it starts the first.
    fn converge(&mut self, name: &str) {
        let project = self.project;
        let Some(service) = project.services.get(name) else { return };
        for number in 1..=service.replicas {
            let recipe = service.recipe(project, name, number);
            let full = recipe.name.clone();
            match self.place(name, number) {
                None => {
                    complain(format!(" Container {full}  Created"));
                    self.engine.create(recipe);
                }
                Some(at) if self.is_stale(at, service) => {
                    self.engine.containers.remove(at);
                    complain(format!(" Container {full}  Recreated"));
                    self.engine.create(recipe);
                }
                Some(_) => {}
            }
        }
        self.engine.containers.retain(|container| {
            !is_of(container, project, name) || number_of(container) <= service.replicas
        });
    }

    /// Starts the containers of one service that do not run.
    fn start(&mut self, name: &str) {
        for container in of(self.engine, self.project, name) {
            let full = container.recipe.name.clone();
            if container.status == Status::Running {
                complain(format!(" Container {full}  Running"));
            } else {
                container.start(self.faults);
                complain(format!(" Container {full}  Started"));
            }
        }
    }

    fn place(&self, service: &str, number: u64) -> Option<usize> {
        self.engine.containers.iter().position(|container| {
            is_of(container, self.project, service) && number_of(container) == number
        })
    }

    fn is_stale(&self, at: usize, service: &Service) -> bool {
        if self.options.has("--no-recreate") {
            return false;
        }
        let container = &self.engine.containers[at];
        self.options.has("--force-recreate")
            || container.label(HASH) != service.hash
            || container.image != self.engine.image_id(&service.image)
    }

    /// Waits for what a service depends on.
    fn dependencies(&mut self, name: &str) -> Outcome {
        let conditions = self.service(name)?.depends_on.clone();
        for (dependency, condition) in conditions {
            for container in of(self.engine, self.project, &dependency) {
                let full = container.recipe.name.clone();
                match condition {
                    Condition::Started => {}
                    Condition::Healthy => {
                        await_health(container, self.faults).map_err(|problem| {
                            Failure::plain(format!("dependency failed to start: {problem}"))
                        })?
                    }
                    Condition::Completed if container.exit_code != 0 => {
                        return Err(Failure::plain(format!(
                            "service \"{dependency}\" didn't complete successfully: exit {}",
                            container.exit_code
                        )));
                    }
                    Condition::Completed => complain(format!(" Container {full}  Exited")),
                }
            }
        }
        Ok(())
    }

    /// `--wait`: everything is running or healthy. A container that ended is a failure, unless a
    /// service waits for its success.
    fn wait(&mut self, names: &[&str], chosen: &[&str]) -> Outcome {
        let project = self.project;
        let awaited = |name: &str| {
            names.iter().filter_map(|other| project.services.get(*other)).any(|service| {
                service.depends_on.iter().any(|(n, c)| n == name && *c == Condition::Completed)
            })
        };
        for name in names.iter().filter(|name| chosen.contains(name) || !awaited(name)) {
            for container in of(self.engine, project, name) {
                let ended = container.status == Status::Exited;
                if ended && container.exit_code == 0 && awaited(name) {
                    continue;
                }
                await_health(container, self.faults).map_err(Failure::plain)?;
                complain(format!(" Container {}  Healthy", container.recipe.name));
            }
        }
        Ok(())
    }
}

fn await_health(container: &mut Container, faults: &ToolFaults) -> Result<(), String> {
    let name = container.recipe.name.clone();
    for _ in 0..PATIENCE {
        container.look();
        match (container.status, container.health(faults)) {
            (Status::Exited, _) => {
                return Err(format!("container {name} exited ({})", container.exit_code));
            }
            (Status::Restarting, None) => {
                return Err(format!("container {name} exited ({})", container.exit_code));
            }
            (_, Some("unhealthy")) => return Err(format!("container {name} is unhealthy")),
            (Status::Running, None | Some("healthy")) => return Ok(()),
            _ => {}
        }
    }
    Err(format!("container {name} is not healthy after {PATIENCE} looks"))
}

fn of<'a>(
    engine: &'a mut Engine,
    project: &Project,
    service: &str,
) -> impl Iterator<Item = &'a mut Container> {
    engine.containers.iter_mut().filter(move |container| is_of(container, project, service))
}

/// Tells whether a container is one of a service's own, not a `run`.
pub(super) fn is_of(container: &Container, project: &Project, service: &str) -> bool {
    container.label(PROJECT) == project.name
        && container.service() == service
        && container.label("com.docker.compose.oneoff") != "True"
}

fn number_of(container: &Container) -> u64 {
    container.label("com.docker.compose.container-number").parse().unwrap_or(0)
}
