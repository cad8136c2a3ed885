//! Thousands of generated worlds, each a stack that was applied, an edit, and accidents in between; what must hold of
//! every plan is asserted of each.
//!
//! `IPAI_SEED=N` makes other worlds, `IPAI_WORLDS=N` more of them, `IPAI_FIRST=N` begins at a certain one. A world that
//! fails is made as small as it can be and printed as TOML.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../tests/gate/mod.rs"]
mod gate;
mod toy;
mod worlds;

use std::collections::BTreeSet;
use std::time::Instant;

use worlds::{Scene, failure, shrink};

const SEED: u64 = 20_260_701;
const WORLDS: u64 = 10_000;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn every_plan_is_sound_and_leads_where_the_stack_wants() {
    let (seed, first) = (number("IPAI_SEED", SEED), number("IPAI_FIRST", 0));
    let end = first + number("IPAI_WORLDS", WORLDS);
    println!("IPAI_SEED={seed}: worlds {first} to {end}");
    let began = Instant::now();
    let middle = first.midpoint(end);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| (middle..end).for_each(|index| check(seed, index)));
        (first..middle).for_each(|index| check(seed, index));
        other.join().unwrap();
    });
    gate::print(4, &format!("worlds in the core: IPAI_SEED={seed}, N={}", end - first), 0, began);
}

fn check(seed: u64, index: u64) {
    let scene = Scene::generate(seed, index);
    if let Some(why) = failure(&scene) {
        let small = shrink(scene);
        let why = failure(&small).unwrap_or(why);
        panic!("IPAI_SEED={seed} IPAI_FIRST={index} IPAI_WORLDS=1 fails: {why}\n{small}");
    }
}

#[test]
fn the_worlds_meet_every_verb_and_reason() {
    let mut met = BTreeSet::new();
    for index in 0..1000 {
        met.extend(worlds::met(&Scene::generate(SEED, index)));
    }
    let all = [
        "CannotUpdate",
        "Conflict",
        "Deleted",
        "Destroyed",
        "Drifted",
        "DuplicateOf",
        "Edited",
        "HomeIsNew",
        "NoLongerDesired",
        "NotFound",
        "NotGenerated",
        "Note",
        "Requested",
        "Same",
        "WaitsFor",
    ];
    let missing: Vec<&str> = all.into_iter().filter(|name| !met.contains(*name)).collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

#[test]
fn a_failing_world_is_shrunk_to_what_makes_it_fail() {
    let scene = (0..).map(|index| Scene::generate(SEED, index)).find(|s| s.now.len() > 2).unwrap();
    let guilty = |scene: &Scene| scene.now.len() > 1;
    let small = worlds::shrink_while(scene, guilty);
    assert!(small.now.len() == 2 && small.before.is_empty() && small.accidents.is_empty());
    assert!(small.to_string().contains("[toy."));
}
