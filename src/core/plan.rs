//! The plan as a value: what will be done, in which order, and why.

mod changes;
mod compare;
mod conflicts;
mod lint;
mod propose;
mod saved;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::address::{Address, Reference, StackId};
use crate::hash;
use crate::live::{Foreign, Refusal};

pub use compare::{Options, plan};
pub use lint::lint;
pub use propose::{Proposal, adopt, adopt_all, forget, propose};
pub use saved::{SavedPlan, moved};

/// What is done to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Nothing.
    NoOp,
    /// It is created.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and created anew.
    Replace,
    /// It is deleted.
    Delete,
    /// An existing object gets our marker and is otherwise left as it is.
    Adopt,
    /// Our marker is taken off and the object stays.
    Forget,
}

/// Why an action has its verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Live and desired state agree.
    Same,
    /// Nothing of this address exists.
    NotFound,
    /// It was applied before and is gone: drift.
    Deleted,
    /// The stack wants other attributes than were applied last.
    Edited,
    /// The live object left the desired state although nobody edited the latter.
    Drifted,
    /// An earlier apply left it half made.
    Unfinished,
    /// These attributes cannot be changed in place.
    CannotUpdate(Vec<String>),
    /// The user asked for a replacement.
    Requested,
    /// The resource that it lives in is created or replaced.
    HomeIsNew(Address),
    /// Values that it uses become known only during apply.
    WaitsFor(BTreeSet<Reference>),
    /// The stack no longer has it.
    NoLongerDesired,
    /// It carries the address of another, older object, whose id this is.
    DuplicateOf(String),
    /// The stack is being destroyed.
    Destroyed,
    /// The secret has not been made yet.
    NotGenerated,
}

/// A value as the plan may show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// There is none.
    Absent,
    /// The value.
    Value(Json),
    /// A secret; the keyed digest tells versions apart. It is empty where no key was at hand.
    Sensitive(String),
    /// What an earlier action will produce.
    Unknown,
}

/// How one attribute changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Its name; `services.caddy` for a member of a table.
    pub name: String,
    /// What is.
    pub before: Shown,
    /// What will be.
    pub after: Shown,
    /// Tells whether this change alone makes a replacement necessary.
    pub forces_replace: bool,
    /// A unified diff, for texts that may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// One step of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// On what.
    pub address: Address,
    /// What.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// Which attributes change, and how.
    pub changes: Vec<AttributeChange>,
    /// What must end well before.
    pub after: Vec<Address>,
    /// Actions of a later stage begin when all of the earlier ones have ended well; 0 unless it deletes late.
    pub stage: u32,
    /// The provider's id of the object that is changed or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Tells whether deleting or replacing it loses data.
    pub holds_data: bool,
}

/// Something that is not ours stands in the way; apply refuses until it is settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The resource that cannot be created.
    pub address: Address,
    /// What stands in the way.
    pub foreign: Foreign,
    /// Why both cannot be.
    pub why: String,
    /// Tells whether taking the foreign object over would settle it.
    pub adoptable: bool,
    /// What to do, where it is neither taking over nor removing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<Refusal> for Conflict {
    fn from(refusal: Refusal) -> Self {
        let Refusal { address, harmed, why, hint } = refusal;
        Self { address, foreign: harmed, why, adoptable: false, hint: Some(hint) }
    }
}

/// A remark that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about, if about one resource.
    pub address: Option<Address>,
    /// The remark.
    pub text: String,
}

/// What will be done. Holds nothing secret: it can be printed, saved, sent and compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// For which stack.
    pub stack: StackId,
    /// All steps, no-ops among them, each after what it needs.
    pub actions: Vec<Action>,
    /// What stands in the way.
    pub conflicts: Vec<Conflict>,
    /// Remarks.
    pub notes: Vec<Note>,
    /// Foreign objects near what the stack declares.
    pub foreign: Vec<Foreign>,
    /// Names the live state that this was planned on.
    pub live_digest: String,
    /// The addresses that the user limited the plan to; empty when it covers everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Address>,
}

/// How many objects a plan adds, changes and destroys; a replacement counts as one added and one destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// To add.
    pub add: usize,
    /// To change.
    pub change: usize,
    /// To destroy.
    pub destroy: usize,
}

impl Summary {
    /// Counts one action in.
    pub fn count(&mut self, verb: Verb) {
        match verb {
            Verb::NoOp => {}
            Verb::Create => self.add += 1,
            Verb::Update | Verb::Adopt | Verb::Forget => self.change += 1,
            Verb::Delete => self.destroy += 1,
            Verb::Replace => {
                self.add += 1;
                self.destroy += 1;
            }
        }
    }
}

impl Action {
    /// Tells whether carrying it out may lose data.
    #[must_use]
    pub fn risks_data(&self) -> bool {
        self.holds_data && matches!(self.verb, Verb::Delete | Verb::Replace)
    }

    /// Tells whether it mends drift.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self.reason, Reason::Drifted | Reason::Deleted)
    }
}

impl Plan {
    /// The actions that do something.
    pub fn effective(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| action.verb != Verb::NoOp)
    }

    /// Tells whether there is nothing to do and nothing in the way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effective().next().is_none() && self.conflicts.is_empty()
    }

    /// Counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.actions.iter().for_each(|action| summary.count(action.verb));
        summary
    }

    /// Addresses whose data would be lost, and that nobody gave leave for.
    #[must_use]
    pub fn unapproved_losses(&self, approved: &BTreeSet<Address>) -> Vec<&Address> {
        let lost = self.actions.iter().filter(|action| action.risks_data());
        lost.map(|action| &action.address).filter(|address| !approved.contains(address)).collect()
    }

    /// Names what this plan would do: equal plans have equal fingerprints. Sixteen hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let effective: Vec<&Action> = self.effective().collect();
        hash::short_hash_of(&(&self.stack, effective, &self.conflicts))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(", ");
        match self {
            Self::Same => f.write_str("as desired"),
            Self::NotFound => f.write_str("does not exist yet"),
            Self::Deleted => f.write_str("drifted: it was deleted outside of ipai"),
            Self::Edited => f.write_str("the stack was edited"),
            Self::Drifted => f.write_str("drifted: it was changed outside of ipai"),
            Self::Unfinished => f.write_str("an earlier apply did not finish it"),
            Self::CannotUpdate(names) => {
                let names = list(&mut names.iter().map(|name| format!("`{name}`")));
                write!(f, "cannot change {names} in place")
            }
            Self::Requested => f.write_str("as requested"),
            Self::HomeIsNew(home) => write!(f, "{home} is new"),
            Self::WaitsFor(references) => {
                write!(f, "waits for {}", list(&mut references.iter().map(ToString::to_string)))
            }
            Self::NoLongerDesired => f.write_str("no longer in the stack"),
            Self::DuplicateOf(id) => write!(f, "a duplicate of the older {id}"),
            Self::Destroyed => f.write_str("the stack is being destroyed"),
            Self::NotGenerated => f.write_str("has not been generated yet"),
        }
    }
}
