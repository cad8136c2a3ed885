//! Plan files that somebody made up, with a checksum that is right.

use ipai_core::plan::SavedPlan;
use serde_json::Value;

use crate::common::World;

/// Rewrites a saved plan, and seals it as if ipai had made it.
pub(crate) fn forge(text: &str, change: impl FnOnce(&mut Value)) -> String {
    let saved = SavedPlan::read(text, None).unwrap();
    let mut plan = serde_json::to_value(&saved.plan).unwrap();
    change(&mut plan);
    SavedPlan::new(serde_json::from_value(plan).unwrap(), &saved.exposure, &saved.ipai_version)
        .to_text()
}

/// Says of each action that it is done for this reason.
pub(crate) fn because(reason: &str) -> impl Fn(&mut Value) {
    move |plan| {
        for action in plan["actions"].as_array_mut().unwrap() {
            action["reason"] = reason.into();
        }
    }
}

#[test]
fn a_plan_file_cannot_ask_for_destruction() {
    let world = World::new();
    let records = "[cloudflare.dns_record.a]\nzone = \"example.com\"\nname = \"a\"\ntype = \"A\"\ncontent = \"203.0.113.7\"\n";
    let stack = format!("[stack]\nname = \"shop\"\n{records}");
    world.write("stack.toml", &stack);
    world.apply();
    let path = world.scratch.path().join("x.plan");
    let file = path.to_str().unwrap();
    // What this plan deletes a destroy would delete as well.
    world.write(
        "stack.toml",
        &stack.replace("dns_record.a]", "dns_record.b]").replace("name = \"a\"", "name = \"b\""),
    );
    world.run(&["plan", "--out", file]).expect(0);
    let text = std::fs::read_to_string(&path).unwrap();
    let forged = forge(&text, |plan| {
        plan["actions"].as_array_mut().unwrap().retain(|action| action["verb"] == "delete");
        because("destroyed")(plan);
    });
    std::fs::write(&path, forged).unwrap();
    world.write("stack.toml", &stack);
    world.run(&["apply", file, "--detailed-exitcode"]).expect(4).says("now there is nothing to do");
    assert_eq!(world.records().len(), 1);
}
