//! `docker compose`: the model is read as Compose reads it, the containers are records.
//!
//! Follows the Compose specification (<https://github.com/compose-spec/compose-spec>) and the
//! messages of Compose 2.40 for the mistakes that stacks make.

mod commands;
mod config;
mod dotenv;
mod inside;
mod interpolate;
mod merge;
mod project;
mod resolve;
mod service;
mod up;
mod validate;

use super::{COMPOSE_VERSION, Docker, Failure, Outcome, engine_is_down, print, read, unknown};
use crate::tools::args::{Opt, Parsed, switch, valued};
use crate::tools::template;
use project::Project;

const GLOBAL: [Opt; 9] = [
    valued(&["--project-name", "-p"]),
    valued(&["--project-directory"]),
    valued(&["--file", "-f"]),
    valued(&["--env-file"]),
    valued(&["--profile"]),
    valued(&["--progress"]),
    valued(&["--ansi"]),
    valued(&["--parallel"]),
    switch(&["--compatibility"]),
];

impl Docker<'_> {
    /// Runs `docker compose [OPTIONS] COMMAND …`.
    pub(super) fn compose(&self, arguments: &[String]) -> Outcome {
        let global = Parsed::read(arguments, &GLOBAL, true).map_err(Failure::usage)?;
        let (command, rest) = global
            .words
            .split_first()
            .ok_or_else(|| Failure::usage("docker compose (ipai sandbox): no command was given"))?;
        match command.as_str() {
            "version" => return compose_version(rest),
            "config" | "convert" => return self.compose_config(&Project::load(&global)?, rest),
            _ if self.faults.engine_down => return Err(engine_is_down()),
            _ => {}
        }
        match command.as_str() {
            "pull" => self.compose_pull(&Project::load(&global)?, rest),
            "build" => self.compose_build(&Project::load(&global)?, rest),
            "up" => self.compose_up(&Project::load(&global)?, rest, true),
            "create" => self.compose_up(&Project::load(&global)?, rest, false),
            "run" => self.compose_run(&Project::load(&global)?, rest),
            "exec" => self.compose_exec(&Project::load_or_bare(&global)?, rest),
            "down" => self.compose_down(&Project::load_or_bare(&global)?, rest),
            "rm" => self.compose_rm(&Project::load_or_bare(&global)?, rest),
            "stop" | "start" | "restart" | "kill" => {
                self.compose_change(&Project::load_or_bare(&global)?, command, rest)
            }
            "ps" => self.compose_ps(&Project::load_or_bare(&global)?, rest),
            "logs" => self.compose_logs(&Project::load_or_bare(&global)?, rest),
            other => Err(unknown(&format!("compose {other}"))),
        }
    }
}

fn compose_version(arguments: &[String]) -> Outcome {
    let parsed = read(arguments, &[switch(&["--short"]), valued(&["--format", "-f"])])?;
    let version = serde_json::json!({"version": format!("v{COMPOSE_VERSION}")});
    match parsed.value("--format") {
        Some("json") => {
            print(format!("{}\n", template::render("json", &version).map_err(Failure::plain)?));
        }
        _ if parsed.has("--short") => print(format!("{COMPOSE_VERSION}\n")),
        _ => print(format!("Docker Compose version v{COMPOSE_VERSION}\n")),
    }
    Ok(())
}
