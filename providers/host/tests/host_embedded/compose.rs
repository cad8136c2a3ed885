//! Compose projects: exactly what must be recreated is, and nothing else.

use ipai_core::{DesiredResource, Value, Verb};
use ipai_simulator::hosts::HostFaults;
use ipai_simulator::tools::{Answer, ToolFaults};

use crate::world::{World, compile, differences, file, home, secret};

const YAML: &str = "services:\n  \
    caddy:\n    image: caddy:2.11.4\n    restart: unless-stopped\n    volumes: [./caddy:/etc/caddy:ro, data:/data]\n    ports: [80:80]\n  \
    app:\n    image: app:1.0\n    restart: unless-stopped\n    env_file: app.env\n    healthcheck: {test: [CMD, check]}\n    \
    depends_on:\n      init: {condition: service_completed_successfully}\n  \
    init:\n    image: app:1.0\n    restart: \"no\"\n    volumes: [./init:/init:ro]\nvolumes:\n  data: {}\n";

/// The stack: three files and a project.
fn stack(yaml: Value, caddy: &str, env: &str) -> Vec<DesiredResource> {
    let reload = Value::Map([("reload".to_owned(), Value::texts(["caddy", "reload"]))].into());
    compile(vec![
        file("caddyfile", "/opt/ipai/ops/caddy/Caddyfile", caddy),
        file("env", "/opt/ipai/ops/app.env", env),
        file("init", "/opt/ipai/ops/init/run.sh", "true\n"),
        (
            "compose",
            "ops",
            vec![
                ("project", Value::text("ops")),
                ("directory", Value::text("/opt/ipai/ops")),
                ("content", yaml),
                ("timeout", Value::Int(4)),
                ("releases", Value::Int(5)),
                ("on_change", Value::Map([("caddy".to_owned(), reload)].into())),
            ],
        ),
    ])
}

fn plain(text: &str) -> Value {
    Value::Content(ipai_core::Content::plain(text.to_owned()))
}

fn usual() -> Vec<DesiredResource> {
    stack(plain(YAML), "one\n", "A=1\n")
}

/// How services are, for those that are not as they should be.
async fn services(world: &World, desired: &[DesiredResource]) -> Vec<String> {
    let live = world.observe(desired).await;
    let compose = desired.last().unwrap();
    let found = live.resources.iter().find(|l| l.address == compose.address).unwrap();
    let words = found.attributes["services"].as_map().unwrap();
    let wanted = compose.attributes["services"].as_map().unwrap();
    let differs = words.iter().filter(|(name, word)| wanted.get(*name) != Some(word));
    differs.map(|(name, word)| format!("{name}: {}", word.as_text().unwrap())).collect()
}

pub(crate) async fn a_project_comes_up_and_the_next_plan_is_empty() {
    let mut world = World::new().await;
    world.break_tools(&ToolFaults { looks_until_healthy: Some(6), ..ToolFaults::default() });
    let desired = usual();
    assert_eq!(world.apply(&desired).await.unwrap().len(), 4);
    assert_eq!(world.counted(), [1, 1, 1, 1]);
    assert_eq!(
        world.containers().into_keys().collect::<Vec<_>>(),
        ["ops-app-1", "ops-caddy-1", "ops-init-1"]
    );
    world.another_process();
    let live = world.observe(&desired).await;
    for resource in &desired {
        let found = live.resources.iter().find(|l| l.address == resource.address);
        assert_eq!(differences(resource, found), [""; 0], "{found:?}");
    }
    assert!(live.notes.is_empty() && live.foreign.is_empty(), "{live:?}");
    let news = world.news.lock().unwrap().join("\n");
    assert!(news.contains("waiting for app (starting)"), "{news}");
}

pub(crate) async fn while_images_are_pulled_it_is_told_how_many_are_here() {
    let world = World::new().await;
    world.break_tools(&ToolFaults { slow_pulls: 500, ..ToolFaults::default() });
    world.apply(&usual()).await.unwrap();
    let news = world.news.lock().unwrap().clone();
    let mut told = news.iter().filter(|text| text.ends_with(" here"));
    assert_eq!(told.next().unwrap(), "pulling images: 0 of 2 here", "{news:?}");
    assert_eq!(told.next().unwrap(), "pulling images: 1 of 2 here", "{news:?}");
}

pub(crate) async fn only_services_that_use_a_changed_file_are_recreated() {
    let world = World::new().await;
    world.apply(&usual()).await.unwrap();
    let before = world.containers();
    let changed = stack(plain(YAML), "one\n", "A=2\n");
    assert_eq!(services(&world, &changed).await, ["app: outdated"]);
    world.apply(&changed).await.unwrap();
    let after = world.containers();
    let same: Vec<&String> = before.keys().filter(|name| before[*name] == after[*name]).collect();
    assert_eq!(same, ["ops-caddy-1", "ops-init-1"]);
    assert_eq!(world.apply(&changed).await.unwrap(), [""; 0]);
}

pub(crate) async fn a_reload_leaves_the_container_alone() {
    let world = World::new().await;
    world.apply(&usual()).await.unwrap();
    let before = world.containers();
    let changed = stack(plain(YAML), "two\n", "A=1\n");
    assert_eq!(services(&world, &changed).await, ["caddy: old configuration loaded"]);
    world.news.lock().unwrap().clear();
    assert_eq!(world.apply(&changed).await.unwrap(), ["caddyfile", "ops"]);
    assert_eq!(world.containers(), before);
    assert!(world.news.lock().unwrap().iter().any(|text| text == "reloading caddy"));
    assert_eq!(world.apply(&changed).await.unwrap(), [""; 0]);
}

pub(crate) async fn a_failed_reload_is_not_taken_for_done() {
    let mut world = World::new().await;
    world.apply(&usual()).await.unwrap();
    let answer = Answer {
        contains: "caddy caddy reload".into(),
        while_file: Some(("/opt/ipai/ops/caddy/Caddyfile".into(), "broken".into())),
        exit: 1,
        stderr: "Error: adapting config: unrecognized directive".into(),
        ..Answer::default()
    };
    world.break_tools(&ToolFaults { answers: vec![answer], ..ToolFaults::default() });
    let changed = stack(plain(YAML), "broken\n", "A=1\n");
    let error = world.apply(&changed).await.unwrap_err();
    assert_eq!(error.attempted, "reload service caddy");
    assert!(error.cause.contains("unrecognized directive"), "{error}");
    assert_eq!(error.fault, ipai_core::Fault::Returned);
    assert_eq!(world.read("/opt/ipai/ops/caddy/Caddyfile"), "one\n");
    world.break_tools(&ToolFaults::default());
    world.another_process();
    assert_eq!(services(&world, &changed).await, ["caddy: old configuration loaded"]);
    assert_eq!(world.apply(&changed).await.unwrap(), ["caddyfile", "ops"]);
    assert_eq!(world.apply(&changed).await.unwrap(), [""; 0]);
}

pub(crate) async fn an_unhealthy_service_is_named_with_its_log() {
    let world = World::new().await;
    world.break_tools(&ToolFaults { unhealthy: vec!["app".into()], ..ToolFaults::default() });
    let error = world.apply(&usual()).await.unwrap_err().to_string();
    assert!(error.contains("service app is unhealthy and should be running"), "{error}");
    assert!(error.contains("Its last lines:\nipai sandbox"), "{error}");
    assert_eq!(services(&world, &usual()).await, ["app: unhealthy"]);
    world.break_tools(&ToolFaults::default());
    world.apply(&usual()).await.unwrap();
}

pub(crate) async fn a_failing_job_is_named_at_once() {
    let world = World::new().await;
    world.break_tools(&ToolFaults { failing: vec!["init".into()], ..ToolFaults::default() });
    let error = world.apply(&usual()).await.unwrap_err().to_string();
    assert!(error.contains("service init is exited (1) and should be completed"), "{error}");
}

pub(crate) async fn a_broken_file_changes_nothing() {
    let world = World::new().await;
    world.apply(&usual()).await.unwrap();
    let (before, yaml) = (world.containers(), world.read("/opt/ipai/ops/compose.yaml"));
    let broken =
        YAML.replace("    restart: \"no\"\n", "    restart: \"no\"\n    depends_on: [app]\n");
    let error = world.apply(&stack(plain(&broken), "one\n", "A=1\n")).await.unwrap_err();
    assert_eq!(error.attempted, "check the Compose file");
    assert!(error.cause.contains("cycle"), "{error}");
    assert_eq!(world.containers(), before);
    assert_eq!(world.read("/opt/ipai/ops/compose.yaml"), yaml);
}

pub(crate) async fn foreign_containers_are_left_alone() {
    let world = World::new().await;
    world.write("/srv/other/compose.yaml", "services:\n  web: {image: \"web:1\"}\n");
    let other = world.path("/srv/other").display().to_string();
    let up = ["compose", "-p", "other", "--project-directory", &other, "-f"];
    let yaml = format!("{other}/compose.yaml");
    world.run_docker(&[&up[..], &[&yaml, "up", "-d"]].concat());
    world.apply(&usual()).await.unwrap();
    let live = world.observe(&usual()).await;
    assert_eq!(live.foreign.len(), 1);
    assert_eq!(
        live.foreign[0].title,
        "Compose project other (1 container) on digitalocean.droplet.ops"
    );
    assert!(world.containers().contains_key("other-web-1"));
    // The same name with somebody else's containers is in the way.
    let desired = compile(vec![(
        "compose",
        "other",
        vec![
            ("project", Value::text("other")),
            ("directory", Value::text("/srv/ours")),
            ("content", plain("services:\n  web: {image: \"web:2\"}\n")),
        ],
    )]);
    let live = world.observe(&desired).await;
    let kinds = ipai_core::Types::new(ipai_host::types());
    let conflicts = live.foreign.iter().filter(|f| {
        kinds.get(&desired[0].address).unwrap().conflict(&desired[0].attributes, f).is_some()
    });
    assert_eq!(conflicts.count(), 1, "{:?}", live.foreign);
}

pub(crate) async fn deleting_keeps_volumes_and_foreign_containers() {
    let mut world = World::new().await;
    world.apply(&usual()).await.unwrap();
    world.another_process();
    let files = &usual()[..3];
    let live = world.observe(files).await;
    let doomed = live.resources.iter().find(|l| l.address.kind == "compose").unwrap();
    let delete = vec![world.job(Verb::Delete, None, Some(doomed))];
    let results = world.execute(delete).await;
    assert!(results.values().all(Result::is_ok), "{results:?}");
    assert!(world.containers().is_empty());
    assert!(world.docker()["volumes"].as_object().unwrap().contains_key("ops_data"));
    assert!(!world.path("/opt/ipai/ops/compose.yaml").exists());
    assert_eq!(world.observe(files).await.resources.len(), 3);
}

pub(crate) async fn a_service_that_took_in_drift_is_created_anew() {
    let world = World::new().await;
    world.apply(&usual()).await.unwrap();
    let before = world.containers();
    world.write("/opt/ipai/ops/init/run.sh", "false\n");
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let file =
        std::fs::File::options().write(true).open(world.path("/opt/ipai/ops/init/run.sh")).unwrap();
    file.set_modified(past).unwrap();
    assert_eq!(services(&world, &usual()).await, ["init: drifted configuration loaded"]);
    assert_eq!(world.apply(&usual()).await.unwrap(), ["init", "ops"]);
    let after = world.containers();
    assert_ne!(before["ops-init-1"], after["ops-init-1"]);
    assert_eq!(before["ops-app-1"], after["ops-app-1"]);
    assert_eq!(world.apply(&usual()).await.unwrap(), [""; 0]);
}

pub(crate) async fn a_host_without_docker_says_so() {
    let world = World::new().await;
    world.break_tools(&ToolFaults { docker_absent: true, ..ToolFaults::default() });
    let error = world.apply(&usual()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot find Docker on the host: it is not installed");
    world.break_tools(&ToolFaults { compose_absent: true, ..ToolFaults::default() });
    let error = world.apply(&usual()).await.unwrap_err();
    assert_eq!(error.attempted, "find Compose on the host");
    world.break_tools(&ToolFaults { engine_down: true, ..ToolFaults::default() });
    let error = world.try_observe(&usual()).await.unwrap_err();
    assert_eq!(error.attempted, format!("list the containers ({})", home()));
}

pub(crate) async fn a_secret_yaml_is_readable_by_root_alone() {
    let world = World::new().await;
    let yaml = YAML.replace(
        "image: app:1.0\n    restart: unless",
        "image: app:1.0\n    environment: {P: hunter2}\n    restart: unless",
    );
    let desired = stack(secret(&yaml), "one\n", "A=1\n");
    world.apply(&desired).await.unwrap();
    assert_eq!(services(&world, &desired).await, [""; 0]);
    assert_eq!(world.apply(&desired).await.unwrap(), [""; 0]);
    let mode = std::os::unix::fs::MetadataExt::mode(
        &std::fs::metadata(world.path("/opt/ipai/ops/compose.yaml")).unwrap(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

pub(crate) async fn a_link_cut_anywhere_is_taken_up_again() {
    for (stdin, output) in [
        (Some(400), None),
        (Some(2_500), None),
        (Some(5_000), None),
        (Some(8_000), None),
        (None, Some(300)),
        (None, Some(2_000)),
    ] {
        let world = World::new().await;
        let faults = HostFaults {
            cut_after_stdin: stdin,
            cut_after_output: output,
            ..HostFaults::default()
        };
        world.break_host(faults).await;
        let first = world.apply(&usual()).await;
        let again = world.apply(&usual()).await.unwrap();
        assert!(first.is_err() || again.is_empty(), "{stdin:?} {output:?}: {again:?}");
        assert_eq!(world.containers().len(), 3);
        assert_eq!(world.apply(&usual()).await.unwrap(), [""; 0]);
    }
}
