//! The plan's JSON has the shape that docs/plan.schema.json promises to programs, whatever is planned, and when planning
//! fails.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{World, repository};
use serde_json::{Value as Json, json};

/// What a document has that the schema does not allow.
fn wrong(document: &Json) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("docs/plan.schema.json")).unwrap();
    let schema: Json = serde_json::from_str(&text).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "this is no JSON Schema");
    let schema = jsonschema::validator_for(&schema).unwrap();
    let found = schema.iter_errors(document);
    found.map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The plan of a world as JSON; it passes, and its exit code is the process's.
#[track_caller]
fn plan(world: &World, more: &[&str]) -> Json {
    let ran = world.run(&[&["plan", "--json", "--detailed-exitcode"], more].concat());
    let document: Json = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(wrong(&document), [""; 0], "{document:#}");
    assert_eq!(document["exit_code"], json!(ran.code));
    document
}

/// The actions of all changes, each once.
fn actions(document: &Json) -> Vec<String> {
    let all = document["resource_changes"].as_array().unwrap();
    let mut found: Vec<String> =
        all.iter().map(|one| one["change"]["actions"].to_string()).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_kind_of_plan_passes_its_schema() {
    let world = World::new();
    assert_eq!(actions(&plan(&world, &[])), [r#"["create"]"#]);
    world.apply();
    assert_eq!(actions(&plan(&world, &[])), [r#"["no-op"]"#]);
    let id = world.record("example.com", "MX")["id"].as_str().unwrap().to_owned();
    world.cloud().edit_record("example.com", &id, json!({"priority": 20})).unwrap();
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    let changed = plan(&world, &[]);
    assert_eq!(actions(&changed), [r#"["no-op"]"#, r#"["update"]"#]);
    assert_eq!(changed["resource_drift"][0]["address"], "cloudflare.dns_record.mail");
    let replaced = plan(&world, &["--replace", "digitalocean.droplet.web"]);
    assert!(actions(&replaced).contains(&r#"["delete","create"]"#.to_owned()), "{replaced:#}");
    world.edit("stack.toml", "[cloudflare.dns_record.spf]", "[cloudflare.dns_record.other]");
    world.edit("stack.toml", "[cloudflare.dns_record.apex6]", "[cloudflare.dns_record.six]");
    let foreign =
        json!({"type": "CNAME", "name": "alias.example.com", "content": "x.example.net", "ttl": 1});
    world.cloud().add_foreign_record("example.com", foreign).unwrap();
    let alias = "\n[cloudflare.dns_record.alias]\nzone = \"example.com\"\nname = \"alias\"\ntype = \"CNAME\"\ncontent = \"y.example.net\"\n";
    world.write("stack.toml", &format!("{}{alias}", world.read("stack.toml")));
    let refused = plan(&world, &[]);
    assert!(actions(&refused).contains(&r#"["delete"]"#.to_owned()), "{refused:#}");
    assert!(!refused["conflicts"].as_array().unwrap().is_empty());
}

#[test]
fn a_plan_of_a_part_opens_nothing_that_is_open() {
    let world = World::new();
    world.apply();
    world.edit(
        "stack.toml",
        "name = \"www\"\ntype = \"A\"",
        "name = \"www\"\nttl = 300\ntype = \"A\"",
    );
    let turns = |document: &Json| -> Vec<Json> {
        let all = document["exposure"].as_array().unwrap();
        all.iter().map(|one| one["change"].clone()).collect()
    };
    let part = plan(&world, &["--target", "cloudflare.dns_record.www"]);
    assert!(
        !turns(&part).is_empty() && turns(&part).iter().all(|turn| turn == "stays"),
        "{part:#}"
    );
    world.edit("compose.yaml", "443:443", "8443:443");
    assert!(turns(&plan(&world, &[])).contains(&json!("opens")));
    assert!(
        !turns(&plan(&world, &["--target", "cloudflare.dns_record.www"])).contains(&json!("opens"))
    );
}

#[test]
fn the_schema_refuses_what_it_does_not_promise() {
    let world = World::new();
    let good = plan(&world, &[]);
    for (path, value) in [
        ("/format_version", json!("2.0")),
        ("/resource_changes", Json::Null),
        ("/resource_changes/0/change/actions", json!(["destroy"])),
        ("/resource_changes/0/change/before", json!({})),
        ("/resource_changes/0/address", json!("nonsense")),
        ("/summary/add", json!(-1)),
        ("/exit_code", json!("2")),
        ("/errored", json!("no")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        assert!(!wrong(&bad).is_empty(), "{path}");
    }
}

#[test]
fn a_saved_plan_is_shown_in_the_same_shape() {
    let world = World::new();
    let file = world.scratch.path().join("a.plan");
    let file = file.to_str().unwrap();
    world.run(&["plan", "--out", file]).expect(0);
    let shown: Json =
        serde_json::from_str(&world.run(&["show", file, "--json"]).expect(0).out).unwrap();
    assert_eq!(wrong(&shown), [""; 0]);
    // Who reviews the file sees what its author saw.
    let planned = world.run(&["plan"]).expect(0).out;
    assert!(planned.contains("Reachable: "), "{planned}");
    assert_eq!(world.run(&["show", file]).expect(0).out, planned);
}

#[test]
fn when_planning_fails_the_json_says_why_where_and_with_which_exit_code() {
    let world = World::new();
    world.edit("stack.toml", "region = \"fra1\"", "regoin = \"fra1\"");
    let failed = plan(&world, &[]);
    assert_eq!((&failed["errored"], &failed["exit_code"]), (&json!(true), &json!(1)));
    let range = |document: &Json| -> Vec<String> {
        let all = document["diagnostics"].as_array().unwrap();
        all.iter().map(|one| format!("{} {}", one["hint"], one["range"]["start"]["line"])).collect()
    };
    assert!(range(&failed).iter().any(|one| one.contains("did you mean `region`?")), "{failed:#}");
    let validated = world.run(&["validate", "--json"]).expect(1);
    let validated: Json = serde_json::from_str(&validated.out).unwrap();
    assert_eq!((&validated["valid"], &validated["error_count"]), (&json!(false), &json!(1)));
    assert_eq!(range(&validated), range(&failed));
    world.edit("stack.toml", "regoin = \"fra1\"", "region = \"fra1\"");
    let valid: Json =
        serde_json::from_str(&world.run(&["validate", "--json"]).expect(0).out).unwrap();
    assert_eq!((&valid["valid"], &valid["exit_code"]), (&json!(true), &json!(0)));
    world.cloud().fault(ipai_simulator::Fault::first(
        "GET",
        "/v2/droplets",
        ipai_simulator::FaultKind::Respond {
            status: 401,
            headers: Vec::new(),
            body: r#"{"id":"unauthorized","message":"Unable to authenticate you"}"#.into(),
        },
    ));
    let denied = plan(&world, &[]);
    assert!(
        denied["diagnostics"][0]["summary"].as_str().unwrap().contains("droplets"),
        "{denied:#}"
    );
}

/// The messages of a run, each as JSON; the last one tells the process's exit code.
#[track_caller]
fn messages(world: &World, words: &[&str]) -> Vec<Json> {
    let ran = world.run(&[words, &["--json", "--detailed-exitcode"]].concat());
    let lines = ran.out.lines().map(|line| serde_json::from_str(line).unwrap());
    let messages: Vec<Json> = lines.collect();
    assert_eq!(messages[0]["type"], "version");
    assert_eq!(messages.last().unwrap()["exit_code"], json!(ran.code), "{}", ran.all());
    messages
}

#[test]
fn a_stream_of_messages_ends_with_the_exit_code_however_it_ends() {
    let world = World::new();
    let has = |messages: &[Json], kind: &str| messages.iter().any(|one| one["type"] == kind);
    world.edit("stack.toml", "region = \"fra1\"", "regoin = \"fra1\"");
    let invalid = messages(&world, &["apply", "--auto-approve"]);
    assert!(has(&invalid, "diagnostic") && has(&invalid, "exit"));
    world.edit("stack.toml", "regoin = \"fra1\"", "region = \"fra1\"");
    let unasked = messages(&world, &["apply"]);
    assert!(has(&unasked, "planned_change") && has(&unasked, "diagnostic"));
    assert_eq!(unasked.last().unwrap()["exit_code"], json!(1));
    let applied = messages(&world, &["apply", "--auto-approve"]);
    assert!(has(&applied, "apply_complete") && !has(&applied, "exit"));
    assert_eq!(applied.last().unwrap()["exit_code"], json!(2));
    let guarded = messages(&world, &["destroy", "--auto-approve"]);
    assert_eq!(guarded.last().unwrap()["exit_code"], json!(5));
}
