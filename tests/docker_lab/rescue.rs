//! The server is gone: backups on object storage, a drill, a rebuild on a new droplet, an export.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Ran, repository};
use crate::lab::{Lab, tell};
use crate::life::{WEBHOOK, serves};

/// Object storage in a container beside the droplets; it goes with this.
pub(crate) struct Objects {
    container: String,
    address: String,
}

impl Drop for Objects {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.container]).output();
    }
}

fn docker(words: &[&str]) -> String {
    Ran::from(Command::new("docker").args(words).output().unwrap()).expect(0).out.trim().to_owned()
}

impl Objects {
    pub(crate) fn start() -> Self {
        let built = Command::new(repository().join("tests/lab/objects.sh")).output().unwrap();
        let image = Ran::from(built).expect(0).out.trim().to_owned();
        let container =
            docker(&["run", "--detach", "--pull", "never", "--label", "ipai.lab=objects", &image]);
        let address =
            docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", &container]);
        let objects = Self { container, address };
        let at = (objects.address.as_str(), 5000);
        for _ in 0..120 {
            if std::net::TcpStream::connect(at).is_ok() {
                return objects;
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        panic!("the object storage does not answer: {}", docker(&["logs", &objects.container]));
    }

    fn repository(&self) -> String {
        format!("s3:http://{}:5000/ops-backups", self.address)
    }
}

/// What n8n is given to keep, and what must come back from behind its key.
const CREDENTIAL: &str = r#"[{"id":"proof0123456789a","name":"Proof","type":"httpBasicAuth","data":{"user":"proof","password":"s3cr3t-of-the-proof"}}]"#;

/// Gives the services something of their own.
fn fill(lab: &Lab) {
    lab.on_host(&format!("docker exec -i ops-n8n-1 sh -c 'cat >/tmp/c.json && n8n import:credentials --input=/tmp/c.json; rm -f /tmp/c.json' <<'EOF'\n{CREDENTIAL}\nEOF"));
    lab.on_host("docker exec ops-postgres-1 psql -U postgres -d superset_db -c \"CREATE TABLE kept (id int, words text); INSERT INTO kept SELECT n, md5(n::text) FROM generate_series(1, 20000) n\"");
    lab.on_host("d=$(docker volume inspect --format '{{.Mountpoint}}' ops_mattermost-data); head -c 3000000 /dev/urandom >\"$d/upload.bin\"; chown 2000:2000 \"$d/upload.bin\"");
}

/// What of the services' own there is: rows, a sum, the decrypted credential.
fn own(lab: &Lab) -> String {
    lab.on_host(
        "docker exec ops-postgres-1 psql -U postgres -d superset_db -tAc 'SELECT count(*), md5(string_agg(words, $$,$$ ORDER BY id)) FROM kept'
         d=$(docker volume inspect --format '{{.Mountpoint}}' ops_mattermost-data); sha256sum <\"$d/upload.bin\"; stat -c '%u:%g %a' \"$d/upload.bin\"
         docker exec ops-n8n-1 sh -c 'n8n export:credentials --all --decrypted --output=/tmp/c.json >/dev/null 2>&1; cat /tmp/c.json; rm -f /tmp/c.json'",
    )
}

fn lose_droplet(lab: &Lab) {
    lab.ipai(&["sandbox", "lose"]).expect(0).says("Lost: ");
}

/// Backup, loss, drill, rebuild, export and back: all of it against the same object storage.
pub(crate) fn comes_back_from_nothing(lab: &Lab) {
    let objects = Objects::start();
    lab.edit(
        "stack.toml",
        "s3:https://fra1.digitaloceanspaces.com/insightpulseai-ops-backups",
        &objects.repository(),
    );
    lab.edit(
        "stack.toml",
        "env = \"SPACES_ACCESS_KEY_ID\"\ndefault = \"\"",
        "env = \"SPACES_ACCESS_KEY_ID\"\ndefault = \"lab\"",
    );
    lab.edit(
        "stack.toml",
        "env = \"SPACES_SECRET_ACCESS_KEY\"\ndefault = \"\"",
        "env = \"SPACES_SECRET_ACCESS_KEY\"\ndefault = \"laboratory\"",
    );
    lab.apply();
    fill(lab);
    let before = own(lab);
    assert!(before.contains("s3cr3t-of-the-proof"), "{before}");
    let exports = lab.scratch("exports");
    tell(&lab.ipai(&["backup", "--export", exports.to_str().unwrap()]).expect(0).out);
    tell(&lab.ipai(&["backup", "verify", "--all"]).expect(0).out);
    lab.ipai(&["status"]).expect(0).says("backup: ");
    timer_takes_one(lab);
    lose_droplet(lab);

    // A fresh droplet each: to prove it, and for good. The file alone is restored from below.
    let file = std::fs::read_dir(&exports).unwrap().next().unwrap().unwrap().path();
    let file = file.to_str().unwrap();
    proven(lab, &["drill", "--auto-approve", "--json"]);
    proven(lab, &["rebuild", "--auto-approve", "--rto", "30m", "--json"]);
    assert_eq!(own(lab), before, "after the rebuild");
    lab.expect_nothing_left();
    serves(lab);
    lab.ipai(&["check"]).expect(0).says("Overall: ok");
    assert!(lab.get(WEBHOOK).contains("\"status\":\"ok\""));

    lab.on_host("docker exec ops-postgres-1 psql -U postgres -d superset_db -c 'TRUNCATE kept'; d=$(docker volume inspect --format '{{.Mountpoint}}' ops_mattermost-data); rm \"$d/upload.bin\"");
    tell(&lab.ipai(&["restore", file, "--auto-approve"]).expect(0).out);
    assert_eq!(own(lab), before, "after the restore of the export");
    lab.expect_nothing_left();
    upgrade_is_backed_up(lab);
}

/// Before an image changes whose service owns data, a backup is taken.
fn upgrade_is_backed_up(lab: &Lab) {
    lab.ipai(&["backups"]).expect(0).keeps_quiet_about("before-upgrade");
    lab.on_host("docker tag mattermost/focalboard:7.11.4 mattermost/focalboard:7.11.5");
    lab.edit("stack.toml", "focalboard:7.11.4", "focalboard:7.11.5");
    lab.apply();
    lab.ipai(&["backups"]).expect(0).says("before-upgrade");
    serves(lab);
}

/// The host's own timer is set, and what it starts takes a backup.
fn timer_takes_one(lab: &Lab) {
    let timer = lab.on_host(
        "systemctl is-enabled ipai-backup-ops.timer; systemctl is-active ipai-backup-ops.timer",
    );
    assert_eq!(timer.split_whitespace().collect::<Vec<_>>(), ["enabled", "active"]);
    let count = || {
        let listed = lab.ipai(&["backups", "--json"]).expect(0);
        let listed: Value = serde_json::from_str(&listed.out).unwrap();
        listed["backups"].as_array().unwrap().len()
    };
    let before = count();
    lab.on_host("systemctl start ipai-backup-ops.service");
    assert_eq!(count(), before + 1);
}

/// Runs a rebuild or a drill, whose receipt has to show everything.
fn proven(lab: &Lab, words: &[&str]) {
    let ran = lab.ipai(words).expect(0);
    let receipt: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    tell(&receipt.to_string());
    assert!(receipt["ipai_percent"].as_f64().unwrap() < 5.0, "{receipt}");
    assert_eq!(receipt["verified"]["rows_match"], json!(true), "{receipt}");
    assert_eq!(receipt["verified"]["proofs"]["n8n"]["passed"], json!(true), "{receipt}");
    let checks = receipt["verified"]["checks"].as_object().unwrap();
    for name in ["chat", "boards", "n8n", "superset", "postgres", "caddy"] {
        assert_eq!(checks[name]["passed"], json!(true), "{name}: {receipt}");
    }
}
