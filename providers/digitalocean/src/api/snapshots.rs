//! Snapshots of droplets and volumes: what the API shows of them, and the requests about them.

use serde::Deserialize;

use super::objects::{or_empty, plain_id};
use super::pages::Listed;
use super::requests::{Change, Get};

/// A snapshot.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    /// A number for a droplet's, a UUID for a volume's; text for both.
    #[serde(deserialize_with = "plain_id")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) created_at: Option<String>,
    /// The droplet or volume that it was taken of, which need not exist any more.
    pub(crate) resource_id: String,
    /// `droplet` or `volume`.
    pub(crate) resource_type: String,
    /// The space that is paid for.
    pub(crate) size_gigabytes: f64,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tags: Vec<String>,
}

impl Listed for Snapshot {
    const KEY: &'static str = "snapshots";
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Get {
    /// All snapshots of droplets and volumes.
    pub(crate) fn snapshots() -> Self {
        Self::new("/v2/snapshots", "list the snapshots", "snapshot:read")
    }

    /// One snapshot.
    pub(crate) fn snapshot(id: &str) -> Self {
        Self::new(format!("/v2/snapshots/{id}"), format!("look at snapshot {id}"), "snapshot:read")
    }
}

impl Change {
    /// Deletes a snapshot.
    pub(crate) fn delete_snapshot(id: &str) -> Self {
        let path = format!("/v2/snapshots/{id}");
        Self::delete(path, None, format!("delete snapshot {id}"), "snapshot:delete")
    }
}
