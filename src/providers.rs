//! The one list of providers, and what each is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use ipai_cloudflare::ZoneRecord;
use ipai_cloudflare::{
    CloudflareExecutor, CloudflareLock, CloudflareObserver, CloudflareProbe, Connection,
};
use ipai_core::called::called;
use ipai_core::checkup::Probe;
use ipai_core::lock::LockStore;
use ipai_core::release::Releases;
use ipai_core::snapshot::Snapshots;
use ipai_core::{
    Address, Diagnostic, Execute, Observe, Outputs, Pins, RemoteError, Secret, StackId, Types,
};
use ipai_digitalocean::{
    Birth, DigitalOceanExecutor, DigitalOceanObserver, DigitalOceanProbe, DigitalOceanSnapshots,
};
use ipai_host::host_key::KeyPair;
pub use ipai_host::session::{Output as HostOutput, quote};
use ipai_host::ssh::{Fingerprint, Identity};
use ipai_host::ssh_config::SshConfig;
pub use ipai_host::{
    BackupTalk, ComposeProject, ComposeService, Heard, LogChoice, NO_CURL, NO_PROGRAM, OpenSsh,
    Piece, Seen, Standing, Stream, Upkeep, backup_command, projects,
};
use ipai_host::{
    Connections, HostExecutor, HostKeyRenewal, HostLock, HostObserver, HostProbe, HostReleases,
};

use crate::edges::Edges;
use crate::load::Loaded;
use crate::sandbox::{Addresses, CLIENT_KEY};

/// How often to look at what is waited for in the sandbox, where nothing takes long.
const SANDBOX_POLL: Duration = Duration::from_millis(20);

/// Every resource type, in the order in which objects are created.
#[must_use]
pub fn types() -> Types {
    let mut all = ipai_digitalocean::types();
    all.extend(ipai_cloudflare::types());
    all.extend(ipai_host::types());
    Types::new(all)
}

/// What it takes to reach everybody.
pub struct Access {
    digitalocean: Option<ipai_digitalocean::Settings>,
    cloudflare: Option<Connection>,
    hosts: Arc<Connections>,
    remarks: Vec<String>,
}

impl Access {
    /// What of the user's own settings could not be followed.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Ends the sessions to the hosts.
    pub async fn close(&self) {
        self.hosts.close(Duration::from_secs(1)).await;
    }
}

/// Gathers tokens, addresses and keys. A token is missed only when the stack has resources that need it.
///
/// # Errors
/// Every missing or impossible setting.
pub fn access(
    loaded: &Loaded,
    sandbox: Option<(&Addresses, &Path)>,
    edges: &Edges,
) -> Result<Access, Vec<Diagnostic>> {
    let (access, problems) = gather(loaded, sandbox, edges);
    if problems.is_empty() { Ok(access) } else { Err(problems) }
}

/// Gathers what is there, and says what is missing.
#[must_use]
pub fn gather(
    loaded: &Loaded,
    sandbox: Option<(&Addresses, &Path)>,
    edges: &Edges,
) -> (Access, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let digitalocean = digitalocean(loaded, sandbox, edges, &mut problems);
    let needed = uses(loaded, "cloudflare").then_some(IN_THE_STACK);
    let addresses = sandbox.map(|(addresses, _)| addresses);
    let cloudflare = cloudflare(addresses, needed, edges, &mut problems);
    let hosts = hosts(loaded, sandbox, edges, &mut problems);
    let remarks = hosts.config.remarks().to_vec();
    let hosts = Connections::new(hosts);
    (Access { digitalocean, cloudflare, hosts, remarks }, problems)
}

/// What ipai would log in on hosts with.
#[derive(Debug, Default)]
pub struct Login {
    /// Sockets of agents.
    pub agents: Vec<PathBuf>,
    /// Private key files.
    pub files: Vec<PathBuf>,
}

/// Lists what hosts would be offered, in no order that matters.
#[must_use]
pub fn login(access: &Access) -> Login {
    let mut login = Login::default();
    for identity in access.hosts.identities() {
        match identity {
            Identity::Agent(socket) => login.agents.push(socket.clone()),
            Identity::File(path) => login.files.push(path.clone()),
            Identity::AgentKeys { .. } | Identity::Key { .. } => {}
        }
    }
    login
}

/// Those who look whether everybody can be used.
///
/// # Errors
/// As [`observers`].
pub fn probes(access: &Access) -> Result<Vec<Arc<dyn Probe>>, RemoteError> {
    let mut probes: Vec<Arc<dyn Probe>> = Vec::new();
    if let Some(settings) = &access.digitalocean {
        probes.push(Arc::new(DigitalOceanProbe::new(settings)?));
    }
    if let Some(connection) = &access.cloudflare {
        probes.push(Arc::new(CloudflareProbe::new(connection)));
    }
    probes.push(Arc::new(HostProbe::new(Arc::clone(&access.hosts))));
    Ok(probes)
}

fn uses(loaded: &Loaded, provider: &str) -> bool {
    loaded.stack.resources.iter().any(|declared| declared.address.provider == provider)
}

/// Why a token is needed, most often.
const IN_THE_STACK: &str = "The stack wants resources there";

/// Takes a token from the first of these variables; `needed` says why its absence is a problem, if it is.
fn token(
    vendor: &str,
    needed: Option<&str>,
    names: &[&str],
    advice: &str,
    edges: &Edges,
    problems: &mut Vec<Diagnostic>,
) -> Option<Secret> {
    let found = names.iter().find_map(|name| edges.variable(name));
    if let Some(why) = needed.filter(|_| found.is_none()) {
        let detail = format!("{why}, and {} is not set.", names.join(" or "));
        let here = called("--sandbox plan");
        let hint = format!("{advice}\nto try without an account, on this machine: {here}");
        problems
            .push(Diagnostic::error(format!("No token for {vendor}")).detail(detail).hint(hint));
    }
    found.map(|text| Secret::new(text.trim().to_owned()))
}

fn digitalocean(
    loaded: &Loaded,
    sandbox: Option<(&Addresses, &Path)>,
    edges: &Edges,
    problems: &mut Vec<Diagnostic>,
) -> Option<ipai_digitalocean::Settings> {
    if let Some((addresses, _)) = sandbox {
        let mut settings = ipai_digitalocean::Settings::new(Secret::new("sandbox".into()));
        settings.base_url.clone_from(&addresses.digitalocean_url);
        settings.poll = SANDBOX_POLL;
        return Some(settings);
    }
    let names = ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"];
    let advice = "export DIGITALOCEAN_TOKEN=…; make one at https://cloud.digitalocean.com/account/api/tokens with read access to droplets, firewalls, tags and what else the stack has for plan, and full access to them for apply";
    let mut settings = ipai_digitalocean::Settings::new(token(
        "DigitalOcean",
        uses(loaded, "digitalocean").then_some(IN_THE_STACK),
        &names,
        advice,
        edges,
        problems,
    )?);
    if let Some(url) = edges.variable("DIGITALOCEAN_API_URL") {
        settings.base_url = url;
    }
    settings.witness = edges.witness.clone();
    if let Some(longest) = milliseconds(edges, "IPAI_REQUEST_MS") {
        settings.limits.request = longest;
    }
    Some(match poll(edges) {
        Some(poll) => settings.polling(poll),
        None => settings,
    })
}

/// `IPAI_POLL_MS`: how often to look at what is waited for, for clouds that are quicker than the real ones.
fn poll(edges: &Edges) -> Option<Duration> {
    milliseconds(edges, "IPAI_POLL_MS")
}

/// `IPAI_REQUEST_MS`, beside it: how long a request may take, for tests that wait for an answer in vain.
fn milliseconds(edges: &Edges, name: &str) -> Option<Duration> {
    edges.variable(name)?.parse().ok().map(Duration::from_millis)
}

fn cloudflare(
    sandbox: Option<&Addresses>,
    needed: Option<&str>,
    edges: &Edges,
    problems: &mut Vec<Diagnostic>,
) -> Option<Connection> {
    let settings = match sandbox {
        Some(addresses) => {
            let mut settings = ipai_cloudflare::Settings::new(Secret::new("sandbox".into()));
            settings.base_url.clone_from(&addresses.cloudflare_url);
            settings
        }
        None => {
            let advice = "export CLOUDFLARE_API_TOKEN=…; make one at https://dash.cloudflare.com/profile/api-tokens with Zone:Read and DNS:Edit on the zone (DNS:Read is enough for plan)";
            let token =
                token("Cloudflare", needed, &["CLOUDFLARE_API_TOKEN"], advice, edges, problems)?;
            let mut settings = ipai_cloudflare::Settings::new(token);
            if let Some(url) = edges.variable("CLOUDFLARE_BASE_URL") {
                settings.base_url = url;
            }
            if let Some(poll) = poll(edges) {
                settings.limits.pause = settings.limits.pause.min(poll);
            }
            if let Some(longest) = milliseconds(edges, "IPAI_REQUEST_MS") {
                settings.limits.request = longest;
            }
            settings.witness = edges.witness.clone();
            settings
        }
    };
    match Connection::open(&settings) {
        Ok(connection) => Some(connection),
        Err(error) => {
            let mut problem =
                Diagnostic::error("Cloudflare cannot be used").detail(error.to_string());
            problem.hint = error.hint;
            problems.push(problem);
            None
        }
    }
}

fn hosts(
    loaded: &Loaded,
    sandbox: Option<(&Addresses, &Path)>,
    edges: &Edges,
    problems: &mut Vec<Diagnostic>,
) -> ipai_host::Settings {
    let identities = match sandbox {
        Some((_, folder)) => Identity::agent_then_files(None, vec![folder.join(CLIENT_KEY)]),
        None => named_identities(loaded, edges),
    };
    let mut settings =
        ipai_host::Settings::new(&loaded.stack.ssh.user, identities, loaded.vault.known().key);
    if sandbox.is_none() {
        follow_openssh(&mut settings, edges);
    }
    settings.port = loaded.stack.ssh.port;
    if let Some((addresses, _)) = sandbox {
        settings.port = addresses.ssh_port;
        settings.poll = SANDBOX_POLL;
    } else if let Some(text) = edges.variable("IPAI_SSH_PORT") {
        match text.parse() {
            Ok(port) => settings.port = port,
            Err(_) => problems
                .push(Diagnostic::error("IPAI_SSH_PORT is not a port").detail(format!("`{text}`"))),
        }
    }
    if let Some(poll) = poll(edges) {
        settings.poll = poll;
    }
    settings.witness = edges.witness.clone();
    settings
}

/// The agent first, then the key that the environment or the stack names.
fn named_identities(loaded: &Loaded, edges: &Edges) -> Vec<Identity> {
    let home = edges.home();
    let expand = |text: &str| match (text.strip_prefix("~/"), &home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    };
    let named = loaded.stack.ssh.identity_file.iter().map(|file| expand(file));
    let files =
        edges.variable("IPAI_SSH_IDENTITY").iter().map(|file| expand(file)).chain(named).collect();
    Identity::agent_then_files(edges.variable("SSH_AUTH_SOCK").map(PathBuf::from), files)
}

/// What the user has told OpenSSH: `~/.ssh/config`, the hosts that it knows, the usual keys.
fn follow_openssh(settings: &mut ipai_host::Settings, edges: &Edges) {
    settings.local_user = edges.variable("USER").or_else(|| edges.variable("LOGNAME"));
    settings.passphrase = crate::passphrase::asking(edges);
    let Some(home) = edges.home() else { return };
    let folder = home.join(".ssh");
    // A file that is not there says nothing; one that cannot be read is OpenSSH's to complain about.
    let text = std::fs::read_to_string(folder.join("config")).unwrap_or_default();
    settings.config = SshConfig::read("~/.ssh/config", &text, &home);
    settings.known_hosts = ["known_hosts", "known_hosts2"].map(|name| folder.join(name)).into();
    let usual = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| folder.join(name));
    let usual = usual.into_iter().filter(|path| path.exists());
    settings.usual_identities = usual.map(Identity::File).collect();
}

/// Those who look.
///
/// # Errors
/// A setting that cannot be used, such as an unencrypted address.
pub fn observers(access: &Access) -> Result<Vec<Arc<dyn Observe>>, RemoteError> {
    let mut observers: Vec<Arc<dyn Observe>> = Vec::new();
    if let Some(settings) = &access.digitalocean {
        observers.push(Arc::new(DigitalOceanObserver::new(settings)?));
    }
    if let Some(connection) = &access.cloudflare {
        observers.push(Arc::new(CloudflareObserver::new(connection)));
    }
    observers.push(Arc::new(HostObserver::new(Arc::clone(&access.hosts))));
    Ok(observers)
}

/// Those who change things.
///
/// # Errors
/// As [`observers`].
pub fn executors(access: &Access) -> Result<Vec<Arc<dyn Execute>>, RemoteError> {
    let mut executors: Vec<Arc<dyn Execute>> = Vec::new();
    let mut hosts = HostExecutor::new(Arc::clone(&access.hosts));
    if let Some(droplets) = droplets(access)? {
        hosts = hosts.with_pins(Arc::clone(&droplets) as Arc<dyn Pins>);
        executors.push(droplets);
    }
    if let Some(connection) = &access.cloudflare {
        executors.push(Arc::new(CloudflareExecutor::new(connection)));
    }
    executors.push(Arc::new(hosts));
    Ok(executors)
}

/// Droplets and their hosts need each other for a key's change, and neither provider knows the other.
fn droplets(access: &Access) -> Result<Option<Arc<DigitalOceanExecutor>>, RemoteError> {
    let Some(settings) = &access.digitalocean else { return Ok(None) };
    let host_keys = HostKeyRenewal::new(Arc::clone(&access.hosts));
    let droplets = DigitalOceanExecutor::new(settings, Arc::new(birth))?;
    Ok(Some(Arc::new(droplets.with_host_keys(Arc::new(host_keys)))))
}

/// Those who know snapshots.
///
/// # Errors
/// As [`observers`].
pub fn snapshots(access: &Access) -> Result<Vec<Arc<dyn Snapshots>>, RemoteError> {
    let Some(settings) = &access.digitalocean else { return Ok(Vec::new()) };
    let executor = DigitalOceanExecutor::new(settings, Arc::new(birth))?;
    Ok(vec![Arc::new(DigitalOceanSnapshots::new(executor))])
}

/// Who keeps the pins of this provider's homes, if anybody does.
///
/// # Errors
/// As [`observers`].
pub fn pins(access: &Access, provider: &str) -> Result<Option<Arc<dyn Pins>>, RemoteError> {
    match provider {
        "digitalocean" => Ok(droplets(access)?.map(|droplets| droplets as Arc<dyn Pins>)),
        _ => Ok(None),
    }
}

/// Reads a host key's fingerprint, `SHA256:…` or hex; gives it in hex.
///
/// # Errors
/// Why it is none.
pub fn host_key(text: &str) -> Result<String, String> {
    text.parse::<Fingerprint>().map(Fingerprint::to_hex).map_err(|error| error.to_string())
}

/// The key that whoever answers at a home's address shows, in hex and as OpenSSH writes it; nobody is trusted by it.
///
/// # Errors
/// Nobody answers there.
pub async fn shown_host_key(
    access: &Access,
    home: &Address,
    address: &str,
) -> Result<(String, String), RemoteError> {
    let shown = access.hosts.shown_host_key(home, address).await?;
    Ok((shown.to_hex(), shown.to_string()))
}

/// Lists the records of a zone, whether any stack speaks of it or not.
///
/// # Errors
/// What is missing to ask, or what went wrong there.
pub async fn zone_records(
    sandbox: Option<&Addresses>,
    zone: &str,
    edges: &Edges,
) -> Result<Result<Vec<ZoneRecord>, RemoteError>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    match cloudflare(sandbox, Some("The zone's records are there"), edges, &mut problems) {
        Some(connection) => Ok(ipai_cloudflare::zone_records(&connection, zone).await),
        None => Err(problems),
    }
}

/// The lock of a stack in one of its zones; absent when Cloudflare cannot be asked.
#[must_use]
pub fn zone_lock(access: &Access, stack: &StackId, zone: &str) -> Option<Arc<dyn LockStore>> {
    let connection = access.cloudflare.as_ref()?;
    Some(Arc::new(CloudflareLock::new(connection, stack, zone)))
}

/// The lock of a stack on the host with these outputs.
#[must_use]
pub fn host_lock(access: &Access, stack: &StackId, home: &Address, outputs: &Outputs) -> HostLock {
    HostLock::new(&access.hosts, stack, home, outputs)
}

/// The releases of the host with these outputs.
#[must_use]
pub fn releases(
    access: &Access,
    stack: &StackId,
    home: &Address,
    outputs: &Outputs,
) -> Arc<dyn Releases> {
    Arc::new(HostReleases::new(&access.hosts, stack, home, outputs))
}

/// Makes the key by which a droplet will prove itself at the very first contact.
fn birth() -> Result<Birth, String> {
    let mut seed = [0; 32];
    Edges::random(&mut seed).map_err(|error| format!("no randomness: {error}"))?;
    let pair = KeyPair::from_seed(&seed, "ipai").map_err(|error| error.to_string())?;
    Ok(Birth {
        private_key: Secret::new(pair.expose_private().to_owned()),
        public_key: pair.public().to_owned(),
        fingerprint_hex: pair.fingerprint().to_hex(),
    })
}

/// Starts a command on the host with these outputs and gives its ends.
///
/// # Errors
/// As [`Connections::stream`].
pub async fn stream(
    access: &Access,
    home: &Address,
    outputs: &Outputs,
    command: &str,
    attempted: &str,
) -> Result<Stream, RemoteError> {
    access.hosts.stream(home, outputs, command, attempted).await
}

/// What the system's `ssh` must know of the host with these outputs.
///
/// # Errors
/// As [`Connections::openssh`].
pub async fn openssh(
    access: &Access,
    home: &Address,
    outputs: &Outputs,
    known_hosts: &Path,
) -> Result<OpenSsh, RemoteError> {
    access.hosts.openssh(home, outputs, known_hosts).await
}

/// One who looks at a project's services again and again.
///
/// # Errors
/// As [`Upkeep::new`].
pub fn upkeep<'a>(
    access: &'a Access,
    project: &'a ComposeProject,
    outputs: &Outputs,
) -> Result<Upkeep<'a>, RemoteError> {
    Upkeep::new(&access.hosts, project, outputs)
}

/// Runs the curl of the host with these outputs.
///
/// # Errors
/// As [`Connections::curl`].
pub async fn curl(
    access: &Access,
    home: &Address,
    outputs: &Outputs,
    config: Vec<u8>,
    authorities: &str,
) -> Result<HostOutput, RemoteError> {
    access.hosts.curl(home, outputs, config, authorities).await
}

/// Runs a command in a service's container and waits for its end.
///
/// # Errors
/// As [`Connections::ask_in`].
pub async fn ask_in(
    access: &Access,
    project: &ComposeProject,
    service: &str,
    outputs: &Outputs,
    words: &[String],
    input: Vec<u8>,
) -> Result<HostOutput, RemoteError> {
    access.hosts.ask_in(project, service, outputs, words, input).await
}

/// Runs a command in a service's container that may take minutes.
///
/// # Errors
/// As [`Connections::prove_in`].
pub async fn prove_in(
    access: &Access,
    project: &ComposeProject,
    service: &str,
    outputs: &Outputs,
    words: &[String],
) -> Result<HostOutput, RemoteError> {
    access.hosts.prove_in(project, service, outputs, words).await
}

/// Reads a file on the host with these outputs.
///
/// # Errors
/// As [`Connections::read_file`].
pub async fn read_file(
    access: &Access,
    home: &Address,
    outputs: &Outputs,
    path: &str,
) -> Result<HostOutput, RemoteError> {
    access.hosts.read_file(home, outputs, path).await
}

/// Lets the images of these services change without a backup before.
pub fn waive_backups(access: &Access, services: &[String]) {
    access.hosts.waive_backups(services);
}

/// Runs shell text on the host with these outputs.
///
/// # Errors
/// As [`Connections::ask_shell`].
pub async fn ask_shell(
    access: &Access,
    home: &Address,
    outputs: &Outputs,
    text: &str,
) -> Result<HostOutput, RemoteError> {
    access.hosts.ask_shell(home, outputs, text).await
}

/// Asks the program that keeps backups on the host with these outputs.
///
/// # Errors
/// As [`Connections::ask_backup`].
pub async fn ask_backup(
    access: &Access,
    home: &Address,
    outputs: &Outputs,
    path: &str,
    words: &[&str],
) -> Result<HostOutput, RemoteError> {
    access.hosts.ask_backup(home, outputs, path, words).await
}
