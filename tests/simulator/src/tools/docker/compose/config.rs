//! `docker compose config`: what the files mean.

use serde_json::Value;

use super::super::{Docker, Failure, Outcome, print, read};
use super::project::Project;
use crate::tools::args::{switch, valued};

impl Docker<'_> {
    /// Runs `docker compose config [-q|--hash …|--services|--images|--format json] [SERVICE…]`.
    pub(super) fn compose_config(&self, project: &Project, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--quiet", "-q"]),
                switch(&["--services"]),
                switch(&["--images"]),
                switch(&["--volumes"]),
                switch(&["--networks"]),
                valued(&["--hash"]),
                valued(&["--format"]),
            ],
        )?;
        let chosen = project.choose(&parsed.words)?;
        if parsed.has("--quiet") {
            return Ok(());
        }
        if let Some(hash) = parsed.value("--hash") {
            return hashes(project, hash);
        }
        let section = |name: &str| {
            let map = project.model.get(name).and_then(Value::as_object);
            map.into_iter().flatten().map(|(name, _)| format!("{name}\n")).collect::<String>()
        };
        if parsed.has("--services") {
            print(chosen.iter().map(|name| format!("{name}\n")).collect::<String>());
        } else if parsed.has("--images") {
            let images = chosen.iter().filter_map(|name| project.services.get(*name));
            print(images.map(|service| format!("{}\n", service.image)).collect::<String>());
        } else if parsed.has("--volumes") {
            print(section("volumes"));
        } else if parsed.has("--networks") {
            print(section("networks"));
        } else {
            whole(project, &chosen, parsed.value("--format"))?;
        }
        Ok(())
    }
}

fn hashes(project: &Project, which: &str) -> Outcome {
    let names: Vec<String> = match which {
        "*" => Vec::new(),
        names => names.split(',').map(str::to_owned).collect(),
    };
    for name in project.choose(&names)? {
        if let Some(service) = project.services.get(name) {
            print(format!("{name} {}\n", service.hash));
        }
    }
    Ok(())
}

fn whole(project: &Project, chosen: &[&str], format: Option<&str>) -> Outcome {
    let mut model = project.model.clone();
    if let Some(Value::Object(services)) = model.get_mut("services") {
        services.retain(|name, _| chosen.contains(&name.as_str()));
    }
    model.values_mut().for_each(escape);
    match format {
        Some("json") => print(format!("{:#}\n", Value::Object(model))),
        Some("yaml") | None => {
            let yaml =
                serde_saphyr::to_string(&model).map_err(|e| Failure::plain(e.to_string()))?;
            print(yaml);
        }
        Some(other) => return Err(Failure::plain(format!("unsupported format \"{other}\""))),
    }
    Ok(())
}

/// Writes a literal dollar as two, so that what is printed can be read again.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('$', "$$"),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(map) => map.values_mut().for_each(escape),
        _ => {}
    }
}

impl Project {
    /// Names the services that were asked for, sorted; all of them when none was.
    pub(super) fn choose<'a>(&'a self, names: &'a [String]) -> Result<Vec<&'a str>, Failure> {
        if let Some(stranger) = names.iter().find(|name| !self.services.contains_key(*name)) {
            return Err(Failure::plain(format!("no such service: {stranger}")));
        }
        if names.is_empty() {
            return Ok(self.services.keys().map(String::as_str).collect());
        }
        let mut chosen: Vec<&str> = names.iter().map(String::as_str).collect();
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}
