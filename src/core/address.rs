//! Names of things: the stack, and the resources in it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of a stack or resource; markers at the providers have little room.
pub const MAX_NAME: usize = 40;

/// `provider.type.name`, such as `cloudflare.dns_record.chat`; a secret is `secret.name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The provider, such as `digitalocean`; `secret` for a secret.
    pub provider: String,
    /// The resource type within the provider; empty for a secret.
    pub kind: String,
    /// The name that the stack gave.
    pub name: String,
}

impl Address {
    /// Builds an address from its three parts.
    #[must_use]
    pub fn new(provider: &str, kind: &str, name: &str) -> Self {
        Self { provider: provider.into(), kind: kind.into(), name: name.into() }
    }

    /// The address of the secret `name`.
    #[must_use]
    pub fn secret(name: &str) -> Self {
        Self::new("secret", "", name)
    }

    /// Tells whether this names a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.provider == "secret"
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_empty() {
            return write!(f, "{}.{}", self.provider, self.name);
        }
        write!(f, "{}.{}.{}", self.provider, self.kind, self.name)
    }
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAddress(pub String);

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an address: write `provider.type.name`", self.0)
    }
}

impl std::error::Error for NotAnAddress {}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let parts: Vec<&str> = text.split('.').collect();
        let address = match parts[..] {
            ["secret", name] => Self::secret(name),
            [provider, kind, name] => Self::new(provider, kind, name),
            _ => return Err(NotAnAddress(text.into())),
        };
        let named = parts.iter().all(|part| is_name(part));
        if named { Ok(address) } else { Err(NotAnAddress(text.into())) }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Tells whether `text` is `[a-z0-9][a-z0-9_-]*` and at most [`MAX_NAME`] long.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    starts && text.len() <= MAX_NAME && text.chars().all(legal)
}

/// A stack in one environment: `ops`, or `ops--staging`. Every marker carries it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(String);

impl StackId {
    /// Joins the stack's name and the environment's, if one was chosen.
    #[must_use]
    pub fn new(name: &str, environment: Option<&str>) -> Self {
        Self(environment.map_or_else(|| name.to_owned(), |env| format!("{name}--{env}")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource's output that another resource uses: `digitalocean.droplet.ops.ipv4`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The resource that produces the value.
    pub address: Address,
    /// The output's name; empty when the value is a secret.
    pub output: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.output.is_empty() {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}.{}", self.address, self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_printing_and_reading() {
        for text in ["cloudflare.dns_record.chat", "secret.postgres_password"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in ["", "a", "a.b", "a.b.c.d", "A.b.c", "a.b.", "a.b.c d", "a.b.-c"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn environments_have_ids_of_their_own() {
        assert_ne!(StackId::new("ops", None), StackId::new("ops", Some("staging")));
    }
}
