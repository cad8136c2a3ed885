//! Makes a merged model say everything itself: files of variables are read, paths are absolute,
//! what it refers to exists.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::dotenv;
use super::interpolate::Variables;

/// Resolves every service in place. Errors are Compose's own texts.
pub(super) fn resolve(
    model: &mut Map<String, Value>,
    project: &str,
    folder: &Path,
    variables: &Variables,
) -> Result<(), String> {
    let declared = Declared::read(model);
    let mut uses_default = false;
    let services = model.get_mut("services").and_then(Value::as_object_mut);
    for (name, service) in services.into_iter().flatten() {
        let Value::Object(service) = service else { continue };
        if service.get("image").is_none() && service.get("build").is_none() {
            return Err(format!(
                "service \"{name}\" has neither an image nor a build context specified: invalid compose project"
            ));
        }
        environment(service, folder, variables)?;
        texts(service, "labels");
        mounts(service, folder);
        if !service.contains_key("networks") && !service.contains_key("network_mode") {
            service.insert("networks".to_owned(), json!({"default": null}));
        }
        uses_default |= service.get("networks").is_some_and(|n| n.get("default").is_some());
        declared.check(name, service)?;
    }
    if uses_default {
        section(model, "networks").entry("default").or_insert(Value::Null);
    }
    for kind in ["networks", "volumes"] {
        if model.contains_key(kind) {
            name_things(section(model, kind), project);
        }
    }
    Ok(())
}

/// What the top level declares, by section.
struct Declared(Vec<(&'static str, &'static str, Vec<String>)>);

impl Declared {
    fn read(model: &Map<String, Value>) -> Self {
        let sections = [
            ("networks", "network"),
            ("volumes", "volume"),
            ("secrets", "secret"),
            ("configs", "config"),
        ];
        Self(
            sections
                .map(|(section, word)| {
                    let names = model.get(section).and_then(Value::as_object);
                    (
                        section,
                        word,
                        names.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
                    )
                })
                .into(),
        )
    }

    fn check(&self, service: &str, value: &Map<String, Value>) -> Result<(), String> {
        for (section, word, names) in &self.0 {
            for used in used(value, section) {
                let implied = *section == "networks" && used == "default";
                if !implied && !names.contains(&used) {
                    return Err(format!(
                        "service \"{service}\" refers to undefined {word} {used}: invalid compose project"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Names what a service uses of a section.
pub(super) fn used(service: &Map<String, Value>, section: &str) -> Vec<String> {
    match service.get(section) {
        Some(Value::Object(map)) => map.keys().cloned().collect(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| source(item, section)).collect()
        }
        _ => Vec::new(),
    }
}

fn source(item: &Value, section: &str) -> Option<String> {
    match item {
        Value::String(text) if section == "volumes" => {
            let (source, _) = text.split_once(':')?;
            (!is_path(source)).then(|| source.to_owned())
        }
        Value::String(text) => Some(text.clone()),
        mount if section == "volumes" && mount.get("type")?.as_str()? != "volume" => None,
        other => other.get("source")?.as_str().map(str::to_owned),
    }
}

fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~'])
}

/// Folds `env_file` into `environment`, which wins; a name without value takes the outer one.
fn environment(
    service: &mut Map<String, Value>,
    folder: &Path,
    variables: &Variables,
) -> Result<(), String> {
    let mut found = Map::new();
    for file in service.remove("env_file").as_ref().and_then(Value::as_array).into_iter().flatten()
    {
        let path = file.as_str().or_else(|| file.get("path")?.as_str()).unwrap_or_default();
        let required = file.get("required").and_then(Value::as_bool).unwrap_or(true);
        let path = on_this_machine(folder, path);
        let Ok(text) = fs::read_to_string(&path) else {
            if !required {
                continue;
            }
            let path = path.display();
            return Err(format!(
                "env file {path} not found: stat {path}: no such file or directory"
            ));
        };
        let raw = file.get("format").and_then(Value::as_str) == Some("raw");
        let read = if raw { raw_lines(&text) } else { dotenv::parse(&text, variables)? };
        found.extend(read.into_iter().map(|(name, value)| (name, Value::String(value))));
    }
    if let Some(Value::Object(own)) = service.remove("environment") {
        found.extend(own);
    }
    found.retain(|name, value| {
        if value.is_null() {
            *value = variables.get(name).cloned().map_or(Value::Null, Value::String);
        }
        !value.is_null()
    });
    if !found.is_empty() {
        service.insert("environment".to_owned(), Value::Object(found));
        texts(service, "environment");
    }
    Ok(())
}

fn raw_lines(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect()
}

/// Makes every value of a mapping a text, as it will be in the container.
fn texts(service: &mut Map<String, Value>, key: &str) {
    let map = service.get_mut(key).and_then(Value::as_object_mut);
    for (_, value) in map.into_iter().flatten() {
        *value = match value.take() {
            Value::String(text) => Value::String(text),
            Value::Null => Value::String(String::new()),
            other => Value::String(other.to_string()),
        };
    }
}

fn mounts(service: &mut Map<String, Value>, folder: &Path) {
    let list = service.get_mut("volumes").and_then(Value::as_array_mut);
    for mount in list.into_iter().flatten() {
        if let Value::String(text) = mount
            && let Some((source, rest)) = text.split_once(':')
            && source.starts_with('.')
        {
            *text = format!("{}:{rest}", absolute(folder, source).display());
        }
    }
}

/// Gives networks and volumes the names that the engine knows them by.
fn name_things(things: &mut Map<String, Value>, project: &str) {
    for (name, thing) in things {
        let external = thing.get("external").and_then(Value::as_bool) == Some(true);
        let full = if external { name.clone() } else { format!("{project}_{name}") };
        if !thing.is_object() {
            *thing = json!({});
        }
        if let Value::Object(map) = thing {
            map.entry("name").or_insert(Value::String(full));
        }
    }
}

fn section<'a>(model: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = model.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

fn absolute(folder: &Path, path: &str) -> PathBuf {
    let mut full = folder.to_owned();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(full.pop()),
            other => full.push(other),
        }
    }
    full
}

/// Finds a path of the host on this machine: absolute ones are below the host's root.
fn on_this_machine(folder: &Path, path: &str) -> PathBuf {
    let full = absolute(folder, path);
    match std::env::var_os("IPAI_ROOT") {
        Some(root) if !full.starts_with(&root) => {
            let inside = full.strip_prefix("/").unwrap_or(&full);
            Path::new(&root).join(inside)
        }
        _ => full,
    }
}
