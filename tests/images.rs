//! `ipai images`: tags that registries were asked for, locked to digests, and what a registry may answer instead.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "images/registry.rs"]
mod registry;

use common::World;
use ipai_core::hash::sha256_hex;
use registry::{Asked, Registry, answer, states};

const LOCK: &str = "images.lock.toml";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn digest(hex: &str) -> String {
    format!("sha256:{}", hex.repeat(64))
}

/// The shop with both of its images at this registry.
fn shop(registry: &Registry) -> World {
    let world = World::new();
    world.edit("compose.yaml", "caddy:2.11.4-alpine", &registry.image("caddy:2"));
    world.edit("compose.yaml", "registry.example.com/app:1.0.0", &registry.image("shop/app:1.0.0"));
    world
}

/// Gives whoever has a token the digest `a` for the one image and `b` for the other.
fn honest(asked: &Asked) -> Vec<u8> {
    match asked {
        _ if asked.line == "HEAD /v2/caddy/manifests/2" => states(&digest("a")),
        _ if asked.line == "HEAD /v2/shop/app/manifests/1.0.0" => states(&digest("b")),
        _ => answer("404 Not Found", &[], b""),
    }
}

#[test]
fn a_locked_digest_is_what_is_deployed_and_then_nothing_is_left_to_do() {
    let registry = Registry::start(honest);
    let world = shop(&registry);
    let (caddy, app) = (registry.image("caddy:2"), registry.image("shop/app:1.0.0"));
    world.run(&["images"]).expect(0).says("not locked").says("shop/app, shop/migrate");
    world.run(&["validate"]).expect(0).keeps_quiet_about("locked");
    assert!(registry.asked().is_empty());
    world.apply();
    world.run(&["images", "--lock"]).expect(0).says(&format!("Wrote {LOCK}"));
    let text = world.read(LOCK);
    let lines =
        format!("[images]\n\"{caddy}\" = \"{}\"\n\"{app}\" = \"{}\"\n", digest("a"), digest("b"));
    assert!(
        text.starts_with('#') && text.contains("`ipai images --lock`") && text.ends_with(&lines),
        "{text}"
    );
    world.run(&["images", "--lock"]).expect(0).says("says so already");
    world.run(&["images", "--check"]).expect(0).says(&format!("Every tag means what {LOCK} says"));
    let json: serde_json::Value =
        serde_json::from_str(&world.run(&["images", "--json"]).expect(0).out).unwrap();
    assert_eq!(json["images"][0]["locked"], digest("a"));
    world
        .run(&["plan", "--detailed-exitcode"])
        .expect(2)
        .says("1 to change")
        .says("caddy:2@sha256:aaa");
    world.apply();
    let on_host = std::fs::read_to_string(world.host_path("/opt/ipai/shop/compose.yaml")).unwrap();
    for pinned in [format!("{caddy}@{}", digest("a")), format!("{app}@{}", digest("b"))] {
        assert!(on_host.contains(&format!("image: \"{pinned}\"")), "{on_host}");
    }
    let id = world.container("app").0;
    world.docker(&["inspect", &id]).expect(0).says(&format!("{app}@{}", digest("b")));
    world.run(&["status"]).expect(0).says("Everything is as the stack wants it");
    // A tag that moves changes nothing by itself, and a release with digests can be returned to.
    registry.plays(|_| states(&digest("c")));
    world.expect_empty_plan();
    world.run(&["images", "--lock"]).expect(0).says("moved");
    world.apply();
    world.run(&["rollback", "--auto-approve"]).expect(0).says("is healthy");
    let id = world.container("app").0;
    world.docker(&["inspect", &id]).expect(0).says(&digest("b"));
}

#[test]
fn a_check_tells_what_moved_what_is_missing_and_what_is_no_longer_used() {
    let registry = Registry::start(honest);
    let world = shop(&registry);
    world.run(&["images", "--check"]).expect(1).says("was not locked");
    world.run(&["images", "--lock"]).expect(0);
    let whole = world.read(LOCK);
    registry.plays(|_| states(&digest("b")));
    let moved = format!("moved: {} → {}", digest("a"), digest("b"));
    world.run(&["images", "--check"]).expect(1).says(&moved).keeps_quiet_about("app:1.0.0");
    assert_eq!(world.read(LOCK), whole);
    registry.plays(honest);
    let part: String =
        whole.lines().filter(|line| !line.contains("caddy")).map(|l| format!("{l}\n")).collect();
    world.write(LOCK, &format!("{part}\"old:1\" = \"{}\"\n", digest("d")));
    let ran = world.run(&["images", "--check"]).expect(1);
    ran.says("caddy:2 was not locked").says("old:1 is locked and no longer used");
    for verb in ["validate", "plan"] {
        let ran = world.run(&[verb]).expect(0).says("An image that is not locked");
        ran.says("caddy:2").says("ipai images --lock").keeps_quiet_about("app:1.0.0` is missing");
    }
    world.run(&["images", "--lock"]).expect(0);
    assert_eq!(world.read(LOCK), whole);
}

#[test]
fn errors_of_all_images_come_at_once_and_the_file_stays() {
    let registry = Registry::start(|_| answer("404 Not Found", &[], b""));
    let world = shop(&registry);
    let before = format!("[images]\n\"old:1\" = \"{}\"\n", digest("d"));
    world.write(LOCK, &before);
    let ran = world.run(&["images", "--lock"]).expect(1);
    ran.says("no tag 2 of caddy").says("no tag 1.0.0 of shop/app").says("was not touched");
    assert_eq!(world.read(LOCK), before);
}

#[test]
fn a_token_is_fetched_for_nobody_and_shown_once() {
    let registry = Registry::start(honest);
    let realm = format!("http://127.0.0.1:{}/token", registry.port);
    registry.plays(move |asked| {
        let wants =
            format!("Bearer realm=\"{realm}\",service=\"a b\",scope=\"repository:x:pull,y\"");
        match asked {
            _ if asked
                .line
                .starts_with("GET /token?scope=repository%3Ax%3Apull%2Cy&service=a+b") =>
            {
                answer("200 OK", &[], b"{\"token\": \"t0ken\"}")
            }
            _ if asked.pass == "Bearer t0ken" => honest(asked),
            _ => answer("401 Unauthorized", &[("WWW-Authenticate", &wants)], b""),
        }
    });
    let world = shop(&registry);
    world.run(&["images", "--lock"]).expect(0);
    let asked = registry.asked();
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.iter().filter(|a| a.is("GET", "/token")).all(|a| a.pass.is_empty()), "{asked:?}");
}

#[test]
fn a_login_of_docker_is_shown_to_its_registry_and_follows_no_redirect() {
    let other = Registry::start(honest);
    let port = other.port;
    let registry = Registry::start(move |asked| match &*asked.pass {
        "Basic bWU6c2VjcmV0" => {
            let path = asked.line.split(' ').nth(1).unwrap();
            let place = format!("http://127.0.0.1:{port}{path}");
            answer("307 Temporary Redirect", &[("Location", &place)], b"")
        }
        _ => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=\"x\"")], b""),
    });
    let world = shop(&registry);
    let ran = world.run(&["images", "--lock"]).expect(1);
    ran.says("wants a login").says("docker login 127.0.0.1").says("credential helper");
    std::fs::create_dir_all(world.home().join(".docker")).unwrap();
    let config = format!(
        "{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \"bWU6c2VjcmV0\"}}}}}}",
        registry.port
    );
    std::fs::write(world.home().join(".docker/config.json"), config).unwrap();
    let ran = world.run(&["images", "--lock"]).expect(0);
    ran.keeps_quiet_about("bWU6c2VjcmV0");
    let asked = other.asked();
    assert!(asked.len() == 2 && asked.iter().all(|asked| asked.pass.is_empty()), "{asked:?}");
}

#[test]
fn a_registry_that_states_no_digest_is_asked_for_the_manifest() {
    for head in [answer("405 Method Not Allowed", &[], b""), answer("200 OK", &[], b"")] {
        let registry = Registry::start(move |asked| match asked.is("GET", "/manifests/") {
            true => answer("200 OK", &[("Content-Type", INDEX)], b"{\"a\": 1}"),
            false => head.clone(),
        });
        let world = shop(&registry);
        world.run(&["images", "--lock"]).expect(0);
        assert!(world.read(LOCK).contains(&format!("sha256:{}", sha256_hex(b"{\"a\": 1}"))));
    }
}

/// What is answered to every question but the token's, and what is said of it.
fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let manifest = |headers: &[(&str, &str)], body: &[u8]| {
        answer("200 OK", &[&[("Content-Type", INDEX)], headers].concat(), body)
    };
    let redirect = |place: &str| answer("302 Found", &[("Location", place)], b"");
    let wants = |what: &str| answer("401 Unauthorized", &[("WWW-Authenticate", what)], b"");
    vec![
        (states("sha256:12"), "something else than a SHA-256 digest"),
        (states(&digest("A")), "something else than a SHA-256 digest"),
        (states("sha512:\u{1b}[31m"), "No digest"),
        (manifest(&[], &vec![b' '; (4 << 20) + 1]), "longer than 4194304 bytes"),
        (
            answer("200 OK", &[("Content-Type", "text/html")], b"<p>"),
            "something else than a manifest",
        ),
        (
            answer(
                "200 OK",
                &[("Content-Type", "text/plain"), ("Docker-Content-Digest", &digest("f"))],
                b"",
            ),
            "something else than a manifest",
        ),
        (redirect("http://registry.invalid/v2/"), "not https"),
        (redirect("/again"), "redirected too often"),
        (redirect("file:///etc/passwd"), "No digest"),
        (wants("Bearer realm=\"http://registry.invalid/token\""), "not https"),
        (wants("Bearer realm=\"nonsense"), "wants a login"),
        (wants("Bearer realm=\"\""), "not a usable address"),
        (wants("Negotiate"), "wants a login"),
        (answer("403 Forbidden", &[], b""), "wants a login"),
        (answer("429 Too Many Requests", &[], b""), "wait a while"),
        (answer("500 Internal Server Error", &[], b""), "it answered 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec(), "No digest"),
        (b"\x00\x01 nothing".to_vec(), "No digest"),
        (Vec::new(), "No digest"),
    ]
}

#[test]
fn whatever_a_registry_answers_instead_is_told_and_locks_nothing() {
    let registry = Registry::start(honest);
    let world = shop(&registry);
    for (bad, said) in hostile() {
        // A long body may only be read where a HEAD was not enough.
        let body = bad.len() > 1000 || bad.ends_with(b"<p>") || bad.ends_with(b"{");
        registry.plays(move |asked| match body && asked.is("HEAD", "") {
            true => answer("405 Method Not Allowed", &[], b""),
            false => bad.clone(),
        });
        let ran = world.run(&["images", "--lock"]).expect(1).says(said).says("hint");
        ran.keeps_quiet_about("panicked").keeps_quiet_about("\u{1b}");
        assert!(!world.stack().join(LOCK).exists(), "{said}");
    }
    let stated = digest("e");
    registry.plays(move |asked| match asked.is("GET", "") {
        true => {
            answer("200 OK", &[("Content-Type", INDEX), ("Docker-Content-Digest", &stated)], b"{}")
        }
        false => answer("405 Method Not Allowed", &[], b""),
    });
    world.run(&["images", "--lock"]).expect(1).says("its manifest is not what its digest says");
}

#[test]
fn a_broken_lock_file_is_an_error_with_its_lines() {
    let world = World::new();
    world.write(LOCK, "[images]\n\"caddy:2\" = \"sha256:12\"\n\"caddy\" = \"x\"\n");
    let ran =
        world.run(&["validate"]).expect(1).says("images.lock.toml:2").says("images.lock.toml:3");
    ran.says("ipai images --lock writes a new one").says("2 errors");
}

#[test]
fn the_sandbox_takes_no_notice_of_the_lock_file() {
    let world = World::new();
    world.write(LOCK, &format!("[images]\n\"caddy:2.11.4-alpine\" = \"{}\"\n", digest("a")));
    let ran = world.run(&["--sandbox", "plan"]).expect(0);
    ran.keeps_quiet_about("lock").keeps_quiet_about(&digest("a"));
    world.run(&["--sandbox", "images", "--lock"]).expect(1).says("has no registry");
}

#[test]
fn an_upgrade_says_that_the_new_image_is_not_locked_yet() {
    let registry = Registry::start(honest);
    let world = shop(&registry);
    world.edit(
        "stack.toml",
        "greeting = \"hello\"\n",
        "greeting = \"hello\"\napp_version = \"1.0.0\"\n",
    );
    world.edit("compose.yaml", "shop/app:1.0.0", "shop/app:{{ var.app_version }}");
    world.apply();
    let note = "shop/app:1.1.0 is not locked yet";
    world.run(&["upgrade", "app", "1.1.0", "--plan-only"]).expect(0).keeps_quiet_about(note);
    world.run(&["images", "--lock"]).expect(0);
    world.apply();
    world.run(&["upgrade", "app", "1.1.0", "-y"]).expect(0).says(note).says("1 changed");
    assert!(world.read("stack.toml").contains("app_version = \"1.1.0\""));
    registry.plays(|_| states(&digest("c")));
    world.run(&["images", "--lock"]).expect(0).says("app:1.0.0 is locked and no longer used");
    world.apply();
    world.run(&["upgrade", "app", "1.1.0"]).expect(0).says("already");
}
