//! `ipai init`

mod templates;

use std::path::{Path, PathBuf};

use ipai_core::Diagnostic;
use ipai_core::address::is_name;

use self::templates::Template;
use super::{Failed, Outcome, Run, exit, schema};
use crate::load::within;

/// Begin a new stack in a folder: a stack.toml and the files that it names. It validates as soon as your public key is in
/// authorized_keys, which is so at once where one is in a usual place.
///
/// Without a folder, a person at a terminal is asked for it, for what to begin from, and for the domain.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai init                                        # asks\n  ipai init stacks/web --domain example.org\n  ipai init stacks/team --from ops --domain example.org\n  ipai -C stacks/web --sandbox apply --auto-approve"
)]
pub(super) struct Arguments {
    /// The folder, which need not exist; the stack gets its name.
    #[arg(value_name = "DIR")]
    new_folder: Option<PathBuf>,
    /// What to begin from.
    #[arg(long, value_enum, value_name = "TEMPLATE", default_value = "minimal")]
    from: Template,
    /// The domain that the stack serves.
    #[arg(long, default_value = "example.com")]
    domain: String,
}

/// What to make.
struct Wish {
    folder: PathBuf,
    template: Template,
    domain: String,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    // `-C web init` means the same as `init web`.
    let elsewhere = (run.global.folder != Path::new(".")).then(|| PathBuf::from("."));
    let wish = match arguments.new_folder.clone().or(elsewhere) {
        Some(folder) => {
            Wish { folder, template: arguments.from, domain: arguments.domain.to_lowercase() }
        }
        None => asked(run, arguments)?,
    };
    let folder: PathBuf = within(&run.global.folder, &wish.folder).components().collect();
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
    let name = stack_name(run, &folder)?;
    if wish.folder.to_string_lossy().contains("://") {
        let problem = Diagnostic::error("Not a folder")
            .detail("This is an address, and a stack is a folder here.");
        return Err(run.problem(problem.hint("ipai init stacks/web --domain example.org")));
    }
    if !is_domain(&wish.domain) {
        return Err(not_a_domain(run, &wish.domain));
    }
    let files = wish.template.files(&name, &wish.domain);
    refuse_existing(run, &folder, &files)?;
    for (file, text) in &files {
        write(run, &folder.join(file), text)?;
    }
    // Beside the stack, so that an editor finds it without a network, and it is this program's.
    write(run, &folder.join(schema::FILE), &schema::text(false))?;
    write_keys(run, &folder)?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        write(run, &ignore, "# The sandbox's world, and saved plans.\n.ipai/\n*.plan\n")?;
    }
    let shown = super::shell_word(&folder.display().to_string());
    let place = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let ipai = if shown == "." { "ipai".to_owned() } else { format!("ipai -C {shown}") };
    let (apply, plan) =
        (format!("{ipai} --sandbox apply --auto-approve"), format!("{ipai} --sandbox plan"));
    let width = apply.len();
    run.print(&format!(
        "Made the stack `{name}` in {}. Next:\n\n  {apply}   # try it on this machine\n  {plan:width$}   # No changes.\n  {:width$}   # what else a stack may have\n",
        place.display(),
        "ipai explain"
    ));
    Ok(exit::OK)
}

fn asked(run: &Run<'_>, arguments: &Arguments) -> Result<Wish, Failed> {
    let instead = "name the folder: ipai init stacks/web --domain example.org";
    let folder = run.answer("Folder of the new stack", "stacks/web", instead, |text| {
        stack_name(run, Path::new(text)).and_then(|_| {
            let there = run.global.folder.join(text).join("stack.toml");
            if there.exists() { Err(exists(run, &there)) } else { Ok(PathBuf::from(text)) }
        })
    })?;
    let question = "Begin from minimal (one page behind Caddy) or ops (the operations stack)";
    let usual = if arguments.from == Template::Ops { "ops" } else { "minimal" };
    let template = run.answer(question, usual, instead, |text| {
        <Template as clap::ValueEnum>::from_str(text, true)
            .map_err(|_| run.problem(Diagnostic::error("Write minimal or ops")))
    })?;
    let domain = run.answer("Domain that it serves", &arguments.domain, instead, |text| {
        let text = text.to_lowercase();
        if is_domain(&text) { Ok(text) } else { Err(not_a_domain(run, &text)) }
    })?;
    Ok(Wish { folder, template, domain })
}

/// The stack's name, which is its folder's.
fn stack_name(run: &Run<'_>, folder: &Path) -> Result<String, Failed> {
    // `init .` means the folder at hand, whose name is only known in full.
    let named = folder.file_name().map(ToOwned::to_owned);
    let full = || folder.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
    let name = named.or_else(full).unwrap_or_default().to_string_lossy().into_owned();
    if is_name(&name) && !name.contains("--") {
        return Ok(name);
    }
    let detail = format!(
        "`{name}` would be the stack's name; names are lower-case letters, digits, `-` and `_`."
    );
    Err(run
        .problem(Diagnostic::error("Not a stack name").detail(detail).hint("ipai init stacks/web")))
}

fn not_a_domain(run: &Run<'_>, text: &str) -> Failed {
    let problem = Diagnostic::error("Not a domain").detail(format!("`{text}` is not one."));
    let bare = text.split("://").last().unwrap_or(text);
    let bare = bare.split(['/', ':', '?', '#']).next().unwrap_or_default().to_lowercase();
    let meant = if is_domain(&bare) { &bare } else { "example.org" };
    run.problem(problem.hint(format!("--domain {meant}")))
}

fn refuse_existing(
    run: &Run<'_>,
    folder: &Path,
    files: &[(&'static str, String)],
) -> Result<(), Failed> {
    let names = files.iter().map(|(file, _)| *file).chain([schema::FILE]);
    let Some(existing) =
        names.map(|file| folder.join(file)).find(|path| path.symlink_metadata().is_ok())
    else {
        return Ok(());
    };
    Err(exists(run, &existing))
}

fn exists(run: &Run<'_>, path: &Path) -> Failed {
    let detail = format!("{} exists already and is never overwritten.", path.display());
    let problem = Diagnostic::error("There is a stack already").detail(detail);
    run.problem(problem.hint("name another folder, or go on with this stack: ipai -C FOLDER plan"))
}

/// Lists who may log in: the user, if there is a key in a usual place. What is there already stays.
fn write_keys(run: &Run<'_>, folder: &Path) -> Result<(), Failed> {
    let path = folder.join("authorized_keys");
    if path.exists() {
        return Ok(());
    }
    let usual = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];
    let home = run.edges.home().map(|home| home.join(".ssh"));
    let read = |name| std::fs::read_to_string(home.as_ref()?.join(name)).ok();
    let own = usual.into_iter().find_map(read);
    let head = "# Public keys that may log in on the stack's hosts, one a line.\n";
    write(run, &path, &format!("{head}{}", own.as_deref().unwrap_or_default()))?;
    if own.is_none() {
        let shown = super::shell_word(&path.display().to_string());
        run.say(&format!(
            "note: no public key of yours was found. Outside of the sandbox the stack needs one first:\n  cat KEY.pub >>{shown}"
        ));
    }
    Ok(())
}

fn write(run: &Run<'_>, path: &Path, text: &str) -> Result<(), Failed> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text)).map_err(|error| {
        let detail = format!("{}: {error}", path.display());
        run.problem(Diagnostic::error("Cannot write the stack").detail(detail))
    })
}

/// Labels of letters, digits and `-`, at least two, the whole within DNS's 253 characters (RFC 1035, section 2.3.4).
pub(super) fn is_domain(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(legal)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}
