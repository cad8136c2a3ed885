use super::*;

fn container(status: &str, exit: i64, health: &str) -> Container {
    let health = match health {
        "" => String::new(),
        health => format!(",\"Health\":{{\"Status\":\"{health}\",\"Log\":[]}}"),
    };
    let line = format!(
        "[\"i1\",\"/ops-web-1\",{{\"Status\":\"{status}\",\"ExitCode\":{exit},\"StartedAt\":\"2026-11-01T00:00:00Z\"{health}}},\
         {{\"com.docker.compose.project\":\"ops\",\"com.docker.compose.service\":\"web\",\"com.docker.compose.config-hash\":\"h1\"}}]"
    );
    read_containers(&line).unwrap().remove(0)
}

#[test]
fn every_state_has_its_word() {
    for (status, exit, health, wanted, word) in [
        ("running", 0, "", RUNNING, "running"),
        ("running", 0, "healthy", RUNNING, "running"),
        ("running", 0, "none", RUNNING, "running"),
        ("running", 0, "starting", RUNNING, "starting"),
        ("running", 0, "unhealthy", RUNNING, "unhealthy"),
        ("exited", 137, "unhealthy", RUNNING, "exited (137)"),
        ("exited", 0, "", RUNNING, "exited (0)"),
        ("exited", 0, "", COMPLETED, "completed"),
        ("exited", 1, "", COMPLETED, "exited (1)"),
        ("running", 0, "", COMPLETED, "running"),
        ("restarting", 1, "", RUNNING, "restarting"),
        ("created", 0, "", RUNNING, "created"),
    ] {
        let container = container(status, exit, health);
        assert_eq!(judge(&[&container], wanted, None), word, "{status} {exit} {health}");
    }
}

#[test]
fn another_configuration_is_outdated_and_no_container_is_missing() {
    let container = container("running", 0, "");
    let record = |asked: &str, label: &str| HashRecord { asked: asked.into(), label: label.into() };
    for (asked, record, word) in [
        ("h1", None, RUNNING),
        ("h2", None, OUTDATED),
        // Compose has two names for the same thing.
        ("h2", Some(record("h2", "h1")), RUNNING),
        ("h3", Some(record("h2", "h1")), OUTDATED),
        ("h2", Some(record("h2", "h0")), OUTDATED),
    ] {
        let wanted = Wanted { asked, record: record.as_ref() };
        assert_eq!(judge(&[&container], RUNNING, Some(wanted)), word, "{asked} {record:?}");
        assert_eq!(judge(&[], RUNNING, Some(wanted)), MISSING);
    }
}

#[test]
fn one_bad_container_speaks_for_its_service() {
    let (good, bad) = (container("running", 0, ""), container("exited", 1, ""));
    assert_eq!(judge(&[&good, &bad], RUNNING, None), "exited (1)");
}

#[test]
fn a_container_of_compose_run_is_no_service() {
    let mut one_off = container("exited", 1, "");
    one_off.labels.insert("com.docker.compose.oneoff".into(), "True".into());
    assert!(by_service(&[one_off], "ops").is_empty());
}

#[test]
fn garbage_is_not_a_container() {
    for line in ["x", "[]", "[1,2,3,4]", "[\"a\",\"b\",{},{}]", "{}"] {
        assert!(read_containers(line).is_none(), "{line}");
    }
    assert_eq!(read_containers("\n").unwrap(), []);
}
