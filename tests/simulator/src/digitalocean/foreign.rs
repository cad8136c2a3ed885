//! Droplets that somebody else makes or changes, without a request.

use serde_json::{Map, Value, json};

use super::state::{Droplet, Late, Status};
use super::{catalog, network, tags};
use crate::ids::uuid;
use crate::world::Cx;

impl Droplet {
    /// Makes somebody else's droplet, active and visible; `None` when no address is free.
    pub(crate) fn foreign(cx: &mut Cx<'_>, name: &str, tags: &[&str]) -> Option<u64> {
        let id = cx.world.digitalocean.next("droplet");
        let address = network::allocate(cx, id)?;
        let size = catalog::find_size("s-1vcpu-1gb")?;
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let droplet = Droplet {
            id,
            name: name.to_owned(),
            region: "fra1".to_owned(),
            size: size.slug.to_owned(),
            disk: size.disk,
            image: json!("debian-12-x64"),
            status: Status::Active,
            created_at: cx.now.to_seconds_text(),
            tags: tags::adopt(&mut cx.world.digitalocean, &tags),
            address,
            public: true,
            ipv6: false,
            backups: false,
            monitoring: false,
            vpc: uuid("vpc fra1", 1),
            user_data: None,
            keys: Vec::new(),
            event: None,
            late: Late::default(),
            leaving: None,
        };
        cx.world.digitalocean.droplets.insert(id, droplet);
        cx.changed = true;
        Some(id)
    }

    /// Changes fields in the world's own form.
    pub(crate) fn edit(
        cx: &mut Cx<'_>,
        id: u64,
        changes: Map<String, Value>,
    ) -> Result<(), String> {
        let state = &mut cx.world.digitalocean;
        let droplet = state.droplets.get_mut(&id).ok_or("there is no such droplet")?;
        let mut whole = serde_json::to_value(&*droplet).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            whole[name] = value;
        }
        *droplet = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        let wanted = droplet.tags.clone();
        tags::adopt(state, &wanted);
        cx.changed = true;
        Ok(())
    }
}
