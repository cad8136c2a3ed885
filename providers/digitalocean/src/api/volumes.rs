//! Volumes: what the API shows of them, and the requests about them.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::objects::{Region, or_empty, plain_id};
use super::pages::Listed;
use super::requests::{Change, Get};

/// A volume.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Volume {
    #[serde(deserialize_with = "plain_id")]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) region: Region,
    /// Whole GiB.
    pub(crate) size_gigabytes: u64,
    pub(crate) created_at: Option<String>,
    /// The one droplet that it is attached to. One that was deleted may stand here for some reads more.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) droplet_ids: Vec<u64>,
    /// Later reads may show it empty.
    #[serde(default)]
    pub(crate) filesystem_type: Option<String>,
    #[serde(default)]
    pub(crate) filesystem_label: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tags: Vec<String>,
}

impl Listed for Volume {
    const KEY: &'static str = "volumes";
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Get {
    /// All volumes; the API has no filter by tag for them.
    pub(crate) fn volumes() -> Self {
        Self::new("/v2/volumes", "list the volumes", "block_storage:read")
    }

    /// The volume of a name, which is unique in its region.
    pub(crate) fn volumes_named(name: &str, region: &str) -> Self {
        let attempt = format!("look for a volume named `{name}` in {region}");
        Self::new("/v2/volumes", attempt, "block_storage:read")
            .with("name", name)
            .with("region", region)
    }

    /// One volume.
    pub(crate) fn volume(id: &str) -> Self {
        Self::new(format!("/v2/volumes/{id}"), format!("look at volume {id}"), "block_storage:read")
    }
}

impl Change {
    /// Makes a volume.
    pub(crate) fn create_volume(name: &str, body: Json) -> Self {
        let attempt = format!("create the volume `{name}`");
        Self::post("/v2/volumes".into(), body, attempt, "block_storage:create")
    }

    /// Starts an action on a volume, such as `{"type": "attach"}`.
    pub(crate) fn volume_action(id: &str, body: Json) -> Self {
        let attempt = format!("{} volume {id}", body["type"].as_str().unwrap_or_default());
        let path = format!("/v2/volumes/{id}/actions");
        Self::post(path, body, attempt, "block_storage_action:create")
    }

    /// Deletes a volume with everything on it.
    pub(crate) fn delete_volume(id: &str) -> Self {
        let path = format!("/v2/volumes/{id}");
        Self::delete(path, None, format!("delete volume {id}"), "block_storage:delete")
    }

    /// Takes a snapshot of a volume.
    pub(crate) fn snapshot_volume(id: &str, name: &str, tags: &[String]) -> Self {
        let path = format!("/v2/volumes/{id}/snapshots");
        let body = json!({ "name": name, "tags": tags });
        let attempt = format!("take a snapshot of volume {id}");
        Self::post(path, body, attempt, "block_storage_snapshot:create")
    }
}
