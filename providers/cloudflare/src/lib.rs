//! Cloudflare DNS records for ipai.
//!
//! The data's way: `dns_record` says what a record is and puts it into canonical form; `observe` lists zones and
//! turns what the API shows into the same form; `execute` turns planned actions into batch calls. Below them,
//! `api` holds the calls as values of the `cloudflare` crate's endpoint trait, and `connection` sends them.
//!
//! The crate's own client is not used: it reads error codes into 16 bits, so that no DNS code survives, and hides the
//! response's headers. Its credentials, environment and endpoint trait run on our reqwest instead.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod api;
mod connection;
mod dns_record;
mod elsewhere;
mod execute;
mod failure;
mod import;
mod join;
mod lock;
mod marker;
mod name;
mod observe;
mod pace;
mod patience;
mod probe;
mod reader;
mod settings;
mod txt;
mod wire;
mod zones;

use ipai_core::ResourceType;

pub use connection::Connection;
pub use dns_record::DnsRecord;
pub use execute::CloudflareExecutor;
pub use import::{ZoneRecord, zone_records};
pub use lock::CloudflareLock;
pub use observe::{CloudflareObserver, Reading, read_recorded};
pub use probe::CloudflareProbe;
pub use settings::{DEFAULT_BASE_URL, Limits, Settings};

/// The provider's name, the first part of its addresses.
pub const PROVIDER: &str = "cloudflare";

/// The resource types of this provider, in the order in which their objects are created.
#[must_use]
pub fn types() -> Vec<Box<dyn ResourceType>> {
    vec![Box::new(DnsRecord)]
}
