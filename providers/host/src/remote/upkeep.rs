//! Waiting until a project's services are as they should be, outside of a deployment.

use std::collections::BTreeMap;

use ipai_core::{Address, Fault, Outputs, RemoteError};

use super::projects::ComposeProject;
use crate::connections::{Connections, Place, run};
use crate::failure;
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, by_service, judge};
use crate::observe::script::{INSPECT, PRELUDE};
use crate::session::{Command, Part, fill};

const LOOK: &str = r#"command -v docker >/dev/null || { echo 'Docker is not installed' >&2; exit 70; }
ids=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project=@PROJECT@) || exit 71
{ [ -z "$ids" ] || @INSPECT@ $ids 2>/dev/null; } | section containers
echo 'end '
"#;

/// One project on one host, looked at again and again.
pub struct Upkeep<'a> {
    connections: &'a Connections,
    project: &'a ComposeProject,
    place: Place,
}

/// How a project's services are at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Services that are not as they should be, with how they are.
    pub pending: BTreeMap<String, String>,
    /// Those among them that ended in failure and will not come back by themselves.
    pub broken: Vec<String>,
    /// Each container with the time of its last start: another one, or a later time, is a change.
    pub containers: BTreeMap<String, String>,
}

impl<'a> Upkeep<'a> {
    /// Looks at nothing yet.
    ///
    /// # Errors
    /// The host has no address or no pinned key.
    pub fn new(
        connections: &'a Connections,
        project: &'a ComposeProject,
        outputs: &Outputs,
    ) -> Result<Self, RemoteError> {
        let place = connections.place(&project.home, outputs)?;
        Ok(Self { connections, project, place })
    }

    /// The home that it is about.
    #[must_use]
    pub fn home(&self) -> &Address {
        &self.project.home
    }

    /// Looks at the services; only at those that are named, when some are.
    ///
    /// # Errors
    /// The host cannot be reached, or Docker does not answer on it.
    pub async fn look(&self, only: &[&str]) -> Result<Standing, RemoteError> {
        let parts =
            [("INSPECT", Part::Script(INSPECT)), ("PROJECT", Part::Word(&self.project.name))];
        let settings = self.connections.settings();
        let script = format!("{PRELUDE}{}", fill(LOOK, &parts));
        let command = Command::new("look at the project", script, settings.command_limit);
        let link = self.connections.link(self.home());
        let output = run(&mut *link.lock().await, settings, &self.place, &command).await?;
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(RemoteError::new(Fault::Refused, command.name, cause));
        }
        Ok(self.judge(Answer::read(&output.stdout)?.containers(), only))
    }

    fn judge(&self, containers: &[Container], only: &[&str]) -> Standing {
        let found = by_service(containers, &self.project.name);
        let mut standing = Standing::default();
        for (name, service) in &self.project.services {
            let asked = only.is_empty() || only.contains(&name.as_str());
            let Some(wanted) = service.expected.as_deref().filter(|_| asked) else { continue };
            let own = found.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let is = judge(own, wanted, None);
            if is != wanted {
                standing.pending.insert(name.clone(), is);
            }
            if own.iter().any(|container| container.has_failed()) {
                standing.broken.push(name.clone());
            }
            let seen = own.iter().map(|c| (c.id.clone(), c.started.clone()));
            standing.containers.extend(seen);
        }
        standing
    }
}
