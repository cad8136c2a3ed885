//! A backup before an image changes whose service owns data, taken and read back, because there is no way back from a
//! migration but the data of before.

use std::collections::BTreeSet;
use std::time::Duration;

use ipai_core::release::postgres_major;
use ipai_core::{Fault, RemoteError};
use tokio::time::sleep;

use super::Deployment;
use crate::batch::Batch;
use crate::failure;
use crate::observe::containers::{Container, by_service};
use crate::remote::{BackupTalk, Heard};
use crate::session::{Command, Part, fill};

/// The exit code that says that the stack keeps no backups.
const NOTHING_KEPT: i32 = 127;

const BEGIN: &str = r#"cd "${IPAI_ROOT-}/" || exit 91
[ -e ./opt/ipai/@STACK@/backup/program ] || exit 127
sh ./opt/ipai/@STACK@/backup/program start protect
"#;

const FOLLOW: &str = r#"cd "${IPAI_ROOT-}/" || exit 91
sh ./opt/ipai/@STACK@/backup/program follow @LINE@
"#;

impl Deployment<'_> {
    /// Services that own data and whose image is about to change.
    fn endangered(&self, before: &[Container]) -> BTreeSet<String> {
        let running = by_service(before, self.rollout.project.name);
        let changes = |name: &&str| {
            let wanted = self.model.services.get(*name).and_then(|service| service.image.as_ref());
            let own = running.get(*name).and_then(|own| own.first());
            own.zip(wanted).is_some_and(|(own, wanted)| own.image_name != *wanted)
        };
        let is_database = |name: &&String| {
            self.model.services[*name]
                .image
                .as_deref()
                .is_some_and(|image| postgres_major(image).is_some())
        };
        let databases = self.model.services.keys().filter(is_database).map(String::as_str);
        let owners: BTreeSet<&str> = self.migrates.iter().copied().chain(databases).collect();
        owners.into_iter().filter(changes).map(str::to_owned).collect()
    }

    /// Takes the backup, if one is called for and the stack keeps any.
    pub(super) async fn protect(
        &self,
        batch: &mut Batch<'_>,
        before: &[Container],
    ) -> Result<(), RemoteError> {
        let waived = batch.waived.clone();
        let endangered = self.endangered(before);
        let endangered: Vec<&String> = endangered.difference(&waived).collect();
        let Some(first) = endangered.first() else { return Ok(()) };
        self.fetch(batch, &endangered).await?;
        let command = self.program(BEGIN, 0, batch.limit());
        let begun = batch.run(&command).await?;
        match begun.exit {
            0 => {}
            NOTHING_KEPT => return Ok(()),
            _ => return Err(refused(BackupTalk::of(&begun.text()), first)),
        }
        let mut talk = BackupTalk::default();
        loop {
            let follow = self.program(FOLLOW, talk.next_line(), batch.limit());
            for line in batch.run(&follow).await?.text().lines() {
                if let Heard::Phase(phase) = talk.take(line) {
                    self.rollout.tell(batch, &format!("backup before the upgrade: {phase}"));
                }
            }
            match talk.ended {
                None => sleep(batch.settings.poll).await,
                Some(0) => return Ok(()),
                Some(_) => return Err(refused(talk, first)),
            }
        }
    }

    /// Fetches the new images first: for one that nobody has, no service needs to stand still.
    async fn fetch(&self, batch: &mut Batch<'_>, services: &[&String]) -> Result<(), RemoteError> {
        let pulled = services.iter().map(|name| &self.model.services[name.as_str()]);
        for image in pulled.filter(|one| one.pulled).filter_map(|one| one.image.as_ref()) {
            self.rollout.tell(batch, &format!("pulling {image}"));
            let output = batch.run(&self.rollout.project.fetch_image(image)).await?;
            if output.exit != 0 {
                let words = failure::or_silence(&output.stderr, output.exit);
                let cause = format!("{image}: {words}");
                let error = RemoteError::new(Fault::Refused, "pull the images", cause);
                return Err(error.hint("nothing was changed; is the image's name right?"));
            }
        }
        Ok(())
    }

    fn program(&self, template: &str, line: usize, limit: Duration) -> Command {
        let line = line.to_string();
        let parts =
            [("STACK", Part::Word(self.rollout.project.stack)), ("LINE", Part::Word(&line))];
        Command::new("take the backup before the upgrade", fill(template, &parts), limit)
    }
}

fn refused(talk: BackupTalk, service: &str) -> RemoteError {
    let hint =
        format!("nothing was changed; mend the backup, or go without: --without-backup {service}");
    talk.into_error("take the backup before the upgrade", "").hint(hint)
}
