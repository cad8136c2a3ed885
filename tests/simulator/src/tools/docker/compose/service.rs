//! One service of a resolved model, as containers are made from it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::engine::{HASH, Labels, PROJECT, Recipe, SERVICE, digest};
use super::project::Project;
use super::resolve::used;

/// What must hold for a dependency before a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Started,
    Healthy,
    Completed,
}

/// A service.
pub(super) struct Service {
    pub(super) image: String,
    pub(super) builds: bool,
    /// SHA-256 of what Compose hashes: see [`config_hash`].
    pub(super) hash: String,
    pub(super) depends_on: Vec<(String, Condition)>,
    pub(super) replicas: u64,
    pub(super) never_pulled: bool,
    recipe: Recipe,
    container_name: Option<String>,
}

impl Service {
    /// Reads every service of a resolved model.
    pub(super) fn all(project: &str, model: &Map<String, Value>) -> BTreeMap<String, Self> {
        let services = model.get("services").and_then(Value::as_object);
        let mut found: BTreeMap<String, Self> = services
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| {
                Some((name.clone(), Self::read(project, name, value.as_object()?, model)))
            })
            .collect();
        let completes: Vec<String> = found
            .values()
            .flat_map(|service| &service.depends_on)
            .filter(|(_, condition)| *condition == Condition::Completed)
            .map(|(name, _)| name.clone())
            .collect();
        for name in completes {
            if let Some(service) = found.get_mut(&name) {
                service.recipe.one_shot = true;
            }
        }
        found
    }

    fn read(
        project: &str,
        name: &str,
        value: &Map<String, Value>,
        model: &Map<String, Value>,
    ) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let builds = value.contains_key("build");
        let image = text("image").map_or_else(|| format!("{project}-{name}"), str::to_owned);
        let replicas = value.get("deploy").and_then(|deploy| deploy.get("replicas"));
        let mut env: Vec<String> =
            pairs(value.get("environment")).map(|(name, text)| format!("{name}={text}")).collect();
        env.sort();
        let recipe = Recipe {
            image: image.clone(),
            labels: pairs(value.get("labels")).collect(),
            env,
            command: command(value.get("command")),
            restart: text("restart").unwrap_or("no").to_owned(),
            volumes: named(model, "volumes", used(value, "volumes")),
            networks: named(model, "networks", used(value, "networks")),
            has_healthcheck: has_healthcheck(value),
            // Only one that says so: without `restart`, Compose's default is "no" for a server too.
            one_shot: text("restart") == Some("no"),
            name: String::new(),
        };
        Self {
            image,
            builds,
            hash: config_hash(value),
            depends_on: depends_on(value),
            replicas: replicas.or_else(|| value.get("scale")).and_then(Value::as_u64).unwrap_or(1),
            never_pulled: matches!(text("pull_policy"), Some("never" | "build")),
            recipe,
            container_name: text("container_name").map(str::to_owned),
        }
    }

    /// Returns what container `number` of this service is made from.
    pub(super) fn recipe(&self, project: &Project, name: &str, number: u64) -> Recipe {
        let mut recipe = self.recipe.clone();
        let default = format!("{}-{name}-{number}", project.name);
        recipe.name = self.container_name.clone().unwrap_or(default);
        recipe.labels.extend(self.labels(project, name, &number.to_string(), "False"));
        recipe
    }

    /// Returns what a `compose run` container is made from.
    pub(super) fn one_off(&self, project: &Project, name: &str) -> Recipe {
        let mut recipe = self.recipe.clone();
        let run = &digest(&format!("{name} {}", crate::tools::clock::now()))[..12];
        recipe.name = format!("{}-{name}-run-{run}", project.name);
        recipe.one_shot = true;
        recipe.labels.extend(self.labels(project, name, "1", "True"));
        recipe
    }

    pub(super) fn networks(&self) -> &[String] {
        &self.recipe.networks
    }

    pub(super) fn volumes(&self) -> &[String] {
        &self.recipe.volumes
    }

    fn labels(&self, project: &Project, name: &str, number: &str, one_off: &str) -> Labels {
        let label = |key: &str, value: String| (key.to_owned(), value);
        [
            label(PROJECT, project.name.clone()),
            label(SERVICE, name.to_owned()),
            label(HASH, self.hash.clone()),
            label("com.docker.compose.container-number", number.to_owned()),
            label("com.docker.compose.oneoff", one_off.to_owned()),
            label("com.docker.compose.project.working_dir", project.folder.display().to_string()),
            label("com.docker.compose.project.config_files", project.files.join(",")),
            label("com.docker.compose.version", super::super::COMPOSE_VERSION.to_owned()),
        ]
        .into()
    }
}

/// Hashes a service as Compose's `ServiceHash` does: everything that a container is made from.
/// How images come here, how many there are and what waits for what is left out; so are the bytes
/// of mounted files.
fn config_hash(service: &Map<String, Value>) -> String {
    let mut hashed = service.clone();
    for key in ["build", "pull_policy", "scale", "depends_on", "profiles"] {
        hashed.remove(key);
    }
    if let Some(deploy) = hashed.get_mut("deploy").and_then(Value::as_object_mut) {
        deploy.remove("replicas");
    }
    digest(&sorted(&Value::Object(hashed)).to_string())
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> =
                map.iter().map(|(k, v)| (k, sorted(v))).collect();
            Value::Object(ordered.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn depends_on(service: &Map<String, Value>) -> Vec<(String, Condition)> {
    let map = service.get("depends_on").and_then(Value::as_object);
    let condition = |value: &Value| match value.get("condition").and_then(Value::as_str) {
        Some("service_healthy") => Condition::Healthy,
        Some("service_completed_successfully") => Condition::Completed,
        _ => Condition::Started,
    };
    map.into_iter().flatten().map(|(name, value)| (name.clone(), condition(value))).collect()
}

fn has_healthcheck(service: &Map<String, Value>) -> bool {
    let Some(check) = service.get("healthcheck") else { return false };
    let off = check.get("disable").and_then(Value::as_bool) == Some(true);
    let none = check.get("test").and_then(|test| test.get(0)).and_then(Value::as_str);
    !off && none != Some("NONE")
}

fn named(model: &Map<String, Value>, section: &str, names: Vec<String>) -> Vec<String> {
    let real = |name: String| {
        let given = model.get(section).and_then(|things| things.get(&name)?.get("name")?.as_str());
        given.map_or(name.clone(), str::to_owned)
    };
    names.into_iter().map(real).collect()
}

fn command(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Value::Array(words) => {
            Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => None,
    }
}

fn pairs(value: Option<&Value>) -> impl Iterator<Item = (String, String)> {
    let map = value.and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| {
        (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    })
}

/// Reads the labels of a network or volume.
pub(super) fn labels(value: Option<&Value>) -> Labels {
    pairs(value).collect()
}

/// Refuses dependencies on nothing and circles of them.
pub(super) fn check_dependencies(services: &BTreeMap<String, Service>) -> Result<(), String> {
    for (name, service) in services {
        for (dependency, _) in &service.depends_on {
            if !services.contains_key(dependency) {
                return Err(format!(
                    "service \"{name}\" depends on undefined service \"{dependency}\": invalid compose project"
                ));
            }
        }
    }
    services.keys().try_for_each(|name| walk(services, name, &mut Vec::new()))
}

fn walk<'a>(
    services: &'a BTreeMap<String, Service>,
    name: &'a str,
    path: &mut Vec<&'a str>,
) -> Result<(), String> {
    if let Some(at) = path.iter().position(|before| *before == name) {
        let circle = [&path[at..], &[name]].concat().join(" -> ");
        return Err(format!("dependency cycle detected: {circle}"));
    }
    path.push(name);
    for (dependency, _) in services.get(name).into_iter().flat_map(|s| &s.depends_on) {
        walk(services, dependency, path)?;
    }
    path.pop();
    Ok(())
}
