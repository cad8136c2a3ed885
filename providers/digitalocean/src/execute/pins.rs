//! Which host keys a droplet may prove itself with: its tags say so to everybody who looks.

use ipai_core::{BoxFuture, Pins, RemoteError, Renewal};
use tokio::time::{Instant, sleep};

use super::action::absent_as_none;
use super::tags::{put, sweep_one, take};
use super::{DigitalOceanExecutor, Task, number};
use crate::api::{ApiError, Droplet, Tagged};
use crate::droplet::{HOST_KEY, OWN};
use crate::marker::{self, Marks};

impl Pins for DigitalOceanExecutor {
    fn accept<'a>(&'a self, home: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move { Ok(self.pin(number(home)?, key).await.map(drop)?) })
    }

    fn accept_only<'a>(
        &'a self,
        home: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let droplet = self.pin(number(home)?, key).await?;
            let new = marker::host_key_tag(key);
            let old: Vec<String> = droplet
                .tags
                .into_iter()
                .filter(|tag| marker::is_host_key_tag(tag) && !tag.eq_ignore_ascii_case(&new))
                .collect();
            take(&self.writer, &Tagged::droplet(droplet.id), old.iter()).await?;
            for tag in &old {
                sweep_one(&self.writer, tag).await?;
            }
            Ok(())
        })
    }
}

impl DigitalOceanExecutor {
    /// Pins one more key, and waits until everybody who looks sees it.
    async fn pin(&self, id: u64, key: &str) -> Result<Droplet, ApiError> {
        let wanted = marker::host_key_tag(key);
        let (mut droplet, _) = self.writer.reader.droplet(id).await?;
        let shows =
            |droplet: &Droplet| droplet.tags.iter().any(|tag| tag.eq_ignore_ascii_case(&wanted));
        if shows(&droplet) {
            return Ok(droplet);
        }
        put(&self.writer, &Tagged::droplet(id), std::slice::from_ref(&wanted)).await?;
        let until = Instant::now() + self.limits.tags;
        while !shows(&droplet) && Instant::now() < until {
            if let Some((seen, _)) = absent_as_none(self.writer.reader.droplet(id).await)? {
                droplet = seen;
            }
            if !shows(&droplet) {
                sleep(self.poll).await;
            }
        }
        Ok(droplet)
    }
}

impl Task<'_> {
    /// Has the host make a key of its own, when the droplet still carries the pin of the one that it was born with.
    pub(super) async fn renew_host_key(&self, droplet: &Droplet) -> Result<(), RemoteError> {
        let wanted = self.job.desired.as_ref().and_then(|wanted| wanted.text(HOST_KEY));
        let marks = Marks::read(&self.job.stack, &droplet.tags);
        if wanted != Some(OWN) || marks.birth_keys.is_empty() {
            return Ok(());
        }
        let Some(host_keys) = &self.executor.host_keys else { return Ok(()) };
        let outputs = self.outputs_now(droplet.id, &marks).await?;
        let renewal = Renewal {
            stack: &self.job.stack,
            home: &self.job.address,
            outputs: &outputs,
            pins: self.executor,
            events: self.events,
        };
        host_keys.renew(renewal).await
    }
}
