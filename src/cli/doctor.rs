//! `ipai doctor`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ipai_core::called::called;
use ipai_core::checkup::{Finding, Grade, Probe};
use ipai_core::desired::compile;
use ipai_core::{Address, Diagnostic, Events, Outputs, Scope, Severity};
use serde_json::json;

use super::progress::Progress;
use super::world::{prepare_sandbox, start_sandbox};
use super::{Failed, Outcome, Run, exit};
use crate::load::{Choice, Loaded, Texts, open_vault, read};
use crate::observe::observe;
use crate::providers::{self, Access};
use crate::sandbox;

/// Look whether everything is there that plan and apply need; reads and changes nothing.
///
/// Tokens and what they may do, limits, zones, keys, the age identity, clocks, the hosts' disks. Each line with what
/// to do about it. Exits with 1 when something will not work.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ipai -C stacks/ops doctor\n  ipai doctor --json")]
pub(super) struct Arguments {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let sandbox = match run.global.sandbox {
        None => None,
        Some(kind) => Some(prepare_sandbox(run, kind)?),
    };
    let choice = Choice {
        folder: run.global.folder.clone(),
        environment: run.global.environment.clone(),
        variables: run.variables(),
        sandbox,
        ..Choice::default()
    };
    let texts = read(&choice, &providers::types()).map_err(|failure| run.failure(&failure))?;
    let mut secrets = Vec::new();
    let vault = open_vault(&texts.stack, &choice, run.edges, &mut secrets);
    let Texts { stack, files, authorized_keys, images, problems, sources } = texts;
    let loaded = Loaded {
        stack,
        types: providers::types(),
        files,
        vault: vault.into(),
        variables: choice.variables.clone(),
        authorized_keys,
        images,
        warnings: Vec::new(),
        sandbox: choice.sandbox.is_some(),
        sources,
    };
    let mut found = vec![of_stack(&loaded, &problems), of_secrets(&loaded, &secrets)];
    found.extend(of_world(run, &loaded).await?);
    tell(run, &found, arguments.json);
    let worst = found.iter().map(|finding| finding.grade).max();
    Ok(if worst == Some(Grade::Fail) { exit::ERROR } else { exit::OK })
}

fn of_stack(loaded: &Loaded, problems: &[Diagnostic]) -> Finding {
    let (_, mut all) = loaded.with_inputs(&BTreeMap::new(), compile);
    all.extend(problems.iter().cloned());
    all.retain(|problem| problem.severity == Severity::Error);
    match all.first() {
        None => {
            let count = loaded.stack.resources.len();
            Finding::ok("stack", format!("`{}` declares {count} resources", loaded.stack.id))
        }
        Some(first) => Finding::fail("stack", told(first, all.len()), called("validate")),
    }
}

fn of_secrets(loaded: &Loaded, problems: &[Diagnostic]) -> Finding {
    let fix = |problem: &Diagnostic| problem.hint.clone().unwrap_or_else(|| called("secrets list"));
    if let Some(first) = problems.first() {
        return Finding::fail("secrets", told(first, problems.len()), fix(first));
    }
    let known = loaded.vault.known().secrets;
    let unmade = known.values().filter(|value| value.is_none()).count();
    match (known.len(), unmade, loaded.vault.can_make()) {
        (1, 0, _) => Finding::ok("secrets", "the one that there is opens"),
        (all, 0, _) => Finding::ok("secrets", format!("all {all} are there and open")),
        (all, unmade, true) => {
            Finding::ok("secrets", format!("{all}, of which the next apply will make {unmade}"))
        }
        (_, unmade, false) => Finding::fail(
            "secrets",
            format!("still to be made: {unmade}; there is no file to keep them in"),
            "ipai secrets init",
        ),
    }
}

/// A problem in one line; how many more there are.
fn told(problem: &Diagnostic, count: usize) -> String {
    let detail = problem.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    format!("{}{detail}{more}", problem.summary)
}

/// Asks the sandbox's world, or the real one.
async fn of_world(run: &Run<'_>, loaded: &Loaded) -> Result<Vec<Finding>, Failed> {
    let sandbox = match run.global.sandbox {
        None => None,
        Some(kind) => Some(start_sandbox(run, kind, loaded).await?),
    };
    let folder = sandbox::folder(&run.global.folder, run.edges);
    let addresses = sandbox.as_ref().map(|sandbox| (&sandbox.addresses, folder.as_path()));
    let (access, problems) = providers::gather(loaded, addresses, run.edges);
    let mut found: Vec<Finding> = problems.iter().map(of_problem).collect();
    if sandbox.is_none() {
        found.extend(login(&access));
    }
    found.extend(ask(run, loaded, &access).await);
    access.close().await;
    if let Some(sandbox) = sandbox {
        sandbox.stop().await;
    }
    Ok(found)
}

fn of_problem(problem: &Diagnostic) -> Finding {
    let fix = problem.hint.clone().unwrap_or_default();
    Finding::fail(problem.summary.clone(), problem.detail.clone().unwrap_or_default(), fix)
}

/// What ipai would log in on hosts with.
fn login(access: &Access) -> Vec<Finding> {
    let mut found = Vec::new();
    let keys = providers::login(access);
    for socket in &keys.agents {
        found.push(match std::os::unix::net::UnixStream::connect(socket) {
            Ok(_) => Finding::ok("SSH agent", format!("listens on {}", socket.display())),
            Err(error) => Finding::warn(
                "SSH agent",
                format!("{}: {error}", socket.display()),
                "start one (eval \"$(ssh-agent)\"), or unset SSH_AUTH_SOCK",
            ),
        });
    }
    for file in &keys.files {
        found.push(key_file(file));
    }
    if found.is_empty() {
        let says = "there is no agent and no key file, so nobody can log in on a host";
        found.push(Finding::fail(
            "SSH key",
            says,
            "ssh-keygen -t ed25519, then add its public half to authorized_keys",
        ));
    }
    found
}

fn key_file(path: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => Finding::fail(
            "SSH key",
            format!("{shown}: {error}"),
            "name another in IPAI_SSH_IDENTITY",
        ),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => Finding::warn(
            "SSH key",
            format!("{shown} can be read by others"),
            format!("chmod 600 {shown}"),
        ),
        Ok(_) => Finding::ok("SSH key", shown.to_string()),
    }
}

async fn ask(run: &Run<'_>, loaded: &Loaded, access: &Access) -> Vec<Finding> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let (observers, probes) = match (providers::observers(access), providers::probes(access)) {
        (Ok(observers), Ok(probes)) => (observers, probes),
        (Err(error), _) | (_, Err(error)) => return vec![Finding::of_error("settings", &error)],
    };
    // Where the hosts are is all that is asked of the observers; what fails here, a probe will tell.
    let clouds: Vec<_> =
        observers.into_iter().filter(|observer| observer.lives_in().is_empty()).collect();
    let events: Arc<dyn Events> = Arc::new(Progress::new(run, false));
    let homes =
        observe(loaded, &clouds, &events).await.map(|live| live.outputs()).unwrap_or_default();
    let mut found = Vec::new();
    for probe in &probes {
        found.extend(probe.probe(&scope(loaded, probe.as_ref(), &homes), now).await);
    }
    found
}

fn scope(loaded: &Loaded, probe: &dyn Probe, outputs: &BTreeMap<Address, Outputs>) -> Scope {
    let (desired, _) = loaded.with_inputs(outputs, compile);
    let mine = desired.resources.into_iter().filter(|r| r.address.provider == probe.provider());
    let mine: Vec<_> = mine.collect();
    let wanted_homes: Vec<Address> = mine.iter().filter_map(|r| r.home.clone()).collect();
    let needed =
        |address: &&Address| address.provider == probe.provider() || wanted_homes.contains(address);
    let homes =
        outputs.keys().filter(needed).filter_map(|a| Some((a.clone(), outputs.get(a)?.clone())));
    Scope { stack: loaded.stack.id.clone(), homes: homes.collect(), desired: mine, wanted_homes }
}

fn tell(run: &Run<'_>, found: &[Finding], as_json: bool) {
    if as_json {
        let one = |finding: &Finding| json!({"about": finding.about, "grade": finding.grade.as_str().to_lowercase(), "says": finding.says, "fix": finding.fix});
        let healthy = found.iter().all(|finding| finding.grade != Grade::Fail);
        let document = json!({
            "format_version": "1.0",
            "healthy": healthy,
            "findings": found.iter().map(one).collect::<Vec<_>>(),
        });
        run.print(&format!("{document}\n"));
        return;
    }
    let width = found.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
    for Finding { about, grade, says, fix } in found {
        let says = crate::report::one_line(says);
        let columns = format!("{:4}  {about:width$}  ", grade.as_str());
        run.print(&run.output.row(&columns, &says));
        if let (Some(fix), true) = (fix, *grade != Grade::Ok) {
            run.print(&run.output.row(&format!("      {:width$}  ", ""), &format!("fix: {fix}")));
        }
    }
}
