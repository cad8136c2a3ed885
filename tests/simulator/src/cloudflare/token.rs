//! The token's check of itself. It says nothing about rights.

use serde_json::{Value, json};

use super::envelope::success;
use crate::call::{Answer, Body, Call};
use crate::ids::hex;
use crate::world::Cx;

pub(super) fn verify(_cx: &mut Cx<'_>, call: &Call) -> Answer {
    let id = hex(&format!("token/{}", call.token.text()));
    let mut reply = success(json!({"id": id, "status": "active"}));
    if let Body::Json(body) = &mut reply.body {
        body["messages"] = json!([{
            "code": 10000, "message": "This API Token is valid and active", "type": Value::Null,
        }]);
    }
    Ok(reply)
}
