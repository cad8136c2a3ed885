//! Which variable holds the tag of a service's image: the one whose change changes the image so, found by trying.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::desired::{Inputs, compile};
use ipai_core::image::ImageName;
use ipai_core::tree::{Data, Node};
use ipai_core::{Diagnostic, Span};

use super::super::places::Places;
use super::super::{Failed, Run};
use crate::load::Loaded;
use crate::providers::{ComposeProject, ComposeService, projects};

type Services = BTreeMap<String, ComposeService>;

/// The variable that holds a tag, and what it is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) variable: String,
    pub(super) old: String,
    pub(super) new: String,
    /// The part of the value that is exchanged, and by what.
    pub(super) part: (String, String),
    /// Where the value stands.
    pub(super) span: Span,
    /// The services whose images change with it, each with the image that it is to have.
    pub(super) services: Vec<(String, String)>,
    /// Their new images that the stack's lock file lacks.
    pub(super) unlocked: BTreeSet<String>,
}

impl Holder {
    pub(super) fn line(&self) -> String {
        let Self { variable, old, new, span, services, .. } = self;
        let names: Vec<&str> = services.iter().map(|(name, _)| name.as_str()).collect();
        format!("{}: {variable} = \"{old}\" → \"{new}\" ({})", span.file, names.join(", "))
    }
}

/// Finds it; nothing when the image has the tag already.
pub(super) fn find(
    run: &Run<'_>,
    loaded: &Loaded,
    places: &Places,
    project: &ComposeProject,
    service: &str,
    tag: &str,
) -> Result<Option<Holder>, Failed> {
    // By their tags: digests of the lock file are no part of what the stack says.
    let before = images(loaded, places, project, None);
    let image = before.get(service).and_then(|service| service.image.as_deref());
    let Some((_, old)) = image.and_then(split) else {
        let problem = Diagnostic::error("No tag to exchange")
            .detail(format!("The image of `{service}` has no tag: {}.", image.unwrap_or("none")))
            .hint("write `image: NAME:{{ var.SERVICE_version }}` into the Compose file");
        return Err(run.trouble(&problem));
    };
    if old == tag {
        return Ok(None);
    }
    let mut holders: Vec<Holder> = Vec::new();
    for (name, node) in &loaded.stack.variables {
        let of = (project, &before, service);
        holders.extend(candidate(loaded, places, of, old, tag, name, node));
    }
    // What a tag begins with is the version of the thing itself; what comes behind is of something that it holds.
    if holders.len() > 1 && holders.iter().any(|holder| old.starts_with(&holder.part.0)) {
        holders.retain(|holder| old.starts_with(&holder.part.0));
    }
    match holders.len() {
        1 => Ok(holders.pop()),
        0 => Err(none(run, loaded, service, old)),
        _ => Err(several(run, loaded, service, &holders)),
    }
}

/// Name and tag of an image. A port has a slash behind it, and a digest is no tag.
fn split(image: &str) -> Option<(&str, &str)> {
    let (name, tag) = image.rsplit_once(':')?;
    (!tag.contains('/') && !name.contains('@')).then_some((name, tag))
}

fn candidate(
    loaded: &Loaded,
    places: &Places,
    (project, before, service): (&ComposeProject, &Services, &str),
    old: &str,
    tag: &str,
    name: &str,
    node: &Node,
) -> Option<Holder> {
    let Data::Text(text) = &node.data else { return None };
    let value = loaded.variables.get(name).unwrap_or(text);
    let part = split(value).map_or(value.as_str(), |(_, tag)| tag);
    if part.is_empty() || !old.contains(part) || value.matches(part).count() != 1 {
        return None;
    }
    let new = value.replacen(part, tag, 1);
    let after = images(loaded, places, project, Some((name, &new)));
    let wanted = old.replacen(part, tag, 1);
    let got = after.get(service).and_then(|service| split(service.image.as_deref()?));
    let got = got.map(|(_, tag)| tag);
    if got != Some(wanted.as_str()) {
        return None;
    }
    let is_new = |(name, service): &(&String, &ComposeService)| {
        before.get(*name).is_none_or(|before| before.image != service.image)
    };
    let changed: Vec<_> = after.iter().filter(is_new).collect();
    let locked = loaded.images.as_ref().filter(|_| !loaded.sandbox);
    let unlocked = |(_, service): &(&String, &ComposeService)| {
        let name = ImageName::parse(service.image.as_ref().filter(|_| service.pulled)?).ok()?.name;
        (!locked?.contains_key(&name)).then_some(name)
    };
    Some(Holder {
        variable: name.to_owned(),
        old: value.clone(),
        new,
        part: (part.to_owned(), tag.to_owned()),
        span: node.span.clone(),
        unlocked: changed.iter().filter_map(unlocked).collect(),
        services: changed
            .iter()
            .filter_map(|(name, service)| Some(((*name).clone(), service.image.clone()?)))
            .collect(),
    })
}

/// A project's services as their file names their images, if a variable were another.
fn images(
    loaded: &Loaded,
    places: &Places,
    project: &ComposeProject,
    changed: Option<(&str, &str)>,
) -> Services {
    let mut variables = loaded.variables.clone();
    variables.extend(changed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (desired, _) = loaded.with_inputs(&places.outputs, |inputs| {
        compile(&Inputs { variables: &variables, images: None, ..*inputs })
    });
    let all = projects(&desired.resources);
    let own = all.into_iter().find(|other| other.address == project.address);
    own.map(|project| project.services).unwrap_or_default()
}

fn none(run: &Run<'_>, loaded: &Loaded, service: &str, tag: &str) -> Failed {
    let lines = loaded.sources.0.iter().flat_map(|(file, text)| {
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains(tag));
        lines.map(move |(number, _)| format!("{file}:{}", number + 1))
    });
    let lines: Vec<String> = lines.take(10).collect();
    let problem = Diagnostic::error("No variable holds the tag")
        .detail(format!("The tag `{tag}` of `{service}` comes from no variable of `[var]` alone."));
    run.trouble(&problem.hint(match lines.is_empty() {
        true => "put it into one: [var] and {{ var.NAME }} in the Compose file".to_owned(),
        false => format!(
            "it stands in {}; edit it there, then: {}",
            lines.join(", "),
            run.command("apply")
        ),
    }))
}

fn several(run: &Run<'_>, loaded: &Loaded, service: &str, holders: &[Holder]) -> Failed {
    let place = |holder: &Holder| {
        let line = loaded.sources.position(&holder.span).map_or(0, |position| position.line);
        format!("{}:{line} ({})", holder.span.file, holder.variable)
    };
    let places: Vec<String> = holders.iter().map(place).collect();
    let problem = Diagnostic::error("Several variables could hold the tag")
        .detail(format!("Each of these makes the image of `{service}`: {}.", places.join(", ")))
        .hint(format!("edit the one that is meant, then: {}", run.command("apply")));
    run.trouble(&problem)
}
