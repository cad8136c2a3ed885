//! Values that Compose would refuse: ports, durations, when a container is started again. One with a variable in it is known
//! to Compose alone.

use serde_json::{Map, Value as Json};

use super::mistakes::Found;
use super::yaml::{items, scalar};

/// Keys of a health check that hold durations.
const DURATIONS: [&str; 4] = ["interval", "timeout", "start_period", "start_interval"];

/// Complains of a service's values.
pub(super) fn check(service: &str, body: &Map<String, Json>, found: &mut Found<'_>) {
    let text = |value: Option<&Json>| value.and_then(scalar).filter(|text| !text.contains('$'));
    if let Some(restart) = text(body.get("restart")).filter(|text| !is_restart(text)) {
        let takes = "\"no\", always, on-failure, on-failure:TIMES or unless-stopped";
        found.value(service, &["restart"], &restart, takes);
    }
    let health = body.get("healthcheck").and_then(Json::as_object);
    for key in DURATIONS {
        let value = text(health.and_then(|health| health.get(key)));
        if let Some(value) = value.filter(|text| !is_duration(text)) {
            found.value(service, &["healthcheck", key], &value, "a duration such as 30s or 1m30s");
        }
    }
    for port in items(body.get("ports")) {
        let port = if port.is_object() { None } else { text(Some(port)) };
        if let Some(port) = port.filter(|text| !is_port(text)) {
            let takes = "[ADDRESS:][PORT:]PORT[/PROTOCOL], each a number up to 65535 or a range: \"8080:80\"";
            found.value(service, &["ports"], &port, takes);
        }
    }
}

fn is_restart(text: &str) -> bool {
    let times = text.strip_prefix("on-failure:").map(|times| times.parse::<u32>().is_ok());
    // An unquoted `no` is a truth to YAML.
    times.unwrap_or(matches!(text, "no" | "false" | "always" | "on-failure" | "unless-stopped"))
}

/// Go's form: numbers, each with its unit.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let after =
            ["ms", "us", "µs", "ns", "h", "m", "s"].iter().find_map(|one| unit.strip_prefix(one));
        match after {
            Some(after) if unit.len() < rest.len() => rest = after,
            _ => return text == "0",
        }
    }
    !text.is_empty()
}

fn is_port(text: &str) -> bool {
    let ports = text.split_once('/').map_or(text, |(ports, _)| ports);
    let (rest, target) = ports.rsplit_once(':').map_or(("", ports), |(rest, port)| (rest, port));
    let published = rest.rsplit_once(':').map_or(rest, |(_, published)| published);
    let is_address = rest.contains('.') || rest.contains(']') || rest.is_empty();
    is_range(target)
        && (is_range(published) || published.is_empty() || (is_address && rest == published))
}

fn is_range(text: &str) -> bool {
    let number = |text: &str| text.parse::<u16>().is_ok();
    text.split_once('-').map_or_else(|| number(text), |(low, high)| number(low) && number(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compose_takes_passes() {
        for port in [
            "80",
            "80:80",
            "8000-8010:80-90",
            "127.0.0.1:80:80",
            "127.0.0.1::80",
            "[::1]:80:81/udp",
            "6060:6060/udp",
            "127.0.0.1:5000-5010:5000-5010",
        ] {
            assert!(is_port(port), "{port}");
        }
        for port in ["443:99999", "https:443", "80:", "a", "", "80-x:80"] {
            assert!(!is_port(port), "{port}");
        }
        for time in ["30s", "1m30s", "1.5h", "500ms", "0", "1h5m30s20ms"] {
            assert!(is_duration(time), "{time}");
        }
        for time in ["10 seconds", "10", "s", "", "1x"] {
            assert!(!is_duration(time), "{time}");
        }
        assert!(is_restart("on-failure:3") && is_restart("no") && !is_restart("unless-stoped"));
    }
}
