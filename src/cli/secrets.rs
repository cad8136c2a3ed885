//! `ipai secrets`

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use ipai_core::stack::SecretSource;
use ipai_core::{Diagnostic, Secret};

use super::{Failed, Outcome, Run, exit};
use crate::edges::Edges;
use crate::load::{Choice, load, store_name};
use crate::providers;
use crate::secrets::{
    Environment, Identities, SecretsError, Store, create_identity_file, default_identity_path,
};

/// The stack's secrets: encrypted in its folder, for the people and jobs that are its recipients.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the stack's secret file, and an age identity for you if you have none.
    Init,
    /// List the stack's secrets and where each comes from; never their values.
    List,
    /// Store a secret; its value is read from standard input.
    Set {
        /// The secret's name.
        name: String,
    },
    /// Print a secret.
    Get {
        /// The secret's name.
        name: String,
        /// Really print it.
        #[arg(long)]
        reveal: bool,
    },
    /// Remove a secret from the stack's file.
    Remove {
        /// The secret's name.
        name: String,
    },
    /// Say who can decrypt the file, or change that.
    #[command(subcommand)]
    Recipients(Recipients),
}

/// Who can decrypt the file.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Recipients {
    /// List them.
    List,
    /// Add a public key: `age1…` or `ssh-ed25519 …`.
    Add {
        /// The public key.
        key: String,
    },
    /// Remove a public key; every value is encrypted anew to those who remain.
    Remove {
        /// The public key.
        key: String,
    },
}

struct Files<'a> {
    run: &'a Run<'a>,
    path: PathBuf,
}

pub(super) fn run(run: &Run<'_>, command: &Command) -> Outcome {
    let choice = Choice {
        folder: run.global.folder.clone(),
        environment: run.global.environment.clone(),
        ..Choice::default()
    };
    let path = match run.global.sandbox {
        Some(_) => crate::sandbox::folder(&choice.folder, run.edges).join(crate::vault::FILE),
        None => choice.folder.join(store_name(&choice)),
    };
    let files = Files { run, path };
    let outcome = match command {
        Command::Init => files.init(),
        Command::List => return list(run, &choice),
        Command::Set { name } => files.set(name),
        Command::Get { name, reveal } => files.get(name, *reveal),
        Command::Remove { name } => {
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
    let mut problem = Diagnostic::error("Secrets").detail(detail);
    problem.hint = error.hint();
    run.problem(problem)
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
        if self.run.global.sandbox.is_some() {
            let path = self.path.with_file_name("identity.txt");
            let text = std::fs::read_to_string(&path)
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
        let mut recipients = self.identities()?.recipients();
        if recipients.is_empty() {
            let path = self
                .environment(default_identity_path)
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

    fn set(&self, name: &str) -> Result<(), SecretsError> {
        let mut text = String::new();
        if self.run.edges.can_ask {
            self.run.say("Type the value, then Enter and Ctrl-D; it is shown while you type. Better: ipai secrets set NAME < FILE");
        }
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map_err(|source| SecretsError::Read {
            path: PathBuf::from("standard input"),
            source,
        })?;
        let value = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
        self.change(&format!("Stored {name}."), |store| {
            store.set(name, &value, None, &mut { entropy })
        })
    }

    fn get(&self, name: &str, reveal: bool) -> Result<(), SecretsError> {
        let secret = Store::load(&self.path)?.decrypt(name, &self.identities()?)?;
        if reveal {
            self.run.print(&format!("{}\n", secret.expose()));
        } else {
            self.run
                .say(&format!("`{name}` is there; ipai secrets get {name} --reveal prints it."));
        }
        Ok(())
    }

    fn change(
        &self,
        done: &str,
        edit: impl FnOnce(&mut Store) -> Result<(), SecretsError>,
    ) -> Result<(), SecretsError> {
        let mut store = Store::load(&self.path)?;
        edit(&mut store)?;
        store.save()?;
        self.run.say(done);
        Ok(())
    }

    fn recipients(&self, command: &Recipients) -> Result<(), SecretsError> {
        let store = Store::load(&self.path)?;
        let mut recipients: Vec<String> = store.recipients().map(str::to_owned).collect();
        match command {
            Recipients::List => {
                self.run
                    .print(&recipients.iter().map(|key| format!("{key}\n")).collect::<String>());
                return Ok(());
            }
            Recipients::Add { key } => recipients.push(key.clone()),
            Recipients::Remove { key } => recipients.retain(|other| other != key),
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

fn list(run: &Run<'_>, choice: &Choice) -> Outcome {
    let path = choice.folder.join(store_name(choice));
    let stack = load(choice, providers::types(), run.edges);
    let store = Store::load(&path).map_err(|error| explain(run, &error))?;
    let declared = match &stack {
        Ok(loaded) => loaded.stack.secrets.clone(),
        Err(failure) => {
            run.say(&run.failure(failure).text);
            Default::default()
        }
    };
    for (name, declaration) in &declared {
        run.print(&format!(
            "{name:32} {}\n",
            describe(&declaration.source, store.contains(name), &path)
        ));
    }
    for name in store.names().filter(|name| !declared.contains_key(*name)) {
        run.print(&format!("{name:32} stored, but the stack does not use it\n"));
    }
    Ok(exit::OK)
}

fn describe(source: &SecretSource, stored: bool, path: &Path) -> String {
    match source {
        SecretSource::Generate(_) if stored => format!("generated, in {}", path.display()),
        SecretSource::Generate(_) => "will be generated by the next apply".into(),
        SecretSource::Store if stored => format!("stored in {}", path.display()),
        SecretSource::Store => "missing: ipai secrets set NAME".into(),
        SecretSource::Environment(name) => format!("from the environment variable {name}"),
        SecretSource::File(path) => format!("from the file {path}"),
        SecretSource::Command(argv) => {
            format!("from the command {}", argv.first().map_or("", String::as_str))
        }
    }
}
