//! How the services of a project are, each in one word.

use std::collections::BTreeMap;

use ipai_core::calendar::days_since_1970;
use ipai_core::{DesiredResource, Value};

use super::containers::{
    Container, DRIFTED_CONFIGURATION, OLD_CONFIGURATION, Wanted, by_service, judge,
};
use super::content_of;
use super::report::Report;
use crate::compose::SERVICES;
use crate::compose::project::{Project, Service};
use crate::file::path::is_within;

/// The live form of the attribute `services`: the wanted word where a service is as it should be, else what it is.
/// Services whose containers exist although the YAML no longer starts them are listed as well, except those with a
/// profile, which a person starts and stops.
pub(crate) fn live(
    report: &Report<'_>,
    resource: &DesiredResource,
    containers: &[Container],
    hashes: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, Value> {
    let project_name = resource.text("project").unwrap_or_default();
    let wanted = resource.attributes.get(SERVICES).and_then(Value::as_map);
    let found = by_service(containers, project_name);
    let project = read(resource);
    let drifted = report.drifted_files();
    let record = report.manifest.projects.get(project_name);
    let mut words = BTreeMap::new();
    for (name, word) in wanted.into_iter().flatten() {
        let word = word.as_text().unwrap_or_default();
        let own = found.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let asked = hashes.and_then(|hashes| hashes.get(name));
        let configuration = asked.map(|asked| Wanted {
            asked,
            record: record.and_then(|record| record.hashes.get(name)),
        });
        let mut is = judge(own, word, configuration);
        if is == word {
            let loaded = record.and_then(|record| record.loaded.get(name));
            let service = project.services.get(name);
            if service.is_some_and(|service| took_in_drift(service, own, &drifted)) {
                is = DRIFTED_CONFIGURATION.to_owned();
            } else if project.loads.get(name).is_some_and(|load| Some(load) != loaded) {
                is = OLD_CONFIGURATION.to_owned();
            }
        }
        words.insert(name.clone(), Value::text(is));
    }
    for (name, own) in found {
        let known = project.services.contains_key(name) || words.contains_key(name);
        if !known && let Some(first) = own.first() {
            words.insert(name.to_owned(), Value::text(first.word()));
        }
    }
    words
}

pub(super) fn read(resource: &DesiredResource) -> Project {
    let text = content_of(resource).and_then(|content| content.text.as_ref());
    let directory = resource.text("directory").unwrap_or_default();
    text.and_then(|text| Project::read(text.expose(), directory).ok()).unwrap_or_default()
}

/// Tells whether a container was started after one of its files was changed by hand: it then runs what the file
/// held, and putting the file right alone would not show.
fn took_in_drift(service: &Service, containers: &[&Container], drifted: &[(&str, i64)]) -> bool {
    let used = |path: &str| service.uses.iter().any(|used| is_within(path, &used.path));
    let since = drifted.iter().filter(|(path, _)| used(path)).map(|(_, changed)| *changed).min();
    let started = |c: &&&Container| seconds(&c.started);
    since.is_some_and(|since| containers.iter().filter_map(|c| started(&c)).any(|s| s >= since))
}

/// Seconds since 1970 of an RFC 3339 time in UTC, as Docker writes it; fractions are dropped.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dockers_times() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2026-11-24T06:06:19.123456789Z"), Some(1_795_500_379));
        assert_eq!(seconds("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(seconds("never"), None);
    }
}
