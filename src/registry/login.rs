//! What this user may show to registries: the logins that Docker keeps in its `config.json`. Helpers that keep them
//! elsewhere are not asked.

use std::collections::BTreeMap;

use ipai_core::Secret;
use ipai_core::image::ImageName;
use reqwest::header::HeaderValue;
use serde_json::Value as Json;

use crate::edges::Edges;

/// Logins by registry, each as it goes behind `Basic`.
#[derive(Default)]
pub(super) struct Logins(BTreeMap<String, Secret>);

impl Logins {
    /// Reads them; a file that is not there or says nothing holds none.
    pub(super) fn read(edges: &Edges) -> Self {
        let home = || edges.home().map(|home| home.join(".docker"));
        let folder = edges.variable("DOCKER_CONFIG").map(Into::into).or_else(home);
        let text = folder.and_then(|folder| std::fs::read(folder.join("config.json")).ok());
        Self::of_text(&text.unwrap_or_default())
    }

    fn of_text(text: &[u8]) -> Self {
        let root: Json = serde_json::from_slice(text).unwrap_or_default();
        let entries = root.get("auths").and_then(Json::as_object).into_iter().flatten();
        let login = |(name, entry): (&String, &Json)| {
            let login = entry.get("auth")?.as_str().filter(|login| !login.is_empty())?;
            Some((registry(name).to_owned(), Secret::new(login.to_owned())))
        };
        Self(entries.filter_map(login).collect())
    }

    /// The header for a registry.
    pub(super) fn of(&self, host: &str) -> Option<HeaderValue> {
        self.0.get(host).and_then(|login| secret_header(&format!("Basic {}", login.expose())))
    }
}

/// A header that is not written into any debug output; nothing where the text cannot be one.
pub(super) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The registry that Docker means by a name such as `https://index.docker.io/v1/`.
fn registry(name: &str) -> &str {
    let host = name.split_once("://").map_or(name, |(_, host)| host);
    match host.split('/').next().unwrap_or_default() {
        "index.docker.io" | "docker.io" => "registry-1.docker.io",
        host => host,
    }
}

/// How to be let in.
pub(super) fn how(image: &ImageName) -> String {
    let host = match image.host.as_str() {
        "registry-1.docker.io" => "docker.io",
        host => host,
    };
    format!(
        "log in: docker login {host}. ipai reads `auths` of ~/.docker/config.json alone and asks no credential helper (`credsStore`, `credHelpers`)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_every_name_that_docker_gives_a_registry() {
        let text = br#"{"auths": {"https://index.docker.io/v1/": {"auth": "aHVi"}, "ghcr.io": {"auth": "Z2g="}, "kept.example": {}, "odd.example": {"auth": "a\nb"}}, "credsStore": "desktop"}"#;
        let logins = Logins::of_text(text);
        let shown = |host: &str| logins.of(host).map(|header| header.to_str().unwrap().to_owned());
        assert_eq!(shown("registry-1.docker.io").as_deref(), Some("Basic aHVi"));
        assert_eq!(shown("ghcr.io").as_deref(), Some("Basic Z2g="));
        for host in ["kept.example", "odd.example", "other.example"] {
            assert_eq!(shown(host), None, "{host}");
        }
        assert!(logins.of("ghcr.io").unwrap().is_sensitive());
    }

    #[test]
    fn a_file_that_is_no_json_holds_no_login() {
        for text in ["", "{", "[]", "{\"auths\": 3}", "{\"auths\": {\"x\": 3}}"] {
            assert!(Logins::of_text(text.as_bytes()).0.is_empty(), "{text}");
        }
    }
}
