//! Many changes in one transaction.

use serde_json::{Map, Value, json};

use super::envelope::{error, success};
use super::records::{self, Desk};
use crate::call::{Answer, Call, Reply};
use crate::world::Cx;

/// Deletes, patches, puts, posts: in this order, each list in its own. The first refusal is the
/// answer, and then nothing happened.
pub(super) fn run(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = records::object(call)?;
    let most = cx.setup.limits.batch;
    let lists = ["deletes", "patches", "puts", "posts"];
    let count: usize = lists.iter().map(|name| items(&body, name).len()).sum();
    if count > most {
        // The limit is documented, its code is not.
        let text = format!("A batch may change at most {most} records.");
        return Err(error(400, 1004, &text));
    }
    records::on_desk(cx, call, |desk| {
        let deletes = each(&body, "deletes", |item| records::remove(desk, id(item)?))?;
        let patches = each(&body, "patches", |item| change(desk, item, true))?;
        let puts = each(&body, "puts", |item| change(desk, item, false))?;
        let posts = each(&body, "posts", |item| records::add(desk, item))?;
        let done = json!({
            "deletes": deletes, "patches": patches, "puts": puts, "posts": posts,
        });
        Ok(success(done))
    })
}

fn items<'a>(body: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn each(
    body: &Map<String, Value>,
    name: &str,
    mut run: impl FnMut(&Map<String, Value>) -> Result<super::state::Record, Reply>,
) -> Result<Vec<Value>, Reply> {
    let mut done = Vec::new();
    for item in items(body, name) {
        let item = item.as_object().ok_or_else(|| error(400, 9207, "Request body is invalid."))?;
        done.push(records::render(&run(item)?));
    }
    Ok(done)
}

fn change(
    desk: &mut Desk<'_>,
    item: &Map<String, Value>,
    in_part: bool,
) -> Result<super::state::Record, Reply> {
    let id = id(item)?.to_owned();
    let mut body = item.clone();
    body.remove("id");
    records::change(desk, &id, &body, in_part)
}

fn id(item: &Map<String, Value>) -> Result<&str, Reply> {
    item.get("id").and_then(Value::as_str).ok_or_else(|| error(400, 9207, "id is required."))
}
