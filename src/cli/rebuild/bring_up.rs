//! From nothing to services that run with a backup's data: a droplet and its host first, then the data, then the rest.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use ipai_core::plan::Options;
use ipai_core::{Address, Diagnostic, Events};

use super::super::backup::export;
use super::super::backup::list::{Snapshot, all, chosen};
use super::super::backup::site::Site;
use super::super::places::Places;
use super::super::progress::Progress;
use super::super::restore::{Source, announcement, judged, look_through};
use super::super::world::{Planned, World};
use super::super::{Failed, Run};
use super::receipt::Receipt;
use crate::apply::{Report, apply};
use crate::report;

/// How many backups are tried until one is whole.
const TRIES: usize = 5;

/// Which backup.
pub(crate) enum What {
    /// The newest that is whole.
    Newest,
    /// This one.
    Id(String),
    /// An export, which was looked through.
    File(PathBuf),
}

impl What {
    pub(crate) fn of(run: &Run<'_>, word: &str) -> Result<Self, Failed> {
        let file = PathBuf::from(word);
        if word == "latest" {
            return Ok(Self::Newest);
        }
        if word.contains(['/', '.']) || file.exists() {
            look_through(run, &file)?;
            return Ok(Self::File(file));
        }
        Ok(Self::Id(word.to_owned()))
    }
}

/// The way up.
pub(crate) struct BringUp<'a> {
    pub(crate) run: &'a Run<'a>,
    /// The stack without its names.
    pub(crate) world: &'a World,
    pub(crate) progress: &'a Progress,
    /// A droplet that was left alone, and is not in the way.
    pub(crate) without: Option<String>,
}

impl BringUp<'_> {
    pub(crate) async fn through(&self, what: &What, receipt: &mut Receipt) -> Result<(), Failed> {
        let run = self.run;
        let declared =
            || self.world.loaded.stack.resources.iter().map(|declared| declared.address.clone());
        let is_project =
            |address: &Address| address.provider == "host" && address.kind == "compose";
        let first: BTreeSet<Address> = declared().filter(|address| !is_project(address)).collect();
        run.remark("rebuild: droplet, host and configuration");
        self.apply(first).await?;
        receipt.phase("droplet, host, configuration");
        let places = self.world.places(run).await?;
        let site = self.world.site(run, &places)?;
        if !self.already_there(&site).await? {
            self.choose(&site, &places, what, receipt).await?;
            receipt.phase("choice of the backup");
        }
        run.remark("rebuild: images, data and services");
        self.apply(declared().collect()).await?;
        receipt.phase("images, data, services");
        let (ended, _) = site.ask(&["restored"], "look at what was restored").await?;
        receipt.restored(&ended);
        Ok(())
    }

    /// Tells whether an earlier rebuild that was cut short restored a backup here already, or is about to.
    async fn already_there(&self, site: &Site<'_>) -> Result<bool, Failed> {
        let (ended, _) = site.ask(&["seeded"], "look for a restore").await?;
        Ok(ended.about("seeded").next().is_some())
    }

    /// Chooses the backup, says what it holds, and lets the next deployment restore it.
    async fn choose(
        &self,
        site: &Site<'_>,
        places: &Places,
        what: &What,
        receipt: &mut Receipt,
    ) -> Result<(), Failed> {
        let (source, snapshot) = match what {
            What::File(file) => {
                export::import(site, file).await?;
                (Source::Imported, None)
            }
            What::Id(id) => {
                let one = chosen(site, id, None).await?;
                (Source::Repository { id: one.id.clone() }, Some(one))
            }
            What::Newest => {
                let one = self.newest_whole(site).await?;
                (Source::Repository { id: one.id.clone() }, Some(one))
            }
        };
        let manifest = judged(site, places, &source, None).await?;
        self.run.remark(&report::clean(&announcement(&manifest, &source, None)));
        receipt.backup(&manifest, snapshot.as_ref());
        site.ask(&["seed", source.word()], "prepare the restore").await.map(drop)
    }

    /// The newest backup whose parts can all be read back.
    async fn newest_whole(&self, site: &Site<'_>) -> Result<Snapshot, Failed> {
        // The clock's word on the newest one is heard first.
        let newest = chosen(site, "latest", None).await?;
        let older =
            all(site).await?.into_iter().filter(|snapshot| snapshot.taken() <= newest.taken());
        let mut last = None;
        for snapshot in older.take(TRIES) {
            match site.job(&["whole", &snapshot.id], "read the backup").await {
                Ok(_) => return Ok(snapshot),
                Err(failed) if self.world.stop.code().is_some() => return Err(failed),
                Err(failed) => {
                    self.run.say(&format!(
                        "warning: backup {} is not whole, so an older one is taken:\n{}",
                        snapshot.id(),
                        failed.text
                    ));
                    last = Some(failed);
                }
            }
        }
        Err(last.unwrap_or_else(|| {
            self.run.trouble(&Diagnostic::error("No such backup").detail("There is none yet."))
        }))
    }

    async fn apply(&self, targets: BTreeSet<Address>) -> Result<Report, Failed> {
        let options = Options { targets, ..Options::default() };
        let planned = self
            .world
            .plan_beside(self.run, &options, self.progress, self.without.as_deref())
            .await?;
        carry(self.run, self.world, planned, self.progress).await
    }
}

/// Carries a plan out that was agreed to.
pub(crate) async fn carry(
    run: &Run<'_>,
    world: &World,
    planned: Planned,
    progress: &Progress,
) -> Result<Report, Failed> {
    let plan = &planned.proposal.plan;
    if !plan.conflicts.is_empty() {
        let text = report::plan_text(plan, &run.talk, &report::PlanOptions::calling(run.ipai()));
        return Err(Failed::new(format!(
            "{text}\nerror: something stands in the way (see above); nothing more was changed"
        )));
    }
    if plan.is_empty() {
        return Ok(Report { outputs: planned.live.outputs(), ..Report::default() });
    }
    let executors = world.executors(run)?;
    let events: Arc<dyn Events> = Arc::new(progress.clone());
    let heartbeat = progress.heartbeat(Some(plan.effective().count()));
    let report = apply(&world.loaded, plan, &planned.live, &executors, &events, &world.stop).await;
    drop(heartbeat);
    if report.is_complete() {
        return Ok(report);
    }
    let text = report::apply_summary(&report, false, &run.talk, &run.ipai());
    let code = world.stop.code().unwrap_or(super::super::exit::ERROR);
    let text = format!("{text}\n  hint: the same command again goes on from here");
    Err(Failed { code, ..Failed::new(text) })
}
