//! What a stack tells others: its outputs, and which of its ports can be reached from where.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{CANARY, Ran, World};
use serde_json::{Value, json};

const OUTPUTS: &str = r#"
[output.url]
value = "https://www.{{ var.domain }}"
odoo = { connector = "chat", field = "base_url", parameter = "shop.url" }

[output.address]
value = "{{ digitalocean.droplet.web.ipv4 }}"
description = "where it is"

[output.key]
value = "it's {{ secret.api_key }}"
odoo = { connector = "chat", parameter = "shop.token_{id}" }

[output.nothing]
value = ""
odoo = { parameter = "shop.nothing" }
"#;

fn world() -> World {
    let world = World::new();
    let stack = world.read("stack.toml");
    world.write("stack.toml", &format!("{stack}{OUTPUTS}"));
    world
}

fn read(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_secret_is_handed_over_only_when_it_is_asked_for() {
    let world = world();
    world.apply();
    for arguments in
        [&["output"][..], &["output", "--format", "json"], &["output", "--format", "env"]]
    {
        world.run(arguments).expect(0).keeps_quiet_about(CANARY);
    }
    world.run(&["output", "key"]).expect(1).says("--show-secrets").keeps_quiet_about(CANARY);
    let shown = world.run(&["output", "key", "--show-secrets"]).expect(0);
    assert_eq!(shown.out, format!("it's {CANARY}\n"));
    let env = world.run(&["output", "--format", "env", "--show-secrets"]).expect(0).out;
    assert!(env.contains(&format!("KEY='it'\\''s {CANARY}'\n")), "{env}");
    let json = read(&world.run(&["output", "--format", "json"]).expect(0));
    assert_eq!(json["key"], json!({"value": null, "sensitive": true, "description": ""}));
    assert!(json["address"]["value"].as_str().unwrap().starts_with("127."), "{json}");
    world.run(&["output", "addres"]).expect(1).says("did you mean address?");
}

#[test]
fn odoo_is_told_by_the_code_of_its_connectors() {
    let world = world();
    world.apply();
    let odoo = ["output", "--format", "odoo"];
    let hidden =
        world.run(&odoo).expect(0).says("1 secrets are left out").keeps_quiet_about(CANARY);
    let url = "https://www.example.com";
    assert_eq!(read(&hidden)["connectors"], json!([{"base_url": url, "code": "chat"}]));
    let whole = read(&world.run(&[&odoo[..], &["--show-secrets"]].concat()).expect(0));
    let token = json!({"shop.token_{id}": format!("it's {CANARY}")});
    assert_eq!(whole["connectors"][0]["parameters"], token);
    assert_eq!(whole["parameters"], json!({"shop.url": url}), "what is empty is left out");
}

#[test]
fn what_a_host_made_is_read_there_and_only_for_who_asks() {
    let world = World::new();
    let from = r#"
[output.token]
from = { host = "digitalocean.droplet.web", file = "/opt/ipai/shop/made.json", pointer = "/chat/token" }
odoo = { connector = "chat", parameter = "shop.token_{id}" }
"#;
    let stack = world.read("stack.toml");
    world.write("stack.toml", &format!("{stack}{from}"));
    world.apply();
    let asked = ["output", "--format", "odoo", "--show-secrets"];
    world.run(&asked).expect(0).says("warning: token is left out").says("cannot be read");
    std::fs::write(world.host_path("/opt/ipai/shop/made.json"), r#"{"chat":{"token":"made-5c1"}}"#)
        .unwrap();
    world.run(&["output", "--format", "odoo"]).expect(0).keeps_quiet_about("made-5c1");
    let odoo = read(&world.run(&asked).expect(0));
    assert_eq!(odoo["connectors"][0]["parameters"]["shop.token_{id}"], "made-5c1");
    std::fs::write(world.host_path("/opt/ipai/shop/made.json"), "made-5c1").unwrap();
    world.run(&asked).expect(0).says("is not JSON").keeps_quiet_about("made-5c1");
}

#[test]
fn before_an_apply_outputs_say_what_they_wait_for() {
    let world = world();
    world.run(&["output"]).expect(0).says("(known after apply)");
    let mistakes = [
        ("[output.x]\n", "Missing key `value`"),
        (
            "[output.x]\nvalue = \"{{ secret.api_key }}\"\nsensitive = false\n",
            "A secret that is not sensitive",
        ),
        ("[output.x]\nvalue = \"a\"\nodoo = { field = \"b\" }\n", "Odoo would not know"),
    ];
    let stack = world.read("stack.toml");
    for (text, says) in mistakes {
        world.write("stack.toml", &format!("{stack}\n{text}"));
        world.run(&["validate"]).expect(1).says(says).keeps_quiet_about(CANARY);
    }
}

#[test]
fn the_plan_says_which_ports_become_reachable_and_from_where() {
    let world = World::new();
    let plan = world.run(&["plan"]).expect(0).says("Reachable: digitalocean.droplet.web");
    plan.says("+ tcp 443").says("+ tcp 22").says("the host itself").says("from 0.0.0.0/0 ::/0");
    world.apply();
    world.run(&["plan"]).expect(0).keeps_quiet_about("Reachable:");
    let all = read(&world.run(&["plan", "--json"]).expect(0));
    assert_eq!(all["exposure"].as_array().unwrap().len(), 2, "{:#}", all["exposure"]);
    assert!(all["exposure"].as_array().unwrap().iter().all(|e| e["change"] == "stays"));
    // A database port that is published passes by the host's own firewall; the cloud's keeps it in.
    world.edit(
        "compose.yaml",
        "[\"443:443\"]",
        "[\"443:443\", \"5432:5432\", \"127.0.0.1:9000:9000\"]",
    );
    world
        .run(&["plan"])
        .expect(0)
        .says("+ tcp 5432")
        .says("from nowhere")
        .keeps_quiet_about("9000  ");
    world.edit("stack.toml", "\"tcp 443 from", "\"tcp 5000-6000 from 10.0.0.0/8\", \"tcp 443 from");
    world.run(&["plan"]).expect(0).says("+ tcp 5432").says("from 10.0.0.0/8");
    let text = world.read("stack.toml");
    let (before, rest) = text.split_once("[digitalocean.firewall.web]").unwrap();
    let (_, after) = rest.split_once("[cloudflare.dns_record.www]").unwrap();
    world.write("stack.toml", &format!("{before}[cloudflare.dns_record.www]{after}"));
    world
        .run(&["plan"])
        .expect(0)
        .says("from everywhere: no firewall stands in front of this host");
}

#[test]
fn the_stack_that_ships_tells_odoo_of_every_connector() {
    let scratch = tempfile::TempDir::new().unwrap();
    common::copy_folder(&common::repository().join("stacks/ops"), &scratch.path().join("ops"));
    let mut command = common::ipai(scratch.path());
    command.arg("-C").arg(scratch.path().join("ops")).args([
        "--sandbox",
        "output",
        "--format",
        "odoo",
    ]);
    let odoo = read(&common::run(command).expect(0));
    let codes: Vec<&str> =
        odoo["connectors"].as_array().unwrap().iter().filter_map(|c| c["code"].as_str()).collect();
    assert_eq!(codes, ["focalboard", "mattermost", "n8n"]);
    assert_eq!(odoo["parameters"]["ipai_superset.base_url"], "https://superset.insightpulseai.com");
}
