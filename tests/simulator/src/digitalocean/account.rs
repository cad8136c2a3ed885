//! The account.

use serde_json::json;

use crate::call::{Answer, Call, Reply};
use crate::ids::uuid;
use crate::world::Cx;

pub(super) fn get(cx: &mut Cx<'_>, _call: &Call) -> Answer {
    Ok(Reply::json(
        200,
        json!({"account": {
            "droplet_limit": cx.setup.limits.droplets.min(1_000_000),
            "floating_ip_limit": 3,
            "email": "operator@example.com",
            "name": "Sandbox operator",
            "uuid": uuid("account", 1),
            "email_verified": true,
            "status": "active",
            "status_message": "",
            "team": {"uuid": uuid("team", 1), "name": "Sandbox"},
        }}),
    ))
}
