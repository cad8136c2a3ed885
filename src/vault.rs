//! The stack's secrets during one run: where each comes from, its value once known, and the key for digests.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipai_core::called::called;
use ipai_core::stack::{SecretDeclaration, SecretSource};
use ipai_core::{
    Address, BoxFuture, Diagnostic, DigestKey, Events, Execute, Fault, Job, JobResult, Outputs,
    RemoteError, Secret, Verb, Witness, hash,
};

use zeroize::Zeroizing;

use crate::edges::Edges;
use crate::printed::{self, Bounds, NotPrinted};
use crate::secrets::{self, Environment, Identities, SecretsError, Store, Ways};

/// The name of a stack's secret file.
pub const FILE: &str = "secrets.toml";

/// The summary of what is wrong with a secret file that cannot be used, other than a secret that is not in it.
pub const UNREADABLE: &str = "Secrets cannot be read";

/// Variables that hold a secret of the operator's rather than the stack's.
const TOKENS: [&str; 4] =
    ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "CLOUDFLARE_API_TOKEN", "SOPS_AGE_KEY"];

/// No secret is larger, in bytes; a file that never ends is not read to its end.
const LARGEST: u64 = 1 << 20;

/// Shorter values are words that stand everywhere; taking them out would only point at them.
const SHORTEST_REDACTED: usize = 6;

/// Secrets of one stack, shared by whoever renders and whoever makes them.
pub struct Vault {
    declared: BTreeMap<String, SecretDeclaration>,
    path: PathBuf,
    /// The sandbox's own age identity file; made when first needed.
    own_identity: Option<PathBuf>,
    variables: BTreeMap<OsString, OsString>,
    witness: Witness,
    state: Mutex<Known>,
}

/// What is known at one moment.
#[derive(Clone)]
pub struct Known {
    /// Values by name; absent ones are still to be made.
    pub secrets: BTreeMap<String, Option<Secret>>,
    /// Keys digests of secrets.
    pub key: DigestKey,
}

impl Vault {
    /// A vault of these secrets, none of which is read yet.
    #[must_use]
    pub fn new(
        declared: &BTreeMap<String, SecretDeclaration>,
        store: PathBuf,
        own_identity: Option<PathBuf>,
        edges: &Edges,
    ) -> Self {
        Self {
            declared: declared.clone(),
            path: store,
            own_identity,
            variables: edges.variables.clone(),
            witness: edges.witness.clone(),
            state: Mutex::new(Known { secrets: BTreeMap::new(), key: DigestKey::new(Vec::new()) }),
        }
    }

    /// The file that keeps what is generated and stored.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same with every value read; `folder` is the stack's. What is wrong is collected. Where no digest is shown,
    /// their key is one that nobody needs to know again.
    #[must_use]
    pub fn opened(
        mut self,
        folder: &Path,
        shows_no_digest: bool,
        edges: &Edges,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let (secrets, key) = self.read(folder, edges, problems);
        let key = key.unwrap_or_else(|| match shows_no_digest {
            true => passing_key(),
            false => derived_key(&secrets),
        });
        self.state = Mutex::new(Known { secrets, key });
        self
    }

    /// What is known now.
    #[must_use]
    pub fn known(&self) -> Known {
        self.lock().clone()
    }

    /// Takes the values of all secrets, and of the tokens that ipai itself was given, out of a text, such as the last
    /// log lines of a container that failed.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let known = self.known();
        let tokens =
            TOKENS.iter().filter_map(|name| self.variables.get(&OsString::from(name))?.to_str());
        let values =
            known.secrets.values().flatten().map(Secret::expose).chain(tokens.map(str::trim));
        let mut telling: Vec<&str> =
            values.filter(|value| value.len() >= SHORTEST_REDACTED).collect();
        // The longest first: one secret may be a part of another.
        telling.sort_by_key(|value| std::cmp::Reverse(value.len()));
        telling
            .into_iter()
            .fold(text.to_owned(), |text, value| text.replace(value, "(sensitive value)"))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secrets, and the key that the store keeps for digests of them.
    fn read(
        &self,
        folder: &Path,
        edges: &Edges,
        problems: &mut Vec<Diagnostic>,
    ) -> (BTreeMap<String, Option<Secret>>, Option<DigestKey>) {
        let mut secrets = BTreeMap::new();
        for (name, declaration) in &self.declared {
            let value = match &declaration.source {
                SecretSource::Environment(variable) => {
                    from_environment(variable, declaration, edges)
                }
                SecretSource::File(path) => from_file(&folder.join(path), declaration),
                SecretSource::Command(argv) => from_command(argv, folder, declaration),
                SecretSource::Generate(_) | SecretSource::Store => continue,
            };
            match value {
                Ok(secret) => drop(secrets.insert(name.clone(), Some(secret))),
                Err(mut problem) => {
                    problem.detail =
                        problem.detail.map(|detail| format!("`secret.{name}`: {detail}"));
                    problems.push(problem.at(&declaration.span));
                    secrets.insert(name.clone(), Some(Secret::default()));
                }
            }
        }
        let before = problems.len();
        let stored = self.read_store(problems);
        // A file that does not open is one error; what it holds is not missing.
        let closed = problems.len() > before;
        let key = stored.as_ref().and_then(|stored| stored.1.clone());
        let mut stored = stored.map(|stored| stored.0).unwrap_or_default();
        for (name, declaration) in &self.declared {
            match (&declaration.source, stored.remove(name)) {
                (SecretSource::Generate(_), value) => drop(secrets.insert(name.clone(), value)),
                (SecretSource::Store, Some(value)) => {
                    drop(secrets.insert(name.clone(), Some(value)))
                }
                (SecretSource::Store, None) => {
                    if !closed {
                        problems.push(missing_in_store(name, &self.path).at(&declaration.span));
                    }
                    secrets.insert(name.clone(), Some(Secret::default()));
                }
                _ => {}
            }
        }
        (secrets, key)
    }

    /// The stored secrets and the key for digests, when the store has something that the stack uses.
    fn read_store(
        &self,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<(BTreeMap<String, Secret>, Option<DigestKey>)> {
        let store = match Store::load(&self.path) {
            Ok(store) => store,
            Err(error) => {
                problems.push(explain(&error));
                return None;
            }
        };
        if store.recipients().next().is_none() && store.names().next().is_none() {
            return None;
        }
        let identities = match self.identities() {
            Ok(identities) => identities,
            Err(error) => {
                problems.push(explain(&error));
                return None;
            }
        };
        match (store.decrypt_all(&identities), store.fingerprint_key(&identities)) {
            (Ok(secrets), Ok(key)) => Some((secrets, key)),
            (Err(errors), _) => {
                problems.extend(errors.iter().map(explain));
                None
            }
            (_, Err(error)) => {
                problems.push(explain(&error));
                None
            }
        }
    }

    fn identities(&self) -> Result<Identities, SecretsError> {
        if let Some(path) = &self.own_identity {
            let text = std::fs::read_to_string(path)
                .map_err(|source| SecretsError::Read { path: path.clone(), source })?;
            return Identities::from_text(&text, &path.display().to_string());
        }
        let variable = |name: &str| self.variables.get(&OsString::from(name)).cloned();
        Identities::discover(&Environment::new(&variable))
    }

    /// Tells whether new secrets can be kept: there are recipients, or a sandbox that makes its own.
    #[must_use]
    pub fn can_make(&self) -> bool {
        let listed = Store::load(&self.path).is_ok_and(|store| store.recipients().next().is_some());
        listed || self.own_identity.is_some()
    }

    /// How the stack's generated secrets are made.
    #[must_use]
    pub fn ways(&self) -> Ways {
        let generated = self.declared.iter().filter_map(|(name, declaration)| {
            let SecretSource::Generate(how) = &declaration.source else { return None };
            Some((name.clone(), how.clone()))
        });
        generated.collect()
    }

    /// Makes the named secrets, whether they exist or not, stores the given ones, and makes anew whatever is made from
    /// any of them; all at once or not at all. Gives the names of those that came along.
    ///
    /// # Errors
    /// When one cannot be made, or the store cannot be written; it is as it was then.
    pub fn renew(
        &self,
        names: &BTreeSet<String>,
        given: &BTreeMap<String, Secret>,
    ) -> Result<BTreeSet<String>, SecretsError> {
        let mut store = self.store_to_write()?;
        let mut known = self.known();
        for (name, secret) in given {
            store.set(name, secret, None, &mut { entropy })?;
            known.secrets.insert(name.clone(), Some(secret.clone()));
        }
        let ways = self.ways();
        let mut all: BTreeSet<String> = names.iter().chain(given.keys()).cloned().collect();
        let dependants = secrets::dependants(&ways, &all);
        all.extend(dependants.iter().cloned());
        all.retain(|name| !given.contains_key(name));
        secrets::make(&mut store, &ways, &all, &mut known.secrets, &mut { entropy })?;
        store.save()?;
        if let Some(key) = store.fingerprint_key(&self.identities()?)? {
            known.key = key;
        }
        *self.lock() = known;
        Ok(dependants)
    }

    /// Why nothing could be stored, if so: better said before anything is made than after. `init` is the command that
    /// makes a file to store in.
    #[must_use]
    pub fn cannot_store(&self, init: &str) -> Option<Diagnostic> {
        let store = match Store::load(&self.path) {
            Ok(store) => store,
            Err(error) => return Some(explain(&error)),
        };
        if self.own_identity.is_some() || store.recipients().next().is_some() {
            return None;
        }
        let problem = Diagnostic::error("Nobody could read the stack's secrets")
            .detail(format!(
                "The stack has secrets to generate, and {} names nobody to encrypt them to.",
                self.path.display()
            ))
            .hint(init);
        Some(problem)
    }

    fn store_to_write(&self) -> Result<Store, SecretsError> {
        let store = Store::load(&self.path)?;
        if store.recipients().next().is_some() {
            return Ok(store);
        }
        let Some(identity) = &self.own_identity else {
            return Err(SecretsError::NoRecipients { path: self.path.clone() });
        };
        let recipients = match self.identities() {
            Ok(identities) => identities.recipients(),
            Err(_) => vec![secrets::create_identity_file(identity)?],
        };
        Store::init(&self.path, &recipients, &mut { entropy })
    }
}

/// Random bytes from the operating system. Without any, secrets would be guessable: the bytes stay zero, and the
/// generator refuses such a source.
fn entropy(buffer: &mut [u8]) {
    if Edges::random(buffer).is_err() {
        buffer.fill(0);
    }
}

/// A key for this run alone.
fn passing_key() -> DigestKey {
    let mut bytes = vec![0; 32];
    entropy(&mut bytes);
    DigestKey::new(bytes)
}

/// A key that only somebody who knows every secret of the stack could make: for stacks without a store. Making it is
/// slow on purpose (bcrypt, 2^10 rounds), because whoever sees a digest may guess at a weak secret; a stack with a store
/// has a random key and is safe from guessing.
fn derived_key(secrets: &BTreeMap<String, Option<Secret>>) -> DigestKey {
    let known: Vec<(&String, &str)> = secrets
        .iter()
        .filter_map(|(name, secret)| Some((name, secret.as_ref()?.expose())))
        .collect();
    let room: usize = known.iter().map(|(name, text)| name.len() + text.len() + 2).sum();
    // Room for all of it at once, so that no copy of a secret is left where the text has grown out of.
    let mut text = String::with_capacity(room + 32);
    text.push_str("ipai digest key");
    for (name, secret) in known {
        ["\0", name, "=", secret].into_iter().for_each(|part| text.push_str(part));
    }
    let text = Secret::new(text);
    if secrets.is_empty() {
        return DigestKey::new(text.expose().as_bytes().to_vec());
    }
    let digest = Zeroizing::new(hash::sha256_hex(text.expose().as_bytes()));
    DigestKey::new(bcrypt::bcrypt(10, *b"ipai digest key.", digest.as_bytes()).to_vec())
}

fn explain(error: &SecretsError) -> Diagnostic {
    let mut problem = Diagnostic::error(UNREADABLE).detail(error.to_string());
    if let Some(source) = std::error::Error::source(error) {
        problem = Diagnostic::error(UNREADABLE).detail(format!("{error}: {source}"));
    }
    problem.hint = error.hint();
    problem
}

fn missing_in_store(name: &str, path: &Path) -> Diagnostic {
    Diagnostic::error("Missing secret")
        .detail(format!("`{name}` is not in {}.", path.display()))
        .hint(called(&format!("secrets set {name}")))
}

fn from_environment(
    variable: &str,
    declaration: &SecretDeclaration,
    edges: &Edges,
) -> Result<Secret, Diagnostic> {
    match edges.variable(variable).or_else(|| declaration.default.clone()) {
        Some(value) => Ok(Secret::new(value)),
        None => Err(Diagnostic::error("Missing secret")
            .detail(format!("The environment variable {variable} is not set."))
            .hint(format!("export {variable}=…, or give the secret a `default`"))),
    }
}

/// A secret without the line end that files and commands put behind it; the text itself, not a copy.
pub fn without_line_end(mut text: String) -> Secret {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Secret::new(text)
}

fn from_file(path: &Path, declaration: &SecretDeclaration) -> Result<Secret, Diagnostic> {
    let read = || {
        let mut text = Zeroizing::new(String::with_capacity(4_096));
        let length = std::fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
        let too_large = || std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        (length as u64 <= LARGEST).then_some(text).ok_or_else(too_large)
    };
    match (read(), &declaration.default) {
        (Ok(mut text), _) => Ok(without_line_end(std::mem::take(&mut *text))),
        (Err(error), Some(default)) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Secret::new(default.clone()))
        }
        (Err(error), _) => Err(Diagnostic::error("Missing secret")
            .detail(format!("{} cannot be read: {error}", path.display()))
            .hint("create the file, readable by you alone")),
    }
}

fn from_command(
    argv: &[String],
    folder: &Path,
    declaration: &SecretDeclaration,
) -> Result<Secret, Diagnostic> {
    let problem = |detail: String| Err(Diagnostic::error("Missing secret").detail(detail));
    let [program, arguments @ ..] = argv else {
        return problem("The command is empty.".into());
    };
    match (printed::by(program, arguments, Some(folder), Bounds::default()), &declaration.default) {
        (Ok(text), _) => Ok(without_line_end(text.as_str().to_owned())),
        // A program that cannot be told to end is broken rather than absent.
        (Err(NotPrinted::Broken(_) | NotPrinted::Failed(_)), Some(default)) => {
            Ok(Secret::new(default.clone()))
        }
        (Err(why), _) => problem(format!("`{program}` {why}.")),
    }
}

impl Execute for Vault {
    fn provider(&self) -> &'static str {
        "secret"
    }

    fn lane(&self, _job: &Job) -> String {
        "secrets".into()
    }

    fn execute<'a>(
        &'a self,
        jobs: Vec<Job>,
        _events: &'a dyn Events,
    ) -> BoxFuture<'a, Vec<JobResult>> {
        Box::pin(async move {
            // A secret is made when it is missing and never because somebody else speaks of it.
            if let Some(other) = jobs.iter().find(|job| job.verb != Verb::Create) {
                let refusal = RemoteError::new(
                    Fault::Refused,
                    format!("change {}", other.address),
                    "a plan only ever makes secrets that are missing",
                );
                return jobs
                    .iter()
                    .map(|job| (job.address.clone(), Err(refusal.clone())))
                    .collect();
            }
            let addresses: Vec<Address> = jobs.into_iter().map(|job| job.address).collect();
            let names = addresses.iter().map(|address| address.name.clone()).collect();
            let making = async { self.renew(&names, &BTreeMap::new()).map(|_| ()) };
            let made = self.witness.step(|| "store secrets".to_owned(), making).await;
            let made = made.map_err(|error| {
                let mut failure =
                    RemoteError::new(Fault::Refused, "make the stack's secrets", error.to_string());
                failure.hint = error.hint();
                failure
            });
            addresses
                .into_iter()
                .map(|address| (address, made.clone().map(|()| Outputs::new())))
                .collect()
        })
    }
}
