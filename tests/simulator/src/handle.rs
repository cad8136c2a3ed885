//! The world from outside: what tests look at and disturb.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::cloudflare::{records, zones};
use crate::digitalocean::{Droplet, life};
use crate::fault::Fault;
use crate::log::{Exchange, Vendor};
use crate::moment::Watch;
use crate::options::{Limits, Pace};
use crate::world::Cx;

/// A handle on a running world; clones lead to the same one. It changes things as another client
/// of the vendors would, without a request: nothing here counts, waits, or appears in the log.
#[derive(Clone)]
pub struct WorldHandle(pub(crate) Arc<App>);

/// How many requests were made: by vendor, method and path template.
pub type Counts = BTreeMap<(Vendor, String, String), u64>;

impl WorldHandle {
    /// Returns everything that exists, in the form of `world.json`. What nobody touched is the
    /// same in two snapshots, byte for byte.
    pub fn snapshot(&self) -> Value {
        serde_json::to_value(&self.0.lock().world).unwrap_or(Value::Null)
    }

    /// Sets a fault; several may wait at once, and the first that matches strikes.
    pub fn fault(&self, fault: Fault) {
        self.0.lock().faults.add(fault);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.0.lock().faults.clear();
    }

    /// Lets that much time pass at once, until the world is started again.
    pub fn pass(&self, time: Duration) {
        self.0.pass(time);
    }

    /// Lets somebody watch requests, and lose some of them.
    pub fn watch(&self, watch: Option<Watch>) {
        self.0.watched.set(watch);
    }

    /// Returns how many calls a fault struck so far.
    pub fn faults_fired(&self) -> u32 {
        self.0.lock().faults.fired
    }

    /// Returns the exchanges so far, oldest first.
    pub fn log(&self) -> Vec<Exchange> {
        self.0.lock().log.iter().cloned().collect()
    }

    /// Forgets the exchanges so far.
    pub fn clear_log(&self) {
        self.0.lock().log.clear();
    }

    /// Returns how often each operation was called, as far as the log goes back.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for exchange in &self.0.lock().log {
            let key = (exchange.vendor, exchange.method.clone(), exchange.template.clone());
            *counts.entry(key).or_insert(0) += 1;
        }
        counts
    }

    /// Returns how often one operation was called.
    pub fn count(&self, vendor: Vendor, method: &str, template: &str) -> u64 {
        let key = (vendor, method.to_owned(), template.to_owned());
        self.counts().get(&key).copied().unwrap_or(0)
    }

    /// Returns what machines failed to do, oldest first.
    pub fn host_errors(&self) -> Vec<String> {
        self.0.lock().host_errors.clone()
    }

    /// Changes how late things happen from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.0.lock().setup.pace = pace;
    }

    /// Changes the limits from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.0.lock().setup.limits = limits;
    }

    /// Returns the droplets as the world keeps them, late ones included, by id.
    pub fn droplets(&self) -> Vec<Value> {
        let shared = self.0.lock();
        let droplets = shared.world.digitalocean.droplets.values();
        droplets.filter_map(|droplet| serde_json::to_value(droplet).ok()).collect()
    }

    /// Returns a droplet's address.
    pub fn droplet_address(&self, id: u64) -> Option<Ipv4Addr> {
        self.0.lock().world.digitalocean.droplets.get(&id).map(|droplet| droplet.address)
    }

    /// Adds somebody else's droplet, active and long since visible; returns its id.
    ///
    /// # Errors
    ///
    /// When no address is free, or the world cannot be saved.
    pub fn add_foreign_droplet(&self, name: &str, tags: &[&str]) -> io::Result<u64> {
        self.edit(|cx| Droplet::foreign(cx, name, tags))?
            .ok_or_else(|| io::Error::other("no address is free"))
    }

    /// Deletes a droplet at once and for good. Its machine stops too, soon.
    ///
    /// # Errors
    ///
    /// When the world cannot be saved.
    pub async fn delete_droplet(&self, id: u64) -> io::Result<()> {
        let errand = {
            let mut shared = self.0.lock();
            let run = |cx: &mut Cx<'_>| {
                life::delete(cx, id);
                cx.world.digitalocean.droplets.remove(&id);
            };
            self.0.change(&mut shared, run)?.1
        };
        self.0.tell(errand).await;
        Ok(())
    }

    /// Adds an active, full zone; returns its id. A second of the same name is another zone.
    ///
    /// # Errors
    ///
    /// When the world cannot be saved.
    pub fn add_zone(&self, name: &str) -> io::Result<String> {
        self.add_zone_like(name, "active", "full")
    }

    /// Adds a zone of that status (`active`, `pending`, `moved`) and type (`full`, `secondary`).
    ///
    /// # Errors
    ///
    /// When the world cannot be saved.
    pub fn add_zone_like(&self, name: &str, status: &str, kind: &str) -> io::Result<String> {
        self.edit(|cx| zones::add(cx, name, status, kind))
    }

    /// Returns the id of the first zone of that name.
    pub fn zone(&self, name: &str) -> Option<String> {
        let shared = self.0.lock();
        shared.world.cloudflare.zones.iter().find(|zone| zone.name == name).map(|z| z.id.clone())
    }

    /// Returns a zone's records as the API shows them, in the order of their making.
    pub fn records(&self, zone: &str) -> Vec<Value> {
        let shared = self.0.lock();
        let zones = &shared.world.cloudflare.zones;
        let zone = zones.iter().find(|own| own.name == zone || own.id == zone);
        zone.map(|zone| zone.records.iter().map(records::render).collect()).unwrap_or_default()
    }

    /// Adds somebody else's record: the body of a create, and `meta` where the vendor's own
    /// products made it. Returns its id.
    ///
    /// # Errors
    ///
    /// When the API would refuse it; the error's text is the refusal.
    pub fn add_foreign_record(&self, zone: &str, body: Value) -> io::Result<String> {
        self.edit(|cx| records::add_directly(cx, zone, &object(body)))?.map_err(io::Error::other)
    }

    /// Changes fields of a record as another client would.
    ///
    /// # Errors
    ///
    /// When the API would refuse it; the error's text is the refusal.
    pub fn edit_record(&self, zone: &str, id: &str, changes: Value) -> io::Result<()> {
        self.edit(|cx| records::change_directly(cx, zone, id, &object(changes)))?
            .map_err(io::Error::other)
    }

    /// Deletes a record as another client would; it does not linger.
    ///
    /// # Errors
    ///
    /// When there is none, or the world cannot be saved.
    pub fn delete_record(&self, zone: &str, id: &str) -> io::Result<()> {
        self.edit(|cx| records::remove_directly(cx, zone, id))?.map_err(io::Error::other)
    }

    /// Changes a droplet's fields in the world's own form ([`WorldHandle::droplets`] shows it),
    /// as somebody at the vendor's console would: `{"tags": []}`, `{"size": "s-1vcpu-1gb"}`.
    ///
    /// # Errors
    ///
    /// When there is no such droplet or the fields do not fit.
    pub fn edit_droplet(&self, id: u64, changes: Value) -> io::Result<()> {
        self.edit(|cx| Droplet::edit(cx, id, object(changes)))?.map_err(io::Error::other)
    }

    /// Powers every machine off, as when the building loses power: files stay.
    pub(crate) async fn halt_all(&self) {
        let errand = {
            let mut shared = self.0.lock();
            self.0.change(&mut shared, life::halt_all).map(|(_, errand)| errand)
        };
        if let Ok(errand) = errand {
            self.0.tell(errand).await;
        }
    }

    /// Runs a change that no machine has to hear of.
    fn edit<T>(&self, run: impl FnOnce(&mut Cx<'_>) -> T) -> io::Result<T> {
        let mut shared = self.0.lock();
        let (outcome, _) = self.0.change(&mut shared, run)?;
        Ok(outcome)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), json!(other))]),
    }
}
