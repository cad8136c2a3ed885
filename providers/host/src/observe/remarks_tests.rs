use std::collections::BTreeMap;

use ipai_core::{Attributes, Content, DesiredResource, DigestKey, LiveResource, Span};

use super::super::answer::Answer;
use super::*;
use crate::manifest::{Index, Manifest};

fn found(kind: &str, attribute: &str, value: Value) -> LiveResource {
    LiveResource {
        address: format!("host.{kind}.x").parse().unwrap(),
        id: "x".into(),
        attributes: Attributes::from([(attribute.to_owned(), value)]),
        outputs: BTreeMap::new(),
        applied: None,
        created: None,
        home: None,
    }
}

fn services(words: &[(&str, &str)]) -> LiveState {
    let words = words.iter().map(|(name, word)| ((*name).to_owned(), Value::text(*word)));
    let found = found("compose", SERVICES, Value::Map(words.collect()));
    LiveState { resources: vec![found], ..LiveState::default() }
}

#[test]
fn a_project_is_down_when_no_service_has_a_container() {
    assert_eq!(taken_down(&services(&[("a", MISSING), ("b", MISSING)])).len(), 1);
    assert_eq!(taken_down(&services(&[("a", MISSING), ("b", "running")])), [""; 0]);
    assert_eq!(taken_down(&services(&[])), [""; 0]);
}

#[test]
fn a_host_went_back_while_something_of_the_stack_is_newer() {
    let content = |text: &str| Value::Content(Content::plain(text.into()));
    let wanted = DesiredResource {
        address: "host.file.x".parse().unwrap(),
        attributes: Attributes::from([("content".to_owned(), content("new"))]),
        after: Default::default(),
        home: None,
        span: Span::new(&"s".into(), 0..1),
        spans: BTreeMap::new(),
    };
    let (home, key, answer) =
        ("host.server.a".parse().unwrap(), DigestKey::new(vec![1]), Answer::default());
    let told = |current: u64, serves: &str| {
        let releases = Index { current: Some(current), last: 5, ..Index::default() };
        let manifest = Manifest { releases, ..Manifest::default() };
        let desired = std::slice::from_ref(&wanted);
        let report = Report {
            stack: "ops",
            home: &home,
            desired,
            manifest: &manifest,
            answer: &answer,
            key: &key,
        };
        let resources = vec![found("file", "content", content(serves))];
        gone_back(&report, &LiveState { resources, ..LiveState::default() })
    };
    assert!(told(3, "old").unwrap().starts_with("host.server.a went back to release 3 of 5"));
    assert_eq!(told(3, "new"), None);
    assert_eq!(told(5, "old"), None);
}
