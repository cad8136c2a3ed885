//! Which declared files a service uses, and the digest that stands for what is in them.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::{Content, DesiredResource, Reference, Value, hash};
use serde_json::json;

use super::project::{How, Project, Service};
use crate::file::path::is_within;

/// The documents and digests that ipai adds to a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    /// By service, over the files whose change needs a new container. Becomes a label, so that Compose sees it.
    pub(crate) recreate: BTreeMap<String, String>,
    /// By service, over the files that a reload takes in.
    pub(crate) reload: BTreeMap<String, String>,
    /// What the digests still wait for.
    pub(crate) waits_for: BTreeSet<Reference>,
    /// Services that should reload but mount a single file: the old one stays mounted when it is renamed over.
    pub(crate) stuck: BTreeMap<String, String>,
}

/// Works out the digests of all services.
///
/// `reloading` are the services that take changes of mounted files in by themselves. What a container reads
/// only when it is created (`env_file`, build contexts, files that are mounted singly) needs a new one all the same.
pub(crate) fn digests(
    project: &Project,
    files: &[&DesiredResource],
    reloading: &BTreeSet<String>,
) -> Digests {
    let mut digests = Digests::default();
    for (name, service) in &project.services {
        let (mut fixed, mut loaded) = (Vec::new(), Vec::new());
        for file in files {
            let Some(path) = file.text("path") else { continue };
            let Some(fit) = fit(service, path) else { continue };
            file.attributes.values().for_each(|v| v.collect_unknown(&mut digests.waits_for));
            let reloads = reloading.contains(name) && fit == Fit::Below;
            if reloading.contains(name) && fit == Fit::Single {
                digests.stuck.insert(name.clone(), path.to_owned());
            }
            if reloads { loaded.push(describe(file)) } else { fixed.push(describe(file)) }
        }
        add(&mut digests.recreate, name, fixed);
        add(&mut digests.reload, name, loaded);
    }
    digests
}

fn add(map: &mut BTreeMap<String, String>, name: &str, mut lines: Vec<String>) {
    if !lines.is_empty() {
        lines.sort();
        map.insert(name.to_owned(), hash::short_hash(lines.join("\n").as_bytes()));
    }
}

/// How a file stands to the paths that a service uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Only read when the container is created.
    Read,
    /// Mounted by itself.
    Single,
    /// Below a mounted folder.
    Below,
}

fn fit(service: &Service, path: &str) -> Option<Fit> {
    let fits = service.uses.iter().filter(|used| is_within(path, &used.path));
    let fit = |used: &super::project::Use| match used.how {
        How::Read => Fit::Read,
        How::Mounted if used.path == path => Fit::Single,
        How::Mounted => Fit::Below,
    };
    // The use that asks for most wins.
    let all: Vec<Fit> = fits.map(fit).collect();
    [Fit::Read, Fit::Single, Fit::Below].into_iter().find(|wanted| all.contains(wanted))
}

/// One file as a line. A sensitive content enters by its keyed digest.
fn describe(file: &DesiredResource) -> String {
    let content = file.attributes.get("content").and_then(Value::as_content).map(identity);
    json!([file.text("path"), content, file.text("mode"), file.text("owner")]).to_string()
}

fn identity(content: &Content) -> &str {
    content.keyed.as_deref().unwrap_or(&content.sha256)
}
