//! Tokens: from the environment, or from a file that nobody else sees; never from the command line.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ipai_core::Diagnostic;
use zeroize::Zeroizing;

use crate::edges::Edges;

/// What a token file may set: the names of the variables that it stands for.
pub(super) const NAMES: [&str; 4] =
    ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "CLOUDFLARE_API_TOKEN", "SOPS_AGE_KEY"];
/// A token file has a few hundred bytes.
const LARGEST: u64 = 1 << 16;

/// What is said to whoever writes a token on the command line.
pub(super) fn refusal() -> Diagnostic {
    Diagnostic::error("A token on the command line")
        .detail("Every program on this machine can read it there, and the shell keeps it in its history. It was not used. If it was a real one, revoke it.")
        .hint("export DIGITALOCEAN_TOKEN=… and CLOUDFLARE_API_TOKEN=…, or: ipai --token-file - plan < FILE (lines NAME=VALUE)")
}

/// Reads `NAME=VALUE` lines and sets them as if they were variables of the environment. `-` is standard input.
///
/// # Errors
/// When the file cannot be read, others can read it, or a line is not understood. No message repeats a value.
pub(super) fn take(path: &Path, edges: &Edges) -> Result<Edges, Diagnostic> {
    let text = read(path).map_err(|why| problem(path, why))?;
    let mut edges = edges.clone();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let known = line.split_once('=').filter(|(name, _)| NAMES.contains(&name.trim()));
        let Some((name, value)) = known else {
            let why = format!(
                "line {} does not begin with one of {} and `=`",
                index + 1,
                NAMES.join(", ")
            );
            return Err(problem(path, why));
        };
        let value = value.trim().trim_matches(['"', '\'']);
        edges.variables.insert(OsString::from(name.trim()), OsString::from(value));
    }
    Ok(edges)
}

fn problem(path: &Path, why: String) -> Diagnostic {
    let place =
        if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    Diagnostic::error("No tokens")
        .detail(format!("{place}: {why}."))
        .hint("lines like CLOUDFLARE_API_TOKEN=…, in a file that you alone can read")
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    if path == Path::new("-") {
        let read = std::io::stdin().lock().take(LARGEST).read_to_string(&mut text);
        return read.map(|_| text).map_err(|error| error.to_string());
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let found = file.metadata().map_err(|error| error.to_string())?;
    if found.is_file() && found.permissions().mode() & 0o077 != 0 {
        return Err(format!("others can read it; chmod 600 {}", path.display()));
    }
    file.take(LARGEST).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
