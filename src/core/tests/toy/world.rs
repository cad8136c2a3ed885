//! A world in memory: it derives the live state that a stack leads to, can be disturbed, and obeys plans to the
//! letter, so that a plan which is wrong leads to a world which is wrong.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::desired::{DesiredState, without};
use ipai_core::plan::Proposal;
use ipai_core::{
    Action, Address, Change, DesiredResource, Foreign, HomeState, LiveResource, LiveState, Outputs,
    Plan, ResourceType, Secret, Value, Verb,
};

use super::{Setting, address};

/// What exists.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) live: LiveState,
    born: u32,
}

impl World {
    /// The world that equals what the stack wants, reached by obeying its first plan.
    pub(crate) fn derived_from(setting: &mut Setting) -> Result<Self, String> {
        let mut world = Self::default();
        let proposal = setting.propose(&world.live);
        world.apply(setting, &proposal)?;
        Ok(world)
    }

    /// Carries out a plan. Whatever cannot be done as planned is an error.
    pub(crate) fn apply(
        &mut self,
        setting: &mut Setting,
        proposal: &Proposal,
    ) -> Result<(), String> {
        let plan = &proposal.plan;
        // A report may show an object twice; the world has it once.
        let mut ids = BTreeSet::new();
        self.live.resources.retain(|object| ids.insert(object.id.clone()));
        let renewed =
            plan.actions.iter().filter(|a| matches!(a.verb, Verb::Create | Verb::Replace));
        let gone = renewed.map(|action| action.address.clone()).collect();
        let outputs = without(&self.live.outputs(), &gone);
        let (desired, done) = (by_address(proposal.desired.clone()), BTreeSet::new());
        let mut walk = Walk { world: self, setting, plan, outputs, desired, ids, done };
        let mut actions: Vec<&Action> = plan.actions.iter().collect();
        actions.sort_by_key(|action| action.stage);
        actions.into_iter().try_for_each(|action| walk.step(action))?;
        walk.remember();
        Ok(())
    }

    /// Changes an attribute behind ipai's back.
    pub(crate) fn set(&mut self, name: &str, attribute: &str, value: Value) {
        let object = self.object(name);
        object.attributes.insert(attribute.to_owned(), value);
    }

    /// The oldest object of an address.
    pub(crate) fn object(&mut self, name: &str) -> &mut LiveResource {
        self.live.resources.iter_mut().find(|r| r.address == address(name)).unwrap()
    }

    /// Deletes an object and what lives in it behind ipai's back.
    pub(crate) fn delete(&mut self, name: &str) {
        let gone = address(name);
        self.live.resources.retain(|r| r.address != gone && r.home.as_ref() != Some(&gone));
        if let Some(state) = self.live.homes.get_mut(&gone) {
            *state = HomeState::Absent;
        }
    }

    /// Makes a younger object with the same marker.
    pub(crate) fn duplicate(&mut self, name: &str) {
        let mut twin = self.object(name).clone();
        self.born += 1;
        (twin.id, twin.created) = (self.born.to_string(), Some(format!("{:04}", self.born)));
        self.live.resources.push(twin);
    }

    /// Puts up an object that is not ours.
    pub(crate) fn stranger(&mut self, kind: &str, title: &str, identity: &str) {
        self.born += 1;
        let (id, identity) = (self.born.to_string(), Some(identity.to_owned()));
        let (provider, kind, title) = ("toy".to_owned(), kind.to_owned(), title.to_owned());
        self.live.foreign.push(Foreign { provider, kind, id, title, identity });
    }

    /// The box stands but does not answer yet, so nothing in it is seen.
    pub(crate) fn still_boots(&mut self, name: &str) {
        let home = address(name);
        self.live.resources.retain(|r| r.home.as_ref() != Some(&home));
        self.live.homes.insert(home, HomeState::NotReady);
    }

    fn remove(&mut self, id: &str, with_residents: bool) {
        let place = self.live.resources.iter().position(|r| r.id == id);
        let Some(gone) = place.map(|place| self.live.resources.remove(place).address) else {
            return;
        };
        if with_residents {
            self.live.resources.retain(|r| r.home.as_ref() != Some(&gone));
            self.live.homes.remove(&gone);
        }
    }

    fn create(&mut self, kind: &dyn ResourceType, wanted: &DesiredResource) -> Outputs {
        self.born += 1;
        let local = |name: &String| {
            kind.schema().iter().any(|a| a.name == name && a.change == Change::Local)
        };
        let attributes = wanted.attributes.clone().into_iter().filter(|(name, _)| !local(name));
        let outputs: Outputs = match kind.name() {
            "box" => [("ip", format!("10.0.0.{}", self.born)), ("id", self.born.to_string())]
                .map(|(name, text)| (name.to_owned(), Value::text(text)))
                .into(),
            _ => Outputs::new(),
        };
        // A box answers from its creation on, and one that still booted does when something was put into it.
        let answers =
            wanted.home.clone().or((kind.name() == "box").then(|| wanted.address.clone()));
        self.live.homes.extend(answers.map(|home| (home, HomeState::Ready)));
        self.live.resources.push(LiveResource {
            address: wanted.address.clone(),
            id: self.born.to_string(),
            attributes: attributes.collect(),
            outputs: outputs.clone(),
            applied: wanted.version(kind.schema()),
            created: Some(format!("{:04}", self.born)),
            home: wanted.home.clone(),
        });
        outputs
    }

    fn update(
        &mut self,
        kind: &dyn ResourceType,
        wanted: &DesiredResource,
        action: &Action,
    ) -> Result<(), String> {
        let id = action.id.as_deref();
        let object = self.live.resources.iter_mut().find(|r| Some(&*r.id) == id);
        let object = object.ok_or(format!("{}: nothing to update", action.address))?;
        for change in &action.changes {
            let name = change.name.split('.').next().unwrap_or_default();
            let cost = kind.schema().iter().find(|a| a.name == name).map(|a| a.change);
            if cost != Some(Change::Update) {
                return Err(format!("{}: `{name}` cannot be updated in place", action.address));
            }
            let value = wanted.attributes.get(name).ok_or("a change to nothing")?;
            object.attributes.insert(name.to_owned(), value.clone());
        }
        object.applied = wanted.version(kind.schema());
        Ok(())
    }
}

struct Walk<'a> {
    world: &'a mut World,
    setting: &'a mut Setting,
    plan: &'a Plan,
    outputs: BTreeMap<Address, Outputs>,
    desired: BTreeMap<Address, DesiredResource>,
    /// What existed when the plan was made. It may go with its home before it is its turn, as a provider tolerates.
    ids: BTreeSet<String>,
    done: BTreeSet<&'a Address>,
}

fn by_address(desired: DesiredState) -> BTreeMap<Address, DesiredResource> {
    desired.resources.into_iter().map(|r| (r.address.clone(), r)).collect()
}

impl<'a> Walk<'a> {
    fn step(&mut self, action: &'a Action) -> Result<(), String> {
        let makes = |a: &&Action| a.verb != Verb::Delete;
        for need in &action.after {
            let maker = self.plan.actions.iter().filter(makes).find(|a| a.address == *need);
            if maker.is_some() && !self.done.contains(need) {
                return Err(format!("{} comes before {need}", action.address));
            }
        }
        match action.verb {
            Verb::NoOp => {}
            Verb::Delete => {
                let duplicate = matches!(action.reason, ipai_core::Reason::DuplicateOf(_));
                let is_box = action.address.kind == "box" && !duplicate;
                return self.remove(action, is_box);
            }
            Verb::Create if action.address.is_secret() => self.make_secret(&action.address),
            Verb::Create | Verb::Update | Verb::Replace => self.bring_about(action)?,
            Verb::Adopt | Verb::Forget => return Err("nobody asked for that".into()),
        }
        self.done.insert(&action.address);
        Ok(())
    }

    fn make_secret(&mut self, address: &Address) {
        let made = Secret::new(format!("canary-{}", address.name));
        self.setting.secrets.insert(address.name.clone(), Some(made));
        self.desired = by_address(self.setting.compile(&self.outputs).0);
    }

    fn bring_about(&mut self, action: &Action) -> Result<(), String> {
        let wanted = self.known(&action.address)?;
        if action.verb == Verb::Update {
            let kind = self.setting.types().get(&action.address).ok_or("an unknown type")?;
            return self.world.update(kind, &wanted, action);
        }
        if action.verb == Verb::Replace {
            self.remove(action, action.address.kind == "box")?;
        }
        let kind = self.setting.types().get(&action.address).ok_or("an unknown type")?;
        let outputs = self.world.create(kind, &wanted);
        self.outputs.insert(action.address.clone(), outputs);
        Ok(())
    }

    fn remove(&mut self, action: &Action, with_residents: bool) -> Result<(), String> {
        let id = action.id.as_ref().filter(|id| self.ids.contains(*id));
        let id = id.ok_or(format!("{}: nothing to remove", action.address))?;
        self.world.remove(id, with_residents);
        Ok(())
    }

    /// The wanted attributes, all known when it is their turn.
    fn known(&mut self, address: &Address) -> Result<DesiredResource, String> {
        let waits = |r: &DesiredResource| !r.waits_for().is_empty();
        if self.desired.get(address).is_none_or(waits) {
            self.desired = by_address(self.setting.compile(&self.outputs).0);
        }
        let wanted = self.desired.get(address).ok_or(format!("{address} is not desired"))?;
        if waits(wanted) {
            return Err(format!("{address} is not yet known when it is its turn"));
        }
        Ok(wanted.clone())
    }

    fn remember(&mut self) {
        for action in &self.plan.actions {
            let Some(kind) = self.setting.types().get(&action.address) else { continue };
            match self.desired.get(&action.address) {
                Some(wanted) if action.verb != Verb::Delete => {
                    let version = wanted.version(kind.schema()).unwrap_or_default();
                    let birth = wanted.birth_version(kind.schema()).unwrap_or_default();
                    let birth = match action.verb {
                        Verb::Create | Verb::Replace => birth,
                        _ => self.birth_remembered(&action.address).unwrap_or(birth),
                    };
                    let text = format!("{version}+{birth}");
                    self.world.live.remembered.insert(action.address.clone(), text);
                }
                None => drop(self.world.live.remembered.remove(&action.address)),
                Some(_) => {}
            }
        }
    }

    fn birth_remembered(&self, address: &Address) -> Option<String> {
        let text = self.world.live.remembered.get(address)?;
        Some(text.split_once('+')?.1.to_owned())
    }
}
