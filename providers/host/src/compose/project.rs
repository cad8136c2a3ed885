//! What ipai has to know of a Compose project: its services, what each reads from the host, how each should end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::yaml::{YamlError, items, members, read, scalar};
use crate::file::path::{collapse, is_within};

/// A Compose project as its YAML describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Project {
    /// Services by name.
    pub(crate) services: BTreeMap<String, Service>,
    /// Volumes that say their own name, by how the services call them.
    pub(crate) volumes: BTreeMap<String, String>,
    /// The reload services' digests that ipai added under `x-ipai`.
    pub(crate) loads: BTreeMap<String, String>,
    /// Volumes that services may name.
    pub(crate) declared: BTreeSet<String>,
    /// Tells whether other files belong to it.
    pub(crate) includes: bool,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its image, when it names one.
    pub(crate) image: Option<String>,
    /// Tells whether it is built on the host.
    pub(crate) built: bool,
    /// Tells whether its image comes from a registry: it is not built, and its `pull_policy` allows it.
    pub(crate) pulled: bool,
    /// Tells whether it runs to an end instead of staying up.
    pub(crate) one_shot: bool,
    /// Tells whether `up` starts it: it has no profile, and more than zero replicas.
    pub(crate) started: bool,
    /// Paths on the host that its containers see, or are built from, and files that are read into it.
    pub(crate) uses: BTreeSet<Use>,
    /// Those files that are read into its environment and must be there, as absolute paths.
    pub(crate) env_files: BTreeSet<String>,
    /// Volumes and folders that it mounts where PostgreSQL keeps its data.
    pub(crate) data: BTreeSet<String>,
}

/// A path on the host that a service uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    /// The absolute path.
    pub(crate) path: String,
    /// How it is used.
    pub(crate) how: How,
}

/// How a service uses a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// It is mounted, so a running container sees a change below it.
    Mounted,
    /// It is read when the container is created: an `env_file`, a build context.
    Read,
}

impl Project {
    /// Reads a project whose relative paths start at `directory`.
    pub(crate) fn read(text: &str, directory: &str) -> Result<Self, YamlError> {
        Ok(Self::of(&read(text)?, directory))
    }

    /// The same of YAML that was read already.
    pub(crate) fn of(root: &Map<String, Json>, directory: &str) -> Self {
        let sources = Sources::of(root, directory);
        let awaited = awaited(root);
        let service = |(name, body): (&String, &Json)| {
            let one_shot = awaited.contains(name.as_str()) || says_one_shot(body);
            (name.clone(), Service { one_shot, ..sources.service(body) })
        };
        let services = members(root.get("services")).map(service).collect();
        let loads = root.get("x-ipai").and_then(|ours| ours.get("loads"));
        let load = |(name, digest): (&String, &Json)| Some((name.clone(), scalar(digest)?));
        let named =
            |(name, body): (&String, &Json)| Some((name.clone(), scalar(body.get("name")?)?));
        let volumes = members(root.get("volumes")).filter_map(named).collect();
        let declared = members(root.get("volumes")).map(|(name, _)| name.clone()).collect();
        let includes = root.contains_key("include");
        let loads = members(loads).filter_map(load).collect();
        Self { services, volumes, loads, declared, includes }
    }

    /// The image that a registry gives for a service; none where it is made on the host, by this service or another.
    pub(crate) fn pulled<'a>(&self, service: &'a Service) -> Option<&'a str> {
        let image = service.image.as_ref().filter(|_| service.pulled)?;
        let built = self.services.values().any(|s| s.built && s.image.as_ref() == Some(image));
        (!built).then_some(image)
    }

    /// The images of registries that `up` needs.
    pub(crate) fn images(&self) -> BTreeSet<String> {
        let started = self.services.values().filter(|service| service.started);
        started.filter_map(|service| self.pulled(service)).map(str::to_owned).collect()
    }

    /// The services that `up` starts, with the word for how each should be.
    pub(crate) fn expected(&self) -> BTreeMap<String, &'static str> {
        let word = |s: &Service| if s.one_shot { super::COMPLETED } else { super::RUNNING };
        let started = self.services.iter().filter(|(_, service)| service.started);
        started.map(|(name, service)| (name.clone(), word(service))).collect()
    }
}

/// Services that another one waits for until they have completed.
fn awaited(root: &Map<String, Json>) -> BTreeSet<&str> {
    let completes = |(name, how): (&'_ String, &Json)| {
        let condition = how.get("condition").and_then(Json::as_str);
        (condition == Some("service_completed_successfully")).then_some(name.clone())
    };
    let names: BTreeSet<String> = members(root.get("services"))
        .flat_map(|(_, body)| members(body.get("depends_on")).filter_map(completes))
        .collect();
    let all = members(root.get("services")).map(|(name, _)| name.as_str());
    all.filter(|name| names.contains(*name)).collect()
}

/// A service that nobody waits for runs to an end when it says `restart: "no"` in so many words and neither
/// publishes a port nor has a health check; the same word left out is Compose's default and says nothing.
fn says_one_shot(body: &Json) -> bool {
    let restart = body.get("restart").and_then(scalar);
    let no = matches!(restart.as_deref(), Some("no" | "false"));
    no && body.get("ports").is_none() && body.get("healthcheck").is_none()
}

/// Where named sources lie on the host.
struct Sources<'a> {
    directory: &'a str,
    configs: BTreeMap<&'a str, String>,
    secrets: BTreeMap<&'a str, String>,
}

impl<'a> Sources<'a> {
    fn of(root: &'a Map<String, Json>, directory: &'a str) -> Self {
        let files = |key: &str| {
            let file = |(name, body): (&'a String, &'a Json)| {
                let path = body.get("file")?.as_str()?;
                Some((name.as_str(), resolve(path, directory)?))
            };
            members(root.get(key)).filter_map(file).collect()
        };
        Self { directory, configs: files("configs"), secrets: files("secrets") }
    }

    fn service(&self, body: &Json) -> Service {
        let scale =
            body.get("scale").or_else(|| body.get("deploy").and_then(|d| d.get("replicas")));
        let profiles = items(body.get("profiles"));
        let built = body.get("build").is_some_and(|build| !build.is_null());
        let never =
            matches!(body.get("pull_policy").and_then(Json::as_str), Some("never" | "build"));
        Service {
            image: body.get("image").and_then(scalar),
            built,
            pulled: !built && !never,
            one_shot: false,
            started: profiles.is_empty() && scale.and_then(Json::as_u64) != Some(0),
            uses: self.uses(body),
            env_files: self.env_files(body),
            data: self.data(body),
        }
    }

    /// From 18 on the image wants its mount one folder higher than before.
    fn data(&self, body: &Json) -> BTreeSet<String> {
        let mounts = items(body.get("volumes")).into_iter().filter_map(mount);
        let data = mounts.filter(|(_, target)| is_within(target, "/var/lib/postgresql"));
        let path = |source: &str| {
            source.starts_with(['/', '.']).then(|| resolve(source, self.directory))?
        };
        data.map(|(source, _)| path(&source).unwrap_or(source)).collect()
    }

    fn env_files(&self, body: &Json) -> BTreeSet<String> {
        let needed = |entry: &&Json| entry.get("required").and_then(Json::as_bool) != Some(false);
        let entries = items(body.get("env_file")).into_iter().filter(needed);
        entries.filter_map(env_file).filter_map(|path| resolve(path, self.directory)).collect()
    }

    fn uses(&self, body: &Json) -> BTreeSet<Use> {
        let mounts = items(body.get("volumes")).into_iter().filter_map(bind_source);
        let envs = items(body.get("env_file")).into_iter().filter_map(env_file);
        let build =
            body.get("build").and_then(|b| b.as_str().or_else(|| b.get("context")?.as_str()));
        let mounted = mounts.filter_map(|path| resolve(path, self.directory));
        let named = |key: &str, map: &BTreeMap<&str, String>| -> Vec<String> {
            let names = items(body.get(key)).into_iter().filter_map(source_name);
            names.filter_map(|name| map.get(name).cloned()).collect()
        };
        let mounted = mounted
            .chain(named("configs", &self.configs))
            .chain(named("secrets", &self.secrets))
            .map(|path| Use { path, how: How::Mounted });
        let read = envs
            .chain(build)
            .filter_map(|path| resolve(path, self.directory))
            .map(|path| Use { path, how: How::Read });
        // A mount of the whole root, as monitoring agents have it, says nothing about single files.
        mounted.chain(read).filter(|used| used.path != "/").collect()
    }
}

/// Source and target of a mount in either form.
fn mount(volume: &Json) -> Option<(String, String)> {
    if let Some(map) = volume.as_object() {
        return Some((scalar(map.get("source")?)?, scalar(map.get("target")?)?));
    }
    let text = scalar(volume)?;
    let mut parts = text.split(':');
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

/// The host's side of a volume, when it is a path and not the name of a volume.
fn bind_source(volume: &Json) -> Option<&str> {
    if let Some(text) = volume.as_str() {
        let source = text.split(':').next()?;
        return source.starts_with(['/', '.', '~']).then_some(source);
    }
    let bind = volume.get("type").and_then(Json::as_str) == Some("bind");
    volume.get("source").and_then(Json::as_str).filter(|_| bind)
}

fn env_file(entry: &Json) -> Option<&str> {
    entry.as_str().or_else(|| entry.get("path").and_then(Json::as_str))
}

fn source_name(entry: &Json) -> Option<&str> {
    entry.as_str().or_else(|| entry.get("source").and_then(Json::as_str))
}

/// Makes a path absolute. One with a variable in it, or in somebody's home, is known to Compose alone.
fn resolve(path: &str, directory: &str) -> Option<String> {
    if path.contains('$') || path.starts_with('~') || path.contains("://") {
        return None;
    }
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
    Some(collapse(&whole))
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
