//! What `ipai schema` prints is kept, takes the stacks that ipai takes, and refuses what ipai refuses by its form.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ran, ipai, repository};
use jsonschema::Validator;
use serde_json::Value as Json;

fn printed(arguments: &[&str]) -> String {
    let ran: Ran = ipai(repository()).arg("schema").args(arguments).output().unwrap().into();
    ran.expect(0).out
}

fn schema(arguments: &[&str]) -> Validator {
    let schema = serde_json::from_str(&printed(arguments)).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "this is no JSON Schema");
    jsonschema::validator_for(&schema).unwrap()
}

/// What a schema finds wrong in a TOML text.
fn wrong(schema: &Validator, text: &str) -> Vec<String> {
    let value: Json = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
    let found = schema.iter_errors(&value);
    found.map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

#[test]
fn the_schema_that_is_kept_is_what_the_program_prints() {
    let hint = "cargo run -- schema > docs/stack.schema.json";
    assert!(
        read("docs/stack.schema.json") == printed(&[]),
        "docs/stack.schema.json is old: {hint}"
    );
}

#[test]
fn stacks_pass_and_so_do_their_overlays() {
    let (whole, overlay) = (schema(&[]), schema(&["--overlay"]));
    for stack in ["stacks/ops", "tests/stacks/shop", "tests/stacks/kept", "tests/stacks/matrix"] {
        let text = read(&format!("{stack}/stack.toml"));
        assert_eq!(wrong(&whole, &text), [""; 0], "{stack}");
        assert_eq!(wrong(&overlay, &text), [""; 0], "{stack} as an overlay");
    }
    for name in ["staging", "sandbox", "drill"] {
        let text = read(&format!("stacks/ops/stack.{name}.toml"));
        assert_eq!(wrong(&overlay, &text), [""; 0], "{name}");
        assert!(!wrong(&whole, &text).is_empty(), "{name} is no stack");
    }
}

#[test]
fn every_example_in_the_manual_passes() {
    let overlay = schema(&["--overlay"]);
    let reference = read("docs/reference.md");
    let examples =
        reference.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for example in examples {
        assert_eq!(wrong(&overlay, example), [""; 0], "{example}");
        count += 1;
    }
    assert!(count > 15, "only {count}");
}

#[test]
fn a_new_stack_names_its_schema_and_passes_it() {
    let scratch = tempfile::TempDir::new().unwrap();
    let ran: Ran =
        ipai(scratch.path()).arg("init").arg(scratch.path().join("web")).output().unwrap().into();
    ran.expect(0);
    let read = |name: &str| std::fs::read_to_string(scratch.path().join("web").join(name)).unwrap();
    let text = read("stack.toml");
    let named = text.lines().next().unwrap().strip_prefix("#:schema ./").unwrap();
    assert_eq!(read(named), printed(&[]));
    assert_eq!(wrong(&schema(&[]), &text), [""; 0]);
}

/// A stack that passes, with one text in it exchanged.
const GOOD: &str = r#"
[stack]
name = "web"
[var]
size = "s-1vcpu-1gb"
monitoring = true
ttl = 300
[ssh]
port = 2222
[secret.page]
generate = "password"
[digitalocean.droplet.web]
name = "web"
region = "fra1"
size = "{{ var.size }}"
image = "debian-13-x64"
monitoring = "{{ var.monitoring }}"
[cloudflare.dns_record.www]
zone = "example.com"
name = "www"
type = "A"
content = "{{ digitalocean.droplet.web.ipv4 }}"
ttl = "{{ var.ttl }}"
after = ["digitalocean.droplet.web"]
[host.file.page]
host = "digitalocean.droplet.web"
path = "/srv/page"
content = { template = "page" }
[check.www]
url = "https://example.com"
auth = { url = "https://example.com/login", headers = { a = "b" } }
version = { compatible = ">=1" }
[output.url]
value = "https://example.com"
"#;

/// What `ipai validate` says of a stack.
fn validated(text: &str) -> Ran {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("stack.toml"), text).unwrap();
    std::fs::write(folder.path().join("page"), "Hello").unwrap();
    let command = ["-C", folder.path().to_str().unwrap(), "validate"];
    ipai(folder.path()).args(command).output().unwrap().into()
}

#[test]
fn what_is_wrong_by_its_form_passes_neither_the_schema_nor_ipai() {
    let schema = schema(&[]);
    assert_eq!(wrong(&schema, GOOD), [""; 0]);
    validated(GOOD).expect(0);
    for (from, to, place) in [
        ("[stack]\nname = \"web\"\n", "", ""),
        ("name = \"web\"\n", "", "/stack"),
        ("\"web\"", "\"we--b\"", "/stack/name"),
        ("port = 2222", "port = \"2222\"", "/ssh/port"),
        ("port = 2222", "port = 65536", "/ssh/port"),
        ("port = 2222", "prot = 2222", "/ssh"),
        ("[ssh]", "[shh]", ""),
        ("generate = \"password\"", "generate = \"passwort\"", "/secret/page/generate"),
        ("secret.page", "secret.Page", "/secret"),
        ("droplet.web]", "dorplet.web]", "/digitalocean"),
        ("region = \"fra1\"\n", "", "/digitalocean/droplet/web"),
        ("region = \"fra1\"", "regoin = \"fra1\"", "/digitalocean/droplet/web"),
        ("region = \"fra1\"", "region = 1", "/digitalocean/droplet/web/region"),
        ("\"{{ var.monitoring }}\"", "\"maybe\"", "/digitalocean/droplet/web/monitoring"),
        ("\"{{ var.ttl }}\"", "\"soon\"", "/cloudflare/dns_record/www/ttl"),
        ("\"{{ var.ttl }}\"", "86401", "/cloudflare/dns_record/www/ttl"),
        ("type = \"A\"", "type = \"B\"", "/cloudflare/dns_record/www/type"),
        ("after = [\"digitalocean.", "after = [\"", "/cloudflare/dns_record/www/after/0"),
        ("{ template = \"page\" }", "{ tempalte = \"page\" }", "/host/file/page/content"),
        ("url = \"https://example.com\"\nauth", "auth", "/check/www"),
        ("headers = { a = \"b\" }", "header = \"b\"", "/check/www/auth"),
        ("{ compatible = \">=1\" }", "{ header = \"x\" }", "/check/www/version"),
        ("value = ", "descriptoin = ", "/output/url"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        validated(&text).expect(1);
        let found = wrong(&schema, &text);
        assert!(
            found.iter().any(|error| error.starts_with(&format!("{place}: "))),
            "{to}: {found:#?}"
        );
    }
}

#[test]
fn a_value_as_a_string_passes_where_ipai_takes_one() {
    let schema = schema(&[]);
    for (from, to) in [("\"{{ var.ttl }}\"", "\"300\""), ("\"{{ var.monitoring }}\"", "\"true\"")] {
        let text = GOOD.replacen(from, to, 1);
        assert_eq!(wrong(&schema, &text), [""; 0], "{to}");
        validated(&text).expect(0);
    }
}
