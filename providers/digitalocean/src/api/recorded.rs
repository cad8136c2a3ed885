//! An answer that did not come over the wire just now: one that was recorded, or made up.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::pages::{Listed, page_of};
use super::reader::imposed;
use super::requests::Get;
use super::wire::{Answer, Call};

/// Such an answer. It can be read as the answer to any request.
pub(crate) struct Recorded {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Recorded {
    /// Takes an answer; headers that HTTP does not allow are left out.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let header = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        };
        let headers = headers.iter().filter_map(header).collect();
        Self { status, headers, body: body.to_vec() }
    }

    fn answer(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let answer = Answer::recorded(self.status, &self.headers, self.body.clone());
        let _pause = imposed(&answer);
        answer.checked(call)
    }

    /// Reads it as one page of a list.
    pub(crate) fn list<T: Listed>(&self, get: &Get) -> Result<Vec<T>, ApiError> {
        let call = Call::from(get);
        Ok(page_of(&self.answer(&call)?, &call)?.0)
    }

    /// Reads it as one object.
    pub(crate) fn one<T: DeserializeOwned>(&self, get: &Get) -> Result<T, ApiError> {
        let call = Call::from(get);
        self.answer(&call)?.json(&call)
    }

    /// The clock in its headers, seconds since 1970.
    pub(crate) fn now(&self) -> Option<i64> {
        Answer::recorded(self.status, &self.headers, Vec::new()).date
    }
}
