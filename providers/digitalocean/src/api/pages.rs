//! Lists. Pages are counted here and never followed by the links in them, which name some other host behind a proxy.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::error::ApiError;
use super::reader::{Reader, local_clock};
use super::requests::Get;
use super::wire::{Answer, Call};

/// The API's largest page.
const PER_PAGE: usize = 200;
/// No account has 20,000 of anything that is listed here.
const MAX_PAGES: usize = 100;

/// What a list consists of.
pub(crate) trait Listed: DeserializeOwned {
    /// The key under which the answer holds the items.
    const KEY: &'static str;
    /// Tells items apart.
    fn key(&self) -> String;
}

/// A whole list.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    /// The items; one that moved from page to page meanwhile is there once.
    pub(crate) items: Vec<T>,
    /// The server's clock, seconds since 1970.
    pub(crate) now: i64,
}

impl Reader {
    /// Reads all pages of a list.
    pub(crate) async fn list<T: Listed>(&self, get: &Get) -> Result<Listing<T>, ApiError> {
        let (mut items, mut seen, mut known) = (Vec::new(), 0, BTreeSet::new());
        for page in 1..=MAX_PAGES {
            let get = with_page(get, page);
            let call = Call::from(&get);
            let answer = self.answer(&get).await?;
            let (found, total) = page_of::<T>(&answer, &call)?;
            let (count, before) = (found.len(), known.len());
            seen += count;
            items.extend(found.into_iter().filter(|item| known.insert(item.key())));
            if seen >= total || count == 0 {
                return Ok(Listing { items, now: answer.date.unwrap_or_else(local_clock) });
            }
            if known.len() == before {
                return Err(answer.bad(&call, &format!("page {page} only repeats earlier pages")));
            }
        }
        let cause = format!("there are more than {} entries", MAX_PAGES * PER_PAGE);
        Err(Call::from(get).error(super::Kind::Bad, cause))
    }
}

fn with_page(get: &Get, page: usize) -> Get {
    let mut get = get.clone();
    get.query.extend([("page", page.to_string()), ("per_page", PER_PAGE.to_string())]);
    get
}

/// The items on one page, and how many there are on all of them.
pub(super) fn page_of<T: Listed>(
    answer: &Answer,
    call: &Call<'_>,
) -> Result<(Vec<T>, usize), ApiError> {
    let mut body: Json = answer.json(call)?;
    let total = body.pointer("/meta/total").and_then(Json::as_u64);
    let Some(total) = total else { return Err(answer.bad(call, "no number at `meta.total`")) };
    let Some(Json::Array(items)) = body.get_mut(T::KEY).map(Json::take) else {
        return Err(answer.bad(call, &format!("no list at `{}`", T::KEY)));
    };
    let items = items.into_iter().enumerate().map(|(index, item)| {
        let explain = |error| answer.bad(call, &format!("{}[{index}]: {error}", T::KEY));
        serde_json::from_value::<T>(item).map_err(explain)
    });
    Ok((items.collect::<Result<_, _>>()?, usize::try_from(total).unwrap_or(usize::MAX)))
}
