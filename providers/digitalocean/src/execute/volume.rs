//! Volumes. A name is unique in its region, so a create that was sent twice cannot make two.

use ipai_core::{Address, DesiredResource, Fault, Outputs, RemoteError, Value};
use serde_json::{Map, Value as Json, json};

use super::Task;
use super::action::absent_as_none;
use super::patience::Patience;
use crate::api::{ApiError, Change, Get, Kind, One, Volume};
use crate::marker::{self, Marks};
use crate::volume::outputs;

impl Task<'_> {
    /// Creates the volume, or carries on with the one that an earlier run created; then attaches it.
    pub(super) async fn create_volume(&self) -> Result<Outputs, RemoteError> {
        let wanted = self.wanted()?;
        let text = |name: &str| {
            wanted.text(name).ok_or_else(|| self.refuse(format!("`{name}` is not known")))
        };
        let (name, region) = (text("name")?, text("region")?);
        let volume = match self.own_volume(name, region).await? {
            Some(volume) => {
                let id = &volume.id;
                self.say(format!("volume {id} was created by an earlier run; carrying on with it"));
                volume
            }
            None => self.ask_for_volume(name, region).await?,
        };
        self.settle_volume(&volume.id, wanted).await
    }

    async fn ask_for_volume(&self, name: &str, region: &str) -> Result<Volume, RemoteError> {
        let change = Change::create_volume(name, self.new_volume(name, region)?);
        let mut lost = 0;
        loop {
            self.may_begin()?;
            let error = match self.executor.writer.make::<Volume>(&change).await {
                Ok(volume) => return Ok(volume),
                Err(error) => error,
            };
            let exists = error.kind == Kind::Status(409) || error.says("already exists");
            if !exists && !error.may_have_happened() {
                return Err(error.into());
            }
            if let Some(volume) = self.own_volume(name, region).await? {
                return Ok(volume);
            }
            lost += 1;
            if lost > 1 {
                return Err(error.into());
            }
        }
    }

    fn new_volume(&self, name: &str, region: &str) -> Result<Json, RemoteError> {
        let wanted = self.wanted()?;
        let size = wanted.attributes.get("size_gb").and_then(Value::as_int);
        let size = size.ok_or_else(|| self.refuse("`size_gb` is not known"))?;
        let mut tags = marker::identity_tags(&self.job.stack, &self.job.address).to_vec();
        tags.extend(self.job.version.as_deref().map(marker::hash_tag));
        let mut body = Map::new();
        body.insert("name".into(), json!(name));
        body.insert("region".into(), json!(region));
        body.insert("size_gigabytes".into(), json!(size));
        body.insert("tags".into(), json!(tags));
        for born in ["filesystem_type", "filesystem_label"] {
            body.extend(wanted.text(born).map(|text| (born.to_owned(), json!(text))));
        }
        Ok(Json::Object(body))
    }

    /// The volume of that name, when it carries our tags. A stranger's of the same name is an error.
    async fn own_volume(&self, name: &str, region: &str) -> Result<Option<Volume>, RemoteError> {
        let get = Get::volumes_named(name, region);
        let found = self.executor.writer.reader.list::<Volume>(&get).await?.items;
        let same = |volume: &Volume| volume.name == name && volume.region.slug == region;
        match found.into_iter().find(same) {
            Some(volume) if self.is_own_volume(&volume) => Ok(Some(volume)),
            None => Ok(None),
            Some(volume) => {
                let cause = format!("volume {} has the name `{name}` and is not ipai's", volume.id);
                Err(self.refuse(cause).hint("take it over with `ipai adopt` if it is meant"))
            }
        }
    }

    fn is_own_volume(&self, volume: &Volume) -> bool {
        let marks = Marks::of("volume", &self.job.stack, &volume.tags);
        marks.addresses.contains(&self.job.address)
    }

    /// Makes the volume as wanted. The mark of the new version comes last, so that a run that is killed before is taken up
    /// again.
    pub(super) async fn update_volume(&self) -> Result<Outputs, RemoteError> {
        let id = self.observed_volume()?;
        self.settle_volume(&id, self.wanted()?).await
    }

    async fn settle_volume(
        &self,
        id: &str,
        wanted: &DesiredResource,
    ) -> Result<Outputs, RemoteError> {
        let volume = self.recognised_volume(id).await?;
        self.grow(&volume, wanted).await?;
        let droplet = match wanted.text("droplet").filter(|address| !address.is_empty()) {
            Some(address) => Some(self.droplet_number(address).await?),
            None => None,
        };
        self.attach(id, &volume.region.slug, droplet).await?;
        let volume = self.recognised_volume(id).await?;
        self.mark_identity(&volume).await?;
        self.mark_version(&volume).await?;
        Ok(outputs(&volume))
    }

    /// Grows a volume; nothing makes one smaller.
    async fn grow(&self, volume: &Volume, wanted: &DesiredResource) -> Result<(), RemoteError> {
        let size = wanted.attributes.get("size_gb").and_then(Value::as_int);
        let size = size.and_then(|size| u64::try_from(size).ok());
        let Some(size) = size.filter(|size| *size != volume.size_gigabytes) else { return Ok(()) };
        if size < volume.size_gigabytes {
            let cause = format!("a volume can only grow, and it has {} GiB", volume.size_gigabytes);
            return Err(self.refuse(cause));
        }
        let (id, region) = (&volume.id, &volume.region.slug);
        let body = json!({ "type": "resize", "size_gigabytes": size, "region": region });
        let grown = |volume: &Volume| volume.size_gigabytes == size;
        self.bring_volume(id, |volume| (!grown(volume)).then(|| (body.clone(), None))).await
    }

    /// Attaches a volume to this droplet and to no other; `None` leaves it free.
    pub(super) async fn attach(
        &self,
        id: &str,
        region: &str,
        droplet: Option<u64>,
    ) -> Result<(), RemoteError> {
        let action = |kind: &str, droplet: u64| {
            let body = json!({ "type": kind, "droplet_id": droplet, "region": region });
            Some((body, Some(droplet)))
        };
        self.bring_volume(id, |volume| {
            match (volume.droplet_ids.iter().find(|has| Some(**has) != droplet), droplet) {
                (Some(other), _) => action("detach", *other),
                (None, Some(wanted)) if volume.droplet_ids.is_empty() => action("attach", wanted),
                _ => None,
            }
        })
        .await
    }

    /// Brings a volume into a state by actions: `next` tells which one, and the droplet that it is about, until none is
    /// left to do. What the API refuses because of another event is asked for again; what it refuses because it is so
    /// already shows at the next look.
    async fn bring_volume(
        &self,
        id: &str,
        next: impl Fn(&Volume) -> Option<(Json, Option<u64>)> + Send + Sync,
    ) -> Result<(), RemoteError> {
        let limit = self.executor.limits.pending;
        let mut patience = Patience::new(self, format!("volume {id} is as wanted"), limit);
        let mut lost = 0;
        loop {
            let Some(volume) = patience.overlook(self.look_at_volume(id).await)? else {
                patience.pause().await?;
                continue;
            };
            let Some((body, droplet)) = next(&volume) else { return Ok(()) };
            let taking = body["type"] == "attach";
            if self.is_free(droplet, taking, &mut patience).await? {
                self.may_begin()?;
                let change = Change::volume_action(id, body);
                match self.executor.writer.act(&change).await {
                    Ok(action) => self.follow(action.id).await?,
                    Err(error) if error.is_pending_event() => {}
                    Err(error) if error.may_have_happened() && lost < 3 => lost += 1,
                    // The droplet or the attachment went meanwhile.
                    Err(error) if error.is_not_found() && droplet.is_some() => {}
                    Err(error) => {
                        let now = self.look_at_volume(id).await?;
                        return if next(&now).is_none() { Ok(()) } else { Err(error.into()) };
                    }
                }
            }
            patience.pause().await?;
        }
    }

    /// Tells whether no event holds a droplet. One that is gone loses its volumes by itself, and they may read as attached
    /// to it for a while; it can take none.
    async fn is_free(
        &self,
        droplet: Option<u64>,
        taking: bool,
        patience: &mut Patience<'_>,
    ) -> Result<bool, RemoteError> {
        let Some(id) = droplet else { return Ok(true) };
        let look = absent_as_none(self.executor.writer.reader.droplet(id).await);
        match patience.overlook(look)? {
            Some(None) if taking => Err(self.vanished(id)),
            seen => Ok(seen.flatten().is_some_and(|(droplet, _)| !droplet.locked)),
        }
    }

    async fn look_at_volume(&self, id: &str) -> Result<Volume, ApiError> {
        Ok(self.executor.writer.reader.get::<One<Volume>>(&Get::volume(id)).await?.0)
    }

    /// Reads a volume back before it is touched: it must carry our tags. A new one may not be found by its id at once.
    pub(super) async fn recognised_volume(&self, id: &str) -> Result<Volume, RemoteError> {
        let limit = self.executor.limits.tags;
        let mut patience = Patience::new(self, format!("volume {id} shows its tags"), limit);
        loop {
            match self.look_at_volume(id).await {
                Ok(volume) if self.is_own_volume(&volume) => return Ok(volume),
                Ok(volume) if self.marked_otherwise(&volume.tags) || patience.is_over() => {
                    let tag = marker::address_tag(&self.job.stack, &self.job.address);
                    let cause = format!("volume {id} does not carry the tag `{tag}`");
                    return Err(self
                        .refuse(cause)
                        .hint("take it over with `ipai adopt` if it is meant"));
                }
                Err(error) if error.is_not_found() && patience.is_over() => {
                    return Err(error.into());
                }
                Err(error) if !error.is_not_found() => drop(patience.overlook::<()>(Err(error))?),
                _ => {}
            }
            patience.pause().await?;
        }
    }

    /// Detaches the volume and deletes it with everything on it.
    pub(super) async fn delete_volume(&self) -> Result<Outputs, RemoteError> {
        let id = self.observed_volume()?;
        let volume = match self.look_at_volume(&id).await {
            Err(error) if error.is_not_found() => return Ok(Outputs::new()),
            _ => self.recognised_volume(&id).await,
        };
        let volume = match volume {
            Err(error) if error.fault == Fault::NotFound => return Ok(Outputs::new()),
            other => other?,
        };
        self.may_begin()?;
        let limit = self.executor.limits.delete;
        let mut patience = Patience::new(self, format!("volume {id} is gone"), limit);
        loop {
            match self.attach(&id, &volume.region.slug, None).await {
                Err(error) if error.fault == Fault::NotFound => break,
                other => other?,
            }
            self.may_begin()?;
            match self.executor.writer.delete(&Change::delete_volume(&id)).await {
                // It was attached again, or is held by its last event.
                Err(error) if error.kind == Kind::Status(409) || error.is_pending_event() => {}
                other => other?,
            }
            let look = absent_as_none(self.look_at_volume(&id).await);
            if matches!(patience.overlook(look)?, Some(None)) {
                break;
            }
            patience.pause().await?;
        }
        self.sweep(self.own_tags(&volume.tags)).await;
        Ok(Outputs::new())
    }

    /// Marks an existing volume as this resource and changes nothing else.
    pub(super) async fn adopt_volume(&self) -> Result<Outputs, RemoteError> {
        let volume = self.look_at_volume(&self.observed_volume()?).await?;
        if self.marked_otherwise(&volume.tags) {
            let cause = format!("volume {} belongs to another resource by its tags", volume.id);
            return Err(self.refuse(cause).hint("let it go there with `ipai forget` first"));
        }
        self.mark_identity(&volume).await?;
        Ok(outputs(&volume))
    }

    /// Takes our tags off; the volume stays as it is.
    pub(super) async fn forget_volume(&self) -> Result<Outputs, RemoteError> {
        let look = self.look_at_volume(&self.observed_volume()?).await;
        if let Some(volume) = absent_as_none(look)? {
            self.unmark(&volume).await?;
        }
        Ok(Outputs::new())
    }

    /// The id of the observed volume.
    fn observed_volume(&self) -> Result<String, RemoteError> {
        let live = self.job.live.as_ref().map(|live| live.id.clone());
        let plain = |id: &String| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        live.filter(plain).ok_or_else(|| self.refuse("no volume was observed"))
    }

    pub(super) fn wanted(&self) -> Result<&DesiredResource, RemoteError> {
        self.job.desired.as_ref().ok_or_else(|| self.refuse("there is nothing wanted"))
    }

    /// The number of the droplet at an address.
    pub(super) async fn droplet_number(&self, address: &str) -> Result<u64, RemoteError> {
        let parsed: Result<Address, _> = address.parse();
        let ids =
            self.droplet_ids(vec![parsed.map_err(|why| self.refuse(why.to_string()))?]).await?;
        ids.first().copied().ok_or_else(|| self.refuse(format!("{address} does not exist")))
    }
}
