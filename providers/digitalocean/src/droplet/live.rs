//! A droplet as the API shows it, in canonical attributes and outputs.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipai_core::value::Attributes;
use ipai_core::{Address, DesiredResource, LiveResource, Outputs, ResourceType, Value};

use crate::api::{Droplet, Network, Status, epoch_of_rfc3339};
use crate::droplet::{BIRTH, HOST_KEY, OWN};
use crate::marker::Marks;

/// So long after its creation a droplet may still be booting for the first time.
const YOUTH_SECONDS: i64 = 15 * 60;

/// What is known beside the droplet itself.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The server's clock, seconds since 1970.
    pub(crate) now: i64,
    /// The account's reserved addresses, as far as they were asked for.
    pub(crate) reserved: &'a BTreeSet<IpAddr>,
    /// What the stack wants at the droplet's address.
    pub(crate) desired: Option<&'a DesiredResource>,
}

/// Tells whether the droplet was created a short while ago by the server's clock.
pub(crate) fn is_young(droplet: &Droplet, now: i64) -> bool {
    epoch_of_rfc3339(&droplet.created_at).is_some_and(|born| now - born < YOUTH_SECONDS)
}

/// So long after its creation a droplet's tags may still be on their way. A stranger's droplet of the same name and
/// without tags is taken for ours no longer than this.
const TAGLESS_SECONDS: i64 = 3 * 60;

/// Tells whether the droplet is so new that it may be ours although it carries no tag yet.
pub(crate) fn may_be_unborn(droplet: &Droplet, now: i64) -> bool {
    let born = epoch_of_rfc3339(&droplet.created_at);
    droplet.tags.is_empty() && born.is_some_and(|born| now - born < TAGLESS_SECONDS)
}

/// What a droplet is called in place of `on` while it is being made: a run that was killed meanwhile left it so, and
/// the next one has to wait for what others refer to.
pub(crate) const UNFINISHED: &str = "new";

/// Tells whether a new droplet lacks what it gets after its creation: its start, an address, its tags.
fn is_unfinished(droplet: &Droplet, now: i64) -> bool {
    let lacks = droplet.status == Status::New
        || droplet.public_v4().next().is_none()
        || droplet.tags.is_empty();
    lacks && is_young(droplet, now)
}

/// The resource that a droplet of ours is.
pub(crate) fn live_resource(
    address: &Address,
    droplet: &Droplet,
    marks: &Marks,
    around: Surroundings<'_>,
) -> LiveResource {
    let wanted = around.desired.and_then(|d| d.version(super::DropletType.schema()));
    let inhabited = around.desired.and_then(|desired| desired.text(HOST_KEY)) == Some(OWN);
    let unfinished =
        inhabited && !marks.birth_keys.is_empty() || is_unfinished(droplet, around.now);
    let applied = match unfinished {
        true => Some(ipai_core::live::UNFINISHED.to_owned()),
        false => marks.applied(wanted.as_deref()),
    };
    LiveResource {
        address: address.clone(),
        id: droplet.id.to_string(),
        attributes: attributes(droplet, marks, around),
        outputs: outputs(droplet, marks, around),
        applied,
        created: Some(droplet.created_at.clone()),
        home: None,
    }
}

fn attributes(droplet: &Droplet, marks: &Marks, around: Surroundings<'_>) -> Attributes {
    let feature = |name: &str| Value::Bool(droplet.features.iter().any(|f| f == name));
    let power = match droplet.status {
        Status::Off => "off",
        _ if is_unfinished(droplet, around.now) => UNFINISHED,
        _ => "on",
    };
    let mut attributes: Attributes = [
        ("name".to_owned(), Value::text(&*droplet.name)),
        ("region".to_owned(), Value::text(&*droplet.region.slug)),
        ("size".to_owned(), Value::text(&*droplet.size_slug)),
        ("power".to_owned(), Value::text(power)),
        (HOST_KEY.to_owned(), Value::text(if marks.birth_keys.is_empty() { OWN } else { BIRTH })),
        ("tags".to_owned(), Value::texts(&marks.user)),
        ("monitoring".to_owned(), feature("monitoring")),
        ("ipv6".to_owned(), feature("ipv6")),
        ("backups".to_owned(), feature("backups")),
    ]
    .into();
    if let Some(image) = image(droplet, around.desired) {
        attributes.insert("image".to_owned(), Value::Text(image));
    }
    if let Some(network) = &droplet.vpc_uuid {
        attributes.insert("vpc_uuid".to_owned(), Value::text(&**network));
    }
    attributes
}

/// An image has a number always and a slug sometimes; it is shown in the form that the stack uses.
fn image(droplet: &Droplet, desired: Option<&DesiredResource>) -> Option<String> {
    let image = droplet.image.as_ref()?;
    let number = image.id.to_string();
    let by_number = desired.and_then(|d| d.text("image")) == Some(&number);
    Some(image.slug.clone().filter(|slug| !by_number && !slug.is_empty()).unwrap_or(number))
}

/// What others may refer to. An address that is not there yet is left out.
pub(crate) fn outputs(droplet: &Droplet, marks: &Marks, around: Surroundings<'_>) -> Outputs {
    let mut outputs: Outputs = [
        ("id".to_owned(), Value::text(droplet.id.to_string())),
        ("host_keys".to_owned(), Value::texts(&marks.host_keys)),
        ("birth_host_keys".to_owned(), Value::texts(&marks.birth_keys)),
        ("created_at".to_owned(), Value::text(&*droplet.created_at)),
        ("young".to_owned(), Value::Bool(is_young(droplet, around.now))),
        ("status".to_owned(), Value::text(droplet.status.word())),
    ]
    .into();
    let private = droplet.networks.v4.iter().find(|n| n.kind == "private").map(|n| n.ip_address);
    let v6 = droplet.networks.v6.iter().find(|n| n.kind == "public").map(|n| n.ip_address);
    let addresses =
        [("ipv4", public_v4(droplet, around.reserved)), ("private_ipv4", private), ("ipv6", v6)];
    for (name, address) in addresses {
        outputs.extend(address.map(|ip| (name.to_owned(), Value::text(ip.to_string()))));
    }
    outputs
}

/// The droplet's own public address: a reserved one is listed beside it and can move to another droplet.
fn public_v4(droplet: &Droplet, reserved: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let own = droplet.public_v4().find(|ip| !reserved.contains(ip));
    own.or_else(|| droplet.public_v4().next())
}

impl Droplet {
    /// All public IPv4 addresses, reserved ones too.
    pub(crate) fn public_v4(&self) -> impl Iterator<Item = IpAddr> {
        let public = |network: &&Network| network.kind == "public";
        self.networks.v4.iter().filter(public).map(|network| network.ip_address)
    }
}
