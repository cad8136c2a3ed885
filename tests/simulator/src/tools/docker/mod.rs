//! `docker`: a simulated engine. It keeps containers, images, volumes and networks as records of a
//! JSON file and starts no process. `docker version` and `docker info` say so.
//!
//! What it knows is what ipai uses; anything else is refused by name, never answered wrongly.

mod compose;
mod containers;
mod engine;
mod exec;
mod images;
mod inspect;
mod postgres;
mod run;
mod things;
mod volumes;

use std::path::Path;

use engine::Engine;
use serde_json::{Value, json};

use super::args::{Parsed, valued};
use super::{ToolFaults, complain, print, store, template};

/// How the simulated engine names itself.
const NAME: &str = "ipai sandbox (simulated)";

/// The engine version that it behaves like.
const ENGINE_VERSION: &str = "28.5.0";

/// The Compose version that it behaves like.
const COMPOSE_VERSION: &str = "2.40.0";

/// Why a command failed: what it says and the exit status.
#[derive(Debug)]
struct Failure {
    text: String,
    status: u8,
}

type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure as the engine reports it, exit status 1.
    fn engine(text: impl std::fmt::Display) -> Self {
        Self { text: format!("Error response from daemon: {text}"), status: 1 }
    }

    /// A failure in the words of the client, exit status 1.
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: 1 }
    }

    /// A command line that is wrong: exit status 125, as Docker's CLI has it.
    fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: 125 }
    }

    /// An exit status that needs no words.
    fn silent(status: u8) -> Self {
        Self { text: String::new(), status }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::plain(format!("docker (ipai sandbox, simulated): {error}"))
    }
}

/// One run of the tool: where its state is, and how it misbehaves.
struct Docker<'a> {
    state: &'a Path,
    faults: ToolFaults,
}

/// Runs `docker ARGUMENTS`.
pub(super) fn run(state: &Path, arguments: &[String]) -> u8 {
    let faults = match ToolFaults::load(state) {
        Ok(faults) => faults,
        Err(error) => {
            complain(format!("docker (ipai sandbox, simulated): {error}"));
            return 1;
        }
    };
    if faults.docker_absent {
        complain("sh: 1: docker: not found");
        return 127;
    }
    match (Docker { state, faults }).dispatch(arguments) {
        Ok(()) => 0,
        Err(failure) => {
            if !failure.text.is_empty() {
                complain(failure.text);
            }
            failure.status
        }
    }
}

impl Docker<'_> {
    fn dispatch(&self, arguments: &[String]) -> Outcome {
        let (verb, rest) = arguments.split_first().ok_or_else(|| Failure::usage(HELP))?;
        let noun = rest.first().map(String::as_str);
        match verb.as_str() {
            "compose" if self.faults.compose_absent => Err(Failure::plain(
                "docker: 'compose' is not a docker command.\nSee 'docker --help'",
            )),
            "compose" => self.compose(rest),
            "version" => self.version(rest),
            _ if self.faults.engine_down => Err(engine_is_down()),
            "info" => self.info(rest),
            "ps" => self.ps(rest),
            "container" => self.dispatch(rest),
            "inspect" => self.inspect(rest),
            "rm" | "stop" | "start" | "restart" | "kill" => self.change_containers(verb, rest),
            "exec" => self.exec(rest),
            "logs" => self.logs(rest),
            "pull" => self.pull(rest),
            "run" => self.run_once(rest),
            "tag" => self.tag(rest),
            "images" => self.list_images(rest),
            "image" | "volume" | "network" | "system" if noun.is_some() => {
                self.things(verb, noun.unwrap_or_default(), &rest[1..])
            }
            other => Err(unknown(other)),
        }
    }

    /// Lets `change` work on the engine's records; they are kept whether it succeeds or not, as a
    /// real engine keeps what was done before something failed.
    fn engine<R>(&self, change: impl FnOnce(&mut Engine) -> R) -> Result<R, Failure> {
        let result = store::change(self.state, "docker", |engine: &mut Engine| {
            let result = change(engine);
            volumes::settle(self.state, engine.volumes.keys()).map(|()| result)
        })?;
        Ok(result?)
    }

    fn version(&self, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[valued(&["--format", "-f"])])?;
        let client = json!({"Version": ENGINE_VERSION, "ApiVersion": "1.51", "Os": "linux",
            "Platform": {"Name": NAME}});
        let up = !self.faults.engine_down;
        let server = if up { client.clone() } else { Value::Null };
        let version = json!({"Client": client, "Server": server});
        match parsed.value("--format") {
            Some(format) if up || !format.contains(".Server") => show(format, &version)?,
            Some(_) => {}
            None => {
                print(format!("Client: {NAME}\n Version: {ENGINE_VERSION}\n"));
                if up {
                    print(format!("\nServer: {NAME}\n Engine:\n  Version: {ENGINE_VERSION}\n"));
                }
            }
        }
        if up { Ok(()) } else { Err(engine_is_down()) }
    }

    fn info(&self, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[valued(&["--format", "-f"])])?;
        let info = self.engine(|engine| engine.info())?;
        match parsed.value("--format") {
            Some(format) => show(format, &info),
            None => {
                print(format!(
                    "Client: {NAME}\n\nServer:\n Containers: {}\n  Running: {}\n Images: {}\n \
                     Server Version: {ENGINE_VERSION}\n Operating System: {NAME}\n Name: {NAME}\n",
                    info["Containers"], info["ContainersRunning"], info["Images"],
                ));
                Ok(())
            }
        }
    }
}

const HELP: &str = "docker (ipai sandbox, simulated): no command was given";

fn unknown(command: &str) -> Failure {
    Failure::usage(format!("docker (ipai sandbox, simulated): `docker {command}` is not simulated"))
}

fn engine_is_down() -> Failure {
    Failure::plain(
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    )
}

fn read(arguments: &[String], known: &[super::args::Opt]) -> Result<Parsed, Failure> {
    Parsed::read(arguments, known, false).map_err(Failure::usage)
}

/// Prints `value` through a `--format`, one line.
fn show(format: &str, value: &Value) -> Outcome {
    print(format!("{}\n", template::render(format, value).map_err(Failure::plain)?));
    Ok(())
}
