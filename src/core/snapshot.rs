//! Snapshots of what holds data: whose they are, and which are surplus.

use std::collections::BTreeMap;

use crate::BoxFuture;
use crate::address::{Address, StackId};
use crate::live::LiveResource;
use crate::provider::{Events, RemoteError};

/// A snapshot of something that the stack has, or had.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The provider's own id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it was taken of.
    pub source: Address,
    /// When it was taken, in seconds since 1970; absent when the provider does not say.
    pub taken: Option<i64>,
    /// The space that it takes, in GB.
    pub size_gb: f64,
    /// Whether ipai took it, by its marker. Any other is shown and left alone.
    pub ours: bool,
}

/// Reads, takes and deletes the snapshots of one provider.
pub trait Snapshots: Send + Sync {
    /// The provider's name.
    fn provider(&self) -> &'static str;
    /// Every snapshot with the stack's marker, and those that others took of `sources`.
    fn look<'a>(
        &'a self,
        stack: &'a StackId,
        sources: &'a [LiveResource],
    ) -> BoxFuture<'a, Result<Vec<Snapshot>, RemoteError>>;
    /// Takes one and waits until it is there; `time` is in seconds since 1970 and part of its name.
    fn take<'a>(
        &'a self,
        stack: &'a StackId,
        source: &'a LiveResource,
        time: i64,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<Snapshot, RemoteError>>;
    /// Deletes one that still carries the stack's marker; one that is gone already is success.
    fn delete<'a>(
        &'a self,
        stack: &'a StackId,
        snapshot: &'a Snapshot,
    ) -> BoxFuture<'a, Result<(), RemoteError>>;
}

/// Puts snapshots in order: by source, the newest first.
pub fn sort(snapshots: &mut [Snapshot]) {
    snapshots.sort_by(|a, b| (&a.source, b.taken, &b.id).cmp(&(&b.source, a.taken, &a.id)));
}

/// The snapshots beyond the newest `keep` of each source, the oldest first within each. Only ours count and only ours are
/// surplus; one whose age is unknown never is.
#[must_use]
pub fn surplus(snapshots: &[Snapshot], keep: usize) -> Vec<&Snapshot> {
    let mut dated: BTreeMap<&Address, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.ours && snapshot.taken.is_some()) {
        dated.entry(&snapshot.source).or_default().push(snapshot);
    }
    let old = dated.into_values().flat_map(|mut of_one| {
        of_one.sort_by_key(|snapshot| (snapshot.taken, &snapshot.id));
        let surplus = of_one.len().saturating_sub(keep);
        of_one.truncate(surplus);
        of_one
    });
    old.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: &str, source: &str, taken: Option<i64>, ours: bool) -> Snapshot {
        let source = Address::new("p", "k", source);
        Snapshot { id: id.into(), name: id.into(), source, taken, size_gb: 1.0, ours }
    }

    fn check(all: &[Snapshot], keep: usize, expected: &[&str]) {
        let ids: Vec<&str> = surplus(all, keep).iter().map(|s| s.id.as_str()).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn the_oldest_of_each_source_are_surplus() {
        let all = [
            snapshot("a2", "a", Some(2), true),
            snapshot("a3", "a", Some(3), true),
            snapshot("a1", "a", Some(1), true),
            snapshot("b1", "b", Some(1), true),
        ];
        check(&all, 1, &["a1", "a2"]);
        check(&all, 3, &[]);
        check(&all, 0, &["a1", "a2", "a3", "b1"]);
    }

    #[test]
    fn foreign_and_undated_ones_neither_count_nor_go() {
        let all = [
            snapshot("mine", "a", Some(1), true),
            snapshot("theirs", "a", Some(2), false),
            snapshot("undated", "a", None, true),
        ];
        check(&all, 1, &[]);
        check(&all, 0, &["mine"]);
    }

    #[test]
    fn they_are_listed_by_source_and_the_newest_first() {
        let mut all = [
            snapshot("b1", "b", Some(9), true),
            snapshot("a1", "a", Some(1), true),
            snapshot("a2", "a", Some(2), true),
        ];
        sort(&mut all);
        assert_eq!(all.map(|s| s.id), ["a2", "a1", "b1"]);
    }
}
