//! A linter for plans: what must hold of every plan, whatever was planned.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, Verb};
use crate::address::Address;
use crate::order;

/// Everything about a plan that must not be; empty for every sound plan. A finding is a fault of ipai.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<String> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for action in &plan.actions {
        let address = &action.address;
        let deletes = action.verb == Verb::Delete;
        if !seen.insert((address, deletes, action.id.as_deref().filter(|_| deletes))) {
            findings.push(format!("{address} has two actions"));
        }
        if action.verb == Verb::NoOp && !action.changes.is_empty() {
            findings.push(format!("{address} is left alone and yet changes"));
        }
        if action.verb == Verb::Update && action.changes.is_empty() {
            findings.push(format!("{address} is updated without a change"));
        }
        if matches!(action.verb, Verb::Update | Verb::Replace | Verb::Delete) && action.id.is_none()
        {
            findings.push(format!("{address} changes an object without an id"));
        }
        if action.stage > 0 && !deletes {
            findings.push(format!("{address} is late but does not delete"));
        }
    }
    findings.extend(lint_order(plan));
    findings
}

fn lint_order(plan: &Plan) -> Vec<String> {
    let owned: Vec<(Address, BTreeSet<Address>)> = plan
        .actions
        .iter()
        .filter(|action| action.verb != Verb::Delete)
        .map(|action| (action.address.clone(), action.after.iter().cloned().collect()))
        .collect();
    let needs: BTreeMap<&Address, &BTreeSet<Address>> = owned.iter().map(|(a, n)| (a, n)).collect();
    let mut findings = Vec::new();
    if order::sort(&needs).is_err() {
        findings.push("the plan has a cycle".to_owned());
    }
    let mut done: BTreeSet<&Address> = BTreeSet::new();
    for (address, wanted) in &owned {
        let late = wanted.iter().find(|need| needs.contains_key(need) && !done.contains(need));
        if let Some(need) = late {
            findings.push(format!("{address} stands before {need}, which it needs"));
        }
        done.insert(address);
    }
    findings
}
