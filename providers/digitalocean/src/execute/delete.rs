//! Deleting a droplet, and replacing one.

use ipai_core::{Fault, Outputs, RemoteError};

use super::Task;
use super::action::absent_as_none;
use super::handover::Belongings;
use super::patience::Patience;
use crate::api::{Change, Droplet, Get};
use crate::marker::{self, Marks};

impl Task<'_> {
    /// Deletes the droplet and the tags that only it carried.
    pub(super) async fn delete_droplet(&self) -> Result<Outputs, RemoteError> {
        if let Some(droplet) = self.doomed().await? {
            let belongings = self.belongings(&droplet).await?;
            self.destroy(&droplet, &belongings).await?;
            self.sweep(self.own_tags(&droplet.tags)).await;
        }
        Ok(Outputs::new())
    }

    /// Deletes the droplet, then creates it anew: two of one name would not be told apart, and may not fit the quota.
    pub(super) async fn replace_droplet(&self) -> Result<Outputs, RemoteError> {
        let Some(old) = self.doomed().await? else { return self.create_droplet(None).await };
        let firewalls = self.firewalls_before(old.id).await?;
        let belongings = self.belongings(&old).await?;
        self.destroy(&old, &belongings).await?;
        let outputs = self.create_droplet(Some(old.id)).await?;
        self.guard_by(&firewalls).await?;
        self.hand_over(&belongings).await?;
        let kept = marker::identity_tags(&self.job.stack, &self.job.address);
        let mut tags = self.own_tags(&old.tags);
        tags.retain(|tag| !kept.contains(&tag.to_ascii_lowercase()));
        self.sweep(tags).await;
        Ok(outputs)
    }

    /// The droplet to delete, if it is still there.
    async fn doomed(&self) -> Result<Option<Droplet>, RemoteError> {
        let reader = &self.executor.writer.reader;
        let found = match self.observed_id()? {
            Some(id) => absent_as_none(reader.droplet(id).await)?.map(|(droplet, _)| droplet),
            None => {
                let tag = marker::address_tag(&self.job.stack, &self.job.address);
                let listed = reader.list::<Droplet>(&Get::droplets_tagged(&tag)).await?;
                let ours = |d: &Droplet| {
                    Marks::read(&self.job.stack, &d.tags).address() == Some(&self.job.address)
                };
                listed.items.into_iter().find(ours)
            }
        };
        let Some(droplet) = found else { return Ok(None) };
        match self.recognised(droplet).await {
            Ok(droplet) => Ok(Some(droplet)),
            Err(error) if error.fault == Fault::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shuts a droplet down, detaches what stays, deletes it, and waits until it is gone.
    async fn destroy(&self, droplet: &Droplet, stays: &Belongings) -> Result<(), RemoteError> {
        let id = droplet.id;
        self.may_begin()?;
        match self.shut_down(id).await {
            Err(error) if error.fault == Fault::NotFound => return Ok(()),
            other => other?,
        }
        self.detach_all(stays).await?;
        self.ask_to_delete(id).await?;
        let limit = self.executor.limits.delete;
        let mut gone = Patience::new(self, format!("droplet {id} is gone"), limit);
        while !self.is_gone(id, &mut gone).await? {
            gone.pause().await?;
        }
        Ok(())
    }

    /// Asks for the deletion until it is accepted. A deletion that is under way already looks like any other event
    /// that is in the way, until the droplet is gone.
    async fn ask_to_delete(&self, id: u64) -> Result<(), RemoteError> {
        let limit = self.executor.limits.pending;
        let mut patience = Patience::new(self, format!("droplet {id} can be deleted"), limit);
        loop {
            self.may_begin()?;
            match self.executor.writer.delete(&Change::delete_droplet(id)).await {
                Err(error) if error.is_pending_event() => {}
                other => return Ok(other?),
            }
            if self.is_gone(id, &mut patience).await? {
                return Ok(());
            }
            patience.pause().await?;
        }
    }

    async fn is_gone(&self, id: u64, patience: &mut Patience<'_>) -> Result<bool, RemoteError> {
        let look = absent_as_none(self.executor.writer.reader.droplet(id).await);
        Ok(matches!(patience.overlook(look)?, Some(None)))
    }
}
