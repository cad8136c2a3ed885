//! A firewall as the API shows it, in canonical attributes.

use std::collections::BTreeMap;

use ipai_core::{Address, LiveResource, Value};

use super::rule::{self, Direction};
use crate::api::Firewall;

/// The resource that a firewall of ours is. Droplets of the stack are shown by address; anything else that stands
/// behind it is shown too, so that it counts as a difference.
pub(crate) fn live_resource(
    address: Address,
    firewall: &Firewall,
    droplets: &BTreeMap<u64, Address>,
) -> LiveResource {
    let known = |id: &u64| droplets.get(id).map(ToString::to_string);
    let by_id = firewall.droplet_ids.iter().map(|id| known(id).unwrap_or(format!("droplet:{id}")));
    let by_tag = firewall.tags.iter().map(|tag| format!("tag:{tag}"));
    let mut members: Vec<String> = by_id.chain(by_tag).collect();
    members.sort_unstable();
    members.dedup();
    let rules = |rules: &[_], direction| {
        let parsed = rules.iter().map(|r| rule::from_wire(r, direction)).collect();
        Value::texts(rule::canonical(parsed, direction))
    };
    LiveResource {
        address,
        id: firewall.id.clone(),
        attributes: [
            ("droplets".to_owned(), Value::texts(members)),
            ("inbound".to_owned(), rules(&firewall.inbound_rules, Direction::In)),
            ("outbound".to_owned(), rules(&firewall.outbound_rules, Direction::Out)),
        ]
        .into(),
        outputs: [("id".to_owned(), Value::text(&*firewall.id))].into(),
        // A firewall has no room for a version: it cannot be tagged.
        applied: None,
        created: firewall.created_at.clone(),
        home: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_and_spelling_of_an_answer_do_not_matter() {
        let rule = |ports: &str, addresses: [&str; 2]| json!({"protocol": "tcp", "ports": ports, "sources": {"addresses": addresses}});
        let firewall = |rules: serde_json::Value| -> Firewall {
            serde_json::from_value(json!({
                "id": "a-1", "name": "ipai-ops-web", "created_at": null, "droplet_ids": [7, 5],
                "tags": null, "inbound_rules": rules, "outbound_rules": null,
            }))
            .unwrap()
        };
        let web = Address::new("digitalocean", "droplet", "web");
        let show = |rules| {
            let address = Address::new("digitalocean", "firewall", "web");
            live_resource(address, &firewall(rules), &[(5, web.clone())].into()).attributes
        };
        let one =
            show(json!([rule("22", ["0.0.0.0/0", "::/0"]), rule("0", ["10.0.0.1/32", "::/0"])]));
        let two =
            show(json!([rule("0", ["::/0", "10.0.0.1"]), rule("22", ["0:0::/0", "0.0.0.0/0"])]));
        assert_eq!(one, two);
        let droplets = Value::texts(["digitalocean.droplet.web", "droplet:7"]);
        assert_eq!(one["droplets"], droplets);
        let inbound = Value::texts(["tcp 22 from 0.0.0.0/0 ::/0", "tcp all from 10.0.0.1 ::/0"]);
        assert_eq!(one["inbound"], inbound);
    }
}
