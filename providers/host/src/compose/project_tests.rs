use super::*;

fn project(yaml: &str) -> Project {
    Project::read(yaml, "/opt/ipai/ops").unwrap()
}

fn uses(service: &str) -> Vec<String> {
    let indented = service.replace('\n', "\n    ");
    let yaml = format!(
        "services:\n  a:\n    image: x:1\n    {indented}\nconfigs:\n  c: {{file: ./c.conf}}\nsecrets:\n  s: {{file: /run/s}}\n"
    );
    let show = |used: &Use| format!("{:?} {}", used.how, used.path);
    project(&yaml).services["a"].uses.iter().map(show).collect()
}

#[test]
fn finds_paths_in_every_form_of_a_mount() {
    for (service, expected) in [
        ("volumes: [./caddy:/etc/caddy:ro]", "Mounted /opt/ipai/ops/caddy"),
        ("volumes: [\"/etc/x/:/x\"]", "Mounted /etc/x"),
        ("volumes: [../y:/y]", "Mounted /opt/ipai/y"),
        ("volumes:\n  - {type: bind, source: ./z, target: /z}", "Mounted /opt/ipai/ops/z"),
        ("env_file: app.env", "Read /opt/ipai/ops/app.env"),
        ("env_file: [./a.env]", "Read /opt/ipai/ops/a.env"),
        ("env_file:\n  - {path: b.env, required: false}", "Read /opt/ipai/ops/b.env"),
        ("build: ./superset", "Read /opt/ipai/ops/superset"),
        ("build: {context: ., dockerfile: D}", "Read /opt/ipai/ops"),
        ("configs: [c]", "Mounted /opt/ipai/ops/c.conf"),
        ("secrets: [{source: s, target: t}]", "Mounted /run/s"),
    ] {
        assert_eq!(uses(service), [expected], "{service}");
    }
}

#[test]
fn leaves_out_what_is_no_path_that_it_can_know() {
    for service in [
        "volumes: [pgdata:/var/lib/postgresql/data]",
        "volumes: [\"${DATA}/x:/x\"]",
        "volumes: [\"~/x:/x\"]",
        "volumes: [/:/rootfs:ro]",
        "volumes: [/anonymous/volume]",
        "volumes:\n  - {type: volume, source: data, target: /x}",
        "build: https://example.com/x.git",
    ] {
        let found = uses(service);
        assert!(found.is_empty() || service.contains("anonymous"), "{service}: {found:?}");
    }
}

#[test]
fn a_service_that_another_waits_for_to_complete_is_one_shot() {
    let project = project(
        "services:\n  init: {image: x:1}\n  \
         web:\n    image: x:1\n    depends_on:\n      init: {condition: service_completed_successfully}\n      db: {condition: service_healthy}\n  \
         db: {image: x:1}\n",
    );
    let expected: Vec<_> = project.expected().into_iter().collect();
    let word = |name: &str, word| (name.to_owned(), word);
    assert_eq!(
        expected,
        [word("db", "running"), word("init", "completed"), word("web", "running")]
    );
}

#[test]
fn an_explicit_restart_no_makes_a_job_unless_it_serves() {
    for (body, one_shot) in [
        ("restart: \"no\"", true),
        ("restart: no", true),
        ("restart: unless-stopped", false),
        ("restart: \"no\"\n    ports: [80]", false),
        ("restart: \"no\"\n    healthcheck: {test: [CMD, \"true\"]}", false),
        ("user: root", false),
    ] {
        let yaml = format!("services:\n  a:\n    image: x:1\n    {body}\n");
        assert_eq!(project(&yaml).services["a"].one_shot, one_shot, "{body}");
    }
}

#[test]
fn what_up_does_not_start_is_not_expected() {
    let project = project(
        "services:\n  a: {image: x:1, profiles: [tools]}\n  b: {image: x:1, deploy: {replicas: 0}}\n  c: {image: x:1, scale: 2}\n",
    );
    assert_eq!(project.expected().into_keys().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn later_documents_add_to_earlier_ones() {
    let project = project(
        "services:\n  a:\n    image: x:1\n    volumes: [./a:/a]\n---\nservices:\n  a:\n    volumes: [./b:/b]\n---\nx-ipai:\n  loads: {a: \"12\"}\n",
    );
    assert_eq!(project.services["a"].uses.len(), 2);
    assert_eq!(project.services["a"].image.as_deref(), Some("x:1"));
    assert_eq!(project.loads["a"], "12");
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let project = project(
        "x-base: &base\n  env_file: a.env\nservices:\n  a:\n    <<: *base\n    image: x:1\n",
    );
    assert_eq!(project.services["a"].uses.len(), 1);
}

#[test]
fn an_error_names_its_line_and_does_not_quote_the_text() {
    let error = Project::read("services:\n  a: {image: hunter2\n  b: ]\n", "/x").unwrap_err();
    assert!(error.line >= 2, "{error:?}");
    assert!(!error.message.contains("hunter2"), "{error:?}");
}

#[test]
fn what_is_built_or_never_pulled_comes_from_no_registry() {
    for (body, pulled) in [
        ("restart: always", true),
        ("pull_policy: missing", true),
        ("pull_policy: never", false),
        ("pull_policy: build", false),
        ("build: .", false),
    ] {
        let yaml = format!("services:\n  a:\n    image: x:1\n    {body}\n");
        assert_eq!(project(&yaml).services["a"].pulled, pulled, "{body}");
    }
}
