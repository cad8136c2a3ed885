//! Putting tags on droplets and taking them off; clearing away those that nothing carries any more.

use std::collections::BTreeSet;

use ipai_core::RemoteError;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::Task;
use super::action::absent_as_none;
use super::patience::Patience;
use crate::api::{ApiError, Change, Droplet, Tagged, Volume, Writer};
use crate::droplet::Birth;
use crate::marker;

/// An object, and the tags that it was seen with.
pub(super) struct Bearer<'a> {
    on: Tagged,
    tags: &'a [String],
}

impl<'a> From<&'a Droplet> for Bearer<'a> {
    fn from(droplet: &'a Droplet) -> Self {
        Self { on: Tagged::droplet(droplet.id), tags: &droplet.tags }
    }
}

impl<'a> From<&'a Volume> for Bearer<'a> {
    fn from(volume: &'a Volume) -> Self {
        Self { on: Tagged::volume(&volume.id), tags: &volume.tags }
    }
}

impl Task<'_> {
    /// Waits for the tags that a droplet was created with, then puts on those that are still missing.
    pub(super) async fn tagged(
        &self,
        droplet: Droplet,
        birth: Option<&Birth>,
    ) -> Result<Droplet, RemoteError> {
        let (id, mut droplet) = (droplet.id, droplet);
        let what = format!("the tags of droplet {id} show");
        let mut patience = Patience::new(self, what, self.executor.limits.tags);
        while !self.missing(&droplet, birth).is_empty() && !patience.is_over() {
            patience.pause().await?;
            let look = absent_as_none(self.executor.writer.reader.droplet(id).await);
            if let Some((seen, _)) = patience.overlook(look)?.flatten() {
                droplet = seen;
            }
        }
        let missing = self.missing(&droplet, birth);
        put(&self.executor.writer, &Tagged::droplet(id), &missing).await?;
        droplet.tags.extend(missing);
        Ok(droplet)
    }

    /// Which tags a droplet lacks. One that an earlier run began keeps the version it was begun with, so that the
    /// next plan sees what differs.
    fn missing(&self, droplet: &Droplet, birth: Option<&Birth>) -> Vec<String> {
        let mut wanted = marker::identity_tags(&self.job.stack, &self.job.address).to_vec();
        wanted.extend(birth.map(|birth| marker::birth_key_tag(&birth.fingerprint_hex)));
        wanted.extend(self.user_tags().unwrap_or_default());
        if birth.is_some() {
            wanted.extend(self.job.version.as_deref().map(marker::hash_tag));
        }
        lacking(&droplet.tags, &wanted)
    }

    fn user_tags(&self) -> Option<Vec<String>> {
        let wanted = self.job.desired.as_ref()?;
        wanted.attributes.contains_key("tags").then_some(())?;
        Some(wanted.texts("tags").into_iter().map(str::to_owned).collect())
    }

    /// Makes identity and user tags as wanted; those of other kinds stay as they are.
    pub(super) async fn align_tags(&self, droplet: &Droplet) -> Result<(), ApiError> {
        self.mark_identity(droplet).await?;
        let Some(user) = self.user_tags() else { return Ok(()) };
        put(&self.executor.writer, &Tagged::droplet(droplet.id), &lacking(&droplet.tags, &user))
            .await?;
        let extra = droplet.tags.iter().filter(|tag| !marker::is_reserved(tag));
        let extra = extra.filter(|tag| !user.contains(&tag.to_ascii_lowercase()));
        take(&self.executor.writer, &Tagged::droplet(droplet.id), extra).await
    }

    /// Puts on the tags that say whose an object is.
    pub(super) async fn mark_identity<'a>(
        &self,
        bearer: impl Into<Bearer<'a>>,
    ) -> Result<(), ApiError> {
        let Bearer { on, tags } = bearer.into();
        let wanted = marker::identity_tags(&self.job.stack, &self.job.address);
        put(&self.executor.writer, &on, &lacking(tags, &wanted)).await
    }

    /// Marks an object with the version that is applied now. The new mark comes before the old one goes: a run that
    /// is killed in between leaves both, and the wanted one counts.
    pub(super) async fn mark_version<'a>(
        &self,
        bearer: impl Into<Bearer<'a>>,
    ) -> Result<(), ApiError> {
        let Some(version) = &self.job.version else { return Ok(()) };
        let Bearer { on, tags } = bearer.into();
        let new = marker::hash_tag(version);
        let old = tags.iter().filter(|tag| marker::is_hash_tag(tag));
        let old: Vec<String> = old.filter(|tag| !tag.eq_ignore_ascii_case(&new)).cloned().collect();
        put(&self.executor.writer, &on, &lacking(tags, std::slice::from_ref(&new))).await?;
        take(&self.executor.writer, &on, old.iter()).await?;
        self.sweep(old).await;
        Ok(())
    }

    /// Takes every tag of ours off an object.
    pub(super) async fn unmark<'a>(&self, bearer: impl Into<Bearer<'a>>) -> Result<(), ApiError> {
        let Bearer { on, tags } = bearer.into();
        let ours = self.own_tags(tags);
        take(&self.executor.writer, &on, ours.iter()).await?;
        self.sweep(ours).await;
        Ok(())
    }

    /// Those of an object's tags by which it is known as this resource, in the spelling that the API uses.
    pub(super) fn own_tags(&self, tags: &[String]) -> Vec<String> {
        let identity = marker::identity_tags(&self.job.stack, &self.job.address);
        let ours = |tag: &&String| {
            marker::is_hash_tag(tag)
                || marker::is_host_key_tag(tag)
                || identity.iter().any(|own| own.eq_ignore_ascii_case(tag))
        };
        tags.iter().filter(ours).cloned().collect()
    }

    /// Tells whether tags mark their object as another resource, of this stack or another.
    pub(super) fn marked_otherwise(&self, tags: &[String]) -> bool {
        let own = marker::identity_tags(&self.job.stack, &self.job.address);
        let mut tags = tags.iter().map(|tag| tag.to_ascii_lowercase());
        tags.any(|tag| tag.starts_with("ipai:") && !own.contains(&tag))
    }

    /// Deletes those of the tags that nothing carries any more. They cost nothing, so a failure is only told.
    pub(super) async fn sweep(&self, tags: Vec<String>) {
        let mut sweeping = JoinSet::new();
        for tag in tags {
            let writer = self.executor.writer.clone();
            sweeping.spawn(
                async move {
                    let result = sweep_one(&writer, &tag).await;
                    result
                        .err()
                        .map(|error| format!("the unused tag `{tag}` stays: {}", error.cause))
                }
                .in_current_span(),
            );
        }
        while let Some(done) = sweeping.join_next().await {
            if let Ok(Some(remark)) = done {
                self.say(remark);
            }
        }
    }
}

pub(super) async fn sweep_one(writer: &Writer, tag: &str) -> Result<(), ApiError> {
    match absent_as_none(writer.reader.tag(tag).await)? {
        Some(seen) if seen.resources.count == 0 => {
            writer.delete(&Change::delete_tag(&seen.name)).await
        }
        _ => Ok(()),
    }
}

fn lacking(tags: &[String], wanted: &[String]) -> Vec<String> {
    let has: BTreeSet<String> = tags.iter().map(|tag| tag.to_ascii_lowercase()).collect();
    wanted.iter().filter(|tag| !has.contains(&tag.to_ascii_lowercase())).cloned().collect()
}

pub(super) async fn put(writer: &Writer, on: &Tagged, tags: &[String]) -> Result<(), ApiError> {
    for tag in tags {
        let spelling = writer.ensure_tag(tag).await?;
        writer.tag(&spelling, on).await?;
    }
    Ok(())
}

pub(super) async fn take(
    writer: &Writer,
    on: &Tagged,
    tags: impl Iterator<Item = &String> + Send,
) -> Result<(), ApiError> {
    for tag in tags {
        writer.delete(&Change::untag(tag, on)).await?;
    }
    Ok(())
}
