use std::collections::BTreeSet;
use std::sync::Arc;

use ipai_core::{Address, Content, DigestKey, Span};

use super::*;

fn key() -> DigestKey {
    DigestKey::new(vec![1; 32])
}

fn resource(kind: &str, name: &str, attributes: &[(&str, Value)]) -> DesiredResource {
    let file: Arc<str> = "stack.toml".into();
    let host = ("host".to_owned(), Value::text("digitalocean.droplet.ops"));
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
    DesiredResource {
        address: Address::new("host", kind, name),
        attributes: attributes.chain([host]).collect(),
        after: BTreeSet::new(),
        home: None,
        span: Span::new(&file, 0..1),
        spans: BTreeMap::new(),
    }
}

fn content(text: &str) -> Value {
    Value::Content(Content::plain(text.into()))
}

fn file(path: &str, value: Value) -> DesiredResource {
    let name = path.rsplit('/').next().unwrap().replace('.', "_");
    let attributes = [
        ("path", Value::text(path)),
        ("content", value),
        ("mode", Value::text("0644")),
        ("owner", Value::text("root:root")),
    ];
    resource("file", &name, &attributes)
}

fn compose(yaml: &str, reload: Option<&str>) -> DesiredResource {
    let command = Value::Map([("reload".to_owned(), Value::texts(["caddy", "reload"]))].into());
    let on_change = reload.map(|service| (service.to_owned(), command)).into_iter().collect();
    let attributes = [
        ("project", Value::text("ops")),
        ("directory", Value::text("/opt/ipai/ops")),
        ("content", content(yaml)),
        ("on_change", Value::Map(on_change)),
    ];
    resource("compose", "ops", &attributes)
}

/// Runs check and settle, and gives back the resource and the summaries of what was found.
fn compiled(resource: DesiredResource, all: &[DesiredResource]) -> (DesiredResource, Vec<String>) {
    compiled_with(resource, all, None)
}

fn compiled_with(
    mut resource: DesiredResource,
    all: &[DesiredResource],
    images: Option<&Locked>,
) -> (DesiredResource, Vec<String>) {
    let (stack, key, mut problems) = (StackId::new("ops", None), key(), Vec::new());
    let mut draft = Draft {
        resource: &mut resource,
        stack: &stack,
        key: &key,
        images,
        problems: &mut problems,
    };
    ComposeType.check(&mut draft);
    ComposeType.settle(&mut draft, all);
    (resource, problems.into_iter().map(|p| p.summary).collect())
}

fn text_of(resource: &DesiredResource) -> String {
    let content = resource.attributes["content"].as_content().unwrap();
    content.text.as_ref().unwrap().expose().to_owned()
}

const YAML: &str = "services:\n  caddy:\n    image: caddy:2.11.4\n    volumes: [./caddy:/etc/caddy:ro]\n  \
                    app:\n    image: app:1\n    env_file: app.env\n  other:\n    image: app:1";

fn files() -> [DesiredResource; 2] {
    [
        file("/opt/ipai/ops/caddy/Caddyfile", content("one")),
        file("/opt/ipai/ops/app.env", content("A=1")),
    ]
}

#[test]
fn labels_are_appended_as_a_document_of_their_own() {
    let (resource, problems) = compiled(compose(YAML, Some("caddy")), &files());
    assert!(problems.is_empty(), "{problems:?}");
    let text = text_of(&resource);
    let added = text.strip_prefix(YAML).unwrap();
    let digest = |text: &str| -> String {
        let hex = |c: char| c.is_ascii_hexdigit();
        text.split('"')
            .map(|word| if word.len() == 16 && word.chars().all(hex) { "DIGEST" } else { word })
            .collect::<Vec<_>>()
            .join("\"")
    };
    assert_eq!(
        digest(added),
        "\n---\n# added by ipai: labels, and digests of the files that services use\nservices:\n  \
         \"app\":\n    labels:\n      ipai.stack: \"ops\"\n      ipai.address: \"host.compose.ops\"\n      ipai.files: \"DIGEST\"\n  \
         \"caddy\":\n    labels:\n      ipai.stack: \"ops\"\n      ipai.address: \"host.compose.ops\"\n  \
         \"other\":\n    labels:\n      ipai.stack: \"ops\"\n      ipai.address: \"host.compose.ops\"\n\
         x-ipai:\n  loads:\n    \"caddy\": \"DIGEST\"\n"
    );
    let read = Project::read(&text, "/opt/ipai/ops").unwrap();
    assert_eq!(read.loads.len(), 1);
    assert_eq!(read.services.len(), 3);
}

#[test]
fn it_comes_after_every_file_of_its_host_and_of_no_other() {
    let mut elsewhere = file("/x", content("x"));
    elsewhere.attributes.insert("host".into(), Value::text("digitalocean.droplet.b"));
    let (resource, _) = compiled(compose(YAML, None), &[&files()[..], &[elsewhere]].concat());
    assert_eq!(resource.after.len(), 2);
}

#[test]
fn only_the_service_that_uses_a_changed_file_gets_another_label() {
    let [caddy, env] = files();
    let before = text_of(&compiled(compose(YAML, None), &[caddy.clone(), env]).0);
    let changed = file("/opt/ipai/ops/app.env", content("A=2"));
    let after = text_of(&compiled(compose(YAML, None), &[caddy, changed]).0);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(&before), lines(&after));
    let differing: Vec<usize> =
        (0..before.len()).filter(|line| before[*line] != after[*line]).collect();
    assert_eq!(differing.len(), 1);
    assert!(before[differing[0] - 4].contains("\"app\""), "{before:#?}");
}

#[test]
fn a_secret_enters_a_digest_by_its_keyed_form() {
    let secret = |key: &DigestKey| Value::Content(Content::sensitive("A=s".into(), key));
    let digest = |value: Value| {
        let files = [file("/opt/ipai/ops/app.env", value)];
        text_of(&compiled(compose(YAML, None), &files).0)
    };
    assert_ne!(digest(secret(&key())), digest(secret(&DigestKey::new(vec![2; 32]))));
    assert_ne!(digest(secret(&key())), digest(content("A=s")));
}

#[test]
fn waits_for_what_its_files_wait_for() {
    let reference = ipai_core::Reference {
        address: "digitalocean.droplet.ops".parse().unwrap(),
        output: "ipv4".into(),
    };
    let unknown = Value::Unknown([reference.clone()].into());
    let files = [file("/opt/ipai/ops/app.env", unknown)];
    let (resource, problems) = compiled(compose(YAML, None), &files);
    assert!(problems.is_empty());
    assert_eq!(resource.attributes["content"], Value::Unknown([reference].into()));
    assert_eq!(resource.attributes[SERVICES].as_map().unwrap().len(), 3);
}

#[test]
fn a_reload_of_a_singly_mounted_file_becomes_a_recreation_with_a_warning() {
    let yaml = "services:\n  caddy:\n    image: caddy:2\n    volumes: [./caddy/Caddyfile:/etc/caddy/Caddyfile]\n";
    let (resource, problems) = compiled(compose(yaml, Some("caddy")), &files());
    assert_eq!(problems, ["A reload that cannot see the change"]);
    assert!(text_of(&resource).contains("ipai.files"));
    assert!(!text_of(&resource).contains("x-ipai"));
}

#[test]
fn says_what_is_wrong_with_a_compose_file() {
    for (yaml, summary) in [
        ("services:\n  a: [", "Not a Compose file"),
        ("- a", "Not a Compose file"),
        ("services: {}", "A Compose file without services"),
        ("services:\n  a: {restart: always}", "A service without an image"),
        ("services:\n  a: {image: nginx}", "An image without a fixed version"),
        ("services:\n  a: {image: \"r:5000/nginx\"}", "An image without a fixed version"),
        ("services:\n  a: {image: \"nginx:latest\"}", "An image without a fixed version"),
    ] {
        let (_, problems) = compiled(compose(yaml, None), &[]);
        assert_eq!(problems, [summary], "{yaml}");
    }
    for image in ["nginx:1", "r:5000/nginx:1", "nginx@sha256:00", "\"x:${TAG}\""] {
        let yaml = format!("services:\n  a: {{image: {image}}}");
        assert_eq!(compiled(compose(&yaml, None), &[]).1, [""; 0], "{image}");
    }
}

#[test]
fn refuses_attributes_that_cannot_be() {
    let wrong = |name: &str, value: Value| {
        let mut resource = compose(YAML, None);
        resource.attributes.insert(name.into(), value);
        compiled(resource, &[]).1
    };
    assert_eq!(wrong("project", Value::text("Ops")), ["Not a project name"]);
    assert_eq!(wrong("directory", Value::text("opt")), ["Not a path on a host"]);
    let (_, problems) = compiled(compose(YAML, Some("nobody")), &[]);
    assert_eq!(problems, ["`on_change` of an unknown service"]);
    let own = file("/opt/ipai/ops/compose.yaml", content("x"));
    assert_eq!(compiled(compose(YAML, None), &[own]).1, ["Two resources exclude each other"]);
}

#[test]
fn a_locked_image_is_named_with_its_digest_unless_it_is_made_on_the_host() {
    let yaml = "services:\n  a: {image: caddy}\n  b: {image: \"app:1\"}\n  c: {image: \"own:1\", build: .}\n  \
                d: {image: \"own:1\"}\n  e: {image: \"never:1\", pull_policy: never}\n  f: {image: \"x:1@sha256:12\"}\n";
    let digest = format!("sha256:{}", "a".repeat(64));
    let names = ["caddy:latest", "own:1", "never:1", "x:1"];
    let locked = names.map(|name| (name.to_owned(), digest.clone())).into();
    let (resource, problems) = compiled_with(compose(yaml, None), &[], Some(&locked));
    let read = Project::read(&text_of(&resource), "/opt/ipai/ops").unwrap();
    let image = |service: &str| read.services[service].image.clone().unwrap();
    assert_eq!(image("a"), format!("caddy:latest@{digest}"));
    assert_eq!(
        ["b", "c", "d", "e", "f"].map(image),
        ["app:1", "own:1", "own:1", "never:1", "x:1@sha256:12"]
    );
    // One for `app:1`; `caddy` without a tag is no matter any more.
    assert_eq!(problems, ["An image that is not locked"]);
    let (plain, problems) = compiled_with(compose(yaml, None), &[], None);
    assert!(!text_of(&plain).contains(&digest));
    assert_eq!(problems, ["An image without a fixed version"]);
}
