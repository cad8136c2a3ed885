//! What goes well: the stack comes up, changes, and is mended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, tell};

/// The addresses that people and other programs know, and what shows that the right service answers there.
const SITES: [(&str, &str); 4] = [
    ("https://chat.insightpulseai.com/api/v4/system/ping", "\"status\":\"OK\""),
    ("https://boards.insightpulseai.com/api/v2/ping", "\"version\":\"7.11"),
    ("https://n8n.insightpulseai.com/healthz", "{\"status\":\"ok\"}"),
    ("https://superset.insightpulseai.com/health", "OK"),
];

/// The webhook of the workflow that the stack brings.
pub(crate) const WEBHOOK: &str = "https://n8n.insightpulseai.com/webhook/ops-ping";

/// All four sites answer as themselves.
pub(crate) fn serves(lab: &Lab) {
    for (url, expected) in SITES {
        let body = lab.get(url);
        assert!(body.contains(expected), "{url}: {body}");
    }
}

pub(crate) fn comes_up(lab: &Lab) {
    let all = lab.apply().all();
    let told = |line: &&str| line.starts_with("check ") || line.starts_with("Apply complete");
    all.lines().filter(told).for_each(tell);
    serves(lab);
    lab.ipai(&["status"]).expect(0).says("ok");
}

pub(crate) fn checks_are_green(lab: &Lab) {
    let ran = lab.ipai(&["check", "--json"]).expect(0);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    tell(&found.to_string());
    for name in ["mattermost", "focalboard", "n8n", "superset", "postgres", "caddy"] {
        assert!(ran.out.contains(&format!("\"{name}\"")), "{name} is not checked: {}", ran.out);
    }
    lab.ipai(&["check"]).expect(0).says("Overall: ok");
}

pub(crate) fn workflow_is_active_once(lab: &Lab) {
    let active = |when: &str| {
        let body = lab.get(WEBHOOK);
        assert!(body.contains("\"status\":\"ok\""), "{when}: {body}");
        let count = "docker exec ops-postgres-1 psql -U postgres -d n8n_db -tAc \
                     \"SELECT count(*) FROM workflow_entity WHERE name = 'Ops ping' AND active\"";
        assert_eq!(lab.on_host(count).trim(), "1", "{when}");
    };
    active("after the first apply");
    lab.ipai(&["up"]).expect(0);
    active("after the services were brought up again");
    // Edited, it is imported again, and still there once.
    lab.edit("n8n/workflows/ops-ping.json", "status: 'ok'", "status: 'ok', edited: true");
    lab.apply();
    active("after an edit");
    assert!(lab.get(WEBHOOK).contains("edited"));
}

pub(crate) fn one_service_restarts(lab: &Lab) {
    let before = lab.starts();
    lab.edit("env/focalboard.env", "", "# edited\nEDITED=1\n");
    lab.apply();
    let after = lab.starts();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let restarted: Vec<&String> =
        before.keys().filter(|name| before[*name] != after[*name]).collect();
    let log = lab.on_host("cat /run/ipai/ops.ops/log");
    assert_eq!(restarted, ["focalboard"], "{before:?}\n{after:?}\n{log}");
    tell(&format!("restarted: {restarted:?} of {:?}", before.keys().collect::<Vec<_>>()));
}

/// Asks again and again, each time over a connection of its own, and counts what failed.
async fn ask_steadily(
    client: reqwest::Client,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
) -> Vec<String> {
    let mut failures = Vec::new();
    while !stop.load(Ordering::SeqCst) && asked.load(Ordering::SeqCst) < 100_000 {
        let answer = client.get(SITES[0].0).send().await.and_then(|a| a.error_for_status());
        if let Err(error) = answer {
            failures.push(format!("{error:?}"));
        }
        asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    failures
}

pub(crate) fn reload_fails_no_request(lab: &Lab) {
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let before = lab.starts();
    let streams: Vec<_> = (0..4)
        .map(|_| lab.spawn(ask_steadily(lab.client(), Arc::clone(&stop), Arc::clone(&asked))))
        .collect();
    lab.edit("caddy/Caddyfile", "encode zstd gzip", "encode gzip");
    lab.apply();
    stop.store(true, Ordering::SeqCst);
    let failures: Vec<String> =
        streams.into_iter().flat_map(|stream| lab.wait(stream).unwrap()).collect();
    let asked = asked.load(Ordering::SeqCst);
    assert!(failures.is_empty(), "{} of {asked}: {}", failures.len(), failures[0]);
    assert!(asked > 200, "only {asked} requests in all");
    assert_eq!(lab.starts(), before, "nothing was restarted");
    tell(&format!("{asked} requests while Caddy was reloaded, 0 failed"));
}

pub(crate) fn drift_and_foreign(lab: &Lab) {
    lab.on_host(
        "echo '# by hand' >>/opt/ipai/ops/caddy/Caddyfile
         docker stop ops-focalboard-1
         echo mine >/opt/ipai/ops/notes.txt
         docker run -d --name somebodys --network none --entrypoint sleep $(docker inspect --format '{{.Image}}' ops-postgres-1) 100000",
    );
    let foreign = "cat /opt/ipai/ops/notes.txt; docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.State.Running}}' somebodys";
    let before = lab.on_host(foreign);
    let plan = lab.ipai(&["plan", "-v", "--detailed-exitcode"]).expect(2);
    let plan = plan.says("~ host.file.caddyfile").says("drifted").says("by hand");
    plan.says("~ host.compose.ops").says("focalboard").says("somebodys");
    lab.apply();
    assert_eq!(lab.on_host(foreign), before, "what is foreign was touched");
    serves(lab);
}
