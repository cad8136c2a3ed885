//! Reserved addresses. An address has neither a name nor tags, so it is asked for in a way that leaves a trace: for the
//! droplet, which is known by its tags, after a tag that says so. Whatever is cut short is found by both.

use std::net::Ipv4Addr;

use ipai_core::live::UNFINISHED;
use ipai_core::{Outputs, RemoteError};
use serde_json::json;

use super::Task;
use super::action::absent_as_none;
use super::patience::Patience;
use crate::api::{ApiError, Change, Get, One, ReservedIp, Tag};
use crate::marker::{self, Claims};
use crate::reserved_ip::outputs;

impl Task<'_> {
    /// Reserves an address for the droplet exactly once, claims it, and sees it assigned.
    pub(super) async fn create_reserved_ip(&self) -> Result<Outputs, RemoteError> {
        let droplet = self.leads_to().await?;
        let claims = self.claims().await?;
        let all = self.reserved_ips().await?;
        if let Some(ip) = self.claimed(&claims, &all).await? {
            return self.assign(ip, droplet).await;
        }
        self.free_droplet(droplet).await?;
        let begun = claims.begun.contains(&self.job.address);
        let ip = match (self.unclaimed_on(droplet).await?, begun) {
            (Some(ip), true) => Some(ip),
            (Some(ip), false) => return Err(self.in_the_way(ip)),
            (None, true) => {
                self.say("an earlier run may have reserved this address; looking whether it shows");
                self.look_for_ip(droplet).await?
            }
            (None, false) => None,
        };
        let ip = match ip {
            Some(ip) => ip,
            None => self.reserve(droplet).await?,
        };
        self.claim(ip).await?;
        self.assign(ip, droplet).await
    }

    /// The address that the resource claims already. A claim on an address that is gone is taken back.
    async fn claimed(
        &self,
        claims: &Claims,
        all: &[ReservedIp],
    ) -> Result<Option<Ipv4Addr>, RemoteError> {
        let exists = |ip: &Ipv4Addr| all.iter().any(|reserved| reserved.ip == *ip);
        for ip in claims.of(&self.job.address) {
            if exists(&ip) || self.look_at_ip(ip).await?.is_some() {
                return Ok(Some(ip));
            }
            self.disclaim(ip).await?;
        }
        Ok(None)
    }

    fn in_the_way(&self, ip: Ipv4Addr) -> RemoteError {
        let cause = format!("the droplet has the reserved IP {ip} already, which is not ipai's");
        self.refuse(cause).hint("take it over with `ipai adopt` if it is meant")
    }

    /// Asks for an address. After a lost answer it is looked for before it is asked for once more.
    async fn reserve(&self, droplet: u64) -> Result<Ipv4Addr, RemoteError> {
        let change = Change::reserve_for(droplet);
        let limit = self.executor.limits.pending;
        let mut pending = Patience::new(self, format!("droplet {droplet} takes an address"), limit);
        let mut lost = false;
        self.may_begin()?;
        let begun = marker::address_tag(&self.job.stack, &self.job.address);
        self.executor.writer.ensure_tag(&begun).await?;
        loop {
            self.may_begin()?;
            match self.executor.writer.make::<ReservedIp>(&change).await {
                Ok(reserved) => return Ok(reserved.ip),
                Err(error) if error.is_pending_event() => {}
                Err(error) if error.may_have_happened() => {
                    self.say("the answer was lost; looking whether the address is there");
                    if let Some(ip) = self.look_for_ip(droplet).await? {
                        return Ok(ip);
                    }
                    if std::mem::replace(&mut lost, true) {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            pending.pause().await?;
        }
    }

    /// Looks for an address that may have been reserved for the droplet. It shows there when its assignment is done.
    async fn look_for_ip(&self, droplet: u64) -> Result<Option<Ipv4Addr>, RemoteError> {
        let limit = self.executor.limits.lookup;
        let what = format!("an address of droplet {droplet} shows");
        let mut patience = Patience::new(self, what, limit);
        loop {
            let free = self.free_droplet(droplet).await.map(drop);
            match free.and(self.unclaimed_on(droplet).await) {
                Ok(Some(ip)) => return Ok(Some(ip)),
                Ok(None) if patience.is_over() => return Ok(None),
                Err(error) if patience.is_over() => return Err(error),
                Ok(None) | Err(_) => patience.pause().await?,
            }
        }
    }

    /// The address that leads to a droplet and that no stack claims.
    async fn unclaimed_on(&self, droplet: u64) -> Result<Option<Ipv4Addr>, RemoteError> {
        let all = self.reserved_ips().await?;
        let here = |reserved: &&ReservedIp| reserved.leads_to() == Some(droplet);
        let here: Vec<Ipv4Addr> = all.iter().filter(here).map(|reserved| reserved.ip).collect();
        if here.is_empty() {
            return Ok(None);
        }
        let taken = self.claims().await?.taken;
        Ok(here.into_iter().find(|ip| !taken.contains(ip)))
    }

    /// Makes the address lead to the wanted droplet.
    pub(super) async fn update_reserved_ip(&self) -> Result<Outputs, RemoteError> {
        let ip = self.observed_ip()?;
        self.recognise_ip(ip).await?;
        let droplet = self.leads_to().await?;
        self.assign(ip, droplet).await
    }

    /// Sees an address assigned to a droplet; one that leads elsewhere is taken from there.
    pub(super) async fn assign(&self, ip: Ipv4Addr, droplet: u64) -> Result<Outputs, RemoteError> {
        let body = json!({ "type": "assign", "droplet_id": droplet });
        let change = Change::reserved_ip_action(ip, body);
        let there = |reserved: &ReservedIp| reserved.leads_to() == Some(droplet);
        self.bring_ip(ip, Some(droplet), &change, there).await?;
        Ok(outputs(ip))
    }

    /// Brings an address into a state by one action, unless it is there already.
    async fn bring_ip(
        &self,
        ip: Ipv4Addr,
        droplet: Option<u64>,
        change: &Change,
        reached: impl Fn(&ReservedIp) -> bool + Send + Sync,
    ) -> Result<(), RemoteError> {
        let limit = self.executor.limits.pending;
        let mut patience = Patience::new(self, format!("the reserved IP {ip} is as wanted"), limit);
        let mut lost = 0;
        loop {
            let seen = patience.overlook(self.get_ip(ip).await)?;
            match seen.filter(|reserved| !reserved.locked) {
                Some(reserved) if reached(&reserved) => return Ok(()),
                Some(_) => {
                    if let Some(droplet) = droplet {
                        self.free_droplet(droplet).await?;
                    }
                    self.may_begin()?;
                    match self.executor.writer.act(change).await {
                        Ok(action) => self.follow(action.id).await?,
                        Err(error) if error.is_pending_event() => {}
                        Err(error) if error.may_have_happened() && lost < 3 => lost += 1,
                        Err(error) => {
                            let now = self.get_ip(ip).await?;
                            return if reached(&now) { Ok(()) } else { Err(error.into()) };
                        }
                    }
                }
                None => {}
            }
            patience.pause().await?;
        }
    }

    /// Frees the address and gives it back. It is lost for good.
    pub(super) async fn delete_reserved_ip(&self) -> Result<Outputs, RemoteError> {
        let ip = self.observed_ip()?;
        if self.look_at_ip(ip).await?.is_some() {
            self.recognise_ip(ip).await?;
            self.may_begin()?;
            self.release(ip).await?;
        }
        self.disclaim(ip).await?;
        Ok(Outputs::new())
    }

    async fn release(&self, ip: Ipv4Addr) -> Result<(), RemoteError> {
        let limit = self.executor.limits.delete;
        let mut patience = Patience::new(self, format!("the reserved IP {ip} is released"), limit);
        let unassign = Change::reserved_ip_action(ip, json!({ "type": "unassign" }));
        loop {
            let look = absent_as_none(self.get_ip(ip).await);
            match patience.overlook(look)? {
                Some(None) => return Ok(()),
                Some(Some(reserved)) if !reserved.locked => {
                    if reserved.leads_to().is_some() {
                        let free = |reserved: &ReservedIp| reserved.leads_to().is_none();
                        self.bring_ip(ip, None, &unassign, free).await?;
                    }
                    self.may_begin()?;
                    match self.executor.writer.delete(&Change::release_ip(ip)).await {
                        Err(error) if error.is_pending_event() => {}
                        other => other?,
                    }
                }
                _ => {}
            }
            patience.pause().await?;
        }
    }

    /// Claims an existing address for this resource and changes nothing else.
    pub(super) async fn adopt_reserved_ip(&self) -> Result<Outputs, RemoteError> {
        let ip = self.observed_ip()?;
        let taken = self.claims().await?.taken;
        if taken.contains(&ip) {
            let cause = format!("the reserved IP {ip} is claimed for another resource by a tag");
            return Err(self.refuse(cause).hint("let it go there with `ipai forget` first"));
        }
        self.get_ip(ip).await?;
        self.claim(ip).await?;
        Ok(outputs(ip))
    }

    /// Takes our claim back; the address stays as it is.
    pub(super) async fn forget_reserved_ip(&self) -> Result<Outputs, RemoteError> {
        self.disclaim(self.observed_ip()?).await?;
        Ok(Outputs::new())
    }

    async fn claim(&self, ip: Ipv4Addr) -> Result<(), ApiError> {
        let tag = marker::claim_tag(&self.job.stack, &self.job.address, ip);
        self.executor.writer.ensure_tag(&tag).await.map(drop)
    }

    /// Deletes the tags that speak of the address. That of the beginning goes first: alone it would make the address look
    /// like one that a killed run left.
    async fn disclaim(&self, ip: Ipv4Addr) -> Result<(), ApiError> {
        let begun = marker::address_tag(&self.job.stack, &self.job.address);
        let claim = marker::claim_tag(&self.job.stack, &self.job.address, ip);
        self.executor.writer.delete(&Change::delete_tag(&begun)).await?;
        self.executor.writer.delete(&Change::delete_tag(&claim)).await
    }

    /// Makes sure that the address still is this resource before it is touched. One that a killed run left is claimed now.
    async fn recognise_ip(&self, ip: Ipv4Addr) -> Result<(), RemoteError> {
        let claims = self.claims().await?;
        if claims.of(&self.job.address).any(|claimed| claimed == ip) {
            return Ok(());
        }
        let live = self.job.live.as_ref();
        let unfinished = live.is_some_and(|live| live.applied.as_deref() == Some(UNFINISHED));
        let begun = claims.begun.contains(&self.job.address);
        if unfinished && begun && !claims.taken.contains(&ip) {
            return Ok(self.claim(ip).await?);
        }
        let cause = format!("no tag claims the reserved IP {ip} for {}", self.job.address);
        Err(self.refuse(cause).hint("take it over with `ipai adopt` if it is meant"))
    }

    fn observed_ip(&self) -> Result<Ipv4Addr, RemoteError> {
        let live = self.job.live.as_ref().and_then(|live| live.id.parse().ok());
        live.ok_or_else(|| self.refuse("no reserved IP was observed"))
    }

    /// The number of the droplet that the address is wanted for.
    async fn leads_to(&self) -> Result<u64, RemoteError> {
        let address = self.wanted()?.text("droplet");
        let address = address.ok_or_else(|| self.refuse("its droplet is not known"))?;
        self.droplet_number(address).await
    }

    pub(super) async fn claims(&self) -> Result<Claims, ApiError> {
        let tags = self.executor.writer.reader.list::<Tag>(&Get::tags()).await?.items;
        Ok(Claims::read(&self.job.stack, tags.iter().map(|tag| &*tag.name)))
    }

    pub(super) async fn reserved_ips(&self) -> Result<Vec<ReservedIp>, ApiError> {
        Ok(self.executor.writer.reader.list::<ReservedIp>(&Get::reserved_ips()).await?.items)
    }

    async fn get_ip(&self, ip: Ipv4Addr) -> Result<ReservedIp, ApiError> {
        Ok(self.executor.writer.reader.get::<One<ReservedIp>>(&Get::reserved_ip(ip)).await?.0)
    }

    async fn look_at_ip(&self, ip: Ipv4Addr) -> Result<Option<ReservedIp>, ApiError> {
        absent_as_none(self.get_ip(ip).await)
    }
}
