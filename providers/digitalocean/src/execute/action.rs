//! Actions on droplets: one at a time, each followed to its end.

use ipai_core::RemoteError;
use serde_json::{Value as Json, json};

use super::Task;
use super::patience::Patience;
use crate::api::{ActionStatus, ApiError, Change, Droplet, Status};

/// An action whose answer was lost is sent so often altogether; each time the droplet is looked at first.
const TRIES: u32 = 3;

impl Task<'_> {
    /// The droplet once no event holds it.
    pub(super) async fn free_droplet(&self, id: u64) -> Result<Droplet, RemoteError> {
        let limit = self.executor.limits.pending;
        let mut patience = Patience::new(self, format!("no event holds droplet {id}"), limit);
        loop {
            let look = self.executor.writer.reader.droplet(id).await;
            match patience.overlook(look)? {
                Some((droplet, _)) if !droplet.locked => return Ok(droplet),
                _ => patience.pause().await?,
            }
        }
    }

    /// Brings a droplet into a state by an action, unless it is there already.
    pub(super) async fn bring(
        &self,
        id: u64,
        action: Json,
        reached: impl Fn(&Droplet) -> bool + Send + Sync,
    ) -> Result<Droplet, RemoteError> {
        let change = Change::droplet_action(id, action);
        let limit = self.executor.limits.pending;
        let mut pending = Patience::new(self, format!("droplet {id} takes the action"), limit);
        let mut tries = 0;
        loop {
            let droplet = self.free_droplet(id).await?;
            if reached(&droplet) {
                return Ok(droplet);
            }
            match self.executor.writer.act(&change).await {
                Ok(action) => {
                    self.follow(action.id).await?;
                    return self.reached(id, &change.attempt, reached).await;
                }
                Err(error) if error.is_pending_event() => {}
                Err(error) if error.may_have_happened() && tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
            pending.pause().await?;
        }
    }

    /// Waits until a droplet shows what a completed action did.
    async fn reached(
        &self,
        id: u64,
        action: &str,
        reached: impl Fn(&Droplet) -> bool + Send + Sync,
    ) -> Result<Droplet, RemoteError> {
        let limit = self.executor.limits.pending;
        let mut patience = Patience::new(self, format!("the action shows: {action}"), limit);
        loop {
            let droplet = self.free_droplet(id).await?;
            if reached(&droplet) {
                return Ok(droplet);
            }
            patience.pause().await?;
        }
    }

    /// Waits until an action is completed.
    pub(super) async fn follow(&self, action: u64) -> Result<(), RemoteError> {
        let limit = self.executor.limits.action;
        let mut patience = Patience::new(self, format!("action {action} is completed"), limit);
        loop {
            let look = absent_as_none(self.executor.writer.reader.action(action).await);
            match patience.overlook(look)?.flatten().map(|action| action.status) {
                Some(ActionStatus::Completed) => return Ok(()),
                Some(ActionStatus::Errored) => {
                    let cause = format!("DigitalOcean reports that action {action} failed");
                    return Err(self.refuse(cause).hint(
                        "look at the droplet's history in the control panel, then try again",
                    ));
                }
                Some(ActionStatus::InProgress) | None => patience.pause().await?,
            }
        }
    }

    /// Asks the machine to shut down and gives it some time; it need not obey.
    pub(super) async fn shut_down(&self, id: u64) -> Result<(), RemoteError> {
        if self.free_droplet(id).await?.status != Status::Active {
            return Ok(());
        }
        let change = Change::droplet_action(id, json!({ "type": "shutdown" }));
        let limit = self.executor.limits.shutdown;
        let mut patience = Patience::new(self, format!("droplet {id} has shut down"), limit);
        let mut asked = false;
        while !patience.is_over() {
            if !asked {
                asked = self.ask_once(&change).await?;
            }
            // Asking may take until the limit is reached: then the power is cut, as after any other wait in vain.
            if patience.pause().await.is_err() {
                break;
            }
            let look = self.executor.writer.reader.droplet(id).await;
            let off = |(droplet, _): (Droplet, i64)| droplet.status != Status::Active;
            if patience.overlook(look)?.is_some_and(off) {
                break;
            }
        }
        Ok(())
    }

    /// Sends an action that may be repeated; tells whether it was taken. While another event holds the droplet it is
    /// not, and after a lost answer nobody knows.
    async fn ask_once(&self, change: &Change) -> Result<bool, RemoteError> {
        match self.executor.writer.act(change).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_pending_event() || error.may_have_happened() => Ok(false),
            Err(error) if error.says("already") => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// Something new may not be found by its number at once.
pub(super) fn absent_as_none<T>(look: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match look {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
