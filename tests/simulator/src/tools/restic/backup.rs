//! `backup`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::repository::{Repository, Snapshot, hex, hostname};
use super::tree::{Entry, Tree};
use super::{Failure, Outcome, Restic, VERSION, complain, print};
use crate::tools::clock;
use crate::tools::owners::Owners;

/// One run: what is left out, what was found, what could not be read.
struct Walk<'a> {
    restic: &'a Restic<'a>,
    owners: Owners,
    found: Vec<(Entry, PathBuf)>,
    unread: usize,
}

impl Restic<'_> {
    /// Runs `backup PATH…`: exit status 3 when something could not be read, with a snapshot of the rest.
    pub(super) fn backup(&self, paths: &[String]) -> Outcome {
        let repository = self.open()?;
        if paths.is_empty() {
            return Err(Failure::fatal("nothing to backup, please specify source files/dirs"));
        }
        let _held = repository.lock(self, false)?;
        let begun = clock::now();
        let mut walk =
            Walk { restic: self, owners: Owners::load(self.state)?, found: Vec::new(), unread: 0 };
        let mut kept = Vec::new();
        for path in paths {
            let at = self.here(path)?;
            if at.symlink_metadata().is_ok() {
                kept.push(self.there(&at));
                walk.enter(&at);
            } else {
                walk.missing(&at, "lstat", "no such file or directory");
            }
        }
        if kept.is_empty() {
            return Err(Failure::fatal("all source directories/files do not exist"));
        }
        kept.sort();
        let unread = walk.unread;
        let id = self.write(&repository, walk, kept, &begun)?;
        self.tell(format!("snapshot {} saved", &id[..8]));
        if unread > 0 {
            return Err(Failure::new(3, "Warning: at least one source file could not be read"));
        }
        Ok(())
    }

    fn write(
        &self,
        repository: &Repository,
        mut walk: Walk<'_>,
        paths: Vec<String>,
        begun: &str,
    ) -> Result<String, Failure> {
        let before = repository.snapshots()?;
        let host =
            self.parsed.value("--host").map_or_else(|| hostname(&self.root()), str::to_owned);
        let parent =
            before.iter().rev().find(|other| other.hostname == host && other.paths == paths);
        let parent = match parent {
            Some(parent) => repository.tree(&parent.tree)?.entries,
            None => Vec::new(),
        };
        let mut known = BTreeSet::new();
        for snapshot in &before {
            known.extend(
                repository.tree(&snapshot.tree)?.entries.into_iter().map(|entry| entry.sha256),
            );
        }
        let counts = self.fill(repository, &mut walk, &parent, known)?;
        let tree = counts.0;
        let tags = self.parsed.values("--tag").flat_map(|list| list.split(',')).map(str::to_owned);
        let time =
            self.parsed.value("--time").map(|time| time.replacen(' ', "T", 1) + ".000000000Z");
        let mut summary = counts.1;
        summary["backup_start"] = json!(begun);
        summary["backup_end"] = json!(clock::now());
        let snapshot = Snapshot {
            time: time.unwrap_or_else(|| begun.to_owned()),
            tree,
            paths,
            hostname: host,
            username: "root".to_owned(),
            tags: tags.filter(|tag| !tag.is_empty()).collect(),
            program_version: format!("restic {VERSION}"),
            summary: summary.clone(),
            id: String::new(),
            short_id: String::new(),
        };
        let id = repository.keep(&snapshot)?;
        if self.is_json() {
            summary["message_type"] = json!("summary");
            summary["total_duration"] = json!(0.01);
            summary["snapshot_id"] = json!(id);
            print(format!("{summary}\n"));
        }
        Ok(id)
    }

    /// Copies what was found into a folder of its own, and counts as restic does.
    fn fill(
        &self,
        repository: &Repository,
        walk: &mut Walk<'_>,
        parent: &[Entry],
        mut known: BTreeSet<String>,
    ) -> Result<(String, serde_json::Value), Failure> {
        let fresh = repository.folder.join("data").join(format!(".{}", std::process::id()));
        fs::create_dir_all(&fresh)?;
        let parent: BTreeMap<&str, &Entry> =
            parent.iter().map(|entry| (entry.path.as_str(), entry)).collect();
        let mut tree = Tree::default();
        let (mut added, mut total, mut blobs) = (0_u64, 0_u64, 0_u64);
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        for (mut entry, at) in std::mem::take(&mut walk.found) {
            if entry.kind == "file" {
                let Ok(bytes) = fs::read(&at) else {
                    walk.missing(&at, "open", "permission denied");
                    continue;
                };
                (entry.size, entry.sha256) = (bytes.len() as u64, hex(&bytes));
                total += entry.size;
                if known.insert(entry.sha256.clone()) {
                    added += entry.size;
                    blobs += 1;
                }
                fs::write(fresh.join(tree.entries.len().to_string()), repository.mix(&bytes))?;
            }
            let what = if entry.kind == "dir" { "dirs" } else { "files" };
            let how = match parent.get(entry.path.as_str()) {
                None => "new",
                Some(before) if **before == entry => "unmodified",
                Some(_) => "changed",
            };
            *kinds.entry(format!("{what}_{how}")).or_default() += 1;
            tree.entries.push(entry);
        }
        let sealed = repository.mix(&serde_json::to_vec(&tree).map_err(std::io::Error::other)?);
        let id = hex(&sealed);
        fs::write(fresh.join("index"), sealed)?;
        let place = repository.folder.join("data").join(&id);
        if place.exists() {
            fs::remove_dir_all(&fresh)?;
        } else {
            fs::rename(&fresh, place)?;
        }
        let count = |key: &str| kinds.get(key).copied().unwrap_or(0);
        let files = tree.entries.iter().filter(|entry| entry.kind != "dir").count();
        let summary = json!({
            "files_new": count("files_new"), "files_changed": count("files_changed"),
            "files_unmodified": count("files_unmodified"), "dirs_new": count("dirs_new"),
            "dirs_changed": count("dirs_changed"), "dirs_unmodified": count("dirs_unmodified"),
            "data_blobs": blobs, "tree_blobs": count("dirs_new") + count("dirs_changed"),
            "data_added": added, "data_added_packed": added,
            "total_files_processed": files, "total_bytes_processed": total,
        });
        Ok((id, summary))
    }
}

impl Walk<'_> {
    fn enter(&mut self, at: &Path) {
        let Ok(metadata) = at.symlink_metadata() else {
            return self.missing(at, "lstat", "no such file or directory");
        };
        let path = self.restic.there(at);
        if self
            .restic
            .parsed
            .values("--exclude")
            .any(|pattern| excluded(&path, &self.restic.there(Path::new(pattern))))
        {
            return;
        }
        let folder = metadata.is_dir();
        if let Some(entry) = Entry::read(at, path, &metadata, &self.owners) {
            self.found.push((entry, at.to_owned()));
        }
        if !folder {
            return;
        }
        match fs::read_dir(at) {
            Ok(entries) => {
                let mut inner: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
                inner.sort();
                inner.iter().for_each(|path| self.enter(path));
            }
            Err(_) => self.missing(at, "open", "permission denied"),
        }
    }

    fn missing(&mut self, at: &Path, call: &str, why: &str) {
        self.unread += 1;
        let path = self.restic.there(at);
        let message = format!("{call} {path}: {why}");
        complain(if self.restic.is_json() {
            json!({"message_type": "error", "error": {"message": message}, "during": "archival", "item": path})
                .to_string()
        } else {
            format!("error: {message}")
        });
    }
}

/// Tells whether a pattern leaves a path out: a pattern with a slash means a path from the root on
/// and all below it, another one the name of a file or folder anywhere.
fn excluded(path: &str, pattern: &str) -> bool {
    if pattern.starts_with('/') {
        let below = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
        return below.chain([path]).any(|part| fits(part.as_bytes(), pattern.as_bytes()));
    }
    let tails = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    tails.into_iter().any(|tail| fits(tail.as_bytes(), pattern.as_bytes()))
}

fn fits(text: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => {
            let deep = rest.first() == Some(&b'*');
            let ends = (0..=text.len()).take_while(|end| deep || !text[..*end].contains(&b'/'));
            ends.into_iter().any(|end| fits(&text[end..], rest))
        }
        Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| fits(text, rest)),
        Some((letter, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == letter && fits(text, rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::excluded;

    #[test]
    fn patterns_leave_out_what_they_name() {
        assert!(excluded("/a/b/c.tmp", "*.tmp"));
        assert!(!excluded("/a/b/c.tmpx", "*.tmp"));
        assert!(excluded("/a/b/c", "/a/b"));
        assert!(!excluded("/a/bc", "/a/b"));
        assert!(excluded("/a/x/c", "/a/*/c"));
        assert!(!excluded("/a/x/y/c", "/a/*/c"));
        assert!(excluded("/a/x/y/c", "/a/**/c"));
    }
}
