//! `restore`: modes, owners, times and links come back with the contents.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::tree::Entry;
use super::{Failure, Outcome, Restic, complain, print};

impl Restic<'_> {
    /// Runs `restore ID[:FOLDER] --target FOLDER`.
    pub(super) fn restore(&self, arguments: &[String]) -> Outcome {
        let [id] = arguments else {
            return Err(Failure::fatal("no snapshot ID specified"));
        };
        let target = self.parsed.value("--target");
        let target = target
            .ok_or_else(|| Failure::fatal("please specify a directory to restore to (--target)"))?;
        let target = self.here(target)?;
        let repository = self.open()?;
        let _held = repository.lock(self, false)?;
        let (snapshot, folder) = self.one(&repository, id)?;
        let entries = repository.tree(&snapshot.tree)?.entries;
        let exists =
            |entry: &Entry| entry.path == folder || entry.path.starts_with(&format!("{folder}/"));
        if !entries.iter().any(exists) {
            return Err(Failure::fatal(format!("path {folder}: not found")));
        }
        fs::create_dir_all(&target)?;
        let (mut made, mut bytes, mut errors) = (Vec::new(), 0, 0);
        for (at, entry) in entries.iter().enumerate() {
            let Some(inner) = self.inner_path(entry, &folder) else { continue };
            let place = target.join(inner);
            let content = match entry.kind.as_str() {
                "file" => repository.content(&snapshot.tree, at, entry),
                _ => Ok(Vec::new()),
            };
            let put = content.and_then(|content| {
                fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))?;
                entry.put(&place, &content)
            });
            match put {
                Ok(()) => {
                    bytes += entry.size;
                    made.push((entry, place));
                }
                Err(error) => {
                    complain(format!("ignoring error for {}: {error}", entry.path));
                    errors += 1;
                }
            }
        }
        self.attributes(&made)?;
        self.summary(made.iter().filter(|(entry, _)| entry.kind != "dir").count(), bytes, &target);
        if errors > 0 {
            return Err(Failure::fatal(format!("There were {errors} errors")));
        }
        Ok(())
    }

    /// Returns an entry's path below the target, when it is to be restored.
    fn inner_path<'e>(&self, entry: &'e Entry, folder: &str) -> Option<&'e str> {
        let inner = entry.path.strip_prefix(folder)?;
        if !inner.is_empty() && !inner.starts_with('/') {
            return None;
        }
        let mut wanted = self.parsed.values("--include").map(|path| self.inner(path)).peekable();
        let all = wanted.peek().is_none();
        let included =
            wanted.any(|path| entry.path == path || entry.path.starts_with(&format!("{path}/")));
        (all || included).then(|| inner.trim_start_matches('/'))
    }

    /// Sets owners, then times and modes; folders last and the deepest first, since what is put into them changes them.
    fn attributes(&self, made: &[(&Entry, PathBuf)]) -> Outcome {
        for (entry, place) in made.iter().rev() {
            crate::tools::record_owner(self.state, place, &entry.owner())?;
            entry.finish(place)?;
        }
        Ok(())
    }

    fn summary(&self, files: usize, bytes: u64, target: &Path) {
        if self.is_json() {
            let summary = json!({"message_type": "summary", "seconds_elapsed": 0, "total_files": files,
                "files_restored": files, "total_bytes": bytes, "bytes_restored": bytes});
            print(format!("{summary}\n"));
        }
        self.tell(format!("Summary: Restored {files} files ({bytes} B) to {}", self.there(target)));
    }
}
