//! Containers of Compose projects, and the one word that tells how a service is.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::compose::{COMPLETED, RUNNING};
use crate::manifest::HashRecord;

/// No container of the service exists.
pub(crate) const MISSING: &str = "missing";
/// Compose would create it anew: another image, another setting, another mounted file.
pub(crate) const OUTDATED: &str = "outdated";
/// Its files changed and it has not taken them in.
pub(crate) const OLD_CONFIGURATION: &str = "old configuration loaded";
/// It was started while a file that it uses held something else than the stack says.
pub(crate) const DRIFTED_CONFIGURATION: &str = "drifted configuration loaded";

/// One container, as Docker describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `running`, `exited`, `created`, `restarting`, `paused`, `dead`.
    pub(crate) status: String,
    pub(crate) exit_code: i64,
    /// `starting`, `healthy` or `unhealthy`; absent without a health check.
    pub(crate) health: Option<String>,
    /// When it was last started, in RFC 3339.
    pub(crate) started: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// The id of its image.
    pub(crate) image: String,
    /// What the image was called when the container was created.
    pub(crate) image_name: String,
    /// Volumes by name, and mounted folders of the host, that it sees.
    pub(crate) mounts: Vec<String>,
}

impl Container {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// The Compose project that it belongs to.
    pub(crate) fn project(&self) -> Option<&str> {
        self.label("com.docker.compose.project")
    }

    /// The service of which it is a container; a `docker compose run` is none.
    pub(crate) fn service(&self) -> Option<&str> {
        let one_off = self.label("com.docker.compose.oneoff").is_some_and(|is| is == "True");
        self.label("com.docker.compose.service").filter(|_| !one_off)
    }

    /// What Compose called its configuration when it created it.
    pub(crate) fn config_hash(&self) -> Option<&str> {
        self.label("com.docker.compose.config-hash")
    }

    /// Tells whether this stack's ipai created it.
    pub(crate) fn is_of(&self, stack: &str) -> bool {
        self.label("ipai.stack") == Some(stack)
    }

    /// How it is, in one word or two.
    pub(crate) fn word(&self) -> String {
        match (self.status.as_str(), self.health.as_deref()) {
            ("running", Some("healthy") | None) => RUNNING.to_owned(),
            ("running", Some(health)) => health.to_owned(),
            ("exited" | "dead", _) if self.exit_code == 0 => COMPLETED.to_owned(),
            ("exited" | "dead", _) => format!("exited ({})", self.exit_code),
            (status, _) => status.to_owned(),
        }
    }

    /// Tells whether it ever ran: Docker writes the year 1 until then.
    pub(crate) fn has_run(&self) -> bool {
        !self.started.is_empty() && !self.started.starts_with("0001-")
    }

    /// Tells whether it ended in failure and nobody will start it again.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.status.as_str(), "exited" | "dead") && self.exit_code != 0
    }
}

/// Reads one line of JSON for each container.
pub(crate) fn read_containers(text: &str) -> Option<Vec<Container>> {
    text.lines().filter(|line| !line.trim().is_empty()).map(read_container).collect()
}

fn read_container(line: &str) -> Option<Container> {
    let whole: Json = serde_json::from_str(line).ok()?;
    let (id, name, state, labels) = (whole.get(0)?, whole.get(1)?, whole.get(2)?, whole.get(3)?);
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let health = state.get("Health").and_then(|health| text(health.get("Status")?));
    let labels = labels.as_object().into_iter().flatten();
    let further = |place: usize| whole.get(place).and_then(text).unwrap_or_default();
    let mounts = whole.get(6).and_then(Json::as_array).into_iter().flatten();
    let mount = |mount: &Json| {
        let volume = mount.get("Type").and_then(Json::as_str) == Some("volume");
        mount.get(if volume { "Name" } else { "Source" }).and_then(text)
    };
    Some(Container {
        id: text(id)?,
        name: text(name)?.trim_start_matches('/').to_owned(),
        status: text(state.get("Status")?)?,
        exit_code: state.get("ExitCode").and_then(Json::as_i64).unwrap_or(0),
        health: health.filter(|status| status != "none"),
        started: state.get("StartedAt").and_then(text).unwrap_or_default(),
        labels: labels.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
        image: further(4),
        image_name: further(5),
        mounts: mounts.filter_map(mount).collect(),
    })
}

/// The containers of one project by service.
pub(crate) fn by_service<'a>(
    containers: &'a [Container],
    project: &str,
) -> BTreeMap<&'a str, Vec<&'a Container>> {
    let mut services: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for container in containers.iter().filter(|c| c.project() == Some(project)) {
        if let Some(service) = container.service() {
            services.entry(service).or_default().push(container);
        }
    }
    services
}

/// How the wanted configuration of a service is told from another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// What Compose calls the wanted configuration now.
    pub(crate) asked: &'a str,
    /// What it and the containers were called when the service was brought up last.
    pub(crate) record: Option<&'a HashRecord>,
}

impl Wanted<'_> {
    /// Tells whether a container has the wanted configuration: its label says so, or both names are still the ones
    /// that were written down together.
    pub(crate) fn is_of(&self, container: &Container) -> bool {
        let label = container.config_hash();
        let recorded = |record: &HashRecord| {
            record.asked == self.asked && label == Some(record.label.as_str())
        };
        label == Some(self.asked) || self.record.is_some_and(recorded)
    }
}

/// How a service is. Where the wanted configuration is not known, nothing counts as outdated.
pub(crate) fn judge(containers: &[&Container], word: &str, wanted: Option<Wanted<'_>>) -> String {
    if containers.is_empty() {
        return MISSING.to_owned();
    }
    if wanted.is_some_and(|wanted| containers.iter().any(|c| !wanted.is_of(c))) {
        return OUTDATED.to_owned();
    }
    // The container that is farthest from how it should be speaks for the service.
    let words = containers.iter().map(|c| c.word());
    let worst = words.filter(|is| is != word).min();
    match worst.as_deref() {
        None => word.to_owned(),
        Some(COMPLETED) => "exited (0)".to_owned(),
        Some(is) => is.to_owned(),
    }
}

#[cfg(test)]
#[path = "containers_tests.rs"]
mod tests;
