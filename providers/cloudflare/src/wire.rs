//! What the API's answers look like, read tolerantly: fields of no interest are ignored, and one odd record of
//! somebody else does not spoil the list.

use cloudflare::framework::response::ApiResult;
use serde::Deserialize;
use serde_json::Value as Json;

/// The frame around every answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<T> {
    /// Whether the call was carried out.
    pub(crate) success: bool,
    /// What was wrong; absent, null or empty when nothing was.
    #[serde(default)]
    pub(crate) errors: Option<Vec<Issue>>,
    /// The answer itself; null on failure.
    pub(crate) result: Option<T>,
    /// Where in a long list this page stands.
    #[serde(default)]
    pub(crate) result_info: Option<PageInfo>,
}

/// One error. Codes reach 81,058, so 16 bits are too few; zero occurs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Issue {
    /// What programs match on.
    pub(crate) code: u32,
    /// What people read.
    #[serde(default)]
    pub(crate) message: String,
    /// The reasons behind a general code such as 1004.
    #[serde(default)]
    pub(crate) error_chain: Option<Vec<Issue>>,
}

/// Where in a long list a page stands.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct PageInfo {
    /// All objects that match.
    #[serde(default)]
    pub(crate) total_count: Option<u64>,
}

/// A zone, as far as ipai cares.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Zone {
    /// Cloudflare's id.
    pub(crate) id: String,
    /// The domain.
    pub(crate) name: String,
    /// `active` when Cloudflare serves it.
    pub(crate) status: String,
    /// `full` when Cloudflare is its name server.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What the token may do in it, such as `#dns_records:edit`. Deprecated in the vendor's documents, and still sent.
    #[serde(default)]
    pub(crate) permissions: Option<Vec<String>>,
}

/// A record. What only our own records must have is kept as it came and read when needed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    /// Cloudflare's id.
    pub(crate) id: String,
    /// The complete name.
    pub(crate) name: String,
    /// `A`, `CNAME`, or a type that ipai does not know.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The content as text; made from `data` for types that have it.
    #[serde(default)]
    pub(crate) content: Option<String>,
    /// The parts of an SRV or CAA record.
    #[serde(default)]
    pub(crate) data: Json,
    /// An MX record's priority.
    #[serde(default)]
    pub(crate) priority: Json,
    /// Seconds; 1 is automatic.
    #[serde(default)]
    pub(crate) ttl: Json,
    /// Whether Cloudflare stands in between.
    #[serde(default)]
    pub(crate) proxied: Json,
    /// Where the marker stands.
    #[serde(default)]
    pub(crate) comment: Option<String>,
    /// What Cloudflare says about the record itself.
    #[serde(default)]
    pub(crate) meta: Json,
    /// When it was created.
    #[serde(default)]
    pub(crate) created_on: Option<String>,
    /// When it was changed last.
    #[serde(default)]
    pub(crate) modified_on: Option<String>,
    /// When its comment was changed last.
    #[serde(default)]
    pub(crate) comment_modified_on: Option<String>,
}

/// What is left of a deleted record.
#[derive(Debug, Deserialize)]
pub(crate) struct Deleted {}

/// The answer to a batch: whole records, in the order of the request.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BatchAnswer {
    /// Changed in place.
    #[serde(default)]
    pub(crate) patches: Option<Vec<Record>>,
    /// Created.
    #[serde(default)]
    pub(crate) posts: Option<Vec<Record>>,
}

/// A list of zones.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ZoneList(pub(crate) Vec<Zone>);

/// A page of records.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct RecordList(pub(crate) Vec<Record>);

impl ApiResult for ZoneList {}
impl ApiResult for RecordList {}
impl ApiResult for Record {}
impl ApiResult for Deleted {}
impl ApiResult for BatchAnswer {}

impl Zone {
    /// Tells whether Cloudflare serves it: records that are written elsewhere are seen by nobody.
    pub(crate) fn is_served(&self) -> bool {
        self.status == "active" && self.kind == "full"
    }
}

impl Record {
    /// Tells whether Cloudflare keeps this record itself and lets nobody change it.
    pub(crate) fn is_cloudflares(&self) -> bool {
        let marked = |key: &str| self.meta.get(key).and_then(Json::as_bool) == Some(true);
        ["read_only", "email_routing", "managed_by_apps", "managed_by_argo_tunnel"]
            .into_iter()
            .any(marked)
    }
}

/// Tells whether an id from an answer may be put into a path.
pub(crate) fn is_id(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.len() <= 64 && text.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_records_of_unknown_types_and_odd_fields() {
        let text = r#"[
            {"id":"1","name":"a.example","type":"HTTPS","data":{"priority":1},"ttl":"x","extra":[1]},
            {"id":"2","name":"a.example","type":"CAA","content":null,"comment":null,"meta":{"read_only":true}}
        ]"#;
        let RecordList(records) = serde_json::from_str(text).unwrap();
        assert_eq!(records.len(), 2);
        assert!(!records[0].is_cloudflares() && records[1].is_cloudflares());
    }

    #[test]
    fn codes_above_sixteen_bits_are_read_with_their_chain() {
        let text = r#"{"success":false,"errors":[{"code":81058,"message":"An identical record already exists.",
            "error_chain":[{"code":9005,"message":"m"}]}],"messages":[],"result":null}"#;
        let envelope: Envelope<RecordList> = serde_json::from_str(text).unwrap();
        let issue = &envelope.errors.unwrap()[0];
        assert_eq!((issue.code, issue.error_chain.as_ref().unwrap()[0].code), (81_058, 9005));
    }

    #[test]
    fn only_plain_ids_reach_a_path() {
        assert!(is_id("023e105f4ecef8ad9ca31a8372d0c353"));
        for text in ["", "../x", "a b", "a/b", "a?b", &"a".repeat(65)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
