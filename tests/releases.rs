//! A deployment that fails leaves the host as it was when all was well; releases are listed, and gone back to by name.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "releases/served.rs"]
mod served;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Ran, World};
use ipai_simulator::tools::{Answer, ToolFaults};
use serde_json::Value;
use served::{Served, served};

/// Whom the app waits for.
const APP: &str = "registry.example.com/app";

/// A world whose deployments are given up soon.
fn world() -> World {
    let world = World::new();
    world.edit("stack.toml", "timeout = \"1m\"", "timeout = \"4s\"");
    world
}

fn applied() -> World {
    let world = world();
    world.apply();
    world
}

fn faults(world: &World, faults: &ToolFaults) {
    faults.save(world.host().base()).unwrap();
}

fn new_app(world: &World) {
    world.edit("compose.yaml", "app:1.0.0", "app:1.1.0");
}

fn apply(world: &World) -> Ran {
    world.run(&["apply", "--auto-approve", "--detailed-exitcode"])
}

/// The apply failed, the host serves what it served before, and the wanted change is planned again.
#[track_caller]
fn expect_return(world: &World, ran: Ran, before: &Served) -> Ran {
    let ran = ran.expect(6).says("returned to release 1 (from 2").says("; it is healthy");
    let ran = ran.says("The last release is served again.").keeps_quiet_about("Done, and stands (");
    assert_eq!(served(world), *before);
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("~ host.compose.shop").says("the stack was edited").keeps_quiet_about("drifted");
    ran
}

/// Caddy refuses to reload as long as its file has the word `broken` in it.
fn refuse_broken_configurations(world: &World) {
    let refuse = Answer {
        contains: "caddy reload".into(),
        while_file: Some(("/opt/ipai/shop/proxy/Caddyfile".into(), "broken".into())),
        exit: 1,
        ..Answer::default()
    };
    faults(world, &ToolFaults { answers: vec![refuse], ..ToolFaults::default() });
}

#[test]
fn an_image_that_cannot_be_pulled_leaves_everything_as_it_was() {
    let world = applied();
    let (before, proxy) = (served(&world), world.container("proxy"));
    new_app(&world);
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    let bad = ToolFaults { unpullable: vec![format!("{APP}:1.1.0")], ..ToolFaults::default() };
    faults(&world, &bad);
    let ran = expect_return(&world, apply(&world), &before);
    ran.says("pull the images").says("Done, and undone again by the return (1 resource)");
    assert_eq!(world.container("proxy"), proxy, "nothing else was touched");
    world.run(&["apply", "--auto-approve"]).expect(1).says("returned to release 1");
    faults(&world, &ToolFaults::default());
    world.apply();
    assert!(served(&world).images["app"].starts_with(&format!("{APP}:1.1.0 ")));
    world.run(&["releases"]).expect(0).says("2  2").says("current");
}

#[test]
fn a_configuration_that_a_service_refuses_is_put_back() {
    let world = applied();
    let (before, proxy) = (served(&world), world.container("proxy"));
    world.edit("Caddyfile", "app:8080", "app:8080 broken");
    let refuse = Answer {
        contains: "proxy caddy reload".into(),
        while_file: Some(("/opt/ipai/shop/proxy/Caddyfile".into(), "broken".into())),
        exit: 1,
        stderr: "Error: adapting config: unrecognized argument".into(),
        ..Answer::default()
    };
    faults(&world, &ToolFaults { answers: vec![refuse], ..ToolFaults::default() });
    let ran = expect_return(&world, apply(&world), &before);
    ran.says("reload service proxy").says("unrecognized argument");
    assert_eq!(world.container("proxy"), proxy);
    world.edit("Caddyfile", "app:8080 broken", "app:8081");
    world.apply();
    assert_eq!(world.container("proxy"), proxy, "reloaded in place");
}

#[test]
fn a_service_that_never_gets_healthy_is_named_and_the_old_one_serves() {
    let world = applied();
    let before = served(&world);
    new_app(&world);
    world.edit("stack.toml", "API_KEY=", "NEW_KEY=");
    let logs = [("app".to_owned(), "cannot listen on 8080".to_owned())].into();
    let unhealthy = vec![format!("{APP}:1.1.0")];
    faults(&world, &ToolFaults { unhealthy, logs, ..ToolFaults::default() });
    let ran = expect_return(&world, apply(&world), &before);
    ran.says("service app is unhealthy and should be running")
        .says("cannot listen on 8080")
        .keeps_quiet_about(common::CANARY);
    faults(&world, &ToolFaults::default());
    world.apply();
}

#[test]
fn a_container_that_dies_is_named_and_the_old_one_serves() {
    let world = applied();
    let before = served(&world);
    new_app(&world);
    faults(&world, &ToolFaults { failing: vec![format!("{APP}:1.1.0")], ..ToolFaults::default() });
    let ran = expect_return(&world, apply(&world), &before);
    ran.says("service migrate is exited (1) and should be completed");
    new_app_differently(&world);
    world.apply();
}

/// The correction: another version than the one that fails.
fn new_app_differently(world: &World) {
    world.edit("compose.yaml", "app:1.1.0", "app:1.2.0");
}

#[test]
fn a_tag_that_means_another_image_by_now_means_the_old_one_again() {
    let world = applied();
    let before = served(&world);
    let reference = format!("{APP}:1.0.0");
    let moved = [(reference.clone(), "rebuilt".to_owned())].into();
    faults(&world, &ToolFaults { moved, ..ToolFaults::default() });
    world.docker(&["pull", &reference]).expect(0);
    world.edit("Caddyfile", "app:8080", "app:8080 broken");
    world.edit("compose.yaml", "command: [\"migrate\"]", "command: [\"migrate\", \"all\"]");
    refuse_broken_configurations(&world);
    expect_return(&world, apply(&world), &before);
}

#[test]
fn what_came_with_the_failed_change_goes_and_what_went_with_it_comes_back() {
    let world = world();
    let file = |name: &str, path: &str, text: &str| {
        format!(
            "\n[host.file.{name}]\nhost = \"digitalocean.droplet.web\"\npath = \"/opt/ipai/shop/{path}\"\nmode = \"0640\"\ncontent = \"{text}\"\n"
        )
    };
    let (old, new) = (file("old", "site/old", "was here"), file("new", "site/new", "came later"));
    let plain = world.read("stack.toml");
    world.write("stack.toml", &format!("{plain}{old}"));
    world.apply();
    let foreign = world.host_path("/opt/ipai/shop/site/foreign");
    std::fs::write(&foreign, "somebody else's").unwrap();
    let before = served(&world);
    world.write("stack.toml", &format!("{plain}{new}"));
    new_app(&world);
    faults(&world, &ToolFaults { failing: vec![format!("{APP}:1.1.0")], ..ToolFaults::default() });
    let ran = apply(&world).expect(6).says("returned to release 1");
    ran.says("it is healthy");
    assert_eq!(served(&world), before);
    faults(&world, &ToolFaults::default());
    world.apply();
    assert!(world.host_path("/opt/ipai/shop/site/new").exists() && foreign.exists());
    assert!(!world.host_path("/opt/ipai/shop/site/old").exists());
}

#[test]
fn a_first_deployment_that_fails_stays_and_says_why() {
    let world = world();
    world.edit(
        "stack.toml",
        "content = \"API_KEY={{ secret.api_key }}\\n\"",
        "content = \"A=1\\n\"",
    );
    world.edit("compose.yaml", "restart: \"no\"", "restart: \"no\"\n    env_file: [./missing.env]");
    let ran = world.run(&["apply", "--auto-approve", "--detailed-exitcode"]);
    ran.expect(1).says("keeps no earlier release to return to");
    world.edit("compose.yaml", "\n    env_file: [./missing.env]", "");
    world.apply();
}

#[test]
fn files_that_no_service_uses_belong_to_a_release_as_well() {
    let world = applied();
    let motd = "\n[host.file.motd]\nhost = \"digitalocean.droplet.web\"\npath = \"/opt/ipai/shop/motd\"\ncontent = \"one\"\n";
    world.write("stack.toml", &format!("{}{motd}", world.read("stack.toml")));
    world.apply();
    world.run(&["releases"]).expect(0).says("2  2").says("current  host.file.motd");
    let before = served(&world);
    world.edit("stack.toml", "content = \"one\"", "content = \"two\"");
    new_app(&world);
    faults(&world, &ToolFaults { failing: vec![format!("{APP}:1.1.0")], ..ToolFaults::default() });
    apply(&world).expect(6).says("returned to release 2");
    assert_eq!(served(&world), before);
}

/// What ipai leaves to Compose: the service that another waits for waits for that one.
fn wait_in_a_circle(world: &World) {
    let command = "    command: [\"migrate\"]\n";
    world.edit("compose.yaml", command, &format!("{command}    depends_on: [app]\n"));
}

#[test]
fn a_broken_compose_file_is_refused_before_anything_is_touched() {
    let world = applied();
    let before = served(&world);
    wait_in_a_circle(&world);
    let ran = world.run(&["plan", "--detailed-exitcode"]).expect(5);
    let ran = ran.says("host.compose.shop must not be changed so");
    ran.says("Compose refuses its file: dependency cycle detected");
    apply(&world).expect(5).says("nothing was changed");
    assert_eq!(served(&world), before);
}

#[test]
fn a_broken_compose_file_takes_the_files_of_its_run_along() {
    let world = applied();
    let before = served(&world);
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    wait_in_a_circle(&world);
    let ran = expect_return(&world, apply(&world), &before);
    ran.says("check the Compose file").says("cycle");
}

/// The numbers that lie in the folder of releases, and whether its contents are exactly those that are spoken of.
fn kept(world: &World) -> Vec<String> {
    let folder = world.host_path("/opt/ipai/shop/.ipai/releases");
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let mut spoken: Vec<String> = Vec::new();
    for name in names(&folder).iter().filter(|name| name.ends_with(".sums")) {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        spoken.extend(text.lines().map(|line| line[..64].to_owned()));
    }
    spoken.sort();
    spoken.dedup();
    assert_eq!(names(&folder.join("blobs")), spoken);
    names(&folder).into_iter().filter_map(|n| n.strip_suffix(".json").map(str::to_owned)).collect()
}

#[test]
fn as_many_releases_are_kept_as_the_stack_says_readable_by_root_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world();
    world.edit("stack.toml", "timeout = \"4s\"", "timeout = \"4s\"\nreleases = 2");
    world.apply();
    for greeting in ["a", "b", "c"] {
        let text = world.read("stack.toml");
        let line = text.lines().find(|line| line.starts_with("greeting")).unwrap().to_owned();
        world.edit("stack.toml", &line, &format!("greeting = \"{greeting}\""));
        world.apply();
    }
    assert_eq!(kept(&world), ["3", "4"]);
    let folder = world.host_path("/opt/ipai/shop/.ipai/releases");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(
        (mode(&folder), mode(&folder.join("blobs")), mode(&folder.join("4.json"))),
        (0, 0, 0)
    );
    for blob in std::fs::read_dir(folder.join("blobs")).unwrap() {
        assert_eq!(mode(&blob.unwrap().path()), 0);
    }
    world.edit("stack.toml", "releases = 2", "releases = 0");
    new_app(&world);
    world.apply();
    assert_eq!(kept(&world), [""; 0]);
    new_app_differently(&world);
    faults(&world, &ToolFaults { failing: vec![format!("{APP}:1.2.0")], ..ToolFaults::default() });
    apply(&world).expect(1).says("keeps no earlier release");
}

#[test]
fn an_apply_that_changes_nothing_records_nothing() {
    let world = applied();
    world.apply();
    world.edit("stack.toml", "v=spf1 -all", "v=spf1 mx -all");
    world.apply();
    assert_eq!(kept(&world), ["1"], "a record at another provider is no change of the host");
}

/// Three releases: app 1.0.0, app 1.1.0, and another page.
fn three() -> World {
    let world = applied();
    new_app(&world);
    world.apply();
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    world.apply();
    world
}

#[test]
fn a_rollback_brings_files_project_and_images_back_and_leaves_the_stack_as_it_is() {
    let world = applied();
    let first = served(&world);
    new_app(&world);
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    world.apply();
    let second = served(&world);
    let asked = world.run(&["rollback"]).expect(1);
    asked.says("nobody can be asked").says("~ /opt/ipai/shop/site/index.html");
    assert_eq!(served(&world), second);
    let ran = world.run(&["rollback", "--auto-approve", "--detailed-exitcode"]).expect(2);
    ran.says("goes back to release 1")
        .says("~ shop/app: registry.example.com/app:1.1.0 → registry.example.com/app:1.0.0")
        .says("Rolled back: digitalocean.droplet.web serves release 1 and is healthy.")
        .says("The stack still wants what came later");
    assert_eq!(served(&world), first);
    let again = world.run(&["rollback", "1", "--auto-approve", "--detailed-exitcode"]).expect(0);
    again.says("nothing to do");
    world.run(&["rollback", "--auto-approve"]).expect(1).says("Nothing to go back to");
    let plan = world.run(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says("2 to change").says("the stack was edited").keeps_quiet_about("drifted");
    let releases = world.run(&["releases", "--json"]).expect(0);
    let releases: Value = serde_json::from_str(&releases.out).unwrap();
    assert_eq!(releases["hosts"][0]["current"], 1);
    world.run(&["rollback", "2", "--auto-approve"]).expect(0).says("serves release 2");
    assert_eq!(served(&world), second);
    world.expect_empty_plan();
}

#[test]
fn releases_are_listed_with_what_changed_and_what_ran() {
    let world = three();
    let text = world.run(&["releases"]).expect(0);
    let lines: Vec<&str> = text.out.lines().collect();
    assert_eq!(lines[0], "digitalocean.droplet.web");
    assert!(
        lines[1].starts_with("     3  2")
            && lines[1].contains("current  host.compose.shop, host.file.page"),
        "{}",
        text.out
    );
    let json = world.run(&["releases", "--json"]).expect(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let host = &json["hosts"][0];
    let ids: Vec<u64> =
        host["releases"].as_array().unwrap().iter().filter_map(|r| r["id"].as_u64()).collect();
    assert_eq!((ids, host["current"].as_u64()), (vec![3, 2, 1], Some(3)));
    assert_eq!(host["releases"][2]["images"][0]["name"], format!("{APP}:1.0.0"));
    world
        .run(&["rollback", "7", "--auto-approve"])
        .expect(1)
        .says("keeps no release 7")
        .says("releases: 3, 2, 1");
}

#[test]
fn a_rollback_that_is_not_healthy_leaves_what_was_served() {
    let world = three();
    let before = served(&world);
    faults(&world, &ToolFaults { failing: vec![format!("{APP}:1.0.0")], ..ToolFaults::default() });
    let ran = world.run(&["rollback", "1", "--auto-approve", "--detailed-exitcode"]).expect(6);
    ran.says("service migrate is exited (1)").says("returned to release 3").says("it is healthy");
    assert_eq!(served(&world), before);
    world.expect_empty_plan();
}

#[test]
fn an_image_that_is_gone_is_fetched_again_or_the_rollback_is_refused() {
    let world = three();
    let before = served(&world);
    let reference = format!("{APP}:1.0.0");
    world.docker(&["image", "rm", &reference]).expect(0);
    faults(&world, &ToolFaults { unpullable: vec![reference.clone()], ..ToolFaults::default() });
    let ran = world.run(&["rollback", "1", "--auto-approve"]).expect(1);
    ran.says("is no longer on the host, and cannot be pulled: ").says("manifest unknown");
    assert_eq!(served(&world), before);
    let moved = [(reference.clone(), "rebuilt".to_owned())].into();
    faults(&world, &ToolFaults { moved, ..ToolFaults::default() });
    let ran = world.run(&["rollback", "1", "--auto-approve"]).expect(1);
    ran.says("its name means another one by now");
    assert_eq!(served(&world), before);
    faults(&world, &ToolFaults::default());
    world.run(&["rollback", "1", "--auto-approve"]).expect(0);
    assert!(served(&world).images["app"].starts_with(&reference));
}

#[test]
fn a_release_whose_kept_files_were_changed_is_no_release() {
    let world = three();
    let before = served(&world);
    let blobs = world.host_path("/opt/ipai/shop/.ipai/releases/blobs");
    for blob in std::fs::read_dir(blobs).unwrap() {
        std::fs::write(blob.unwrap().path(), "not what it was").unwrap();
    }
    let ran = world.run(&["rollback", "1", "--auto-approve"]).expect(1);
    ran.says("what the host kept of it was changed");
    assert_eq!(served(&world), before);
}

#[test]
fn a_service_that_may_have_changed_its_database_keeps_the_newer_image() {
    let world = world();
    world.edit("stack.toml", "timeout = \"4s\"", "timeout = \"4s\"\nmigrates = [\"app\"]");
    world.apply();
    let first = served(&world);
    new_app(&world);
    world.edit("Caddyfile", "app:8080", "app:8080 broken");
    refuse_broken_configurations(&world);
    let ran = apply(&world).expect(6).says("returned to release 1");
    ran.says("except that app stays on registry.example.com/app:1.1.0").says("; it is healthy");
    let now = served(&world);
    assert!(now.images["app"].starts_with(&format!("{APP}:1.1.0")));
    assert_eq!(now.images["migrate"], first.images["migrate"]);
    assert_eq!(now.files["proxy/Caddyfile"], first.files["proxy/Caddyfile"]);
    world.run(&["plan"]).expect(0).says("~ host.compose.shop").says("~ host.file.proxy");
    world.edit("Caddyfile", "app:8080 broken", "app:8081");
    world.apply();
    let refused = world.run(&["rollback", "1", "--auto-approve", "--detailed-exitcode"]).expect(5);
    refused.says("may have changed its database").says("--allow-data-loss host.compose.shop");
    let allowed = ["rollback", "1", "--auto-approve", "--allow-data-loss", "host.compose.shop"];
    world.run(&allowed).expect(0);
    assert_eq!(served(&world), first);
}

#[test]
fn a_migrated_service_that_stays_ill_is_said_to_need_a_person() {
    let world = world();
    world.edit("stack.toml", "timeout = \"4s\"", "timeout = \"4s\"\nmigrates = [\"app\"]");
    world.apply();
    new_app(&world);
    faults(
        &world,
        &ToolFaults { unhealthy: vec![format!("{APP}:1.1.0")], ..ToolFaults::default() },
    );
    let ran = apply(&world).expect(1).says("returning to release 1 failed as well");
    ran.says("service app stays on registry.example.com/app:1.1.0").says("restore the backup");
    faults(&world, &ToolFaults::default());
    world.apply();
}

#[test]
fn an_unknown_service_cannot_migrate() {
    let world = world();
    world.edit("stack.toml", "timeout = \"4s\"", "timeout = \"4s\"\nmigrates = [\"apq\"]");
    world.run(&["validate"]).expect(1).says("`migrates` names an unknown service");
}

const POSTGRES: &str = "  db:\n    image: postgres:16.4\n    restart: unless-stopped\n    volumes: [\"pgdata:/var/lib/postgresql/data\"]\n";

/// A world with a PostgreSQL 16 that has data.
fn with_postgres() -> World {
    let world = world();
    let yaml = world.read("compose.yaml");
    world.write(
        "compose.yaml",
        &format!("{yaml}{POSTGRES}volumes:\n  pgdata: {{}}\n  pgdata17: {{}}\n"),
    );
    world.apply();
    world
}

#[test]
fn another_major_version_of_postgresql_is_refused_before_anything_is_touched() {
    let world = with_postgres();
    let before = served(&world);
    world.edit("compose.yaml", "postgres:16.4", "postgres:17.2");
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    world.run(&["plan", "--detailed-exitcode"]).expect(5).says("must not be changed so");
    let ran = apply(&world).expect(5).keeps_quiet_about("pg_dumpall");
    ran.says("PostgreSQL 17 cannot open the data that PostgreSQL 16 of service db wrote")
        .says(" exec shop/db -- pg_dump -U postgres -Fc DB >DB.dump\n")
        .says("--role=OWNER -d DB <DB.dump")
        .says("nothing was changed");
    assert_eq!(served(&world), before);
    world.edit("compose.yaml", "pgdata:/var", "pgdata17:/var");
    world.apply();
    assert!(served(&world).images["db"].starts_with("postgres:17.2"));
    let back = world.run(&["rollback", "--auto-approve", "--detailed-exitcode"]).expect(5);
    back.says("PostgreSQL 16, which cannot open the data of PostgreSQL 17")
        .says("PostgreSQL 16 need not understand a dump of 17");
}

#[test]
fn a_new_minor_version_of_postgresql_is_an_ordinary_change() {
    let world = with_postgres();
    world.edit("compose.yaml", "postgres:16.4", "postgres:16.5");
    world.apply();
}

/// Waits until a run says this.
fn until_it_says(child: &mut std::process::Child, words: &str) {
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while said.read_line(&mut line).unwrap() > 0 {
        if line.contains(words) {
            // Whoever still writes must not be stopped by nobody reading.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return;
        }
        line.clear();
    }
    panic!("it never said {words}");
}

/// Waits until the deployment has failed and the return is about to begin.
fn until_it_failed(world: &World) {
    let records = world.host().base().join("docker.json");
    let failed = (0..2_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        let text = std::fs::read_to_string(&records).unwrap_or_default();
        text.replace(' ', "").contains("\"exit_code\":1")
    });
    assert!(failed, "nothing failed");
}

/// Kills the return of a failed deployment after so many milliseconds; then the same change fails once more, or is
/// withdrawn.
fn kill_a_return(delay: u64, withdraw: bool) {
    let world = applied();
    let before = served(&world);
    new_app(&world);
    world.edit("stack.toml", "greeting = \"hello\"", "greeting = \"good day\"");
    let failing = vec![format!("{APP}:1.1.0")];
    faults(&world, &ToolFaults { failing, ..ToolFaults::default() });
    let mut command = world.command(&["apply", "--auto-approve"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_it_failed(&world);
    std::thread::sleep(Duration::from_millis(delay));
    let _ = child.kill();
    let ended = child.wait().unwrap();
    eprintln!("killed after {delay} ms: {:?}", ended.code());
    world.run(&["unlock", "--yes"]).expect(0);
    if withdraw {
        world.edit("compose.yaml", "app:1.1.0", "app:1.0.0");
        world.edit("stack.toml", "greeting = \"good day\"", "greeting = \"hello\"");
        faults(&world, &ToolFaults::default());
        world.apply();
        assert_eq!(served(&world), before, "after {delay} ms");
    } else {
        expect_return(&world, apply(&world), &before);
        faults(&world, &ToolFaults::default());
        world.apply();
    }
}

#[test]
fn a_return_that_is_killed_anywhere_is_put_right_by_the_next_run() {
    for (number, delay) in [0, 30, 60, 100, 150, 200, 260, 330, 400, 500].into_iter().enumerate() {
        kill_a_return(delay, number % 2 == 0);
    }
}

#[test]
fn a_run_that_was_asked_to_stop_begins_no_return() {
    let world = applied();
    new_app(&world);
    faults(
        &world,
        &ToolFaults { unhealthy: vec![format!("{APP}:1.1.0")], ..ToolFaults::default() },
    );
    let mut command = world.command(&["apply", "--auto-approve"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until_it_says(&mut child, "host.compose.shop: Modifying");
    // Containers come and go meanwhile, so one that was listed need not be there any more.
    let newer = format!("\"{APP}:1.1.0\"");
    let runs = |id: &str| world.docker(&["inspect", id]).out.contains(&newer);
    let began = Instant::now();
    while !world.docker(&["ps", "-q", "--no-trunc"]).out.lines().any(runs) {
        assert!(began.elapsed() < Duration::from_secs(20), "the new one was never started");
        std::thread::sleep(Duration::from_millis(10));
    }
    let asked = Instant::now();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(7), "{:?}", asked.elapsed());
    assert!(served(&world).images["app"].starts_with(&format!("{APP}:1.1.0")), "not returned");
    faults(&world, &ToolFaults::default());
    world.apply();
}
