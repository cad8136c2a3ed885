//! `ipai adopt` and `ipai forget`

mod guided;
mod pin;

use std::sync::Arc;

use ipai_core::plan::{self, Options};
use ipai_core::{Address, Diagnostic, Foreign, LiveResource, Pins};

use super::apply::{Consent, carry_out};
use super::plan::must_be_known;
use super::progress::Progress;
use super::world::{Planned, World};
use super::{Failed, Outcome, Run, exit, parse_addresses};

/// Take over objects that exist already: they get ipai's marker and are otherwise left as they are.
///
/// Without an address, everything that stands in the plan's way and could be one of the stack's resources is shown and
/// asked about; nothing is restarted. The next plan shows what differs from the stack. A droplet whose host key is not pinned is pinned as well, once
/// somebody has confirmed or named its fingerprint; with --host-key an existing pin is replaced.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai adopt                                       # everything that is in the way\n  ipai adopt cloudflare.dns_record.chat\n  ipai adopt digitalocean.droplet.ops 411223344    # that one, when several have the name"
)]
pub(super) struct AdoptArguments {
    /// The resource of the stack that the object shall be; everything that stands in the way when it is left out.
    address: Option<String>,
    /// The provider's id of the object, when several could be meant.
    id: Option<String>,
    /// The SHA-256 fingerprint of the host key that a droplet must prove itself with from now on: SHA256:…
    #[arg(long, value_name = "FINGERPRINT", requires = "address")]
    host_key: Option<String>,
    #[command(flatten)]
    consent: Consent,
}

/// Stop managing an object: ipai's marker is taken off and the object stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai forget cloudflare.dns_record.chat")]
pub(super) struct ForgetArguments {
    /// The resource to forget; take it out of the stack as well.
    address: String,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn adopt(run: &Run<'_>, arguments: &AdoptArguments) -> Outcome {
    let address = arguments.address.as_ref().map(|text| single(run, text)).transpose()?;
    let host_key = pin::named(run, arguments)?;
    let world = World::open(run).await?;
    let work = async {
        match &address {
            Some(address) => adopt_in(run, &world, address, arguments, host_key).await,
            None => guided::all(run, &world, arguments).await,
        }
    };
    let outcome = arguments.consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn adopt_in(
    run: &Run<'_>,
    world: &World,
    address: &Address,
    arguments: &AdoptArguments,
    host_key: Option<String>,
) -> Outcome {
    let declared = world.loaded.stack.resources.iter().map(|declared| &declared.address);
    must_be_known(run, [address].into_iter(), &declared.collect(), "is not in the stack")?;
    let progress = Progress::new(run, arguments.consent.json);
    let keeper = keeper(run, world, address)?;
    if keeper.is_none() && host_key.is_some() {
        return Err(no_pin(run, address));
    }
    // Whoever is recognised by a wrong key cannot be asked anything, so its provider is asked alone.
    if let Some(keeper) = &keeper
        && let Some(object) = ours(run, world, address, &progress).await?
    {
        return pin::pin(run, world, &object, keeper.as_ref(), host_key).await;
    }
    let Planned { mut proposal, live } = world.plan(run, &Options::default(), &progress).await?;
    if let Some(own) = live.resources.iter().find(|resource| resource.address == *address) {
        return already(run, own, arguments.id.as_deref());
    }
    let fits = |foreign: &&Foreign| {
        foreign.provider == address.provider
            && foreign.kind == address.kind
            && arguments.id.as_ref().is_none_or(|id| *id == foreign.id)
    };
    let in_the_way = proposal
        .plan
        .conflicts
        .iter()
        .filter(|c| c.address == *address && c.adoptable)
        .map(|c| &c.foreign);
    let named = live.foreign.iter().filter(|_| arguments.id.is_some());
    let mut candidates: Vec<Foreign> = in_the_way.chain(named).filter(fits).cloned().collect();
    candidates.dedup();
    let [foreign] = &candidates[..] else {
        return Err(no_single_candidate(run, address, &candidates));
    };
    run.say(&format!("Adopting as {address}: {}", foreign.title));
    proposal.plan = plan::adopt(&proposal.desired, address, foreign, &live);
    let planned = Planned { proposal, live };
    let code = carry_out(run, world, planned, &arguments.consent, false, &progress).await?;
    let Some(keeper) = keeper else { return Ok(code) };
    match ours(run, world, address, &progress).await? {
        Some(object) => {
            pin::pin(run, world, &object, keeper.as_ref(), host_key).await.map(|_| code)
        }
        None => Ok(code),
    }
}

/// The resource has its object; another one that was named cannot be it too.
fn already(run: &Run<'_>, own: &LiveResource, named: Option<&str>) -> Outcome {
    let address = &own.address;
    let Some(id) = named.filter(|id| *id != own.id) else {
        run.say(&format!("`{address}` is ipai's already; nothing to adopt."));
        return Ok(exit::OK);
    };
    let detail =
        format!("`{address}` is the object {} already, and {id} cannot be it too.", own.id);
    let problem = Diagnostic::error("It is another object").detail(detail);
    Err(run.trouble(&problem.hint("give the other one a resource of its own in the stack")))
}

/// Who keeps the pins of this resource's host keys, if it is a host that its provider recognises by them.
fn keeper(
    run: &Run<'_>,
    world: &World,
    address: &Address,
) -> Result<Option<Arc<dyn Pins>>, Failed> {
    let kind = world.loaded.types.get(address);
    let has_keys = kind.is_some_and(|kind| kind.outputs().iter().any(|o| o.0 == "host_keys"));
    if !has_keys {
        return Ok(None);
    }
    world.pins(&address.provider).map_err(|error| run.remote(&[error]))
}

/// The object that carries this address's marker, as its provider alone sees it.
async fn ours(
    run: &Run<'_>,
    world: &World,
    address: &Address,
    progress: &Progress,
) -> Result<Option<LiveResource>, Failed> {
    let live = world.look_at(run, &address.provider, progress).await?;
    let mut found: Vec<_> = live.resources.into_iter().filter(|r| r.address == *address).collect();
    found.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
    Ok(found.into_iter().next())
}

fn no_pin(run: &Run<'_>, address: &Address) -> Failed {
    let problem = Diagnostic::error("No host key to pin")
        .detail(format!("ipai keeps no host key for `{address}`."))
        .hint("a droplet's key is pinned in its tags; a server's stands in the stack: host_key = \"SHA256:…\"");
    run.trouble(&problem)
}

fn no_single_candidate(run: &Run<'_>, address: &Address, candidates: &[Foreign]) -> Failed {
    let list: Vec<String> =
        candidates.iter().map(|foreign| format!("{} ({})", foreign.id, foreign.title)).collect();
    let problem = if list.is_empty() {
        let detail = format!("Nothing that exists could be `{address}`.");
        Diagnostic::error("Nothing to adopt")
            .detail(detail)
            .hint(format!("{} lists the foreign objects nearby", run.command("plan -v")))
    } else {
        let detail = format!("Several objects could be `{address}`: {}.", list.join(", "));
        Diagnostic::error("Which one?")
            .detail(detail)
            .hint(run.command(&format!("adopt {address} {}", candidates[0].id)))
    };
    run.trouble(&problem)
}

pub(super) async fn forget(run: &Run<'_>, arguments: &ForgetArguments) -> Outcome {
    let address = single(run, &arguments.address)?;
    let world = World::open(run).await?;
    let work = forget_in(run, &world, &address, arguments);
    let outcome = arguments.consent.locked(run, &world, work).await;
    world.close().await;
    outcome
}

async fn forget_in(
    run: &Run<'_>,
    world: &World,
    address: &Address,
    arguments: &ForgetArguments,
) -> Outcome {
    let progress = Progress::new(run, arguments.consent.json);
    let Planned { mut proposal, live } = world.plan(run, &Options::default(), &progress).await?;
    let Some(object) = live.resources.iter().find(|resource| resource.address == *address) else {
        let detail = format!("Nothing that exists carries the marker of `{address}`.");
        return Err(run.trouble(&Diagnostic::error("Nothing to forget").detail(detail)));
    };
    proposal.plan = plan::forget(&proposal.desired, address, &object.id, &live);
    let planned = Planned { proposal, live };
    let code = carry_out(run, world, planned, &arguments.consent, false, &progress).await?;
    let declared = world.loaded.stack.resources.iter().any(|one| one.address == *address);
    if declared && !arguments.consent.json {
        run.say(&format!("`{address}` still stands in the stack: take it out, or the next plan finds the object in its way."));
    }
    Ok(code)
}

fn single(run: &Run<'_>, text: &str) -> Result<Address, Failed> {
    let parsed = parse_addresses(&[text.to_owned()], run)?;
    parsed.into_iter().next().ok_or_else(|| Failed::new("error: no address"))
}
