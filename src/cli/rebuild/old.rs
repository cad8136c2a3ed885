//! The droplet that the stack had: alive, dead, or gone.

use std::collections::BTreeSet;
use std::time::Duration;

use ipai_core::backup::Backup;
use ipai_core::plan::{self, Options};
use ipai_core::{Address, Diagnostic, Fault, LiveResource};

use super::super::progress::Progress;
use super::super::world::{Planned, World};
use super::super::{Failed, Run, parse_addresses};
use super::bring_up::carry;

/// How often to look whether a droplet is seen as forgotten, and the pause between two looks.
const LOOKS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// What became of the host of the stack's backups.
pub(super) struct Old {
    home: Option<Address>,
    droplet: Option<LiveResource>,
    /// Whether it answers; what does not answer is dead.
    answers: bool,
    /// Whether a rebuild was under way on it.
    unfinished: bool,
    /// Whether any container runs on it.
    runs: bool,
}

impl Old {
    /// None that answers.
    const fn gone() -> Self {
        Self { home: None, droplet: None, answers: false, unfinished: false, runs: false }
    }

    pub(super) fn announcement(&self, replaces: bool) -> String {
        match (&self.droplet, self.unfinished, replaces) {
            (None, ..) => "Rebuilding from nothing: the stack has no droplet.".to_owned(),
            (Some(_), true, _) => "Going on with a rebuild that was cut short.".to_owned(),
            (Some(droplet), _, true) => format!(
                "Rebuilding: droplet {} does not answer; it is deleted and made anew.",
                droplet.id
            ),
            (Some(droplet), _, false) => format!(
                "Rebuilding beside droplet {}, which does not answer and is left alone.",
                droplet.id
            ),
        }
    }
}

/// Looks for it.
pub(super) async fn find(run: &Run<'_>, world: &World, progress: &Progress) -> Result<Old, Failed> {
    let Some(home) = home(run, world)? else {
        return Ok(Old::gone());
    };
    let live = world.look_at(run, &home.provider, progress).await?;
    let droplet = live.resources.into_iter().find(|resource| resource.address == home);
    let old = match &droplet {
        None => Old::gone(),
        Some(_) => state(run, world, &home).await?,
    };
    Ok(Old { home: Some(home), droplet, ..old })
}

/// What the stack says about backups.
pub(crate) fn section<'w>(run: &Run<'_>, world: &'w World) -> Result<&'w Backup, Failed> {
    world.loaded.stack.backup.as_ref().ok_or_else(|| {
        let problem = Diagnostic::error("Nothing to rebuild from")
            .detail("The stack has no section `[backup]`.");
        run.trouble(&problem.hint(format!(
            "{} shows one; without data, this is all it takes: {}",
            run.command("explain backup"),
            run.command("apply")
        )))
    })
}

/// The host of the stack's backups, when a provider makes it.
fn home(run: &Run<'_>, world: &World) -> Result<Option<Address>, Failed> {
    let backup = section(run, world)?;
    let (desired, _) =
        world.loaded.with_inputs(&std::collections::BTreeMap::new(), ipai_core::desired::compile);
    let project = desired.resources.into_iter().find(|resource| resource.address == backup.compose);
    Ok(project.and_then(|project| project.home).filter(|home| home.provider != "host"))
}

/// What the host says of itself, a word for each: something runs; a restore is to come, or under way; one was done;
/// Docker keeps data.
const STATE: &str = r#"d=${IPAI_ROOT-}/var/lib
any() { [ -z "$(head -n 1)" ] || echo "$1"; }
docker ps -q 2>/dev/null | any runs
ls "$d"/ipai/*/backup/seed "$d"/ipai/*/backup/journal 2>/dev/null | any begun
ls "$d"/ipai/*/backup/restored 2>/dev/null | any restored
{ docker volume ls -q; ls -d "$d"/docker/volumes/*/_data; } 2>/dev/null | any data
exit 0
"#;

/// Whether it answers, and how far it is. Data that no rebuild has brought there is nothing unfinished: whoever took
/// the project down, or has a Docker that does not answer, would lose it.
async fn state(run: &Run<'_>, world: &World, home: &Address) -> Result<Old, Failed> {
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    match crate::providers::ask_shell(&world.access, home, site.outputs, STATE).await {
        Ok(output) => {
            let text = output.text();
            let says = |word: &str| text.lines().any(|line| line == word);
            let runs = says("runs");
            let unfinished = says("begun") || (!runs && (says("restored") || !says("data")));
            Ok(Old { answers: true, unfinished, runs, ..Old::gone() })
        }
        Err(error) if matches!(error.fault, Fault::Unreachable | Fault::TimedOut) => {
            Ok(Old::gone())
        }
        Err(error) => Err(run.remote(&[error])),
    }
}

/// The address that --replace names; it must be the one that is meant.
pub(super) fn named(
    run: &Run<'_>,
    old: &Old,
    text: Option<&str>,
) -> Result<Option<Address>, Failed> {
    let Some(text) = text else { return Ok(None) };
    let named = parse_addresses(&[text.to_owned()], run)?.into_iter().next();
    let home = &old.home;
    if named == *home {
        return Ok(named);
    }
    let problem = Diagnostic::error("Not the droplet that is rebuilt")
        .detail(format!("`{text}` is not the host of the stack's backups."));
    Err(run.trouble(
        &problem.hint(home.as_ref().map(|home| format!("that is {home}")).unwrap_or_default()),
    ))
}

/// Refuses to rebuild beside a host that serves.
pub(super) fn judge(run: &Run<'_>, old: &Old, replaces: bool) -> Result<(), Failed> {
    if !old.answers || old.unfinished {
        return Ok(());
    }
    let home = old.home.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut problem = Diagnostic::error("The stack is there")
        .detail(format!("{home} exists and answers, so there is nothing to rebuild."));
    problem.hint = Some(if replaces {
        format!(
            "--replace is for a droplet that does not answer; to replace one that does: {}",
            run.command(&format!("plan --replace {home}"))
        )
    } else if old.runs {
        format!(
            "to put a backup's data back there: {}; to try a rebuild beside it: {}",
            run.command("restore latest"),
            run.command("drill")
        )
    } else {
        format!(
            "nothing runs there, and Docker keeps data: {} starts it; then {} puts a backup's data back",
            run.command("up"),
            run.command("restore latest")
        )
    });
    Err(run.trouble(&problem))
}

/// Takes a dead droplet out of the way: forgotten, or deleted and made anew. Gives the id of one that was left.
pub(super) async fn set_aside(
    run: &Run<'_>,
    world: &World,
    old: &Old,
    named: Option<&Address>,
    progress: &Progress,
) -> Result<Option<String>, Failed> {
    let (Some(home), Some(droplet)) = (&old.home, &old.droplet) else { return Ok(None) };
    if old.answers {
        return Ok(None);
    }
    // Its hosts' provider is not asked: it would wait for an answer that does not come.
    let live = world.look_at(run, &home.provider, progress).await?;
    let outputs = live.outputs();
    let options = match named {
        Some(named) => Options {
            targets: BTreeSet::from([named.clone()]),
            replace: BTreeSet::from([named.clone()]),
            destroy: false,
        },
        None => Options::default(),
    };
    let mut proposal =
        world.loaded.with_inputs(&outputs, |inputs| plan::propose(inputs, &live, &options));
    if named.is_none() {
        proposal.plan = plan::forget(&proposal.desired, home, &droplet.id, &live);
    }
    carry(run, world, Planned { proposal, live }, progress).await?;
    if named.is_some() {
        return Ok(None);
    }
    // Lists show for a while what carries our marker no longer.
    for _ in 0..LOOKS {
        let live = world.look_at(run, &home.provider, progress).await?;
        if !live.resources.iter().any(|resource| resource.id == droplet.id) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Some(droplet.id.clone()))
}
