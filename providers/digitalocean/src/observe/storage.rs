//! Volumes and reserved addresses. They are listed where the stack wants some, or where the account's tags tell that it
//! had some, so that nothing which costs money is overlooked because the stack no longer names it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipai_core::{Address, LiveState, Scope};

use super::DigitalOceanObserver;
use crate::api::{ApiError, Get, Kind, Listed, ReservedIp, Tag, Volume};
use crate::marker::{self, Claims, Marks};
use crate::{reserved_ip, volume};

/// What the account has beside droplets and firewalls, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Storage {
    pub(super) claims: Claims,
    pub(super) volumes: Vec<Volume>,
    /// The reserved addresses, when they were asked for.
    pub(super) reserved: Option<Vec<ReservedIp>>,
    /// Nobody could say whether there are any.
    pub(super) unseen: bool,
}

impl DigitalOceanObserver {
    /// Asks for tags beside what the stack wants; then for what the tags tell of besides.
    pub(super) async fn storage(&self, scope: &Scope) -> Result<Storage, ApiError> {
        let wants = |kind: &str| scope.desired.iter().any(|wanted| wanted.address.kind == kind);
        let (wants_volumes, wants_reserved) = (wants("volume"), wants("reserved_ip"));
        let (volumes, reserved) = (Get::volumes(), Get::reserved_ips());
        let (tags, found_volumes, found_reserved) = tokio::join!(
            self.tags(),
            self.list_if(wants_volumes, &volumes),
            self.list_if(wants_reserved, &reserved),
        );
        let mut storage = Storage::default();
        match tags {
            Ok(tags) => storage.claims = Claims::read(&scope.stack, tags.iter().map(|t| &*t.name)),
            // A token from before there were any of these.
            Err(error) if error.kind == Kind::Status(403) && !wants_volumes && !wants_reserved => {
                storage.unseen = true;
            }
            Err(error) => return Err(error),
        }
        let has_reserved = !storage.claims.ours.is_empty() || !storage.claims.begun.is_empty();
        let (more_volumes, more_reserved) = tokio::try_join!(
            self.list_if(!wants_volumes && storage.claims.volumes, &volumes),
            self.list_if(!wants_reserved && has_reserved, &reserved),
        )?;
        storage.volumes = found_volumes?.or(more_volumes).unwrap_or_default();
        storage.reserved = found_reserved?.or(more_reserved);
        Ok(storage)
    }

    async fn tags(&self) -> Result<Vec<Tag>, ApiError> {
        Ok(self.reader.list::<Tag>(&Get::tags()).await?.items)
    }

    async fn list_if<T: Listed>(
        &self,
        wanted: bool,
        get: &Get,
    ) -> Result<Option<Vec<T>>, ApiError> {
        if !wanted {
            return Ok(None);
        }
        Ok(Some(self.reader.list::<T>(get).await?.items))
    }
}

impl Storage {
    /// Every reserved address, for telling them from droplets' own.
    pub(super) fn addresses(&self) -> Option<BTreeSet<IpAddr>> {
        let all = self.reserved.as_ref()?;
        Some(all.iter().map(|reserved| IpAddr::V4(reserved.ip)).collect())
    }

    /// Adds what this shows to the state.
    pub(super) fn show(
        &self,
        scope: &Scope,
        droplets: &BTreeMap<u64, Address>,
        state: &mut LiveState,
    ) {
        if self.unseen {
            let note = "the token may not list tags (scope tag:read), so volumes and reserved IPs that the stack no longer names are not looked for";
            state.notes.push(note.to_owned());
        }
        self.volumes.iter().for_each(|volume| show_volume(volume, scope, droplets, state));
        self.missing_volumes(scope, state);
        let seen = reserved_ip::Seen { claims: &self.claims, droplets, desired: &scope.desired };
        seen.sort(self.reserved.as_deref().unwrap_or_default(), state);
    }

    /// Strangers' volumes that have the name of a wanted one.
    fn missing_volumes(&self, scope: &Scope, state: &mut LiveState) {
        let wanted = scope.desired.iter().filter(|wanted| wanted.address.kind == "volume");
        for wanted in wanted {
            let (name, region) = (wanted.text("name"), wanted.text("region"));
            let same = |v: &&Volume| Some(&*v.name) == name && Some(&*v.region.slug) == region;
            let known = |v: &&Volume| state.resources.iter().any(|live| live.id == v.id);
            let strangers = self.volumes.iter().filter(same).filter(|volume| !known(volume));
            let strangers: Vec<_> = strangers.map(volume::foreign).collect();
            state.foreign.extend(strangers);
        }
    }
}

fn show_volume(
    volume: &Volume,
    scope: &Scope,
    droplets: &BTreeMap<u64, Address>,
    state: &mut LiveState,
) {
    let marks = Marks::of("volume", &scope.stack, &volume.tags);
    if !marks.stack {
        return;
    }
    let Some(address) = marks.address() else {
        state.notes.push(format!(
            "volume `{}` (id {}) carries the tag `{}` and not one that names its address; it is left alone",
            volume.name,
            volume.id,
            marker::stack_tag(&scope.stack),
        ));
        return;
    };
    let desired = scope.desired.iter().find(|wanted| wanted.address == *address);
    state.refusals.extend(volume::too_small(address, volume, desired));
    let live = volume::live_resource(address.clone(), volume, &marks, desired, droplets);
    state.resources.push(live);
}
