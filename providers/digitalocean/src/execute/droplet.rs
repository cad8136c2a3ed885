//! What several verbs need to know of a droplet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipai_core::{Fault, Outputs, RemoteError};
use serde_json::json;

use super::Task;
use super::action::absent_as_none;
use super::patience::Patience;
use crate::api::{Droplet, Get, ReservedIp, Status};
use crate::droplet::{Surroundings, outputs};
use crate::marker::{self, Marks};

impl Task<'_> {
    /// Waits until a new droplet is active, and then, as a wait of its own, until it has a public address.
    /// `listed` tells that a list showed it before: then it may also be one that is being deleted.
    pub(super) async fn grown_up(&self, id: u64, listed: bool) -> Result<Droplet, RemoteError> {
        let limits = &self.executor.limits;
        let mut active = Patience::new(self, format!("droplet {id} is active"), limits.create);
        let mut hidden = Patience::new(
            self,
            format!("droplet {id} can be looked at"),
            if listed { limits.tags } else { limits.create },
        );
        let mut seen = false;
        loop {
            let look = absent_as_none(self.executor.writer.reader.droplet(id).await);
            match active.overlook(look)? {
                Some(Some((droplet, _))) if droplet.status != Status::New && !droplet.locked => {
                    break;
                }
                Some(Some(_)) => seen = true,
                // A new droplet may answer "not found" for a while, but not once it was seen.
                Some(None) if seen => return Err(self.vanished(id)),
                Some(None) => hidden.pause().await?,
                None => {}
            }
            active.pause().await?;
        }
        let what = format!("droplet {id} has a public address");
        let mut addressed = Patience::new(self, what, limits.address);
        loop {
            let look = self.executor.writer.reader.droplet(id).await;
            match addressed.overlook(look)? {
                Some((droplet, _)) if droplet.public_v4().next().is_some() => return Ok(droplet),
                _ => addressed.pause().await?,
            }
        }
    }

    pub(super) fn vanished(&self, id: u64) -> RemoteError {
        let cause = format!("droplet {id} is gone again");
        RemoteError { fault: Fault::NotFound, ..self.refuse(cause) }
    }

    /// Switches the droplet on or off as wanted.
    pub(super) async fn set_power(&self, id: u64) -> Result<(), RemoteError> {
        let wanted = self.job.desired.as_ref().and_then(|wanted| wanted.text("power"));
        self.may_begin()?;
        match wanted {
            Some("off") => self.switch_off(id).await,
            Some("on") => self.switch_on(id).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn switch_on(&self, id: u64) -> Result<(), RemoteError> {
        let running = |droplet: &Droplet| droplet.status != Status::Off;
        self.bring(id, json!({ "type": "power_on" }), running).await.map(drop)
    }

    /// Shuts down gracefully, and cuts the power when that takes too long.
    pub(super) async fn switch_off(&self, id: u64) -> Result<(), RemoteError> {
        self.shut_down(id).await?;
        let off = |droplet: &Droplet| droplet.status == Status::Off;
        self.bring(id, json!({ "type": "power_off" }), off).await.map(drop)
    }

    /// What others may refer to, as the droplet is now. The pins of `known` count beside those that its tags show by now.
    pub(super) async fn outputs_now(&self, id: u64, known: &Marks) -> Result<Outputs, RemoteError> {
        let (droplet, now) = self.executor.writer.reader.droplet(id).await?;
        let marks = Marks::read(&self.job.stack, &droplet.tags).with_pins_of(known);
        let mut reserved = BTreeSet::new();
        if droplet.public_v4().nth(1).is_some() {
            let all = self.executor.writer.reader.list::<ReservedIp>(&Get::reserved_ips()).await?;
            reserved.extend(all.items.into_iter().map(|reserved| IpAddr::V4(reserved.ip)));
        }
        let around = Surroundings { now, reserved: &reserved, desired: None };
        Ok(outputs(&droplet, &marks, around))
    }

    /// Makes sure that a droplet still is this resource before it is touched. One without any tags was recognised by
    /// its name alone, shortly after its creation: it gets some time to show them.
    pub(super) async fn recognised(&self, droplet: Droplet) -> Result<Droplet, RemoteError> {
        let (id, mut droplet) = (droplet.id, droplet);
        let what = format!("the tags of droplet {id} show");
        let mut patience = Patience::new(self, what, self.executor.limits.tags);
        while droplet.tags.is_empty() && !patience.is_over() {
            patience.pause().await?;
            let look = self.executor.writer.reader.droplet(id).await;
            if let Some((seen, _)) = patience.overlook(look)? {
                droplet = seen;
            }
        }
        if Marks::read(&self.job.stack, &droplet.tags).addresses.contains(&self.job.address) {
            return Ok(droplet);
        }
        let tag = marker::address_tag(&self.job.stack, &self.job.address);
        let cause = format!("droplet {id} does not carry the tag `{tag}`");
        Err(self.refuse(cause).hint("take it over with `ipai adopt` if it is meant"))
    }
}
