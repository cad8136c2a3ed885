//! `ipai secrets` and its neighbours as a person uses them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod secret_life;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ran, World};
use secret_life::{fed, secret};

/// The small stack with secrets of every kind.
fn shop() -> World {
    let world = World::new();
    world.edit(
        "stack.toml",
        "[secret.api_key]\nenv = \"SHOP_API_KEY\"\n",
        "[secret.api_key]\nenv = \"SHOP_API_KEY\"\n\n[secret.session]\ngenerate = \"hex\"\n\n[secret.admin]\n\n\
         [secret.admin_hash]\ngenerate = \"bcrypt\"\nof = \"admin\"\n\n[secret.deploy]\ngenerate = \"keypair\"\n\n\
         [secret.deploy_public]\ngenerate = \"public_key\"\nof = \"deploy\"\n\n\
         [host.file.secrets]\nhost = \"digitalocean.droplet.web\"\npath = \"/opt/ipai/shop/all.env\"\n\
         content = \"S={{ secret.session }}\\nA={{ secret.admin | envquote }}\\nH={{ secret.admin_hash | envquote }}\\nP={{ secret.deploy_public }}\\n{{ secret.deploy }}\"\n",
    );
    let key = world.home().join("key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    world.run(&["secrets", "init"]).expect(0);
    world
}

fn set(world: &World, name: &str, value: &str) -> Ran {
    fed(world.command(&["secrets", "set", name]), value)
}

/// The text of each secret's block in the file, by name.
fn blocks(world: &World) -> BTreeMap<String, String> {
    let text = world.read("secrets.toml");
    let blocks = text.split("[secret.").skip(1).map(|block| block.split_once(']').unwrap());
    blocks.map(|(name, rest)| (name.to_owned(), rest.trim_end().to_owned())).collect()
}

/// An editor that runs a shell script on the file.
fn editor(world: &World, script: &str) -> PathBuf {
    let path = world.scratch.path().join("editor");
    std::fs::write(&path, format!("#!/bin/sh\nset -eu\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn edit(world: &World, script: &str) -> Ran {
    let editor = editor(world, script);
    world.command(&["secrets", "edit"]).env("EDITOR", editor).output().unwrap().into()
}

#[test]
fn generated_secrets_are_made_before_anything_is_contacted_and_follow_each_other() {
    let world = shop();
    world.run(&["secrets", "generate"]).expect(1).says("`admin_hash` is made from `admin`");
    set(&world, "admin", "Open-sesame_42-to-everybody\n").expect(0).says("admin_hash follows it");
    world.run(&["secrets", "generate"]).expect(0).says("Made deploy, deploy_public, session.");
    world.run(&["secrets", "generate"]).expect(0).says("Nothing to make");
    world.run(&["secrets", "generate", "api_key"]).expect(1).says("Not a generated secret");
    assert!(secret(&world, "deploy_public").starts_with("ssh-ed25519 "));
    assert!(world.cloud().log().is_empty(), "nobody was asked");
    let before = blocks(&world);
    set(&world, "admin", "Another-sesame_43-for-everybody").expect(0);
    let after = blocks(&world);
    for name in before.keys() {
        assert_eq!(before[name] != after[name], name.starts_with("admin"), "{name}");
    }
    world.apply();
    let held = world.host_path("/opt/ipai/shop/all.env");
    let text = std::fs::read_to_string(&held).unwrap();
    assert!(text.contains("A='Another-sesame_43-for-everybody'\nH='$2b$10$"), "{text}");
    assert_eq!(std::fs::metadata(held).unwrap().permissions().mode() & 0o777, 0o600);
    world.run(&["secrets", "audit"]).expect(0).says("Nothing found. 6 secrets, 1 recipient.\n");
}

#[test]
fn a_stored_secret_is_rotated_with_what_comes_in_and_never_to_the_same() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    let rotate = || world.command(&["secrets", "rotate", "admin"]);
    fed(rotate(), "Open-sesame_42-to-everybody\n").expect(1).says("Not a new value");
    fed(rotate(), "").expect(1);
    fed(rotate(), "Another-sesame_43-for-everybody\n").expect(0).says("Rotated admin, admin_hash.");
    assert_eq!(secret(&world, "admin"), "Another-sesame_43-for-everybody");
}

#[test]
fn editing_keeps_what_was_not_edited_byte_for_byte_and_leaves_no_plain_text_behind() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    world.run(&["secrets", "generate"]).expect(0);
    let before = blocks(&world);
    let seen = world.scratch.path().join("seen");
    let script = format!(
        "stat -c '%a %n' \"$1\" \"$(dirname \"$1\")\" > {0}; cp \"$1\" \"$1.swap\"\n\
         sed -i -e 's/sesame_42/sesame_99/' -e '/^session/d' \"$1\"; echo 'extra = \"brand new\"' >> \"$1\"",
        seen.display()
    );
    edit(&world, &script).expect(0).says("Stored admin, extra. Removed session.");
    assert_eq!(secret(&world, "admin"), "Open-sesame_99-to-everybody");
    let after = blocks(&world);
    for name in ["deploy", "deploy_public", "admin_hash", "ipai_fingerprint_key"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(!after.contains_key("session") && after.contains_key("extra"));
    let seen = std::fs::read_to_string(seen).unwrap();
    let lines: Vec<(&str, &str)> = seen.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!((lines[0].0, lines[1].0), ("600", "700"), "{seen}");
    assert!(!Path::new(lines[1].1).exists(), "the folder and the editor's copy are gone");
    edit(&world, "true").expect(0).says("Nothing was changed.");
    edit(&world, "exit 3").expect(1).says("nothing was stored");
    assert_eq!(blocks(&world), after);
}

#[test]
fn a_broken_edit_stores_nothing_and_says_where_without_the_text() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    let before = world.read("secrets.toml");
    let broken = edit(&world, "printf 'admin = telltale\\n' > \"$1\"").expect(1);
    broken.says("line 1").keeps_quiet_about("telltale");
    assert_eq!(world.read("secrets.toml"), before);
}

/// Runs the program in a pseudo-terminal and types each answer when its question is there. `script` is in every Debian
/// and Ubuntu (bsdutils).
fn typed(world: &World, arguments: &[&str], answers: &[(&str, &str)]) -> (i32, String) {
    let program = world.command(arguments);
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    terminal.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut searched) = (String::new(), 0);
    let mut byte = [0];
    let mut answers = answers.iter();
    let mut next = answers.next();
    while output.read(&mut byte).unwrap() == 1 {
        seen.push(char::from(byte[0]));
        if let Some((question, answer)) = next
            && seen[searched..].contains(question)
        {
            input.write_all(answer.as_bytes()).unwrap();
            searched = seen.len();
            next = answers.next();
        }
    }
    (child.wait().unwrap().code().unwrap_or(-1), seen)
}

#[test]
fn at_a_terminal_a_value_is_asked_for_twice_and_not_shown() {
    let world = shop();
    let set = &["secrets", "set", "admin"];
    let (first, second) = ("Value of admin (not shown): ", "Once more: ");
    let value = "Open-sesame_42-to-everybody\n";
    let (code, seen) = typed(&world, set, &[(first, value), (second, value)]);
    assert!(code == 0 && !seen.contains("sesame"), "{code}: {seen}");
    assert_eq!(secret(&world, "admin"), value.trim_end());
    let before = world.read("secrets.toml");
    let (code, seen) =
        typed(&world, set, &[(first, "one-thing-1234\n"), (second, "another-5678\n")]);
    assert!(code == 1 && seen.contains("the two were different"), "{code}: {seen}");
    let (code, seen) = typed(&world, set, &[(first, "half\u{3}")]);
    assert!(code == 130 && seen.contains("Interrupted") && !seen.contains("half"), "{seen}");
    let (code, _) = typed(
        &world,
        &["secrets", "rotate", "admin"],
        &[(first, "New-sesame_7-for-all\n"), (second, "New-sesame_7-for-all\n")],
    );
    assert_eq!((code, secret(&world, "admin").as_str()), (0, "New-sesame_7-for-all"));
    assert_ne!(world.read("secrets.toml"), before);
}

#[test]
fn a_secret_is_printed_on_request_alone() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    let get = &["secrets", "get", "admin"];
    let refused = world.run(get).expect(1).says(" secrets get admin --reveal");
    assert_eq!(refused.keeps_quiet_about("sesame").out, "");
    let shown = world.run(&[&get[..], &["--reveal"]].concat()).expect(0);
    assert_eq!(shown.out, "Open-sesame_42-to-everybody\n");
}

#[test]
fn a_command_that_goes_wrong_is_named_with_its_secret_and_runs_without_a_shell() {
    let source = |argv: &str| {
        let world = World::new();
        world.edit("stack.toml", "env = \"SHOP_API_KEY\"", &format!("command = {argv}"));
        world
    };
    let endless = source("[\"yes\", \"telltale\"]").run(&["plan"]).expect(1);
    endless
        .says("`secret.api_key`: `yes` printed more than 1048576 bytes")
        .keeps_quiet_about("telltale");
    let failed = source("[\"false\"]").run(&["plan"]).expect(1);
    failed.says("`secret.api_key`: `false` ended with exit status: 1");
    let absent = source("[\"no-such-program\"]").run(&["plan"]).expect(1);
    absent.says("`secret.api_key`: `no-such-program` cannot be run");
    let words = source("[\"printf\", \"%s\", \"$(touch witness); touch witness\"]");
    words.run(&["plan"]).expect(0);
    assert!(!words.stack().join("witness").exists());
    let large = World::new();
    large.edit("stack.toml", "env = \"SHOP_API_KEY\"", "file = \"/dev/zero\"");
    large.run(&["plan"]).expect(1).says("`secret.api_key`: /dev/zero cannot be read");
}

#[test]
fn two_people_who_edit_at_once_lose_nothing() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    // While the editor is open, somebody else stores another secret: both changes stand.
    let other = |name: &str, value: &str| {
        format!(
            "printf '{value}' | SHOP_API_KEY=x HOME={} {} -C {} secrets set {name} 2>/dev/null\n",
            world.home().display(),
            env!("CARGO_BIN_EXE_ipai"),
            world.stack().display()
        )
    };
    let script = other("elsewhere", "from-another-desk") + "sed -i 's/sesame_42/sesame_43/' \"$1\"";
    edit(&world, &script).expect(0).says("Stored admin.");
    assert_eq!(secret(&world, "elsewhere"), "from-another-desk");
    assert_eq!(secret(&world, "admin"), "Open-sesame_43-to-everybody");
    // The same secret: the one who comes second is told, and the first one's value stands.
    let script = other("elsewhere", "first") + "sed -i 's/from-another-desk/second/' \"$1\"";
    edit(&world, &script).expect(1).says("somebody else changed elsewhere");
    assert_eq!(secret(&world, "elsewhere"), "first");
}

#[test]
fn an_audit_names_each_fault_with_its_place_and_no_value() {
    let world = shop();
    world.edit(
        "stack.toml",
        "[secret.session]\n",
        "[secret.idle]\n\n[secret.gone]\n\n[secret.session]\n",
    );
    for (name, value) in
        [("admin", "changeme"), ("idle", "Q7tn3VxzL0PbW2yk"), ("stray", "Q7tn3VxzL0PbW2yk")]
    {
        set(&world, name, value).expect(0);
    }
    world.write("notes.md", "first line\nuse Q7tn3VxzL0PbW2yk there\n");
    world.write("old.pem", "-----BEGIN RSA PRIVATE KEY-----\nx\n");
    let ran = world.run(&["secrets", "audit"]).expect(1);
    let ran = ran.says("Unused secret").says("No template and no check uses `idle`");
    let ran = ran.says("the stack declares no `[secret.stray]`").says("secrets.toml:");
    let ran = ran.says("`admin`: it is one of the words that are tried first");
    let ran = ran.says("Missing secret").says("`gone`").says("Secrets not made yet").says("deploy");
    let ran =
        ran.says("notes.md:2: the value of the secret `idle`").says("old.pem:1: a private key");
    ran.says("secrets rotate admin")
        .keeps_quiet_about("Q7tn3VxzL0PbW2yk")
        .keeps_quiet_about("changeme");
    // Two names, one value.
    set(&world, "gone", "Q7tn3VxzL0PbW2yk").expect(0);
    world.run(&["secrets", "audit"]).expect(1).says("gone, idle have one value");
    // Somebody took a recipient off the list by hand, and the values are still theirs to read.
    let text = world.read("secrets.toml");
    let extra = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    world.run(&["secrets", "recipients", "add", extra]).expect(0);
    let with_extra = world.read("secrets.toml");
    let without = with_extra.lines().filter(|line| !line.contains(extra)).map(|l| format!("{l}\n"));
    world.write("secrets.toml", &without.collect::<String>());
    world.run(&["secrets", "audit"]).expect(1).says("Stale recipients");
    world.run(&["secrets", "recipients", "reseal"]).expect(0);
    let sealed = world.run(&["secrets", "audit"]).expect(1);
    assert!(!sealed.out.contains("Stale recipients"), "{}", sealed.out);
    assert_ne!(world.read("secrets.toml"), text);
}

#[test]
fn tokens_come_from_a_file_or_standard_input_and_never_from_the_command_line() {
    let world = World::new();
    let bare = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env_remove("DIGITALOCEAN_TOKEN").env_remove("CLOUDFLARE_API_TOKEN");
        command
    };
    let lines = "# both\nexport DIGITALOCEAN_TOKEN=test-token\nCLOUDFLARE_API_TOKEN='test-token'\n";
    let ran: Ran = bare(&["plan"]).output().unwrap().into();
    ran.expect(1).says("No token");
    fed(bare(&["--token-file", "-", "plan"]), lines).expect(0).says("13 to add");
    let file = world.scratch.path().join("tokens");
    std::fs::write(&file, lines).unwrap();
    let from_file = || -> Ran {
        bare(&["plan", "--token-file", file.to_str().unwrap()]).output().unwrap().into()
    };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    from_file().expect(1).says("others can read it; chmod 600");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    from_file().expect(0).says("13 to add");
    fed(bare(&["--token-file", "-", "plan"]), "telltale\n").expect(1).keeps_quiet_about("telltale");
    for arguments in [
        &["--token", "telltale", "plan"][..],
        &["plan", "--token=telltale"],
        &["plan", "--digitalocean-token", "telltale"],
        &["plan", "--cloudflare-api-token=telltale"],
    ] {
        let refused = world.run(arguments).expect(1);
        refused.says("A token on the command line").keeps_quiet_about("telltale");
    }
}

#[test]
fn a_fresh_machine_with_the_repository_an_age_key_and_two_tokens_goes_on_where_the_other_left_off()
{
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    world.apply();
    let identity = std::fs::read_to_string(world.home().join(".config/sops/age/keys.txt")).unwrap();
    let identity = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    let elsewhere = world.scratch.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let fresh = |arguments: &[&str], key: Option<&str>| -> Ran {
        let mut command = world.command(arguments);
        command.env("HOME", &elsewhere);
        command.envs(key.map(|key| ("SOPS_AGE_KEY", key)));
        common::run(command)
    };
    fresh(&["plan", "--detailed-exitcode"], Some(identity)).expect(0).says("No changes.");
    let without = fresh(&["plan"], None).expect(1);
    let without = without.says("SOPS_AGE_KEY").says("ipai secrets init");
    without.says("1 error; nothing was contacted");
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"from elsewhere\"");
    fresh(&["apply", "--auto-approve"], Some(identity)).expect(0).says("2 changed, 0 destroyed.");
    world.expect_empty_plan();
    assert_eq!(blocks(&world).len(), 6, "nothing was made anew");
}

#[test]
fn damaged_files_and_strangers_identities_are_clear_errors_and_nothing_is_lost() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    let whole = world.read("secrets.toml");
    let cut = whole.rfind("-----BEGIN AGE").unwrap() + 90;
    world.write("secrets.toml", &whole[..cut]);
    world.run(&["plan"]).expect(1).says("secrets.toml:");
    let middle = whole.find("-----BEGIN AGE").unwrap() + 120;
    let mut altered = whole.clone();
    altered
        .replace_range(middle..middle + 1, if &whole[middle..=middle] == "A" { "B" } else { "A" });
    world.write("secrets.toml", &altered);
    world.run(&["plan"]).expect(1).says("secrets.toml:");
    world.run(&["secrets", "rotate", "session"]).expect(1);
    assert_eq!(world.read("secrets.toml"), altered, "nothing was written over a damaged file");
    world.write("secrets.toml", &whole);
    let stranger = world.scratch.path().join("stranger");
    std::fs::create_dir(&stranger).unwrap();
    let foreign = |arguments: &[&str]| -> Ran {
        world.command(arguments).env("HOME", &stranger).output().unwrap().into()
    };
    std::fs::create_dir_all(world.scratch.path().join("other")).unwrap();
    std::fs::copy(world.stack().join("stack.toml"), world.scratch.path().join("other/stack.toml"))
        .unwrap();
    let mut other = common::ipai(&stranger);
    let made: Ran = other
        .arg("-C")
        .arg(world.scratch.path().join("other"))
        .args(["secrets", "init"])
        .output()
        .unwrap()
        .into();
    made.expect(0);
    foreign(&["plan"]).expect(1).says("ipai secrets recipients add age1");
    foreign(&["secrets", "rotate", "session"]).expect(1);
    assert_eq!(world.read("secrets.toml"), whole);
}

#[test]
fn the_doctor_names_what_will_not_work_with_its_fix_and_changes_nothing() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    world.apply();
    world.cloud().clear_log();
    let well = world.run(&["doctor"]).expect(0).says("zone example.com").says("disk of");
    let well = well.says("clock of DigitalOcean").says("clock of digitalocean.droplet.web");
    assert!(!well.out.contains("FAIL") && !well.out.contains("warn"), "{}", well.out);
    let log = world.cloud().log();
    assert!(!log.is_empty() && log.iter().all(|exchange| exchange.method == "GET"));

    let with = |name: &str, value: &str| -> Ran {
        world.command(&["doctor"]).env(name, value).output().unwrap().into()
    };
    with("DIGITALOCEAN_TOKEN", "invalid-x")
        .expect(1)
        .says("FAIL  DigitalOcean token")
        .says("fix: ");
    let nobody = ["DIGITALOCEAN_API_URL", "CLOUDFLARE_BASE_URL"];
    let mut alone = world.command(&["doctor"]);
    alone.envs(nobody.map(|name| (name, "http://127.0.0.1:1/")));
    let alone: Ran = alone.output().unwrap().into();
    let bad = alone.out.lines().filter(|line| line.starts_with("FAIL") || line.starts_with("warn"));
    assert!(bad.clone().count() >= 2, "{}", alone.out);
    assert_eq!(bad.count(), alone.out.matches("fix: ").count(), "{}", alone.out);
    let reads = with("CLOUDFLARE_API_TOKEN", "readonly-x").expect(0);
    reads.says("enough for plan; apply lacks DNS:Edit");
    with("CLOUDFLARE_API_TOKEN", "norights-x").expect(1).says("FAIL  zone example.com");
    let ran: Ran =
        world.command(&["doctor"]).env_remove("CLOUDFLARE_API_TOKEN").output().unwrap().into();
    ran.expect(1).says("CLOUDFLARE_API_TOKEN is not set").says("disk of");
    let ran: Ran =
        world.command(&["doctor"]).env("HOME", world.scratch.path()).output().unwrap().into();
    ran.expect(1).says("FAIL  secrets").says("ipai secrets init");
    let json = world.run(&["doctor", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["healthy"], true);
    assert!(json["findings"].as_array().unwrap().iter().all(|finding| finding["grade"] == "ok"));
}

#[test]
fn the_sandbox_has_secrets_of_its_own_and_each_environment_others() {
    let world = shop();
    set(&world, "admin", "Open-sesame_42-to-everybody").expect(0);
    world.write("stack.staging.toml", "[var]\ngreeting = \"staging\"\n");
    let sandbox = |arguments: &[&str]| world.run(&[&["--sandbox"], arguments].concat());
    let real = world.read("secrets.toml");
    let staging = ["--env", "staging", "secrets", "set", "admin"];
    let given = [("admin", &["secrets", "set", "admin"][..]), ("staged", &staging)];
    for (value, arguments) in given {
        let command = world.command(&[&["--sandbox"], arguments].concat());
        fed(command, &format!("{value}-sesame_44-for-the-sandbox")).expect(0);
    }
    let list = sandbox(&["secrets", "list"]).expect(0);
    list.says(".ipai/sandbox/secrets.toml").says("will be generated by the next apply");
    sandbox(&["--env", "staging", "secrets", "list"])
        .expect(0)
        .says("sandbox/secrets.staging.toml");
    let get = ["secrets", "get", "admin", "--reveal"];
    sandbox(&get).expect(0).says("admin-sesame_44");
    sandbox(&[&["--env", "staging"], &get[..]].concat()).expect(0).says("staged-sesame_44");
    // Plan and apply read the same files.
    sandbox(&["secrets", "generate"]).expect(0).says("session");
    sandbox(&["plan"]).expect(0).keeps_quiet_about("secret.session");
    sandbox(&["--env", "staging", "plan"]).expect(0).says("secret.session");
    assert_eq!(world.read("secrets.toml"), real, "the real file stays as it was");
}

/// Gives the stack's droplet a reserved address, as somebody at the vendor's console would.
fn reserve(world: &World) {
    let place = world.simulator.digitalocean_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(place).unwrap();
    let body = format!("{{\"droplet_id\": {}}}", world.droplet());
    let head = "POST /v2/reserved_ips HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer test-token\r\nContent-Type: application/json";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    world.run(&["plan"]).expect(0);
}

#[test]
fn the_doctor_asks_for_reserved_addresses_where_a_plan_does() {
    use ipai_simulator::{Fault, FaultKind};
    let world = World::new();
    world.apply();
    let asked = || world.cloud().log().iter().filter(|e| e.path.contains("reserved_ips")).count();
    world.run(&["doctor"]).expect(0).says("reserved_ip:read once a droplet has a reserved IP");
    assert_eq!(asked(), 0);
    reserve(&world);
    world.run(&["plan"]).expect(0);
    let before = asked();
    assert!(before > 0, "a plan asks");
    world.run(&["doctor"]).expect(0);
    assert!(asked() > before, "and so does the doctor");
    let body = r#"{"id":"forbidden","message":"You are not authorized to perform this operation"}"#;
    let denied = FaultKind::Respond { status: 403, headers: Vec::new(), body: body.into() };
    world.cloud().fault(Fault::first("GET", "/v2/reserved_ips", denied).times(9));
    world.run(&["doctor"]).expect(1).says("FAIL  DigitalOcean token").says("reserved_ip:read");
}
