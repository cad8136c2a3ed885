//! The repository's text files.

use std::path::Path;

/// Folders that hold nothing that was written: what was built, what a sandbox keeps, git's own.
const SKIPPED: [&str; 3] = ["target", ".git", ".ipai"];

/// Every text file by its path from the root, with `/` between the parts.
pub(crate) fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(root, root, &mut found);
    assert!(found.len() > 50, "this is not the repository: {}", root.display());
    found.sort();
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            walk(root, &path, found);
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let parts = path.strip_prefix(root).unwrap().iter().map(|part| part.to_string_lossy());
            found.push((parts.collect::<Vec<_>>().join("/"), text));
        }
    }
}
