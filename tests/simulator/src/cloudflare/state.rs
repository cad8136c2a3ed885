//! What exists in the account.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::hex;

/// The account's zones, and the counters that ids come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    zones_made: u64,
    records_made: u64,
    pub(crate) zones: Vec<Zone>,
}

/// A zone and its records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) kind: String,
    pub(crate) created_on: String,
    pub(crate) records: Vec<Record>,
    /// Records that were deleted and still stand in the way of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lingering: Vec<Lingering>,
}

/// A DNS record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) draft: Draft,
    /// Set where the vendor made the record for a product of its own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) meta: Map<String, Value>,
    pub(crate) created_on: String,
    pub(crate) modified_on: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment_modified_on: Option<String>,
}

/// What a client says about a record, checked and in canonical form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) content: String,
    pub(crate) proxied: bool,
    pub(crate) ttl: u64,
    pub(crate) comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
    #[serde(default)]
    pub(crate) settings: Map<String, Value>,
}

/// A record that is gone and still stands in the way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Lingering {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Creates that it will still refuse.
    pub(crate) left: u32,
}

impl State {
    /// Draws a zone's id.
    pub(crate) fn next_zone(&mut self) -> String {
        self.zones_made += 1;
        hex(&format!("zone/{}", self.zones_made))
    }

    /// Draws a record's id.
    pub(crate) fn next_record(&mut self) -> String {
        self.records_made += 1;
        hex(&format!("record/{}", self.records_made))
    }
}

impl Draft {
    /// Says whether the record can be proxied at all.
    pub(crate) fn proxiable(&self) -> bool {
        match self.kind.as_str() {
            "CNAME" => true,
            "A" => self.content.parse().is_ok_and(super::check::is_public),
            "AAAA" => self.content != "::1",
            _ => false,
        }
    }
}
