//! Several documents become one model
//! (<https://github.com/compose-spec/compose-spec/blob/main/13-merge.md>).

use serde_json::{Map, Value};

/// Service keys that may be written as a list of `KEY=VALUE` and mean a mapping.
const MAPPINGS: [&str; 5] = ["environment", "labels", "sysctls", "annotations", "extra_hosts"];

/// Service keys that may be one text and mean a list.
const LISTS: [&str; 5] = ["env_file", "tmpfs", "dns", "dns_search", "profiles"];

/// Keys whose whole value a later document replaces.
const REPLACED: [&str; 3] = ["command", "entrypoint", "test"];

/// Brings the short forms of a document's services into the long ones.
pub(super) fn normalize(document: &mut Map<String, Value>) {
    let services = document.get_mut("services").and_then(Value::as_object_mut);
    for service in services.into_iter().flatten().filter_map(|(_, value)| value.as_object_mut()) {
        for key in MAPPINGS {
            if let Some(value) = service.get_mut(key) {
                to_mapping(value, key == "extra_hosts");
            }
        }
        for key in LISTS {
            if let Some(value) = service.get_mut(key)
                && !value.is_array()
            {
                *value = Value::Array(vec![value.take()]);
            }
        }
        if let Some(value) = service.get_mut("depends_on") {
            names_to_mapping(
                value,
                &serde_json::json!({"condition": "service_started", "required": true}),
            );
        }
        if let Some(value) = service.get_mut("networks") {
            names_to_mapping(value, &Value::Null);
        }
    }
}

/// Lays `over` on `base`: mappings merge, lists grow, everything else is replaced.
pub(super) fn merge(base: &mut Value, over: Value, key: &str) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(held) => merge(held, value, &key),
                    None => drop(base.insert(key, value)),
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if !REPLACED.contains(&key) => {
            for item in over {
                let target = if key == "volumes" { mount_target(&item) } else { None };
                base.retain(|held| match &target {
                    Some(target) => mount_target(held).as_ref() != Some(target),
                    None => *held != item,
                });
                base.push(item);
            }
        }
        // A mapping without content, as `volumes: {data: }`, changes nothing.
        (Value::Object(_), Value::Null) => {}
        (base, over) => *base = over,
    }
}

/// Returns where a mount appears in the container.
pub(super) fn mount_target(mount: &Value) -> Option<String> {
    match mount {
        Value::String(text) => {
            let mut parts = text.split(':');
            let first = parts.next()?;
            Some(parts.next().unwrap_or(first).to_owned())
        }
        other => other.get("target")?.as_str().map(str::to_owned),
    }
}

fn to_mapping(value: &mut Value, hosts: bool) {
    let Value::Array(items) = value else { return };
    let mut map = Map::new();
    for item in items.iter().filter_map(Value::as_str) {
        let split = match item.split_once('=') {
            None if hosts => item.split_once(':'),
            split => split,
        };
        match split {
            Some((key, text)) => map.insert(key.to_owned(), Value::String(text.to_owned())),
            None => map.insert(item.to_owned(), Value::Null),
        };
    }
    *value = Value::Object(map);
}

fn names_to_mapping(value: &mut Value, each: &Value) {
    if let Value::Array(items) = value {
        let names = items.iter().filter_map(Value::as_str);
        *value = Value::Object(names.map(|name| (name.to_owned(), each.clone())).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_documents_add_replace_and_override() {
        let mut base = json!({"services": {"a": {"command": ["x"], "ports": ["1", "2"],
            "volumes": ["v:/d"], "labels": {"k": "1", "l": "2"}}}});
        let over = json!({"services": {"a": {"command": ["y"], "ports": ["2", "3"],
            "volumes": ["w:/d:ro"], "labels": {"k": "3"}}, "b": {}}});
        merge(&mut base, over, "");
        assert_eq!(
            base,
            json!({"services": {"a": {"command": ["y"], "ports": ["1", "2", "3"],
                "volumes": ["w:/d:ro"], "labels": {"k": "3", "l": "2"}}, "b": {}}})
        );
    }
}
