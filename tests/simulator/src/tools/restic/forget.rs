//! `forget` and `prune`: which snapshots stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::repository::{Repository, Snapshot};
use super::{Failure, Outcome, Restic, print};

/// Names the span of time that a time lies in; the number is the snapshot's place.
type Span = fn(&str, usize) -> String;

/// How many are kept for each span of time: its option, and how a time names the span.
const POLICIES: [(&str, Span); 6] = [
    ("--keep-last", |_, at| at.to_string()),
    ("--keep-hourly", |time, _| time[..13].to_owned()),
    ("--keep-daily", |time, _| time[..10].to_owned()),
    ("--keep-weekly", |time, _| week(time).to_string()),
    ("--keep-monthly", |time, _| time[..7].to_owned()),
    ("--keep-yearly", |time, _| time[..4].to_owned()),
];

impl Restic<'_> {
    /// Runs `forget [ID…]`: by ids, or by policy within each group of one host and its paths.
    pub(super) fn forget(&self, ids: &[String]) -> Outcome {
        let repository = self.open()?;
        let _held = repository.lock(self, true)?;
        let dry = self.parsed.has("--dry-run");
        if ids.is_empty() && !POLICIES.iter().any(|(option, _)| self.parsed.value(option).is_some())
        {
            return Err(Failure::fatal("no policy was specified, no snapshots will be removed"));
        }
        let chosen = self.choose(&repository, ids)?;
        let mut groups = Vec::new();
        if !ids.is_empty() {
            chosen.iter().try_for_each(|snapshot| remove(&repository, snapshot, dry))?;
        } else {
            for group in self.groups(chosen) {
                groups.push(self.apply(&repository, group, dry)?);
            }
        }
        if self.is_json() && ids.is_empty() {
            print(format!("{}\n", Value::Array(groups)));
        }
        if self.parsed.has("--prune") && !dry {
            sweep(&repository)?;
        }
        Ok(())
    }

    /// Runs `prune`.
    pub(super) fn prune(&self) -> Outcome {
        let repository = self.open()?;
        let _held = repository.lock(self, true)?;
        sweep(&repository)
    }

    fn groups(&self, snapshots: Vec<Snapshot>) -> Vec<Vec<Snapshot>> {
        let by = self.parsed.value("--group-by").unwrap_or("host,paths");
        let has = |what: &str| by.split(',').any(|word| word.trim_end_matches('s') == what);
        let mut groups: BTreeMap<String, Vec<Snapshot>> = BTreeMap::new();
        for snapshot in snapshots {
            let host = if has("host") { snapshot.hostname.as_str() } else { "" };
            let paths = if has("path") { snapshot.paths.join("\n") } else { String::new() };
            let tags = if has("tag") { snapshot.tags.join("\n") } else { String::new() };
            groups.entry(format!("{host}\0{paths}\0{tags}")).or_default().push(snapshot);
        }
        groups.into_values().collect()
    }

    fn apply(
        &self,
        repository: &Repository,
        mut group: Vec<Snapshot>,
        dry: bool,
    ) -> Result<Value, Failure> {
        group.reverse();
        let kept = self.kept(&group)?;
        let (keep, gone): (Vec<_>, Vec<_>) =
            group.iter().enumerate().partition(|(at, _)| kept.contains(at));
        let of = |list: Vec<(usize, &Snapshot)>| {
            list.into_iter().map(|(_, one)| one.clone()).collect::<Vec<_>>()
        };
        let (keep, gone) = (of(keep), of(gone));
        gone.iter().try_for_each(|snapshot| remove(repository, snapshot, dry))?;
        let (kept, removed) = (keep.len(), gone.len());
        self.tell(format!("keep {kept} snapshots, remove {removed} snapshots"));
        let first = &group[0];
        let removed = if gone.is_empty() { Value::Null } else { json!(gone) };
        Ok(json!({"tags": null, "host": first.hostname, "paths": first.paths, "keep": keep,
            "remove": removed, "reasons": []}))
    }

    /// Returns the places of those that stay; the newest comes first.
    fn kept(&self, group: &[Snapshot]) -> Result<BTreeSet<usize>, Failure> {
        let mut kept = BTreeSet::new();
        for (option, span) in POLICIES {
            let Some(given) = self.parsed.value(option) else { continue };
            let wrong = || Failure::fatal(format!("invalid argument \"{given}\" for \"{option}\""));
            let mut left: i64 =
                if given == "unlimited" { i64::MAX } else { given.parse().map_err(|_| wrong())? };
            let mut last = String::new();
            for (at, snapshot) in group.iter().enumerate() {
                let name = span(&snapshot.time, at);
                // The oldest stays as long as there are fewer than wanted, as restic has it.
                if left > 0 && (name != last || at + 1 == group.len()) {
                    kept.insert(at);
                    last = name;
                    left -= 1;
                }
            }
        }
        Ok(kept)
    }
}

fn remove(repository: &Repository, snapshot: &Snapshot, dry: bool) -> Outcome {
    if !dry {
        fs::remove_file(repository.folder.join("snapshots").join(&snapshot.id))?;
    }
    Ok(())
}

/// Removes the data that no snapshot uses.
fn sweep(repository: &Repository) -> Outcome {
    let used: BTreeSet<String> = repository.snapshots()?.into_iter().map(|one| one.tree).collect();
    for entry in fs::read_dir(repository.folder.join("data"))? {
        let entry = entry?;
        if !used.contains(&*entry.file_name().to_string_lossy()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Counts the weeks, each beginning with a Monday, up to a time that begins with `YYYY-MM-DD`.
///
/// The calendar is Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn week(time: &str) -> i64 {
    let number =
        |from: usize, to: usize| time.get(from..to).and_then(|n| n.parse().ok()).unwrap_or(1_i64);
    let (month, day) = (number(5, 7), number(8, 10));
    let year = number(0, 4) - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    // 1970-01-01 was a Thursday.
    (days + 3).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::week;

    #[test]
    fn weeks_begin_with_mondays_across_years() {
        assert_eq!(week("1970-01-01"), 0);
        // 2026-12-28 is a Monday, 2027-01-03 the Sunday after it.
        assert_eq!(week("2026-12-28T00"), week("2027-01-03T23"));
        assert_eq!(week("2026-12-27"), week("2026-12-28") - 1);
    }
}
