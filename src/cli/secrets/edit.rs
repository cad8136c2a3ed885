//! `ipai secrets edit`

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use ipai_core::{Diagnostic, Secret};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::{Files, entropy, explain};
use crate::cli::{Failed, Outcome, Run, block_on, exit};
use crate::edges::Edges;
use crate::secrets::{Draft, Edits, Identities, SecretsError, Store, words};

/// How often a text that cannot be stored is given back to its author.
const ROUNDS: usize = 20;
/// What `statfs` says of memory that never reaches a disk (linux/magic.h).
const TMPFS: u64 = 0x0102_1994;

/// Opens the secrets in an editor and stores what was changed.
pub(super) fn run(files: &Files<'_>) -> Outcome {
    let run = files.run;
    let identities = files.identities().map_err(|error| explain(run, &error))?;
    let mut base = Base::load(&files.path, &identities).map_err(|error| failed(run, error))?;
    let scratch = Scratch::new(run).map_err(|error| cannot(run, "no private file", &error))?;
    let mut notes = Vec::new();
    scratch
        .write(&base.draft.text(&notes))
        .map_err(|error| cannot(run, "no private file", &error))?;
    for _ in 0..ROUNDS {
        block_on(async { open_editor(run, &scratch).await.map(|()| exit::OK) })?;
        let text = scratch.read().map_err(|error| cannot(run, "no text", &error))?;
        let problem = match base.draft.read(&text) {
            Ok(edits) if edits.is_empty() => {
                run.say("Nothing was changed.");
                return Ok(exit::OK);
            }
            Ok(edits) => match store(&mut base, files, &identities, &edits) {
                Ok(()) => {
                    run.say(&told(&edits));
                    return Ok(exit::OK);
                }
                Err(Trouble::Again(problem)) => problem,
                Err(Trouble::Failed(errors)) => return Err(failed(run, errors)),
            },
            Err(problem) => problem,
        };
        if !run.edges.can_ask {
            let problem = Diagnostic::error("Nothing was stored").detail(problem);
            return Err(run.problem(problem));
        }
        notes.clear();
        notes.push(problem);
        let kept: String = text.lines().filter(|line| !line.starts_with("# ! ")).fold(
            String::with_capacity(text.len() + 1),
            |mut kept, line| {
                kept.push_str(line);
                kept.push('\n');
                kept
            },
        );
        let again = Zeroizing::new(crate::secrets::notes_text(&notes) + &Zeroizing::new(kept));
        scratch.write(&again).map_err(|error| cannot(run, "no private file", &error))?;
    }
    Err(Failed::new("error: that was not to be; nothing was stored"))
}

fn told(edits: &Edits) -> String {
    let list =
        |names: Vec<&String>| names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !edits.set.is_empty() {
        parts.push(format!("Stored {}.", list(edits.set.keys().collect())));
    }
    if !edits.removed.is_empty() {
        parts.push(format!("Removed {}.", list(edits.removed.iter().collect())));
    }
    parts.join(" ")
}

/// The store that an editor's text is compared with.
struct Base {
    store: Store,
    before: BTreeMap<String, Secret>,
    draft: Draft,
}

impl Base {
    fn load(path: &Path, identities: &Identities) -> Result<Self, Vec<SecretsError>> {
        let store = Store::load(path).map_err(|error| vec![error])?;
        if store.recipients().next().is_none() {
            return Err(vec![SecretsError::NoRecipients { path: path.to_owned() }]);
        }
        let before = store.decrypt_all(identities)?;
        let draft = Draft::new(before.clone());
        Ok(Self { store, before, draft })
    }
}

enum Trouble {
    /// The author can mend it.
    Again(String),
    Failed(Vec<SecretsError>),
}

/// Stores edits. When somebody else changed other secrets meanwhile, both changes stand; when the same ones, the
/// author decides.
fn store(
    base: &mut Base,
    files: &Files<'_>,
    identities: &Identities,
    edits: &Edits,
) -> Result<(), Trouble> {
    let carry = |base: &mut Base| {
        edits.carry(&mut base.store, &mut { entropy })?;
        base.store.save()
    };
    match carry(base) {
        Ok(()) => return Ok(()),
        Err(SecretsError::ChangedMeanwhile { .. } | SecretsError::Busy { .. }) => {}
        Err(error) => return Err(Trouble::Failed(vec![error])),
    }
    let mut now = Base::load(&files.path, identities).map_err(Trouble::Failed)?;
    let moved = |name: &&String| now.before.get(*name) != base.before.get(*name);
    let clash: Vec<&str> = edits.names().filter(moved).map(String::as_str).collect();
    if !clash.is_empty() {
        let problem = format!(
            "somebody else changed {} meanwhile; save again to put your version in its place",
            clash.join(", ")
        );
        *base = now;
        return Err(Trouble::Again(problem));
    }
    carry(&mut now).map_err(|error| Trouble::Failed(vec![error]))
}

fn failed(run: &Run<'_>, errors: Vec<SecretsError>) -> Failed {
    let texts: Vec<String> = errors.iter().map(|error| explain(run, error).text).collect();
    Failed::new(texts.concat())
}

fn cannot(run: &Run<'_>, what: &str, error: &io::Error) -> Failed {
    run.problem(Diagnostic::error("Cannot edit").detail(format!("There is {what}: {error}")))
}

/// Lets the person edit, and waits. The signals that a terminal sends are the editor's; being told to end ends it,
/// and the private file with it.
async fn open_editor(run: &Run<'_>, scratch: &Scratch) -> Result<(), Failed> {
    let edges = run.edges;
    let editor = edges.variable("VISUAL").or_else(|| edges.variable("EDITOR"));
    if editor.is_none() && !run.edges.can_ask {
        let problem = Diagnostic::error("No terminal to edit at")
            .detail("Neither VISUAL nor EDITOR names a program that needs none.");
        return Err(run.problem(problem.hint(run.command("secrets set NAME < FILE"))));
    }
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let wrong = |detail: String| {
        let problem = Diagnostic::error("No editor").detail(detail);
        run.problem(problem.hint("set EDITOR to one, as in: EDITOR=nano ipai secrets edit"))
    };
    let words = words(&editor).unwrap_or_default();
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(wrong(format!("`{editor}` names no program.")));
    };
    let watch = |kind| signal(kind).map_err(|error| wrong(error.to_string()));
    let mut interrupt = watch(SignalKind::interrupt())?;
    let (mut quit, mut end) = (watch(SignalKind::hangup())?, watch(SignalKind::terminate())?);
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .arg(scratch.path())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| wrong(format!("`{program}` cannot be run: {error}")))?;
    loop {
        tokio::select! {
            ended = child.wait() => return judge(ended, program).map_err(wrong),
            _ = interrupt.recv() => {}
            _ = quit.recv() => break,
            _ = end.recv() => break,
        }
    }
    let _ = child.kill().await;
    Err(Failed::new("Cancelled. Nothing was stored."))
}

fn judge(ended: io::Result<ExitStatus>, program: &str) -> Result<(), String> {
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}` ended with {status}; nothing was stored.")),
        Err(error) => Err(format!("`{program}`: {error}")),
    }
}

/// A folder for one person's eyes, in memory where there is such a place. An editor's own copies land beside the file;
/// all of them are overwritten and removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(run: &Run<'_>) -> io::Result<Self> {
        let runtime = run.edges.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = runtime.into_iter().chain([PathBuf::from("/dev/shm")]);
        let memory = places.into_iter().find(|place| is_memory(place));
        if memory.is_none() {
            run.say("warning: no folder here is in memory alone, so the plain text touches a disk while you edit");
        }
        let place = memory.unwrap_or_else(std::env::temp_dir);
        let mut word = [0; 8];
        Edges::random(&mut word)?;
        let folder = place.join(format!("ipai-{}", ipai_core::hash::to_hex(&word)));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    fn path(&self) -> PathBuf {
        self.0.join("secrets.toml")
    }

    fn write(&self, text: &str) -> io::Result<()> {
        wipe(&self.path());
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.path())?;
        file.write_all(text.as_bytes())
    }

    fn read(&self) -> io::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(fs::read_to_string(self.path())?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            wipe(&entry.path());
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Overwrites a file where it stands. Memory and most disks keep nothing then; a disk that moves its blocks may.
fn wipe(path: &Path) {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(mut file) = OpenOptions::new().write(true).open(path) else { return };
    let length = file.metadata().map_or(0, |found| found.len());
    let _ = io::copy(&mut io::Read::take(io::repeat(0), length), &mut file);
    let _ = File::sync_all(&file);
}

fn is_memory(place: &Path) -> bool {
    let kind = rustix::fs::statfs(place).map(|found| found.f_type);
    kind.is_ok_and(|kind| u64::try_from(kind).is_ok_and(|kind| kind == TMPFS))
        && rustix::fs::access(place, rustix::fs::Access::WRITE_OK).is_ok()
}
