//! From compose files to a project.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::Failure;
use super::interpolate::{Variables, interpolate_tree};
use super::service::Service;
use super::{dotenv, merge, resolve, validate};
use crate::tools::args::Parsed;
use crate::tools::yaml;

const DEFAULT_FILES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// A project as Compose sees it after reading everything.
pub(super) struct Project {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) files: Vec<String>,
    /// The merged, resolved model: what `config` prints.
    pub(super) model: Map<String, Value>,
    /// The services of active profiles.
    pub(super) services: BTreeMap<String, Service>,
    /// The services that exist in the files and wait for a profile.
    pub(super) disabled: Vec<String>,
}

impl Project {
    /// Reads the project that the options of `docker compose` name.
    pub(super) fn load(global: &Parsed) -> Result<Self, Failure> {
        Self::read(global)?
            .ok_or_else(|| Failure::plain("no configuration file provided: not found"))
    }

    /// Reads the project, or takes its name alone when there is no file: enough for commands that
    /// find containers by their labels.
    pub(super) fn load_or_bare(global: &Parsed) -> Result<Self, Failure> {
        match (Self::read(global)?, global.value("--project-name")) {
            (Some(project), _) => Ok(project),
            (None, Some(name)) => Ok(Self {
                name: name.to_owned(),
                folder: folder(global, &[]),
                files: Vec::new(),
                model: Map::new(),
                services: BTreeMap::new(),
                disabled: Vec::new(),
            }),
            (None, None) => Err(Failure::plain("no configuration file provided: not found")),
        }
    }

    fn read(global: &Parsed) -> Result<Option<Self>, Failure> {
        let named: Vec<&str> = global.values("--file").collect();
        let folder = folder(global, &named);
        let files: Vec<String> = if named.is_empty() {
            let found =
                DEFAULT_FILES.iter().map(|name| folder.join(name)).find(|path| path.exists());
            found.iter().map(|path| path.to_string_lossy().into_owned()).collect()
        } else {
            named.into_iter().map(str::to_owned).collect()
        };
        if files.is_empty() {
            return Ok(None);
        }
        let variables = variables(global, &folder)?;
        let mut model = Value::Object(Map::new());
        for file in &files {
            for document in documents(file, &variables).map_err(Failure::plain)? {
                merge::merge(&mut model, Value::Object(document), "");
            }
        }
        let Value::Object(mut model) = model else {
            return Err(Failure::plain("empty compose file"));
        };
        let name = project_name(global, &model, &variables, &folder)?;
        model.insert("name".to_owned(), Value::String(name.clone()));
        let profiles = profiles(global, &variables);
        let disabled = take_disabled(&mut model, &profiles);
        resolve::resolve(&mut model, &name, &folder, &variables).map_err(Failure::plain)?;
        let services = Service::all(&name, &model);
        super::service::check_dependencies(&services).map_err(Failure::plain)?;
        Ok(Some(Self { name, folder, files, model, services, disabled }))
    }
}

fn folder(global: &Parsed, files: &[&str]) -> PathBuf {
    let first = files.first().filter(|file| **file != "-").map(|file| Path::new(*file));
    let parent = first.and_then(Path::parent).unwrap_or(Path::new("."));
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let named = global.value("--project-directory").map_or(parent, Path::new);
    std::fs::canonicalize(named).unwrap_or_else(|_| named.to_owned())
}

/// The environment wins over `--env-file`, which stands in for `.env`.
fn variables(global: &Parsed, folder: &Path) -> Result<Variables, Failure> {
    let environment: Variables = std::env::vars().collect();
    let mut from_files = Variables::new();
    let mut files: Vec<PathBuf> = global.values("--env-file").map(PathBuf::from).collect();
    if files.is_empty() {
        files.extend(Some(folder.join(".env")).filter(|path| path.exists()));
    }
    for file in files {
        let text = std::fs::read_to_string(&file)
            .map_err(|_| Failure::plain(format!("couldn't find env file: {}", file.display())))?;
        let mut known = from_files.clone();
        known.extend(environment.clone());
        let read = dotenv::parse(&text, &known).map_err(|problem| {
            Failure::plain(format!("failed to read {}: {problem}", file.display()))
        })?;
        from_files.extend(read);
    }
    from_files.extend(environment);
    Ok(from_files)
}

fn documents(file: &str, variables: &Variables) -> Result<Vec<Map<String, Value>>, String> {
    let text = if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| format!("stdin: {error}"))?;
        text
    } else {
        std::fs::read_to_string(file)
            .map_err(|_| format!("open {file}: no such file or directory"))?
    };
    let read = yaml::strict_documents(&text)
        .map_err(|problem| format!("failed to parse {file}: {problem}"))?;
    let mut found = Vec::new();
    for document in read {
        let Value::Object(mut map) = document else {
            return Err(format!("failed to parse {file}: top-level object must be a mapping"));
        };
        for (section, value) in &mut map {
            interpolate_tree(value, section, variables)?;
        }
        validate::validate(&map).map_err(|problem| format!("validating {file}: {problem}"))?;
        merge::normalize(&mut map);
        found.push(map);
    }
    if found.is_empty() { Err("empty compose file".to_owned()) } else { Ok(found) }
}

fn project_name(
    global: &Parsed,
    model: &Map<String, Value>,
    variables: &Variables,
    folder: &Path,
) -> Result<String, Failure> {
    let from_folder = || folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let name = global
        .value("--project-name")
        .map(str::to_owned)
        .or_else(|| variables.get("COMPOSE_PROJECT_NAME").cloned())
        .or_else(|| model.get("name").and_then(Value::as_str).map(str::to_owned))
        .or_else(from_folder)
        .unwrap_or_default();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.chars().all(good) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(name);
    }
    Err(Failure::plain(format!(
        "invalid project name \"{name}\": must consist only of lowercase alphanumeric characters, \
         hyphens, and underscores as well as start with a letter or number"
    )))
}

fn profiles(global: &Parsed, variables: &Variables) -> Vec<String> {
    let named = global.values("--profile").map(str::to_owned);
    let listed = variables.get("COMPOSE_PROFILES").map_or("", String::as_str).split(',');
    named.chain(listed.map(str::to_owned)).filter(|name| !name.is_empty()).collect()
}

/// Takes the services of inactive profiles out and returns their names.
fn take_disabled(model: &mut Map<String, Value>, active: &[String]) -> Vec<String> {
    let Some(services) = model.get_mut("services").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let mut disabled = Vec::new();
    services.retain(|name, service| {
        let profiles = service.get("profiles").and_then(Value::as_array);
        let names: Vec<&str> = profiles.into_iter().flatten().filter_map(Value::as_str).collect();
        let on =
            names.is_empty() || names.iter().any(|p| active.iter().any(|a| a == p || a == "*"));
        if !on {
            disabled.push(name.clone());
        }
        on
    });
    disabled
}
