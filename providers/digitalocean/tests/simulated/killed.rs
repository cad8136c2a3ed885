//! A run that is killed after any number of requests, and the next ones, end where an undisturbed run ends.

use ipai_core::{DesiredResource, LiveResource, Value, Verb};
use ipai_simulator::Pace;

use crate::stage::{Stage, differences, droplet, firewall, job, stage};

/// What a plan would do.
fn verb(wanted: &DesiredResource, live: Option<&LiveResource>) -> Verb {
    let Some(live) = live else { return Verb::Create };
    match &differences(wanted, live)[..] {
        [] => Verb::NoOp,
        some if some.contains(&"region") => Verb::Replace,
        _ => Verb::Update,
    }
}

/// Plans and applies until there is nothing left to do.
async fn converge(stage: &Stage, wanted: &DesiredResource) -> LiveResource {
    for _ in 0..5 {
        let found = stage.observe(&[wanted]).await.resources.into_iter();
        let ours: Vec<_> = found.filter(|live| live.address == wanted.address).collect();
        assert!(ours.len() <= 1, "duplicates: {ours:?}");
        match verb(wanted, ours.first()) {
            Verb::NoOp => return ours.into_iter().next().unwrap(),
            verb => drop(stage.run(job(verb, wanted, ours.first())).await.unwrap()),
        }
    }
    panic!("{} does not converge", wanted.address)
}

/// Kills the way from `old` to `new` after each number of requests in turn.
async fn killed_anywhere(old: Option<DesiredResource>, new: DesiredResource) {
    for requests in 1..200 {
        let stage = stage(Pace::prompt()).await;
        if let Some(old) = &old {
            stage.create(old).await;
            converge(&stage, old).await;
        }
        let found = stage.observe(&[&new]).await.resources.into_iter().next();
        let verb = verb(&new, found.as_ref());
        let killed = stage.run_killed(job(verb, &new, found.as_ref()), requests).await;
        let live = converge(&stage, &new).await;
        assert_eq!(stage.world().droplets().len(), 1, "killed after {requests}");
        assert_eq!(stage.world().droplets()[0]["status"], "active", "killed after {requests}");
        assert_eq!(live.outputs["host_keys"].text_items().len(), 1, "killed after {requests}");
        if !killed {
            return;
        }
    }
    panic!("a run that never ends");
}

#[tokio::test]
async fn a_create_killed_anywhere_ends_in_one_droplet() {
    killed_anywhere(None, droplet("web", &[])).await;
}

#[tokio::test]
async fn an_update_killed_anywhere_is_taken_up_again() {
    let changes = [
        ("name", Value::text("www.example.com")),
        ("size", Value::text("s-2vcpu-4gb")),
        ("tags", Value::texts(["front", "two"])),
    ];
    killed_anywhere(Some(droplet("web", &[])), droplet("web", &changes)).await;
}

#[tokio::test]
async fn a_replace_killed_anywhere_ends_in_one_droplet() {
    let moved = droplet("web", &[("region", Value::text("ams3"))]);
    killed_anywhere(Some(droplet("web", &[])), moved).await;
}

#[tokio::test]
async fn a_firewall_killed_anywhere_is_there_once() {
    for requests in 1..20 {
        let stage = stage(Pace::prompt()).await;
        let wall = firewall("web", &[], &["tcp 22 from ::/0"]);
        let killed = stage.run_killed(job(Verb::Create, &wall, None), requests).await;
        converge(&stage, &wall).await;
        if !killed {
            return;
        }
    }
    panic!("a run that never ends");
}
