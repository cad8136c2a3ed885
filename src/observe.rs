//! All providers at once: those that live in another's resources wait for that one and for no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipai_core::desired::compile;
use ipai_core::{
    Address, DesiredResource, Events, LiveResource, LiveState, Observe, RemoteError, ResourceType,
    Scope,
};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::load::Loaded;
use crate::log::phase;

/// Looks at everything that the stack speaks of.
///
/// # Errors
/// Every provider's failure; one failure does not keep the others from being asked.
pub async fn observe(
    loaded: &Loaded,
    observers: &[Arc<dyn Observe>],
    events: &Arc<dyn Events>,
) -> Result<LiveState, Vec<RemoteError>> {
    look(loaded, observers, events).instrument(phase("observe")).await
}

async fn look(
    loaded: &Loaded,
    observers: &[Arc<dyn Observe>],
    events: &Arc<dyn Events>,
) -> Result<LiveState, Vec<RemoteError>> {
    let mut live = LiveState { resources: given(loaded), ..LiveState::default() };
    let mut failures = Vec::new();
    let mut waiting: Vec<Arc<dyn Observe>> = observers.to_vec();
    let mut answered: BTreeSet<&'static str> = BTreeSet::new();
    let mut running = JoinSet::new();
    loop {
        let (ready, later): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|o| o.lives_in().iter().all(|home| answered.contains(home)));
        waiting = later;
        for observer in ready {
            let scope = scope(loaded, observer.as_ref(), &live);
            let events = Arc::clone(events);
            let looking = async move {
                (observer.provider(), observer.observe(&scope, events.as_ref()).await)
            };
            running.spawn(looking.in_current_span());
        }
        let Some(ended) = running.join_next().await else { break };
        match ended {
            Ok((provider, Ok(mut report))) => {
                keep_own(provider, &mut report);
                live.absorb(report);
                answered.insert(provider);
            }
            Ok((_, Err(error))) => failures.push(error),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    if failures.is_empty() { Ok(live) } else { Err(failures) }
}

/// A provider speaks of its own resources alone: what a host says must never move a droplet, a record or a secret.
fn keep_own(provider: &str, report: &mut LiveState) {
    let before = report.resources.len();
    report.resources.retain(|resource| resource.address.provider == provider);
    if report.resources.len() < before {
        report.notes.push(format!("{provider} reported resources of others, which were left out"));
    }
}

/// What exists because the stack says so.
fn given(loaded: &Loaded) -> Vec<LiveResource> {
    let (desired, _) = loaded.with_inputs(&BTreeMap::new(), compile);
    let given = |resource: DesiredResource| {
        let outputs = loaded.types.get(&resource.address)?.given(&resource.attributes)?;
        Some(LiveResource {
            id: resource.address.to_string(),
            address: resource.address,
            attributes: resource.attributes,
            outputs,
            applied: None,
            created: None,
            home: None,
        })
    };
    desired.resources.into_iter().filter_map(given).collect()
}

fn scope(loaded: &Loaded, observer: &dyn Observe, live: &LiveState) -> Scope {
    let outputs = live.outputs();
    let (desired, _) = loaded.with_inputs(&outputs, compile);
    let mine: Vec<_> = desired
        .resources
        .into_iter()
        .filter(|r| r.address.provider == observer.provider())
        .collect();
    let homes_of = |address: &&Address| {
        let kind = loaded.types.get(address);
        let theirs = observer.lives_in().contains(&address.provider.as_str());
        let given = live.resources.iter().filter(|r| r.address == **address);
        let given = given.clone().any(|r| kind.is_some_and(|k| k.given(&r.attributes).is_some()));
        theirs && kind.is_some_and(ResourceType::is_home)
            || given && address.provider == observer.provider()
    };
    let mut homes: BTreeMap<Address, _> = BTreeMap::new();
    let mut wanted: BTreeSet<Address> = mine.iter().filter_map(|r| r.home.clone()).collect();
    // A home may hold what the stack no longer names, so every live one is asked.
    wanted.extend(outputs.keys().filter(homes_of).cloned());
    for (address, produced) in outputs {
        if wanted.contains(&address) {
            homes.insert(address, produced);
        }
    }
    Scope {
        stack: loaded.stack.id.clone(),
        desired: mine,
        homes,
        wanted_homes: wanted.into_iter().collect(),
    }
}
