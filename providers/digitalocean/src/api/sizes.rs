//! The sizes that droplets may have, as the API lists them.

use serde::Deserialize;

use super::objects::or_empty;
use super::pages::Listed;
use super::requests::Get;

/// A size.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Size {
    pub(crate) slug: String,
    /// Where it can be had.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) regions: Vec<String>,
    /// Whether new droplets may have it.
    #[serde(default = "yes")]
    pub(crate) available: bool,
}

const fn yes() -> bool {
    true
}

impl Listed for Size {
    const KEY: &'static str = "sizes";
    fn key(&self) -> String {
        self.slug.clone()
    }
}

impl Get {
    /// All sizes of droplets.
    pub(crate) fn sizes() -> Self {
        Self::new("/v2/sizes", "list the sizes of droplets", "sizes:read")
    }
}
