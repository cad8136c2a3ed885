//! `ipai images`

use std::collections::BTreeMap;

use ipai_core::desired::{Inputs, compile};
use ipai_core::image::{ImageName, Locked, lock_text};
use ipai_core::stack::Stack;
use ipai_core::{Address, Diagnostic, Outputs, Sources};
use serde_json::{Value as Json, json};

use super::world::{World, open_stack};
use super::{Failed, Outcome, Run, exit};
use crate::load::{Loaded, lock_name};
use crate::providers::{ComposeProject, projects};
use crate::registry::Registries;
use crate::report;
use crate::secrets::disk;

/// List the images of the stack's Compose projects, and lock their tags to digests.
///
/// `--lock` asks each registry what a tag means and writes images.lock.toml; from then on deployments name the digest
/// beside the tag, so that a tag that moves changes nothing by itself. Images that are built on the host have no digest.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai images\n  ipai images --lock && ipai plan\n  ipai images --check   # exits with 1 when a tag has moved"
)]
pub(super) struct Arguments {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    /// Ask the registries and write the lock file.
    #[arg(long, conflicts_with = "check")]
    lock: bool,
    /// Ask the registries and compare with the lock file; exits with 1 when anything differs.
    #[arg(long)]
    check: bool,
}

/// One image of the stack.
struct Image {
    /// Its name for a registry, or why none can be asked.
    asked: Result<ImageName, &'static str>,
    /// Those that use it, as PROJECT/SERVICE.
    services: Vec<String>,
}

type Images = BTreeMap<String, Image>;

/// A name whose digest in the lock file (absent where it is not locked) is not the registry's (absent where no service
/// uses it any more).
struct Difference<'a> {
    name: &'a str,
    locked: Option<&'a String>,
    found: Option<&'a String>,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let asks = arguments.lock || arguments.check;
    if asks && run.global.sandbox.is_some() {
        let problem = Diagnostic::error("The sandbox has no registry").detail(
            "Its images are simulated and have no digests, so it takes no notice of the lock file.",
        );
        return Err(run.problem(problem.hint("ask without --sandbox")));
    }
    let loaded = open_stack(run)?;
    let images = images(run, &loaded).await?;
    let locked = loaded.images.clone().unwrap_or_default();
    let file = lock_name(run.global.environment.as_deref());
    let names: Vec<ImageName> =
        images.values().filter_map(|image| image.asked.clone().ok()).collect();
    let (found, problems) = match asks {
        true => {
            let registries = Registries::new(run.edges).map_err(|problem| run.trouble(&problem))?;
            registries.digests(&names).await
        }
        false => Default::default(),
    };
    let unused = locked.iter().filter(|(name, _)| !images.contains_key(*name));
    let differences: Vec<Difference<'_>> = found
        .iter()
        .map(|(name, digest)| (name, locked.get(name), Some(digest)))
        .filter(|(_, locked, found)| locked != found)
        .chain(unused.map(|(name, digest)| (name, Some(digest), None)))
        .map(|(name, locked, found)| Difference { name, locked, found })
        .collect();
    let failed = |note: String| {
        let texts = problems.iter().map(|p| report::diagnostic(p, &Sources::default(), &run.talk));
        Failed::new(texts.chain([note]).collect::<String>())
    };
    if arguments.lock && !problems.is_empty() {
        return Err(failed(format!("{file} was not touched.")));
    }
    let now = if arguments.lock { &found } else { &locked };
    if arguments.json {
        let json = document(loaded.stack.id.as_str(), &images, now, &found, &differences);
        run.print(&format!("{}\n", report::json_text(&json, true)));
    } else if asks {
        run.print(&differences.iter().map(Difference::line).collect::<String>());
    } else {
        run.print(&report::clean(&images.iter().map(|i| text(i, &locked)).collect::<String>()));
    }
    if arguments.lock {
        write(run, &loaded, &file, &found)?;
    }
    if !problems.is_empty() {
        return Err(failed(String::new()));
    }
    if arguments.check && differences.is_empty() {
        run.say(&format!("Every tag means what {file} says."));
    }
    Ok(if arguments.check && !differences.is_empty() { exit::ERROR } else { exit::OK })
}

fn write(run: &Run<'_>, loaded: &Loaded, file: &str, found: &Locked) -> Result<(), Failed> {
    let (before, text) = (loaded.sources.text(file), lock_text(found));
    if before == Some(text.as_str()) {
        run.say(&format!("{file} says so already."));
        return Ok(());
    }
    disk::replace(&run.global.folder.join(file), before, &text).map_err(|error| {
        let why = match error {
            disk::WriteError::Io(error) => error.to_string(),
            _ => "somebody else is changing it; try again".to_owned(),
        };
        let problem = Diagnostic::error("The lock file cannot be written");
        run.trouble(&problem.detail(format!("{file}: {why}.")))
    })?;
    run.say(&format!("Wrote {file}. ipai plan shows what it changes."));
    Ok(())
}

/// The images of all Compose projects by name. Providers are asked only when a Compose file needs what they say.
async fn images(run: &Run<'_>, loaded: &Loaded) -> Result<Images, Failed> {
    // Digests of files make a project wait for what those wait for; its images do not.
    let mut stack = loaded.stack.clone();
    stack.resources.retain(|r| (&*r.address.provider, &*r.address.kind) != ("host", "file"));
    let mut all = unpinned(loaded, &stack, &BTreeMap::new());
    if all.iter().any(|project| project.services.is_empty()) {
        let world = World::open(run).await?;
        let places = world.places(run).await;
        let known = places.map(|p| unpinned(&world.loaded, &world.loaded.stack, &p.outputs));
        world.close().await;
        all = known?;
    }
    if let Some(project) = all.iter().find(|project| project.services.is_empty()) {
        let problem = Diagnostic::error("Images that are not known yet")
            .detail(format!(
                "The file of `{}` needs a value that is still to be made.",
                project.address
            ))
            .hint(format!("{} makes it", run.command("apply")));
        return Err(run.trouble(&problem));
    }
    if all.is_empty() {
        let problem = Diagnostic::error("No images").detail("This stack has no Compose project.");
        return Err(run.trouble(&problem.hint("ipai explain host.compose shows one")));
    }
    Ok(by_name(&all))
}

fn unpinned(
    loaded: &Loaded,
    stack: &Stack,
    outputs: &BTreeMap<Address, Outputs>,
) -> Vec<ComposeProject> {
    loaded.with_inputs(outputs, |inputs| {
        projects(&compile(&Inputs { stack, images: None, ..*inputs }).0.resources)
    })
}

fn by_name(projects: &[ComposeProject]) -> Images {
    let mut images = Images::new();
    for project in projects {
        for (service, about) in &project.services {
            let place = format!("{}/{service}", project.name);
            // What Compose itself calls the image of a service that names none.
            let own = format!("{}-{service}", project.name);
            let written = about.image.clone().unwrap_or(own);
            let asked = match about.pulled {
                true => ImageName::parse(&written),
                false => Err("it is made on the host"),
            };
            let name = asked.as_ref().map_or(written, |image| image.name.clone());
            let image = images
                .entry(name)
                .or_insert_with(|| Image { asked: asked.clone(), services: Vec::new() });
            if image.asked.is_err() {
                image.asked = asked;
            }
            image.services.push(place);
        }
    }
    images
}

fn text((name, image): (&String, &Image), locked: &Locked) -> String {
    let state = match (&image.asked, locked.get(name)) {
        (Err(why), _) => format!("cannot be locked: {why}"),
        (Ok(_), Some(digest)) => digest.clone(),
        (Ok(_), None) => "not locked".to_owned(),
    };
    format!("{name}\n    {state}\n    {}\n", image.services.join(", "))
}

impl Difference<'_> {
    fn line(&self) -> String {
        let Self { name, .. } = self;
        match (self.locked, self.found) {
            (Some(locked), Some(found)) => format!("{name} moved: {locked} → {found}\n"),
            (None, Some(found)) => format!("{name} was not locked: {found}\n"),
            _ => format!("{name} is locked and no longer used\n"),
        }
    }
}

fn document(
    stack: &str,
    images: &Images,
    locked: &Locked,
    found: &Locked,
    differences: &[Difference<'_>],
) -> Json {
    let image = |(name, image): (&String, &Image)| {
        json!({
            "name": name,
            "services": image.services,
            "cannot_be_locked": image.asked.as_ref().err(),
            "locked": locked.get(name),
            "found": found.get(name),
        })
    };
    let difference =
        |d: &Difference<'_>| json!({"name": d.name, "locked": d.locked, "found": d.found});
    json!({
        "format_version": "1.0",
        "stack": stack,
        "images": images.iter().map(image).collect::<Vec<_>>(),
        "differences": differences.iter().map(difference).collect::<Vec<_>>(),
    })
}
