//! Creating a droplet exactly once, although the API has no idempotency key and forgets names.

use ipai_core::{Fault, Outputs, RemoteError};

use super::Task;
use super::action::absent_as_none;
use super::patience::Patience;
use crate::api::{ApiError, Change, Droplet, Get, Kind};
use crate::droplet::{Birth, creation, may_be_unborn};
use crate::marker::{self, Marks};

/// How a droplet of the wanted name stands to the job.
#[derive(PartialEq)]
enum Standing {
    Ours,
    /// It is new and its tags have not arrived, or it is a stranger's.
    Open,
    Foreign,
}

impl Task<'_> {
    /// Creates the droplet; `gone` is one that was just deleted and may still be listed.
    pub(super) async fn create_droplet(&self, gone: Option<u64>) -> Result<Outputs, RemoteError> {
        let wanted = self.job.desired.as_ref();
        let name = wanted.and_then(|wanted| wanted.text("name"));
        let name = name.ok_or_else(|| self.refuse("its name is not known"))?;
        let earlier = match self.find_earlier(name, gone).await? {
            None if gone.is_none() && self.was_begun().await? => self.look_longer(name).await?,
            earlier => earlier,
        };
        if let Some(id) = earlier {
            self.say(format!("droplet {id} was created by an earlier run; carrying on with it"));
            match self.complete(id, None, None).await {
                // It was being deleted.
                Err(error) if error.fault == Fault::NotFound => {}
                other => return other,
            }
        }
        self.create_anew(name).await
    }

    async fn create_anew(&self, name: &str) -> Result<Outputs, RemoteError> {
        let birth = (self.executor.birth)();
        let birth = birth.map_err(|why| self.refuse(format!("cannot make a host key: {why}")))?;
        let (id, action) = self.ask_for_droplet(name, &birth).await?;
        self.executor.remember(&self.job.address, id);
        self.say(format!("droplet {id} is accepted"));
        self.complete(id, action, Some(&birth)).await
    }

    /// Tells whether an earlier run may have asked for the droplet: right before it asks, a run makes the tag that
    /// names the address. Nothing is asked for twice because a list does not show the first one yet.
    async fn was_begun(&self) -> Result<bool, RemoteError> {
        let tag = marker::address_tag(&self.job.stack, &self.job.address);
        Ok(absent_as_none(self.executor.writer.reader.tag(&tag).await)?.is_some())
    }

    async fn begin(&self) -> Result<(), RemoteError> {
        let tag = marker::address_tag(&self.job.stack, &self.job.address);
        self.executor.writer.ensure_tag(&tag).await?;
        Ok(())
    }

    async fn look_longer(&self, name: &str) -> Result<Option<u64>, RemoteError> {
        self.say("an earlier run may have asked for this droplet; looking whether it shows");
        match self.look_for(name, None).await? {
            // Whether it is ours has to be seen first.
            Some(_) => self.find_earlier(name, None).await,
            None => Ok(None),
        }
    }

    /// Looks for a droplet that an earlier run asked for before it was killed; of two, the older.
    async fn find_earlier(
        &self,
        name: &str,
        gone: Option<u64>,
    ) -> Result<Option<u64>, RemoteError> {
        let mut patience = Patience::new(
            self,
            format!("the tags of a new droplet named `{name}` show"),
            self.executor.limits.tags,
        );
        loop {
            let mut found = self.droplets_named(name).await?;
            found.retain(|(droplet, _)| Some(droplet.id) != gone);
            if let Some((droplet, _)) = found.iter().find(|(_, s)| *s == Standing::Ours) {
                return Ok(Some(droplet.id));
            }
            let Some((droplet, _)) = found.iter().find(|(_, s)| *s == Standing::Open) else {
                return Ok(None);
            };
            if patience.is_over() {
                let cause = format!(
                    "droplet {} has the name `{name}`, is new and has no tags: it may be this one, begun by an earlier run, or a stranger's",
                    droplet.id
                );
                return Err(self
                    .refuse(cause)
                    .hint("delete that droplet, or take it over with `ipai adopt`"));
            }
            patience.pause().await?;
        }
    }

    /// All droplets of a name, the oldest first.
    async fn droplets_named(&self, name: &str) -> Result<Vec<(Droplet, Standing)>, ApiError> {
        let listing =
            self.executor.writer.reader.list::<Droplet>(&Get::droplets_named(name)).await?;
        let mut found = listing.items;
        found.retain(|droplet| droplet.name.eq_ignore_ascii_case(name));
        found.sort_by(|a, b| (&a.created_at, a.id).cmp(&(&b.created_at, b.id)));
        let standing = |droplet: Droplet| {
            let marks = Marks::read(&self.job.stack, &droplet.tags);
            let standing = match marks.address() {
                Some(address) if *address == self.job.address => Standing::Ours,
                None if may_be_unborn(&droplet, listing.now) => Standing::Open,
                _ => Standing::Foreign,
            };
            (droplet, standing)
        };
        Ok(found.into_iter().map(standing).collect())
    }

    /// Asks for the droplet. After a lost answer it is looked for before it is asked for once more.
    async fn ask_for_droplet(
        &self,
        name: &str,
        birth: &Birth,
    ) -> Result<(u64, Option<u64>), RemoteError> {
        let body = creation(self.job, birth).map_err(|why| self.refuse(why))?;
        let change = Change::create_droplet(name, body);
        let limit = self.executor.limits.pending;
        let mut keys = Patience::new(self, "the SSH keys are known to droplets", limit);
        let mut lost = false;
        self.may_begin()?;
        self.begin().await?;
        loop {
            self.may_begin()?;
            let error = match self.executor.writer.create_droplet(&change).await {
                Ok(created) => return Ok((created.droplet.id, created.action())),
                Err(error) => error,
            };
            if error.may_have_happened() {
                self.say("the answer to the create was lost; looking whether the droplet is there");
                if let Some(id) = self.look_for(name, Some(birth)).await? {
                    return Ok((id, None));
                }
                if std::mem::replace(&mut lost, true) {
                    return Err(error.into());
                }
            } else if is_new_key(&error) && !keys.is_over() {
                keys.pause().await?;
            } else {
                if !lost && is_refusal(&error) {
                    self.unbegin().await;
                }
                return Err(error.into());
            }
        }
    }

    /// What was refused leaves no droplet behind, so no later run has to look whether one shows.
    async fn unbegin(&self) {
        self.sweep(vec![marker::address_tag(&self.job.stack, &self.job.address)]).await;
    }

    /// Looks for a droplet that may have been asked for: by this run when `birth` is given, and then its tags carry the
    /// key it was born with. A failed last look is an error, never "not there".
    async fn look_for(
        &self,
        name: &str,
        birth: Option<&Birth>,
    ) -> Result<Option<u64>, RemoteError> {
        let limit = self.executor.limits.lookup;
        let mut patience = Patience::new(self, format!("droplet `{name}` shows"), limit);
        loop {
            let look = self.droplets_named(name).await;
            let seen = match look {
                Err(error) if patience.is_over() => return Err(error.into()),
                look => patience.overlook(look)?.unwrap_or_default(),
            };
            let ours = seen.iter().find(|(droplet, standing)| match (standing, birth) {
                (Standing::Open, _) => true,
                (Standing::Ours, None) => true,
                (_, Some(birth)) => self.is_born_with(droplet, birth),
                _ => false,
            });
            match ours {
                Some((droplet, _)) => return Ok(Some(droplet.id)),
                None if patience.is_over() => return Ok(None),
                None => patience.pause().await?,
            }
        }
    }

    fn is_born_with(&self, droplet: &Droplet, birth: &Birth) -> bool {
        let marks = Marks::read(&self.job.stack, &droplet.tags);
        marks.host_keys.contains(&birth.fingerprint_hex)
    }

    /// Follows a droplet from its acceptance until it is active, addressed and tagged.
    async fn complete(
        &self,
        id: u64,
        action: Option<u64>,
        birth: Option<&Birth>,
    ) -> Result<Outputs, RemoteError> {
        if let Some(action) = action {
            self.follow(action).await?;
        }
        let droplet = self.grown_up(id, birth.is_none()).await?;
        let droplet = self.tagged(droplet, birth).await?;
        self.executor.remember(&self.job.address, id);
        let mut marks = Marks::read(&self.job.stack, &droplet.tags);
        birth.iter().for_each(|birth| marks.pin_birth(&birth.fingerprint_hex));
        if marks.host_keys.is_empty() {
            let cause =
                format!("droplet {id} carries no pin of its host key, so nobody could verify it");
            return Err(self
                .refuse(cause)
                .hint("delete that droplet in the control panel, then apply again"));
        }
        self.set_power(id).await?;
        self.outputs_now(id, &marks).await
    }
}

/// The request was understood and will not be carried out; with a token that is refused, tags could not be deleted either.
fn is_refusal(error: &ApiError) -> bool {
    matches!(error.kind, Kind::Status(400 | 402 | 404 | 409 | 412 | 422))
}

/// A key that was added to the account a moment ago is unknown to droplets for some seconds.
fn is_new_key(error: &ApiError) -> bool {
    error.kind == Kind::Status(422) && error.says("invalid key identifiers")
}
