//! Looking at hosts: one exec for each, all side by side.

pub(crate) mod answer;
pub(crate) mod containers;
mod recorded;
mod remarks;
pub(crate) mod report;
pub(crate) mod script;
pub(crate) mod services;
pub(crate) mod units;

use std::sync::Arc;

use ipai_core::{
    Address, BoxFuture, Content, DesiredResource, Event, Events, Fault, HomeState, LiveState,
    Observe, Outputs, RemoteError, Scope, StackId, Value,
};
use tracing::Instrument;

use crate::compose::file_path;
use crate::connections::{Connections, Link, Place, is_young, run};
use crate::failure;
use crate::manifest::Manifest;
use crate::session::Command;
use crate::unit;
use answer::Answer;
use report::Report;
use script::{Asked, Question};

pub use recorded::live_state_of;

/// Observes files and Compose projects. Holds no way to change anything.
#[derive(Debug)]
pub struct HostObserver {
    connections: Arc<Connections>,
}

impl HostObserver {
    /// Observes through connections that apply may go on using.
    #[must_use]
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }

    async fn observe_all(
        &self,
        scope: &Scope,
        events: &dyn Events,
    ) -> Result<LiveState, RemoteError> {
        let mut live = LiveState::default();
        let mut looks = Vec::new();
        for home in &scope.wanted_homes {
            let Some(outputs) = scope.homes.get(home) else {
                live.homes.insert(home.clone(), HomeState::Absent);
                continue;
            };
            let look = Look {
                connections: Arc::clone(&self.connections),
                stack: scope.stack.clone(),
                home: home.clone(),
                desired: of_home(&scope.desired, home),
                outputs: outputs.clone(),
            };
            events.event(Event::Progress {
                address: home.clone(),
                text: "looking at the host".into(),
            });
            looks.push(tokio::spawn(look.look().in_current_span()));
        }
        let mut failed = None;
        for look in looks {
            match look.await {
                Ok(Ok(state)) => live.absorb(state),
                Ok(Err(error)) => failed = failed.or(Some(error)),
                Err(error) => {
                    let cause = error.to_string();
                    failed = failed.or(Some(RemoteError::new(
                        Fault::BadAnswer,
                        "look at a host",
                        cause,
                    )));
                }
            }
        }
        failed.map_or(Ok(live), Err)
    }
}

impl Observe for HostObserver {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn lives_in(&self) -> &'static [&'static str] {
        &["digitalocean"]
    }

    fn observe<'a>(
        &'a self,
        scope: &'a Scope,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<LiveState, RemoteError>> {
        Box::pin(self.observe_all(scope, events))
    }
}

fn of_home(desired: &[DesiredResource], home: &Address) -> Vec<DesiredResource> {
    desired.iter().filter(|r| r.home.as_ref() == Some(home)).cloned().collect()
}

/// One look at one host.
struct Look {
    connections: Arc<Connections>,
    stack: StackId,
    home: Address,
    desired: Vec<DesiredResource>,
    outputs: Outputs,
}

impl Look {
    async fn look(self) -> Result<LiveState, RemoteError> {
        if self.outputs.get("status").and_then(Value::as_text) == Some("off") {
            return Ok(self.unseen("is switched off, so what is on it cannot be seen"));
        }
        let place = match self.connections.place(&self.home, &self.outputs) {
            // An earlier run was killed while it was being made.
            Err(_) if is_young(&self.outputs) => return Ok(self.not_ready()),
            place => place?,
        };
        let link = self.connections.link(&self.home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        let question = question(self.stack.as_str(), &self.desired);
        let (script, stdin) = question.script();
        let command = Command::new("look at the host", script, settings.command_limit).stdin(stdin);
        let output = match link.run(settings, &place, &command).await {
            Ok(output) => output,
            Err(error) if place.is_in_the_making(&error) => return Ok(self.not_ready()),
            Err(error) => return Err(self.name(failure::of_session(command.name, &error))),
        };
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(self.name(RemoteError::new(Fault::Refused, command.name, cause)));
        }
        let mut answer = Answer::read(&output.stdout).map_err(|error| self.name(error))?;
        let manifest = Manifest::read(self.stack.as_str(), answer.manifest.as_deref())?;
        if answer.is_booting() && manifest.is_new() {
            return Ok(self.not_ready());
        }
        self.look_at_the_rest(&mut link, &place, &manifest, &mut answer).await?;
        link.ready = !answer.is_booting();
        let report = Report {
            stack: self.stack.as_str(),
            home: &self.home,
            desired: &self.desired,
            manifest: &manifest,
            answer: &answer,
            key: &settings.key,
        };
        let live = report.live().map_err(|error| self.name(error))?;
        link.manifest = Some(manifest);
        Ok(live)
    }

    /// Looks at paths that are ours and no longer wanted. Only the manifest names them, so this is a second question,
    /// and only when there are any.
    async fn look_at_the_rest(
        &self,
        link: &mut Link,
        place: &Place,
        manifest: &Manifest,
        answer: &mut Answer,
    ) -> Result<(), RemoteError> {
        let asked = paths(&self.desired);
        let files = manifest.files.keys().cloned();
        let projects = manifest.projects.values().map(|project| file_path(&project.directory));
        let hashed: Vec<String> =
            files.chain(projects).filter(|path| !asked.contains(path)).collect();
        if hashed.is_empty() {
            return Ok(());
        }
        let settings = self.connections.settings();
        let (script, _) = Question { hashed, ..Question::default() }.script();
        let command =
            Command::new("look at what is no longer wanted", script, settings.command_limit);
        let output = run(link, settings, place, &command).await?;
        let rest = Answer::read(&output.stdout)?;
        answer.stats.extend(rest.stats);
        answer.sums.extend(rest.sums);
        Ok(())
    }

    fn not_ready(&self) -> LiveState {
        self.unseen("is new and still in its first boot")
    }

    /// A host that cannot answer. It stays plannable: a run that was killed between switching it off and what was to
    /// follow has to be taken up again, whether to switch it on, to replace it or to delete it.
    fn unseen(&self, why: &str) -> LiveState {
        let homes = [(self.home.clone(), HomeState::NotReady)].into();
        let notes = vec![format!("{} {why}", self.home)];
        LiveState { homes, notes, ..LiveState::default() }
    }

    /// Says in an error which host it is about.
    fn name(&self, error: RemoteError) -> RemoteError {
        RemoteError { attempted: format!("{} ({})", error.attempted, self.home), ..error }
    }
}

/// The paths that the desired resources occupy.
fn paths(desired: &[DesiredResource]) -> Vec<String> {
    desired.iter().filter_map(path_of).collect()
}

/// The path of a file, of a unit's file, or of a project's YAML.
pub(crate) fn path_of(resource: &DesiredResource) -> Option<String> {
    match resource.address.kind.as_str() {
        "file" => resource.text("path").map(str::to_owned),
        "unit" => resource.text("name").map(unit::path),
        _ => resource.text("directory").map(file_path),
    }
}

/// What to ask a host for these resources.
pub(crate) fn question(stack: &str, desired: &[DesiredResource]) -> Question {
    let mut question = Question { stack: Some(stack.to_owned()), ..Question::default() };
    for resource in desired {
        let Some(path) = path_of(resource) else { continue };
        match content_of(resource) {
            Some(content) if !content.is_sensitive() => {
                question.shown.push((path, content.sha256.clone()));
            }
            _ => question.hashed.push(path),
        }
        if resource.address.kind == "unit" {
            question.units.extend(resource.text("name").map(str::to_owned));
        }
        question.projects.extend(asked(resource));
    }
    question
}

/// A resource's content, when it is known.
pub(crate) fn content_of(resource: &DesiredResource) -> Option<&Content> {
    resource.attributes.get("content").and_then(Value::as_content)
}

fn asked(resource: &DesiredResource) -> Option<Asked> {
    if resource.address.kind != "compose" {
        return None;
    }
    let content = content_of(resource)?;
    Some(Asked {
        project: resource.text("project")?.to_owned(),
        directory: resource.text("directory")?.to_owned(),
        yaml: content.text.as_ref()?.expose().to_owned(),
        sensitive: content.is_sensitive(),
    })
}
