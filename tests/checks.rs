//! `ipai check`: three results for each service, from here and on its host.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use common::{CANARY, Ran, World};
use ipai_simulator::tools::{Answer, ToolFaults};
use serde_json::{Value, json};

/// A service that answers each path with a status, headers and a body; every request is kept.
struct Service {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let keep = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut bytes = vec![0; 16 * 1024];
                let length = stream.read(&mut bytes).unwrap_or(0);
                let mut text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                // A body may come in a packet of its own.
                if text.starts_with("POST") && text.ends_with("\r\n\r\n") {
                    let length = stream.read(&mut bytes).unwrap_or(0);
                    text.push_str(&String::from_utf8_lossy(&bytes[..length]));
                }
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = answers.iter().find(|(known, _)| *known == path);
                let wrong = text.contains("/login") && !text.contains(CANARY);
                let answer = match answer {
                    _ if wrong => "HTTP/1.1 401 No\r\n\r\n",
                    Some((_, answer)) => answer,
                    None => "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<!doctype html>",
                };
                keep.lock().unwrap().push(text);
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                let length = body.len();
                let whole = format!(
                    "{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(whole.as_bytes());
            }
        });
        Self { port, heard }
    }
}

const GOOD: &[(&str, &str)] = &[
    ("/ping", "HTTP/1.1 200 OK\r\nX-Version-Id: 11.7.10.5\r\n\r\n{\"status\":\"OK\"}"),
    ("/login", "HTTP/1.1 200 OK\r\n\r\n{\"token\":\"session-9d3\",\"role\":\"admin\"}"),
];

fn check(port: u16, ping: &str, compatible: &str, role: &str) -> String {
    format!(
        r#"
[check.app]
service = "app"
url = "http://www.{{{{ var.domain }}}}:{port}/{ping}"
host = "digitalocean.droplet.web"
expect_json = {{ status = "OK" }}

[check.app.auth]
url = "http://www.{{{{ var.domain }}}}:{port}/login"
headers = {{ X-Key = "{{{{ secret.api_key }}}}" }}
json = {{ user = "me", password = "{{{{ secret.api_key }}}}" }}
expect_keys = ["token"]
expect_json = {{ role = "{role}" }}

[check.app.version]
header = "X-Version-Id"
compatible = "{compatible}"
"#
    )
}

fn with_check(text: &str) -> World {
    let world = World::new();
    let stack = world.read("stack.toml");
    world.write("stack.toml", &stack);
    world.apply();
    world.write("stack.toml", &format!("{stack}{text}"));
    world
}

fn verdict(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap()
}

fn has_curl() -> bool {
    std::process::Command::new("curl").arg("-V").output().is_ok()
}

#[test]
fn a_service_that_is_well_is_ok_in_all_three_and_from_both_sides() {
    let service = Service::start(GOOD);
    let world = with_check(&check(service.port, "ping", ">=11.7, <12", "admin"));
    let ran = world.run(&["check", "--json"]).expect(0).keeps_quiet_about(CANARY);
    let found = verdict(&ran.keeps_quiet_about("session-9d3"));
    assert_eq!(found["overall"], "ok", "{found:#}");
    let app = &found["services"][0];
    assert_eq!((&app["service"], &app["overall"]), (&json!("app"), &json!("ok")));
    assert_eq!(app["reachable"]["outside"]["result"], "passed");
    let inside = if has_curl() { "passed" } else { "skipped" };
    assert_eq!(app["reachable"]["inside"]["result"], inside);
    assert_eq!(app["authentication"]["result"], "passed");
    assert_eq!(app["version"]["found"], "11.7.10.5");
    let text = world.run(&["check", "app"]).expect(0).says("app: ok").says("Overall: ok");
    text.says("11.7.10.5 (>=11.7, <12)").keeps_quiet_about(CANARY);
    let heard = service.heard.lock().unwrap();
    assert!(heard.iter().all(|request| request.contains("www.example.com")), "{heard:?}");
    assert!(heard.iter().any(|request| request.contains("\"password\":\"canary")), "{heard:?}");
}

#[test]
fn each_of_the_three_fails_for_itself() {
    let service = Service::start(GOOD);
    let ask = |text: &str| {
        let world = with_check(text);
        let ran = world.run(&["check", "--json"]).expect(1);
        let found = verdict(&ran.keeps_quiet_about(CANARY).keeps_quiet_about("session-9d3"));
        let app = &found["services"][0];
        let of = |value: &Value| value["result"].as_str().unwrap_or("none").to_owned();
        assert_eq!(app["overall"], found["overall"]);
        let results = [&app["reachable"]["outside"], &app["authentication"], &app["version"]];
        (found["overall"].as_str().unwrap().to_owned(), results.map(of), found.to_string())
    };
    let (overall, results, _) = ask(&check(service.port, "ping", ">=12", "admin"));
    assert_eq!(
        (overall.as_str(), results),
        ("incompatible", ["passed", "passed", "failed"].map(String::from))
    );
    let (overall, results, why) = ask(&check(service.port, "ping", ">=11", "guest"));
    assert_eq!(
        (overall.as_str(), results),
        ("degraded", ["passed", "failed", "passed"].map(String::from))
    );
    assert!(why.contains("`role` is something else") && !why.contains("admin"), "{why}");
    // A page that answers 200 to everything is no service.
    let (overall, results, why) = ask(&check(service.port, "other", ">=11", "admin"));
    assert_eq!((overall.as_str(), &results[0]), ("degraded", &"failed".to_owned()));
    assert!(why.contains("expected JSON, got text/html"), "{why}");
}

#[test]
fn a_command_in_the_container_reads_its_secret_and_never_shows_it() {
    let text = r#"
[check.database]
service = "app"
command = ["db-ready"]
expect_body = "ready"

[check.database.auth]
command = ["db-login"]
input = "{{ secret.api_key }}\n"
expect_body = "1"

[check.database.version]
command = ["db-version"]
compatible = ">=17, <18"

[check.off]
when = "{{ var.domain == 'example.org' }}"
url = "http://127.0.0.1:1/"
"#;
    let world = with_check(text);
    let answer = |contains: &str, exit: u8, stdout: &str| Answer {
        contains: contains.into(),
        exit,
        stdout: stdout.into(),
        stderr: if exit == 0 { String::new() } else { "no such role".into() },
        ..Answer::default()
    };
    let set = |login: Answer| {
        let answers =
            vec![answer("db-ready", 0, "ready\n"), login, answer("db-version", 0, "db 17.11 (x)")];
        let faults = ToolFaults { answers, ..ToolFaults::default() };
        faults.save(world.host().base()).unwrap();
    };
    set(answer("db-login", 0, "1\n"));
    let found = verdict(&world.run(&["check", "--json"]).expect(0).keeps_quiet_about(CANARY));
    assert_eq!(found["services"].as_array().unwrap().len(), 1, "one is switched off: {found:#}");
    assert_eq!(found["services"][0]["reachable"]["outside"], Value::Null);
    assert_eq!(found["services"][0]["version"]["found"], "17.11");
    set(answer("db-login", 2, ""));
    let ran = world.run(&["check"]).expect(1).says("authentication").says("FAILED: no such role");
    ran.says("Overall: DEGRADED").keeps_quiet_about(CANARY);
}

#[test]
fn mistakes_in_a_check_are_shown_where_they_stand() {
    let world = World::new();
    let stack = world.read("stack.toml");
    for (text, says) in [
        ("[check.x]\n", "either a `url` or a `command`"),
        ("[check.x]\ncommand = [\"true\"]\n", "name the service"),
        ("[check.x]\nurl = \"http://x\"\nwhen = \"perhaps\"\n", "Not a truth for `when`"),
        (
            "[check.x]\nurl = \"http://x\"\n[check.x.version]\ncompatible = \"~11\"\n",
            "Not a range of versions",
        ),
        (
            "[check.x]\nurl = \"http://x\"\n[check.x.auth]\nexpect_keys = [\"a\"]\n",
            "either a `url` or a `command`",
        ),
        ("[check.x]\nurl = \"http://{{ secret.api_key }}\"\n", "holds neither secrets nor outputs"),
    ] {
        world.write("stack.toml", &format!("{stack}\n{text}"));
        world.run(&["validate"]).expect(1).says(says).keeps_quiet_about(CANARY);
    }
}

#[test]
fn the_sandbox_says_that_it_serves_no_pages() {
    let scratch = tempfile::TempDir::new().unwrap();
    common::copy_folder(&common::repository().join("stacks/ops"), &scratch.path().join("ops"));
    let mut command = common::ipai(scratch.path());
    command.arg("-C").arg(scratch.path().join("ops")).args(["--sandbox", "check"]);
    let ran = common::run(command).expect(1);
    for service in ["mattermost", "focalboard", "n8n", "superset", "postgres", "caddy"] {
        assert!(ran.out.contains(&format!("{service}: unknown")), "{}", ran.out);
    }
    let ran = ran.says("simulated and serve no pages");
    for (service, place) in [("postgres", "on the host"), ("mattermost", "from here")] {
        let block = ran.out.split_once(&format!("{service}: ")).unwrap().1;
        let line = block.lines().nth(1).unwrap();
        assert!(line.contains(&format!("reachable {place}")), "{service}: {line}");
    }
}
