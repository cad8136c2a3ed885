//! What is wrong is said at once, with its place and a way out; nothing is sent and nothing changes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{CANARY, Ran, World};
use ipai_simulator::{Fault, FaultKind};

/// Edits the stack, plans and applies: both must fail with these words, and nobody may have been asked anything.
#[track_caller]
fn refused(edit: impl Fn(&World), words: &[&str]) {
    let world = World::new();
    edit(&world);
    for command in [&["plan"][..], &["apply", "--auto-approve"], &["validate"]] {
        let ran = world.run(command).expect(1);
        words.iter().for_each(|word| {
            assert!(ran.err.contains(word), "{command:?} lacks {word}:\n{}", ran.err)
        });
        assert_eq!(ran.out, "", "data goes to standard output, talk does not");
    }
    assert_eq!(world.cloud().log().len(), 0, "nothing was sent");
}

#[track_caller]
fn refused_in_stack(from: &str, to: &str, words: &[&str]) {
    refused(|world| world.edit("stack.toml", from, to), words);
}

#[test]
fn broken_toml() {
    refused_in_stack("name = \"shop\"\n", "name = \"shop\n", &["stack.toml:4:", "Not valid TOML"]);
}

#[test]
fn an_unknown_key_with_the_nearest_known_one() {
    refused_in_stack(
        "region = \"fra1\"",
        "regoin = \"fra1\"",
        &["stack.toml:19:1", "regoin = \"fra1\"", "Unknown key `regoin`", "did you mean `region`?"],
    );
}

#[test]
fn an_unknown_resource_type_or_provider() {
    refused_in_stack(
        "[host.compose.shop]",
        "[host.composed.shop]",
        &["Unknown resource type `host.composed`", "did you mean `host.compose`?"],
    );
    refused_in_stack(
        "[host.compose.shop]",
        "[hosts.compose.shop]",
        &["Unknown key `hosts`", "did you mean `host`?"],
    );
}

#[test]
fn a_misspelled_type_is_one_mistake_whatever_refers_to_it() {
    let world = World::new();
    world.edit("stack.toml", "[digitalocean.droplet.web]", "[digitalocean.droplt.web]");
    let told = world.run(&["validate"]).expect(1).err;
    assert!(told.contains("Unknown resource type `digitalocean.droplt`"), "{told}");
    assert!(!told.contains("Reference to nothing"), "{told}");
    assert!(told.contains("\n1 error;"), "{told}");
}

#[test]
fn what_compose_would_refuse() {
    for (from, to, words) in [
        ("    env_file:", "    env_fil:", &["compose.yaml:11:", "did you mean `env_file`?"][..]),
        ("      migrate:\n", "      migrat:\n", &["compose.yaml:17:", "did you mean `migrate`?"]),
        ("./site:/site:ro", "site:/site:ro", &["compose.yaml:13:", "Undefined volume"]),
    ] {
        refused(|world| world.edit("compose.yaml", from, to), words);
    }
}

#[test]
fn a_check_of_a_service_that_nothing_runs() {
    let check = "[check.app]\nservice = \"shop/ap\"\ncommand = [\"true\"]\n\n[host.compose.shop]";
    refused_in_stack(
        "[host.compose.shop]",
        check,
        &["A check of an unknown service", "did you mean \"app\"?"],
    );
}

#[test]
fn a_check_that_is_off_or_only_names_what_it_is_about_is_no_mistake() {
    let check = |check: &str| {
        let world = World::new();
        world.edit("stack.toml", "[host.compose.shop]", &format!("{check}\n\n[host.compose.shop]"));
        world.run(&["validate"]).expect(0).err
    };
    let off = "[check.ap]\nwhen = false\nservice = \"ap\"\ncommand = [\"true\"]";
    assert!(!check(off).contains("unknown service"));
    let about = "[check.ap]\nservice = \"ap\"\nurl = \"https://www.example.com\"";
    assert!(check(about).contains("warning: A check of an unknown service"));
}

#[test]
fn what_a_compose_file_with_a_secret_says_is_not_quoted() {
    let world = World::new();
    let service = "  leak:\n    image: x:1\n    networks: [\"{{ secret.api_key }}\"]\n";
    let last = "  migrate:\n    image";
    world.edit("compose.yaml", last, &format!("{service}{last}"));
    for command in [&["validate"][..], &["validate", "--json"]] {
        let ran = world.run(command).expect(1);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("Undefined network") && !said.contains(CANARY), "{said}");
    }
}

#[test]
fn an_address_is_written_as_it_is() {
    for host in ["{{ digitalocean.droplet.web }}", "{{ digitalocean.droplet.web.id }}"] {
        refused_in_stack(
            "host = \"digitalocean.droplet.web\"",
            &format!("host = \"{host}\""),
            &["`host` takes an address as it is", "write host = \"digitalocean.droplet.web\""],
        );
    }
    refused_in_stack(
        "host = \"digitalocean.droplet.web\"",
        "host = \"web\"",
        &["Reference to nothing", "did you mean \"digitalocean.droplet.web\"?"],
    );
}

#[test]
fn a_backup_of_what_is_not_there_or_at_no_time() {
    let backup = "[backup]\ncompose = \"host.compose.shop\"\nrepository = \"s3:x\"\npassword = \"p\"\nschedule = \"30 2 * * *\"\n\n[backup.service.ap]\nvolumes = [\"dta\"]\n\n[host.compose.shop]";
    refused_in_stack(
        "[host.compose.shop]",
        backup,
        &[
            "Not a schedule",
            "schedule = \"*-*-* 02:30:00\"",
            "A backup of an unknown service",
            "did you mean \"app\"?",
            "A backup of an unknown volume",
        ],
    );
}

#[test]
fn a_wrong_type() {
    refused_in_stack(
        "priority = 10\n\n[cloudflare.dns_record.authority]",
        "priority = \"ten\"\n\n[cloudflare.dns_record.authority]",
        &["stack.toml:", "Wrong type for `priority`", "an integer"],
    );
}

#[test]
fn a_duplicate_address() {
    refused_in_stack(
        "[cloudflare.dns_record.apex6]",
        "[cloudflare.dns_record.www]",
        &["stack.toml:", "Duplicate address"],
    );
}

#[test]
fn a_reference_to_nothing() {
    refused_in_stack(
        "{{ digitalocean.droplet.web.ipv4 }}",
        "{{ digitalocean.droplet.wbe.ipv4 }}",
        &["Reference to nothing", "did you mean `digitalocean.droplet.web`?"],
    );
    refused_in_stack(
        "after = [\"cloudflare.dns_record.www\"]",
        "after = [\"cloudflare.dns_record.ww\"]",
        &["Reference to nothing"],
    );
}

#[test]
fn a_reference_cycle() {
    let cycle = "content = \"www.{{ var.domain }}\"\nafter = [\"host.compose.shop\"]\n\n[cloudflare.dns_record.spf]";
    refused(
        |world| {
            world.edit(
                "stack.toml",
                "content = \"www.{{ var.domain }}\"\n\n[cloudflare.dns_record.spf]",
                cycle,
            );
            world.edit(
                "stack.toml",
                "after = [\"cloudflare.dns_record.www\"]",
                "after = [\"cloudflare.dns_record.shop\"]",
            );
        },
        &["Reference cycle", "cloudflare.dns_record.shop", "host.compose.shop"],
    );
}

#[test]
fn template_errors_with_the_templates_own_line() {
    refused(
        |world| world.write("index.html", "<p>\n{{ var.greting }}\n"),
        &["index.html:2:", "Undefined variable", "did you mean `var.greeting`?"],
    );
    refused(
        |world| world.write("index.html", "<p>\n\n{% if %}\n"),
        &["index.html:3:", "Template syntax error"],
    );
}

#[test]
fn a_missing_template() {
    refused_in_stack(
        "\"index.html\"",
        "\"indx.html\"",
        &["stack.toml:", "Missing file", "indx.html"],
    );
}

#[test]
fn a_missing_secret() {
    let world = World::new();
    let ran: Ran = world.command(&["plan"]).env_remove("SHOP_API_KEY").output().unwrap().into();
    ran.expect(1).says("Missing secret").says("SHOP_API_KEY").says("stack.toml:");
    refused(
        |world| world.edit("stack.toml", "{{ secret.api_key }}", "{{ secret.apikey }}"),
        &["Missing secret", "did you mean `secret.api_key`?"],
    );
    assert_eq!(world.cloud().log().len(), 0);
}

#[test]
fn a_record_outside_the_zone() {
    refused_in_stack(
        "name = \"www\"",
        "name = \"www.example.org.\"",
        &["stack.toml:", "outside the zone", "example.com"],
    );
}

#[test]
fn a_cname_beside_an_address() {
    refused_in_stack(
        "name = \"shop\"\ntype = \"CNAME\"",
        "name = \"www\"\ntype = \"CNAME\"",
        &["cloudflare.dns_record.shop", "cloudflare.dns_record.www", "CNAME"],
    );
}

#[test]
fn user_data_over_64_kib() {
    refused(
        |world| {
            world.write("cloud-init.yaml", &format!("#cloud-config\n# {}\n", "x".repeat(65 * 1024)))
        },
        &["stack.toml:23:", "user-data is too long", "64512 fit"],
    );
}

#[test]
fn all_errors_at_once() {
    refused(
        |world| {
            world.edit("stack.toml", "region = \"fra1\"", "regoin = \"fra1\"");
            world.edit("stack.toml", "{{ secret.api_key }}", "{{ secret.apikey }}");
            world.write("index.html", "{{ var.greting }}");
        },
        &["Unknown key `regoin`", "Missing secret", "Undefined variable", "3 errors"],
    );
}

#[test]
fn nobody_who_could_log_in() {
    refused(
        |world| world.write("authorized_keys", "# none\n"),
        &["Nobody could log in", "authorized_keys"],
    );
}

#[test]
fn plan_files_of_every_wrong_kind() {
    let world = World::new();
    let file = world.scratch.path().join("a.plan");
    let path = file.to_str().unwrap();
    world.run(&["plan", "--out", path]).expect(0);
    let text = std::fs::read_to_string(&file).unwrap();
    world.cloud().clear_log();
    for (broken, words) in [
        (text[..text.len() / 2].to_owned(), "damaged or cut short"),
        (text.replace("\"www.example.com\"", "\"evil.example.com\""), "changed"),
        (text.replace("\"format_version\": \"1.", "\"format_version\": \"9."), "another version"),
        (text.replace("\"stack\": \"shop\"", "\"stack\": \"other\""), "changed"),
        ("not a plan".into(), "Not a plan file"),
    ] {
        assert_ne!(broken, text, "{words}");
        std::fs::write(&file, broken).unwrap();
        world.run(&["apply", path]).expect(1).says(words).says("ipai plan --out FILE");
    }
    std::fs::write(&file, text).unwrap();
    world.edit("stack.toml", "name = \"shop\"\n", "name = \"bazaar\"\n");
    world.run(&["apply", path]).expect(1).says("another stack");
    world.run(&["apply", "nowhere.plan"]).expect(1).says("No such plan file");
    assert_eq!(world.cloud().log().len(), 0, "nothing was sent");
}

#[test]
fn no_token() {
    let world = World::new();
    let mut command = world.command(&["plan"]);
    let ran: Ran = command
        .env_remove("DIGITALOCEAN_TOKEN")
        .env_remove("CLOUDFLARE_API_TOKEN")
        .output()
        .unwrap()
        .into();
    ran.expect(1)
        .says("DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN")
        .says("CLOUDFLARE_API_TOKEN")
        .says("Zone:Read");
    assert_eq!(world.cloud().log().len(), 0);
}

/// Runs `plan` and `apply` with one variable changed; both must fail with these words and change nothing.
#[track_caller]
fn refused_with(world: &World, name: &str, value: &str, words: &[&str]) {
    for arguments in [&["plan"][..], &["apply", "--auto-approve"]] {
        let ran: Ran = world.command(arguments).env(name, value).output().unwrap().into();
        let ran = ran.expect(1);
        words.iter().for_each(|word| assert!(ran.err.contains(word), "lacks {word}:\n{}", ran.err));
    }
    assert!(world.droplets().is_empty() && world.records().is_empty(), "nothing was changed");
}

#[test]
fn a_wrong_token() {
    let world = World::new();
    refused_with(&world, "DIGITALOCEAN_TOKEN", "invalid", &["DIGITALOCEAN_TOKEN"]);
    refused_with(&world, "CLOUDFLARE_API_TOKEN", "invalid", &["CLOUDFLARE_API_TOKEN"]);
}

#[test]
fn an_api_that_cannot_be_reached() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::new();
    refused_with(
        &world,
        "DIGITALOCEAN_API_URL",
        &format!("http://{closed}"),
        &["cannot", "refused"],
    );
    refused_with(
        &world,
        "CLOUDFLARE_BASE_URL",
        &format!("http://{closed}/client/v4"),
        &["cannot", "refused"],
    );
    refused_with(&world, "DIGITALOCEAN_API_URL", "http://192.0.2.1", &["unencrypted"]);
}

#[test]
fn an_api_that_answers_html() {
    let html = || FaultKind::Respond {
        status: 200,
        headers: vec![("content-type".into(), "text/html".into())],
        body: "<html>captive portal</html>".into(),
    };
    for (template, vendor) in [("/v2/droplets", "DigitalOcean"), ("/zones", "Cloudflare")] {
        let world = World::new();
        world.cloud().fault(Fault::first("GET", template, html()).times(9));
        let ran =
            world.run(&["apply", "--auto-approve"]).expect(1).says("captive portal").says("cannot");
        assert!(world.cloud().faults_fired() > 0, "{vendor}: {}", ran.err);
        assert!(world.droplets().is_empty());
    }
}

/// A world with an applied stack whose host was made to fail in this way.
fn world_with(change: impl Fn(&mut ipai_simulator::hosts::HostFaults)) -> World {
    let world = World::new();
    world.apply();
    let mut faults = world.hosts.faults(world.droplet()).unwrap();
    change(&mut faults);
    world.runtime.block_on(world.hosts.set_faults(world.droplet(), faults)).unwrap();
    world
}

#[test]
fn ssh_that_is_refused() {
    let world = world_with(|faults| faults.refuse_connections = true);
    // A young droplet may still boot, so what lives on it counts as not there yet; an old one is an error.
    world.run(&["plan"]).expect(0).says("still in its first boot");
    world.age_droplet();
    world.run(&["plan"]).expect(1).says("digitalocean.droplet.web").says("hint");
}

#[test]
fn an_ssh_key_that_is_not_let_in() {
    let world = world_with(|faults| faults.refuse_auth = true);
    world.age_droplet();
    world.run(&["plan"]).expect(1).says("deploy").says("hint");
}

#[test]
fn a_wrong_host_key_is_a_hard_stop() {
    let world = world_with(|faults| faults.other_host_key = true);
    let before = world.hosts.counters(world.droplet()).unwrap().all();
    let ran = world.run(&["apply", "--auto-approve"]).expect(1).says("SHA256:").says("host key");
    let after = world.hosts.counters(world.droplet()).unwrap().all();
    assert_eq!(after[1..], before[1..], "no login, no channel, no exec");
    ran.keeps_quiet_about(CANARY);
}

#[test]
fn a_folder_without_a_stack() {
    let world = World::new();
    let ran: Ran =
        common::ipai(&world.home()).args(["-C", "/nonexistent", "plan"]).output().unwrap().into();
    ran.expect(1).says("No such stack").says("ipai init");
    world
        .run(&["--env", "staging", "plan"])
        .expect(1)
        .says("stack.staging.toml")
        .says("environments of this stack: none");
}

#[test]
fn usage_errors_exit_with_1() {
    let world = World::new();
    world.run(&["pln"]).expect(1).says("plan");
    world.run(&["plan", "--bogus"]).expect(1);
    world.run(&["apply"]).expect(1).says("--auto-approve");
}

#[test]
fn a_compose_file_that_is_not_yaml_is_shown_at_the_line_of_its_template() {
    refused(
        |world| world.edit("compose.yaml", "    restart: \"no\"", "    restart: : no"),
        &["Not a Compose file", "compose.yaml:21:5", "restart: : no"],
    );
}

#[test]
fn user_data_that_is_not_yaml_is_shown_at_the_line_of_its_template() {
    refused(
        |world| world.write("cloud-init.yaml", "#cloud-config\nruncmd: [\n"),
        &["user-data is not a YAML mapping", "cloud-init.yaml:"],
    );
}

#[test]
fn a_permission_to_lose_what_nobody_has() {
    let world = World::new();
    let typo = ["--auto-approve", "--allow-data-loss", "digitalocean.droplet.wbe"];
    for command in ["apply", "destroy"] {
        let arguments: Vec<&str> = [command].into_iter().chain(typo).collect();
        world
            .run(&arguments)
            .expect(1)
            .says("No such resource")
            .says("did you mean digitalocean.droplet.web?");
    }
    assert!(world.droplets().is_empty() && world.records().is_empty(), "nothing was changed");
}

#[test]
fn a_domain_for_a_new_stack_that_is_none() {
    let world = World::new();
    world.run(&["init", "new", "--domain", "foo bar"]).expect(1).says("Not a domain");
    assert!(!world.stack().join("new").exists());
}

#[test]
fn a_file_that_a_link_takes_from_outside_of_the_stack() {
    let link = |world: &World, to: &std::path::Path| {
        let name = world.stack().join("compose.yaml");
        std::fs::rename(&name, world.stack().join("real.yaml")).unwrap();
        std::os::unix::fs::symlink(to, name).unwrap();
    };
    refused(
        |world| link(world, &world.home().join("key")),
        &["Not a file of the stack", "is a link to", "outside of the stack's folder"],
    );
    let world = World::new();
    link(&world, std::path::Path::new("real.yaml"));
    world.run(&["validate"]).expect(0);
}
