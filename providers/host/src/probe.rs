//! Whether a host can be worked on: login, disk, clock. Reads alone.

use std::sync::Arc;

use ipai_core::checkup::{Finding, Probe, clocks};
use ipai_core::{Address, BoxFuture, Fault, Outputs, RemoteError, Scope};

use crate::connections::{Connections, run};
use crate::session::Command;

/// Logs in on the stack's hosts and asks how they are.
#[derive(Debug)]
pub struct HostProbe {
    connections: Arc<Connections>,
}

/// Docker keeps images and volumes below the second; where that is no disk of its own, it is the first again.
const SCRIPT: &str =
    "date +%s; df -Pk \"${IPAI_ROOT-}/\" \"${IPAI_ROOT-}/var/lib/docker\" 2>/dev/null; exit 0";
/// An update of a stack pulls some gigabytes of images beside the old ones.
const LOW: u64 = 5 << 20;
/// PostgreSQL stops when it cannot write any more.
const EMPTY: u64 = 1 << 20;

impl HostProbe {
    /// Probes through connections that others may go on using.
    #[must_use]
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }

    async fn look(&self, scope: &Scope, now: i64) -> Vec<Finding> {
        let mut found = Vec::new();
        for (home, outputs) in &scope.homes {
            match self.ask(home, outputs).await {
                Ok(said) => found.extend(read(home, &said, now)),
                Err(error) => found.push(Finding::of_error(format!("login on {home}"), &error)),
            }
        }
        found
    }

    async fn ask(&self, home: &Address, outputs: &Outputs) -> Result<String, RemoteError> {
        let place = self.connections.place(home, outputs)?;
        let link = self.connections.link(home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        let command = Command::new("look at the disks", SCRIPT, settings.command_limit);
        let output = run(&mut link, settings, &place, &command).await?;
        match output.succeeded() {
            true => Ok(output.text()),
            false => {
                let cause = format!("it ended with code {}: {}", output.exit, output.stderr.trim());
                Err(RemoteError::new(Fault::BadAnswer, format!("look at {home}"), cause))
            }
        }
    }
}

/// Reads the seconds since 1970, and `df`'s table in blocks of 1,024 bytes (POSIX).
fn read(home: &Address, said: &str, now: i64) -> Vec<Finding> {
    let mut lines = said.lines();
    let date = lines.next().and_then(|line| line.trim().parse().ok());
    let mut found =
        vec![Finding::ok(format!("login on {home}"), "works; the host proved its pinned key")];
    let mut disks: Vec<(&str, u64, &str)> = lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [device, _, _, free, share, ..] = words[..] else { return None };
            Some((device, free.parse().ok()?, share))
        })
        .collect();
    disks.dedup_by_key(|disk| disk.0.to_owned());
    found.extend(disks.iter().map(|(device, free, share)| disk(home, device, *free, share)));
    found.extend(date.map(|date| clocks(&home.to_string(), date, now)));
    found
}

fn disk(home: &Address, device: &str, free: u64, share: &str) -> Finding {
    let about = format!("disk of {home}");
    let device: String = device.chars().filter(|c| !c.is_control()).take(40).collect();
    let gigabytes = format!("{}.{}", free >> 20, ((free % (1 << 20)) * 10) >> 20);
    let says = format!("{gigabytes} GiB free on {device} ({share} used)");
    let fix = "docker system prune on the host, or a larger size in the stack";
    match free {
        0..EMPTY => Finding::fail(about, says, fix),
        EMPTY..LOW => Finding::warn(about, says, fix),
        _ => Finding::ok(about, says),
    }
}

impl Probe for HostProbe {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn probe<'a>(&'a self, scope: &'a Scope, now: i64) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(self.look(scope, now))
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::checkup::Grade;

    use super::*;

    #[test]
    fn disks_are_graded_by_what_is_free_and_one_disk_is_told_once() {
        let said = "1000\nFilesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/vda1 50000000 47000000 3000000 94% /\n/dev/vda1 50000000 47000000 3000000 94% /\n\
                    /dev/vdb 9 9 0 100% /var/lib/docker\n";
        let found = read(&"digitalocean.droplet.web".parse().unwrap(), said, 1_000);
        let grades: Vec<Grade> = found.iter().map(|finding| finding.grade).collect();
        assert_eq!(grades, [Grade::Ok, Grade::Warn, Grade::Fail, Grade::Ok]);
        assert!(
            found[1].says.starts_with("2.8 GiB free on /dev/vda1 (94% used)"),
            "{}",
            found[1].says
        );
    }
}
