//! A loaded stack together with whoever can look at it and change it.

use std::sync::{Arc, OnceLock};

use ipai_core::backup;
use ipai_core::desired::compile;
use ipai_core::exposure::{Exposed, Turn, exposure};
use ipai_core::plan::{Options, Proposal, lint, propose};
use ipai_core::{
    Address, Diagnostic, Events, Execute, LiveState, Observe, Pins, RemoteError, Value, diagnostic,
};

use tracing::Instrument;

use super::locked::stopped;
use super::progress::Progress;
use super::{Failed, Run};
use crate::http_check::Reach;
use crate::load::{Choice, Loaded, load};
use crate::lock::Fence;
use crate::log::phase;
use crate::observe::observe;
use crate::providers::{self, Access};
use crate::sandbox::{self, Sandbox};
use crate::stop::Stop;

/// What takes long in a plan.
const LOOKING: &str = "Looking at what exists";

/// Everything that a command on a stack needs.
pub(super) struct World {
    pub(super) loaded: Loaded,
    pub(super) access: Access,
    pub(super) observers: Vec<Arc<dyn Observe>>,
    sandbox: Option<Arc<Sandbox>>,
    /// Asked to stop by interrupts, and when the lock is lost.
    pub(super) stop: Stop,
    /// The host that the stack's lock is on, when it is on one.
    pub(super) host_lock: OnceLock<(Address, Fence)>,
}

/// A plan and the live state that it was made on.
pub(super) struct Planned {
    pub(super) proposal: Proposal,
    pub(super) live: LiveState,
}

/// Reads the stack and contacts nobody.
pub(super) fn open_stack(run: &Run<'_>) -> Result<Loaded, Failed> {
    open_as(run, Choice::default())
}

/// The same to say whether it is well, and nothing of what is in it.
pub(super) fn open_stack_to_check(run: &Run<'_>) -> Result<Loaded, Failed> {
    open_as(run, Choice { shows_no_digest: true, ..Choice::default() })
}

/// The same, or the stack's drill.
fn open_as(run: &Run<'_>, how: Choice) -> Result<Loaded, Failed> {
    let sandbox = match run.global.sandbox {
        None => None,
        Some(kind) => Some(prepare_sandbox(run, kind)?),
    };
    let choice = Choice {
        folder: run.global.folder.clone(),
        environment: run.global.environment.clone(),
        variables: run.variables(),
        sandbox,
        ..how
    };
    load(&choice, providers::types(), run.edges).map_err(|failure| run.failure(&failure))
}

pub(super) fn prepare_sandbox(
    run: &Run<'_>,
    kind: sandbox::Kind,
) -> Result<crate::load::SandboxAccess, Failed> {
    let stack = &run.global.folder;
    if !stack.join("stack.toml").exists() {
        // The missing stack is the better error, and no folder is left behind.
        let choice = Choice { folder: stack.clone(), ..Choice::default() };
        if let Err(failure) = load(&choice, providers::types(), run.edges) {
            return Err(run.failure(&failure));
        }
    }
    let folder = sandbox::folder(stack, run.edges);
    sandbox::prepare(&folder, kind).map_err(|error| sandbox_failed(run, &error))
}

pub(super) fn sandbox_failed(run: &Run<'_>, error: &std::io::Error) -> Failed {
    let folder = sandbox::folder(&run.global.folder, run.edges);
    let problem = Diagnostic::error("The sandbox cannot start").detail(error.to_string());
    let hint = match error.kind() {
        std::io::ErrorKind::ResourceBusy => {
            "wait for that command or end it; beside a running `ipai sandbox serve` any number may run".to_owned()
        }
        _ => format!("its world lives in {}; `ipai sandbox reset` begins anew", folder.display()),
    };
    run.problem(problem.hint(hint))
}

impl Planned {
    /// Which ports can be reached from where, and what the plan changes about that.
    pub(super) fn exposure(&self, world: &World) -> Vec<(Exposed, Turn)> {
        let Proposal { desired, plan, .. } = &self.proposal;
        exposure(&world.loaded.types, &desired.resources, &self.live.resources, plan)
    }
}

impl World {
    /// Loads the stack, starts the sandbox if asked for, and gets everybody ready to look. Contacts nobody yet.
    pub(super) async fn open(run: &Run<'_>) -> Result<Self, Failed> {
        let loaded = phase("read").in_scope(|| open_stack(run))?;
        let sandbox = match run.global.sandbox {
            None => None,
            Some(kind) => {
                let starting = start_sandbox(run, kind, &loaded).instrument(phase("sandbox"));
                Some(Arc::new(starting.await?))
            }
        };
        Self::with(run, loaded, sandbox, Stop::default())
    }

    /// The stack's drill: the same resources under another marker, and without names.
    pub(super) async fn open_drill(run: &Run<'_>) -> Result<Self, Failed> {
        let mut loaded = open_as(run, Choice { drill: true, ..Choice::default() })?;
        let sandbox = match run.global.sandbox {
            None => None,
            // The world has all zones of the stack, drill or not.
            Some(kind) => Some(Arc::new(start_sandbox(run, kind, &open_stack(run)?).await?)),
        };
        backup::without_names(&mut loaded.stack, &loaded.types);
        backup::with_names_of_its_own(&mut loaded.stack, &loaded.types);
        Self::with(run, loaded, sandbox, Stop::default())
    }

    /// The same stack without its names, in the same world.
    pub(super) fn nameless(&self, run: &Run<'_>) -> Result<Self, Failed> {
        let mut loaded = open_stack(run)?;
        backup::without_names(&mut loaded.stack, &loaded.types);
        Self::with(run, loaded, self.sandbox.clone(), self.stop.clone())
    }

    fn with(
        run: &Run<'_>,
        loaded: Loaded,
        sandbox: Option<Arc<Sandbox>>,
        stop: Stop,
    ) -> Result<Self, Failed> {
        let folder = sandbox::folder(&run.global.folder, run.edges);
        let addresses = sandbox.as_ref().map(|sandbox| (&sandbox.addresses, folder.as_path()));
        let access = providers::access(&loaded, addresses, run.edges)
            .map_err(|problems| run.problems(&problems, &loaded))?;
        access.remarks().iter().for_each(|remark| run.say(&format!("warning: {remark}")));
        let observers = providers::observers(&access).map_err(|error| run.remote(&[error]))?;
        let host_lock = OnceLock::new();
        Ok(Self { loaded, access, observers, sandbox, stop, host_lock })
    }

    /// Looks and plans.
    pub(super) async fn plan(
        &self,
        run: &Run<'_>,
        options: &Options,
        progress: &Progress,
    ) -> Result<Planned, Failed> {
        self.plan_beside(run, options, progress, None).await
    }

    /// Plans as if one foreign object, by its id, were not there.
    pub(super) async fn plan_beside(
        &self,
        run: &Run<'_>,
        options: &Options,
        progress: &Progress,
        beside: Option<&str>,
    ) -> Result<Planned, Failed> {
        let events: Arc<dyn Events> = Arc::new(progress.clone());
        let looking = run.waiting(LOOKING);
        let observed = tokio::select! {
            observed = observe(&self.loaded, &self.observers, &events) => observed,
            code = self.stop.requested() => return Err(stopped(code)),
        };
        drop(looking);
        let mut live = observed.map_err(|errors| run.remote(&errors))?;
        live.resources.retain(|resource| beside != Some(resource.id.as_str()));
        live.foreign.retain(|foreign| beside != Some(foreign.id.as_str()));
        let outputs = live.outputs();
        let proposal = phase("plan").in_scope(|| {
            self.loaded.with_inputs(&outputs, |inputs| propose(inputs, &live, options))
        });
        if diagnostic::any_error(&proposal.problems) {
            return Err(run.found(&proposal.problems, &self.loaded.sources));
        }
        let faults = lint(&proposal.plan);
        if !faults.is_empty() {
            return Err(Failed::new(format!(
                "error: ipai made an unsound plan, which is a fault in ipai: {}",
                faults.join("; ")
            )));
        }
        Ok(Planned { proposal, live })
    }

    /// Looks at what one provider shows, and at nothing that it leads to.
    pub(super) async fn look_at(
        &self,
        run: &Run<'_>,
        provider: &str,
        progress: &Progress,
    ) -> Result<LiveState, Failed> {
        let observers = self.observers.iter().filter(|o| o.provider() == provider).cloned();
        let events: Arc<dyn Events> = Arc::new(progress.clone());
        let _looking = run.waiting(LOOKING);
        let observed = observe(&self.loaded, &observers.collect::<Vec<_>>(), &events).await;
        observed.map_err(|errors| run.remote(&errors))
    }

    /// Who keeps the pins of a provider's hosts.
    pub(super) fn pins(&self, provider: &str) -> Result<Option<Arc<dyn Pins>>, RemoteError> {
        providers::pins(&self.access, provider)
    }

    /// The host key that answers at an address, in hex and as OpenSSH writes it.
    pub(super) async fn shown_host_key(
        &self,
        home: &Address,
        address: &str,
    ) -> Result<(String, String), RemoteError> {
        providers::shown_host_key(&self.access, home, address).await
    }

    /// Those who can change things; only apply, destroy, adopt and forget ask for them.
    pub(super) fn executors(&self, run: &Run<'_>) -> Result<Vec<Arc<dyn Execute>>, Failed> {
        let mut executors =
            providers::executors(&self.access).map_err(|error| run.remote(&[error]))?;
        executors.push(Arc::clone(&self.loaded.vault) as Arc<dyn Execute>);
        Ok(executors)
    }

    /// How the sites are reached from here.
    pub(super) async fn reach(&self, run: &Run<'_>) -> Result<Reach, Failed> {
        match &self.sandbox {
            None => Ok(Reach::Publicly),
            Some(sandbox) => sandbox.reach().await.map_err(|error| sandbox_failed(run, &error)),
        }
    }

    /// Ends every connection and stops the sandbox, if this process runs it.
    pub(super) async fn close(self) {
        drop((self.access, self.observers));
        // The last world of this process takes it down.
        if let Some(sandbox) = self.sandbox.and_then(Arc::into_inner) {
            sandbox.stop().await;
        }
    }
}

pub(super) async fn start_sandbox(
    run: &Run<'_>,
    kind: sandbox::Kind,
    loaded: &Loaded,
) -> Result<Sandbox, Failed> {
    let folder = sandbox::folder(&run.global.folder, run.edges);
    let (desired, _) = loaded.with_inputs(&std::collections::BTreeMap::new(), compile);
    let mut zones: Vec<String> = Vec::new();
    for zone in
        desired.resources.iter().filter_map(|r| r.attributes.get("zone").and_then(Value::as_text))
    {
        if !zones.iter().any(|known| known == zone) {
            zones.push(zone.to_owned());
        }
    }
    let sandbox = Sandbox::start(&folder, kind, zones, 0, &run.verb, run.edges)
        .await
        .map_err(|error| sandbox_failed(run, &error))?;
    run.remark(&format!(
        "Sandbox: a simulated cloud on this machine, kept in {}. Nothing real is touched.",
        folder.display()
    ));
    Ok(sandbox)
}
