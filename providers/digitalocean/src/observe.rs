//! Looking at everything at once: one list of droplets, one of firewalls and one of tags, side by side; lists of volumes and
//! reserved addresses where there may be some.

mod recorded;
mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipai_core::{
    Address, BoxFuture, DesiredResource, Events, Foreign, LiveState, Observe, RemoteError, Scope,
};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::api::{ApiError, Droplet, Firewall, Get, Kind, Reader, ReservedIp};
use crate::droplet::{self, Surroundings};
use crate::marker::{self, Marks};
use crate::settings::Settings;
use crate::{PROVIDER, firewall, offers};
use storage::Storage;

pub use recorded::{Reading, read_recorded};

/// Reads droplets, firewalls, volumes and reserved addresses. It holds a client that knows no other method than GET.
pub struct DigitalOceanObserver {
    reader: Reader,
}

impl DigitalOceanObserver {
    /// Prepares to observe; contacts nobody.
    ///
    /// # Errors
    /// The base URL would leak the token, or the token cannot be one.
    pub fn new(settings: &Settings) -> Result<Self, RemoteError> {
        Ok(Self { reader: Reader::new(settings)? })
    }

    async fn look(&self, scope: &Scope) -> Result<LiveState, ApiError> {
        let tagged = Get::droplets_tagged(&marker::stack_tag(&scope.stack));
        let firewalls = Get::firewalls();
        let (droplets, firewalls, storage) = tokio::try_join!(
            self.reader.list::<Droplet>(&tagged),
            self.reader.list::<Firewall>(&firewalls),
            self.storage(scope),
        )?;
        let mut sight = Sight::new(scope, droplets.now);
        droplets.items.into_iter().for_each(|droplet| sight.tagged(droplet));
        let (by_name, doubts) = tokio::join!(
            self.by_name(scope, &sight),
            offers::doubts(&self.reader, &scope.desired, &sight.droplets),
        );
        for (address, named) in by_name? {
            named.into_iter().for_each(|droplet| sight.named(&address, droplet));
        }
        sight.notes.extend(doubts);
        let reserved = match storage.addresses() {
            Some(known) => known,
            None => self.reserved(&sight).await?,
        };
        Ok(sight.into_state(&firewalls.items, &reserved, &storage))
    }

    /// Asks by name for wanted droplets that no tag showed: their tags may not have arrived yet, or a stranger
    /// stands in the way.
    async fn by_name(
        &self,
        scope: &Scope,
        sight: &Sight<'_>,
    ) -> Result<Vec<(Address, Vec<Droplet>)>, ApiError> {
        let mut asking = JoinSet::new();
        for missing in scope.desired.iter().filter(|wanted| sight.misses(wanted)) {
            let Some(name) = missing.text("name") else { continue };
            let (reader, get) = (self.reader.clone(), Get::droplets_named(name));
            let (address, name) = (missing.address.clone(), name.to_owned());
            asking.spawn(
                async move {
                    let found = reader.list::<Droplet>(&get).await?.items.into_iter();
                    Ok((address, found.filter(|d| d.name.eq_ignore_ascii_case(&name)).collect()))
                }
                .in_current_span(),
            );
        }
        gather(asking).await
    }

    /// Reserved addresses matter only where a droplet shows several public ones.
    async fn reserved(&self, sight: &Sight<'_>) -> Result<BTreeSet<IpAddr>, ApiError> {
        if !sight.droplets.iter().any(|(_, d)| d.public_v4().nth(1).is_some()) {
            return Ok(BTreeSet::new());
        }
        let all = self.reader.list::<ReservedIp>(&Get::reserved_ips()).await?;
        Ok(all.items.into_iter().map(|reserved| reserved.ip.into()).collect())
    }
}

/// Waits for all tasks of a set; the first error ends them all.
async fn gather<T: 'static>(mut asking: JoinSet<Result<T, ApiError>>) -> Result<Vec<T>, ApiError> {
    let mut all = Vec::new();
    while let Some(done) = asking.join_next().await {
        let stopped = |error: tokio::task::JoinError| ApiError {
            kind: Kind::NoAnswer,
            attempted: "look for droplets by name".into(),
            cause: error.to_string(),
            hint: None,
        };
        all.push(done.map_err(stopped)??);
    }
    Ok(all)
}

impl Observe for DigitalOceanObserver {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn observe<'a>(
        &'a self,
        scope: &'a Scope,
        _events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<LiveState, RemoteError>> {
        Box::pin(async move { Ok(self.look(scope).await?) })
    }
}

/// What was seen so far.
struct Sight<'a> {
    scope: &'a Scope,
    now: i64,
    droplets: Vec<(Address, Droplet)>,
    foreign: Vec<Foreign>,
    notes: Vec<String>,
}

impl<'a> Sight<'a> {
    fn new(scope: &'a Scope, now: i64) -> Self {
        Self { scope, now, droplets: Vec::new(), foreign: Vec::new(), notes: Vec::new() }
    }

    fn misses(&self, wanted: &DesiredResource) -> bool {
        wanted.address.kind == "droplet" && !self.droplets.iter().any(|(a, _)| *a == wanted.address)
    }

    /// Takes a droplet that carries the stack's tag.
    fn tagged(&mut self, droplet: Droplet) {
        let marks = Marks::read(&self.scope.stack, &droplet.tags);
        match marks.address() {
            Some(address) => self.droplets.push((address.clone(), droplet)),
            None => self.notes.push(format!(
                "droplet `{}` (id {}) carries the tag `{}` and {}; it is left alone",
                droplet.name,
                droplet.id,
                marker::stack_tag(&self.scope.stack),
                if marks.addresses.is_empty() {
                    "none that names an address"
                } else {
                    "several that name addresses"
                },
            )),
        }
    }

    /// Takes a droplet that has the name of a wanted one which no tag showed.
    fn named(&mut self, wanted: &Address, droplet: Droplet) {
        if self.droplets.iter().any(|(_, known)| known.id == droplet.id) {
            return;
        }
        let marks = Marks::read(&self.scope.stack, &droplet.tags);
        let unborn = droplet::may_be_unborn(&droplet, self.now);
        match marks.address() {
            Some(address) => self.droplets.push((address.clone(), droplet)),
            // Its tags follow its creation by some seconds.
            None if unborn => self.droplets.push((wanted.clone(), droplet)),
            None => self.foreign.push(Foreign {
                provider: PROVIDER.to_owned(),
                kind: "droplet".to_owned(),
                id: droplet.id.to_string(),
                title: format!("droplet {} (id {})", droplet.name, droplet.id),
                identity: Some(droplet::identity(&droplet.name)),
            }),
        }
    }

    fn into_state(
        self,
        firewalls: &[Firewall],
        reserved: &BTreeSet<IpAddr>,
        storage: &Storage,
    ) -> LiveState {
        let ids: BTreeMap<u64, Address> =
            self.droplets.iter().map(|(address, d)| (d.id, address.clone())).collect();
        let ours = firewalls.iter().filter_map(|firewall| {
            let address = marker::firewall_address(&self.scope.stack, &firewall.name)?;
            Some(firewall::live_resource(address, firewall, &ids))
        });
        let ours: Vec<_> = ours.collect();
        let droplets = self.droplets.iter().map(|(address, droplet)| {
            let desired = self.scope.desired.iter().find(|wanted| wanted.address == *address);
            let marks = Marks::read(&self.scope.stack, &droplet.tags);
            let around = Surroundings { now: self.now, reserved, desired };
            droplet::live_resource(address, droplet, &marks, around)
        });
        let mut state = LiveState {
            resources: droplets.chain(ours).collect(),
            foreign: self.foreign.clone(),
            notes: self.notes.clone(),
            ..LiveState::default()
        };
        storage.show(self.scope, &ids, &mut state);
        state
    }
}
