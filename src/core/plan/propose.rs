//! From a stack's text and the live state to a plan: the values that the plan itself makes unknown are taken back
//! until nothing changes any more.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Action, Note, Options, Plan, Reason, Verb, plan};
use crate::address::Address;
use crate::desired::{DesiredState, Inputs, compile, without};
use crate::diagnostic::Diagnostic;
use crate::live::{Foreign, LiveState};
use crate::resource::DesiredResource;

/// A plan, the desired state that it was made from, and what is wrong with the latter.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What the stack wants.
    pub desired: DesiredState,
    /// What must be done.
    pub plan: Plan,
    /// Errors and warnings; with an error among them the plan means nothing.
    pub problems: Vec<Diagnostic>,
}

/// Plans. `inputs.outputs` is what the live state is known to produce.
#[must_use]
pub fn propose(inputs: &Inputs<'_>, live: &LiveState, options: &Options) -> Proposal {
    let mut outputs = Cow::Borrowed(inputs.outputs);
    loop {
        let current = Inputs { outputs: &outputs, ..*inputs };
        let (mut desired, problems) = compile(&current);
        if options.destroy {
            desired.resources.clear();
        }
        let plan = plan(&desired, live, inputs.types, options);
        let renewed = |action: &&Action| matches!(action.verb, Verb::Create | Verb::Replace);
        let gone: BTreeSet<Address> =
            plan.actions.iter().filter(renewed).map(|action| action.address.clone()).collect();
        // Every further round takes something away, so there are at most as many as outputs.
        if !outputs.keys().any(|address| gone.contains(address)) {
            let mut plan = plan;
            plan.notes.extend(hidden(&desired, inputs));
            return Proposal { desired, plan, problems };
        }
        outputs = Cow::Owned(without(&outputs, &gone));
    }
}

/// Where the plan cannot say which ports become reachable, it says that.
fn hidden<'a>(
    desired: &'a DesiredState,
    inputs: &'a Inputs<'_>,
) -> impl Iterator<Item = Note> + 'a {
    let hides = |resource: &&DesiredResource| {
        let kind = inputs.types.get(&resource.address);
        kind.is_some_and(|kind| kind.hides_openings(&resource.attributes))
    };
    desired.resources.iter().filter(hides).map(|resource| Note {
        address: Some(resource.address.clone()),
        text: "its file is completed while it is applied, so the ports that it opens are not listed yet".to_owned(),
    })
}

/// A plan that puts our marker on one foreign object and changes nothing else.
#[must_use]
pub fn adopt(
    desired: &DesiredState,
    address: &Address,
    foreign: &Foreign,
    live: &LiveState,
) -> Plan {
    adopt_all(desired, &[(address, foreign)], live)
}

/// The same for several objects together.
#[must_use]
pub fn adopt_all(desired: &DesiredState, pairs: &[(&Address, &Foreign)], live: &LiveState) -> Plan {
    let actions =
        pairs.iter().map(|(address, foreign)| requested(address, Verb::Adopt, &foreign.id));
    of(desired, actions.collect(), live)
}

/// A plan that takes our marker off one object and leaves it where it is.
#[must_use]
pub fn forget(desired: &DesiredState, address: &Address, id: &str, live: &LiveState) -> Plan {
    of(desired, vec![requested(address, Verb::Forget, id)], live)
}

fn requested(address: &Address, verb: Verb, id: &str) -> Action {
    Action {
        address: address.clone(),
        verb,
        reason: Reason::Requested,
        changes: Vec::new(),
        after: Vec::new(),
        stage: 0,
        id: Some(id.to_owned()),
        holds_data: false,
    }
}

fn of(desired: &DesiredState, actions: Vec<Action>, live: &LiveState) -> Plan {
    let (conflicts, notes, foreign, targets) = Default::default();
    let (stack, live_digest) = (desired.stack.clone(), live.digest());
    Plan { stack, actions, conflicts, notes, foreign, live_digest, targets }
}
