//! What was asked and what was answered.

use serde_json::Value;

/// Whose API a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vendor {
    /// Paths that begin with `/v2`.
    DigitalOcean,
    /// Paths that begin with `/client/v4`.
    Cloudflare,
}

/// One request and its answer. The token is not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Whose API it was for.
    pub vendor: Vendor,
    /// The HTTP method.
    pub method: String,
    /// The path template as in the vendor's specification, or the path where none fits.
    pub template: String,
    /// The path as in the vendor's specification, without Cloudflare's `/client/v4`.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The answer's status; `None` when the connection was cut.
    pub status: Option<u16>,
    /// Whether a fault bent this exchange.
    pub faulted: bool,
    /// The request's JSON body, when bodies are recorded; text that is not JSON as a string.
    pub request: Option<Value>,
    /// The answer's JSON body, when bodies are recorded; text that is not JSON as a string.
    pub response: Option<Value>,
}

/// Reads a body for the log.
pub(crate) fn body(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    Some(serde_json::from_slice(bytes).unwrap_or_else(|_| text()))
}
