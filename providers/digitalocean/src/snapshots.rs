//! Snapshots of droplets and volumes. A volume's is marked by tags from its first moment; a droplet's can only be named at
//! first, so its name is its mark: the tag that names the droplet's address, and the time.

use ipai_core::snapshot::{Snapshot, Snapshots};
use ipai_core::{Address, BoxFuture, Events, LiveResource, RemoteError, StackId};

use crate::api::{self, Get};
use crate::execute::DigitalOceanExecutor;
use crate::marker::{self, Marks};
use crate::{PROVIDER, api::epoch_of_rfc3339};

/// Reads, takes and deletes snapshots.
pub struct DigitalOceanSnapshots {
    pub(crate) executor: DigitalOceanExecutor,
}

impl DigitalOceanSnapshots {
    /// Works with what an executor works with; contacts nobody.
    #[must_use]
    pub fn new(executor: DigitalOceanExecutor) -> Self {
        Self { executor }
    }
}

impl Snapshots for DigitalOceanSnapshots {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn look<'a>(
        &'a self,
        stack: &'a StackId,
        sources: &'a [LiveResource],
    ) -> BoxFuture<'a, Result<Vec<Snapshot>, RemoteError>> {
        Box::pin(async move {
            let all = self.executor.reader().list::<api::Snapshot>(&Get::snapshots()).await?;
            Ok(read(stack, sources, all.items))
        })
    }

    fn take<'a>(
        &'a self,
        stack: &'a StackId,
        source: &'a LiveResource,
        time: i64,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<Snapshot, RemoteError>> {
        Box::pin(self.executor.take_snapshot(stack, source, time, events))
    }

    fn delete<'a>(
        &'a self,
        stack: &'a StackId,
        snapshot: &'a Snapshot,
    ) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.executor.delete_snapshot(stack, snapshot))
    }
}

/// The stack's own among all snapshots, and those that others took of `sources`.
pub(crate) fn read(
    stack: &StackId,
    sources: &[LiveResource],
    all: Vec<api::Snapshot>,
) -> Vec<Snapshot> {
    all.into_iter().filter_map(|snapshot| read_one(stack, sources, snapshot)).collect()
}

/// What one snapshot is to the stack, if anything.
pub(crate) fn read_one(
    stack: &StackId,
    sources: &[LiveResource],
    seen: api::Snapshot,
) -> Option<Snapshot> {
    let name = seen.name.unwrap_or_default();
    let own = match seen.resource_type.as_str() {
        "volume" => Marks::of("volume", stack, &seen.tags).address().cloned(),
        "droplet" => named_source(stack, &name),
        _ => return None,
    };
    let ours = own.is_some();
    let source = own.or_else(|| {
        let same = |live: &&LiveResource| {
            live.id == seen.resource_id
                && live.address.provider == PROVIDER
                && live.address.kind == seen.resource_type
        };
        sources.iter().find(same).map(|live| live.address.clone())
    })?;
    Some(Snapshot {
        id: seen.id,
        name,
        source,
        taken: seen.created_at.as_deref().and_then(epoch_of_rfc3339),
        size_gb: seen.size_gigabytes,
        ours,
    })
}

/// What a new snapshot is called. A volume's name need not be its mark and keeps to the alphabet of volumes.
pub(crate) fn name(stack: &StackId, source: &Address, time: i64) -> String {
    let name = format!("{}:{time}", marker::address_tag(stack, source));
    if source.kind == "volume" { name.replace([':', '_'], "-") } else { name }
}

/// The droplet whose snapshot a name marks.
fn named_source(stack: &StackId, name: &str) -> Option<Address> {
    let (tag, time) = name.rsplit_once(':')?;
    let dated = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let marks = Marks::read(stack, &[tag.to_owned()]);
    marks.address().cloned().filter(|_| dated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ops() -> StackId {
        StackId::new("ops", None)
    }

    fn show(kind: &str, name: &str, tags: &[&str]) -> Option<Snapshot> {
        let seen = serde_json::from_value(json!({
            "id": "7", "name": name, "created_at": "1994-11-06T08:49:37Z", "resource_id": "5",
            "resource_type": kind, "size_gigabytes": 2.34, "tags": tags,
        }));
        let live = LiveResource {
            address: Address::new(PROVIDER, "droplet", "web"),
            id: "5".into(),
            attributes: [].into(),
            outputs: [].into(),
            applied: None,
            created: None,
            home: None,
        };
        read_one(&ops(), &[live], seen.unwrap())
    }

    #[test]
    fn a_droplets_is_known_by_its_name_even_when_the_droplet_is_gone() {
        let old = Address::new(PROVIDER, "droplet", "old");
        let seen = show("droplet", &name(&ops(), &old, 1_784_111_777), &[]).unwrap();
        assert_eq!((seen.source, seen.ours, seen.taken), (old, true, Some(784_111_777)));
        let data = Address::new(PROVIDER, "volume", "my_data");
        assert_eq!(name(&ops(), &data, 5), "ipai-ops-volume-my-data-5");
    }

    #[test]
    fn one_that_somebody_took_of_ours_is_shown_as_theirs() {
        for name in [
            "before the upgrade",
            "ipai:ops:droplet:web",
            "ipai:ops:droplet:web:x",
            "ipai:ops-b:droplet:web:1",
        ] {
            let seen = show("droplet", name, &["ipai:ops:volume:data"]).unwrap();
            assert!(!seen.ours, "{name}");
            assert_eq!(seen.source.name, "web");
        }
    }

    #[test]
    fn a_volumes_is_known_by_its_tags_and_a_strangers_not_at_all() {
        let seen = show("volume", "x", &["ipai:ops:volume:data"]).unwrap();
        assert_eq!((seen.source.name.as_str(), seen.ours), ("data", true));
        assert_eq!(show("volume", "ipai:ops:volume:data:5", &[]), None);
        assert_eq!(show("image", "ipai:ops:droplet:web:5", &[]), None);
    }
}
