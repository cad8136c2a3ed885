//! A project on its way to how it should be: started, looked at, waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipai_core::{Address, Fault, RemoteError};
use tokio::time::{Instant, sleep};

use super::commands::{BUSY, Project};
use crate::batch::Batch;
use crate::failure;
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, by_service, judge};
use crate::ready::pause;
use crate::session::Command;

/// One project, and how it should become.
pub(super) struct Rollout<'a> {
    /// Whose progress is told.
    pub(super) address: &'a Address,
    pub(super) project: Project<'a>,
    /// How each service should be.
    pub(super) expected: BTreeMap<String, String>,
    /// The images that are pulled where they are missing.
    pub(super) images: BTreeSet<String>,
    pub(super) timeout: Duration,
}

impl Rollout<'_> {
    /// Runs the command that starts it; a deployment that an earlier ipai left behind is waited for first.
    pub(super) async fn begin(
        &self,
        batch: &mut Batch<'_>,
        command: &Command,
    ) -> Result<(), RemoteError> {
        let (began, mut round) = (Instant::now(), 0);
        loop {
            let output = batch.run(command).await?;
            match output.exit {
                0 => return Ok(()),
                BUSY if began.elapsed() < self.timeout => {
                    self.tell(batch, "waiting for an earlier deployment to end");
                    sleep(pause(batch.settings.poll, round)).await;
                    round += 1;
                }
                BUSY => return Err(self.too_slow("an earlier deployment still goes on")),
                exit => {
                    let cause = failure::or_silence(&output.stderr, exit);
                    return Err(RemoteError::new(Fault::Refused, command.name, cause));
                }
            }
        }
    }

    /// Waits until `up` has ended; gives the containers then. Pulling has the timeout to itself.
    pub(super) async fn until_up(
        &self,
        batch: &mut Batch<'_>,
    ) -> Result<Vec<Container>, RemoteError> {
        let (mut began, mut round, mut phase) = (Instant::now(), 0, String::new());
        loop {
            let answer = self.look(batch).await?;
            let containers = answer.containers();
            if answer.word("phase") == "up" && phase != "up" {
                began = Instant::now();
            }
            answer.word("phase").clone_into(&mut phase);
            match answer.word("exit") {
                "" => self.tell(batch, &self.news(&phase, &answer)),
                "0" => return Ok(containers.to_vec()),
                exit => return Err(self.failed(batch, exit, &answer).await),
            }
            // How long a restore takes is a matter of the data.
            if began.elapsed() >= self.timeout && phase != "restore" {
                return Err(self.late(batch, &phase, containers).await);
            }
            sleep(pause(batch.settings.poll, round)).await;
            round += 1;
        }
    }

    /// Runs the command by which a service takes its files in.
    pub(super) async fn reload(
        &self,
        batch: &mut Batch<'_>,
        name: &str,
        words: &[String],
    ) -> Result<(), RemoteError> {
        self.tell(batch, &format!("reloading {name}"));
        let output = batch.run(&self.project.reload(name, words)).await?;
        if output.exit == 0 {
            return Ok(());
        }
        let words = format!("{}\n{}", output.text(), output.stderr);
        let cause = failure::or_silence(&words, output.exit);
        let error = RemoteError::new(Fault::Refused, format!("reload service {name}"), cause);
        Err(error.hint("the old configuration is still in use; correct the file and apply again"))
    }

    /// Tells whether a service ran before and none of its containers was started since.
    pub(super) fn ran_on(&self, name: &str, before: &[Container], after: &[Container]) -> bool {
        let services = by_service(after, self.project.name);
        let own = services.get(name).map(Vec::as_slice).unwrap_or_default();
        let ran = |c: &&&Container| before.iter().any(|b| b.id == c.id && b.started == c.started);
        own.iter().filter(ran).any(|c| c.status == "running")
    }

    /// Waits until every service is as it should be.
    pub(super) async fn until_healthy(
        &self,
        batch: &mut Batch<'_>,
    ) -> Result<Vec<Container>, RemoteError> {
        let (began, mut round) = (Instant::now(), 0);
        loop {
            let answer = self.look(batch).await?;
            let pending = self.pending(answer.containers());
            if pending.is_empty() {
                return Ok(answer.containers().to_vec());
            }
            let broken = self.broken(answer.containers());
            if broken.is_some() || began.elapsed() >= self.timeout {
                let (name, word) =
                    broken.or_else(|| pending.into_iter().next()).unwrap_or_default();
                return Err(self.unhealthy(batch, &name, &word, answer.containers()).await);
            }
            self.tell(batch, &self.doing("wait", answer.containers()));
            sleep(pause(batch.settings.poll, round)).await;
            round += 1;
        }
    }

    pub(super) async fn look(&self, batch: &mut Batch<'_>) -> Result<Answer, RemoteError> {
        let command: Command = self.project.look(&self.images);
        let output = batch.run(&command).await?;
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(RemoteError::new(Fault::Refused, command.name, cause));
        }
        Answer::read(&output.stdout)
    }

    /// Services that are not as they should be, with how they are.
    pub(super) fn pending(&self, containers: &[Container]) -> BTreeMap<String, String> {
        let found = by_service(containers, self.project.name);
        let word = |name: &str, wanted: &str| {
            judge(found.get(name).map(Vec::as_slice).unwrap_or_default(), wanted, None)
        };
        let all = self.expected.iter().map(|(name, wanted)| (name, wanted, word(name, wanted)));
        all.filter(|(_, wanted, word)| word != *wanted)
            .map(|(name, _, word)| (name.clone(), word))
            .collect()
    }

    /// A service that ended in failure and will not come back by itself.
    pub(super) fn broken(&self, containers: &[Container]) -> Option<(String, String)> {
        let found = by_service(containers, self.project.name);
        let broken = |name: &&String| {
            let own = found.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            own.iter().any(|c| c.has_failed())
        };
        let name = self.expected.keys().find(broken)?;
        Some((name.clone(), self.pending(containers).remove(name)?))
    }

    /// What goes on; of a pull, how many images are here. Docker tells bytes to terminals alone.
    fn news(&self, phase: &str, answer: &Answer) -> String {
        let all = self.images.len();
        match answer.words.get("here").filter(|_| phase == "pull") {
            Some(here) => {
                format!("pulling images: {} of {all} here", here.lines().count().min(all))
            }
            None => self.doing(phase, answer.containers()),
        }
    }

    pub(super) fn doing(&self, phase: &str, containers: &[Container]) -> String {
        match phase {
            "pull" => "pulling images".to_owned(),
            "build" => "building images".to_owned(),
            "restore" => "restoring the backup".to_owned(),
            _ => {
                let pending = self.pending(containers);
                let words: Vec<String> =
                    pending.iter().map(|(name, word)| format!("{name} ({word})")).collect();
                format!(
                    "waiting for {}",
                    if words.is_empty() { "Compose".to_owned() } else { words.join(", ") }
                )
            }
        }
    }

    pub(super) fn tell(&self, batch: &mut Batch<'_>, text: &str) {
        batch.tell(self.address, text);
    }
}
