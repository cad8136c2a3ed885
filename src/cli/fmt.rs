//! `ipai fmt`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ipai_core::{Diagnostic, Sources, format, text_diff};

use super::{Failed, Outcome, Run, exit, shell_word};
use crate::load;
use crate::report;
use crate::secrets::disk;

/// Lay out the stack's TOML: stack.toml and what is laid over it. Only white space changes.
///
/// Order, comments and every value stay. When one of the files is no TOML, none is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops fmt\n  ipai fmt --check --diff          # changes nothing; exits with 1 when a file is not laid out\n  ipai fmt stacks/*/stack*.toml"
)]
pub(super) struct Arguments {
    /// Files to lay out instead of the stack's.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; exit with 1 when a file would change.
    #[arg(long)]
    check: bool,
    /// Print what changes as a unified diff.
    #[arg(long)]
    diff: bool,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let changes: Vec<File> = read(run, arguments)?.into_iter().filter(File::differs).collect();
    for file in &changes {
        if !arguments.check {
            file.write(run)?;
        }
        run.print(&if arguments.diff { file.diff() } else { format!("{}\n", file.shown()) });
    }
    if !arguments.check || changes.is_empty() {
        return Ok(exit::OK);
    }
    let named = arguments.files.iter().map(|file| shell_word(&file.display().to_string()));
    let words: Vec<String> = ["fmt".to_owned()].into_iter().chain(named).collect();
    run.say(&format!("Nothing was changed.\n  hint: {}", run.command(&words.join(" "))));
    Ok(exit::ERROR)
}

/// A file, and what is to become of it.
struct File {
    path: PathBuf,
    before: String,
    after: String,
}

impl File {
    fn differs(&self) -> bool {
        self.before != self.after
    }

    /// Its name for people and for other programs.
    fn shown(&self) -> String {
        report::one_line(&self.path.display().to_string()).into_owned()
    }

    /// Meant for `patch -p1` as well.
    fn diff(&self) -> String {
        let name = self.shown();
        let (old, new) = (format!("old/{name}"), format!("new/{name}"));
        let diff = text_diff::unified(&self.before, &self.after, &old, &new);
        report::clean(&diff.unwrap_or_else(|| format!("{name}: too long to compare\n"))).into()
    }

    fn write(&self, run: &Run<'_>) -> Result<(), Failed> {
        disk::replace(&self.path, Some(&self.before), &self.after).map_err(|error| {
            let why = match error {
                disk::WriteError::Io(error) => error.to_string(),
                _ => "somebody else is changing it; try again".to_owned(),
            };
            let problem = Diagnostic::error("A file cannot be written");
            run.trouble(&problem.detail(format!("{}: {why}.", self.shown())))
        })
    }
}

/// All files in their new layout, or everything that is wrong with them.
fn read(run: &Run<'_>, arguments: &Arguments) -> Result<Vec<File>, Failed> {
    let (mut files, mut problems, mut sources) = (Vec::new(), Vec::new(), Sources::default());
    for path in paths(run, &arguments.files) {
        let name = path.display().to_string();
        match lay_out(&path, &name, &mut sources) {
            Ok((before, after)) => files.push(File { path, before, after }),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        return Ok(files);
    }
    // These names begin where the user stands, not in the stack's folder.
    Err(Failed::new(run.explain_from("", &problems, &sources)))
}

fn lay_out(
    path: &Path,
    name: &str,
    sources: &mut Sources,
) -> Result<(String, String), Vec<Diagnostic>> {
    let before = crate::text_file::read(path).map_err(|error| vec![unreadable(name, &error)])?;
    sources.add(name, &before);
    let after = format::format(name, &before)?;
    Ok((before, after))
}

fn unreadable(name: &str, error: &std::io::Error) -> Diagnostic {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let problem = Diagnostic::error(if missing { "No such file" } else { "A file cannot be read" });
    let problem = problem.detail(format!("{name} cannot be read: {error}"));
    if !missing {
        return problem;
    }
    problem.hint("go to a stack's folder or name it: ipai -C stacks/ops fmt")
}

/// The files that are named, else the stack's. A file with two names is taken once.
fn paths(run: &Run<'_>, named: &[PathBuf]) -> Vec<PathBuf> {
    let folder = &run.global.folder;
    // A name is looked for where the user stands, then in the stack's folder.
    let inside = |path: &PathBuf| match path.exists() || !folder.join(path).exists() {
        true => path.clone(),
        false => folder.join(path),
    };
    let mut paths: Vec<PathBuf> = named.iter().map(inside).collect();
    if paths.is_empty() {
        let names = load::overlays(folder).into_iter().map(|name| format!("stack.{name}.toml"));
        let place = |name: String| load::within(folder, name);
        paths = ["stack.toml".to_owned()].into_iter().chain(names).map(place).collect();
    }
    let mut seen = BTreeSet::new();
    paths.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    paths
}
