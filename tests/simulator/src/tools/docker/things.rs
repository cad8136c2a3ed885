//! Images, volumes and networks by name.

use super::super::args::{switch, valued};
use super::super::complain;
use super::containers::label_fits;
use super::engine::{Container, Engine, Thing};
use super::{Docker, Failure, Outcome, print, read, show, unknown, volumes};

impl Docker<'_> {
    /// Runs `docker image|volume|network|system VERB …`.
    pub(super) fn things(&self, noun: &str, verb: &str, rest: &[String]) -> Outcome {
        match (noun, verb) {
            ("image", "inspect") => self.inspect_images(rest),
            ("image", "ls") => self.list_images(rest),
            ("image", "pull") => self.pull(rest),
            ("image", "rm") => self.remove_images(rest),
            ("image", "tag") => self.tag(rest),
            ("image", "prune") | ("system", "prune") => self.prune_images(),
            ("volume", "create") => self.create_volume(rest),
            ("volume" | "network", "ls") => self.list(noun, rest),
            ("volume" | "network", "rm") => self.remove(noun, rest),
            ("volume" | "network", "inspect") => self.inspect_things(noun, rest),
            _ => Err(unknown(&format!("{noun} {verb}"))),
        }
    }

    fn list(&self, noun: &str, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[
                switch(&["--quiet", "-q"]),
                switch(&["--no-trunc"]),
                valued(&["--filter", "-f"]),
                valued(&["--format"]),
            ],
        )?;
        let filters: Vec<&str> = parsed.values("--filter").collect();
        let names: Vec<String> = self.engine(|engine| {
            let things = all(engine, noun).iter();
            things
                .filter(|(name, thing)| fits(name, thing, &filters))
                .map(|(n, _)| n.clone())
                .collect()
        })?;
        if !parsed.has("--quiet") && parsed.value("--format").is_none() {
            print(if noun == "volume" { "DRIVER\tVOLUME NAME\n" } else { "NAME\tDRIVER\tSCOPE\n" });
        }
        for name in &names {
            match parsed.value("--format") {
                _ if parsed.has("--quiet") => print(format!("{name}\n")),
                Some(format) => show(format, &serde_json::json!({"Name": name}))?,
                None if noun == "volume" => print(format!("local\t{name}\n")),
                None => print(format!("{name}\tbridge\tlocal\n")),
            }
        }
        Ok(())
    }

    fn remove(&self, noun: &str, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[switch(&["--force", "-f"])])?;
        let mut failed = false;
        for name in &parsed.words {
            let removed = self.engine(|engine| remove(engine, noun, name))?;
            match removed {
                Ok(()) => print(format!("{name}\n")),
                Err(failure) => {
                    complain(failure.text);
                    failed = true;
                }
            }
        }
        if failed { Err(Failure::silent(1)) } else { Ok(()) }
    }

    fn inspect_things(&self, noun: &str, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[valued(&["--format", "-f"])])?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        self.engine(|engine| {
            for name in &parsed.words {
                match all(engine, noun).get(name) {
                    Some(thing) => found.push(serde_json::json!({
                        "Mountpoint": volumes::mountpoint(self.state, name),
                        "Name": name, "Driver": if noun == "volume" { "local" } else { "bridge" },
                        "CreatedAt": thing.created, "Labels": thing.labels, "Scope": "local",
                    })),
                    None => missing
                        .push(format!("Error response from daemon: {}", not_found(noun, name))),
                }
            }
        })?;
        super::inspect::show_all(parsed.value("--format"), found, &missing)
    }
}

fn all<'a>(
    engine: &'a mut Engine,
    noun: &str,
) -> &'a mut std::collections::BTreeMap<String, Thing> {
    if noun == "volume" { &mut engine.volumes } else { &mut engine.networks }
}

fn fits(name: &str, thing: &Thing, filters: &[&str]) -> bool {
    filters.iter().all(|filter| match filter.split_once('=') {
        Some(("label", label)) => label_fits(&thing.labels, label),
        Some(("name", part)) => name.contains(part),
        _ => false,
    })
}

/// Removes a volume or network that no container uses.
pub(super) fn remove(engine: &mut Engine, noun: &str, name: &str) -> Result<(), Failure> {
    let uses = |container: &&Container| {
        let recipe = &container.recipe;
        let used = if noun == "volume" { &recipe.volumes } else { &recipe.networks };
        used.iter().any(|used| used == name)
    };
    let user = engine.containers.iter().find(uses).map(|container| container.id.clone());
    match (user, noun) {
        (Some(id), "volume") => {
            Err(Failure::engine(format!("remove {name}: volume is in use - [{id}]")))
        }
        (Some(_), _) => Err(Failure::engine(format!("network {name} has active endpoints"))),
        (None, _) if all(engine, noun).remove(name).is_some() => Ok(()),
        (None, _) => Err(Failure::engine(not_found(noun, name))),
    }
}

fn not_found(noun: &str, name: &str) -> String {
    if noun == "volume" {
        format!("get {name}: no such volume")
    } else {
        format!("network {name} not found")
    }
}
