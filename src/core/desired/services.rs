//! Checks name services: held against what the stack's resources run.

use std::collections::BTreeSet;

use super::Inputs;
use crate::diagnostic::{Diagnostic, nearest};
use crate::resource::DesiredResource;
use crate::tree::Data;

/// Complains of checks about services that nothing runs. While it is not known what some resource runs, nothing is said.
pub(super) fn check(
    inputs: &Inputs<'_>,
    resources: &[DesiredResource],
    problems: &mut Vec<Diagnostic>,
) {
    let kind = |resource: &DesiredResource| inputs.types.get(&resource.address);
    let hidden = |r: &DesiredResource| kind(r).is_some_and(|k| k.hides_openings(&r.attributes));
    if resources.len() != inputs.stack.resources.len() || resources.iter().any(hidden) {
        return;
    }
    let runs =
        |r: &DesiredResource| Some((r.address.name.clone(), kind(r)?.services(&r.attributes)?));
    let projects: Vec<_> = resources.iter().filter_map(runs).collect();
    for (_, table) in inputs.stack.checks.values() {
        let Some(node) = table.get("service") else { continue };
        let Data::Text(text) = &node.data else { continue };
        let (project, service) =
            text.split_once('/').map_or((None, text.as_str()), |(p, s)| (Some(p), s));
        let named = projects.iter().filter(|(address, (name, _))| {
            project.is_none_or(|project| project == address || project == name)
        });
        let services: BTreeSet<&str> =
            named.flat_map(|(_, (_, services))| services).map(String::as_str).collect();
        if !services.contains(service) {
            problems.push(unknown(text, service, &services).at(&node.span));
        }
    }
}

fn unknown(text: &str, service: &str, services: &BTreeSet<&str>) -> Diagnostic {
    let problem = Diagnostic::error("A check of an unknown service")
        .detail(format!("No Compose project of this stack has a service `{text}`."));
    match nearest(service, services.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None if services.is_empty() => problem,
        None => problem
            .hint(format!("services: {}", services.iter().copied().collect::<Vec<_>>().join(", "))),
    }
}
