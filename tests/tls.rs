//! Whose certificates are believed: those that the system believes, and no list of ipai's own.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Ran, World};

/// An HTTPS server whose certificate vouches for itself; ends when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(world.home());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn serve(world: &World) -> Option<(Server, u16)> {
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.pem -days 2 \
                -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made = openssl(world, &make.split_whitespace().collect::<Vec<_>>()).status();
    if !made.is_ok_and(|made| made.success()) {
        assert!(std::env::var_os("CI").is_none(), "no openssl");
        eprintln!("SKIPPED: no openssl on this machine (apt-get install openssl)");
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let serve = format!("s_server -accept 127.0.0.1:{port} -cert tls.pem -key tls.key -www -quiet");
    let server = openssl(world, &serve.split_whitespace().collect::<Vec<_>>()).spawn().unwrap();
    let server = Server(server);
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some((server, port));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the server does not come up");
}

#[test]
fn the_systems_certificates_are_believed_and_no_others() {
    let world = World::new();
    let Some((_server, port)) = serve(&world) else { return };
    let plan = |roots: &str| -> Ran {
        let mut plan = world.command(&["plan"]);
        plan.env("DIGITALOCEAN_API_URL", format!("https://127.0.0.1:{port}"));
        plan.env("CLOUDFLARE_BASE_URL", format!("https://127.0.0.1:{port}/client/v4/"));
        plan.env("SSL_CERT_FILE", world.home().join(roots));
        plan.output().unwrap().into()
    };
    let strange = plan("none.pem").expect(1);
    strange.says("UnknownIssuer").keeps_quiet_about("s_server");
    let known = plan("tls.pem").expect(1);
    known.says("was not understood").says("s_server").keeps_quiet_about("UnknownIssuer");
}

#[test]
fn status_tells_how_many_days_a_certificate_has_left() {
    let world = World::new();
    let Some((_server, port)) = serve(&world) else { return };
    world.apply();
    let check = format!("\n[check.site]\nurl = \"https://127.0.0.1:{port}/\"\n");
    world.write("stack.toml", &(world.read("stack.toml") + &check));
    let status = |json: bool| -> Ran {
        let mut status = world.command(if json { &["status", "--json"] } else { &["status"] });
        status.env("SSL_CERT_FILE", world.home().join("tls.pem"));
        status.output().unwrap().into()
    };
    // It was made for two days just now, of which the second has begun or not.
    let told = status(false).expect(0);
    let days =
        [1, 2].map(|days| format!("check site: ok; its certificate ends SOON, in {days} days"));
    assert!(days.iter().any(|days| told.out.contains(days)), "{}", told.out);
    let document: serde_json::Value = serde_json::from_str(&status(true).expect(0).out).unwrap();
    let left = document["checks"][0]["certificate_days_left"].as_i64();
    assert!(matches!(left, Some(1 | 2)), "{document}");
    let resources = document["resources"].as_array().unwrap();
    let compose = resources.iter().find(|r| r["address"] == "host.compose.shop").unwrap();
    let names: Vec<&str> = compose["containers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert_eq!(names, ["shop-app-1", "shop-migrate-1", "shop-proxy-1"]);
}

#[test]
fn a_check_believes_the_authority_that_it_names_and_says_so_when_it_names_none() {
    let world = World::new();
    let Some((_server, port)) = serve(&world) else { return };
    world.apply();
    let stack = world.read("stack.toml");
    let check = format!("{stack}\n[check.site]\nurl = \"https://127.0.0.1:{port}/\"\n");
    world.write("stack.toml", &check);
    let strange = world.run(&["check"]).expect(1).says("site: DEGRADED");
    strange.says("UnknownIssuer").says("as `authority` in the check");
    world.write("stack.toml", &format!("{check}authority = \"ca.pem\"\n"));
    world.run(&["validate"]).expect(1).says("Missing file");
    let pem = std::fs::read_to_string(world.home().join("tls.pem")).unwrap();
    let key = std::fs::read_to_string(world.home().join("tls.key")).unwrap();
    for (text, says) in
        [("x", "holds no certificate"), (&*format!("{pem}{key}"), "holds a private key")]
    {
        world.write("ca.pem", text);
        world.run(&["validate"]).expect(1).says(says).keeps_quiet_about("BEGIN");
    }
    world.write("ca.pem", &pem);
    world.run(&["check"]).expect(0).says("site: ok");
    world.run(&["status"]).expect(0).says("check site: ok");
}
