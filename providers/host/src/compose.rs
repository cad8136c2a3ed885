//! The resource type `host.compose`: a Compose project on a host.

mod added;
pub(crate) mod checks;
mod lines;
mod mistakes;
pub(crate) mod ports;
pub(crate) mod project;
pub(crate) mod used_files;
mod values;
pub(crate) mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::exposure::Opening;
use ipai_core::image::{Locked, pinned};
use ipai_core::{
    Attribute, Attributes, Change, Default, DesiredResource, Diagnostic, Draft, Kind, ResourceType,
    Services, StackId, Value,
};

use crate::file::text;
use project::Project;
use used_files::{Digests, digests};

/// How a service should be: its containers run, and are healthy when they have a health check.
pub const RUNNING: &str = "running";

/// How a service should be: its container ran to an end with exit code 0.
pub const COMPLETED: &str = "completed";

/// `host.compose`.
#[derive(Clone, Copy, Debug)]
pub struct ComposeType;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "host",
        kind: Kind::Address,
        default: Default::Required,
        change: Change::Replace,
        doc: "The host that the project runs on: the address of a droplet or a server.",
    },
    Attribute {
        name: "project",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The project's name, lower-case letters, digits, `-` and `_`. Volumes are named after it.",
    },
    Attribute {
        name: "directory",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The absolute folder on the host where relative paths start; `compose.yaml` is put there.",
    },
    Attribute {
        name: "content",
        kind: Kind::Content,
        default: Default::Required,
        change: Change::Update,
        doc: "The Compose YAML. ipai appends a document with labels; services whose mounted files changed get \
              another label, so that Compose recreates exactly those. Images that `images.lock.toml` names get their \
              digest there.",
    },
    Attribute {
        name: "timeout",
        kind: Kind::Duration,
        default: Default::Int(600),
        change: Change::Local,
        doc: "How long pulling may take, and after it how long until every service is healthy, running or completed.",
    },
    Attribute {
        name: "on_change",
        kind: Kind::Map(&Kind::Map(&Kind::List(&Kind::Text))),
        default: Default::EmptyMap,
        change: Change::Local,
        doc: "What a service does when files below its mounted folders change, instead of being recreated: \
              `caddy = { reload = [\"caddy\", \"reload\", \"--config\", \"/etc/caddy/Caddyfile\"] }` runs that command in its container.",
    },
    Attribute {
        name: "releases",
        kind: Kind::Int(0, 50),
        default: Default::Int(5),
        change: Change::Local,
        doc: "How many releases the host keeps: files, Compose file and image ids together, as they were when all was \
              well. A deployment that fails returns to the last one; `ipai rollback` goes back to any. 0 keeps none.",
    },
    Attribute {
        name: "migrates",
        kind: Kind::List(&Kind::Text),
        default: Default::EmptyList,
        change: Change::Local,
        doc: "Services that change their database for good when the version of their image rises, so that the older \
              image would not understand it any more. A return leaves the newer image of one that has run; `ipai \
              rollback` goes below it with `--allow-data-loss` alone.",
    },
    Attribute {
        name: SERVICES,
        kind: Kind::Map(&Kind::Text),
        default: Default::EmptyMap,
        change: Change::Update,
        doc: "Worked out by ipai: how each service should be. \"completed\" when another waits for it with \
              `service_completed_successfully`, or when it says `restart: \"no\"` and has neither ports nor a health \
              check; else \"running\". Cannot be set.",
    },
];

/// The computed attribute.
pub(crate) const SERVICES: &str = "services";

impl ResourceType for ComposeType {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn name(&self) -> &'static str {
        "compose"
    }

    fn summary(&self) -> &'static str {
        "A Docker Compose project on a host, brought up and waited for. Deleting it keeps its volumes."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("project", "The project's name."), ("directory", "The project's folder on the host.")]
    }

    fn example(&self) -> &'static str {
        "[host.compose.ops]\n\
         host = \"digitalocean.droplet.ops\"\n\
         project = \"ops\"\n\
         directory = \"/opt/ipai/ops\"\n\
         content = { template = \"compose.yaml\" }\n\
         timeout = \"10m\"\n\
         on_change.caddy.reload = [\"caddy\", \"reload\", \"--config\", \"/etc/caddy/Caddyfile\"]\n"
    }

    fn openings(&self, attributes: &Attributes) -> Vec<Opening> {
        crate::remote::openings(attributes)
    }

    fn hides_openings(&self, attributes: &Attributes) -> bool {
        attributes.get("content").is_some_and(Value::is_unknown)
    }

    fn written<'t>(&self, before: &'t str, after: &'t str) -> (&'t str, &'t str) {
        added::without_digests(before, after)
    }

    fn services(&self, attributes: &Attributes) -> Services {
        let read = || {
            let content = checks::known(attributes)?;
            let read = Project::read(&content, text(attributes, "directory")?).ok()?;
            let (names, volumes) = (read.services.into_keys().collect(), read.declared);
            let project = text(attributes, "project")?.to_owned();
            (!read.includes).then_some(Services::Known { project, names, volumes })
        };
        read().unwrap_or(Services::Unknown)
    }

    fn home(&self) -> Option<&'static str> {
        Some("host")
    }

    fn check(&self, draft: &mut Draft<'_>) {
        checks::attributes(draft);
        if let Some(project) = checks::content(draft) {
            checks::services(draft, &project);
            checks::on_change(draft, &project);
            checks::migrates(draft, &project);
        }
    }

    fn settle(&self, draft: &mut Draft<'_>, all: &[DesiredResource]) {
        let host = draft.text("host");
        let files: Vec<&DesiredResource> = all
            .iter()
            .filter(|r| r.address.provider == "host" && r.address.kind == "file")
            .filter(|r| host.is_some() && r.text("host") == host.as_deref())
            .collect();
        let own = draft.resource.address.clone();
        // Units come first, unless one says that it waits for this project.
        let units = all
            .iter()
            .filter(|r| r.address.provider == "host" && r.address.kind == "unit")
            .filter(|r| host.is_some() && r.text("host") == host.as_deref())
            .filter(|r| !r.after.contains(&own));
        draft.resource.after.extend(units.map(|unit| unit.address.clone()));
        draft.resource.after.extend(files.iter().map(|file| file.address.clone()));
        checks::own_file(draft, &files);
        complete(draft, &files);
    }

    fn identity(&self, attributes: &Attributes) -> Option<String> {
        Some(identity(text(attributes, "host")?, text(attributes, "project")?))
    }

    fn bucket(&self, attributes: &Attributes) -> Option<String> {
        text(attributes, "host").map(str::to_owned)
    }

    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let same = |name: &str| text(one, name).is_some() && text(one, name) == text(other, name);
        let what = ["project", "directory"].into_iter().find(|name| same(name))?;
        same("host").then(|| format!("both have the same {what} on the same host"))
    }
}

/// The key of a project on a host.
pub(crate) fn identity(host: &str, project: &str) -> String {
    format!("{host} project {project}")
}

/// The path of a project's file on the host.
pub(crate) fn file_path(directory: &str) -> String {
    format!("{directory}/compose.yaml")
}

/// The services that take changes of their files in by a command of their own, with the command.
pub(crate) fn reloads(attributes: &Attributes) -> BTreeMap<String, Vec<String>> {
    let map = attributes.get("on_change").and_then(Value::as_map);
    let command = |value: &Value| -> Option<Vec<String>> {
        let words = value.as_map()?.get("reload")?.text_items();
        Some(words.into_iter().map(str::to_owned).collect())
    };
    let entry = |(name, value): (&String, &Value)| Some((name.clone(), command(value)?));
    map.into_iter().flatten().filter_map(entry).collect()
}

/// Appends labels and locked images, and works out how the services should be.
fn complete(draft: &mut Draft<'_>, files: &[&DesiredResource]) {
    let Some(text) = checks::known_content(draft) else { return };
    let directory = draft.text("directory").unwrap_or_default();
    // What cannot be read was reported by `check`.
    let Ok(project) = Project::read(&text, &directory) else { return };
    let reloading: BTreeSet<String> = reloads(&draft.resource.attributes).into_keys().collect();
    let digests = digests(&project, files, &reloading);
    checks::stuck(draft, &digests);
    checks::env_files(draft, &project, files);
    let words = project.expected().into_iter().map(|(name, word)| (name, Value::text(word)));
    draft.set(SERVICES, Value::Map(words.collect()));
    if digests.waits_for.is_empty() {
        let address = draft.resource.address.to_string();
        let labels = labels(draft.stack, &address, &project, &digests, draft.images);
        draft.set_content("content", append(&text, &labels));
    } else {
        draft.set("content", Value::Unknown(digests.waits_for));
    }
}

fn append(text: &str, document: &str) -> String {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{newline}---\n{document}")
}

/// The document that ipai adds: labels on every service, the digest of an image that is locked, and under `x-ipai` what a
/// reload has to take in. JSON strings are YAML strings, so names and addresses are written as such.
fn labels(
    stack: &StackId,
    address: &str,
    project: &Project,
    digests: &Digests,
    locked: Option<&Locked>,
) -> String {
    use std::fmt::Write as _;
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let mut document =
        format!("{} labels, and digests of the files that services use\n", added::HEAD);
    let mut line = |indent: usize, key: &str, value: &str| {
        let space = if value.is_empty() { "" } else { " " };
        let value = if value.is_empty() { String::new() } else { quote(value) };
        // Writing to a text cannot fail.
        let _ = writeln!(document, "{:indent$}{key}:{space}{value}", "");
    };
    line(0, "services", "");
    for (name, service) in &project.services {
        line(2, &quote(name), "");
        let image = locked.and_then(|locked| pinned(project.pulled(service)?, locked));
        image.iter().for_each(|image| line(4, "image", image));
        line(4, "labels", "");
        line(6, "ipai.stack", stack.as_str());
        line(6, "ipai.address", address);
        if let Some(digest) = digests.recreate.get(name) {
            line(6, "ipai.files", digest);
        }
    }
    if !digests.reload.is_empty() {
        line(0, "x-ipai", "");
        line(2, "loads", "");
        for (name, digest) in &digests.reload {
            line(4, &quote(name), digest);
        }
    }
    document
}

/// The diagnostic for YAML that cannot be read.
pub(crate) fn not_yaml(error: &yaml::YamlError) -> Diagnostic {
    let problem = Diagnostic::error("Not a Compose file");
    match u32::try_from(error.line) {
        Err(_) | Ok(0) => problem.detail(error.message.clone()),
        Ok(line) => problem
            .detail(format!(
                "line {line}, column {} of the rendered text: {}",
                error.column, error.message
            ))
            .on_rendered_line(line),
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
