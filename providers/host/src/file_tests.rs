use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipai_core::{Address, Content, DesiredResource, DigestKey, Span, StackId};

use super::*;

fn checked(attributes: &[(&str, Value)]) -> (Attributes, Vec<String>) {
    let file: Arc<str> = "stack.toml".into();
    let mut resource = DesiredResource {
        address: Address::new("host", "file", "a"),
        attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        after: BTreeSet::new(),
        home: None,
        span: Span::new(&file, 0..1),
        spans: BTreeMap::new(),
    };
    let (stack, key) = (StackId::new("ops", None), DigestKey::new(vec![1; 32]));
    let mut problems = Vec::new();
    let mut draft = Draft {
        resource: &mut resource,
        stack: &stack,
        key: &key,
        images: None,
        problems: &mut problems,
    };
    FileType.check(&mut draft);
    (resource.attributes, problems.into_iter().map(|p| p.summary).collect())
}

fn secret() -> Value {
    Value::Content(Content::sensitive("PASSWORD=x".into(), &DigestKey::new(vec![1; 32])))
}

fn plain() -> Value {
    Value::Content(Content::plain("a".into()))
}

#[test]
fn the_default_mode_depends_on_what_is_in_it() {
    assert_eq!(checked(&[("content", plain())]).0["mode"], Value::text("0644"));
    assert_eq!(checked(&[("content", secret())]).0["mode"], Value::text("0600"));
    let unknown = Value::Unknown(BTreeSet::from([ipai_core::Reference {
        address: Address::new("a", "b", "c"),
        output: "d".into(),
    }]));
    assert!(!checked(&[("content", unknown)]).0.contains_key("mode"));
}

#[test]
fn refuses_a_secret_that_everybody_may_read() {
    let (_, problems) = checked(&[("content", secret()), ("mode", Value::text("644"))]);
    assert_eq!(problems, ["A secret in a file that everybody may read"]);
    let (attributes, problems) = checked(&[("content", secret()), ("mode", Value::text("640"))]);
    assert_eq!((problems.len(), &attributes["mode"]), (0, &Value::text("0640")));
}

#[test]
fn modes_and_paths_get_one_spelling() {
    let (attributes, problems) = checked(&[
        ("content", plain()),
        ("mode", Value::text("755")),
        ("path", Value::text("//opt/./x/")),
        ("owner", Value::text("2000:2000")),
    ]);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(attributes["mode"], Value::text("0755"));
    assert_eq!(attributes["path"], Value::text("/opt/x"));
}

#[test]
fn refuses_what_is_no_mode_owner_or_path() {
    for (name, text) in [
        ("mode", "0888"),
        ("mode", "+x"),
        ("mode", "07777"),
        ("owner", "root"),
        ("owner", "root:"),
        ("owner", "-x:root"),
        ("owner", "a b:c"),
        ("path", "etc/x"),
        ("path", "/a/../b"),
    ] {
        let (_, problems) = checked(&[("content", plain()), (name, Value::text(text))]);
        assert_eq!(problems.len(), 1, "{name} {text}");
    }
}

#[test]
fn two_files_of_one_path_on_one_host_clash() {
    let file = |host: &str, path: &str| -> Attributes {
        let pair = |k: &str, v: &str| (k.to_owned(), Value::text(v));
        Attributes::from([pair("host", host), pair("path", path)])
    };
    let one = file("digitalocean.droplet.a", "/x");
    assert!(FileType.clash(&one, &file("digitalocean.droplet.a", "/x")).is_some());
    assert!(FileType.clash(&one, &file("digitalocean.droplet.b", "/x")).is_none());
    assert!(FileType.clash(&one, &file("digitalocean.droplet.a", "/y")).is_none());
}

#[test]
fn a_live_owner_is_written_like_the_wanted_one() {
    use mode::owner_like;
    assert_eq!(owner_like(Some("root:root"), "0:0", "root:root"), "root:root");
    assert_eq!(owner_like(Some("0:root"), "0:0", "root:root"), "0:root");
    assert_eq!(owner_like(Some("2000:2000"), "2000:2000", "UNKNOWN:UNKNOWN"), "2000:2000");
    assert_eq!(owner_like(None, "2000:0", "UNKNOWN:root"), "2000:root");
}
