//! Waiting until a project's services are as they should be, outside of a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use ipai_core::{Address, Fault, Outputs, RemoteError};
use tokio::time::{Instant, sleep};

use super::projects::ComposeProject;
use crate::connections::{Connections, Place, run};
use crate::failure;
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, by_service, judge};
use crate::observe::script::{END, INSPECT, PRELUDE};
use crate::ready::pause;
use crate::session::{Command, Part, fill};

const LOOK: &str = r#"command -v docker >/dev/null || { echo 'Docker is not installed' >&2; exit 70; }
ids=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project=@PROJECT@) || exit 71
echo @containers; [ -z "$ids" ] || @INSPECT@ $ids 2>/dev/null
@NAMES@
"#;

/// One project on one host, looked at again and again.
pub struct Upkeep<'a> {
    connections: &'a Connections,
    project: &'a ComposeProject,
    place: Place,
    /// The services that the file on the host has; what the stack added since is not waited for.
    there: OnceLock<BTreeSet<String>>,
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
    /// Every container of the project, by service and name.
    pub seen: Vec<Seen>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The service.
    pub service: String,
    /// The container's name.
    pub name: String,
    /// How it is, in one word or two.
    pub word: String,
    /// When it was last started, in RFC 3339.
    pub started: String,
}

impl Standing {
    fn words(&self) -> String {
        let words = self.pending.iter().map(|(name, word)| format!("{name} ({word})"));
        words.collect::<Vec<_>>().join(", ")
    }
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
        Ok(Self { connections, project, place, there: OnceLock::new() })
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
        let names = match self.there.get() {
            Some(_) => ":".to_owned(),
            None => format!("echo @services; {}", self.project.names()),
        };
        let parts = [
            ("INSPECT", Part::Script(INSPECT)),
            ("PROJECT", Part::Word(&self.project.name)),
            ("NAMES", Part::Script(&names)),
        ];
        let settings = self.connections.settings();
        let script = format!("{PRELUDE}{}{END}", fill(LOOK, &parts));
        let command = Command::new("look at the project", script, settings.command_limit);
        let link = self.connections.link(self.home());
        let output = run(&mut *link.lock().await, settings, &self.place, &command).await?;
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(RemoteError::new(Fault::Refused, command.name, cause));
        }
        let answer = Answer::read(&output.stdout)?;
        self.there.get_or_init(|| answer.word("services").lines().map(str::to_owned).collect());
        Ok(self.judge(answer.containers(), only))
    }

    /// Looks until everything is as it should be, for as long as the project's timeout allows. `news` is told what is
    /// waited for whenever that changes.
    ///
    /// # Errors
    /// A service ended in failure, the time is up, or as [`Upkeep::look`].
    pub async fn until_well(
        &self,
        only: &[&str],
        mut news: impl FnMut(&str),
    ) -> Result<Standing, RemoteError> {
        let (began, mut round, mut said) = (Instant::now(), 0, String::new());
        loop {
            let standing = self.look(only).await?;
            if standing.pending.is_empty() {
                return Ok(standing);
            }
            let broken = standing.broken.iter().find(|name| standing.pending.contains_key(*name));
            let late = began.elapsed() >= self.project.timeout;
            if broken.is_some() || late {
                return Err(self.unwell(&standing, broken, late));
            }
            let words = standing.words();
            if said != words {
                news(&format!("waiting for {words}"));
                said = words;
            }
            sleep(pause(self.connections.settings().poll, round)).await;
            round += 1;
        }
    }

    fn unwell(&self, standing: &Standing, broken: Option<&String>, late: bool) -> RemoteError {
        let name = broken.or_else(|| standing.pending.keys().next()).cloned().unwrap_or_default();
        let fault = if late { Fault::TimedOut } else { Fault::Refused };
        let attempted = format!("bring {} up", self.project.address);
        let cause = match broken {
            Some(name) => format!("service {name} {}", standing.pending[name]),
            None => format!("after {} s: {}", self.project.timeout.as_secs(), standing.words()),
        };
        RemoteError::new(fault, attempted, failure::readable(&cause))
            .hint(format!("ipai logs {name} --tail 50"))
    }

    fn judge(&self, containers: &[Container], only: &[&str]) -> Standing {
        let found = by_service(containers, &self.project.name);
        let mut standing = Standing::default();
        for (service, own) in &found {
            standing.seen.extend(own.iter().map(|container| Seen {
                service: (*service).to_owned(),
                name: container.name.clone(),
                word: container.word(),
                started: container.started.clone(),
            }));
        }
        standing.seen.sort();
        let there = self.there.get().filter(|there| !there.is_empty());
        for (name, service) in &self.project.services {
            let asked = only.is_empty() || only.contains(&name.as_str());
            let asked = asked && there.is_none_or(|there| there.contains(name));
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
