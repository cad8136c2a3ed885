//! Changing a droplet in place, taking one over, letting one go.

use ipai_core::{Outputs, RemoteError, Value};
use serde_json::json;

use super::Task;
use crate::api::{Droplet, Status};
use crate::droplet::UNFINISHED;
use crate::marker::Marks;

impl Task<'_> {
    /// Makes the droplet as wanted. The mark of the new version comes last, so that a run that is killed before is
    /// taken up again.
    pub(super) async fn update_droplet(&self) -> Result<Outputs, RemoteError> {
        let id = self.observed_id()?.ok_or_else(|| self.refuse("no droplet was observed"))?;
        if self.observed_unfinished() {
            self.grown_up(id, true).await?;
        }
        let droplet = self.recognised(self.free_droplet(id).await?).await?;
        self.executor.remember(&self.job.address, id);
        self.rename(&droplet).await?;
        self.resize(&droplet).await?;
        self.set_power(id).await?;
        self.align_tags(&droplet).await?;
        self.renew_host_key(&droplet).await?;
        self.mark_version(&droplet).await?;
        let mut outputs = self.outputs_now(id, &Marks::default()).await?;
        if droplet.status == Status::Off {
            // It boots now, and whoever works on it has to be as patient as with a new one.
            outputs.insert("young".to_owned(), Value::Bool(true));
        }
        Ok(outputs)
    }

    /// Tells whether an earlier run was killed while the droplet was being made.
    fn observed_unfinished(&self) -> bool {
        let live = self.job.live.as_ref();
        live.and_then(|live| live.attributes.get("power")?.as_text()) == Some(UNFINISHED)
    }

    async fn rename(&self, droplet: &Droplet) -> Result<(), RemoteError> {
        let wanted = self.job.desired.as_ref().and_then(|wanted| wanted.text("name"));
        let Some(name) = wanted.filter(|name| *name != droplet.name) else { return Ok(()) };
        self.may_begin()?;
        let renamed = |droplet: &Droplet| droplet.name == name;
        self.bring(droplet.id, json!({ "type": "rename", "name": name }), renamed).await.map(drop)
    }

    /// Resizes CPU and memory and leaves the disk, which could never shrink again. Whatever becomes of it, a droplet
    /// that ran runs again.
    async fn resize(&self, droplet: &Droplet) -> Result<(), RemoteError> {
        let wanted = self.job.desired.as_ref().and_then(|wanted| wanted.text("size"));
        let Some(size) = wanted.filter(|size| *size != droplet.size_slug) else { return Ok(()) };
        let id = droplet.id;
        self.may_begin()?;
        self.switch_off(id).await?;
        let resized = |droplet: &Droplet| droplet.size_slug == size;
        let action = json!({ "type": "resize", "size": size, "disk": false });
        let result = self.bring(id, action, resized).await.map(drop);
        if result.is_err() && droplet.status == Status::Active {
            self.switch_on(id).await?;
        }
        result
    }

    /// Marks an existing droplet as this resource and changes nothing else.
    pub(super) async fn adopt_droplet(&self) -> Result<Outputs, RemoteError> {
        let id = self.observed_id()?.ok_or_else(|| self.refuse("no droplet was named"))?;
        let (droplet, _) = self.executor.writer.reader.droplet(id).await?;
        if self.marked_otherwise(&droplet.tags) {
            let cause = format!("droplet {id} belongs to another resource by its tags");
            return Err(self.refuse(cause).hint("let it go there with `ipai forget` first"));
        }
        self.mark_identity(&droplet).await?;
        self.mark_version(&droplet).await?;
        self.executor.remember(&self.job.address, id);
        self.outputs_now(id, &Marks::read(&self.job.stack, &droplet.tags)).await
    }

    /// Takes our tags off; the droplet stays as it is.
    pub(super) async fn forget_droplet(&self) -> Result<Outputs, RemoteError> {
        let Some(id) = self.observed_id()? else { return Ok(Outputs::new()) };
        match self.executor.writer.reader.droplet(id).await {
            Ok((droplet, _)) => self.unmark(&droplet).await?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Outputs::new())
    }
}
