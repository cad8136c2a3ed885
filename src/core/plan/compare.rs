//! Comparing desired and live state: one function for every resource type there will ever be.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::{change, compare_values, in_brief, show_written};
use super::conflicts::{Strangers, takes_a_new_place};
use super::{Action, Conflict, Note, Plan, Reason, Verb};
use crate::address::Address;
use crate::desired::DesiredState;
use crate::live::{HomeState, LiveResource, LiveState, UNFINISHED};
use crate::resource::{Change, DesiredResource, ResourceType, Types};

/// What the user asked for besides the stack's text.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Replace these although nothing forces it.
    pub replace: BTreeSet<Address>,
    /// Plan only these and what they need; empty means everything.
    pub targets: BTreeSet<Address>,
    /// Everything goes.
    pub destroy: bool,
}

struct Planner<'a> {
    types: &'a Types,
    live: &'a LiveState,
    options: &'a Options,
    /// Secrets that this plan makes.
    secrets_to_make: &'a BTreeSet<String>,
    /// Live objects by address, the oldest first, each once.
    found: BTreeMap<&'a Address, Vec<&'a LiveResource>>,
    /// What is not ours.
    foreign: Strangers<'a>,
    /// What was decided so far, for what lives in it.
    verbs: BTreeMap<&'a Address, Verb>,
    actions: Vec<Action>,
    conflicts: Vec<Conflict>,
    notes: Vec<Note>,
}

/// Works out what must be done. Pure: equal arguments give equal plans.
#[must_use]
pub fn plan(desired: &DesiredState, live: &LiveState, types: &Types, options: &Options) -> Plan {
    let mut found: BTreeMap<&Address, Vec<&LiveResource>> = BTreeMap::new();
    for resource in &live.resources {
        found.entry(&resource.address).or_default().push(resource);
    }
    for duplicates in found.values_mut() {
        duplicates.sort_by_key(|object| (&object.created, &object.id, &object.home));
        // A list that grows while it is read in pages shows an object twice.
        duplicates.dedup_by_key(|object| (&object.id, &object.home));
    }
    for resource in &desired.resources {
        // The object that stands where it is wanted is kept, before any older one elsewhere.
        if let Some(objects) = found.get_mut(&resource.address) {
            objects.sort_by_key(|object| object.home != resource.home);
        }
    }
    let foreign = Strangers::new(&live.foreign, types);
    let secrets_to_make = &desired.secrets_to_make;
    let (verbs, conflicts, notes) = Default::default();
    let actions = Vec::with_capacity(desired.resources.len() + desired.secrets_to_make.len());
    let mut planner = Planner {
        types,
        live,
        options,
        secrets_to_make,
        found,
        foreign,
        verbs,
        actions,
        conflicts,
        notes,
    };
    planner.plan_secrets(desired);
    for resource in &desired.resources {
        planner.plan_resource(resource);
    }
    planner.plan_deletions(desired);
    planner.finish(desired)
}

impl<'a> Planner<'a> {
    fn plan_secrets(&mut self, desired: &DesiredState) {
        for name in desired.secrets_to_make.iter().filter(|_| !self.options.destroy) {
            let after = Vec::new();
            self.actions.push(action(
                Address::secret(name),
                Verb::Create,
                Reason::NotGenerated,
                after,
            ));
        }
    }

    fn plan_resource(&mut self, resource: &'a DesiredResource) {
        let Some(kind) = self.types.get(&resource.address) else { return };
        let existing = self.found.get(&resource.address).and_then(|all| all.first()).copied();
        let home = resource.home.as_ref().and_then(|home| self.new_home(home));
        let mut action = match (home, existing) {
            (Some(home), _) => self.create(kind, resource, Reason::HomeIsNew(home)),
            (None, None) => self.create(kind, resource, self.reason_to_create(kind, resource)),
            (None, Some(live)) => self.compare(kind, resource, live),
        };
        action.after = resource.after.iter().cloned().collect();
        action.holds_data = kind.holds_data();
        if takes_a_new_place(kind, resource, existing, &action) {
            self.conflicts.extend(self.foreign.conflicts(kind, resource));
        }
        if !matches!(action.verb, Verb::NoOp) {
            self.refuse(&resource.address);
        }
        let stays = matches!(action.verb, Verb::NoOp | Verb::Update);
        self.note_birth_changes(kind, resource, existing.filter(|_| stays));
        self.verbs.insert(&resource.address, action.verb);
        self.actions.push(action);
    }

    /// Takes up what the providers refuse for this resource.
    fn refuse(&mut self, address: &Address) {
        let own = self.live.refusals.iter().filter(|refusal| refusal.address == *address);
        self.conflicts.extend(own.cloned().map(Conflict::from));
    }

    /// The home, if what lives in it must be created anew.
    fn new_home(&self, home: &Address) -> Option<Address> {
        let is_new = matches!(self.verbs.get(home), Some(Verb::Create | Verb::Replace))
            || matches!(self.live.homes.get(home), Some(HomeState::Absent | HomeState::NotReady));
        is_new.then(|| home.clone())
    }

    /// What was applied as the stack has it now and is gone was deleted; what the stack wants otherwise since then may
    /// as well stand where it was.
    fn reason_to_create(&self, kind: &dyn ResourceType, resource: &DesiredResource) -> Reason {
        let Some(applied) = self.live.remembered.get(&resource.address) else {
            return Reason::NotFound;
        };
        let applied = applied.split('+').next();
        match resource.version(kind.schema()) {
            Some(wanted) if Some(wanted.as_str()) != applied => Reason::Edited,
            _ => Reason::Deleted,
        }
    }

    fn create(
        &self,
        kind: &dyn ResourceType,
        resource: &DesiredResource,
        reason: Reason,
    ) -> Action {
        let mut created = action(resource.address.clone(), Verb::Create, reason, Vec::new());
        for attribute in kind.schema().iter().filter(|a| a.change != Change::Local) {
            if let Some(value) = resource.attributes.get(attribute.name) {
                created.changes.push(change(attribute.name, None, Some(value), false));
            }
        }
        created.changes.shrink_to_fit();
        created
    }

    fn compare(
        &self,
        kind: &dyn ResourceType,
        resource: &DesiredResource,
        live: &LiveResource,
    ) -> Action {
        let mut changes = Vec::new();
        for attribute in kind.schema() {
            let forces = match attribute.change {
                Change::Update => false,
                Change::Replace => true,
                Change::Birth | Change::Local => continue,
            };
            if let Some(wanted) = resource.attributes.get(attribute.name) {
                let (name, live) = (attribute.name, live.attributes.get(attribute.name));
                compare_values(name, live, wanted, forces, &mut changes);
                show_written(kind, name, (live, wanted), &mut changes);
            }
        }
        changes.shrink_to_fit();
        let forced: Vec<String> =
            changes.iter().filter(|c| c.forces_replace).map(|c| c.name.clone()).collect();
        // What is not ipai's making cannot be made anew.
        let replaceable = kind.given(&resource.attributes).is_none();
        let requested = replaceable && self.options.replace.contains(&resource.address);
        let (verb, reason) = match (forced.is_empty(), requested, changes.is_empty()) {
            (false, ..) => (Verb::Replace, Reason::CannotUpdate(forced)),
            (true, true, _) => (Verb::Replace, Reason::Requested),
            (true, false, true) => (Verb::NoOp, Reason::Same),
            (true, false, false) => (Verb::Update, self.why_differs(kind, resource, live)),
        };
        let id = Some(live.id.clone());
        Action { changes, id, ..action(resource.address.clone(), verb, reason, Vec::new()) }
    }

    fn why_differs(
        &self,
        kind: &dyn ResourceType,
        resource: &DesiredResource,
        live: &LiveResource,
    ) -> Reason {
        if live.applied.as_deref() == Some(UNFINISHED) {
            return Reason::Unfinished;
        }
        match resource.version(kind.schema()) {
            None => {
                let mut waits = resource.waits_for();
                // Secrets that exist stand among them only to say that the text will hold one.
                waits.retain(|w| {
                    !w.address.is_secret() || self.secrets_to_make.contains(&w.address.name)
                });
                Reason::WaitsFor(waits)
            }
            Some(version) if applied_version(live) == Some(version.as_str()) => Reason::Drifted,
            Some(_) => Reason::Edited,
        }
    }

    /// What is used at birth only is compared where the provider still shows it, and with what hosts remember.
    fn note_birth_changes(
        &mut self,
        kind: &dyn ResourceType,
        resource: &DesiredResource,
        live: Option<&LiveResource>,
    ) {
        let Some(live) = live else { return };
        for attribute in kind.schema().iter().filter(|a| a.change == Change::Birth) {
            let wanted = resource.attributes.get(attribute.name);
            let (Some(wanted), Some(found)) = (wanted, live.attributes.get(attribute.name)) else {
                continue;
            };
            if wanted != found && !wanted.is_unknown() {
                let text = format!(
                    "`{}` is used only when it is created; the live one keeps {} until it is replaced (--replace {})",
                    attribute.name,
                    in_brief(found, wanted),
                    resource.address
                );
                self.notes.push(Note { address: Some(resource.address.clone()), text });
            }
        }
        let remembered =
            self.live.remembered.get(&resource.address).and_then(|text| text.split_once('+'));
        if let (Some((_, born)), Some(wanted)) = (remembered, resource.birth_version(kind.schema()))
            && born != wanted
        {
            let text = format!(
                "what is used only when it is created was edited since; it takes effect when it is replaced (--replace {})",
                resource.address
            );
            self.notes.push(Note { address: Some(resource.address.clone()), text });
        }
    }

    fn plan_deletions(&mut self, desired: &DesiredState) {
        let wanted: BTreeMap<&Address, Option<&Address>> =
            desired.resources.iter().map(|r| (&r.address, r.home.as_ref())).collect();
        let doomed = self.doomed(&wanted);
        let gone = |home: &Address| {
            let objects = self.found.get(home).filter(|_| !wanted.contains_key(home));
            let deleted = objects.is_some_and(|objects| !objects.iter().any(|o| self.is_given(o)));
            deleted || self.verbs.get(home) == Some(&Verb::Replace)
        };
        let alone = doomed.into_iter().filter(|(o, _)| !o.home.as_ref().is_some_and(gone));
        let mut deletions: Vec<Action> = alone.map(|(o, reason)| self.delete(o, reason)).collect();
        deletions.sort_by(|a, b| (a.stage, &a.address, &a.id).cmp(&(b.stage, &b.address, &b.id)));
        self.actions.extend(deletions);
    }

    /// Objects that have to go, in their homes or with them.
    fn doomed(
        &self,
        wanted: &BTreeMap<&Address, Option<&Address>>,
    ) -> Vec<(&'a LiveResource, Reason)> {
        let unwanted =
            if self.options.destroy { Reason::Destroyed } else { Reason::NoLongerDesired };
        let mut doomed = Vec::new();
        for (address, objects) in &self.found {
            let created = self.verbs.get(address) == Some(&Verb::Create);
            for (place, object) in objects.iter().enumerate() {
                // What is created although it exists is created in a new home. Whatever of it stood in that home is
                // gone with the old one, and only what stands elsewhere is left to delete.
                let stays = wanted.get(address).is_some_and(|home| {
                    if created { object.home.as_ref() == *home } else { place == 0 }
                });
                let stays = stays || self.is_given(object);
                let twin = place > 0 && object.home == objects[0].home;
                if !stays {
                    let reason = if twin {
                        Reason::DuplicateOf(objects[0].id.clone())
                    } else {
                        unwanted.clone()
                    };
                    doomed.push((*object, reason));
                }
            }
        }
        doomed
    }

    /// Tells whether an object exists whatever ipai does.
    fn is_given(&self, object: &LiveResource) -> bool {
        let kind = self.types.get(&object.address);
        kind.is_some_and(|kind| kind.given(&object.attributes).is_some())
    }

    fn delete(&self, object: &LiveResource, reason: Reason) -> Action {
        let kind = self.types.get(&object.address);
        let mut deleted = action(object.address.clone(), Verb::Delete, reason, Vec::new());
        deleted.id = Some(object.id.clone());
        deleted.holds_data = kind.is_some_and(ResourceType::holds_data);
        let from_last = self.types.iter().count().saturating_sub(self.types.rank(&object.address));
        let early = kind.is_some_and(ResourceType::deletes_early);
        deleted.stage = if early { 0 } else { u32::try_from(from_last).unwrap_or(u32::MAX).max(1) };
        for (name, value) in &object.attributes {
            deleted.changes.push(change(name, Some(value), None, false));
        }
        deleted
    }

    fn finish(mut self, desired: &DesiredState) -> Plan {
        if !self.options.targets.is_empty() {
            keep_targets(&mut self.actions, &self.options.targets);
        }
        let kept: BTreeSet<&Address> = self.actions.iter().map(|a| &a.address).collect();
        self.conflicts.retain(|conflict| kept.contains(&conflict.address));
        // What stands in the way is told as such.
        let told = |note: &&String| {
            !self.conflicts.iter().any(|conflict| note.starts_with(&conflict.foreign.title))
        };
        let remarks: BTreeSet<&String> = self.live.notes.iter().filter(told).collect();
        self.notes.extend(remarks.into_iter().map(|r| Note { address: None, text: r.clone() }));
        let mut foreign = self.live.foreign.clone();
        foreign.sort();
        Plan {
            stack: desired.stack.clone(),
            actions: self.actions,
            conflicts: self.conflicts,
            notes: self.notes,
            foreign,
            live_digest: self.live.digest(),
            targets: self.options.targets.iter().cloned().collect(),
        }
    }
}

fn keep_targets(actions: &mut Vec<Action>, targets: &BTreeSet<Address>) {
    // A duplicate's deletion shares its address with the action on the object that is kept.
    let mut needs: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
    for action in actions.iter() {
        needs.entry(action.address.clone()).or_default().extend(action.after.iter().cloned());
    }
    let mut kept = BTreeSet::new();
    let mut open: Vec<Address> = targets.iter().cloned().collect();
    while let Some(address) = open.pop() {
        if kept.insert(address.clone()) {
            open.extend(needs.get(&address).into_iter().flatten().cloned());
        }
    }
    actions.retain(|action| kept.contains(&action.address));
}

fn action(address: Address, verb: Verb, reason: Reason, after: Vec<Address>) -> Action {
    Action {
        address,
        verb,
        reason,
        changes: Vec::new(),
        after,
        stage: 0,
        id: None,
        holds_data: false,
    }
}

/// The version in a live object's marker; hosts write the version of what is used at birth behind it.
fn applied_version(live: &LiveResource) -> Option<&str> {
    live.applied.as_deref().and_then(|applied| applied.split('+').next())
}
