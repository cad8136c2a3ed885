//! Taking snapshots, and deleting those that ipai took. A name that holds the time tells whether one was taken that
//! nobody answered about.

use ipai_core::snapshot::Snapshot;
use ipai_core::{Events, Fault, Job, LiveResource, RemoteError, StackId, Verb};
use serde_json::json;

use super::action::absent_as_none;
use super::patience::Patience;
use super::{DigitalOceanExecutor, Task, number};
use crate::api::{self, ApiError, Change, Get, One, Reader};
use crate::marker;
use crate::snapshots::{name, read_one};

impl DigitalOceanExecutor {
    pub(crate) fn reader(&self) -> &Reader {
        &self.writer.reader
    }

    /// Takes a snapshot and waits until it shows.
    pub(crate) async fn take_snapshot(
        &self,
        stack: &StackId,
        source: &LiveResource,
        time: i64,
        events: &dyn Events,
    ) -> Result<Snapshot, RemoteError> {
        let job = Job {
            stack: stack.clone(),
            address: source.address.clone(),
            verb: Verb::NoOp,
            version: None,
            desired: None,
            live: Some(source.clone()),
            home: None,
        };
        Task { executor: self, job: &job, events }.take_snapshot(&source.id, time).await
    }

    /// Deletes a snapshot after another look at its marker.
    pub(crate) async fn delete_snapshot(
        &self,
        stack: &StackId,
        snapshot: &Snapshot,
    ) -> Result<(), RemoteError> {
        let get = Get::snapshot(&snapshot.id);
        let look = self.writer.reader.get::<One<api::Snapshot>>(&get).await;
        let Some(One(seen)) = absent_as_none(look)? else { return Ok(()) };
        if !read_one(stack, &[], seen).is_some_and(|s| s.ours && s.source == snapshot.source) {
            let cause = format!("it does not carry the marker of {}", snapshot.source);
            let attempted = format!("delete snapshot {}", snapshot.id);
            return Err(RemoteError::new(Fault::Refused, attempted, cause));
        }
        Ok(self.writer.delete(&Change::delete_snapshot(&snapshot.id)).await?)
    }
}

impl Task<'_> {
    async fn take_snapshot(&self, source: &str, time: i64) -> Result<Snapshot, RemoteError> {
        let name = name(&self.job.stack, &self.job.address, time);
        let limit = self.executor.limits.pending;
        let mut pending = Patience::new(self, format!("{} can be copied", self.job.address), limit);
        let mut lost = 0;
        while let Err(error) = self.ask_for_snapshot(source, &name).await? {
            if error.may_have_happened() && lost < 2 {
                lost += 1;
                self.rested(source).await?;
                if let Some(found) = self.look_for_snapshot(&name).await? {
                    return Ok(found);
                }
            } else if !error.is_pending_event() {
                return Err(error.into());
            }
            pending.pause().await?;
        }
        let missing = || {
            self.refuse("it was taken and does not show").hint("look again with `ipai snapshots`")
        };
        self.look_for_snapshot(&name).await?.ok_or_else(missing)
    }

    /// Asks for a snapshot and follows what it begins to its end.
    async fn ask_for_snapshot(
        &self,
        source: &str,
        name: &str,
    ) -> Result<Result<(), ApiError>, RemoteError> {
        let writer = &self.executor.writer;
        if self.job.address.kind == "volume" {
            let volume = self.recognised_volume(source).await?;
            self.may_begin()?;
            let tags = marker::identity_tags(&self.job.stack, &self.job.address);
            let change = Change::snapshot_volume(&volume.id, name, &tags);
            return Ok(writer.make::<api::Snapshot>(&change).await.map(drop));
        }
        let id = number(source)?;
        self.recognised(self.free_droplet(id).await?).await?;
        self.may_begin()?;
        let body = json!({ "type": "snapshot", "name": name });
        match writer.act(&Change::droplet_action(id, body)).await {
            Ok(action) => self.follow(action.id).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Waits until no event holds a droplet: a snapshot shows only when it is done.
    async fn rested(&self, source: &str) -> Result<(), RemoteError> {
        if self.job.address.kind == "droplet" {
            self.free_droplet(number(source)?).await?;
        }
        Ok(())
    }

    /// Looks for a snapshot by its name, which is unique because it holds the time.
    async fn look_for_snapshot(&self, name: &str) -> Result<Option<Snapshot>, RemoteError> {
        let limit = self.executor.limits.lookup;
        let mut patience = Patience::new(self, format!("the snapshot `{name}` shows"), limit);
        loop {
            let look = self.executor.writer.reader.list::<api::Snapshot>(&Get::snapshots()).await;
            let all = match look {
                Err(error) if patience.is_over() => return Err(error.into()),
                look => patience.overlook(look)?.map(|listing| listing.items).unwrap_or_default(),
            };
            let found = all.into_iter().find(|seen| seen.name.as_deref() == Some(name));
            match found.and_then(|seen| read_one(&self.job.stack, &[], seen)) {
                Some(found) => return Ok(Some(found)),
                None if patience.is_over() => return Ok(None),
                None => patience.pause().await?,
            }
        }
    }
}
