//! Where a stack's lock is kept: in its first DNS zone, else on its oldest host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipai_core::desired::compile;
use ipai_core::lock::LockStore;
use ipai_core::{Address, Events, LiveResource, Silent};

use super::world::World;
use super::{Failed, Run};
use crate::observe::observe;
use crate::providers;

/// Who keeps the lock.
pub(super) enum Keeper {
    /// Somebody does.
    Store {
        /// Who.
        store: Arc<dyn LockStore>,
        /// The host that it is on; what replaces or deletes that one takes the lock away.
        home: Option<Address>,
    },
    /// Nobody can, for this reason.
    Nobody(String),
}

impl World {
    /// Finds the lock's place. Looks, and changes nothing.
    pub(super) async fn keeper(&self, run: &Run<'_>) -> Result<Keeper, Failed> {
        let (desired, _) = self.loaded.with_inputs(&BTreeMap::new(), compile);
        let stack = &self.loaded.stack.id;
        let zones: BTreeSet<&str> =
            desired.resources.iter().filter_map(|r| r.text("zone")).collect();
        // The first by name, so that every run of the same stack asks at the same place.
        for zone in zones {
            if let Some(store) = providers::zone_lock(&self.access, stack, zone) {
                return Ok(Keeper::Store { store, home: None });
            }
        }
        let homes: BTreeSet<Address> =
            desired.resources.into_iter().filter_map(|r| r.home).collect();
        if homes.is_empty() {
            let why = "it has neither a DNS zone nor a host that ipai works on";
            return Ok(Keeper::Nobody(why.to_owned()));
        }
        self.host_keeper(run, &homes).await
    }

    async fn host_keeper(
        &self,
        run: &Run<'_>,
        homes: &BTreeSet<Address>,
    ) -> Result<Keeper, Failed> {
        let observers: Vec<_> =
            self.observers.iter().filter(|o| o.lives_in().is_empty()).cloned().collect();
        let events: Arc<dyn Events> = Arc::new(Silent);
        let live = observe(&self.loaded, &observers, &events).await;
        let live = live.map_err(|errors| run.remote(&errors))?;
        // The oldest, so that a host that comes along does not move the lock while somebody holds it.
        let hosts = live.resources.iter().filter(|r| homes.contains(&r.address));
        let age = |r: &&LiveResource| (r.created.clone(), r.address.clone());
        let Some(host) = hosts.min_by_key(age) else {
            return Ok(Keeper::Nobody(
                "it has no DNS zone, and no host of it exists yet".to_owned(),
            ));
        };
        let stack = &self.loaded.stack.id;
        let store = providers::host_lock(&self.access, stack, &host.address, &host.outputs);
        if !store.is_up().await.map_err(|error| run.remote(&[error]))? {
            let why =
                format!("it has no DNS zone, and {} is still in its first boot", host.address);
            return Ok(Keeper::Nobody(why));
        }
        Ok(Keeper::Store { store: Arc::new(store), home: Some(host.address.clone()) })
    }
}
