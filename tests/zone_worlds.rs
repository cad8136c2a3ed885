//! Generated zones before the real program: what it exits with, what its JSON says and what the zone then holds are one
//! and the same thing; nothing foreign is touched, and nothing goes that the plan did not show.
//!
//! Plain `cargo test` makes 25 worlds, `IPAI_FULL=1` a thousand; `IPAI_SEED=N` makes others. A world that fails is made
//! as small as it can be and printed as a stack that runs. The core's own ten thousand are in `src/core/tests`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod crash;
mod gate;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crash::place::{Cloud, Place, ZONE};
use crash::scenario::Scenario;
use gate::Dice;
use ipai_simulator::Pace;
use serde_json::{Value, json};

const SEED: u64 = 20_261_001;

/// A record of the stack: name, type, content, time to live. Contents differ, so that no two exclude each other.
type Declared = BTreeMap<String, (&'static str, &'static str, u64, u64)>;

/// What happens to the record of this name, or beside it, behind ipai's back.
#[derive(Clone, Debug)]
enum Accident {
    Lost(String),
    Edited(String),
    Slowed(String),
    Unmarked(String),
    /// A second one with the same marker.
    Twin(String),
    /// Somebody else's at this name: beside a record of ours, or in its way.
    Foreign(&'static str, bool),
}

#[derive(Clone)]
struct Scene {
    before: Declared,
    now: Declared,
    accidents: Vec<Accident>,
}

fn declare(dice: &mut Dice, declared: &mut Declared) {
    let key = format!("r{}", dice.roll(6));
    let name = ["@", "a", "b", "c"][usize::try_from(dice.roll(4)).unwrap()];
    let kind = ["A", "TXT", "AAAA"][usize::try_from(dice.roll(3)).unwrap()];
    declared.insert(
        key,
        (name, kind, dice.roll(40), [60, 300][usize::try_from(dice.roll(2)).unwrap()]),
    );
    let mut seen = BTreeSet::new();
    declared.retain(|_, record| seen.insert((record.0, record.1, record.2)));
}

impl Scene {
    fn generate(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut before = Declared::new();
        (0..dice.roll(6)).for_each(|_| declare(&mut dice, &mut before));
        let mut now = before.clone();
        for _ in 0..dice.roll(4) {
            if dice.roll(3) == 0 {
                now.pop_first();
            } else {
                declare(&mut dice, &mut now);
            }
        }
        let keys: Vec<&String> = before.keys().collect();
        let accidents = (0..dice.roll(4)).map(|_| {
            let name = ["@", "a", "b", "c"][usize::try_from(dice.roll(4)).unwrap()];
            let kind = if keys.is_empty() { 5 } else { dice.roll(6) };
            let key = |dice: &mut Dice| {
                keys[usize::try_from(dice.roll(keys.len() as u64)).unwrap()].clone()
            };
            match kind {
                0 => Accident::Lost(key(&mut dice)),
                1 => Accident::Edited(key(&mut dice)),
                2 => Accident::Slowed(key(&mut dice)),
                3 => Accident::Unmarked(key(&mut dice)),
                4 => Accident::Twin(key(&mut dice)),
                _ => Accident::Foreign(name, dice.roll(4) == 0),
            }
        });
        let accidents = accidents.collect();
        Self { before, now, accidents }
    }

    /// The scene without each of its parts.
    fn parts(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        for key in self.before.keys() {
            let mut part = self.clone();
            part.before.remove(key);
            parts.push(part);
        }
        for key in self.now.keys() {
            let mut part = self.clone();
            part.now.remove(key);
            parts.push(part);
        }
        for index in 0..self.accidents.len() {
            let mut part = self.clone();
            part.accidents.remove(index);
            parts.push(part);
        }
        parts
    }
}

fn content(kind: &str, number: u64) -> String {
    match kind {
        "A" => format!("203.0.113.{number}"),
        "AAAA" => format!("2001:db8::{:x}", number + 1),
        _ => format!("text {number}"),
    }
}

fn toml(declared: &Declared) -> String {
    let mut text = "[stack]\nname = \"matrix\"\n".to_owned();
    for (key, (name, kind, number, ttl)) in declared {
        let content = content(kind, *number);
        text += &format!(
            "\n[cloudflare.dns_record.{key}]\nzone = \"{ZONE}\"\nname = \"{name}\"\ntype = \"{kind}\"\ncontent = \"{content}\"\nttl = {ttl}\n"
        );
    }
    text
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Applied first:\n{}", toml(&self.before))?;
        writeln!(f, "# Then happened: {:?}\n# Then applied:\n{}", self.accidents, toml(&self.now))
    }
}

struct Stage {
    place: Place,
    cloud: Cloud,
}

fn is_ours(record: &Value) -> bool {
    record["comment"].as_str().is_some_and(|comment| comment.starts_with("ipai matrix "))
}

/// What a record is: name, type, content and time to live.
fn plain(record: &Value) -> String {
    ["name", "type", "content", "ttl"].map(|part| record[part].to_string()).join(" ")
}

impl Stage {
    fn new(number: u8) -> Self {
        let place = Place::new(number, Pace::prompt());
        place.begin(Scenario::Fresh);
        let cloud = place.start();
        Self { place, cloud }
    }

    fn run(&self, declared: &Declared, arguments: &[&str]) -> Output {
        std::fs::write(self.place.stack().join("stack.toml"), toml(declared)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipai"));
        command.env_clear().envs(self.place.variables(&self.cloud)).stdin(Stdio::null());
        command.arg("-C").arg(self.place.stack()).args(arguments).output().unwrap()
    }

    fn records(&self) -> Vec<Value> {
        self.cloud.simulator.world().records(ZONE)
    }

    /// The record of ours with this name in the stack.
    fn of(&self, key: &str) -> Option<Value> {
        let marker = format!("ipai matrix {key} ");
        self.records()
            .into_iter()
            .find(|r| r["comment"].as_str().is_some_and(|c| c.starts_with(&marker)))
    }

    fn happen(&self, accident: &Accident) {
        let world = self.cloud.simulator.world();
        let change = |key: &str, changes: Value| {
            if let Some(record) = self.of(key) {
                // What the vendor would refuse does not happen.
                let _ = world.edit_record(ZONE, record["id"].as_str().unwrap(), changes);
            }
        };
        match accident {
            Accident::Lost(key) => {
                if let Some(record) = self.of(key) {
                    world.delete_record(ZONE, record["id"].as_str().unwrap()).unwrap();
                }
            }
            Accident::Edited(key) => {
                let kind = self.of(key).map(|r| r["type"].as_str().unwrap().to_owned());
                let other = content(&kind.unwrap_or_default(), 77);
                change(key, json!({ "content": other }));
            }
            Accident::Slowed(key) => change(key, json!({ "ttl": 3600 })),
            Accident::Unmarked(key) => change(key, json!({ "comment": "" })),
            Accident::Twin(key) => {
                if let Some(record) = self.of(key) {
                    let other = content(record["type"].as_str().unwrap(), 88);
                    let twin = json!({ "type": record["type"], "name": record["name"], "content": other, "ttl": 60, "comment": record["comment"] });
                    let _ = world.add_foreign_record(ZONE, twin);
                }
            }
            Accident::Foreign(name, in_the_way) => {
                let name = if *name == "@" { ZONE.to_owned() } else { format!("{name}.{ZONE}") };
                let body = if *in_the_way {
                    json!({ "type": "CNAME", "name": name, "content": "elsewhere.example.net", "ttl": 60 })
                } else {
                    json!({ "type": "MX", "name": name, "content": "mx.example.net", "priority": 5, "ttl": 60 })
                };
                let _ = world.add_foreign_record(ZONE, body);
            }
        }
    }

    fn empty_the_zone(&self) {
        for record in self.records() {
            let id = record["id"].as_str().unwrap();
            self.cloud.simulator.world().delete_record(ZONE, id).unwrap();
        }
    }

    /// Why the scene fails, if it does.
    fn failure(&self, scene: &Scene) -> Result<u8, String> {
        self.empty_the_zone();
        let first = self.run(&scene.before, &["apply", "--auto-approve"]);
        if first.status.code() != Some(0) {
            return Err(format!("the first apply: {first:?}"));
        }
        scene.accidents.iter().for_each(|accident| self.happen(accident));
        let before = self.records();
        let planned = self.run(&scene.now, &["plan", "--json", "--detailed-exitcode"]);
        let code = planned.status.code().unwrap_or(-1);
        let plan: Value = serde_json::from_slice(&planned.stdout)
            .map_err(|_| format!("the plan: {planned:?}"))?;
        if self.records() != before {
            return Err("planning changed the zone".to_owned());
        }
        let effective = plan["applyable"] == true;
        let expected = match (plan["conflicts"].as_array().is_some_and(Vec::is_empty), effective) {
            (false, _) => 5,
            (true, true) => 2,
            (true, false) => 0,
        };
        if (code, &plan["exit_code"]) != (expected, &json!(expected)) {
            return Err(format!("exit {code}, JSON {}, expected {expected}", plan["exit_code"]));
        }
        let arguments = ["apply", "--auto-approve", "--json", "--detailed-exitcode"];
        let applied = self.run(&scene.now, &arguments);
        if applied.status.code() != Some(code) {
            return Err(format!("planned with {code}, applied with {applied:?}"));
        }
        self.check(scene, &before, &plan, code, &applied)?;
        Ok(u8::try_from(code).unwrap())
    }

    fn check(
        &self,
        scene: &Scene,
        before: &[Value],
        plan: &Value,
        code: i32,
        applied: &Output,
    ) -> Result<(), String> {
        let after = self.records();
        if code != 2 {
            return if after == before { Ok(()) } else { Err("it changed something".to_owned()) };
        }
        let strangers = |all: &[Value]| -> Vec<Value> {
            all.iter().filter(|record| !is_ours(record)).cloned().collect()
        };
        if strangers(&after) != strangers(before) {
            return Err("something foreign was touched".to_owned());
        }
        let text = String::from_utf8_lossy(&applied.stdout);
        let last: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
            .map_err(|error| format!("the last line: {error}"))?;
        let counts = ["add", "change"].map(|name| (&plan["summary"][name], &last["changes"][name]));
        let removed = (&plan["summary"]["destroy"], &last["changes"]["remove"]);
        if last["exit_code"] != json!(code)
            || counts.into_iter().chain([removed]).any(|(a, b)| a != b)
        {
            return Err(format!("planned {}, applied {last}", plan["summary"]));
        }
        let ids = |all: &[Value]| -> BTreeSet<String> {
            all.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
        };
        let going = plan["resource_changes"].as_array().unwrap().iter().filter(|change| {
            change["change"]["actions"].as_array().unwrap().contains(&json!("delete"))
        });
        let shown: BTreeSet<String> =
            going.filter_map(|change| change["id"].as_str().map(str::to_owned)).collect();
        let gone: BTreeSet<String> = ids(before).difference(&ids(&after)).cloned().collect();
        if gone != shown {
            return Err(format!("went: {gone:?}, shown: {shown:?}"));
        }
        let wanted: BTreeSet<String> = scene.now.values().map(line).collect();
        let mut found: Vec<String> = after.iter().filter(|r| is_ours(r)).map(plain).collect();
        found.sort();
        if found != wanted.into_iter().collect::<Vec<_>>() {
            return Err(format!("then there is {found:#?}"));
        }
        let rest = self.run(&scene.now, &["plan", "--detailed-exitcode"]);
        if rest.status.code() == Some(0) {
            Ok(())
        } else {
            Err(format!("something is left: {rest:?}"))
        }
    }

    fn shrink(&self, mut scene: Scene) -> Scene {
        while let Some(smaller) = scene.parts().into_iter().find(|part| self.failure(part).is_err())
        {
            scene = smaller;
        }
        scene
    }
}

/// A declared record as [`plain`] shows it.
fn line((name, kind, number, ttl): &(&'static str, &'static str, u64, u64)) -> String {
    let name = if *name == "@" { ZONE.to_owned() } else { format!("{name}.{ZONE}") };
    let content = content(kind, *number);
    let content = if *kind == "TXT" { format!("\"{content}\"") } else { content };
    plain(&json!({ "name": name, "type": kind, "content": content, "ttl": ttl }))
}

#[test]
fn exit_code_and_json_and_the_zone_say_the_same_of_every_world() {
    let began = Instant::now();
    let seed = std::env::var("IPAI_SEED").ok().and_then(|t| t.parse().ok()).unwrap_or(SEED);
    let worlds: u64 = if gate::is_full() { 1_000 } else { 25 };
    let (next, failures) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let codes: Mutex<BTreeMap<u8, u64>> = Mutex::default();
    let work = |number: u8| {
        let stage = Stage::new(number);
        loop {
            let world = next.fetch_add(1, Ordering::SeqCst);
            if world >= worlds || failures.lock().unwrap().len() > 2 {
                return stage.place.stop(stage.cloud);
            }
            let scene = Scene::generate(seed.wrapping_add(world));
            match stage.failure(&scene) {
                Ok(code) => *codes.lock().unwrap().entry(code).or_default() += 1,
                Err(_) => {
                    let small = stage.shrink(scene);
                    let why = stage.failure(&small).err().unwrap_or_default();
                    let text = format!("IPAI_SEED={}: {why}\n{small}", seed.wrapping_add(world));
                    eprintln!("{text}");
                    failures.lock().unwrap().push(text);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for number in [191, 192, 193] {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
    let failures = failures.into_inner().unwrap();
    let codes = codes.into_inner().unwrap();
    let found =
        format!("zones before the program: IPAI_SEED={seed}, N={worlds}, exit codes {codes:?}");
    gate::print(4, &found, failures.len(), began);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(codes.len() == 3, "nothing to do, changes and conflicts are all met: {codes:?}");
}
