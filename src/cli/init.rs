//! `ipai init`

use std::path::{Path, PathBuf};

use ipai_core::Diagnostic;
use ipai_core::address::is_name;

use super::{Failed, Outcome, Run, exit};

/// Begin a new stack in a folder: a stack.toml that validates, and the templates that it names.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai init stacks/web --domain example.org\n  ipai -C stacks/web --sandbox apply --auto-approve"
)]
pub(super) struct Arguments {
    /// The folder, which need not exist; the stack gets its name.
    #[arg(value_name = "DIR")]
    new_folder: PathBuf,
    /// The domain that the stack serves.
    #[arg(long, default_value = "example.com")]
    domain: String,
}

const FILES: [(&str, &str); 4] = [
    ("stack.toml", include_str!("init/stack.toml")),
    ("compose.yaml", include_str!("init/compose.yaml")),
    ("Caddyfile", include_str!("init/Caddyfile")),
    ("cloud-init.yaml", include_str!("init/cloud-init.yaml")),
];

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let folder = run.global.folder.join(&arguments.new_folder);
    // `init .` means the folder at hand, whose name is only known in full.
    let folder =
        if folder.file_name().is_some() { folder } else { folder.canonicalize().unwrap_or(folder) };
    let name =
        folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !is_name(&name) || name.contains("--") {
        let detail = format!(
            "`{name}` would be the stack's name; names are lower-case letters, digits, `-` and `_`."
        );
        return Err(run.problem(
            Diagnostic::error("Not a stack name").detail(detail).hint("ipai init stacks/web"),
        ));
    }
    if !is_domain(&arguments.domain) {
        let detail = format!("`{}` is not one.", arguments.domain);
        return Err(run.problem(
            Diagnostic::error("Not a domain")
                .detail(detail)
                .hint("ipai init stacks/web --domain example.org"),
        ));
    }
    if let Some(existing) =
        FILES.iter().map(|(file, _)| folder.join(file)).find(|path| path.exists())
    {
        let detail = format!("{} exists already and is never overwritten.", existing.display());
        return Err(run.problem(Diagnostic::error("There is a stack already").detail(detail)));
    }
    std::fs::create_dir_all(&folder).map_err(|error| cannot_write(run, &folder, &error))?;
    for (file, text) in FILES {
        let text = text.replace("STACK", &name).replace("DOMAIN", &arguments.domain);
        let path = folder.join(file);
        std::fs::write(&path, text).map_err(|error| cannot_write(run, &path, &error))?;
    }
    let keys = folder.join("authorized_keys");
    let own = run
        .edges
        .home()
        .map(|home| home.join(".ssh/id_ed25519.pub"))
        .and_then(|path| std::fs::read_to_string(path).ok());
    let text = format!(
        "# Public keys that may log in on the stack's hosts, one a line.\n{}",
        own.unwrap_or_default()
    );
    std::fs::write(&keys, text).map_err(|error| cannot_write(run, &keys, &error))?;
    let shown = folder.display();
    run.print(&format!(
        "Made the stack `{name}` in {shown}. Next:\n\n  ipai -C {shown} --sandbox apply --auto-approve   # try it on this machine\n  ipai -C {shown} --sandbox plan                   # No changes.\n  ipai explain                                     # what else a stack may have\n"
    ));
    Ok(exit::OK)
}

/// Labels of letters, digits and `-`, at least two, the whole within DNS's 253 characters (RFC 1035, section 2.3.4).
fn is_domain(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(legal)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

fn cannot_write(run: &Run<'_>, path: &Path, error: &std::io::Error) -> Failed {
    run.problem(
        Diagnostic::error("Cannot write the stack").detail(format!("{}: {error}", path.display())),
    )
}
