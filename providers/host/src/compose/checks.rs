//! What can be wrong with a `host.compose`.

use std::collections::BTreeSet;

use ipai_core::diagnostic::nearest;
use ipai_core::image::{ImageName, pinned};
use ipai_core::{Attributes, DesiredResource, Diagnostic, Draft, Value};

use super::project::{Project, Service};
use super::used_files::Digests;
use super::{SERVICES, file_path, mistakes, not_yaml, reloads, yaml};
use crate::file::path;

/// Checks name and folder, and puts the folder into canonical form.
pub(super) fn attributes(draft: &mut Draft<'_>) {
    if let Some(project) = draft.text("project")
        && !is_project(&project)
    {
        let problem = Diagnostic::error("Not a project name").detail(format!(
            "`{}` must be lower-case letters, digits, `-` and `_`, a letter or digit first.",
            project.escape_debug()
        ));
        draft.error("project", problem);
    }
    if let Some(directory) = draft.text("directory") {
        match path::normalise(&directory) {
            Ok(directory) => draft.set("directory", Value::Text(directory)),
            Err(why) => draft.error("directory", path::problem(&directory, why)),
        }
    }
    if draft.resource.spans.contains_key(SERVICES) {
        let problem = Diagnostic::error("`services` cannot be set")
            .detail("ipai works it out from the Compose YAML.")
            .hint("take the line out");
        draft.error(SERVICES, problem);
    }
}

/// Compose's own rule for project names.
pub(crate) fn is_project(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    starts && text.len() <= 63 && text.chars().all(legal)
}

fn is_sensitive(draft: &Draft<'_>) -> bool {
    draft.resource.attributes.get("content").is_some_and(Value::is_sensitive)
}

/// A problem without what it quotes of a content that holds secrets.
fn unquoted(draft: &Draft<'_>, mut problem: Diagnostic) -> Diagnostic {
    if is_sensitive(draft) {
        problem.detail = Some("What the file says is not shown, because it holds secrets.".into());
    }
    problem
}

/// The content's text, when it is known already.
pub(super) fn known_content(draft: &Draft<'_>) -> Option<String> {
    known(&draft.resource.attributes)
}

/// The same of attributes.
pub(super) fn known(attributes: &Attributes) -> Option<String> {
    let content = attributes.get("content").and_then(Value::as_content)?;
    content.text.as_ref().map(|text| text.expose().to_owned())
}

/// Reads the content, when it is known already, and complains of what Compose would refuse. Nothing where there is any error:
/// what is missing where something is misspelled may be just that.
pub(super) fn content(draft: &mut Draft<'_>) -> Option<Project> {
    let text = known_content(draft)?;
    let root = match yaml::read(&text) {
        Ok(root) => root,
        Err(error) => {
            draft.error("content", not_yaml(&error));
            return None;
        }
    };
    let found = mistakes::find(&root, &text, is_sensitive(draft));
    let well = !ipai_core::diagnostic::any_error(&found);
    found.into_iter().for_each(|problem| draft.error("content", problem));
    let directory = draft.text("directory").unwrap_or_default();
    well.then(|| Project::of(&root, &directory))
}

/// Checks that every service says what it runs, and in which version.
pub(super) fn services(draft: &mut Draft<'_>, project: &Project) {
    if project.services.is_empty() {
        let problem = Diagnostic::error("A Compose file without services")
            .hint("begin it with `services:` and at least one service");
        draft.error("content", problem);
    }
    for (name, service) in &project.services {
        let locked = draft.images.zip(project.pulled(service));
        let pinned = locked.is_some_and(|(locked, image)| pinned(image, locked).is_some());
        if let Some(problem) = service_problem(name, service).filter(|_| !pinned) {
            draft.error("content", unquoted(draft, problem));
        }
    }
    unlocked(draft, project);
}

/// Warns of images that the lock file has forgotten.
fn unlocked(draft: &mut Draft<'_>, project: &Project) {
    let Some(locked) = draft.images else { return };
    let images = project.services.values().filter_map(|service| project.pulled(service));
    let names = images.filter_map(|image| Some(ImageName::parse(image).ok()?.name));
    let missing: BTreeSet<String> = names.filter(|name| !locked.contains_key(name)).collect();
    for name in missing {
        let problem = Diagnostic::warning("An image that is not locked")
            .detail(format!(
                "`{name}` is missing in the lock file, so its tag alone says what is deployed."
            ))
            .hint("ipai images --lock");
        draft.error("content", unquoted(draft, problem));
    }
}

fn service_problem(name: &str, service: &Service) -> Option<Diagnostic> {
    let Some(image) = &service.image else {
        let problem = Diagnostic::error("A service without an image")
            .detail(format!("Service `{name}` has neither `image` nor `build`."));
        return (!service.built).then_some(problem);
    };
    let why = match tag(image) {
        _ if service.built || image.contains('$') => return None,
        None => "has no tag, which means `latest`",
        Some("latest") => "has the tag `latest`",
        Some(_) => return None,
    };
    let detail = format!(
        "Service `{name}`: `{image}` {why}. What runs then depends on the day on which it was pulled, and there is no way back."
    );
    Some(
        Diagnostic::warning("An image without a fixed version")
            .detail(detail)
            .hint("name an exact tag, or a digest"),
    )
}

/// The tag of an image, or its digest; the colon of a registry's port is none.
fn tag(image: &str) -> Option<&str> {
    if let Some((_, digest)) = image.split_once('@') {
        return Some(digest);
    }
    image.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag)
}

/// Checks that `on_change` names services and holds a command for each.
pub(super) fn on_change(draft: &mut Draft<'_>, project: &Project) {
    let map = draft.resource.attributes.get("on_change").and_then(Value::as_map).cloned();
    let commands = reloads(&draft.resource.attributes);
    for (name, value) in map.into_iter().flatten() {
        let only_reload = value.as_map().is_some_and(|map| map.keys().all(|key| key == "reload"));
        let command = commands.get(&name).is_some_and(|words| !words.is_empty());
        let problem = if !project.services.contains_key(&name) {
            no_service("`on_change` of an unknown service", &name, project)
        } else if !only_reload || !command {
            Diagnostic::error("Not a way to take in changes")
                .detail(format!("`on_change.{name}` needs the one key `reload` with a command."))
                .hint(format!("write `on_change.{name}.reload = [\"program\", \"argument\"]`"))
        } else {
            continue;
        };
        draft.error("on_change", problem);
    }
}

fn no_service(summary: &str, name: &str, project: &Project) -> Diagnostic {
    let problem =
        Diagnostic::error(summary).detail(format!("The Compose file has no service `{name}`."));
    let names = || project.services.keys().map(String::as_str);
    match nearest(name, names()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("services: {}", names().collect::<Vec<_>>().join(", "))),
    }
}

/// Checks that `migrates` names services.
pub(super) fn migrates(draft: &mut Draft<'_>, project: &Project) {
    let names = draft.resource.texts("migrates");
    let unknown = names.into_iter().find(|name| !project.services.contains_key(*name));
    if let Some(name) = unknown.map(|name| name.escape_debug().to_string()) {
        draft.error("migrates", no_service("`migrates` names an unknown service", &name, project));
    }
}

/// Refuses a declared file at the place of the project's own.
pub(super) fn own_file(draft: &mut Draft<'_>, files: &[&DesiredResource]) {
    let Some(directory) = draft.text("directory") else { return };
    let own = file_path(&directory);
    if let Some(file) = files.iter().find(|file| file.text("path") == Some(&own)) {
        let detail =
            format!("`{}` writes {own}, where ipai puts this project's YAML.", file.address);
        draft.error(
            "directory",
            Diagnostic::error("Two resources exclude each other").detail(detail),
        );
    }
}

/// Warns of reloads that would read the old file again.
pub(super) fn stuck(draft: &mut Draft<'_>, digests: &Digests) {
    for (service, path) in &digests.stuck {
        let problem = Diagnostic::warning("A reload that cannot see the change")
            .detail(format!("Service `{service}` mounts the single file {path}. A new version is renamed into its place, and the container keeps the old one; it is recreated instead of reloaded."))
            .hint("mount the folder that holds the file");
        draft.error("on_change", problem);
    }
}

/// Warns of files that Compose will look for and nobody writes.
pub(super) fn env_files(draft: &mut Draft<'_>, project: &Project, files: &[&DesiredResource]) {
    let written: BTreeSet<&str> = files.iter().filter_map(|file| file.text("path")).collect();
    // Where a path waits for an apply, it may be that of any file; where something is wrong, a file may be missing for that.
    if written.len() < files.len() || ipai_core::diagnostic::any_error(draft.problems) {
        return;
    }
    let read = |(name, service): (&String, &Service)| {
        let missing = service.env_files.iter().filter(|path| !written.contains(path.as_str()));
        missing.map(|path| (name.clone(), path.clone())).collect::<Vec<_>>()
    };
    for (name, path) in project.services.iter().flat_map(read) {
        let near = nearest(&path, written.iter().copied());
        let hint = match near {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write a [host.file.NAME] with path = \"{path}\""),
        };
        let problem = Diagnostic::warning("An `env_file` that nothing writes")
            .detail(format!("Service `{name}` reads {path}, which no host.file of this stack writes; Compose refuses to start without it."));
        draft.error("content", unquoted(draft, problem.hint(hint)));
    }
}
