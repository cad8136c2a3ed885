//! `ipai adopt` without an address: everything that stands in the plan's way and could be taken over.

use std::collections::BTreeMap;

use ipai_core::plan::{self, Options};
use ipai_core::{Address, Foreign};

use super::super::apply::{Consent, carry_out};
use super::super::progress::Progress;
use super::super::world::{Planned, World};
use super::super::{Outcome, Run, exit};
use super::{AdoptArguments, adopt_in, keeper, no_single_candidate};
use crate::report::{self, PlanOptions};

/// What could be taken over for each resource that has no object yet.
type Candidates = BTreeMap<Address, Vec<Foreign>>;

/// Droplets come first, one by one, because their host keys are compared by a person; then everything that is seen
/// through them, together. The plan at the end says what differs.
pub(super) async fn all(run: &Run<'_>, world: &World, arguments: &AdoptArguments) -> Outcome {
    let consent = &arguments.consent;
    let progress = Progress::new(run, consent.json);
    let mut done = Candidates::new();
    loop {
        let planned = world.plan(run, &Options::default(), &progress).await?;
        let mut found = candidates(&planned);
        found.retain(|address, _| !done.contains_key(address));
        let several = found.iter().find(|(_, all)| all.len() > 1);
        if let Some((address, all)) = several {
            return Err(no_single_candidate(run, address, all));
        }
        if found.is_empty() {
            return Ok(told(run, world, planned, consent, !done.is_empty()));
        }
        let host = found.keys().find_map(|address| match keeper(run, world, address) {
            Ok(None) => None,
            Ok(Some(_)) => Some(Ok(address.clone())),
            Err(failed) => Some(Err(failed)),
        });
        match host.transpose()? {
            Some(address) => {
                adopt_in(run, world, &address, arguments, None).await?;
                found.retain(|one, _| *one == address);
            }
            None => take(run, world, planned, &found, consent, &progress).await?,
        }
        done.extend(found);
    }
}

/// Takes over all of these at once, after asking once.
async fn take(
    run: &Run<'_>,
    world: &World,
    planned: Planned,
    found: &Candidates,
    consent: &Consent,
    progress: &Progress,
) -> Result<(), super::super::Failed> {
    let Planned { mut proposal, live } = planned;
    let pairs: Vec<(&Address, &Foreign)> =
        found.iter().filter_map(|(address, all)| Some((address, all.first()?))).collect();
    for (address, foreign) in &pairs {
        run.say(&format!("Adopting as {address}: {}", foreign.title));
    }
    proposal.plan = plan::adopt_all(&proposal.desired, &pairs, &live);
    let planned = Planned { proposal, live };
    carry_out(run, world, planned, consent, false, progress).await.map(drop)
}

fn candidates(planned: &Planned) -> Candidates {
    let mut found = Candidates::new();
    for conflict in planned.proposal.plan.conflicts.iter().filter(|one| one.adoptable) {
        found.entry(conflict.address.clone()).or_default().push(conflict.foreign.clone());
    }
    for all in found.values_mut() {
        all.dedup();
    }
    found
}

/// Says what is left to do, as the plan of now.
fn told(run: &Run<'_>, world: &World, planned: Planned, consent: &Consent, any: bool) -> u8 {
    if !any {
        run.say("Nothing that exists stands in the way of this stack; nothing to adopt.");
        return exit::OK;
    }
    if !consent.json {
        let options = PlanOptions { ipai: run.ipai(), ..PlanOptions::default() };
        run.print_plan(&planned.proposal.plan, &options);
        run.print(&report::exposure_text(&planned.exposure(world), &run.output));
    }
    if consent.detailed_exitcode { exit::CHANGES } else { exit::OK }
}
