//! What outlives a droplet and goes over to the one that replaces it: its volumes and its reserved address. They are
//! planned by the droplet's address, so no action of theirs follows from its replacement.

use std::net::Ipv4Addr;

use ipai_core::RemoteError;

use super::Task;
use crate::api::{ApiError, Droplet, Get, Kind, Volume};
use crate::marker::Marks;

/// The stack's own that a droplet has.
#[derive(Debug, Default)]
pub(super) struct Belongings {
    volumes: Vec<Volume>,
    addresses: Vec<Ipv4Addr>,
    region: String,
}

impl Task<'_> {
    /// What of the stack belongs to a droplet. Volumes and addresses of others are theirs to move.
    pub(super) async fn belongings(&self, droplet: &Droplet) -> Result<Belongings, ApiError> {
        let volumes = self.volumes_of(droplet.id).await?;
        let region = droplet.region.slug.clone();
        let addresses = self.addresses_of(droplet.id).await?;
        Ok(Belongings { volumes, addresses, region })
    }

    async fn addresses_of(&self, droplet: u64) -> Result<Vec<Ipv4Addr>, ApiError> {
        let here = unless_denied(self.reserved_ips().await)?.into_iter();
        let mut here: Vec<Ipv4Addr> =
            here.filter(|r| r.leads_to() == Some(droplet)).map(|r| r.ip).collect();
        if !here.is_empty() {
            let claims = self.claims().await?;
            here.retain(|ip| claims.ours.contains_key(ip));
        }
        Ok(here)
    }

    async fn volumes_of(&self, droplet: u64) -> Result<Vec<Volume>, ApiError> {
        let listed = self.executor.writer.reader.list::<Volume>(&Get::volumes()).await;
        let mut all = unless_denied(listed.map(|listing| listing.items))?;
        all.retain(|volume| {
            let ours = Marks::of("volume", &self.job.stack, &volume.tags).stack;
            ours && volume.droplet_ids.contains(&droplet)
        });
        Ok(all)
    }

    /// Detaches volumes from a droplet that is switched off and about to be deleted.
    pub(super) async fn detach_all(&self, belongings: &Belongings) -> Result<(), RemoteError> {
        for volume in &belongings.volumes {
            self.say(format!("detaching the volume `{}`, which stays", volume.name));
            self.attach(&volume.id, &volume.region.slug, None).await?;
        }
        Ok(())
    }

    /// Gives the belongings to the job's droplet, which replaces the one that had them. In another region it cannot have
    /// them, and what becomes of them is planned on its own.
    pub(super) async fn hand_over(&self, belongings: &Belongings) -> Result<(), RemoteError> {
        let Some(id) = self.executor.recall(&self.job.address) else { return Ok(()) };
        let region = self.job.desired.as_ref().and_then(|wanted| wanted.text("region"));
        if region != Some(&belongings.region) {
            return Ok(());
        }
        for volume in &belongings.volumes {
            self.attach(&volume.id, &volume.region.slug, Some(id)).await?;
        }
        for ip in &belongings.addresses {
            self.assign(*ip, id).await?;
        }
        Ok(())
    }
}

/// A token that may not even look at such things has made none of them.
fn unless_denied<T>(look: Result<Vec<T>, ApiError>) -> Result<Vec<T>, ApiError> {
    match look {
        Err(error) if error.kind == Kind::Status(403) => Ok(Vec::new()),
        other => other,
    }
}
