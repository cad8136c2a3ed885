//! `ipai secrets`

mod audit;
mod edit;
mod make;
mod prompt;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ipai_core::called::called;
use ipai_core::stack::SecretSource;
use ipai_core::{Diagnostic, diagnostic};
use serde_json::json;

use super::world::prepare_sandbox;
use super::{Failed, Outcome, Run, exit};
use crate::edges::Edges;
use crate::load::{Choice, Texts, open_vault, own_identity, read, store_path};
use crate::providers;
use crate::report::json_text;
use crate::secrets::{
    Environment, Identities, SecretsError, Store, create_identity_file, default_identity_path,
};
use crate::vault::{UNREADABLE, Vault};

/// The stack's secrets: encrypted in its folder, for the people and jobs that are its recipients.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops secrets init\n  ipai -C stacks/ops secrets set smtp_password\n  ipai -C stacks/ops secrets audit"
)]
pub(super) enum Command {
    /// Make the stack's secret file, and an age identity for you if you have none.
    #[command(after_help = "Examples:\n  ipai -C stacks/ops secrets init")]
    Init,
    /// List the stack's secrets and where each comes from; never their values.
    #[command(
        after_help = "Examples:\n  ipai -C stacks/ops secrets list\n  ipai --env staging secrets list --json"
    )]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Store a secret: asked for on a terminal and not shown, else read from standard input.
    #[command(
        after_help = "Examples:\n  ipai secrets set smtp_password\n  ipai secrets set smtp_password < password.txt"
    )]
    Set {
        /// The secret's name.
        name: String,
    },
    /// Edit the stored secrets in $VISUAL or $EDITOR.
    #[command(after_help = "Examples:\n  ipai -C stacks/ops secrets edit")]
    Edit,
    /// Make the generated secrets that do not exist yet, instead of leaving that to the next apply.
    #[command(
        after_help = "Examples:\n  ipai secrets generate\n  ipai secrets generate n8n_encryption_key"
    )]
    Generate {
        /// Only these.
        names: Vec<String>,
    },
    /// Give secrets new values: generated ones are made anew, stored ones are asked for or read from standard input.
    ///
    /// What is made from them, such as a password's hash, follows. The next plan shows what the new values touch.
    #[command(after_help = "Examples:\n  ipai secrets rotate n8n_db_password && ipai plan")]
    Rotate {
        /// The secrets' names.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Look for missing, unused, weak, reused and stale secrets, and for secrets in the clear.
    ///
    /// Exits with 1 when there is any.
    #[command(
        after_help = "Examples:\n  ipai -C stacks/ops secrets audit\n  ipai secrets audit --json"
    )]
    Audit {
        /// Print what is found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a secret; refused without --reveal.
    #[command(after_help = "Examples:\n  ipai secrets get superset_admin_password --reveal")]
    Get {
        /// The secret's name.
        name: String,
        /// Really print it.
        #[arg(long)]
        reveal: bool,
    },
    /// Remove a secret from the stack's file.
    #[command(after_help = "Examples:\n  ipai secrets remove smtp_password")]
    Remove {
        /// The secret's name.
        name: String,
        /// Remove it even if the stack uses it.
        #[arg(long)]
        force: bool,
    },
    /// Say who can decrypt the file, or change that.
    #[command(subcommand)]
    Recipients(Recipients),
}

/// Who can decrypt the file.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  ipai secrets recipients list\n  ipai secrets recipients add age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
)]
pub(super) enum Recipients {
    /// List them.
    #[command(after_help = "Examples:\n  ipai -C stacks/ops secrets recipients list")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a public key: `age1…` or `ssh-ed25519 …`.
    #[command(
        after_help = "Examples:\n  ipai secrets recipients add age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    )]
    Add {
        /// The public key.
        key: String,
    },
    /// Remove a public key; every value is encrypted anew to those who remain.
    #[command(
        after_help = "Examples:\n  ipai secrets recipients remove age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    )]
    Remove {
        /// The public key.
        key: String,
        /// Remove it even if that locks you out.
        #[arg(long)]
        force: bool,
    },
    /// Encrypt every value anew that is encrypted to others than the file lists.
    #[command(after_help = "Examples:\n  ipai secrets recipients reseal")]
    Reseal,
}

/// A stack's texts and its secrets, whatever else may be wrong with it.
struct Opened {
    texts: Texts,
    vault: Vault,
    /// What is wrong with its secrets.
    problems: Vec<Diagnostic>,
}

impl Opened {
    /// Reads the stack and its secrets; a missing secret is no error here, a secret file that does not open is.
    fn open(run: &Run<'_>) -> Result<Self, Failed> {
        let choice = choice(run)?;
        let texts = read(&choice, &providers::types()).map_err(|failure| run.failure(&failure))?;
        let mut problems = Vec::new();
        let vault = open_vault(&texts.stack, &choice, run.edges, &mut problems);
        if problems.iter().any(|problem| problem.summary == UNREADABLE) {
            diagnostic::sort(&mut problems);
            return Err(Failed::new(run.explain(&problems, &texts.sources)));
        }
        Ok(Self { texts, vault, problems })
    }
}

fn choice(run: &Run<'_>) -> Result<Choice, Failed> {
    let sandbox = match run.global.sandbox {
        None => None,
        Some(kind) => Some(prepare_sandbox(run, kind)?),
    };
    Ok(Choice {
        folder: run.global.folder.clone(),
        environment: run.global.environment.clone(),
        variables: run.variables(),
        sandbox,
        ..Choice::default()
    })
}

struct Files<'a> {
    run: &'a Run<'a>,
    path: PathBuf,
    /// The sandbox's.
    identity: Option<PathBuf>,
}

pub(super) fn run(run: &Run<'_>, command: &Command) -> Outcome {
    let choice = choice(run)?;
    let files = Files { run, path: store_path(&choice), identity: own_identity(&choice) };
    let outcome = match command {
        Command::Init => files.init(),
        Command::List { json } => return list(run, &choice, *json),
        Command::Set { name } => return files.set(name),
        Command::Edit => return edit::run(&files),
        Command::Generate { names } => return make::generate(run, names),
        Command::Rotate { names } => return make::rotate(run, names),
        Command::Audit { json } => return audit::run(run, *json),
        Command::Get { name, reveal } => return files.get(name, *reveal),
        Command::Remove { name, force } => {
            if !force {
                refuse_used(run, &choice, name)?;
            }
            files.change(&format!("Removed {name}."), |store| store.remove(name))
        }
        Command::Recipients(command) => files.recipients(command),
    };
    outcome.map(|()| exit::OK).map_err(|error| explain(run, &error))
}

fn explain(run: &Run<'_>, error: &SecretsError) -> Failed {
    let mut detail = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        detail.push_str(&format!(": {source}"));
    }
    let mut problem = Diagnostic::error(error.title()).detail(detail);
    problem.hint = error.hint();
    run.problem(problem)
}

/// What the stack uses is not removed just so: the next apply would make another one, which may open nothing that the
/// old one locked.
fn refuse_used(run: &Run<'_>, choice: &Choice, name: &str) -> Result<(), Failed> {
    let Ok(texts) = read(choice, &providers::types()) else { return Ok(()) };
    let Some(declaration) = texts.stack.secrets.get(name) else { return Ok(()) };
    let detail = match &declaration.permanent {
        Some(why) => format!("`{name}` is permanent: {why}"),
        None => "What is removed cannot be had back, and the next apply needs it.".to_owned(),
    };
    let problem = Diagnostic::error("The stack uses this secret").detail(detail).hint(format!(
        "take [secret.{name}] out of the stack first, or: {}",
        run.command(&format!("secrets remove {name} --force"))
    ));
    Err(run.failed(&[problem.at(&declaration.span)], &texts.sources))
}

/// Random bytes from the operating system; without any the generator refuses to go on.
fn entropy(buffer: &mut [u8]) {
    if Edges::random(buffer).is_err() {
        buffer.fill(0);
    }
}

impl Files<'_> {
    fn environment<T>(&self, then: impl FnOnce(&Environment<'_>) -> T) -> T {
        let variable = |name: &str| self.run.edges.variables.get(&OsString::from(name)).cloned();
        then(&Environment::new(&variable))
    }

    fn identities(&self) -> Result<Identities, SecretsError> {
        if let Some(path) = &self.identity {
            let text = std::fs::read_to_string(path)
                .map_err(|source| SecretsError::Read { path: path.clone(), source })?;
            return Identities::from_text(&text, &path.display().to_string());
        }
        let identities = self.environment(Identities::discover)?;
        identities
            .warnings()
            .iter()
            .for_each(|warning| self.run.say(&format!("warning: {warning}")));
        Ok(identities)
    }

    fn init(&self) -> Result<(), SecretsError> {
        let own = self.identity.clone();
        let mut recipients = match &own {
            Some(path) if !path.exists() => Vec::new(),
            _ => self.identities()?.recipients(),
        };
        if recipients.is_empty() {
            let path = own
                .or_else(|| self.environment(default_identity_path))
                .unwrap_or_else(|| PathBuf::from("age-identity.txt"));
            recipients.push(create_identity_file(&path)?);
            self.run.say(&format!(
                "Made an age identity: {}\nKeep a copy of it in a safe place: without it nobody can read the stack's secrets.",
                path.display()
            ));
        }
        Store::init(&self.path, &recipients, &mut { entropy })?;
        self.run.print(&format!(
            "Made {}, encrypted to:\n  {}\n",
            self.path.display(),
            recipients.join("\n  ")
        ));
        Ok(())
    }

    fn set(&self, name: &str) -> Outcome {
        // Storing a secret needs no stack that is in order.
        let texts = read(&choice(self.run)?, &providers::types()).ok();
        self.remark_undeclared(texts.as_ref(), name);
        let value = prompt::value(self.run, name)?;
        let given = BTreeMap::from([(name.to_owned(), value.clone())]);
        let followed = self.renew_dependants(texts.as_ref(), name, &given)?;
        if !followed {
            let store = |store: &mut Store| store.set(name, &value, None, &mut { entropy });
            self.change(&format!("Stored {name}."), store)
                .map_err(|error| explain(self.run, &error))?;
        }
        Ok(exit::OK)
    }

    /// Says when nothing in the stack is called so: it may be a slip.
    fn remark_undeclared(&self, texts: Option<&Texts>, name: &str) {
        let Some(texts) = texts.filter(|texts| !texts.stack.secrets.contains_key(name)) else {
            return;
        };
        let known = texts.stack.secrets.keys().map(String::as_str);
        let near = diagnostic::nearest(name, known);
        let hint = near.map_or_else(
            || format!("write [secret.{name}] into stack.toml to use it"),
            |near| format!("did you mean {near}?"),
        );
        self.run.say(&format!("warning: the stack declares no [secret.{name}]\n  hint: {hint}"));
    }

    /// Stores a secret together with what the stack makes from it; `false` when it makes nothing from it. Only the
    /// former needs to read the other secrets.
    fn renew_dependants(
        &self,
        texts: Option<&Texts>,
        name: &str,
        given: &BTreeMap<String, ipai_core::Secret>,
    ) -> Result<bool, Failed> {
        let Some(texts) = texts else { return Ok(false) };
        let made_from = texts.stack.secrets.values().any(|declaration| {
            matches!(&declaration.source, SecretSource::Generate(how) if how.of() == Some(name))
        });
        if !made_from {
            return Ok(false);
        }
        let renewed = Opened::open(self.run)?.vault.renew(&BTreeSet::new(), given);
        let dependants = renewed.map_err(|error| explain(self.run, &error))?;
        let names: Vec<&str> = dependants.iter().map(String::as_str).collect();
        self.run.say(&format!("Stored {name}; {} follows it.", names.join(", ")));
        Ok(true)
    }

    fn get(&self, name: &str, reveal: bool) -> Outcome {
        if !reveal {
            let problem = Diagnostic::error("A secret is printed on request alone")
                .detail(format!("Without --reveal, `{name}` is neither read nor shown."))
                .hint(self.run.command(&format!("secrets get {name} --reveal")));
            return Err(self.run.problem(problem));
        }
        let read = || Store::load(&self.path)?.decrypt(name, &self.identities()?);
        let secret = read().map_err(|error| explain(self.run, &error))?;
        self.run.print(&format!("{}\n", secret.expose()));
        Ok(exit::OK)
    }

    fn change(
        &self,
        done: &str,
        edit: impl FnOnce(&mut Store) -> Result<(), SecretsError>,
    ) -> Result<(), SecretsError> {
        let mut store = Store::load(&self.path)?;
        // The sandbox makes what it needs, as its first apply would.
        if self.identity.is_some() && store.recipients().next().is_none() {
            self.init()?;
            store = Store::load(&self.path)?;
        }
        edit(&mut store)?;
        store.save()?;
        self.run.say(done);
        Ok(())
    }

    fn recipients(&self, command: &Recipients) -> Result<(), SecretsError> {
        let store = Store::load(&self.path)?;
        let mut recipients: Vec<String> = store.recipients().map(str::to_owned).collect();
        match command {
            Recipients::List { json: true } => {
                let document = json!({ "format_version": "1.0", "recipients": recipients });
                self.run.print(&format!("{}\n", json_text(&document, true)));
                return Ok(());
            }
            Recipients::List { json: false } => {
                self.run
                    .print(&recipients.iter().map(|key| format!("{key}\n")).collect::<String>());
                return Ok(());
            }
            Recipients::Add { key } => recipients.push(key.clone()),
            Recipients::Remove { key, force } => {
                let before = recipients.len();
                recipients.retain(|other| other != key);
                if recipients.len() == before {
                    let problem = "there is no such recipient";
                    return Err(SecretsError::BadRecipient { recipient: key.clone(), problem });
                }
                let own = self.identities()?.recipients();
                if !force && !recipients.iter().any(|left| own.contains(left)) {
                    let problem =
                        "you could not read the secrets any more; --force removes it all the same";
                    return Err(SecretsError::BadRecipient { recipient: key.clone(), problem });
                }
            }
            Recipients::Reseal => {}
        }
        let identities = self.identities()?;
        self.change("Every value is encrypted to the recipients as they are now.", |store| {
            let change = store.set_recipients(&recipients, &identities)?;
            if !change.still_opens {
                self.run.say("warning: your own identities no longer open this file");
            }
            Ok(())
        })
    }
}

/// A secret in the list.
struct Listed<'a> {
    name: &'a str,
    /// What the stack declares; nothing for one that is only stored.
    source: Option<&'a SecretSource>,
    stored: bool,
}

fn list(run: &Run<'_>, choice: &Choice, as_json: bool) -> Outcome {
    let path = store_path(choice);
    // Where each comes from is known without any other part of the stack being in order.
    let stack = read(choice, &providers::types());
    let store = Store::load(&path).map_err(|error| explain(run, &error))?;
    let declared = match &stack {
        Ok(texts) => texts.stack.secrets.clone(),
        Err(failure) if as_json => return Err(run.failure(failure)),
        Err(failure) => {
            run.say(&run.failure(failure).text);
            Default::default()
        }
    };
    let of_stack = declared.iter().map(|(name, declaration)| {
        let (source, stored) = (Some(&declaration.source), store.contains(name));
        Listed { name, source, stored }
    });
    let strays = store.names().filter(|name| !declared.contains_key(*name));
    let strays = strays.map(|name| Listed { name, source: None, stored: true });
    let all: Vec<Listed<'_>> = of_stack.chain(strays).collect();
    if as_json {
        let secrets: Vec<_> = all.iter().map(|one| document(one, &path)).collect();
        let document = json!({ "format_version": "1.0", "secrets": secrets });
        run.print(&format!("{}\n", json_text(&document, true)));
        return Ok(exit::OK);
    }
    for Listed { name, source, stored } in &all {
        let words = match source {
            Some(source) => describe(source, *stored, &path),
            None if stack.is_ok() => "stored, but the stack does not use it".into(),
            None => "stored".into(),
        };
        run.print(&format!("{name:32} {words}\n"));
    }
    Ok(if stack.is_ok() { exit::OK } else { exit::ERROR })
}

/// A secret of the list for programs. Whether one that comes from outside is there, only an audit looks.
fn document(one: &Listed<'_>, path: &Path) -> serde_json::Value {
    let source = match one.source {
        None => "unused",
        Some(SecretSource::Generate(_)) => "generate",
        Some(SecretSource::Store) => "store",
        Some(SecretSource::Environment(_)) => "env",
        Some(SecretSource::File(_)) => "file",
        Some(SecretSource::Command(_)) => "command",
    };
    let says = one.source.map(|source| describe(source, one.stored, path));
    json!({ "name": one.name, "source": source, "stored": one.stored, "says": says })
}

fn describe(source: &SecretSource, stored: bool, path: &Path) -> String {
    match source {
        SecretSource::Generate(_) if stored => format!("generated, in {}", path.display()),
        SecretSource::Generate(_) => "will be generated by the next apply".into(),
        SecretSource::Store if stored => format!("stored in {}", path.display()),
        SecretSource::Store => format!("missing: {}", called("secrets set NAME")),
        outside => describe_outside(outside),
    }
}

/// Where a secret comes from that is not in the stack's secret file.
fn describe_outside(source: &SecretSource) -> String {
    match source {
        SecretSource::Environment(name) => format!("from the environment variable {name}"),
        SecretSource::File(path) => format!("from the file {path}"),
        SecretSource::Command(argv) => {
            format!("from the command {}", argv.first().map_or("", String::as_str))
        }
        SecretSource::Generate(_) | SecretSource::Store => "from the stack's secret file".into(),
    }
}
