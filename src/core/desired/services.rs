//! Checks and backups name services and volumes: held against what the stack's resources run.

use std::collections::BTreeSet;

use super::Inputs;
use crate::address::Address;
use crate::backup::Backup;
use crate::check::Check;
use crate::diagnostic::{Diagnostic, nearest};
use crate::resource::{DesiredResource, Services};

struct Project<'a> {
    address: &'a Address,
    project: String,
    names: BTreeSet<String>,
    volumes: BTreeSet<String>,
}

/// Complains of checks about services that nothing runs: one that runs a command there cannot be asked; for others the name
/// only says what they are about. While it is not known what some resource runs, nothing is said.
pub(super) fn check(
    inputs: &Inputs<'_>,
    resources: &[DesiredResource],
    checks: &[Check],
    problems: &mut Vec<Diagnostic>,
) {
    // Reading a Compose file once more costs time, and most stacks name nothing of it.
    if inputs.stack.backup.is_none() && checks.iter().all(|check| check.service.is_none()) {
        return;
    }
    let mut projects: Vec<Project<'_>> = Vec::new();
    for resource in resources {
        let Some(kind) = inputs.types.get(&resource.address) else { continue };
        match kind.services(&resource.attributes) {
            Services::None => {}
            Services::Unknown => return,
            Services::Known { project, names, volumes } => {
                projects.push(Project { address: &resource.address, project, names, volumes });
            }
        }
    }
    if resources.len() != inputs.stack.resources.len() || !inputs.stack.unread.is_empty() {
        return;
    }
    if let Some(backup) = &inputs.stack.backup {
        let own = projects.iter().find(|one| *one.address == backup.compose);
        own.iter().for_each(|project| backed_up(backup, project, problems));
    }
    for check in checks {
        let Some(text) = &check.service else { continue };
        let (project, service) =
            text.split_once('/').map_or((None, text.as_str()), |(p, s)| (Some(p), s));
        let named = projects.iter().filter(|one| {
            project.is_none_or(|project| project == one.address.name || project == one.project)
        });
        let services: BTreeSet<&str> =
            named.flat_map(|one| &one.names).map(String::as_str).collect();
        let known = services.contains(service) || (services.is_empty() && !check.runs_commands());
        let table = inputs.stack.checks.get(&check.name).map(|(_, table)| table);
        if let Some(node) = table.and_then(|table| table.get("service")).filter(|_| !known) {
            problems.push(unknown(check, text, service, &services).at(&node.span));
        }
    }
}

fn unknown(check: &Check, text: &str, service: &str, services: &BTreeSet<&str>) -> Diagnostic {
    let summary = "A check of an unknown service";
    let problem = match check.runs_commands() {
        true => Diagnostic::error(summary),
        false => Diagnostic::warning(summary),
    };
    let problem =
        problem.detail(format!("No Compose project of this stack has a service `{text}`."));
    Diagnostic { hint: meant(service, services.iter().copied(), "services"), ..problem }
}

/// What may be meant by a name that is none, or all that there are.
fn meant<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> Option<String> {
    let all: Vec<&str> = known.clone().collect();
    let near = nearest(name, known).map(|near| format!("did you mean \"{near}\"?"));
    near.or_else(|| (!all.is_empty()).then(|| format!("{what}: {}", all.join(", "))))
}

/// What a backup would not find.
fn backed_up(backup: &Backup, project: &Project<'_>, problems: &mut Vec<Diagnostic>) {
    for (service, data) in &backup.services {
        let own = std::iter::once(service);
        let databases = (!data.databases.is_empty()).then_some(&backup.postgres.0);
        let services = own.chain(&data.stops).chain(databases).collect::<BTreeSet<_>>();
        let services = services.into_iter().map(|name| ("service", name, &project.names));
        let volumes = data.volumes.iter().map(|name| ("volume", name, &project.volumes));
        for (what, name, known) in services.chain(volumes) {
            if known.contains(name) {
                continue;
            }
            let problem = Diagnostic::error(format!("A backup of an unknown {what}")).detail(format!(
                "`[backup.service.{service}]` names the {what} `{name}`, which the Compose file of `{}` does not have.",
                backup.compose
            ));
            let hint = meant(name, known.iter().map(String::as_str), &format!("{what}s"));
            let problem = Diagnostic { hint, ..problem };
            problems.push(problem.at(data.span.as_ref().unwrap_or(&backup.span)));
        }
    }
}
