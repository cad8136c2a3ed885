//! `check`.

use std::fs;

use super::{Failure, Outcome, Restic, complain};

impl Restic<'_> {
    /// Runs `check`: everything that snapshots name is there, and with `--read-data` (or any subset
    /// of it, which is all of it here) is what was kept.
    pub(super) fn check(&self) -> Outcome {
        let repository = self.open()?;
        let _held = repository.lock(self, true)?;
        let read =
            self.parsed.has("--read-data") || self.parsed.value("--read-data-subset").is_some();
        self.tell("check snapshots, trees and blobs");
        let mut errors = 0;
        for snapshot in repository.snapshots()? {
            let tree = match repository.tree(&snapshot.tree) {
                Ok(tree) => tree,
                Err(failure) => {
                    complain(failure.text);
                    errors += 1;
                    continue;
                }
            };
            for (at, entry) in
                tree.entries.iter().enumerate().filter(|(_, entry)| entry.kind == "file")
            {
                let place =
                    repository.folder.join("data").join(&snapshot.tree).join(at.to_string());
                let size = fs::metadata(&place).map(|file| file.len());
                let whole = size.is_ok_and(|size| size == entry.size);
                if !whole || (read && repository.content(&snapshot.tree, at, entry).is_err()) {
                    complain(format!(
                        "error for tree {}: file {:?}: blob is damaged",
                        &snapshot.tree[..8],
                        entry.path
                    ));
                    errors += 1;
                }
            }
        }
        if errors > 0 {
            return Err(Failure::fatal("repository contains errors"));
        }
        self.tell("no errors were found");
        Ok(())
    }
}
