//! What Compose itself would refuse, told before anything is contacted: misspelled keys, and names that nothing stands behind.

use std::collections::BTreeSet;

use ipai_core::Diagnostic;
use ipai_core::diagnostic::nearest;
use serde_json::{Map, Value as Json};

use super::lines::line_of;
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

/// What is wrong with a project, each with its line of the text where it is found.
pub(super) fn find(root: &Map<String, Json>, text: &str) -> Vec<Diagnostic> {
    let mut found = Found { text, problems: Vec::new() };
    found.keys("A Compose file", &[], root, &TOP);
    let known: Vec<&str> = SERVICE.split_whitespace().collect();
    let names = Names::of(root);
    for (name, body) in members(root.get("services")) {
        let what = format!("Service `{name}`");
        let Some(body) = body.as_object() else {
            let problem = Diagnostic::error("A service that is no mapping");
            found.push(problem.detail(format!("{what} holds no keys.")), &["services", name]);
            continue;
        };
        found.keys(&what, &["services", name], body, &known);
        if let Some(health) = body.get("healthcheck").and_then(Json::as_object) {
            let path = ["services", name, "healthcheck"];
            found.keys(&format!("The health check of service `{name}`"), &path, health, &HEALTH);
        }
        names.iter().for_each(|names| names.check(name, body, &mut found));
    }
    found.problems
}

struct Found<'a> {
    text: &'a str,
    problems: Vec<Diagnostic>,
}

impl Found<'_> {
    fn push(&mut self, problem: Diagnostic, path: &[&str]) {
        let line = line_of(self.text, path);
        self.problems.push(line.into_iter().fold(problem, Diagnostic::on_rendered_line));
    }

    /// Complains of keys that Compose does not know. One that resembles none of them may be newer than ipai.
    fn keys(&mut self, what: &str, path: &[&str], body: &Map<String, Json>, known: &[&str]) {
        let strange = |key: &&String| !key.starts_with("x-") && !known.contains(&key.as_str());
        for key in body.keys().filter(strange) {
            let summary = format!("Unknown key `{key}` in a Compose file");
            let detail = format!("{what} has no such key.");
            let problem = match nearest(key, known.iter().copied()) {
                Some(near) => Diagnostic::error(summary).hint(format!("did you mean `{near}`?")),
                None => Diagnostic::warning(summary)
                    .hint("Docker Compose refuses it, unless its version is newer than ipai"),
            };
            self.push(problem.detail(detail), &[path, &[key]].concat());
        }
    }
}

/// What a service may name.
struct Names<'a> {
    services: BTreeSet<&'a str>,
    rest: [(&'static str, BTreeSet<&'a str>); 4],
}

impl<'a> Names<'a> {
    /// None where other files may hold more.
    fn of(root: &'a Map<String, Json>) -> Option<Self> {
        let names = |key: &str| {
            members(root.get(key)).map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>()
        };
        let rest = ["volumes", "networks", "configs", "secrets"].map(|key| (key, names(key)));
        (!root.contains_key("include")).then(|| Self { services: names("services"), rest })
    }

    fn check(&self, service: &str, body: &Map<String, Json>, found: &mut Found<'_>) {
        for name in listed(body.get("depends_on")) {
            if !self.services.contains(name.as_str()) && !name.contains('$') {
                let detail = format!(
                    "Service `{service}` waits for `{name}`, which is none of this Compose file."
                );
                let mut problem =
                    Diagnostic::error("`depends_on` names an unknown service").detail(detail);
                problem.hint = nearest(&name, self.services.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"));
                found.push(problem, &["services", service, "depends_on", &name]);
            }
        }
        for (key, known) in &self.rest {
            let used = if *key == "volumes" { volumes(body) } else { listed(body.get(*key)) };
            // Every project has a network of this name; what holds a variable is known to Compose alone.
            let implied = |name: &str| *key == "networks" && name == "default";
            let is_there = |name: &str| known.contains(name) || name.contains('$') || implied(name);
            for name in used.into_iter().filter(|name| !is_there(name)) {
                let one = key.trim_end_matches('s');
                let near = nearest(&name, known.iter().copied());
                let hint = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if matches!(*key, "volumes" | "networks") => {
                        format!("declare it at the end of the file:\n{key}:\n  {name}:")
                    }
                    None => format!("declare it under `{key}:` at the end of the file"),
                };
                let detail = format!(
                    "Service `{service}` uses `{name}`, which the file's `{key}` do not name."
                );
                let problem = Diagnostic::error(format!("Undefined {one} in a Compose file"));
                found.push(problem.detail(detail).hint(hint), &["services", service, key, &name]);
            }
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
