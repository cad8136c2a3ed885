//! From a folder and the environment to text: the only place that reads a stack from disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipai_core::backup;
use ipai_core::desired::Inputs;
use ipai_core::image::{Locked, read_lock};
use ipai_core::stack::{Stack, named_files, parse};
use ipai_core::{Address, Diagnostic, Outputs, Sources, Span, Types, diagnostic};

use crate::edges::Edges;
use crate::login_keys;
use crate::text_file;
use crate::vault::{FILE, Known, Vault};

/// Which stack, and how to look at it.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The stack's folder.
    pub folder: PathBuf,
    /// The environment's overlay.
    pub environment: Option<String>,
    /// Values that override the stack's variables.
    pub variables: BTreeMap<String, String>,
    /// The sandbox's folder and its operator's public key, when this is the sandbox.
    pub sandbox: Option<SandboxAccess>,
    /// Tells whether this is the stack's drill: its secrets and images, under another marker.
    pub drill: bool,
    /// Tells whether no digest of a secret is shown or kept by this run: then their key need not be one that is slow to
    /// guess.
    pub shows_no_digest: bool,
}

impl Choice {
    /// The environment as markers name it.
    fn marked_environment(&self) -> Option<String> {
        let environment = self.environment.as_deref();
        if self.drill {
            Some(backup::drill_of(environment))
        } else {
            environment.map(str::to_owned)
        }
    }
}

/// What the sandbox brings in place of a person's own keys.
#[derive(Clone, Debug)]
pub struct SandboxAccess {
    /// Where its secrets and keys live.
    pub folder: PathBuf,
    /// The public key that its hosts must let in, an OpenSSH line.
    pub public_key: String,
    /// Who logs in there, when it cannot be the stack's own user.
    pub user: Option<String>,
}

/// A stack with everything that its desired state is made from.
pub struct Loaded {
    /// The stack as written.
    pub stack: Stack,
    /// All resource types.
    pub types: Types,
    /// Texts of the files that the stack names.
    pub files: BTreeMap<String, String>,
    /// Its secrets.
    pub vault: std::sync::Arc<Vault>,
    /// Values that override its variables.
    pub variables: BTreeMap<String, String>,
    /// Public keys that may log in on its hosts.
    pub authorized_keys: Vec<String>,
    /// Digests of its images, where it has a lock file.
    pub images: Option<Locked>,
    /// Tells whether this is the sandbox.
    pub sandbox: bool,
    /// What is worth mending in it.
    pub warnings: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub sources: Sources,
}

/// A stack that could not be loaded: what is wrong, and the texts to show it in.
pub struct Failure {
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
    /// The texts.
    pub sources: Sources,
}

impl Loaded {
    /// Calls `then` with the inputs of the desired state, as known at this moment.
    pub fn with_inputs<T>(
        &self,
        outputs: &BTreeMap<Address, Outputs>,
        then: impl FnOnce(&Inputs<'_>) -> T,
    ) -> T {
        let Known { secrets, key } = self.vault.known();
        then(&Inputs {
            stack: &self.stack,
            types: &self.types,
            files: &self.files,
            secrets: &secrets,
            outputs,
            variables: &self.variables,
            authorized_keys: &self.authorized_keys,
            key: &key,
            images: self.images.as_ref().filter(|_| !self.sandbox),
            sandbox: self.sandbox,
        })
    }
}

/// A stack's texts: what could be read of them, and what is wrong.
pub struct Texts {
    /// The stack as written.
    pub stack: Stack,
    /// Texts of the files that the stack names.
    pub files: BTreeMap<String, String>,
    /// Public keys that may log in on its hosts.
    pub authorized_keys: Vec<String>,
    /// Digests of its images, where it has a lock file.
    pub images: Option<Locked>,
    /// What is wrong so far.
    pub problems: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub sources: Sources,
}

/// Reads a stack's files, but no secret.
///
/// # Errors
/// When there is no stack, or its TOML cannot be read at all.
pub fn read(choice: &Choice, types: &Types) -> Result<Texts, Failure> {
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let texts = read_stack_files(choice, &mut sources, &mut problems);
    let borrowed: Vec<(&str, &str)> = texts.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    if borrowed.is_empty() {
        return Err(Failure { problems, sources });
    }
    let (stack, found) = parse(&borrowed, choice.marked_environment().as_deref(), types);
    problems.extend(found);
    let Some(mut stack) = stack else {
        diagnostic::sort(&mut problems);
        return Err(Failure { problems, sources });
    };
    if let Some(user) = choice.sandbox.as_ref().and_then(|sandbox| sandbox.user.clone()) {
        stack.ssh.user = user;
    }
    let files = read_named_files(&choice.folder, &named_files(&stack), &mut sources, &mut problems);
    let authorized_keys = read_keys(&stack, choice, &files, &mut problems);
    let images = read_images(choice, &mut sources, &mut problems);
    Ok(Texts { stack, files, authorized_keys, images, problems, sources })
}

/// Reads a stack. Everything that is wrong comes back at once, whether in its TOML, its files or its secrets.
///
/// # Errors
/// Diagnostics with at least one error among them; nothing was contacted.
pub fn load(choice: &Choice, types: Types, edges: &Edges) -> Result<Loaded, Failure> {
    let Texts { stack, files, authorized_keys, images, mut problems, sources } =
        read(choice, &types)?;
    let vault = open_vault(&stack, choice, edges, &mut problems);
    let variables = choice.variables.clone();
    let sandbox = choice.sandbox.is_some();
    let mut loaded = Loaded {
        stack,
        types,
        files,
        vault: vault.into(),
        variables,
        authorized_keys,
        images,
        sandbox,
        warnings: Vec::new(),
        sources,
    };
    // The stack is rendered once without knowing anything, so that every mistake in it is found before anybody is asked.
    let (_, rendering) = loaded.with_inputs(&BTreeMap::new(), ipai_core::desired::compile);
    problems.extend(rendering);
    diagnostic::sort(&mut problems);
    if diagnostic::any_error(&problems) {
        return Err(Failure { problems, sources: loaded.sources });
    }
    loaded.warnings = problems;
    Ok(loaded)
}

fn read_stack_files(
    choice: &Choice,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(String, String)> {
    let mut wanted = vec![("stack.toml".to_owned(), true)];
    wanted.extend(choice.environment.iter().map(|env| (format!("stack.{env}.toml"), true)));
    wanted.extend(choice.drill.then(|| ("stack.drill.toml".to_owned(), false)));
    wanted.extend(choice.sandbox.iter().map(|_| ("stack.sandbox.toml".to_owned(), false)));
    let mut texts = Vec::new();
    for (name, required) in wanted {
        let path = within(&choice.folder, &name);
        match text_file::read(&path) {
            Ok(text) => {
                sources.add(&name, &text);
                texts.push((name, text));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {}
            Err(error) => problems.push(unreadable_stack(&path, &name, choice, &error)),
        }
    }
    if problems.is_empty() { texts } else { Vec::new() }
}

fn unreadable_stack(
    path: &Path,
    name: &str,
    choice: &Choice,
    error: &std::io::Error,
) -> Diagnostic {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let summary = if missing { "No such stack" } else { "The stack cannot be read" };
    let problem =
        Diagnostic::error(summary).detail(format!("{} cannot be read: {error}", path.display()));
    if !missing {
        return problem;
    }
    if name == "stack.toml" {
        return problem.hint(
            "go to a stack's folder or name it: ipai -C stacks/ops …; `ipai init` makes a new one",
        );
    }
    let environments = environments(&choice.folder);
    let list = if environments.is_empty() { "none".to_owned() } else { environments.join(", ") };
    problem.hint(format!("environments of this stack: {list}"))
}

fn environments(folder: &Path) -> Vec<String> {
    overlays(folder).into_iter().filter(|name| name != "sandbox").collect()
}

/// The names of all files `stack.NAME.toml` of a stack, in order.
pub(crate) fn overlays(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        Some(name.strip_prefix("stack.")?.strip_suffix(".toml")?.to_owned())
    };
    let mut found: Vec<String> = entries.filter_map(name).collect();
    found.sort();
    found
}

/// How many files of a folder are held against a name that none of them has.
const MOST_NAMES: usize = 1_000;

fn read_named_files(
    folder: &Path,
    named: &BTreeMap<String, Span>,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (name, span) in named {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            let detail = format!("`{name}` must be a path below the stack's folder.");
            problems.push(Diagnostic::error("Not a file of the stack").detail(detail).at(span));
            continue;
        }
        if let Some(place) = leads_out(folder, name) {
            let detail = format!(
                "`{name}` is a link to {}, outside of the stack's folder.",
                place.display()
            );
            let problem = Diagnostic::error("Not a file of the stack").detail(detail).at(span);
            problems.push(problem.hint("put a copy into the stack's folder"));
            continue;
        }
        match text_file::read(&within(folder, name)) {
            Ok(text) => {
                sources.add(name, &text);
                files.insert(name.clone(), text);
            }
            Err(error) => {
                let detail =
                    format!("{} cannot be read as text: {error}", within(folder, name).display());
                let mut problem = Diagnostic::error("Missing file").detail(detail).at(span);
                problem.hint = file_like(folder, name).map(|near| format!("did you mean {near}?"));
                problems.push(problem);
            }
        }
    }
    files
}

/// The file in the same folder with the name that is nearest.
fn file_like(folder: &Path, name: &str) -> Option<String> {
    let parent = Path::new(name).parent()?;
    let entries = std::fs::read_dir(within(folder, parent)).ok()?.flatten().take(MOST_NAMES);
    let names = entries.map(|entry| parent.join(entry.file_name()).to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    diagnostic::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Where a name really leads, if that is outside of the folder: a stack that somebody else wrote must not put a file of
/// whoever applies it onto its hosts.
fn leads_out(folder: &Path, name: &str) -> Option<PathBuf> {
    let place = folder.join(name).canonicalize().ok()?;
    let inside = folder.canonicalize().is_ok_and(|folder| place.starts_with(folder));
    (!inside).then_some(place)
}

fn read_keys(
    stack: &Stack,
    choice: &Choice,
    files: &BTreeMap<String, String>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let text = stack.ssh.authorized_keys.as_ref().and_then(|(name, _)| files.get(name));
    let (mut keys, wrong) = login_keys::read(text.map(String::as_str).unwrap_or_default());
    if let (false, Some((name, span))) = (wrong.is_empty(), &stack.ssh.authorized_keys) {
        let lines: Vec<String> = wrong.iter().take(10).map(ToString::to_string).collect();
        let problem = Diagnostic::error("Not a public key")
            .detail(format!("`{name}` holds no key in line {}.", lines.join(", ")))
            .hint("a line is what a file such as ~/.ssh/id_ed25519.pub holds; remarks begin with #")
            .at(span);
        problems.push(problem);
    }
    let asked = files.iter().find(|(_, text)| text.contains("ssh.authorized_keys"));
    if let (None, Some((name, _))) = (&stack.ssh.authorized_keys, asked) {
        let problem = Diagnostic::warning("Nobody could log in")
            .detail(format!("`{name}` puts `ssh.authorized_keys` on new hosts, and the stack names no such file."))
            .hint("[ssh]\nauthorized_keys = \"authorized_keys\"");
        problems.push(problem);
    }
    keys.extend(choice.sandbox.iter().map(|sandbox| sandbox.public_key.clone()));
    // A file that is not there is a problem of its own.
    let none = keys.is_empty() && wrong.is_empty() && text.is_some();
    if let (true, Some((name, span))) = (none, &stack.ssh.authorized_keys) {
        let problem = Diagnostic::error("Nobody could log in")
            .detail(format!(
                "`{name}` holds no public key, so no one could reach the hosts that ipai creates."
            ))
            .hint(format!(
                "cat ~/.ssh/id_ed25519.pub >> {}",
                within(&choice.folder, name).display()
            ))
            .at(span);
        problems.push(problem);
    }
    keys
}

fn read_images(
    choice: &Choice,
    sources: &mut Sources,
    problems: &mut Vec<Diagnostic>,
) -> Option<Locked> {
    let name = lock_name(choice.environment.as_deref());
    let path = within(&choice.folder, &name);
    match text_file::read(&path) {
        Ok(text) => {
            sources.add(&name, &text);
            let (locked, found) = read_lock(&name, &text);
            problems.extend(found);
            Some(locked)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let detail = format!("{} cannot be read as text: {error}", path.display());
            problems.push(Diagnostic::error("The lock file cannot be read").detail(detail));
            None
        }
    }
}

/// The name of the file that locks images: each environment may have images of its own.
#[must_use]
pub fn lock_name(environment: Option<&str>) -> String {
    environment.map_or_else(
        || "images.lock.toml".to_owned(),
        |environment| format!("images.{environment}.lock.toml"),
    )
}

/// Reads a stack's secrets from where each comes from. What is wrong is collected.
pub fn open_vault(
    stack: &Stack,
    choice: &Choice,
    edges: &Edges,
    problems: &mut Vec<Diagnostic>,
) -> Vault {
    let (store, identity) = (store_path(choice), own_identity(choice));
    let vault = Vault::new(&stack.secrets, store, identity, edges);
    vault.opened(&choice.folder, choice.shows_no_digest, edges, problems)
}

/// The secret file: each environment has secrets of its own, and the sandbox has others than the real world.
#[must_use]
pub fn store_path(choice: &Choice) -> PathBuf {
    let env = choice.environment.as_ref();
    let name = env.map_or_else(|| FILE.to_owned(), |env| format!("secrets.{env}.toml"));
    within(choice.sandbox.as_ref().map_or(&choice.folder, |sandbox| &sandbox.folder), name)
}

/// The age identity that the sandbox makes for itself; nothing in the real world.
#[must_use]
pub fn own_identity(choice: &Choice) -> Option<PathBuf> {
    choice.sandbox.as_ref().map(|sandbox| sandbox.folder.join("identity.txt"))
}

/// A file in a folder, as people name it: those of the folder at hand by their names alone.
#[must_use]
pub fn within(folder: &Path, name: impl AsRef<Path>) -> PathBuf {
    if folder == Path::new(".") { name.as_ref().to_owned() } else { folder.join(name) }
}
