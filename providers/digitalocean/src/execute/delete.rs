//! Deleting a droplet, and replacing one.

use ipai_core::{Outputs, RemoteError};

use super::Task;
use super::action::absent_as_none;
use super::patience::Patience;
use crate::api::{Change, Droplet, Get};
use crate::marker::{self, Marks};

impl Task<'_> {
    /// Deletes the droplet and the tags that only it carried.
    pub(super) async fn delete_droplet(&self) -> Result<Outputs, RemoteError> {
        if let Some(droplet) = self.doomed().await? {
            self.destroy(&droplet).await?;
            self.sweep(self.own_tags(&droplet)).await;
        }
        Ok(Outputs::new())
    }

    /// Deletes the droplet, then creates it anew: two of one name would not be told apart, and may not fit the quota.
    pub(super) async fn replace_droplet(&self) -> Result<Outputs, RemoteError> {
        let old = self.doomed().await?;
        if let Some(droplet) = &old {
            self.destroy(droplet).await?;
        }
        let outputs = self.create_droplet(old.as_ref().map(|droplet| droplet.id)).await?;
        if let Some(droplet) = &old {
            let kept = marker::identity_tags(&self.job.stack, &self.job.address);
            let mut tags = self.own_tags(droplet);
            tags.retain(|tag| !kept.contains(&tag.to_ascii_lowercase()));
            self.sweep(tags).await;
        }
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
        found.iter().try_for_each(|droplet| self.still_ours(droplet))?;
        Ok(found)
    }

    /// Shuts a droplet down, deletes it, and waits until it is gone.
    async fn destroy(&self, droplet: &Droplet) -> Result<(), RemoteError> {
        let id = droplet.id;
        match self.shut_down(id).await {
            Err(error) if error.fault == ipai_core::Fault::NotFound => return Ok(()),
            other => other?,
        }
        self.delete_when_free(id).await?;
        let limit = self.executor.limits.delete;
        let mut gone = Patience::new(self, format!("droplet {id} is gone"), limit);
        loop {
            let look = absent_as_none(self.executor.writer.reader.droplet(id).await);
            if let Some(None) = gone.overlook(look)? {
                return Ok(());
            }
            gone.pause().await?;
        }
    }

    async fn delete_when_free(&self, id: u64) -> Result<(), RemoteError> {
        let limit = self.executor.limits.pending;
        let mut patience = Patience::new(self, format!("droplet {id} can be deleted"), limit);
        loop {
            match self.executor.writer.delete(&Change::delete_droplet(id)).await {
                Err(error) if error.is_pending_event() => patience.pause().await?,
                other => return Ok(other?),
            }
        }
    }
}
