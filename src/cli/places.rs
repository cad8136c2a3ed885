//! Where the services of a stack run: the project, the host, and how the host is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipai_core::desired::{DesiredState, compile};
use ipai_core::{Address, Diagnostic, Events, LiveState, Outputs, diagnostic};

use super::progress::Progress;
use super::world::{Planned, World};
use super::{Failed, Run};
use crate::observe::observe;
use crate::providers::{ComposeProject, projects};

/// What is known of a stack's hosts without talking to them.
pub(super) struct Places {
    /// The desired state, with what the hosts' providers say.
    pub(super) desired: DesiredState,
    /// The Compose projects that the stack wants.
    pub(super) projects: Vec<ComposeProject>,
    /// What is known of every live resource.
    pub(super) outputs: BTreeMap<Address, Outputs>,
}

impl World {
    /// Asks the providers of hosts where those are, and no host.
    pub(super) async fn places(&self, run: &Run<'_>) -> Result<Places, Failed> {
        let (unseen, _) = self.loaded.with_inputs(&BTreeMap::new(), compile);
        let homes: BTreeSet<&str> =
            unseen.resources.iter().flat_map(|r| &r.home).map(|h| h.provider.as_str()).collect();
        let first =
            |provider: &str, lives_in: &[&str]| homes.contains(provider) && lives_in.is_empty();
        let places = self.seen_by(run, |o| first(o.provider(), o.lives_in())).await?;
        // A file that needs what a host or another provider says is read once they have all been asked.
        match places.projects.iter().any(|project| project.services.is_empty()) {
            true => self.seen_by(run, |_| true).await,
            false => Ok(places),
        }
    }

    async fn seen_by(
        &self,
        run: &Run<'_>,
        which: impl Fn(&dyn ipai_core::Observe) -> bool,
    ) -> Result<Places, Failed> {
        let observers: Vec<_> =
            self.observers.iter().filter(|o| which(o.as_ref())).cloned().collect();
        let events: Arc<dyn Events> = Arc::new(Progress::new(run, false));
        let live: LiveState = observe(&self.loaded, &observers, &events)
            .await
            .map_err(|errors| run.remote(&errors))?;
        let outputs = live.outputs();
        let (desired, _) = self.loaded.with_inputs(&outputs, compile);
        Ok(Places { projects: projects(&desired.resources), desired, outputs })
    }
}

impl Places {
    /// What a look at everything has shown.
    pub(super) fn of(planned: &Planned) -> Self {
        let desired = planned.proposal.desired.clone();
        Self { projects: projects(&desired.resources), desired, outputs: planned.live.outputs() }
    }

    /// The project of a service; `PROJECT/SERVICE` names both where several projects have one of that name.
    pub(super) fn service<'a>(
        &'a self,
        run: &Run<'_>,
        word: &str,
    ) -> Result<(&'a ComposeProject, &'a str), Failed> {
        let (project, name) = match word.split_once('/') {
            Some((project, name)) => (Some(project), name),
            None => (None, word),
        };
        let named =
            |p: &&ComposeProject| project.is_none_or(|n| n == p.name || n == p.address.name);
        let found: Vec<(&ComposeProject, &str)> = self
            .projects
            .iter()
            .filter(named)
            .filter_map(|p| Some((p, p.services.get_key_value(name)?.0.as_str())))
            .collect();
        match found[..] {
            [one] => Ok(one),
            [] => Err(self.no_service(run, name)),
            [(first, _), ..] => {
                let detail = format!("{} projects have a service `{name}`.", found.len());
                let problem = Diagnostic::error("Which one?").detail(detail);
                let hint = format!("name the project too: {}/{name}", first.name);
                Err(run.trouble(&problem.hint(hint)))
            }
        }
    }

    fn no_service(&self, run: &Run<'_>, name: &str) -> Failed {
        let names = || self.projects.iter().flat_map(|p| p.services.keys()).map(String::as_str);
        let mut problem = Diagnostic::error("No such service")
            .detail(format!("No Compose project of this stack has a service `{name}`."));
        let near = diagnostic::nearest(name, names());
        problem.hint = Some(match (near, names().next()) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, Some(_)) => format!("services: {}", names().collect::<Vec<_>>().join(", ")),
            (None, None) if self.projects.is_empty() => "the stack has no Compose project".into(),
            (None, None) if !self.projects.iter().any(|p| self.outputs.contains_key(&p.home)) => {
                format!("the stack was not applied yet: {}", run.command("apply"))
            }
            (None, None) => format!(
                "its Compose file waits for something that the next apply makes, a secret or an address: {}",
                run.command("plan")
            ),
        });
        run.trouble(&problem)
    }

    /// The projects with this name, or all.
    pub(super) fn projects(
        &self,
        run: &Run<'_>,
        name: Option<&str>,
    ) -> Result<Vec<&ComposeProject>, Failed> {
        let named = |p: &&ComposeProject| name.is_none_or(|n| n == p.name || n == p.address.name);
        let found: Vec<&ComposeProject> = self.projects.iter().filter(named).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let names: Vec<&str> = self.projects.iter().map(|project| project.name.as_str()).collect();
        let service = name.filter(|name| {
            self.projects.iter().any(|project| project.services.contains_key(*name))
        });
        let hint = match (names.is_empty(), service) {
            (true, _) => {
                "this stack has no host.compose; ipai explain host.compose shows one".to_owned()
            }
            (_, Some(service)) => format!(
                "{service} is a service, of which one is restarted by: {}",
                run.command(&format!("restart {service}"))
            ),
            (false, None) => format!("projects: {}", names.join(", ")),
        };
        Err(run.trouble(&Diagnostic::error("No such project").hint(hint)))
    }

    /// What is known of a host that must exist.
    pub(super) fn host(&self, run: &Run<'_>, home: &Address) -> Result<&Outputs, Failed> {
        self.outputs.get(home).ok_or_else(|| {
            let problem = Diagnostic::error("No such host")
                .detail(format!("`{home}` does not exist yet."))
                .hint(format!("{} makes it", run.command("apply")));
            run.trouble(&problem)
        })
    }
}
