//! A request and its answer, as values that know nothing of sockets.

use serde_json::{Map, Value};

/// A request that found its route.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The path as the vendor documents it, without Cloudflare's `/client/v4`.
    pub(crate) path: String,
    /// The path's variable segments, decoded, in order.
    pub(crate) params: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) token: Token,
    pub(crate) content_type: String,
    /// Whether the header `X-Dangerous: true` was sent.
    pub(crate) dangerous: bool,
    pub(crate) body: Vec<u8>,
}

/// What the `Authorization` header said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// No header, or not a bearer token.
    Malformed,
    /// A bearer token.
    Bearer(String),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// An answer's body.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    Text(String),
}

/// What a route gives: an answer, or the answer that says why not.
pub(crate) type Answer = Result<Reply, Reply>;

impl Call {
    /// Returns the variable segment number `index`; the route's template promises it.
    pub(crate) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// Returns the first query value of that name.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the query value as a number; absent or unreadable is `None`.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.query(name).and_then(|value| value.parse().ok())
    }

    /// Reads the body as a JSON object.
    pub(crate) fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Says whether the call changes nothing.
    pub(crate) fn reads(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }
}

impl Token {
    /// Reads the `Authorization` header.
    pub(crate) fn parse(header: Option<&str>) -> Token {
        match header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim) {
            Some(token) if !token.is_empty() => Token::Bearer(token.to_owned()),
            _ => Token::Malformed,
        }
    }

    /// Says whether the token is one that begins with `prefix`: the world's tokens carry their
    /// rights in their name.
    pub(crate) fn begins(&self, prefix: &str) -> bool {
        matches!(self, Token::Bearer(token) if token.starts_with(prefix))
    }

    /// The text that limits are counted under.
    pub(crate) fn text(&self) -> &str {
        match self {
            Token::Malformed => "",
            Token::Bearer(token) => token,
        }
    }
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Reply {
        Reply { status, headers: Vec::new(), body: Body::Json(body) }
    }

    pub(crate) fn empty(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Body::Empty }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Reply {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The body as it goes over the wire, and its media type.
    pub(crate) fn bytes(&self) -> (Vec<u8>, Option<&'static str>) {
        match &self.body {
            Body::Empty => (Vec::new(), None),
            Body::Json(value) => (value.to_string().into_bytes(), Some("application/json")),
            Body::Text(text) => (text.clone().into_bytes(), Some("text/plain; charset=utf-8")),
        }
    }
}
