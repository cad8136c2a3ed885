//! What the API answers, as far as ipai needs it. Unknown fields are left out; missing ones and wrong types are errors.

use std::net::IpAddr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use super::pages::Listed;
use super::reserved_ips::ReservedIp;
use super::snapshots::Snapshot;
use super::volumes::Volume;

/// A droplet.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Droplet {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) status: Status,
    /// An event holds it.
    #[serde(default)]
    pub(crate) locked: bool,
    pub(crate) created_at: String,
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) features: Vec<String>,
    pub(crate) region: Region,
    pub(crate) size_slug: String,
    /// Absent for a token without the scope image:read.
    pub(crate) image: Option<Image>,
    pub(crate) networks: Networks,
    #[serde(default)]
    pub(crate) vpc_uuid: Option<String>,
}

/// What a droplet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    New,
    Active,
    Off,
    Archive,
}

impl Status {
    /// The API's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Off => "off",
            Self::Archive => "archive",
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Region {
    pub(crate) slug: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Image {
    pub(crate) id: u64,
    pub(crate) slug: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Networks {
    #[serde(default)]
    pub(crate) v4: Vec<Network>,
    #[serde(default)]
    pub(crate) v6: Vec<Network>,
}

/// One address of a droplet; the order in which they are listed means nothing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Network {
    pub(crate) ip_address: IpAddr,
    /// `public` or `private`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// The answer to a create: the droplet, and the action that makes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Created {
    pub(crate) droplet: Droplet,
    #[serde(default)]
    links: Links,
}

#[derive(Debug, Default, Deserialize)]
struct Links {
    #[serde(default)]
    actions: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    id: u64,
}

impl Created {
    /// The action that makes the droplet, when the answer named it.
    pub(crate) fn action(&self) -> Option<u64> {
        self.links.actions.first().map(|link| link.id)
    }
}

/// An action on a droplet.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Action {
    pub(crate) id: u64,
    pub(crate) status: ActionStatus,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ActionStatus {
    InProgress,
    Completed,
    Errored,
}

/// A tag and how many objects carry it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) resources: Tagged,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tagged {
    pub(crate) count: u64,
}

/// A firewall.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Firewall {
    #[serde(deserialize_with = "plain_id")]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: Option<String>,
    /// `waiting`, `succeeded` or `failed`.
    #[serde(default)]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) inbound_rules: Vec<Rule>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) outbound_rules: Vec<Rule>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) droplet_ids: Vec<u64>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tags: Vec<String>,
}

/// One rule of a firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) protocol: String,
    /// One port, a range, or `0` for all.
    #[serde(default)]
    pub(crate) ports: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sources: Option<Targets>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destinations: Option<Targets>,
}

/// The other end of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Targets {
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) addresses: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) droplet_ids: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) load_balancer_uids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) kubernetes_ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) tags: Vec<String>,
}

/// The API sends `null` where a list is empty.
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// An id that goes into a path must not lead elsewhere.
pub(super) fn plain_id<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let id = String::deserialize(from)?;
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain { Ok(id) } else { Err(D::Error::custom("an id with strange characters")) }
}

/// An answer that holds one object under the object's own name.
pub(crate) struct One<T>(pub(crate) T);

/// Objects that come alone in an answer.
pub(crate) trait Named {
    /// The key under which the object stands.
    const KEY: &'static str;
}

impl<'de, T: Named + DeserializeOwned> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut body = Json::deserialize(from)?;
        let Some(inner) = body.get_mut(T::KEY).map(Json::take) else {
            return Err(D::Error::custom(format!("missing field `{}`", T::KEY)));
        };
        serde_json::from_value(inner).map(Self).map_err(D::Error::custom)
    }
}

macro_rules! named {
    ($($kind:ty => $key:literal),* $(,)?) => {
        $(impl Named for $kind { const KEY: &'static str = $key; })*
    };
}

named! {
    Droplet => "droplet",
    Action => "action",
    Tag => "tag",
    Firewall => "firewall",
    Volume => "volume",
    ReservedIp => "reserved_ip",
    Snapshot => "snapshot",
}

impl Listed for Droplet {
    const KEY: &'static str = "droplets";
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl Listed for Firewall {
    const KEY: &'static str = "firewalls";
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Listed for Tag {
    const KEY: &'static str = "tags";
    fn key(&self) -> String {
        self.name.clone()
    }
}
