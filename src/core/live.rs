//! What really exists, as the providers report it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, Reference};
use crate::hash;
use crate::value::{Attributes, Value};

/// What an object's marker says in place of a version when an earlier apply left it half made. No version looks so.
pub const UNFINISHED: &str = "unfinished";

/// An object that carries our marker.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveResource {
    /// The address that its marker names.
    pub address: Address,
    /// The provider's own id.
    pub id: String,
    /// Its attributes in canonical form; only what the provider can report.
    pub attributes: Attributes,
    /// What other resources may refer to.
    pub outputs: Outputs,
    /// The version of the desired attributes that was last applied to it, from its marker.
    pub applied: Option<String>,
    /// When it was created, as the provider writes it; sorts by age among objects of one provider.
    pub created: Option<String>,
    /// The resource that it lives in.
    pub home: Option<Address>,
}

/// The values that a resource produces, by name.
pub type Outputs = BTreeMap<String, Value>;

/// An object without our marker that stands near what the stack declares. It is shown and left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Foreign {
    /// The provider's name.
    pub provider: String,
    /// The resource type's name.
    pub kind: String,
    /// The provider's own id.
    pub id: String,
    /// What a person calls it: `A chat.example.com → 203.0.113.7`.
    pub title: String,
    /// The key under which the provider keeps only one object.
    pub identity: Option<String>,
}

/// How a home stands to what lives in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HomeState {
    /// It answered; what it did not show does not exist.
    Ready,
    /// It exists but was never reached yet: a new droplet that still boots.
    NotReady,
    /// It does not exist.
    Absent,
}

/// What the providers reported, all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveState {
    /// Objects with our marker.
    pub resources: Vec<LiveResource>,
    /// Objects without it that stand near.
    pub foreign: Vec<Foreign>,
    /// The homes that were asked.
    pub homes: BTreeMap<Address, HomeState>,
    /// What the hosts remember of the last apply: the version of each resource. Lost memory costs only the
    /// distinction between drift and a first creation.
    pub remembered: BTreeMap<Address, String>,
    /// Remarks for the plan.
    pub notes: Vec<String>,
    /// What must not be done to what lives, whatever the stack wants.
    pub refusals: Vec<Refusal>,
}

/// A change that would do harm which nobody can have meant. The plan shows it, and apply begins nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The resource whose change it is.
    pub address: Address,
    /// What it would harm, as a thing that stands in the way.
    pub harmed: Foreign,
    /// Why.
    pub why: String,
    /// What to do instead.
    pub hint: String,
}

impl LiveState {
    /// Adds another provider's report.
    pub fn absorb(&mut self, other: Self) {
        self.resources.extend(other.resources);
        self.foreign.extend(other.foreign);
        self.homes.extend(other.homes);
        self.remembered.extend(other.remembered);
        self.notes.extend(other.notes);
        self.refusals.extend(other.refusals);
    }

    /// The outputs of everything that exists, by address; of duplicates the oldest's.
    #[must_use]
    pub fn outputs(&self) -> BTreeMap<Address, Outputs> {
        let mut sorted: Vec<&LiveResource> = self.resources.iter().collect();
        sorted.sort_by(|a, b| (&b.created, &b.id).cmp(&(&a.created, &a.id)));
        sorted.into_iter().map(|r| (r.address.clone(), r.outputs.clone())).collect()
    }

    /// Names this state of our own objects, whatever the order they were reported in; secrets by keyed digest.
    #[must_use]
    pub fn digest(&self) -> String {
        let names: BTreeSet<String> = self
            .resources
            .iter()
            .map(|object| hash::sha256_hex(describe(object).as_bytes()))
            .collect();
        hash::short_hash_of(&names)
    }
}

fn describe(resource: &LiveResource) -> String {
    let public = |attributes: &Attributes| -> BTreeMap<String, serde_json::Value> {
        attributes.iter().map(|(name, value)| (name.clone(), value.to_public_json())).collect()
    };
    serde_json::json!([resource.address, resource.id, public(&resource.attributes)]).to_string()
}

/// A value of a reference, known or not.
pub fn lookup<'a>(
    outputs: &'a BTreeMap<Address, Outputs>,
    reference: &Reference,
) -> Option<&'a Value> {
    outputs.get(&reference.address)?.get(&reference.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, id: &str, created: &str) -> LiveResource {
        LiveResource {
            address: Address::new("p", "k", name),
            id: id.into(),
            attributes: Attributes::new(),
            outputs: [("id".to_owned(), Value::text(id))].into(),
            applied: None,
            created: Some(created.into()),
            home: None,
        }
    }

    #[test]
    fn the_oldest_of_duplicates_gives_the_outputs() {
        let resources = vec![resource("a", "2", "2026-02"), resource("a", "1", "2026-01")];
        let live = LiveState { resources, ..LiveState::default() };
        let outputs = live.outputs();
        assert_eq!(outputs[&Address::new("p", "k", "a")]["id"], Value::text("1"));
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_the_report() {
        let (a, b) = (resource("a", "1", "x"), resource("b", "2", "y"));
        let one = LiveState { resources: vec![a.clone(), b.clone()], ..LiveState::default() };
        let other = LiveState { resources: vec![b, a], ..LiveState::default() };
        assert_eq!(one.digest(), other.digest());
    }
}
