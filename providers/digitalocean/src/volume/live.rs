//! A volume as the API shows it, in canonical attributes and outputs.

use std::collections::BTreeMap;

use ipai_core::{
    Address, DesiredResource, Foreign, LiveResource, Outputs, Refusal, ResourceType, Value,
};

use super::{VolumeType, identity};
use crate::PROVIDER;
use crate::api::Volume;
use crate::marker::Marks;

/// The resource that a volume of ours is. A droplet of the stack is shown by address, another one by number.
pub(crate) fn live_resource(
    address: Address,
    volume: &Volume,
    marks: &Marks,
    desired: Option<&DesiredResource>,
    droplets: &BTreeMap<u64, Address>,
) -> LiveResource {
    let wanted = desired.and_then(|desired| desired.version(VolumeType.schema()));
    let mut attributes: ipai_core::Attributes = [
        ("name".to_owned(), Value::text(&*volume.name)),
        ("region".to_owned(), Value::text(&*volume.region.slug)),
        ("size_gb".to_owned(), Value::Int(size(volume))),
        ("droplet".to_owned(), Value::text(attached(&volume.droplet_ids, droplets))),
    ]
    .into();
    let born = [
        ("filesystem_type", &volume.filesystem_type),
        ("filesystem_label", &volume.filesystem_label),
    ];
    for (name, shown) in born {
        let shown = shown.as_ref().filter(|text| !text.is_empty());
        attributes.extend(shown.map(|text| (name.to_owned(), Value::text(&**text))));
    }
    LiveResource {
        address,
        id: volume.id.clone(),
        attributes,
        outputs: outputs(volume),
        applied: marks.applied(wanted.as_deref()),
        created: volume.created_at.clone(),
        home: None,
    }
}

/// What others may refer to.
pub(crate) fn outputs(volume: &Volume) -> Outputs {
    let device = format!("/dev/disk/by-id/scsi-0DO_Volume_{}", volume.name);
    [("id".to_owned(), Value::text(&*volume.id)), ("device".to_owned(), Value::text(device))].into()
}

fn size(volume: &Volume) -> i64 {
    i64::try_from(volume.size_gigabytes).unwrap_or(i64::MAX)
}

fn attached(ids: &[u64], droplets: &BTreeMap<u64, Address>) -> String {
    let shown = |id: &u64| droplets.get(id).map_or(format!("droplet:{id}"), ToString::to_string);
    ids.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// Refuses to make a volume smaller: nobody can, short of deleting it.
pub(crate) fn too_small(
    address: &Address,
    volume: &Volume,
    desired: Option<&DesiredResource>,
) -> Option<Refusal> {
    let wanted = desired?.attributes.get("size_gb").and_then(Value::as_int)?;
    let stays = |name: &str, live: &str| desired.and_then(|d| d.text(name)) == Some(live);
    let same = stays("region", &volume.region.slug) && stays("name", &volume.name);
    if wanted >= size(volume) || !same {
        return None;
    }
    let why =
        format!("a volume can only grow: it has {} GiB and the stack wants {wanted}", size(volume));
    let hint = format!(
        "set size_gb = {} again; for a smaller one declare a second volume, copy the data, and remove this one",
        size(volume)
    );
    Some(Refusal { address: address.clone(), harmed: foreign(volume), why, hint })
}

/// A volume as a thing that stands near.
pub(crate) fn foreign(volume: &Volume) -> Foreign {
    Foreign {
        provider: PROVIDER.to_owned(),
        kind: "volume".to_owned(),
        id: volume.id.clone(),
        title: format!("volume {} in {} (id {})", volume.name, volume.region.slug, volume.id),
        identity: Some(identity(&volume.name, &volume.region.slug)),
    }
}
