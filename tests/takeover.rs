//! What exists already comes into a stack: records as TOML, and everything that is in the way by one `ipai adopt`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Command;

use common::{Ran, World, ipai};
use serde_json::json;

/// Records of a zone that people made by hand.
fn by_hand(world: &World) {
    for body in [
        json!({"type": "A", "name": "chat.example.com", "content": "203.0.113.7", "ttl": 300, "proxied": true}),
        json!({"type": "A", "name": "old.example.com", "content": "203.0.113.8", "ttl": 600, "comment": "ask Bob"}),
        json!({"type": "AAAA", "name": "old.example.com", "content": "2001:db8::8", "ttl": 1}),
        json!({"type": "MX", "name": "example.com", "content": "mail.example.com", "priority": 10, "ttl": 300}),
        json!({"type": "TXT", "name": "_dmarc.example.com", "content": "\"v=DMARC1; p=none; {{ mine }}\"", "ttl": 1}),
        json!({"type": "CNAME", "name": "a.b.example.com", "content": "chat.example.com", "ttl": 1}),
        json!({"type": "CAA", "name": "example.com", "data": {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}, "ttl": 1}),
        json!({"type": "SRV", "name": "_sip._tcp.example.com", "ttl": 1,
            "data": {"priority": 10, "weight": 5, "port": 5060, "target": "chat.example.com"}}),
        json!({"type": "NS", "name": "sub.example.com", "content": "ns1.example.net", "ttl": 1}),
    ] {
        world.cloud().add_foreign_record("example.com", body).unwrap();
    }
}

/// A stack with nothing in it yet.
const EMPTY: &str = "[stack]\nname = \"shop\"\n";

#[test]
fn the_records_of_a_zone_become_a_stack_whose_plan_is_empty_once_they_are_adopted() {
    let world = World::new();
    by_hand(&world);
    world.write("stack.toml", EMPTY);
    let before = world.records();
    let import = world.run(&["import-dns", "example.com"]).expect(0);
    let import = import.says("8 records, 1 left out").says("# Left out: NS sub.example.com");
    let import = import.says("# ask Bob\n[cloudflare.dns_record.old_a]");
    world.write("stack.toml", &format!("{EMPTY}\n{}", import.out));
    world.run(&["validate"]).expect(0).says("8 resources").keeps_quiet_about("warning");
    world.run(&["apply", "--auto-approve"]).expect(1).says("adopt");
    world.run(&["adopt"]).expect(1).says("--auto-approve");
    assert_eq!(world.records(), before, "nobody has agreed yet");
    let adopted = world.run(&["adopt", "--auto-approve"]).expect(0);
    let adopted = adopted.says("Adopting as cloudflare.dns_record.old_aaaa").says("No changes.");
    adopted.says("(comment: ask Bob)");
    world.expect_empty_plan();
    let bare = |records: Vec<serde_json::Value>| -> Vec<_> {
        let mut bare: Vec<String> = records
            .iter()
            .map(|one| {
                format!(
                    "{} {} {} {} {}",
                    one["id"], one["type"], one["name"], one["content"], one["ttl"]
                )
            })
            .collect();
        bare.sort();
        bare
    };
    assert_eq!(bare(world.records()), bare(before), "taken over, and otherwise as they were");
    let other = world.records()[0]["id"].as_str().unwrap().to_owned();
    let own = world.record("chat.example.com", "A")["id"].as_str().unwrap().to_owned();
    let named =
        if other == own { world.records()[1]["id"].as_str().unwrap().to_owned() } else { other };
    let twice = world.run(&["adopt", "cloudflare.dns_record.chat", &named]).expect(1);
    twice.says("It is another object");
    world.run(&["adopt", "cloudflare.dns_record.nosuch"]).expect(1).says("is not in the stack");
    // What the stack has by now is not written a second time.
    let again = world.run(&["import-dns", "example.com"]).expect(0);
    again.says("0 records, 1 left out").keeps_quiet_about("[cloudflare");
}

#[test]
fn import_dns_needs_no_stack_and_only_reads() {
    let world = World::new();
    by_hand(&world);
    let elsewhere = world.scratch.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let import = |words: &[&str]| -> Ran {
        let mut command = ipai(&elsewhere);
        command.arg("-C").arg(&elsewhere).arg("import-dns").args(words);
        command.env("CLOUDFLARE_BASE_URL", &world.simulator.cloudflare_url);
        command.env("CLOUDFLARE_API_TOKEN", "test-token").output().unwrap().into()
    };
    world.cloud().clear_log();
    let some = import(&["example.com", "--type", "a", "--type", "MX"]).expect(0);
    let toml: toml::Table = some.says("3 records, ").out.parse().unwrap();
    let records = toml["cloudflare"]["dns_record"].as_table().unwrap();
    assert_eq!(records.keys().collect::<Vec<_>>(), ["apex", "chat", "old"]);
    assert_eq!(records["chat"]["proxied"].as_bool(), Some(true));
    assert!(world.cloud().log().iter().all(|call| call.method == "GET"));
    import(&["nowhere.example"]).expect(1).says("nowhere.example").says("hint");
    import(&["not a zone"]).expect(1).says("Not a zone");
    import(&["example.com", "--type", "NS"]).expect(1);
    let mut bare = ipai(&elsewhere);
    let ran: Ran = bare.arg("import-dns").arg("example.com").output().unwrap().into();
    ran.expect(1).says("CLOUDFLARE_API_TOKEN is not set");
    assert!(std::fs::read_dir(&elsewhere).unwrap().next().is_none(), "nothing was written");
}

/// A project that somebody wrote and started by hand.
const BY_HAND: &str = "services:\n  web:\n    image: registry.example.com/app:1.2.0\n";

#[test]
fn a_running_project_its_files_and_records_are_taken_over_and_nothing_restarts() {
    let world = World::new();
    world.apply();
    for name in ["cloudflare.dns_record.mail", "host.file.page"] {
        world.run(&["forget", name, "--auto-approve"]).expect(0);
    }
    world.edit("index.html", "<h1>", "<h1>newer ");
    let folder = world.host_path("/opt/byhand");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("compose.yaml"), BY_HAND).unwrap();
    let file = folder.join("compose.yaml");
    let up = ["compose", "-p", "byhand", "-f", file.to_str().unwrap(), "up", "-d"];
    world.docker(&up).expect(0);
    let before = ["web", "app", "proxy"].map(|service| world.container(service));
    let project = "\n[host.compose.byhand]\nhost = \"digitalocean.droplet.web\"\nproject = \"byhand\"\n\
                   directory = \"/opt/byhand\"\ncontent = { template = \"byhand.yaml\" }\n";
    world.write("stack.toml", &format!("{}{project}", world.read("stack.toml")));
    world.write("byhand.yaml", BY_HAND);
    world.run(&["apply", "--auto-approve"]).expect(1).says("adopt host.compose.byhand`");
    let adopted = world.run(&["adopt", "--auto-approve"]).expect(0);
    let adopted =
        adopted.says("Adopting as cloudflare.dns_record.mail").says("Adopting as host.file.page");
    // What differs is said, and not done.
    adopted.says("Adopting as host.compose.byhand").says("~ host.compose.byhand").says("outdated");
    assert_eq!(["web", "app", "proxy"].map(|service| world.container(service)), before);
    world.run(&["adopt", "--auto-approve"]).expect(0).says("nothing to adopt");
    world.apply();
}

/// Types answers to a program at a terminal.
fn typed(program: &Command, answers: &str) -> Ran {
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let line = format!(
        "printf '{answers}' | script --quiet --return --command \"{}\" /dev/null",
        words.join(" ")
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).env_clear();
    program.get_current_dir().map(|folder| shell.current_dir(folder));
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("TERM", "dumb").output().unwrap().into()
}

#[test]
fn init_asks_a_person_for_what_was_not_said_and_asks_again() {
    let scratch = tempfile::TempDir::new().unwrap();
    let mut init = ipai(scratch.path());
    init.current_dir(scratch.path()).arg("init");
    let ran = typed(&init, "No Name\\nteam\\nops\\nno domain\\nexample.org\\n").expect(0);
    ran.says("Not a stack name").says("Not a domain").says("Made the stack `team`");
    let text = std::fs::read_to_string(scratch.path().join("team/stack.toml")).unwrap();
    assert!(text.contains("name = \"team\"") && text.contains("domain = \"example.org\""));
    let silent: Ran = init.output().unwrap().into();
    silent.expect(1).says("nobody can be asked here").says("ipai init stacks/web");
}

#[test]
fn the_folder_of_a_new_stack_may_be_named_as_any_stacks_is() {
    let scratch = tempfile::TempDir::new().unwrap();
    let run = |words: &[&str]| -> Ran {
        ipai(scratch.path()).current_dir(scratch.path()).args(words).output().unwrap().into()
    };
    run(&["-C", "web", "init", "--domain", "example.org"]).expect(0).says("ipai -C web --sandbox");
    assert!(scratch.path().join("web/.gitignore").exists());
    run(&["-C", "web", "--sandbox", "validate"]).expect(0).says("`web` is valid");
    let wrong = run(&["init", "shop", "--domain", "https://foo.com/x"]).expect(1);
    wrong.says("--domain foo.com");
}

#[test]
fn who_waits_for_the_sandbox_says_for_whom() {
    let scratch = tempfile::TempDir::new().unwrap();
    let start = |words: &[&str]| -> std::process::Child {
        let mut command = ipai(scratch.path());
        command.current_dir(scratch.path()).args(words).stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let ran = |child: std::process::Child| -> Ran { child.wait_with_output().unwrap().into() };
    ran(start(&["init", "web", "--domain", "example.org"])).expect(0);
    ran(start(&["-C", "web", "--sandbox", "plan"])).expect(0);
    let lock =
        std::fs::File::options().append(true).open(scratch.path().join("web/.ipai/sandbox/lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let waiting = start(&["-C", "web", "--sandbox", "plan"]);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    lock.unlock().unwrap();
    ran(waiting).expect(0).says("Waiting for `ipai plan` (process");
}

#[test]
fn every_template_validates_comes_up_and_is_never_written_over() {
    let key = ipai_host::host_key::KeyPair::from_seed(&[7; 32], "test").unwrap();
    for template in ["minimal", "ops"] {
        let scratch = tempfile::TempDir::new().unwrap();
        let folder = scratch.path().join("team");
        let run = |words: &[&str]| -> Ran {
            let mut command = ipai(scratch.path());
            command.args(["-C", folder.to_str().unwrap()]).args(words).output().unwrap().into()
        };
        std::fs::create_dir(scratch.path().join(".ssh")).unwrap();
        std::fs::write(scratch.path().join(".ssh/id_rsa.pub"), key.public()).unwrap();
        let mut init = ipai(scratch.path());
        init.arg("init").arg(&folder).args(["--from", template, "--domain", "example.org"]);
        let made: Ran = init.output().unwrap().into();
        made.expect(0);
        run(&["validate"]).expect(0).keeps_quiet_about("warning");
        run(&["--env", "staging", "validate"]).expect(i32::from(template == "minimal"));
        run(&["fmt", "--check"]).expect(0);
        let first = run(&["--sandbox", "plan"]).expect(0);
        first.says("the ports that it opens are not listed yet");
        run(&["--sandbox", "apply", "--auto-approve"]).expect(0).says("Apply complete!");
        run(&["--sandbox", "plan", "--detailed-exitcode"]).expect(0).says("No changes.");
        let again: Ran = init.output().unwrap().into();
        again.expect(1).says("There is a stack already");
    }
}
