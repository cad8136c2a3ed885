use super::*;

const WHOLE: &str = r#"{"format":1,"stack":"ops","project":"ops","time":"2026-11-24T12:00:00Z","online":false,"host":"h","postgres":170004,
"services":{"n8n":{"image":"n8nio/n8n:2.41.7","id":"sha256:a","digests":null},"postgres":{"image":"postgres:17.11-bookworm","id":"sha256:b","digests":["x@y"]}},
"keys":{"n8n":"aa"},"databases":{"n8n_db":{"service":"n8n","role":"n8n","bytes":1000,"sha256":"00","rows":{"public.users":3}}},
"folders":{"ops_n8n-data":{"service":"n8n","kind":"volume","path":"/v","bytes":500,"files":2}}}"#;

fn facts() -> Facts {
    Facts {
        stack: "ops".into(),
        postgres: 170_011,
        keys: [("n8n".to_owned(), "aa".to_owned())].into(),
        free: 1 << 30,
        images: [("n8n".to_owned(), "n8nio/n8n:2.41.7".to_owned())].into(),
        migrates: vec!["n8n".into()],
        now: 1_795_521_600,
    }
}

fn refused(facts: &Facts, service: Option<&str>) -> String {
    let manifest = Manifest::read(WHOLE).unwrap();
    let found = refusals(&manifest, facts, service);
    found.into_iter().map(|(why, _)| why).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_backup_of_the_same_stack_with_the_same_keys_and_versions_is_restored() {
    assert_eq!(refused(&facts(), None), "");
    assert_eq!(refused(&facts(), Some("n8n")), "");
    // A newer application takes older data forward by itself, and so does a newer PostgreSQL take a dump.
    let mut newer = facts();
    newer.images.insert("n8n".into(), "n8nio/n8n:2.42.0".into());
    newer.postgres = 180_001;
    assert_eq!(refused(&newer, None), "");
}

#[test]
fn everything_that_speaks_against_restoring_is_said_at_once() {
    let other = Facts {
        stack: "shop".into(),
        postgres: 160_004,
        keys: [("n8n".to_owned(), "bb".to_owned())].into(),
        free: 2_000,
        images: [("n8n".to_owned(), "n8nio/n8n:2.40.0".to_owned())].into(),
        now: 1_795_521_600 - 3_600,
        ..facts()
    };
    let said = refused(&other, None);
    for word in [
        "a backup of the stack ops",
        "key n8n is another",
        "PostgreSQL 17",
        "older n8nio/n8n:2.40.0",
        "0 MiB left",
        "from the future",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(said.lines().count(), 6, "{said}");
}

#[test]
fn a_key_that_the_stack_does_not_name_and_a_service_without_data_are_refused() {
    let keyless = Facts { keys: BTreeMap::new(), ..facts() };
    assert!(refused(&keyless, None).contains("does not name it"));
    assert!(refused(&facts(), Some("caddy")).contains("nothing of caddy"));
}

#[test]
fn an_older_application_without_migrations_is_no_reason_to_refuse() {
    let mut older = facts();
    older.migrates.clear();
    older.images.insert("n8n".into(), "n8nio/n8n:1.0.0".into());
    assert_eq!(refused(&older, None), "");
}

#[test]
fn a_manifest_of_another_format_or_none_at_all_is_refused() {
    assert!(
        Manifest::read(&WHOLE.replace("\"format\":1", "\"format\":2"))
            .unwrap_err()
            .contains("update ipai")
    );
    assert!(Manifest::read("{").is_err());
    assert!(Manifest::read("").is_err());
    assert_eq!(Manifest::read(WHOLE).unwrap().bytes(None), 1_500);
}

#[test]
fn names_of_backups_are_hex_or_latest() {
    for id in ["latest", "bec7d9a8", &"a".repeat(64)] {
        assert!(is_id(id), "{id}");
    }
    for id in ["", "bec7", "../x", "bec7d9a8 --no-lock", "Latest", &"a".repeat(65)] {
        assert!(!is_id(id), "{id}");
    }
}

#[test]
fn a_drill_restores_the_backups_of_the_stack_that_it_is_a_drill_of() {
    assert_eq!(drill_of(None), "drill");
    assert_eq!(drill_of(Some("staging")), "staging-drill");
    assert_eq!(source("ops", Some("drill")), StackId::new("ops", None));
    assert_eq!(source("ops", Some("staging-drill")), StackId::new("ops", Some("staging")));
    assert_eq!(source("ops", Some("staging")), StackId::new("ops", Some("staging")));
}
