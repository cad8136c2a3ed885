//! `docker exec`: PostgreSQL's programs work on records of the container's volume, others are answered.

use std::io::{self, Read};

use super::super::args::{Parsed, switch, valued};
use super::engine::Status;
use super::postgres::{self, Place};
use super::{Docker, Failure, Outcome, volumes};

impl Docker<'_> {
    /// Runs `docker exec [-i] CONTAINER COMMAND…`.
    pub(super) fn exec(&self, arguments: &[String]) -> Outcome {
        let known = [
            switch(&["--interactive", "-i"]),
            switch(&["--tty", "-t"]),
            switch(&["--detach", "-d"]),
            valued(&["--user", "-u"]),
            valued(&["--env", "-e"]),
            valued(&["--workdir", "-w"]),
        ];
        let parsed = Parsed::read(arguments, &known, true).map_err(Failure::usage)?;
        let (name, command) =
            parsed.words.split_first().filter(|(_, command)| !command.is_empty()).ok_or_else(
                || Failure::plain("docker: 'docker exec' requires at least 2 arguments"),
            )?;
        let (full, service, place) = self.engine(|engine| {
            let missing = || Failure::engine(format!("No such container: {name}"));
            let container = &engine.containers[engine.find(name).ok_or_else(missing)?];
            if container.status != Status::Running {
                let id = &container.id;
                return Err(Failure::engine(format!("container {id} is not running")));
            }
            let recipe = &container.recipe;
            let folder = match recipe.volumes.first() {
                Some(volume) => volumes::mountpoint(self.state, volume),
                None => self.state.join("containers").join(&container.id),
            };
            let databases = recipe.env.iter().filter_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                (key.ends_with("_DB") && !value.is_empty()).then(|| value.to_owned())
            });
            let place = Place { folder, databases: databases.collect() };
            Ok((recipe.name.clone(), container.service().to_owned(), place))
        })??;
        if !postgres::knows(&command[0]) || self.faults.mentions(&service, command) {
            return self.answer("exec", &service, &full, command);
        }
        let mut input = Vec::new();
        if parsed.has("--interactive") {
            io::stdin().lock().read_to_end(&mut input)?;
        }
        postgres::run(&place, command, &input)
    }
}
