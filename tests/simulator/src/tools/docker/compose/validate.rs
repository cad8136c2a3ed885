//! What a compose file may say: names that are known, values of the right kind.
//!
//! The names are those of the Compose specification's schema.

use serde_json::{Map, Value};

const TOP: [&str; 9] = [
    "name", "version", "services", "networks", "volumes", "secrets", "configs", "include", "models",
];

#[rustfmt::skip]
const SERVICE: &[&str] = &[
    "annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup",
    "cgroup_parent", "command", "configs", "container_name", "cpu_count", "cpu_percent",
    "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset",
    "credential_spec", "depends_on", "deploy", "develop", "device_cgroup_rules", "devices", "dns",
    "dns_opt", "dns_search", "domainname", "entrypoint", "env_file", "environment", "expose",
    "extends", "external_links", "extra_hosts", "gpus", "group_add", "healthcheck", "hostname",
    "image", "init", "ipc", "isolation", "label_file", "labels", "links", "logging", "mac_address",
    "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "network_mode",
    "networks", "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "ports",
    "post_start", "pre_stop", "privileged", "profiles", "provider", "pull_policy",
    "pull_refresh_after", "read_only", "restart", "runtime", "scale", "secrets", "security_opt",
    "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt", "sysctls",
    "tmpfs", "tty", "ulimits", "use_api_socket", "user", "userns_mode", "uts",
    "volumes", "volumes_from", "working_dir",
];

const HEALTHCHECK: [&str; 7] =
    ["disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"];

const TEXTS: [&str; 10] = [
    "image",
    "container_name",
    "restart",
    "user",
    "working_dir",
    "hostname",
    "stop_signal",
    "stop_grace_period",
    "network_mode",
    "pull_policy",
];

const LISTS: [&str; 8] =
    ["ports", "volumes", "cap_add", "cap_drop", "security_opt", "expose", "profiles", "devices"];

/// Checks one document. The error is what Compose prints, without the file's name.
pub(super) fn validate(document: &Map<String, Value>) -> Result<(), String> {
    known("", document, &TOP)?;
    for section in ["services", "networks", "volumes", "secrets", "configs"] {
        match document.get(section) {
            None | Some(Value::Null | Value::Object(_)) => {}
            Some(_) => return Err(format!("{section} must be a mapping")),
        }
    }
    let services = document.get("services").and_then(Value::as_object);
    for (name, service) in services.into_iter().flatten() {
        let Value::Object(service) = service else {
            return Err(format!("services.{name} must be a mapping"));
        };
        validate_service(&format!("services.{name}"), service)?;
    }
    Ok(())
}

fn validate_service(path: &str, service: &Map<String, Value>) -> Result<(), String> {
    known(path, service, SERVICE)?;
    for key in TEXTS {
        if service.get(key).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return Err(format!("{path}.{key} must be a string"));
        }
    }
    for key in LISTS {
        if service.get(key).is_some_and(|value| !value.is_array() && !value.is_null()) {
            return Err(format!("{path}.{key} must be a array"));
        }
    }
    match service.get("healthcheck") {
        None => Ok(()),
        Some(Value::Object(check)) => known(&format!("{path}.healthcheck"), check, &HEALTHCHECK),
        Some(_) => Err(format!("{path}.healthcheck must be a mapping")),
    }
}

fn known(path: &str, map: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    let unknown: Vec<String> = map
        .keys()
        .filter(|key| !key.starts_with("x-") && !names.contains(&key.as_str()))
        .map(|key| format!("'{key}'"))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let space = if path.is_empty() { "" } else { " " };
    Err(format!("{path}{space}additional properties {} not allowed", unknown.join(", ")))
}
