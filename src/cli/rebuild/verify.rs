//! What is proven of a stack that was rebuilt: logins, and that its restored data can be read.

use serde_json::json;

use super::super::backup::site::Site;
use super::super::check::sign_of_life;
use super::super::world::World;
use super::super::{Failed, Run};
use super::receipt::Receipt;
use crate::http_check::Reach;

/// Asks every check of the stack, on the host where it can be asked there, and runs each service's own proof.
pub(crate) async fn verify(
    run: &Run<'_>,
    world: &World,
    receipt: &mut Receipt,
) -> Result<(), Failed> {
    run.remark("rebuild: logins and data");
    let places = world.places(run).await?;
    let site = world.site(run, &places)?;
    let reach = believed(&site, world.reach(run).await?).await?;
    for (name, passed, words) in sign_of_life(run, world, &places, &reach).await {
        receipt.check(&name, passed, &words);
    }
    for (service, data) in &site.backup.services {
        if data.verify.is_empty() {
            continue;
        }
        let asked = crate::providers::ask_in(
            &world.access,
            site.project,
            service,
            site.outputs,
            &data.verify,
            Vec::new(),
        );
        let output = asked.await.map_err(|error| run.remote(&[error]))?;
        let words = output.stderr.lines().last().unwrap_or_default().to_owned();
        receipt.proof(service, output.exit == 0, json!(crate::report::one_line(&words)));
    }
    receipt.phase("logins and proofs");
    Ok(())
}

/// A drill's sites prove themselves by an authority of their own, which is asked for over the pinned connection.
async fn believed(site: &Site<'_>, reach: Reach) -> Result<Reach, Failed> {
    let stack = &site.world.loaded.stack;
    if stack.id == stack.backup_source() || reach == Reach::Nowhere {
        return Ok(reach);
    }
    let mut authorities = match reach {
        Reach::Trusting(authorities) => authorities,
        Reach::Publicly | Reach::Nowhere => Vec::new(),
    };
    for (service, data) in
        site.backup.services.iter().filter(|(_, data)| !data.authority.is_empty())
    {
        let asked = crate::providers::ask_in(
            &site.world.access,
            site.project,
            service,
            site.outputs,
            &data.authority,
            Vec::new(),
        );
        let output = asked.await.map_err(|error| site.run.remote(&[error]))?;
        if output.exit == 0 {
            authorities.push(output.text());
        }
    }
    Ok(if authorities.is_empty() { Reach::Publicly } else { Reach::Trusting(authorities) })
}
