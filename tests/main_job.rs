//! The main job on the small stack, as its user would do it: apply, plan again, edit, drift, destroy.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{CANARY, World};
use ipai_simulator::Vendor;
use serde_json::json;

#[test]
fn brings_a_stack_up_from_nothing_and_plans_nothing_afterwards() {
    let world = World::new();
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("+ digitalocean.droplet.web")
        .says("(known after apply)")
        .says("13 to add, 0 to change, 0 to destroy.");
    assert!(world.droplets().is_empty(), "plan changes nothing");
    world.apply().says("Apply complete! Resources: 13 added, 0 changed, 0 destroyed.");
    let page = std::fs::read_to_string(world.host_path("/opt/ipai/shop/site/index.html")).unwrap();
    let address = world.cloud().droplet_address(world.droplet()).unwrap();
    assert_eq!(page, format!("<h1>hello from {address}</h1>\n"));
    assert_eq!(world.record("www.example.com", "A")["content"], json!(address.to_string()));
    world.run(&["apply", "--auto-approve", "--detailed-exitcode"]).expect(0).says("No changes.");
}

#[test]
fn a_plan_with_everything_in_place_costs_what_architecture_says() {
    let world = World::new();
    world.apply();
    let counters = world.hosts.counters(world.droplet()).unwrap();
    let before = counters.all();
    world.cloud().clear_log();
    world.expect_empty_plan();
    let log = world.cloud().log();
    let digitalocean: Vec<String> = log
        .iter()
        .filter(|e| e.vendor == Vendor::DigitalOcean)
        .map(|e| e.template.clone())
        .collect();
    let cloudflare = log.iter().filter(|e| e.vendor == Vendor::Cloudflare).count();
    assert_eq!(digitalocean.len(), 3, "lists of droplets, firewalls and tags: {digitalocean:?}");
    assert_eq!(cloudflare, 2, "the zone, then its records");
    assert!(log.iter().all(|exchange| exchange.method == "GET"), "plan only reads");
    let used: Vec<u64> = counters.all().iter().zip(before).map(|(now, then)| now - then).collect();
    assert_eq!(used, [1, 1, 1, 1], "one connection, one login, one channel, one exec");
}

#[test]
fn shows_exactly_the_edited_resources_with_their_reasons() {
    let world = World::new();
    world.apply();
    let untouched = world.container("proxy");
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    world.edit(
        "compose.yaml",
        "image: registry.example.com/app:1.0.0\n    restart: unless-stopped",
        "image: registry.example.com/app:1.1.0\n    restart: unless-stopped",
    );
    let plan = world.run(&["plan"]).expect(0);
    let plan = plan
        .says("0 to add, 3 to change, 0 to destroy.")
        .says("the stack was edited")
        .says("+<h1>good day");
    let plan = plan
        .says("~ host.file.page")
        .says("~ cloudflare.dns_record.spf")
        .says("~ host.compose.shop");
    plan.says("1.1.0").keeps_quiet_about("rift");
    world.apply().says("0 added, 3 changed, 0 destroyed.");
    assert_eq!(
        world.container("proxy"),
        untouched,
        "a service that nothing changed for keeps running"
    );
    assert_eq!(
        world.record("example.com", "TXT")["content"].as_str().unwrap().trim_matches('"'),
        "v=spf1 mx -all"
    );
}

#[test]
fn tells_drift_from_edits_and_mends_it() {
    let world = World::new();
    world.apply();
    let www = world.record("www.example.com", "A");
    world.cloud().delete_record("example.com", www["id"].as_str().unwrap()).unwrap();
    std::fs::remove_file(world.host_path("/opt/ipai/shop/site/index.html")).unwrap();
    let (app, _) = world.container("app");
    world.docker(&["rm", "-f", &app]).expect(0);
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
    let plan = plan.says("cloudflare.dns_record.www").says("host.file.page").says("services.app");
    assert_eq!(plan.out.matches("drifted").count(), 3, "{}", plan.out);
    world.apply();
    world.container("app");
}

#[test]
fn a_record_changed_by_hand_is_drift_and_a_file_too() {
    let world = World::new();
    world.apply();
    let spf = world.record("example.com", "TXT");
    world
        .cloud()
        .edit_record(
            "example.com",
            spf["id"].as_str().unwrap(),
            json!({"content": "\"v=spf1 +all\""}),
        )
        .unwrap();
    let by_hand = world.host_path("/opt/ipai/shop/proxy/Caddyfile");
    std::fs::write(&by_hand, "# by hand\n").unwrap();
    // Surely after the containers started, so that none of them can have loaded it.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::options().write(true).open(&by_hand).unwrap().set_modified(later).unwrap();
    let plan = world.run(&["plan"]).expect(0).says("0 to add, 2 to change").says("-# by hand");
    assert_eq!(plan.out.matches("drifted").count(), 2, "{}", plan.out);
    world.apply();
}

#[test]
fn foreign_objects_stay_byte_for_byte_through_the_whole_life_of_a_stack() {
    let world = World::new();
    let cloud = world.cloud();
    cloud.add_foreign_droplet("blog", &["web"]).unwrap();
    for body in [
        json!({"type": "A", "name": "blog.example.com", "content": "203.0.113.9", "ttl": 300}),
        json!({"type": "CAA", "name": "blog.example.com", "data": {"flags": 0, "tag": "issue", "value": "ca.example.net"}}),
        json!({"type": "TXT", "name": "example.com", "content": "\"other=1\"", "comment": "somebody else's"}),
    ] {
        cloud.add_foreign_record("example.com", body).unwrap();
    }
    let before = (world.records(), cloud.droplets());
    world.apply();
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    world.apply();
    world
        .run(&["destroy", "--auto-approve", "--allow-data-loss", "digitalocean.droplet.web"])
        .expect(0)
        .says("Destroy complete!");
    assert_eq!((world.records(), cloud.droplets()), before);
    let tags = serde_json::to_string(&cloud.snapshot()).unwrap();
    assert!(!tags.contains("ipai"), "nothing of ours is left: {tags}");
}

#[test]
fn destroying_data_needs_the_address_on_the_command_line() {
    let world = World::new();
    world.apply();
    let refused = world.run(&["destroy", "--auto-approve", "--detailed-exitcode"]).expect(5);
    refused.says("--allow-data-loss digitalocean.droplet.web");
    world.droplet();
    world.edit("stack.toml", "region = \"fra1\"", "region = \"ams3\"");
    world
        .run(&["plan"])
        .expect(0)
        .says("-/+ digitalocean.droplet.web")
        .says("# forces replacement");
    world
        .run(&["apply", "--auto-approve"])
        .expect(1)
        .says("--allow-data-loss digitalocean.droplet.web");
    let old = world.droplet();
    world
        .run(&["apply", "--auto-approve", "--allow-data-loss", "digitalocean.droplet.web"])
        .expect(0);
    world.expect_empty_plan();
    assert_ne!(world.droplet(), old);
}

#[test]
fn what_is_used_at_birth_only_never_replaces_a_droplet() {
    let world = World::new();
    world.apply();
    let droplet = world.droplet();
    world.edit("stack.toml", "debian-13-x64", "ubuntu-24-04-x64");
    world.edit("cloud-init.yaml", "#cloud-config", "#cloud-config\npackage_update: true");
    world.run(&["plan", "--detailed-exitcode"]).expect(0).says("used only when it is created");
    world.run(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(world.droplet(), droplet);
}

#[test]
fn a_reload_service_is_reloaded_and_a_recreate_service_recreated() {
    let world = World::new();
    world.apply();
    let (proxy, app) = (world.container("proxy"), world.container("app"));
    world.edit("Caddyfile", "app:8080", "app:8081");
    world.apply();
    assert_eq!(world.container("proxy"), proxy, "reloaded in place");
    assert_eq!(world.container("app"), app);
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"hi\"");
    world.apply();
    assert_eq!(world.container("proxy"), proxy);
    assert_ne!(
        world.container("app").0,
        app.0,
        "its mounted file changed, so it is a new container"
    );
}

#[test]
fn a_saved_plan_is_done_exactly_or_refused_when_the_world_moved() {
    let world = World::new();
    world.apply();
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    let file = world.scratch.path().join("reviewed.plan");
    let file = file.to_str().unwrap();
    world.run(&["plan", "--out", file]).expect(0);
    world.run(&["show", file]).expect(0).says("~ cloudflare.dns_record.spf");
    let mail = world.record("example.com", "MX");
    world
        .cloud()
        .edit_record("example.com", mail["id"].as_str().unwrap(), json!({"priority": 20}))
        .unwrap();
    let refused = world.run(&["apply", file, "--detailed-exitcode"]).expect(4);
    refused.says("cloudflare.dns_record.mail").says("moved");
    world
        .cloud()
        .edit_record("example.com", mail["id"].as_str().unwrap(), json!({"priority": 10}))
        .unwrap();
    world
        .run(&["apply", file, "--detailed-exitcode"])
        .expect(2)
        .says("0 added, 1 changed, 0 destroyed.");
    world.expect_empty_plan();
}

#[test]
fn what_a_run_tells_to_type_next_is_about_the_same_stack_environment_and_world() {
    let world = World::new();
    world.write("stack.staging.toml", "[var]\ngreeting = \"staging\"\n");
    let stack = world.stack().display().to_string();
    let path = world.scratch.path().join("a plan").display().to_string();
    let saved = world.run(&["plan", "--out", &path]).expect(0);
    saved.says(&format!("\n  ipai -C {stack} apply '{path}'\n"));
    let options = ["--env", "staging", "--sandbox", "--var", "greeting=it's"];
    let ipai = format!("ipai -C {stack} --env staging --sandbox --var 'greeting=it'\\''s'");
    let run = |arguments: &[&str]| world.run(&[&options, arguments].concat());
    run(&["plan", "--out", &path]).expect(0).says(&format!("\n  {ipai} apply '{path}'\n"));
    run(&["apply"]).expect(1).says(&format!("{ipai} plan --out FILE && {ipai} apply FILE"));
    run(&["logs", "app"]).expect(1).says(&format!("{ipai} apply"));
    world.run(&["status"]).says(&format!("ipai -C {stack} plan shows how."));
    let body = json!({"type": "MX", "name": "example.com", "content": "mail.example.com", "priority": 10, "ttl": 300});
    world.cloud().add_foreign_record("example.com", body).unwrap();
    let adopt = format!("`ipai -C {stack} adopt cloudflare.dns_record.mail`");
    world.run(&["plan"]).expect(1).says(&adopt);
}

#[test]
fn a_failed_step_stops_what_needs_it_and_the_next_apply_carries_on() {
    use ipai_simulator::{Fault, FaultKind};
    let world = World::new();
    let fault = FaultKind::Respond {
        status: 422,
        headers: Vec::new(),
        body: r#"{"id":"unprocessable_entity","message":"no capacity"}"#.into(),
    };
    world.cloud().fault(Fault::first("POST", "/v2/droplets", fault));
    let failed = world.run(&["apply", "--auto-approve"]).expect(1);
    let again = format!("Run `ipai -C {} apply` again", world.stack().display());
    failed.says("no capacity").says("cloudflare.dns_record.www").says(&again);
    assert_eq!(
        world.record("example.com", "MX")["priority"],
        10,
        "what does not need the droplet was done"
    );
    world.apply();
}

#[test]
fn an_existing_record_is_adopted_by_name_only() {
    let world = World::new();
    let body = json!({"type": "MX", "name": "example.com", "content": "mail.example.com", "priority": 10, "ttl": 300});
    let id = world.cloud().add_foreign_record("example.com", body).unwrap();
    world
        .run(&["apply", "--auto-approve", "--detailed-exitcode"])
        .expect(5)
        .says("adopt cloudflare.dns_record.mail");
    assert!(world.droplets().is_empty());
    world.run(&["adopt", "cloudflare.dns_record.mail", "--auto-approve"]).expect(0);
    world.run(&["plan"]).expect(0).says("~ cloudflare.dns_record.mail").says("300");
    world.apply();
    assert_eq!(world.record("example.com", "MX")["id"], json!(id), "taken over, not made anew");
    world.run(&["forget", "cloudflare.dns_record.mail", "--auto-approve"]).expect(0);
    let forgotten = world.record("example.com", "MX");
    assert_eq!(forgotten["id"], json!(id));
    assert!(!forgotten["comment"].to_string().contains("ipai"), "{forgotten}");
    for (arguments, says) in [
        (["adopt", "cloudflare.dns_record.spf"], "ipai's already"),
        (["adopt", "digitalocean.firewall.web"], "ipai's already"),
        (["forget", "cloudflare.dns_record.mail"], "Nothing to forget"),
    ] {
        world.run(&arguments).says(says).keeps_quiet_about("nothing was contacted");
    }
    world.cloud().clear_log();
    let wrong = ["adopt", "digitalocean.droplet.web", "--host-key", "MD5:aa"];
    world.run(&wrong).expect(1).says("nothing was contacted");
    assert_eq!(world.cloud().log().len(), 0);
    let nothing = World::new().run(&["adopt", "cloudflare.dns_record.mail"]).expect(1);
    nothing.says("Nothing to adopt").keeps_quiet_about("nothing was contacted");
}

#[test]
fn no_secret_is_printed_saved_or_world_readable() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let file = world.scratch.path().join("first.plan");
    let file = file.to_str().unwrap();
    world.run(&["plan", "-v", "--out", file]).expect(0).keeps_quiet_about(CANARY);
    world.run(&["apply", "-v", file]).expect(0).keeps_quiet_about(CANARY);
    world.run(&["plan", "--json"]).expect(0).keeps_quiet_about(CANARY);
    let mut changed = world.command(&["plan", "-v"]);
    let changed: common::Ran =
        changed.env("SHOP_API_KEY", "another-canary").output().unwrap().into();
    changed
        .expect(0)
        .says("(sensitive value)")
        .keeps_quiet_about(CANARY)
        .keeps_quiet_about("another-canary");
    assert!(!std::fs::read_to_string(file).unwrap().contains(CANARY));
    let env = world.host_path("/opt/ipai/shop/app.env");
    assert!(std::fs::read_to_string(&env).unwrap().contains(CANARY));
    assert_eq!(std::fs::metadata(&env).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn every_request_and_answer_of_a_whole_life_fits_the_vendors_own_documents() {
    let world = World::new();
    world.apply();
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    world.edit("stack.toml", "tags = [\"shop\"]", "tags = [\"shop\", \"blue\"]");
    world.edit("stack.toml", "\"tcp 443 from 0.0.0.0/0 ::/0\"", "\"tcp 443 from 203.0.113.0/24\"");
    world.apply();
    world.edit("stack.toml", "region = \"fra1\"", "region = \"ams3\"");
    let allow = ["--auto-approve", "--allow-data-loss", "digitalocean.droplet.web"];
    world.run(&[&["apply"], &allow[..]].concat()).expect(0);
    world.run(&[&["destroy"], &allow[..]].concat()).expect(0);
    let validator = ipai_simulator::openapi::Validator::new().unwrap();
    let log = world.cloud().log();
    let violations: Vec<String> =
        log.iter().flat_map(|exchange| validator.check(exchange)).collect();
    assert_eq!(violations, Vec::<String>::new());
    assert!(log.len() > 40, "only {} exchanges were checked", log.len());
}
