//! `ipai secrets audit`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ipai_core::called::called;
use ipai_core::desired::{Inputs, used_secrets};
use ipai_core::stack::{Generate, SecretSource};
use ipai_core::{Diagnostic, Secret};

use super::{Opened, choice, explain};
use crate::cli::{Outcome, Run, exit};
use crate::load::store_path;
use crate::report::{diagnostics_json, json_text, number};
use crate::secrets::audit::{reused, sightings, weakness};
use crate::secrets::{Kind, Store, bcrypt_matches, public_key};
use crate::vault::Known;

/// Larger files are data.
const LARGEST: u64 = 1 << 20;
/// No stack's folder has more files; one that seems to is a home folder by mistake.
const MOST_FILES: usize = 20_000;
/// How deep a folder is looked through where git does not say what is in it.
const DEEPEST: usize = 12;

struct Audit<'a> {
    run: &'a Run<'a>,
    opened: Opened,
    store: Store,
    known: BTreeMap<String, Secret>,
    found: Vec<Diagnostic>,
}

pub(super) fn run(run: &Run<'_>, as_json: bool) -> Outcome {
    let choice = choice(run)?;
    let opened = Opened::open(run)?;
    let store = Store::load(&store_path(&choice)).map_err(|error| explain(run, &error))?;
    let secrets = opened.vault.known().secrets;
    let known = secrets.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut audit = Audit { run, opened, store, known, found: Vec::new() };
    audit.stale();
    audit.missing();
    audit.unused();
    audit.values();
    audit.in_the_clear();
    Ok(if as_json { audit.document() } else { audit.tell() })
}

impl Audit<'_> {
    fn add(&mut self, problem: Diagnostic) {
        self.found.push(problem);
    }

    /// Something about a secret, at its declaration where there is one.
    fn about(&self, name: &str, problem: Diagnostic) -> Diagnostic {
        match self.opened.texts.stack.secrets.get(name) {
            Some(declaration) => problem.at(&declaration.span),
            None => problem,
        }
    }

    fn place(&self, name: &str) -> String {
        let path = self.store.path().display();
        self.store.line(name).map_or_else(|| path.to_string(), |line| format!("{path}:{line}"))
    }

    fn stale(&mut self) {
        let stale: Vec<String> = self.store.stale().map(str::to_owned).collect();
        let Some(first) = stale.first() else { return };
        let problem = Diagnostic::error("Stale recipients")
            .detail(format!(
                "{}: {} of the values are encrypted to others than the file lists: {}. Whoever was taken off the list can still read them.",
                self.place(first), stale.len(), stale.join(", ")
            ))
            .hint(format!(
                "{}, then rotate what those others must not know",
                called("secrets recipients reseal")
            ));
        self.add(problem);
    }

    fn missing(&mut self) {
        let problems = std::mem::take(&mut self.opened.problems);
        self.found.extend(problems);
        let secrets = &self.opened.texts.stack.secrets;
        let unmade = |(name, declaration): &(&String, &ipai_core::stack::SecretDeclaration)| {
            matches!(declaration.source, SecretSource::Generate(_))
                && !self.known.contains_key(*name)
        };
        let unmade: Vec<String> =
            secrets.iter().filter(unmade).map(|(name, _)| name.clone()).collect();
        if let Some(first) = unmade.first() {
            let problem = Diagnostic::error("Secrets not made yet")
                .detail(format!(
                    "{}. An apply would make them, and a job that throws its folder away would lose them.",
                    unmade.join(", ")
                ))
                .hint(format!("{}, then commit the file", called("secrets generate")));
            let problem = self.about(first, problem);
            self.add(problem);
        }
    }

    fn unused(&mut self) {
        let texts = &self.opened.texts;
        let Known { secrets, key } = self.opened.vault.known();
        let outputs = BTreeMap::new();
        let variables = self.run.variables();
        let used = used_secrets(&Inputs {
            stack: &texts.stack,
            types: &crate::providers::types(),
            files: &texts.files,
            secrets: &secrets,
            outputs: &outputs,
            variables: &variables,
            authorized_keys: &texts.authorized_keys,
            key: &key,
            images: texts.images.as_ref(),
            sandbox: self.run.global.sandbox.is_some(),
        });
        let declared = &texts.stack.secrets;
        let mut found: Vec<Diagnostic> = declared
            .iter()
            .filter(|(name, _)| !used.contains(*name))
            .map(|(name, declaration)| {
                Diagnostic::error("Unused secret")
                    .detail(format!("No template and no check uses `{name}`."))
                    .hint(format!(
                        "take [secret.{name}] out, and: {}",
                        called(&format!("secrets remove {name}"))
                    ))
                    .at(&declaration.span)
            })
            .collect();
        found.extend(self.store.names().filter(|name| !declared.contains_key(*name)).map(|name| {
            Diagnostic::error("Unused secret")
                .detail(format!("{}: the stack declares no `[secret.{name}]`.", self.place(name)))
                .hint(called(&format!("secrets remove {name}")))
        }));
        self.found.extend(found);
    }

    fn values(&mut self) {
        let mut found = Vec::new();
        for (name, secret) in &self.known {
            if let Some(why) = weakness(secret, self.kind(name)) {
                let problem = Diagnostic::error("Weak secret").detail(format!("`{name}`: {why}."));
                let hint = format!(
                    "{}; or let ipai make it: generate = \"password\"",
                    called(&format!("secrets rotate {name}"))
                );
                found.push(self.about(name, problem.hint(hint)));
            }
        }
        for names in reused(&self.known) {
            let problem = Diagnostic::error("Reused secret")
                .detail(format!("{} have one value: who learns one learns all.", names.join(", ")))
                .hint(called(&format!(
                    "secrets rotate {}",
                    names.last().copied().unwrap_or_default()
                )));
            found.push(self.about(names.last().copied().unwrap_or_default(), problem));
        }
        for (name, how) in self.opened.vault.ways() {
            let (Some(of), Some(own)) = (how.of(), self.known.get(&name)) else { continue };
            let Some(origin) = self.known.get(of) else { continue };
            let fits = match how {
                Generate::Bcrypt(_) => bcrypt_matches(origin, own),
                _ => public_key(origin).is_ok_and(|public| public == *own),
            };
            if !fits {
                let problem = Diagnostic::error("Stale secret")
                    .detail(format!("`{name}` was made from another value than `{of}` has now."))
                    .hint(format!(
                        "{} && {}",
                        called(&format!("secrets remove {name} --force")),
                        called(&format!("secrets generate {name}"))
                    ));
                found.push(self.about(&name, problem));
            }
        }
        self.found.extend(found);
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        let declared = &self.opened.texts.stack.secrets.get(name)?.source;
        match declared {
            SecretSource::Generate(Generate::Bcrypt(_)) => Some(Kind::Bcrypt),
            SecretSource::Generate(Generate::KeyPair) => Some(Kind::KeyPair),
            SecretSource::Generate(Generate::PublicKey(_)) => Some(Kind::PublicKey),
            _ => None,
        }
    }

    fn in_the_clear(&mut self) {
        let folder = self.run.global.folder.clone();
        for file in self.files(&folder) {
            let path = folder.join(&file);
            let small = std::fs::metadata(&path)
                .is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
            let Some(text) = small.then(|| std::fs::read_to_string(&path).ok()).flatten() else {
                continue;
            };
            for sighting in sightings(&text, &self.known) {
                let problem = Diagnostic::error("A secret in the clear")
                    .detail(format!("{}:{}: {}.", path.display(), sighting.line, sighting.what))
                    .hint("put {{ secret.NAME }} in its place; what was ever committed stays in the history: rotate it");
                self.add(problem);
            }
        }
    }

    /// The files that are, or would be, committed; without git all but hidden folders and the files that secrets are
    /// declared to come from.
    fn files(&self, folder: &Path) -> Vec<PathBuf> {
        if let Some(files) = tracked(self.run, folder) {
            return files;
        }
        let mut files = Vec::new();
        walk(folder, Path::new(""), 0, &mut files);
        let declared = |file: &PathBuf| {
            self.opened.texts.stack.secrets.values().any(|declaration| {
                matches!(&declaration.source, SecretSource::File(path) if Path::new(path) == file)
            })
        };
        files.retain(|file| !declared(file));
        files
    }

    fn document(self) -> u8 {
        let code = if self.found.is_empty() { exit::OK } else { exit::ERROR };
        let document = serde_json::json!({
            "format_version": "1.0",
            "secrets": self.known.len(),
            "recipients": self.store.recipients().count(),
            "diagnostics": diagnostics_json(&self.found, &self.opened.texts.sources),
            "exit_code": code,
        });
        self.run.print(&format!("{}\n", json_text(&document, true)));
        code
    }

    fn tell(self) -> u8 {
        let (secrets, recipients) = (self.known.len(), self.store.recipients().count());
        if self.found.is_empty() {
            let (secrets, recipients) =
                (number(secrets, "secret"), number(recipients, "recipient"));
            self.run.print(&format!("Nothing found. {secrets}, {recipients}.\n"));
            return exit::OK;
        }
        let sources = &self.opened.texts.sources;
        self.run.print(&crate::report::diagnostics(&self.found, sources, &self.run.output));
        exit::ERROR
    }
}

/// What git tracks or would track; nothing where git is not at hand or the folder is not in a repository. Tokens stay
/// here: a repository's configuration may name programs that git starts.
fn tracked(run: &Run<'_>, folder: &Path) -> Option<Vec<PathBuf>> {
    let kept = ["PATH", "HOME"].into_iter();
    let output = Command::new("git")
        .env_clear()
        .envs(kept.filter_map(|name| Some((name, run.edges.variable(name)?))))
        .arg("-C")
        .arg(folder)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

fn walk(folder: &Path, below: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder.join(below)).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if files.len() >= MOST_FILES {
            return;
        }
        let path = below.join(entry.file_name());
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !hidden && depth < DEEPEST => {
                walk(folder, &path, depth + 1, files)
            }
            Ok(kind) if kind.is_file() => files.push(path),
            _ => {}
        }
    }
}
