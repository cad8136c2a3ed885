//! Firewalls. Their names are unique in an account, so a create that was sent twice cannot make two.

use std::collections::BTreeMap;

use ipai_core::{Address, Outputs, RemoteError, Value};
use serde_json::{Value as Json, json};

use super::Task;
use super::patience::Patience;
use crate::api::{ApiError, Change, Droplet, Firewall, Get, Kind, One};
use crate::firewall::{Members, body};
use crate::marker::{self, Marks};

impl Task<'_> {
    /// Creates the firewall; one of the same name is made as wanted instead.
    pub(super) async fn create_firewall(&self) -> Result<Outputs, RemoteError> {
        let name = marker::firewall_name(&self.job.stack, &self.job.address.name);
        let body = self.wanted_firewall(&name).await?;
        let change = Change::create_firewall(&name, body.clone());
        let mut tried = 0;
        loop {
            self.may_begin()?;
            let error = match self.executor.writer.create_firewall(&change).await {
                Ok(firewall) => return self.in_force(firewall).await,
                Err(error) => error,
            };
            let duplicate = error.kind == Kind::Status(409) || error.says("duplicate name");
            if !duplicate && !error.may_have_happened() {
                return Err(error.into());
            }
            if let Some(id) = self.firewall_named(&name).await? {
                return self.set_firewall(&id, body).await;
            }
            tried += 1;
            if tried > 1 {
                return Err(error.into());
            }
        }
    }

    /// Makes the whole firewall as wanted.
    pub(super) async fn update_firewall(&self) -> Result<Outputs, RemoteError> {
        let name = marker::firewall_name(&self.job.stack, &self.job.address.name);
        let id = self.observed_firewall()?;
        self.recognise_firewall(&id, &name).await?;
        self.set_firewall(&id, self.wanted_firewall(&name).await?).await
    }

    pub(super) async fn delete_firewall(&self) -> Result<Outputs, RemoteError> {
        let name = marker::firewall_name(&self.job.stack, &self.job.address.name);
        let id = match &self.job.live {
            Some(_) => Some(self.observed_firewall()?),
            None => self.firewall_named(&name).await?,
        };
        if let Some(id) = id {
            if !self.recognise_firewall(&id, &name).await? {
                return Ok(Outputs::new());
            }
            self.may_begin()?;
            self.executor.writer.delete(&Change::delete_firewall(&id)).await?;
        }
        Ok(Outputs::new())
    }

    /// Gives an existing firewall our name and leaves the rest as it is.
    pub(super) async fn adopt_firewall(&self) -> Result<Outputs, RemoteError> {
        let name = marker::firewall_name(&self.job.stack, &self.job.address.name);
        self.rename_firewall(&name).await
    }

    /// Takes `ipai-` off the firewall's name and leaves the rest as it is.
    pub(super) async fn forget_firewall(&self) -> Result<Outputs, RemoteError> {
        let name = marker::firewall_name(&self.job.stack, &self.job.address.name);
        self.rename_firewall(name.trim_start_matches("ipai-")).await.map(|_| Outputs::new())
    }

    async fn rename_firewall(&self, name: &str) -> Result<Outputs, RemoteError> {
        let get = Get::firewall(&self.observed_firewall()?);
        let One(seen) = self.executor.writer.reader.get::<One<Firewall>>(&get).await?;
        let body = json!({
            "name": name,
            "inbound_rules": seen.inbound_rules,
            "outbound_rules": seen.outbound_rules,
            "droplet_ids": seen.droplet_ids,
            "tags": seen.tags,
        });
        self.set_firewall(&seen.id, body).await
    }

    /// Reads a firewall back before it is changed or deleted: it must carry our name. Tells whether it is there.
    async fn recognise_firewall(&self, id: &str, name: &str) -> Result<bool, RemoteError> {
        let seen = self.executor.writer.reader.get::<One<Firewall>>(&Get::firewall(id)).await;
        match seen {
            Ok(One(seen)) if seen.name == name => Ok(true),
            Ok(One(seen)) => {
                Err(self.refuse(format!("firewall {id} is called `{}`, not `{name}`", seen.name)))
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn observed_firewall(&self) -> Result<String, RemoteError> {
        let live = self.job.live.as_ref().map(|live| live.id.clone());
        let plain = |id: &String| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        live.filter(plain).ok_or_else(|| self.refuse("no firewall was observed"))
    }

    async fn set_firewall(&self, id: &str, body: Json) -> Result<Outputs, RemoteError> {
        self.may_begin()?;
        let change = Change::put_firewall(id, body);
        self.in_force(self.executor.writer.put_firewall(&change).await?).await
    }

    /// Waits until the droplets obey the firewall.
    async fn in_force(&self, firewall: Firewall) -> Result<Outputs, RemoteError> {
        let (id, limit) = (firewall.id.clone(), self.executor.limits.pending);
        let mut patience = Patience::new(self, format!("firewall {id} is in force"), limit);
        let mut status = firewall.status;
        while status.as_deref() == Some("waiting") {
            patience.pause().await?;
            let look = self.executor.writer.reader.get::<One<Firewall>>(&Get::firewall(&id)).await;
            if let Some(One(seen)) = patience.overlook(look)? {
                status = seen.status;
            }
        }
        if status.as_deref() == Some("failed") {
            let cause = format!("DigitalOcean could not put firewall {id} into force");
            return Err(self
                .refuse(cause)
                .hint("apply again; if it fails again, ask DigitalOcean's support"));
        }
        Ok([("id".to_owned(), Value::text(id))].into())
    }

    async fn firewall_named(&self, name: &str) -> Result<Option<String>, ApiError> {
        let all = self.executor.writer.reader.list::<Firewall>(&Get::firewalls()).await?;
        Ok(all.items.into_iter().find(|firewall| firewall.name == name).map(|found| found.id))
    }

    /// The stack's firewalls that a droplet stands behind.
    pub(super) async fn firewalls_before(&self, droplet: u64) -> Result<Vec<String>, ApiError> {
        let mut all = self.executor.writer.reader.list::<Firewall>(&Get::firewalls()).await?.items;
        all.retain(|firewall| {
            let ours = marker::firewall_address(&self.job.stack, &firewall.name).is_some();
            ours && firewall.droplet_ids.contains(&droplet)
        });
        Ok(all.into_iter().map(|firewall| firewall.id).collect())
    }

    /// Puts the job's droplet behind firewalls. They are planned by address, so no action of theirs follows from a
    /// droplet's replacement.
    pub(super) async fn guard_by(&self, firewalls: &[String]) -> Result<(), RemoteError> {
        let Some(id) = self.executor.recall(&self.job.address) else { return Ok(()) };
        for firewall in firewalls {
            self.executor.writer.guard(firewall, id).await?;
        }
        Ok(())
    }

    async fn wanted_firewall(&self, name: &str) -> Result<Json, RemoteError> {
        let wanted = self.job.desired.as_ref();
        let wanted = wanted.ok_or_else(|| self.refuse("there is nothing wanted"))?;
        let addresses: Result<Vec<Address>, _> =
            wanted.texts("droplets").into_iter().map(str::parse).collect();
        let addresses =
            addresses.map_err(|e: ipai_core::address::NotAnAddress| self.refuse(e.to_string()))?;
        let members = Members { ids: self.droplet_ids(addresses).await?, tags: Vec::new() };
        body(name, &wanted.texts("inbound"), &wanted.texts("outbound"), &members)
            .map_err(|why| self.refuse(why))
    }

    /// The numbers of the wanted droplets. Those that this run made are remembered, because a list may not show them
    /// yet; the others are asked for once, by the stack's tag.
    pub(super) async fn droplet_ids(
        &self,
        addresses: Vec<Address>,
    ) -> Result<Vec<u64>, RemoteError> {
        let known = |address: Address| {
            let id = self.executor.recall(&address);
            (address, id)
        };
        let mut ids: BTreeMap<Address, Option<u64>> = addresses.into_iter().map(known).collect();
        if ids.values().any(Option::is_none) {
            for (address, id) in self.stack_droplets().await? {
                ids.entry(address).and_modify(|known| *known = known.or(Some(id)));
            }
        }
        let number = |(address, id): (Address, Option<u64>)| {
            id.ok_or_else(|| self.refuse(format!("{address} does not exist")))
        };
        ids.into_iter().map(number).collect()
    }

    /// The stack's droplets, the oldest of each address.
    async fn stack_droplets(&self) -> Result<BTreeMap<Address, u64>, ApiError> {
        let get = Get::droplets_tagged(&marker::stack_tag(&self.job.stack));
        let mut droplets = self.executor.writer.reader.list::<Droplet>(&get).await?.items;
        droplets.sort_by(|a, b| (&b.created_at, b.id).cmp(&(&a.created_at, a.id)));
        let addressed = droplets.iter().filter_map(|droplet| {
            let address = Marks::read(&self.job.stack, &droplet.tags).address()?.clone();
            Some((address, droplet.id))
        });
        Ok(addressed.collect())
    }
}
