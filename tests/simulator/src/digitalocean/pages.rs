//! Lists: `page`, `per_page`, `meta` and links that name this simulator.

use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use crate::call::{Call, Reply};
use crate::world::Cx;

/// Answers one page of `items` under `key`.
pub(super) fn page(cx: &Cx<'_>, call: &Call, key: &str, items: Vec<Value>) -> Reply {
    let per_page = call.number("per_page").unwrap_or(20).clamp(1, 200);
    let page = call.number("page").unwrap_or(1).max(1);
    let total = items.len();
    let shown: Vec<Value> =
        items.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let links = links(cx, call, page, total.div_ceil(per_page));
    let mut body = Map::new();
    body.insert(key.to_owned(), Value::Array(shown));
    body.insert("links".to_owned(), links);
    body.insert("meta".to_owned(), json!({"total": total}));
    Reply::json(200, Value::Object(body))
}

/// The vendor sends no links at all on a single page, `next` and `last` on the first of several,
/// `first` and `prev` on the last.
fn links(cx: &Cx<'_>, call: &Call, page: usize, last: usize) -> Value {
    if last <= 1 && page == 1 {
        return json!({});
    }
    let mut pages = Map::new();
    let mut put = |name: &str, page: usize| {
        pages.insert(name.to_owned(), Value::String(address(cx, call, page)));
    };
    if page > 1 {
        put("first", 1);
        put("prev", page - 1);
    }
    if page < last {
        put("next", page + 1);
        put("last", last);
    }
    json!({"pages": pages})
}

fn address(cx: &Cx<'_>, call: &Call, page: usize) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("page", &page.to_string());
    for (name, value) in call.query.iter().filter(|(name, _)| name != "page") {
        query.append_pair(name, value);
    }
    format!("{}{}?{}", cx.setup.base, call.path, query.finish())
}
