//! What Compose itself would refuse, told before anything is contacted: misspelled keys, and names that nothing stands behind.

use std::collections::BTreeSet;

use ipai_core::Diagnostic;
use ipai_core::diagnostic::nearest;
use serde_json::{Map, Value as Json};

use super::lines::line_of;
use super::values;
use super::yaml::{items, members, scalar};

/// Keys of a Compose file, see <https://docs.docker.com/reference/compose-file/>.
const TOP: [&str; 9] = [
    "name", "version", "services", "networks", "volumes", "configs", "secrets", "include", "models",
];

/// Keys of a service, see <https://docs.docker.com/reference/compose-file/services/>.
const SERVICE: &str = "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs \
    container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset \
    credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname \
    entrypoint env_file environment expose extends external_links extra_hosts gpus group_add healthcheck hostname \
    image init ipc isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness \
    memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports \
    post_start pre_stop privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale \
    secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits \
    use_api_socket user userns_mode uts volumes volumes_from working_dir";

/// Keys of a health check.
const HEALTH: [&str; 7] =
    ["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"];

/// The most errors that are told of one file, and the most warnings: each costs a walk through it.
const MOST: usize = 50;

/// What is wrong with a project, each with its line of the text where it is found. A text that holds secrets is not quoted:
/// what stands at a wrong place may be one.
pub(super) fn find(root: &Map<String, Json>, text: &str, sensitive: bool) -> Vec<Diagnostic> {
    let mut found = Found { text, sensitive, errors: Vec::new(), warnings: Vec::new() };
    found.keys("A Compose file", &[], root, &TOP);
    let known: Vec<&str> = SERVICE.split_whitespace().collect();
    let names = Names::of(root, text);
    for (name, body) in members(root.get("services")) {
        let what = format!("Service {}", found.quoted(name));
        let Some(body) = body.as_object() else {
            let problem = Diagnostic::error("A service that is no mapping");
            found.push(problem.detail(format!("{what} holds no keys.")), &["services", name]);
            continue;
        };
        found.keys(&what, &["services", name], body, &known);
        if let Some(health) = body.get("healthcheck").and_then(Json::as_object) {
            let path = ["services", name, "healthcheck"];
            let what = format!("The health check of service {}", found.quoted(name));
            found.keys(&what, &path, health, &HEALTH);
        }
        values::check(name, body, &mut found);
        names.iter().for_each(|names| names.check(name, body, &mut found));
    }
    found.errors.into_iter().chain(found.warnings).collect()
}

/// What was found so far.
pub(super) struct Found<'a> {
    text: &'a str,
    sensitive: bool,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Found<'_> {
    /// A value that Compose takes for none, with what it takes.
    pub(super) fn value(&mut self, service: &str, path: &[&str], value: &str, takes: &str) {
        let key = path.last().copied().unwrap_or_default();
        let detail = format!("Service {}: {} is none.", self.quoted(service), self.quoted(value));
        let problem = Diagnostic::error(format!("Not a value for `{key}` in a Compose file"))
            .detail(detail)
            .hint(format!("it takes {takes}"));
        self.push(problem, &[&["services", service], path, &[value]].concat());
    }

    fn quoted(&self, name: &str) -> String {
        if self.sensitive { "(hidden: the file holds secrets)".into() } else { format!("`{name}`") }
    }

    /// What is meant by a name, unless that may be a secret.
    fn meant(&self, name: &str, known: &BTreeSet<&str>) -> Option<String> {
        let near = nearest(name, known.iter().copied()).filter(|_| !self.sensitive);
        near.map(|near| format!("did you mean `{near}`?"))
    }

    fn push(&mut self, problem: Diagnostic, path: &[&str]) {
        let list = if problem.is_error() { &mut self.errors } else { &mut self.warnings };
        if list.len() < MOST {
            let line = line_of(self.text, path);
            list.push(line.into_iter().fold(problem, Diagnostic::on_rendered_line));
        }
    }

    /// Complains of keys that Compose does not know. One that resembles none of them may be newer than ipai.
    fn keys(&mut self, what: &str, path: &[&str], body: &Map<String, Json>, known: &[&str]) {
        let strange = |key: &&String| !key.starts_with("x-") && !known.contains(&key.as_str());
        for key in body.keys().filter(strange) {
            let summary = match self.sensitive {
                true => "Unknown key in a Compose file".to_owned(),
                false => format!("Unknown key `{key}` in a Compose file"),
            };
            let problem = match nearest(key, known.iter().copied()) {
                Some(near) => Diagnostic::error(summary).hint(format!("did you mean `{near}`?")),
                None => Diagnostic::warning(summary)
                    .hint("Docker Compose refuses it, unless its version is newer than ipai"),
            };
            let problem = problem.detail(format!("{what} has no such key."));
            self.push(problem, &[path, &[key]].concat());
        }
    }
}

/// What a service may name.
struct Names<'a> {
    services: BTreeSet<&'a str>,
    rest: [(&'static str, Option<BTreeSet<&'a str>>); 4],
}

impl<'a> Names<'a> {
    /// None where other files may hold more, or where a later document may take names back.
    fn of(root: &'a Map<String, Json>, text: &str) -> Option<Self> {
        let names = |key: &str| -> Option<BTreeSet<&str>> {
            Some(members(Some(root.get(key)?)).map(|(name, _)| name.as_str()).collect())
        };
        let rest = ["volumes", "networks", "configs", "secrets"].map(|key| (key, names(key)));
        let elsewhere = root.contains_key("include");
        let back = text.contains("!override") || text.contains("!reset");
        let services = names("services").unwrap_or_default();
        (!elsewhere && !back).then_some(Self { services, rest })
    }

    fn check(&self, service: &str, body: &Map<String, Json>, found: &mut Found<'_>) {
        let owner = found.quoted(service);
        for name in listed(body.get("depends_on")) {
            if found.errors.len() >= MOST {
                return;
            }
            if !self.services.contains(name.as_str()) && !name.contains('$') {
                let name_shown = found.quoted(&name);
                let detail = format!(
                    "Service {owner} waits for {name_shown}, which is none of this Compose file."
                );
                let mut problem =
                    Diagnostic::error("`depends_on` names an unknown service").detail(detail);
                problem.hint = found.meant(&name, &self.services);
                found.push(problem, &["services", service, "depends_on", &name]);
            }
        }
        for (key, declared) in &self.rest {
            let none = BTreeSet::new();
            let known = declared.as_ref().unwrap_or(&none);
            let used = if *key == "volumes" { volumes(body) } else { listed(body.get(*key)) };
            // Every project has a network of this name; what holds a variable is known to Compose alone.
            let implied = |name: &str| *key == "networks" && name == "default";
            let is_there = |name: &str| known.contains(name) || name.contains('$') || implied(name);
            for name in used.into_iter().filter(|name| !is_there(name)) {
                if found.errors.len() >= MOST {
                    return;
                }
                let one = key.trim_end_matches('s');
                let hint = match found.meant(&name, known) {
                    Some(meant) => meant,
                    None => declare(key, declared.is_some()),
                };
                let name_shown = found.quoted(&name);
                let detail = format!(
                    "Service {owner} uses {name_shown}, which the file's `{key}` do not name."
                );
                let problem = Diagnostic::error(format!("Undefined {one} in a Compose file"));
                found.push(problem.detail(detail).hint(hint), &["services", service, key, &name]);
            }
        }
    }
}

fn declare(key: &str, there: bool) -> String {
    match there {
        true => format!("declare it in the file's section `{key}:`"),
        false => {
            format!("declare it in a section `{key}:` at the end of the file, beside `services:`")
        }
    }
}

/// The names in a list, in the keys of a mapping, or under `source` of its items.
fn listed(value: Option<&Json>) -> Vec<String> {
    let item = |item: &Json| match item {
        Json::Object(map) => scalar(map.get("source")?),
        item => scalar(item),
    };
    let listed = items(value).into_iter().filter_map(item);
    members(value).map(|(name, _)| name.clone()).chain(listed).collect()
}

/// The named volumes that a service mounts.
fn volumes(body: &Map<String, Json>) -> Vec<String> {
    let name = |volume: &Json| match volume {
        Json::Object(map) => {
            let named = map.get("type").is_none_or(|kind| kind == "volume");
            map.get("source").and_then(scalar).filter(|_| named)
        }
        Json::String(text) => {
            // Without a colon it is a path in the container; a drive's letter is none of this host's.
            let (source, _) = text.split_once(':')?;
            let named = !source.starts_with(['/', '.', '~']) && !source.contains(['/', '\\']);
            named.then(|| source.to_owned())
        }
        _ => None,
    };
    items(body.get("volumes")).into_iter().filter_map(name).collect()
}

#[cfg(test)]
#[path = "mistakes_tests.rs"]
mod tests;
