//! An older image of a service whose database only goes forward is refused before anything is touched.

use ipai_core::release::rises;

use super::super::apply::Consent;
use super::super::places::Places;
use super::super::releases::hosts;
use super::super::rollback::{below_migration, migrates};
use super::super::world::World;
use super::super::{Ending, Failed, Run, parse_addresses};
use super::find::Holder;
use crate::providers::ComposeProject;
use crate::report::clean;

/// Refuses it unless the loss of the data is allowed. The host is asked only when the stack's own tag would go down: what
/// ran there decides, and what does not run may have.
pub(super) async fn refuse(
    run: &Run<'_>,
    world: &World,
    places: &Places,
    project: &ComposeProject,
    holder: &Holder,
    consent: &Consent,
) -> Result<(), Failed> {
    let Some((address, services)) = migrates(places, &project.home, &project.name) else {
        return Ok(());
    };
    let lowered: Vec<(&String, &String, &String)> = holder
        .services
        .iter()
        .filter_map(|(name, new)| Some((name, project.services.get(name)?.image.as_ref()?, new)))
        .filter(|(name, old, new)| services.contains(&name.as_str()) && rises(new, old))
        .collect();
    let exists = places.outputs.contains_key(&project.home);
    if lowered.is_empty() || !exists || parse_addresses(&consent.data_loss, run)?.contains(&address)
    {
        return Ok(());
    }
    let hosts = hosts(run, world, places).await?;
    for (name, old, new) in lowered {
        let images = hosts.iter().filter(|host| host.home == project.home);
        let ran = images
            .flat_map(|host| &host.kept.images)
            .find(|image| image.project == project.name && image.service == *name);
        let from = ran.map_or(old.as_str(), |image| image.name.as_str());
        if rises(new, from) {
            let text = below_migration(name, from, new, &address);
            return Err(Failed::new(clean(&text).into_owned())
                .ending(Ending::Guarded, consent.detailed_exitcode));
        }
    }
    Ok(())
}
