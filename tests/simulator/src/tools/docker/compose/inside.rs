//! Commands in containers: there is nothing to run them, so they are answered.

use std::io::{self, IsTerminal, Read};

use super::super::engine::{Engine, Status};
use super::super::{Docker, Failure, Outcome, print};
use super::project::Project;
use super::up::is_of;
use crate::tools::args::{Opt, Parsed, switch, valued};

/// The options of `run` that make sense to a record.
const RUN: [Opt; 21] = [
    switch(&["--rm"]),
    switch(&["-T", "--no-tty", "--no-TTY"]),
    switch(&["--no-deps"]),
    switch(&["--detach", "-d"]),
    switch(&["--build"]),
    switch(&["--quiet", "-q"]),
    switch(&["--quiet-pull"]),
    switch(&["--remove-orphans"]),
    switch(&["--service-ports", "-P"]),
    switch(&["--use-aliases"]),
    switch(&["--interactive", "-i"]),
    valued(&["--entrypoint"]),
    valued(&["--env", "-e"]),
    valued(&["--env-from-file"]),
    valued(&["--label", "-l"]),
    valued(&["--name"]),
    valued(&["--user", "-u"]),
    valued(&["--volume", "-v"]),
    valued(&["--workdir", "-w"]),
    valued(&["--publish", "-p"]),
    valued(&["--pull"]),
];

impl Docker<'_> {
    /// Runs `docker compose exec -T SERVICE COMMAND…`.
    pub(super) fn compose_exec(&self, project: &Project, arguments: &[String]) -> Outcome {
        let known = [
            switch(&["-T", "--no-tty", "--no-TTY"]),
            switch(&["--detach", "-d"]),
            switch(&["--privileged"]),
            switch(&["--interactive", "-i"]),
            valued(&["--env", "-e"]),
            valued(&["--index"]),
            valued(&["--user", "-u"]),
            valued(&["--workdir", "-w"]),
        ];
        let parsed = Parsed::read(arguments, &known, true).map_err(Failure::usage)?;
        let (service, command) = split(&parsed)?;
        let running = self.engine(|engine| running(engine, project, service))?;
        let Some(name) = running else {
            return Err(Failure::plain(format!("service \"{service}\" is not running")));
        };
        self.answer("exec", service, &name, command)
    }

    /// Runs `docker compose run [--rm] SERVICE COMMAND…`.
    pub(super) fn compose_run(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = Parsed::read(arguments, &RUN, true).map_err(Failure::usage)?;
        let (name, command) = split(&parsed)?;
        let Some(service) = project.services.get(name) else {
            return Err(Failure::plain(format!("no such service: {name}")));
        };
        if !parsed.has("--no-deps") && !service.depends_on.is_empty() {
            let mut up: Vec<String> = vec!["-d".to_owned()];
            up.extend(service.depends_on.iter().map(|(dependency, _)| dependency.clone()));
            self.compose_up(project, &up, true)?;
        }
        let mut recipe = service.one_off(project, name);
        recipe.name = parsed.value("--name").map_or(recipe.name, str::to_owned);
        let full = recipe.name.clone();
        self.engine(|engine| {
            if !engine.images.contains(&recipe.image) && !service.builds {
                engine.pull(&recipe.image, &self.faults).map_err(Failure::engine)?;
            }
            engine.images.insert(recipe.image.clone());
            if !parsed.has("--rm") {
                let at = engine.create(recipe);
                engine.containers[at].start(&self.faults);
            }
            Ok::<_, Failure>(())
        })??;
        let mut words: Vec<String> =
            parsed.value("--entrypoint").map(str::to_owned).into_iter().collect();
        words.extend(command.iter().cloned());
        self.answer("run", name, &full, &words)
    }

    /// Reads what the command would have read, then answers as `faults.json` says, or says plainly
    /// that nothing was run.
    pub(in crate::tools::docker) fn answer(
        &self,
        verb: &str,
        service: &str,
        container: &str,
        command: &[String],
    ) -> Outcome {
        let mut input = Vec::new();
        if !io::stdin().is_terminal() {
            // A command that cannot read has read nothing.
            let _ = io::stdin().lock().read_to_end(&mut input);
        }
        let Some(answer) = self.faults.answer(&self.state.join("root"), service, command, &input)
        else {
            let words = command.join(" ");
            let read = input.len();
            print(format!(
                "ipai sandbox: simulated {verb} in {container}, nothing ran: {words} ({read} bytes of input)\n"
            ));
            return Ok(());
        };
        print(&answer.stdout);
        if !answer.stderr.is_empty() {
            crate::tools::complain(&answer.stderr);
        }
        if answer.exit == 0 { Ok(()) } else { Err(Failure::silent(answer.exit)) }
    }
}

fn split(parsed: &Parsed) -> Result<(&str, &[String]), Failure> {
    let (service, command) = parsed
        .words
        .split_first()
        .ok_or_else(|| Failure::usage("requires at least 1 arg(s), only received 0"))?;
    Ok((service, command))
}

fn running(engine: &Engine, project: &Project, service: &str) -> Option<String> {
    let mut found = engine.containers.iter();
    let container = found.find(|c| is_of(c, project, service) && c.status == Status::Running)?;
    Some(container.recipe.name.clone())
}
