//! Which steps succeed or fail together, and which travel in one batch.

use std::collections::{BTreeMap, BTreeSet};

use super::step::Step;

/// The most changes of one batch on the free plan; paid plans take 3,500.
pub(super) const MAX_BATCH: usize = 200;

/// Steps that one transaction must hold: where a record is deleted, everything that is created under its name.
/// Else a name could be left without any record, or a CNAME meet the address that it is to replace.
pub(super) type Unit = Vec<Step>;

/// Groups steps into units. Those that delete come first, so that a full zone has room for what is created.
pub(super) fn group(steps: Vec<Step>) -> Vec<Unit> {
    let deleted: BTreeSet<String> =
        steps.iter().filter_map(|step| step.leaves().map(str::to_owned)).collect();
    let mut units: Vec<Option<Unit>> = Vec::new();
    let mut owner: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps {
        let names: BTreeSet<String> = [step.leaves(), step.enters()]
            .into_iter()
            .flatten()
            .filter(|name| deleted.contains(*name))
            .map(str::to_owned)
            .collect();
        let place = units.len();
        let mut unit = Vec::new();
        let merged: BTreeSet<usize> = names.iter().filter_map(|n| owner.get(n).copied()).collect();
        for index in merged {
            unit.extend(units[index].take().into_iter().flatten());
            owner.values_mut().filter(|at| **at == index).for_each(|at| *at = place);
        }
        owner.extend(names.into_iter().map(|name| (name, place)));
        unit.push(step);
        units.push(Some(unit));
    }
    let mut units: Vec<Unit> = units.into_iter().flatten().flat_map(divide).collect();
    units.sort_by_key(|unit| unit.iter().all(|step| step.delete.is_none()));
    units
}

/// A unit that no batch can hold becomes single steps, deletions first.
fn divide(mut unit: Unit) -> Vec<Unit> {
    if size(&unit) <= MAX_BATCH {
        return vec![unit];
    }
    unit.sort_by_key(|step| step.delete.is_none());
    unit.into_iter().map(|step| vec![step]).collect()
}

/// Fills batches with units.
pub(super) fn pack(units: Vec<Unit>) -> Vec<Vec<Unit>> {
    let mut batches: Vec<Vec<Unit>> = Vec::new();
    let mut room = 0;
    for unit in units {
        let size = size(&unit);
        match batches.last_mut() {
            Some(batch) if size <= room => batch.push(unit),
            _ => {
                batches.push(vec![unit]);
                room = MAX_BATCH;
            }
        }
        room = room.saturating_sub(size);
    }
    batches
}

fn size(unit: &Unit) -> usize {
    unit.iter().map(Step::size).sum()
}

#[cfg(test)]
mod tests {
    use ipai_core::{Address, Outputs};
    use serde_json::json;

    use super::super::step::Goal;
    use super::*;

    /// `-a` deletes under the name a, `+a` creates, `-a+b` replaces.
    fn step(text: &str) -> Step {
        let (delete, post) = match text.split_once('+') {
            Some((delete, post)) => (delete.strip_prefix('-'), Some(post)),
            None => (text.strip_prefix('-'), None),
        };
        Step {
            place: 0,
            address: Address::new("cloudflare", "dns_record", text),
            attempted: String::new(),
            delete: delete.map(|name| ("id".into(), name.into())),
            patch: None,
            post: post.map(|name| json!({ "name": name })),
            goal: Goal::Gone,
            outputs: Outputs::new(),
        }
    }

    fn check(steps: &[&str], expected: &[&[&str]]) {
        let units = group(steps.iter().map(|text| step(text)).collect());
        let names: Vec<Vec<String>> = units
            .into_iter()
            .map(|unit| unit.into_iter().map(|s| s.address.name).collect())
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_deleted_and_created_under_one_name_stays_together() {
        check(&["+a", "+b", "-a"], &[&["+a", "-a"], &["+b"]]);
        check(&["+a", "+a"], &[&["+a"], &["+a"]]);
        check(&["-a+b", "-b+a", "+c"], &[&["-a+b", "-b+a"], &["+c"]]);
        check(&["-a", "-c", "-b+c", "-x+a", "-a+b"], &[&["-c", "-b+c", "-a", "-x+a", "-a+b"]]);
    }

    #[test]
    fn units_that_delete_come_first() {
        check(&["+a", "-b", "+c", "-d+d"], &[&["-b"], &["-d+d"], &["+a"], &["+c"]]);
    }

    #[test]
    fn batches_are_full_and_never_too_full() {
        let units = group((0..450).map(|i| step(&format!("+n{i}"))).collect());
        let sizes: Vec<usize> = pack(units).iter().map(Vec::len).collect();
        assert_eq!(sizes, [200, 200, 50]);
        let replaced = group((0..150).map(|i| step(&format!("-n{i}+n{i}"))).collect());
        let sizes: Vec<usize> = pack(replaced).iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 50]);
    }

    #[test]
    fn a_unit_larger_than_a_batch_is_divided_with_deletions_first() {
        let mut steps: Vec<Step> = (0..150).map(|_| step("+a")).collect();
        steps.extend((0..150).map(|_| step("-a")));
        let units = group(steps);
        assert_eq!(units.len(), 300);
        assert!(units[..150].iter().all(|unit| unit[0].delete.is_some()));
        assert!(pack(units).iter().all(|batch| batch.len() <= MAX_BATCH));
    }
}
