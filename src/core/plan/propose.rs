//! From a stack's text and the live state to a plan: the values that the plan itself makes unknown are taken back
//! until nothing changes any more.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Action, Options, Plan, Reason, Verb, plan};
use crate::address::Address;
use crate::desired::{DesiredState, Inputs, compile, without};
use crate::diagnostic::Diagnostic;
use crate::live::{Foreign, LiveState};

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
            return Proposal { desired, plan, problems };
        }
        outputs = Cow::Owned(without(&outputs, &gone));
    }
}

/// A plan that puts our marker on one foreign object and changes nothing else.
#[must_use]
pub fn adopt(
    desired: &DesiredState,
    address: &Address,
    foreign: &Foreign,
    live: &LiveState,
) -> Plan {
    single(desired, address, Verb::Adopt, &foreign.id, live)
}

/// A plan that takes our marker off one object and leaves it where it is.
#[must_use]
pub fn forget(desired: &DesiredState, address: &Address, id: &str, live: &LiveState) -> Plan {
    single(desired, address, Verb::Forget, id, live)
}

fn single(
    desired: &DesiredState,
    address: &Address,
    verb: Verb,
    id: &str,
    live: &LiveState,
) -> Plan {
    let action = Action {
        address: address.clone(),
        verb,
        reason: Reason::Requested,
        changes: Vec::new(),
        after: Vec::new(),
        stage: 0,
        id: Some(id.to_owned()),
        holds_data: false,
    };
    let (conflicts, notes, foreign, targets) = Default::default();
    let (stack, live_digest) = (desired.stack.clone(), live.digest());
    Plan { stack, actions: vec![action], conflicts, notes, foreign, live_digest, targets }
}
