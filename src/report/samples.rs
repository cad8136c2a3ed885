//! Plans for the tests of this module.

use ipai_core::plan::{AttributeChange, Conflict, Note, Shown};
use ipai_core::{Action, Address, Foreign, Plan, Reason, Reference, StackId, Verb};
use serde_json::{Value as Json, json};

pub(super) fn plan(actions: Vec<Action>) -> Plan {
    Plan {
        stack: StackId::new("ops", None),
        actions,
        conflicts: Vec::new(),
        notes: Vec::new(),
        foreign: Vec::new(),
        live_digest: "0123456789abcdef".into(),
        targets: Vec::new(),
    }
}

pub(super) fn action(
    address: &str,
    verb: Verb,
    reason: Reason,
    changes: Vec<AttributeChange>,
) -> Action {
    Action {
        address: address.parse().unwrap(),
        verb,
        reason,
        changes,
        after: Vec::new(),
        stage: 0,
        id: matches!(verb, Verb::Update | Verb::Replace | Verb::Delete).then(|| "42".to_owned()),
        holds_data: false,
    }
}

pub(super) fn same(address: &str) -> Action {
    Action { id: Some("7".into()), ..action(address, Verb::NoOp, Reason::Same, Vec::new()) }
}

pub(super) fn holding_data(action: Action) -> Action {
    Action { holds_data: true, ..action }
}

pub(super) fn change(name: &str, before: Shown, after: Shown) -> AttributeChange {
    AttributeChange { name: name.into(), before, after, forces_replace: false, diff: None }
}

pub(super) fn new(name: &str, after: Json) -> AttributeChange {
    change(name, Shown::Absent, Shown::Value(after))
}

pub(super) fn edited(name: &str, before: Json, after: Json) -> AttributeChange {
    change(name, Shown::Value(before), Shown::Value(after))
}

pub(super) fn secret(version: &str) -> Shown {
    Shown::Sensitive(version.repeat(16))
}

pub(super) fn content(size: u64) -> Json {
    json!({ "sha256": "0123abcd".repeat(8), "size": size })
}

pub(super) fn droplet() -> Address {
    Address::new("digitalocean", "droplet", "ops")
}

pub(super) fn waits() -> Reason {
    Reason::WaitsFor([Reference { address: droplet(), output: "ipv4".into() }].into())
}

pub(super) fn new_droplet() -> Action {
    let changes = vec![
        new("name", json!("ops")),
        new("region", json!("sgp1")),
        new("size", json!("s-4vcpu-8gb")),
        new("image", json!("debian-13-x64")),
        new("power", json!("on")),
        new("user_data", content(6300)),
        new("tags", json!([])),
        new("monitoring", json!(true)),
        new("vpc_uuid", json!("11111111-2222-3333-4444-555555555555")),
    ];
    holding_data(action("digitalocean.droplet.ops", Verb::Create, Reason::NotFound, changes))
}

pub(super) fn new_file(name: &str, shown: Shown) -> Action {
    let changes = vec![
        new("host", json!("digitalocean.droplet.ops")),
        new("path", json!(format!("/opt/ipai/ops/{name}"))),
        change("content", Shown::Absent, shown),
        new("mode", json!("0600")),
        new("owner", json!("root:root")),
    ];
    action(&format!("host.file.{name}"), Verb::Create, Reason::HomeIsNew(droplet()), changes)
}

pub(super) fn foreign() -> Foreign {
    Foreign {
        provider: "cloudflare".into(),
        kind: "dns_record".into(),
        id: "372e67954025e0ba6aaa6d586b9e0b59".into(),
        title: "CNAME chat.example.com → old.example.net".into(),
        identity: None,
    }
}

pub(super) fn conflict(adoptable: bool) -> Conflict {
    Conflict {
        address: "cloudflare.dns_record.chat".parse().unwrap(),
        foreign: foreign(),
        why: "a CNAME allows no other record of its name".into(),
        adoptable,
        hint: None,
    }
}

pub(super) fn note(address: Option<&str>, text: &str) -> Note {
    Note { address: address.map(|address| address.parse().unwrap()), text: text.into() }
}

/// A plan with every kind of thing in it.
pub(super) fn rich() -> Plan {
    let region =
        AttributeChange { forces_replace: true, ..edited("region", json!("ams3"), json!("fra1")) };
    let caddyfile = AttributeChange {
        diff: Some(
            "--- live/content\n+++ desired/content\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n".into(),
        ),
        ..edited("content", content(3175), content(3176))
    };
    plan(vec![
        action("secret.n8n_jwt", Verb::Create, Reason::NotGenerated, Vec::new()),
        holding_data(action(
            "digitalocean.droplet.web",
            Verb::Replace,
            Reason::CannotUpdate(vec!["region".into()]),
            vec![region, edited("size", json!("s-1vcpu-1gb"), json!("s-2vcpu-2gb"))],
        )),
        action(
            "cloudflare.dns_record.www",
            Verb::Update,
            waits(),
            vec![change("content", Shown::Value(json!("203.0.113.7")), Shown::Unknown)],
        ),
        action(
            "cloudflare.dns_record.mail",
            Verb::Update,
            Reason::Drifted,
            vec![edited("ttl", json!(60), json!(300))],
        ),
        action("host.file.caddyfile", Verb::Update, Reason::Edited, vec![caddyfile]),
        action(
            "host.file.env",
            Verb::Update,
            Reason::Edited,
            vec![
                change("content", secret("1f"), secret("2e")),
                edited("mode", json!("0644"), json!("0600")),
            ],
        ),
        new_file("sshd", Shown::Value(content(180))),
        same("cloudflare.dns_record.chat"),
        action(
            "cloudflare.dns_record.old",
            Verb::Delete,
            Reason::NoLongerDesired,
            vec![change("content", Shown::Value(json!("198.51.100.1")), Shown::Absent)],
        ),
    ])
}
