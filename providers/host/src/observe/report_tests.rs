use std::collections::BTreeSet;

use ipai_core::{Span, hash};

use super::*;
use crate::manifest::ProjectRecord;

fn home() -> Address {
    "digitalocean.droplet.ops".parse().unwrap()
}

fn key() -> DigestKey {
    DigestKey::new(vec![1; 32])
}

fn wanted(name: &str, path: &str, content: Option<Content>) -> DesiredResource {
    let content = match content {
        Some(content) => Value::Content(content),
        None => Value::Unknown(BTreeSet::from([ipai_core::Reference {
            address: home(),
            output: "ipv4".into(),
        }])),
    };
    let pair = |name: &str, value: Value| (name.to_owned(), value);
    DesiredResource {
        address: Address::new("host", "file", name),
        attributes: Attributes::from([
            pair("host", Value::text(home().to_string())),
            pair("path", Value::text(path)),
            pair("content", content),
            pair("mode", Value::text("0644")),
            pair("owner", Value::text("root:root")),
        ]),
        after: BTreeSet::new(),
        home: Some(home()),
        span: Span::new(&"s".into(), 0..1),
        spans: BTreeMap::new(),
    }
}

fn stat() -> Stat {
    Stat {
        mode: 0o100_644,
        numbers: "0:0".into(),
        names: "root:root".into(),
        size: 1,
        changed: 100,
    }
}

fn record(name: &str) -> FileRecord {
    FileRecord {
        address: Address::new("host", "file", name),
        content: String::new(),
        mode: "0644".into(),
        owner: "root:root".into(),
    }
}

/// A manifest that exists, with these files.
fn manifest(files: &[(&str, &str)]) -> Manifest {
    let files = files.iter().map(|(path, name)| ((*path).to_owned(), record(name)));
    Manifest { files: files.collect(), digest: Some("x".into()), ..Manifest::new("ops") }
}

/// A host that holds these files, each with its text.
fn host(files: &[(&str, &str)]) -> Answer {
    let mut answer = Answer::default();
    for (path, text) in files {
        answer.stats.insert((*path).to_owned(), stat());
        answer.sums.insert((*path).to_owned(), hash::sha256_hex(text.as_bytes()));
    }
    answer
}

fn live(desired: &[DesiredResource], manifest: &Manifest, answer: &Answer) -> LiveState {
    let (home, key) = (home(), key());
    let report = Report { stack: "ops", home: &home, desired, manifest, answer, key: &key };
    report.live().unwrap()
}

fn plain(text: &str) -> Option<Content> {
    Some(Content::plain(text.into()))
}

/// What was reported: ours by name and path, and foreign ones by path.
fn shape(live: &LiveState) -> (Vec<String>, Vec<&str>) {
    let ours = live.resources.iter().map(|r| format!("{} {}", r.address.name, r.id)).collect();
    (ours, live.foreign.iter().map(|f| f.id.as_str()).collect())
}

#[test]
fn whose_a_file_is_depends_on_manifest_and_content() {
    let desired = [wanted("a", "/a", plain("A"))];
    for (manifest, text, ours) in [
        (manifest(&[("/a", "a")]), "other", true),
        (manifest(&[]), "A", true),
        (manifest(&[]), "other", false),
        (Manifest::new("ops"), "other", true),
    ] {
        let live = live(&desired, &manifest, &host(&[("/a", text)]));
        assert_eq!(live.resources.len(), usize::from(ours), "{manifest:?} {text}");
        assert_eq!(live.foreign.len(), usize::from(!ours), "{manifest:?} {text}");
    }
}

#[test]
fn a_file_at_a_wanted_path_is_called_by_its_wanted_name() {
    let desired = [wanted("new_name", "/a", plain("A"))];
    let live = live(&desired, &manifest(&[("/a", "old_name")]), &host(&[("/a", "A")]));
    assert_eq!(shape(&live), (vec!["new_name /a".to_owned()], vec![]));
}

#[test]
fn of_two_paths_of_one_address_the_wanted_one_is_first() {
    let desired = [wanted("a", "/z", plain("A"))];
    let both = manifest(&[("/a", "a"), ("/z", "a")]);
    let mut live = live(&desired, &both, &host(&[("/a", "A"), ("/z", "A")]));
    live.resources.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
    assert_eq!(shape(&live).0, ["a /z", "a /a"]);
}

#[test]
fn what_is_gone_is_not_reported() {
    let live =
        live(&[wanted("a", "/a", plain("A"))], &manifest(&[("/a", "a"), ("/b", "b")]), &host(&[]));
    assert_eq!(shape(&live), (vec![], vec![]));
}

#[test]
fn a_digest_that_may_be_a_secrets_is_keyed() {
    let secret = Content::sensitive("S".into(), &key());
    for content in [Some(secret.clone()), None] {
        let desired = [wanted("a", "/a", content)];
        let live = live(&desired, &manifest(&[("/a", "a")]), &host(&[("/a", "S")]));
        let content = live.resources[0].attributes["content"].as_content().unwrap();
        assert_eq!(content.keyed, secret.keyed);
    }
    // One that is no longer wanted is known from the manifest alone.
    let mut old = manifest(&[("/a", "a")]);
    old.files.get_mut("/a").unwrap().content = "keyed:12".into();
    let live = live(&[], &old, &host(&[("/a", "S")]));
    assert!(live.resources[0].attributes["content"].is_sensitive());
}

#[test]
fn only_an_applied_version_can_drift() {
    let desired = [wanted("a", "/a", plain("A"))];
    let version = desired[0].version(FileType.schema()).unwrap();
    let (home, key) = (home(), key());
    for (applied, text, drifted) in
        [(version.as_str(), "B", 1), (&version, "A", 0), ("old", "B", 0)]
    {
        let mut manifest = manifest(&[("/a", "a")]);
        manifest.applied.insert("host.file.a".into(), applied.into());
        let answer = host(&[("/a", text)]);
        let report = Report {
            stack: "ops",
            home: &home,
            desired: &desired,
            manifest: &manifest,
            answer: &answer,
            key: &key,
        };
        assert_eq!(report.drifted_files().len(), drifted, "{applied} {text}");
    }
}

#[test]
fn a_project_of_ours_that_is_no_longer_wanted_is_reported_while_anything_is_left_of_it() {
    let mut manifest = manifest(&[]);
    let record = ProjectRecord::new(Address::new("host", "compose", "ops"), "/d");
    manifest.projects.insert("ops".into(), record);
    let reported = |answer: &Answer| shape(&live(&[], &manifest, answer)).0;
    assert_eq!(reported(&host(&[])), [""; 0]);
    assert_eq!(reported(&host(&[("/d/compose.yaml", "x")])), ["ops ops"]);
    let label = ("com.docker.compose.project".to_owned(), "ops".to_owned());
    let container = Container { labels: [label].into(), ..Container::default() };
    let runs = Answer { docker: Docker::Containers(vec![container]), ..Answer::default() };
    assert_eq!(reported(&runs), ["ops ops"]);
}
