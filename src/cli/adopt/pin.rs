//! Saying which host key a droplet is recognised by, where ipai did not make it or it was changed outside of ipai.
//!
//! Only a person can say so, by naming the fingerprint or by confirming the one that is shown. No flag accepts whatever
//! answers.

use ipai_core::{Address, Diagnostic, LiveResource, Pins, Value};

use super::super::world::World;
use super::super::{Failed, Outcome, Run, exit};
use super::AdoptArguments;
use crate::providers;

/// Where to read a host's own fingerprint.
const LOOK: &str = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";

/// The fingerprint that was named, in hex.
pub(super) fn named(run: &Run<'_>, arguments: &AdoptArguments) -> Result<Option<String>, Failed> {
    let parse = |text: &String| {
        providers::host_key(text)
            .map_err(|why| run.problem(Diagnostic::error("Not a host key fingerprint").detail(why)))
    };
    arguments.host_key.as_ref().map(parse).transpose()
}

/// Pins the key of an object that is ipai's. One that is pinned already changes only when a key was named.
pub(super) async fn pin(
    run: &Run<'_>,
    world: &World,
    object: &LiveResource,
    keeper: &dyn Pins,
    named: Option<String>,
) -> Outcome {
    let address = &object.address;
    let pinned: Vec<String> = texts(object, "host_keys");
    let key = match named {
        Some(key) if pinned == [key.as_str()] => {
            run.say(&format!("`{address}` is pinned to this host key already."));
            return Ok(exit::OK);
        }
        Some(key) => key,
        None if !pinned.is_empty() => {
            run.say(&format!("`{address}` is ipai's already; nothing to adopt."));
            return Ok(exit::OK);
        }
        None => confirmed(run, world, object).await?,
    };
    let pinning = keeper.accept_only(&object.id, &key).await;
    pinning.map_err(|error| run.remote(&[error]))?;
    run.say(&format!("`{address}` is recognised by this host key from now on, and by no other."));
    Ok(exit::OK)
}

/// Shows the key that answers and has a person compare it.
async fn confirmed(run: &Run<'_>, world: &World, object: &LiveResource) -> Result<String, Failed> {
    let home = &object.address;
    let instead = format!(
        "read the fingerprint on its console ({LOOK}) and name it: {}",
        run.command(&format!("adopt {home} --host-key SHA256:…"))
    );
    if !run.edges.can_ask {
        return Err(unpinned(run, home, &instead));
    }
    let Some(at) = object.outputs.get("ipv4").and_then(Value::as_text) else {
        return Err(unpinned(run, home, &instead));
    };
    let (key, shown) =
        world.shown_host_key(home, at).await.map_err(|error| run.remote(&[error]))?;
    let question = format!(
        "{at} proves itself with the ed25519 host key\n  {shown}\nNobody has vouched for it yet. Compare it with what the host itself says on its console:\n  {LOOK}\nIs it the same?"
    );
    run.confirm(&question, "yes", &instead)?;
    Ok(key)
}

fn unpinned(run: &Run<'_>, home: &Address, instead: &str) -> Failed {
    let problem = Diagnostic::error("No host key is pinned")
        .detail(format!("Nobody has said which host key `{home}` has, and nobody can be asked here; ipai trusts none on first use."))
        .hint(instead);
    run.trouble(&problem)
}

fn texts(object: &LiveResource, output: &str) -> Vec<String> {
    let items = object.outputs.get(output).map(Value::text_items).unwrap_or_default();
    items.into_iter().map(str::to_owned).collect()
}
