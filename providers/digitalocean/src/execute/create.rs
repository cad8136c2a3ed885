//! Creating a droplet exactly once, although the API has no idempotency key and forgets names.

use ipai_core::{Fault, Outputs, RemoteError};

use super::Task;
use super::patience::Patience;
use crate::api::{ApiError, Change, Droplet, Get, Kind};
use crate::droplet::{Birth, creation, is_young};
use crate::marker::Marks;

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
        if let Some(id) = self.find_earlier(name, gone).await? {
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
                None if droplet.tags.is_empty() && is_young(&droplet, listing.now) => {
                    Standing::Open
                }
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
        loop {
            let error = match self.executor.writer.create_droplet(&change).await {
                Ok(created) => return Ok((created.droplet.id, created.action())),
                Err(error) => error,
            };
            if error.may_have_happened() {
                self.say("the answer to the create was lost; looking whether the droplet is there");
                if let Some(id) = self.look_for(name, birth).await? {
                    return Ok((id, None));
                }
                if std::mem::replace(&mut lost, true) {
                    return Err(error.into());
                }
            } else if is_new_key(&error) && !keys.is_over() {
                keys.pause().await?;
            } else {
                return Err(error.into());
            }
        }
    }

    /// Looks for a droplet that may have been asked for: its tags carry the key it was born with. A failed last look
    /// is an error, never "not there".
    async fn look_for(&self, name: &str, birth: &Birth) -> Result<Option<u64>, RemoteError> {
        let limit = self.executor.limits.lookup;
        let mut patience = Patience::new(self, format!("droplet `{name}` shows"), limit);
        loop {
            let look = self.droplets_named(name).await;
            let seen = match look {
                Err(error) if patience.is_over() => return Err(error.into()),
                look => patience.overlook(look)?.unwrap_or_default(),
            };
            let born_so = |droplet: &Droplet| {
                let marks = Marks::read(&self.job.stack, &droplet.tags);
                marks.host_keys.contains(&birth.fingerprint_hex)
            };
            let ours = seen.iter().find(|(d, standing)| *standing == Standing::Open || born_so(d));
            match ours {
                Some((droplet, _)) => return Ok(Some(droplet.id)),
                None if patience.is_over() => return Ok(None),
                None => patience.pause().await?,
            }
        }
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

/// A key that was added to the account a moment ago is unknown to droplets for some seconds.
fn is_new_key(error: &ApiError) -> bool {
    error.kind == Kind::Status(422) && error.says("invalid key identifiers")
}
