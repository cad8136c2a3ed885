//! Attribute values in canonical form: what the stack wants and what a provider reports, made comparable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::address::Reference;
use crate::hash;
use crate::secret::{DigestKey, Secret};

/// The attributes of one resource by name.
pub type Attributes = BTreeMap<String, Value>;

/// One attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// An ordered list.
    List(Vec<Value>),
    /// Named values.
    Map(BTreeMap<String, Value>),
    /// A whole file, compared by its hash.
    Content(Content),
    /// A text with a secret in it.
    Secret(SecretText),
    /// What an earlier action of the same plan will produce. Secrets that the text will hold as well stand among the
    /// references, whether they are known or not.
    Unknown(BTreeSet<Reference>),
}

/// A file's content. Equality is equality of bytes, known by their SHA-256.
#[derive(Clone, Debug)]
pub struct Content {
    /// SHA-256 of the bytes, lower-case hex. Stays inside the process when the content is sensitive.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
    /// The text, where it was read or rendered.
    pub text: Option<Arc<Secret>>,
    /// Stands for the content outside the process when it holds a secret.
    pub keyed: Option<String>,
}

impl Content {
    /// Content that may be shown.
    #[must_use]
    pub fn plain(text: String) -> Self {
        let (sha256, size) = (hash::sha256_hex(text.as_bytes()), text.len() as u64);
        Self { sha256, size, text: Some(Arc::new(Secret::new(text))), keyed: None }
    }

    /// Content with a secret in it; it leaves the process as a keyed digest only.
    #[must_use]
    pub fn sensitive(text: String, key: &DigestKey) -> Self {
        let plain = Self::plain(text);
        Self { keyed: Some(key.digest(plain.sha256.as_bytes())), ..plain }
    }

    /// Tells whether the content must not be shown.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.keyed.is_some()
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

/// A short text with a secret in it, such as a TXT record's token.
#[derive(Clone, Debug)]
pub struct SecretText {
    /// The text.
    pub text: Secret,
    /// Stands for the text outside the process.
    pub keyed: String,
}

impl SecretText {
    /// Wraps a text that contains a secret.
    #[must_use]
    pub fn new(text: String, key: &DigestKey) -> Self {
        Self { keyed: key.digest(text.as_bytes()), text: Secret::new(text) }
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Value {
    /// Wraps a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    #[must_use]
    pub fn texts<I: IntoIterator<Item = S>, S: Into<String>>(items: I) -> Self {
        Self::List(items.into_iter().map(|item| Self::Text(item.into())).collect())
    }

    /// The text, when this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, when this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    /// The truth, when this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The items, when this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The named values, when this is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The content, when this is one.
    #[must_use]
    pub fn as_content(&self) -> Option<&Content> {
        if let Self::Content(content) = self { Some(content) } else { None }
    }

    /// The texts of a list of texts; other items are left out.
    #[must_use]
    pub fn text_items(&self) -> Vec<&str> {
        self.as_list().unwrap_or_default().iter().filter_map(Self::as_text).collect()
    }

    /// Adds to `into` what this value still waits for.
    pub fn collect_unknown(&self, into: &mut BTreeSet<Reference>) {
        match self {
            Self::Unknown(references) => into.extend(references.iter().cloned()),
            Self::List(items) => items.iter().for_each(|item| item.collect_unknown(into)),
            Self::Map(map) => map.values().for_each(|item| item.collect_unknown(into)),
            _ => {}
        }
    }

    /// Tells whether anything in it will be known only after apply.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        let mut waits = BTreeSet::new();
        self.collect_unknown(&mut waits);
        !waits.is_empty()
    }

    /// Tells whether anything in it must not be shown.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Content(content) => content.is_sensitive(),
            Self::List(items) => items.iter().any(Self::is_sensitive),
            Self::Map(map) => map.values().any(Self::is_sensitive),
            Self::Unknown(references) => references.iter().any(|r| r.address.is_secret()),
            _ => false,
        }
    }

    /// Tells whether a live value is as this one wants it. A secret that the provider took for a plain text is still
    /// the same text.
    #[must_use]
    pub fn agrees_with(&self, live: &Self) -> bool {
        match (self, live) {
            (Self::Secret(wanted), Self::Text(live)) => wanted.text.expose() == live,
            (Self::List(wanted), Self::List(live)) => {
                wanted.len() == live.len()
                    && wanted.iter().zip(live).all(|(wanted, live)| wanted.agrees_with(live))
            }
            (Self::Map(wanted), Self::Map(live)) => {
                let agree = |key| Some(wanted.get(key)?.agrees_with(live.get(key)?));
                wanted.len() == live.len() && wanted.keys().all(|key| agree(key) == Some(true))
            }
            _ => self == live,
        }
    }

    /// The form that may leave the process: secrets as keyed digests, contents as hashes.
    #[must_use]
    pub fn to_public_json(&self) -> Json {
        match self {
            Self::Bool(truth) => json!(truth),
            Self::Int(int) => json!(int),
            Self::Text(text) => json!(text),
            Self::List(items) => Json::Array(items.iter().map(Self::to_public_json).collect()),
            Self::Map(map) => {
                Json::Object(map.iter().map(|(k, v)| (k.clone(), v.to_public_json())).collect())
            }
            Self::Content(content) => match &content.keyed {
                Some(keyed) => json!({ "sensitive": keyed }),
                None => json!({ "sha256": content.sha256, "size": content.size }),
            },
            Self::Secret(secret) => json!({ "sensitive": secret.keyed }),
            Self::Unknown(_) => Json::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_content_leaves_the_process_as_a_keyed_digest_only() {
        let content = Content::sensitive("PASSWORD=x".into(), &DigestKey::new(vec![7; 32]));
        let sha256 = content.sha256.clone();
        let shown = Value::Content(content).to_public_json().to_string();
        assert!(shown.contains("sensitive") && !shown.contains(&sha256) && !shown.contains('x'));
    }

    #[test]
    fn an_unknown_deep_inside_is_found() {
        let reference = Reference { address: "a.b.c".parse().unwrap(), output: "d".into() };
        let unknown = Value::Unknown([reference].into());
        let map = Value::Map([("k".to_owned(), Value::List(vec![Value::Int(1), unknown]))].into());
        assert!(map.is_unknown());
    }
}
