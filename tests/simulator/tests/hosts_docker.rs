//! The simulated engine, run as a program on a host runs it: through its link.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hosts_support::World;
use ipai_simulator::tools::{Answer, ToolFaults};
use serde_json::Value;

const COMPOSE: &str = "\
services:
  postgres:
    image: postgres:17
    restart: unless-stopped
    env_file: [db.env]
    environment:
      MODE: ${MODE:-fast}
      DOLLAR: a$$b
    volumes: ['data:/var/lib/postgresql/data', './conf:/conf:ro']
    healthcheck: {test: [CMD, pg_isready]}
  init:
    image: app:1
    restart: 'no'
    depends_on: {postgres: {condition: service_healthy}}
  web:
    image: app:1
    restart: unless-stopped
    depends_on: {init: {condition: service_completed_successfully}}
    ports: ['80:80']
volumes: {data: {}}
";

/// A host with a project in `opt/ops`.
struct Stack {
    world: World,
    folder: PathBuf,
}

/// What a command printed and how it ended.
struct Out {
    stdout: String,
    stderr: String,
    status: i32,
}

impl Stack {
    fn new() -> Self {
        let world = World::new();
        let folder = world.host().root().join("opt/ops");
        fs::create_dir_all(&folder).unwrap();
        let stack = Self { world, folder };
        stack.write("compose.yaml", COMPOSE);
        stack.write("db.env", "POSTGRES_PASSWORD='p$w'\n");
        stack
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn faults(&self, faults: &ToolFaults) {
        faults.save(self.world.host().base()).unwrap();
    }

    fn run(&self, line: &str, stdin: &str) -> Out {
        let words: Vec<String> =
            line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
        let host = self.world.host();
        let mut child = Command::new(self.world.folder.path().join("bin").join(&words[0]))
            .args(&words[1..])
            .env_clear()
            .envs(host.environment("root"))
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Out {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap(),
        }
    }

    fn docker(&self, line: &str) -> Out {
        self.run(&format!("docker {line}"), "")
    }

    /// `docker compose` in the form that ipai uses, without an extra document.
    fn compose(&self, line: &str) -> Out {
        let folder = self.folder.display();
        self.docker(&format!(
            "compose -p ops --project-directory {folder} -f {folder}/compose.yaml {line}"
        ))
    }

    fn good(&self, line: &str) -> String {
        let out = self.compose(line);
        assert_eq!(out.status, 0, "{line}: {}{}", out.stdout, out.stderr);
        out.stdout
    }

    /// Every container as `docker inspect` describes it, by service.
    fn containers(&self) -> Vec<(String, Value)> {
        let ids = self.docker("ps -a -q --no-trunc --filter label=com.docker.compose.project=ops");
        let ids: Vec<&str> = ids.stdout.lines().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        assert!(ids.iter().all(|id| id.len() == 64));
        let all = self.docker(&format!("inspect {}", ids.join(" "))).stdout;
        let all: Vec<Value> = serde_json::from_str(&all).unwrap();
        let service = |c: &Value| {
            c["Config"]["Labels"]["com.docker.compose.service"].as_str().unwrap().to_owned()
        };
        let mut found: Vec<_> = all.into_iter().map(|c| (service(&c), c)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn container(&self, service: &str) -> Value {
        self.containers().into_iter().find(|(name, _)| name == service).unwrap().1
    }

    fn ids(&self) -> Vec<String> {
        let id = |(_, c): (String, Value)| c["Id"].as_str().unwrap().to_owned();
        self.containers().into_iter().map(id).collect()
    }
}

#[test]
fn says_that_it_is_simulated() {
    let stack = Stack::new();
    for line in ["version", "info"] {
        assert!(stack.docker(line).stdout.contains("ipai sandbox (simulated)"), "{line}");
    }
    assert_eq!(stack.docker("compose version --short").stdout, "2.40.0\n");
    let version = stack.docker("version --format {{.Server.Version}}");
    assert!(version.stdout.starts_with("28."), "{}", version.stderr);
}

#[test]
fn up_honours_dependencies_and_a_second_up_changes_nothing() {
    let stack = Stack::new();
    let up = stack.compose("up -d --wait");
    assert_eq!(up.status, 0, "{}", up.stderr);
    let states: Vec<(String, String)> = stack
        .containers()
        .into_iter()
        .map(|(service, c)| (service, c["State"]["Status"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [("init", "exited"), ("postgres", "running"), ("web", "running")];
    assert_eq!(states, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let postgres = stack.container("postgres");
    assert_eq!(postgres["State"]["Health"]["Status"], "healthy");
    assert_eq!(postgres["Name"], "/ops-postgres-1");
    let env: Vec<&str> =
        postgres["Config"]["Env"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(env, ["DOLLAR=a$b", "MODE=fast", "POSTGRES_PASSWORD=p$w"]);
    let before = stack.ids();
    stack.good("up -d --wait");
    assert_eq!(stack.ids(), before);
    assert_eq!(stack.docker("volume ls -q").stdout, "ops_data\n");
    assert_eq!(stack.docker("network ls -q").stdout, "ops_default\n");
}

#[test]
fn recreates_exactly_what_hashes_differently() {
    let stack = Stack::new();
    stack.good("up -d");
    let (before, hashes) = (stack.ids(), stack.good("config --hash *"));
    for (service, container) in stack.containers() {
        let label = &container["Config"]["Labels"]["com.docker.compose.config-hash"];
        let line = format!("{service} {}", label.as_str().unwrap());
        assert!(hashes.lines().any(|hash| hash == line), "{line}");
    }
    stack.write("conf", "the bytes of mounted files do not count");
    assert_eq!(stack.good("config --hash *"), hashes);
    stack.write("db.env", "POSTGRES_PASSWORD=other\n");
    let after = stack.good("config --hash *");
    let changed: Vec<&str> = after.lines().filter(|line| !hashes.contains(line)).collect();
    assert!(matches!(changed[..], [line] if line.starts_with("postgres ")), "{changed:?}");
    stack.good("up -d");
    let moved: Vec<bool> = stack.ids().iter().zip(&before).map(|(a, b)| a != b).collect();
    assert_eq!(moved, [false, true, false]);
    stack.good("up -d --no-deps --force-recreate web");
    assert_ne!(stack.ids()[2], before[2]);
}

#[test]
fn merges_documents_and_reads_standard_input() {
    let stack = Stack::new();
    let two = "services: {a: {image: 'x:1', labels: [k=v], ports: ['1:1']}}\n---\n\
               services: {a: {labels: {ipai: ops}, ports: ['2:2']}}\n";
    let folder = stack.folder.display();
    let line =
        format!("docker compose -p ops --project-directory {folder} -f - config --format json");
    let out = stack.run(&line, two);
    let model: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(model["services"]["a"]["labels"], serde_json::json!({"k": "v", "ipai": "ops"}));
    assert_eq!(model["services"]["a"]["ports"], serde_json::json!(["1:1", "2:2"]));
    assert_eq!(stack.good("config --services"), "init\npostgres\nweb\n");
    assert_eq!(stack.good("config --images"), "app:1\npostgres:17\napp:1\n");
    assert!(stack.good("config").contains("POSTGRES_PASSWORD: p$$w"), "a dollar is doubled");
    assert_eq!(stack.good("config -q"), "");
}

#[test]
fn interpolates_from_an_env_file_that_the_environment_overrules() {
    let stack = Stack::new();
    stack.write("vars", "MODE=slow\n");
    let folder = stack.folder.display();
    let line = format!("compose --env-file {folder}/vars -f {folder}/compose.yaml config");
    assert!(stack.docker(&line).stdout.contains("MODE: slow"));
    let line = line.replace("/vars", "/none");
    assert!(stack.docker(&line).stderr.contains("couldn't find env file"));
}

#[test]
fn refuses_what_compose_refuses() {
    let stack = Stack::new();
    let cases = [
        (
            "services: {a: {image: x, imagee: y}}",
            "services.a additional properties 'imagee' not allowed",
        ),
        ("service: {a: {image: x}}", "additional properties 'service' not allowed"),
        ("services: {a: {image: x}", "yaml: line"),
        ("services: {a: {image: x}, a: {image: y}}", "yaml: line"),
        ("services: {a: {}}", "\"a\" has neither an image nor a build context specified"),
        ("services: {a: {image: x, depends_on: [b]}}", "\"a\" depends on undefined service \"b\""),
        ("services: {a: {image: x, env_file: nope.env}}", "nope.env not found"),
        ("services: {a: {image: x, networks: [n]}}", "\"a\" refers to undefined network n"),
        ("services: {a: {image: x, volumes: ['v:/v']}}", "\"a\" refers to undefined volume v"),
        ("services: {a: {image: 'x${'}}", "invalid interpolation format for services.a.image"),
        ("services: {a: {image: '${T:?set T}'}}", "required variable T is missing a value: set T"),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
            "dependency cycle detected: a -> b -> a",
        ),
    ];
    for (yaml, expected) in cases {
        stack.write("compose.yaml", yaml);
        let out = stack.compose("config -q");
        assert_eq!(out.status, 1, "{yaml}");
        assert!(out.stderr.contains(expected), "{yaml}: {}", out.stderr);
    }
    stack.write("compose.yaml", "services: {a: {image: x, command: ['$T']}}");
    let out = stack.compose("config -q");
    assert_eq!(out.status, 0);
    assert!(out.stderr.contains("variable is not set. Defaulting to a blank string"));
    assert!(stack.compose("up -d nope").stderr.ends_with("no such service: nope\n"));
}

#[test]
fn a_health_check_takes_two_looks_or_never_succeeds() {
    let stack = Stack::new();
    let health = || stack.docker("inspect ops-postgres-1 --format {{.State.Health.Status}}").stdout;
    stack.good("up -d --no-deps postgres");
    assert_eq!([health(), health(), health()], ["starting\n", "healthy\n", "healthy\n"]);
    stack.faults(&ToolFaults { unhealthy: vec!["postgres".to_owned()], ..ToolFaults::default() });
    stack.good("restart postgres");
    assert_eq!([health(), health()], ["starting\n", "unhealthy\n"]);
    let up = stack.compose("up -d");
    assert_eq!(up.status, 1);
    assert!(
        up.stderr.contains("dependency failed to start: container ops-postgres-1 is unhealthy")
    );
    for service in ["init", "web"] {
        assert_eq!(stack.container(service)["State"]["Status"], "created", "{service}");
    }
    let up = stack.compose("up -d --no-deps --wait postgres");
    assert!(up.stderr.ends_with("container ops-postgres-1 is unhealthy\n"), "{}", up.stderr);
}

#[test]
fn a_failing_job_stops_what_waits_for_it_and_a_failing_service_restarts() {
    let stack = Stack::new();
    stack.faults(&ToolFaults { failing: vec!["init".to_owned()], ..ToolFaults::default() });
    let up = stack.compose("up -d");
    assert_eq!(up.status, 1);
    assert!(up.stderr.contains("service \"init\" didn't complete successfully: exit 1"));
    assert_eq!(stack.container("init")["State"]["ExitCode"], 1);
    stack.faults(&ToolFaults { failing: vec!["web".to_owned()], ..ToolFaults::default() });
    let up = stack.compose("up -d --wait");
    assert_eq!(up.status, 1);
    let web = stack.container("web");
    assert_eq!((&web["State"]["Status"], &web["RestartCount"]), (&"restarting".into(), &1.into()));
    stack.faults(&ToolFaults::default());
    stack.good("up -d --wait");
}

#[test]
fn wait_fails_on_a_job_that_nobody_waits_for() {
    let stack = Stack::new();
    stack.write("compose.yaml", "services: {job: {image: 'x:1', restart: 'no'}}");
    assert_eq!(stack.compose("up -d").status, 0);
    let up = stack.compose("up -d --wait");
    assert_eq!(up.status, 1);
    assert!(up.stderr.contains("container ops-job-1 exited (0)"), "{}", up.stderr);
}

#[test]
fn an_image_that_cannot_be_pulled_stops_everything_before_it_starts() {
    let stack = Stack::new();
    stack.faults(&ToolFaults { unpullable: vec!["app:1".to_owned()], ..ToolFaults::default() });
    for line in ["pull -q", "up -d"] {
        let out = stack.compose(line);
        assert_eq!(out.status, 1, "{line}");
        assert!(out.stderr.contains("Error response from daemon: manifest for app:1 not found"));
    }
    assert!(stack.containers().is_empty());
    stack.faults(&ToolFaults::default());
    assert_eq!(stack.good("pull --quiet"), "");
    let image = stack.docker("image inspect postgres:17 nope");
    assert_eq!(image.status, 1);
    let found: Value = serde_json::from_str(&image.stdout).unwrap();
    assert_eq!(found[0]["RepoDigests"], serde_json::json!([]));
    assert!(image.stderr.contains("No such image: nope"));
}

#[test]
fn a_tag_that_was_moved_leaves_its_old_image_until_it_is_named_again() {
    let stack = Stack::new();
    stack.good("up -d");
    let image = |stack: &Stack| stack.container("postgres")["Image"].as_str().unwrap().to_owned();
    let old = image(&stack);
    let moved = [("postgres:17".to_owned(), "rebuilt".to_owned())].into();
    stack.faults(&ToolFaults { moved, ..ToolFaults::default() });
    stack.good("pull -q --policy missing");
    stack.good("up -d");
    assert_eq!(image(&stack), old, "what is here is not asked for again");
    stack.good("pull -q");
    stack.good("up -d");
    let new = image(&stack);
    assert_ne!(new, old);
    let tag = stack.docker(&format!("tag {old} postgres:17"));
    assert_eq!(tag.status, 0, "{}", tag.stderr);
    stack.good("up -d --pull never");
    assert_eq!(image(&stack), old);
    assert_eq!(stack.docker(&format!("image rm {new}")).status, 0);
    let gone = stack.docker(&format!("tag {new} postgres:17"));
    assert!(gone.stderr.contains("No such image"), "{}", gone.stderr);
}

#[test]
fn orphans_are_named_and_removed_on_request() {
    let stack = Stack::new();
    stack.good("up -d");
    stack.write("compose.yaml", "services: {postgres: {image: 'postgres:17'}}");
    let up = stack.compose("up -d");
    assert!(
        up.stderr.contains("Found orphan containers ([ops-init-1 ops-web-1])"),
        "{}",
        up.stderr
    );
    assert_eq!(stack.containers().len(), 3);
    stack.good("up -d --remove-orphans");
    assert_eq!(stack.containers().len(), 1);
}

#[test]
fn down_keeps_volumes_unless_told() {
    let stack = Stack::new();
    stack.good("up -d");
    assert!(stack.docker("volume rm ops_data").stderr.contains("volume is in use"));
    stack.good("down");
    assert!(stack.containers().is_empty());
    assert_eq!(stack.docker("volume ls -q").stdout, "ops_data\n");
    assert_eq!(stack.docker("network ls -q").stdout, "");
    stack.good("up -d");
    let named = stack.docker("compose -p ops down");
    assert_eq!(named.status, 0, "finds containers by their labels without a file");
    stack.good("down -v");
    assert_eq!(stack.docker("volume ls -q").stdout, "");
}

#[test]
fn stops_starts_and_kills() {
    let stack = Stack::new();
    stack.good("up -d");
    let state = || stack.container("web")["State"].clone();
    stack.good("stop web");
    assert_eq!(state()["Status"], "exited");
    stack.good("start web");
    assert_eq!(state()["Running"], true);
    stack.good("kill -s SIGUSR1 web");
    assert_eq!(state()["Running"], true);
    stack.good("kill web");
    assert_eq!(state()["ExitCode"], 137);
    let names = stack.good("ps --services");
    assert_eq!(names, "postgres\n");
    let all = stack.good("ps -a --format json");
    assert_eq!(all.lines().count(), 3);
    let rm = stack.docker("rm ops-postgres-1");
    assert!(rm.stderr.contains("container is running"), "{}", rm.stderr);
    assert_eq!(stack.docker("rm -f ops-postgres-1 ops-web-1").status, 0);
    assert_eq!(stack.containers().len(), 1);
    assert_eq!(stack.docker("restart nope").status, 1);
}

#[test]
fn commands_in_containers_are_answered_and_say_so() {
    let stack = Stack::new();
    let exec = "exec -T postgres pg_dump -d x";
    let out = stack.compose(exec);
    assert_eq!((out.status, out.stderr.as_str()), (1, "service \"postgres\" is not running\n"));
    stack.good("up -d");
    assert!(
        stack.good(exec).contains("simulated exec in ops-postgres-1, nothing ran: pg_dump -d x")
    );
    stack.faults(&ToolFaults {
        answers: vec![Answer {
            contains: "postgres pg_dump".to_owned(),
            exit: 3,
            stdout: "half".to_owned(),
            stderr: "broke".to_owned(),
            ..Answer::default()
        }],
        ..ToolFaults::default()
    });
    let out = stack.compose(exec);
    assert_eq!((out.status, out.stdout.as_str(), out.stderr.as_str()), (3, "half", "broke\n"));
    assert!(
        stack
            .good("run --rm --no-deps --entrypoint curl web -fsS x")
            .contains("run in ops-web-run-")
    );
    assert_eq!(stack.containers().len(), 3);
    assert!(stack.good("logs web").starts_with("ops-web-1  | ipai sandbox: simulated container"));
}

#[test]
fn can_be_absent_or_down() {
    let stack = Stack::new();
    stack.faults(&ToolFaults { docker_absent: true, ..ToolFaults::default() });
    assert_eq!(stack.docker("ps").status, 127);
    stack.faults(&ToolFaults { compose_absent: true, ..ToolFaults::default() });
    assert!(stack.compose("config").stderr.contains("'compose' is not a docker command"));
    stack.faults(&ToolFaults { engine_down: true, ..ToolFaults::default() });
    assert!(stack.docker("ps").stderr.contains("Cannot connect to the Docker daemon"));
    assert!(stack.compose("up -d").stderr.contains("Cannot connect to the Docker daemon"));
    assert_eq!(stack.compose("config -q").status, 0);
    stack.faults(&ToolFaults::default());
    let out = stack.docker("swarm init");
    assert_eq!(out.status, 125);
    assert!(out.stderr.contains("is not simulated"));
}

#[test]
fn runs_side_by_side_without_losing_anything() {
    let stack = Stack::new();
    std::thread::scope(|scope| {
        for number in 0..12 {
            let stack = &stack;
            scope.spawn(move || {
                let out = stack.docker(&format!("pull image:{number}"));
                assert_eq!(out.status, 0, "{}", out.stderr);
            });
        }
    });
    assert_eq!(stack.docker("image ls -q").stdout.lines().count(), 12);
}
