//! Requests as values. Reading and changing are different types, so what only reads cannot change anything.

use std::fmt;

use serde_json::{Value as Json, json};

/// A request that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Get {
    /// The path, from `/v2` on.
    pub(crate) path: String,
    /// The query, not yet encoded.
    pub(crate) query: Vec<(&'static str, String)>,
    /// What is attempted, for errors: "list the firewalls".
    pub(crate) attempt: String,
    /// The scope that a custom token needs, as the vendor's specification names it.
    pub(crate) scope: &'static str,
}

/// A request that changes something.
#[derive(Clone, PartialEq)]
pub(crate) struct Change {
    /// How.
    pub(crate) method: Method,
    /// The path, from `/v2` on.
    pub(crate) path: String,
    /// The body.
    pub(crate) body: Option<Json>,
    /// What is attempted, for errors.
    pub(crate) attempt: String,
    /// The scope that a custom token needs.
    pub(crate) scope: &'static str,
}

/// How a request changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Makes something, or starts an action.
    Post,
    /// Sets the whole of something.
    Put,
    /// Removes something.
    Delete,
}

impl fmt::Debug for Change {
    // A droplet's body holds its user-data, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} (body not shown)", self.method, self.path)
    }
}

impl Get {
    pub(super) fn new(
        path: impl Into<String>,
        attempt: impl Into<String>,
        scope: &'static str,
    ) -> Self {
        Self { path: path.into(), query: Vec::new(), attempt: attempt.into(), scope }
    }

    pub(super) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.query.push((key, value.to_owned()));
        self
    }

    /// The account that the token belongs to.
    pub(crate) fn account() -> Self {
        Self::new("/v2/account", "look at the account", "account:read")
    }

    /// One droplet of all, for the sake of their number.
    pub(crate) fn any_droplet() -> Self {
        Self::new("/v2/droplets", "count the droplets", "droplet:read").with("per_page", "1")
    }

    /// Droplets that carry a tag.
    pub(crate) fn droplets_tagged(tag: &str) -> Self {
        let attempt = format!("list the droplets tagged `{tag}`");
        Self::new("/v2/droplets", attempt, "droplet:read").with("tag_name", tag)
    }

    /// Droplets with a name, whatever its case.
    pub(crate) fn droplets_named(name: &str) -> Self {
        let attempt = format!("look for a droplet named `{name}`");
        Self::new("/v2/droplets", attempt, "droplet:read").with("name", name)
    }

    /// One droplet.
    pub(crate) fn droplet(id: u64) -> Self {
        Self::new(format!("/v2/droplets/{id}"), format!("look at droplet {id}"), "droplet:read")
    }

    /// All firewalls; the API has no filter for them.
    pub(crate) fn firewalls() -> Self {
        Self::new("/v2/firewalls", "list the firewalls", "firewall:read")
    }

    /// One firewall.
    pub(crate) fn firewall(id: &str) -> Self {
        Self::new(format!("/v2/firewalls/{id}"), format!("look at firewall {id}"), "firewall:read")
    }

    /// One action.
    pub(crate) fn action(id: u64) -> Self {
        Self::new(format!("/v2/actions/{id}"), format!("look at action {id}"), "actions:read")
    }

    /// All tags, those too that nothing carries.
    pub(crate) fn tags() -> Self {
        Self::new("/v2/tags", "list the tags", "tag:read")
    }

    /// One tag, with the number of objects that carry it.
    pub(crate) fn tag(name: &str) -> Self {
        Self::new(format!("/v2/tags/{name}"), format!("look at the tag `{name}`"), "tag:read")
    }
}

impl Change {
    pub(super) fn post(path: String, body: Json, attempt: String, scope: &'static str) -> Self {
        Self { method: Method::Post, path, body: Some(body), attempt, scope }
    }

    pub(super) fn delete(
        path: String,
        body: Option<Json>,
        attempt: String,
        scope: &'static str,
    ) -> Self {
        Self { method: Method::Delete, path, body, attempt, scope }
    }

    /// Makes a droplet.
    pub(crate) fn create_droplet(name: &str, body: Json) -> Self {
        let attempt = format!("create the droplet `{name}`");
        Self::post("/v2/droplets".into(), body, attempt, "droplet:create")
    }

    /// Destroys a droplet.
    pub(crate) fn delete_droplet(id: u64) -> Self {
        let path = format!("/v2/droplets/{id}");
        Self::delete(path, None, format!("delete droplet {id}"), "droplet:delete")
    }

    /// Starts an action on a droplet, such as `{"type": "power_off"}`.
    pub(crate) fn droplet_action(id: u64, body: Json) -> Self {
        let kind = body["type"].as_str().unwrap_or_default().replace('_', " ");
        let attempt = format!("{kind} droplet {id}");
        Self::post(format!("/v2/droplets/{id}/actions"), body, attempt, "droplet:update")
    }

    /// Makes a tag; nothing changes when it exists.
    pub(crate) fn create_tag(name: &str) -> Self {
        let attempt = format!("create the tag `{name}`");
        Self::post("/v2/tags".into(), json!({ "name": name }), attempt, "tag:create")
    }

    /// Puts an existing tag on an object.
    pub(crate) fn tag(tag: &str, on: &Tagged) -> Self {
        let path = format!("/v2/tags/{tag}/resources");
        Self::post(path, on.body(), format!("tag {on} with `{tag}`"), "tag:create")
    }

    /// Takes a tag off an object.
    pub(crate) fn untag(tag: &str, on: &Tagged) -> Self {
        let path = format!("/v2/tags/{tag}/resources");
        let attempt = format!("take the tag `{tag}` off {on}");
        Self::delete(path, Some(on.body()), attempt, "tag:delete")
    }

    /// Deletes a tag, which takes it off everything.
    pub(crate) fn delete_tag(tag: &str) -> Self {
        let attempt = format!("delete the tag `{tag}`");
        Self::delete(format!("/v2/tags/{tag}"), None, attempt, "tag:delete")
    }

    /// Makes a firewall.
    pub(crate) fn create_firewall(name: &str, body: Json) -> Self {
        let attempt = format!("create the firewall `{name}`");
        Self::post("/v2/firewalls".into(), body, attempt, "firewall:create")
    }

    /// Sets the whole of a firewall.
    pub(crate) fn put_firewall(id: &str, body: Json) -> Self {
        let (path, attempt) = (format!("/v2/firewalls/{id}"), format!("update firewall {id}"));
        Self { method: Method::Put, path, body: Some(body), attempt, scope: "firewall:update" }
    }

    /// Puts a droplet behind a firewall.
    pub(crate) fn guard_droplet(firewall: &str, id: u64) -> Self {
        let path = format!("/v2/firewalls/{firewall}/droplets");
        let attempt = format!("put droplet {id} behind firewall {firewall}");
        Self::post(path, json!({ "droplet_ids": [id] }), attempt, "firewall:update")
    }

    /// Removes a firewall.
    pub(crate) fn delete_firewall(id: &str) -> Self {
        let path = format!("/v2/firewalls/{id}");
        Self::delete(path, None, format!("delete firewall {id}"), "firewall:delete")
    }
}

/// An object that carries tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    /// The API's word: `droplet`, `volume`.
    kind: &'static str,
    id: String,
}

impl Tagged {
    /// A droplet.
    pub(crate) fn droplet(id: u64) -> Self {
        // The API wants the id as text here, because other objects have UUIDs.
        Self { kind: "droplet", id: id.to_string() }
    }

    /// A volume.
    pub(crate) fn volume(id: &str) -> Self {
        Self { kind: "volume", id: id.to_owned() }
    }

    fn body(&self) -> Json {
        json!({ "resources": [{ "resource_id": self.id, "resource_type": self.kind }] })
    }
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}
