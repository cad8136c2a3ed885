//! Every request is one that the vendor's own document allows.

use std::collections::BTreeSet;

use ipai_core::snapshot::Snapshots;
use ipai_core::{DesiredResource, Value, Verb};
use ipai_digitalocean::DigitalOceanSnapshots;
use ipai_simulator::Pace;
use ipai_simulator::openapi::Validator;

use crate::stage::{Stage, droplet, executor, firewall, job, ops, reserved_ip, stage, volume};

/// Takes a resource through verbs; what was forgotten is adopted as it was last seen.
async fn live_through(stage: &Stage, steps: &[(Verb, DesiredResource)]) {
    let mut last = None;
    for (verb, wanted) in steps {
        let live = match verb {
            Verb::Create => None,
            Verb::Adopt => last.clone(),
            _ => Some(stage.live(wanted).await),
        };
        stage.run(job(*verb, wanted, live.as_ref())).await.unwrap();
        last = live;
    }
}

fn web(region: &str, size: &str, tag: &str) -> DesiredResource {
    let changes = [
        ("region", Value::text(region)),
        ("size", Value::text(size)),
        ("tags", Value::texts([tag])),
        ("name", Value::text(format!("{tag}.example.com"))),
        ("ipv6", Value::Bool(true)),
        ("backups", Value::Bool(true)),
    ];
    droplet("web", &changes)
}

#[tokio::test]
async fn every_request_is_in_the_vendors_document() {
    let stage = stage(Pace::prompt()).await;
    let (small, large) = ("s-1vcpu-1gb", "s-2vcpu-4gb");
    let wall = |rule: &str| firewall("a_wall", &[], &[rule]);
    live_through(&stage, &[(Verb::Create, web("fra1", small, "one"))]).await;
    let walls = [
        (Verb::Create, wall("tcp 22 from 10.0.0.0/8 10.0.0.1")),
        (Verb::Update, wall("udp all from ::/0 tag:one")),
        (Verb::Forget, wall("icmp from ::/0")),
        (Verb::Adopt, wall("icmp from ::/0")),
        (Verb::Delete, wall("icmp from ::/0")),
    ];
    live_through(&stage, &walls).await;
    let guarded = firewall("before", &["digitalocean.droplet.web"], &["tcp 22-23 from ::/0"]);
    live_through(&stage, &[(Verb::Create, guarded)]).await;
    let data = |size| {
        volume("data", &[("size_gb", Value::Int(size)), ("filesystem_label", Value::text("data"))])
    };
    let ip = || reserved_ip("web", "digitalocean.droplet.web");
    for (create, change) in [(data(1), data(2)), (ip(), ip())] {
        let steps = [
            (Verb::Create, create),
            (Verb::Update, change.clone()),
            (Verb::Forget, change.clone()),
            (Verb::Adopt, change.clone()),
        ];
        live_through(&stage, &steps).await;
        let live = stage.live(&change).await;
        let snapshots = DigitalOceanSnapshots::new(executor(&stage.settings));
        if change.address.kind == "volume" {
            let taken = snapshots.take(&ops(), &live, 1, &stage.events).await.unwrap();
            snapshots.delete(&ops(), &taken).await.unwrap();
        }
        live_through(&stage, &[(Verb::Delete, change)]).await;
    }
    let droplets = [
        (Verb::Update, web("fra1", large, "two")),
        (Verb::Replace, web("ams3", large, "two")),
        (Verb::Forget, web("ams3", large, "two")),
        (Verb::Adopt, web("ams3", large, "two")),
        (Verb::Delete, web("ams3", large, "two")),
    ];
    live_through(&stage, &droplets).await;

    let validator = Validator::new().unwrap();
    let log = stage.world().log();
    let breaches: Vec<String> = log.iter().flat_map(|e| validator.check_request(e)).collect();
    assert_eq!(breaches, Vec::<String>::new());
    let used: BTreeSet<_> = log.iter().map(|e| (&e.method, &e.template)).collect();
    assert!(used.len() >= 32, "{used:?}");
}
