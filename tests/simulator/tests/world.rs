//! The world itself: kept, the same in each run, disturbed, and heard of by its machines.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use common::{World, options, world, world_with};
use ipai_simulator::seam::{Boot, BoxFuture, Hosts};
use ipai_simulator::{Options, Pace, Simulator};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Machines that only write down what they are told.
#[derive(Default)]
struct Scribe(Mutex<Vec<String>>);

impl Scribe {
    fn write(&self, line: String) -> BoxFuture<'_, io::Result<()>> {
        self.0.lock().unwrap().push(line);
        Box::pin(async { Ok(()) })
    }

    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Hosts for Scribe {
    fn boot(&self, boot: Boot) -> BoxFuture<'_, io::Result<()>> {
        let Boot { name, address, user_data, account_keys, .. } = boot;
        let data = user_data.unwrap_or_default();
        self.write(format!("boot {name} {address} {data} {}", account_keys.join(",")))
    }

    fn halt(&self, _: u64) -> BoxFuture<'_, io::Result<()>> {
        self.write("halt".to_owned())
    }

    fn delete(&self, _: u64) -> BoxFuture<'_, io::Result<()>> {
        self.write("delete".to_owned())
    }
}

async fn create(world: &World, name: &str) -> u64 {
    let body = json!({
        "name": name, "size": "s-1vcpu-1gb", "image": "debian-12-x64", "user_data": "hello",
    });
    let made = world.post("/v2/droplets", body).await;
    assert_eq!(made.status, 202, "{}", made.text);
    let id = made.body["droplet"]["id"].as_u64().unwrap();
    world.get(&format!("/v2/droplets/{id}")).await;
    id
}

async fn act(world: &World, id: u64, body: Value) {
    let begun = world.post(&format!("/v2/droplets/{id}/actions"), body).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    world.get(&format!("/v2/actions/{}", begun.body["action"]["id"])).await;
}

#[tokio::test]
async fn machines_hear_of_everything_in_order() {
    let scribe = Arc::new(Scribe::default());
    let hosts: Arc<dyn Hosts> = scribe.clone();
    let world = world_with(Options { hosts: Some(hosts), ..options(Pace::instant()) }).await;
    let id = create(&world, "web").await;
    assert_eq!(scribe.lines(), ["boot web 127.16.0.1 hello "]);
    act(&world, id, json!({"type": "power_off"})).await;
    act(&world, id, json!({"type": "power_on"})).await;
    act(&world, id, json!({"type": "rebuild", "image": "debian-13-x64"})).await;
    let boot = "boot web 127.16.0.1 hello ";
    assert_eq!(scribe.lines(), ["halt", boot, "delete", boot]);
    world.delete(&format!("/v2/droplets/{id}")).await;
    assert_eq!(scribe.lines(), ["delete"]);
}

/// Machines whose boot takes until somebody lets them.
#[derive(Default)]
struct Slow {
    scribe: Scribe,
    began: Notify,
    go_on: Notify,
}

impl Hosts for Slow {
    fn boot(&self, _: Boot) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async {
            self.began.notify_one();
            self.go_on.notified().await;
            self.scribe.write("booted".to_owned()).await?;
            Err(io::Error::other("no disk"))
        })
    }

    fn halt(&self, _: u64) -> BoxFuture<'_, io::Result<()>> {
        self.scribe.write("halt".to_owned())
    }

    fn delete(&self, _: u64) -> BoxFuture<'_, io::Result<()>> {
        self.scribe.write("delete".to_owned())
    }
}

#[tokio::test]
async fn a_machine_hears_of_its_end_only_after_its_boot() {
    let slow = Arc::new(Slow::default());
    let hosts: Arc<dyn Hosts> = slow.clone();
    let world = world_with(Options { hosts: Some(hosts), ..options(Pace::instant()) }).await;
    let handle = world.simulator.world().clone();
    let end = async {
        slow.began.notified().await;
        let id = handle.droplets()[0]["id"].as_u64().unwrap();
        let path = format!("/v2/droplets/{id}");
        let deleted = world.delete(&path);
        let release = async {
            while !handle.droplets().is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(slow.scribe.lines(), [""; 0]);
            slow.go_on.notify_one();
        };
        tokio::join!(deleted, release).0
    };
    let (_, deleted) = tokio::join!(create(&world, "web"), end);
    assert_eq!(deleted.status, 204);
    assert_eq!(slow.scribe.lines(), ["booted", "delete"]);
    let errors = handle.host_errors();
    assert!(errors.len() == 1 && errors[0].ends_with("no disk"), "{errors:?}");
}

#[tokio::test]
async fn a_world_goes_on_where_it_stopped_and_its_machines_boot_again() {
    let folder = tempfile::tempdir().unwrap();
    let scribe = Arc::new(Scribe::default());
    let hosts: Arc<dyn Hosts> = scribe.clone();
    let kept = Options {
        folder: Some(folder.path().to_owned()),
        hosts: Some(hosts),
        ..options(Pace::instant())
    };
    let world = world_with(kept.clone()).await;
    create(&world, "web").await;
    let gone = create(&world, "gone").await;
    act(&world, gone, json!({"type": "power_off"})).await;
    let body = json!({"type": "A", "name": "www", "content": "198.51.100.4"});
    world.post(&world.records(), body).await;
    let before = world.simulator.world().snapshot();
    scribe.lines();
    world.simulator.stop().await;
    assert_eq!(scribe.lines(), ["halt"]);
    let world = world_with(kept).await;
    assert_eq!(world.simulator.world().snapshot(), before);
    assert_eq!(scribe.lines(), ["boot web 127.16.0.1 hello "]);
    assert_eq!(create(&world, "third").await, gone + 1);
}

#[tokio::test]
async fn a_broken_world_is_named_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    for text in ["{", r#"{"form":99,"digitalocean":{},"cloudflare":{}}"#] {
        std::fs::write(&file, text).unwrap();
        let kept = Options { folder: Some(folder.path().to_owned()), ..Options::default() };
        let error = Simulator::start(kept).await.err().unwrap().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains("delete"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}

#[tokio::test]
async fn the_same_story_gives_the_same_world() {
    let mut worlds = Vec::new();
    for _ in 0..2 {
        let world = world(Pace::prompt()).await;
        create(&world, "web").await;
        let body = json!({"type": "A", "name": "www", "content": "198.51.100.4"});
        world.post(&world.records(), body).await;
        worlds.push(world.simulator.world().snapshot().to_string());
    }
    assert_eq!(worlds[0], worlds[1]);
}

#[tokio::test]
async fn what_nobody_touches_stays_byte_for_byte() {
    let world = world(Pace::nasty()).await;
    let handle = world.simulator.world();
    let id = handle.add_foreign_droplet("theirs", &["prod"]).unwrap();
    let body = json!({"type": "TXT", "name": "theirs", "content": "\"quoted\" text"});
    let record = handle.add_foreign_record("example.com", body).unwrap();
    let foreign = || {
        let world = handle.snapshot();
        let droplet = world["digitalocean"]["droplets"][id.to_string()].to_string();
        (droplet, world["cloudflare"]["zones"][0]["records"][0].to_string())
    };
    let before = foreign();
    let own = create(&world, "ours").await;
    for _ in 0..5 {
        world.get("/v2/droplets?tag_name=prod").await;
        world.get(&format!("/v2/droplets/{own}")).await;
        world.get(&world.records()).await;
    }
    assert_eq!(foreign(), before);
    handle.edit_record("example.com", &record, json!({"comment": "changed"})).unwrap();
    handle.edit_droplet(id, json!({"tags": ["other"]})).unwrap();
    assert_ne!(foreign(), before);
    assert_eq!(handle.records("example.com")[0]["comment"], "changed");
    handle.delete_record("example.com", &record).unwrap();
    handle.delete_droplet(id).await.unwrap();
    assert_eq!(handle.records("example.com").len(), 0);
    assert!(handle.delete_record("example.com", &record).is_err());
    assert_eq!(handle.droplet_address(id), None);
}

#[tokio::test]
async fn an_address_comes_back_only_where_that_is_wanted() {
    let second = Some(Ipv4Addr::new(127, 16, 0, 2));
    for (reuse_addresses, expected) in [(false, second), (true, Some(Ipv4Addr::new(127, 16, 0, 1)))]
    {
        let world = world_with(Options { reuse_addresses, ..options(Pace::instant()) }).await;
        let first = create(&world, "one").await;
        world.delete(&format!("/v2/droplets/{first}")).await;
        let next = create(&world, "two").await;
        assert_eq!(world.simulator.world().droplet_address(next), expected);
    }
}
