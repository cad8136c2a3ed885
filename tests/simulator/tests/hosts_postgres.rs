//! Volumes, and PostgreSQL's programs in a container, as a backup uses them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use hosts_support::{Said, World};

const COMPOSE: &str = "\
services:
  postgres:
    image: postgres:17
    environment: {POSTGRES_DB: main_db, POSTGRES_PASSWORD: x}
    volumes: ['data:/var/lib/postgresql/data']
volumes: {data: {}}
";

struct Stack(World);

impl Stack {
    fn new() -> Self {
        let stack = Self(World::new());
        stack.0.write("opt/ops/compose.yaml", COMPOSE);
        stack.0.good("docker compose -p ops -f opt/ops/compose.yaml up -d");
        stack
    }

    /// Runs a script in which `$pg` is the container.
    fn script(&self, script: &str) -> Said {
        let filter = "--filter label=com.docker.compose.service=postgres";
        self.0.script(&format!("pg=$(docker ps -q {filter}); {script}"))
    }

    fn good(&self, script: &str) -> String {
        let said = self.script(script);
        assert_eq!(said.status, 0, "{script}: {said:?}");
        said.out
    }

    fn psql(&self, database: &str, sql: &str) -> Said {
        self.script(&format!(
            "docker exec -i $pg psql -U postgres -d {database} -v ON_ERROR_STOP=1 -qAtX <<'END'\n{sql}\nEND\n"
        ))
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        let said = self.psql(database, sql);
        assert_eq!(said.status, 0, "{sql}: {said:?}");
        said.out
    }
}

#[test]
fn a_volume_is_a_folder_that_scripts_reach() {
    let stack = Stack::new();
    let format = "'{{.Mountpoint}}'";
    let folder = stack.good(&format!("docker volume inspect --format {format} ops_data"));
    assert!(folder.trim().ends_with("root/var/lib/docker/volumes/ops_data/_data"), "{folder}");
    stack.good("docker volume create --label k=v --label drill=1 fresh");
    stack.good("docker volume create fresh");
    assert_eq!(stack.good("docker volume ls -q --filter label=drill"), "fresh\n");
    stack.good(&format!("echo hi > \"$(docker volume inspect -f {format} fresh)/f\""));
    let several = stack.script(&format!("docker volume inspect --format {format} fresh nope"));
    assert!(several.status == 1 && several.err.contains("no such volume"), "{several:?}");
    assert_eq!(stack.script("docker volume create a/b").status, 1);
    assert_eq!(stack.script("docker volume rm ops_data").status, 1, "in use");
    stack.good("docker volume rm fresh");
    assert!(!stack.0.host().root().join("var/lib/docker/volumes/fresh").exists());
    stack.good("docker compose -p ops -f opt/ops/compose.yaml down -v");
    assert!(!std::path::Path::new(folder.trim()).exists());
}

#[test]
fn containers_are_stopped_started_and_told_by_their_service() {
    let stack = Stack::new();
    let line = "docker ps -a --filter label=com.docker.compose.project=ops \
                --format '{{.ID}} {{.Label \"com.docker.compose.service\"}} {{.State}}'";
    let id = stack.good("echo $pg");
    let id = id.trim();
    assert_eq!(stack.good(line), format!("{id} postgres running\n"));
    stack.good(&format!("docker stop -t 20 {id}"));
    assert_eq!(stack.good(line), format!("{id} postgres exited\n"));
    let refused = stack.script(&format!("docker exec {id} psql -l"));
    assert!(refused.status == 1 && refused.err.contains("is not running"), "{refused:?}");
    stack.good(&format!("docker start {id}"));
    let image =
        stack.good(&format!("docker inspect --format '{{{{.Image}}}} {{{{.Config.Image}}}}' {id}"));
    assert!(image.starts_with("sha256:") && image.ends_with(" postgres:17\n"), "{image}");
    assert_eq!(
        stack.good("docker image inspect --format '{{json .RepoDigests}}' postgres:17"),
        "[]\n"
    );
}

#[test]
fn a_dump_comes_back_under_another_name() {
    let stack = Stack::new();
    stack.sql("main_db", "INSERT INTO notes VALUES ('first; one'), ('second');");
    stack.good("docker exec -i $pg pg_dump -U postgres -Fc --no-owner -d main_db > opt/main.dump");
    assert!(
        stack
            .good("docker exec -i $pg pg_restore -l < opt/main.dump")
            .contains("TABLE public notes")
    );
    stack.sql("postgres", "DROP DATABASE IF EXISTS \"back\" WITH (FORCE); CREATE DATABASE \"back\" OWNER \"main\" TEMPLATE template0;");
    let restore = "docker exec -i $pg pg_restore -U postgres --exit-on-error --no-owner --no-privileges \
                   --role=main -d back < opt/main.dump";
    stack.good(restore);
    assert_eq!(stack.script(restore).status, 1, "the tables are there already");
    assert_eq!(stack.sql("back", "SELECT * FROM notes"), "first; one\nsecond\n");
    let count =
        "SELECT table_schema, query_to_xml('select count(*)') FROM information_schema.tables";
    let rows = "public.ipai_sandbox|1\npublic.notes|2\n";
    assert_eq!(stack.sql("back", count), rows);
    // One that nobody made is there when it is dumped, and belongs to whom its name says.
    stack.good(
        "docker exec -i $pg pg_dump -U postgres -Fc -d n8n_db | docker exec -i $pg pg_restore -l",
    );
    let owner =
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname LIKE 'n8n%'";
    assert_eq!(stack.sql("postgres", owner), "n8n_db|n8n\n");
}

#[test]
fn rubbish_is_no_archive() {
    let stack = Stack::new();
    stack.good("docker exec -i $pg pg_dump -U postgres -Fc -d main_db > opt/main.dump");
    for (input, said) in [
        ("echo rubbish", "did not find magic string in file header"),
        ("printf PG", "input file is too short (read 2, expected 5)"),
        ("head -c 40 opt/main.dump", "could not read from input file: end of file"),
    ] {
        let answer = stack.script(&format!("{input} | docker exec -i $pg pg_restore -l"));
        assert_eq!(answer.status, 1, "{input}");
        assert_eq!(answer.err, format!("pg_restore: error: {said}\n"));
    }
}

#[test]
fn renames_in_a_transaction_happen_together_or_not_at_all() {
    let stack = Stack::new();
    let names = || {
        stack.sql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
    };
    stack.sql("postgres", "CREATE DATABASE a OWNER a;\nCREATE DATABASE b_new;");
    let swap = "BEGIN; ALTER DATABASE \"a\" RENAME TO \"a_old\"; ALTER DATABASE \"b_new\" RENAME TO \"a\"; COMMIT;";
    stack.sql("postgres", swap);
    assert_eq!(names(), "a\na_old\nmain_db\npostgres\n");
    let failed = stack.psql(
        "postgres",
        "BEGIN; ALTER DATABASE a RENAME TO c; ALTER DATABASE a_old RENAME TO c; COMMIT;",
    );
    assert_eq!(failed.status, 3);
    assert!(failed.err.contains("ERROR:  database \"c\" already exists"), "{failed:?}");
    assert_eq!(names(), "a\na_old\nmain_db\npostgres\n");
    stack.sql("postgres", "BEGIN; ALTER DATABASE a RENAME TO d;");
    assert!(
        !names().contains('d'.to_string().as_str()) || names().starts_with("a\n"),
        "not committed"
    );
}

#[test]
fn what_a_script_asks_before_it_begins_is_answered() {
    let stack = Stack::new();
    assert_eq!(stack.sql("postgres", "SHOW server_version_num;"), "170004\n");
    let one = "docker exec $pg psql -U postgres -d postgres -Atc \"SELECT 1 FROM pg_database WHERE datname = 'main_db'\"";
    assert_eq!(stack.good(one), "1\n");
    let listed = "SELECT datname FROM pg_database WHERE datname IN ('main_db', 'nope')";
    assert_eq!(stack.sql("postgres", listed), "main_db\n");
    let size: u64 =
        stack.sql("postgres", "SELECT pg_database_size('main_db')").trim().parse().unwrap();
    assert!(size > 0);
    for accepted in [
        "ALTER DATABASE main_db OWNER TO main",
        "ALTER DATABASE main_db CONNECTION LIMIT 0",
        "ALTER DATABASE main_db WITH ALLOW_CONNECTIONS false",
        "ANALYZE",
    ] {
        assert_eq!(stack.sql("postgres", accepted), "", "{accepted}");
    }
    assert_eq!(stack.psql("nope", "SELECT 1").status, 2);
    assert_eq!(stack.psql("postgres", "SELECT * FROM nope").status, 3);
    assert_eq!(stack.psql("postgres", "MERGE INTO x").status, 3, "never answered wrongly");
    let current = stack.psql("main_db", "ALTER DATABASE main_db RENAME TO x");
    assert!(current.err.contains("current database cannot be renamed"), "{current:?}");
    assert!(stack.good("docker exec $pg pg_isready -q").contains("accepting"));
    assert!(stack.good("docker exec $pg ls -l").contains("nothing ran"));
}
