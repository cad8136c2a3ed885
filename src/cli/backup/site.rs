//! Where a stack's backups are taken and restored: its host, and the program there.

use std::time::Duration;

use ipai_core::backup::{self, Backup};
use ipai_core::{Address, Diagnostic, Outputs, RemoteError};

use super::super::places::Places;
use super::super::world::World;
use super::super::{Failed, Run};
use crate::providers::{self, BackupTalk, ComposeProject, Heard, HostOutput, NO_PROGRAM};
use crate::report::one_line;

/// How often a host is asked again that cannot be reached in the midst of a job, which goes on there meanwhile.
const TRIES: u32 = 10;
/// Between two such attempts.
const PAUSE: Duration = Duration::from_secs(3);

/// The host of a stack's backups.
pub(crate) struct Site<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) world: &'a World,
    pub(crate) backup: &'a Backup,
    pub(crate) project: &'a ComposeProject,
    pub(crate) outputs: &'a Outputs,
    path: String,
}

/// Why a job failed, as an error.
pub(crate) fn failed(run: &Run<'_>, doing: &str, talk: &BackupTalk, code: i32) -> Failed {
    let cause = talk.error.clone().unwrap_or_else(|| match code {
        137 => "it was killed on the host".to_owned(),
        130 => "it was stopped".to_owned(),
        code => format!("it ended with exit code {code}"),
    });
    let mut problem = Diagnostic::error(format!("Cannot {doing}")).detail(cause);
    problem.hint = talk.hint.clone();
    run.trouble(&problem)
}

impl World {
    /// The host of the stack's backups, which must exist.
    pub(crate) fn site<'a>(
        &'a self,
        run: &'a Run<'a>,
        places: &'a Places,
    ) -> Result<Site<'a>, Failed> {
        let backup = self.loaded.stack.backup.as_ref().ok_or_else(|| {
            let problem = Diagnostic::error("No backups")
                .detail("The stack has no section `[backup]`.")
                .hint("ipai explain backup shows one");
            run.trouble(&problem)
        })?;
        let project = places.projects.iter().find(|project| project.address == backup.compose);
        let project = project.ok_or_else(|| {
            run.trouble(
                &Diagnostic::error("No such project")
                    .detail(format!("{} is not known yet.", backup.compose)),
            )
        })?;
        let outputs = places.host(run, &project.home)?;
        let path = backup::program_path(&self.loaded.stack.id);
        Ok(Site { run, world: self, backup, project, outputs, path })
    }
}

impl Site<'_> {
    pub(crate) fn home(&self) -> &Address {
        &self.project.home
    }

    /// Shell text that calls the program.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        providers::backup_command(&self.path, words)
    }

    async fn call(&self, words: &[&str]) -> Result<HostOutput, RemoteError> {
        let access = &self.world.access;
        providers::ask_backup(access, self.home(), self.outputs, &self.path, words).await
    }

    /// Asks the program once; gives what it told, and its words.
    pub(crate) async fn ask(
        &self,
        words: &[&str],
        doing: &str,
    ) -> Result<(BackupTalk, String), Failed> {
        let output = tokio::select! {
            output = self.call(words) => output.map_err(|error| self.run.remote(&[error]))?,
            code = self.world.stop.requested() => return Err(super::super::locked::stopped(code)),
        };
        self.read(&output, doing)
    }

    fn read(&self, output: &HostOutput, doing: &str) -> Result<(BackupTalk, String), Failed> {
        let mut talk = BackupTalk::default();
        let mut words = Vec::new();
        for line in output.text().lines() {
            if let Heard::Phase(text) | Heard::Words(text) = talk.take(line) {
                words.push(text);
            }
        }
        match output.exit {
            0 => Ok((talk, words.join("\n"))),
            NO_PROGRAM => Err(self.not_there()),
            code => {
                let said = Some(output.stderr.trim()).filter(|said| !said.is_empty());
                talk.error = talk.error.or(said.map(str::to_owned));
                Err(failed(self.run, doing, &talk, code))
            }
        }
    }

    fn not_there(&self) -> Failed {
        let problem = Diagnostic::error("Backups are not set up on the host")
            .detail(format!("{} has no {}.", self.home(), self.path))
            .hint(format!("{} puts it there", self.run.command("apply")));
        self.run.trouble(&problem)
    }

    /// Starts a job, which goes on when the connection does not, and follows it to its end.
    pub(crate) async fn job(&self, words: &[&str], doing: &str) -> Result<BackupTalk, Failed> {
        let start: Vec<&str> = ["start"].iter().chain(words).copied().collect();
        self.ask(&start, doing).await?;
        self.follow(doing).await
    }

    async fn follow(&self, doing: &str) -> Result<BackupTalk, Failed> {
        let (mut talk, mut silent, mut asked_to_stop) = (BackupTalk::default(), 0, false);
        let _waiting = self.run.waiting(&format!("Waiting for the host to {doing}"));
        loop {
            let from = talk.next_line().to_string();
            let words = ["follow", &from];
            let output = tokio::select! {
                biased;
                output = self.call(&words) => output,
                _ = self.world.stop.requested(), if !asked_to_stop => {
                    asked_to_stop = true;
                    self.run.say("stopping it on the host");
                    let _ = self.call(&["cancel"]).await;
                    continue;
                }
            };
            match output {
                Ok(output) => {
                    silent = 0;
                    output.text().lines().for_each(|line| self.show(talk.take(line)));
                }
                Err(_) if silent < TRIES && self.world.stop.may_begin() => {
                    silent += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(self.lost(error, doing)),
            }
            match talk.ended {
                None => {}
                Some(0) => return Ok(talk),
                Some(code) => return Err(self.how(&talk, code, doing)),
            }
        }
    }

    fn show(&self, heard: Heard) {
        if let Heard::Phase(text) | Heard::Words(text) = heard {
            self.run.remark(&format!("{}: {}", self.project.name, one_line(&text)));
        }
    }

    fn how(&self, talk: &BackupTalk, code: i32, doing: &str) -> Failed {
        let failed = failed(self.run, doing, talk, code);
        match self.world.stop.code() {
            Some(code) => Failed { code, ..failed },
            None => failed,
        }
    }

    fn lost(&self, error: RemoteError, doing: &str) -> Failed {
        let hint =
            format!("it goes on there; look at its end with {}", self.run.command("backups"));
        self.run.remote(&[
            RemoteError { attempted: format!("{doing}, and follow it"), ..error }.hint(hint)
        ])
    }
}
