//! Why a deployment failed, in words that name the service and show the end of its log.

use ipai_core::{Fault, RemoteError};

use super::commands::{INVALID, NO_COMPOSE, NO_DOCKER, NO_ENGINE};
use super::rollout::Rollout;
use crate::batch::Batch;
use crate::failure;
use crate::observe::answer::Answer;
use crate::observe::containers::{Container, by_service};
use crate::remote::BackupTalk;
use crate::session::Output;

const PATIENCE: &str =
    "raise `timeout` when the host needs longer; applying again goes on from here";

impl Rollout<'_> {
    /// Why pulling, building or `up` failed: a service that broke, else what Compose said last.
    pub(super) async fn failed(
        &self,
        batch: &mut Batch<'_>,
        exit: &str,
        answer: &Answer,
    ) -> RemoteError {
        let phase = answer.word("phase");
        let sick = self.pending(answer.containers());
        let sick = sick.into_iter().find(|(_, word)| word == "unhealthy");
        if let Some((name, word)) =
            self.broken(answer.containers()).or(sick).filter(|_| phase == "up")
        {
            return self.unhealthy(batch, &name, &word, answer.containers()).await;
        }
        let doing = match phase {
            "pull" => "pull the images",
            "build" => "build the images",
            "restore" => {
                let talk = BackupTalk::of(answer.word("log"));
                return talk.into_error("restore the backup", "the next apply goes on with it");
            }
            _ => "bring the project up",
        };
        let code = exit.parse().unwrap_or(255);
        RemoteError::new(Fault::Refused, doing, failure::or_silence(answer.word("log"), code))
    }

    /// Names a service that is not as it should be, with the end of its log.
    pub(super) async fn unhealthy(
        &self,
        batch: &mut Batch<'_>,
        name: &str,
        word: &str,
        containers: &[Container],
    ) -> RemoteError {
        let found = by_service(containers, self.project.name);
        let container = found
            .get(name)
            .and_then(|own| own.iter().find(|c| c.word() != self.expected[name]).or(own.first()));
        let log = match container {
            Some(container) => match batch.run(&self.project.logs(&container.id)).await {
                Ok(output) => {
                    Answer::read(&output.stdout).map(|a| failure::readable(a.word("log")))
                }
                Err(error) => Err(error),
            },
            None => Ok(String::new()),
        };
        let log = log.unwrap_or_else(|error| format!("(its log cannot be read: {error})"));
        let lines = if log.is_empty() {
            "It has said nothing.".to_owned()
        } else {
            format!("Its last lines:\n{log}")
        };
        let cause =
            format!("service {name} is {word} and should be {}. {lines}", self.expected[name]);
        RemoteError::new(
            Fault::Refused,
            format!("bring the project {} up", self.project.name),
            cause,
        )
    }

    /// Why it took too long: the service that came up and did not get well, else what was waited for.
    pub(super) async fn late(
        &self,
        batch: &mut Batch<'_>,
        phase: &str,
        containers: &[Container],
    ) -> RemoteError {
        let pending = self.pending(containers);
        let is = |word: &&str| pending.iter().find(|(_, is)| is == word);
        let slow = ["restarting", "unhealthy", "starting"].iter().find_map(is);
        let Some((name, word)) = slow.filter(|_| phase == "up") else {
            return self.too_slow(&format!("still {}", self.doing(phase, containers)));
        };
        let late = format!("{word} after {} s", self.timeout.as_secs());
        self.unhealthy(batch, name, &late, containers).await.hint(PATIENCE)
    }

    pub(super) fn too_slow(&self, what: &str) -> RemoteError {
        let doing = format!("bring the project {} up", self.project.name);
        let cause = format!("{what} after {} s", self.timeout.as_secs());
        RemoteError::new(Fault::TimedOut, doing, cause).hint(PATIENCE)
    }
}

/// Reads the exit code of the check.
pub(super) fn refuse(output: &Output) -> Result<(), RemoteError> {
    let words = failure::or_silence(&output.stderr, output.exit);
    let (doing, cause, hint) = match output.exit {
        0 => return Ok(()),
        NO_DOCKER => (
            "find Docker on the host",
            "it is not installed".to_owned(),
            "install docker-ce and docker-compose-plugin from Docker's own package repository, in the droplet's user data",
        ),
        NO_ENGINE => (
            "reach the Docker Engine on the host",
            words,
            "look at `systemctl status docker` on the host",
        ),
        NO_COMPOSE => (
            "find Compose on the host",
            words,
            "install docker-compose-plugin from Docker's own package repository",
        ),
        INVALID => {
            ("check the Compose file", words, "no container was touched; correct the template")
        }
        _ => ("check the Compose file", words, "nothing was changed"),
    };
    Err(RemoteError::new(Fault::Refused, doing, cause).hint(hint))
}

/// Major and minor number of a version such as `2.40.0` or `v2.24.6-desktop.1`.
pub(super) fn version_of(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_as_compose_writes_them() {
        for (text, version) in [
            ("2.40.0", Some((2, 40))),
            ("v2.24.6-desktop.1", Some((2, 24))),
            ("2.26.1-4", Some((2, 26))),
            ("", None),
            ("dev", None),
        ] {
            assert_eq!(version_of(text), version, "{text}");
        }
    }
}
