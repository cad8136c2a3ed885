//! What is not ours and stands in the way.

use std::collections::BTreeMap;

use super::{Action, Conflict, Reason, Verb};
use crate::live::{Foreign, LiveResource};
use crate::resource::{DesiredResource, ResourceType, Types};

type Bucket<'a> = (&'a str, &'a str, Option<String>);

/// Foreign objects by provider, type and bucket, so that a resource meets only those that it may collide with,
/// however many there are.
pub(super) struct Strangers<'a>(BTreeMap<Bucket<'a>, Vec<&'a Foreign>>);

impl<'a> Strangers<'a> {
    pub(super) fn new(all: &'a [Foreign], types: &Types) -> Self {
        let mut sorted: BTreeMap<Bucket<'_>, Vec<&Foreign>> = BTreeMap::new();
        for foreign in all {
            let same = |t: &&dyn ResourceType| (t.provider(), t.name()) == key(foreign);
            let bucket = types.iter().find(same).and_then(|kind| kind.foreign_bucket(foreign));
            let (provider, kind) = key(foreign);
            sorted.entry((provider, kind, bucket)).or_default().push(foreign);
        }
        Self(sorted)
    }

    /// Everything that excludes `resource`, in an order that does not depend on the report.
    pub(super) fn conflicts(
        &self,
        kind: &dyn ResourceType,
        resource: &DesiredResource,
    ) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for foreign in self.near(kind, resource) {
            if let Some(why) = kind.conflict(&resource.attributes, foreign) {
                let adoptable = foreign.identity.is_some()
                    && kind.identity(&resource.attributes) == foreign.identity;
                let (address, foreign) = (resource.address.clone(), foreign.clone());
                conflicts.push(Conflict { address, foreign, why, adoptable, hint: None });
            }
        }
        conflicts
    }

    /// Those of the resource's bucket and those of none; all of its type, when the resource has no bucket.
    fn near(&self, kind: &dyn ResourceType, resource: &DesiredResource) -> Vec<&'a Foreign> {
        let (provider, name) = (kind.provider(), kind.name());
        let of = |bucket| self.0.get(&(provider, name, bucket)).into_iter().flatten();
        let mut near: Vec<&Foreign> = match kind.bucket(&resource.attributes) {
            Some(bucket) => of(None).chain(of(Some(bucket))).copied().collect(),
            None => {
                let from = self.0.range((provider, name, None)..);
                let same = from.take_while(|(key, _)| (key.0, key.1) == (provider, name));
                same.flat_map(|(_, strangers)| strangers).copied().collect()
            }
        };
        near.sort();
        near
    }
}

fn key(foreign: &Foreign) -> (&str, &str) {
    (&foreign.provider, &foreign.kind)
}

/// Tells whether the action brings about an object where none of ours stood, so that a foreign one may be in the
/// way. In a home that is new itself nothing foreign can be.
pub(super) fn takes_a_new_place(
    kind: &dyn ResourceType,
    resource: &DesiredResource,
    existing: Option<&LiveResource>,
    action: &Action,
) -> bool {
    match (action.verb, &action.reason, existing) {
        (_, Reason::HomeIsNew(_), _) | (Verb::NoOp, ..) => false,
        (Verb::Update | Verb::Replace, _, Some(live)) => {
            kind.identity(&resource.attributes) != kind.identity(&live.attributes)
        }
        _ => true,
    }
}
