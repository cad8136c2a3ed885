//! What only reads: `snapshots`, `ls`, `dump`, `stats`.

use serde_json::{Value, json};

use super::repository::{Repository, Snapshot};
use super::{Failure, Outcome, Restic, complain, print};

impl Restic<'_> {
    /// Runs `snapshots [ID|latest…]`.
    pub(super) fn snapshots(&self, ids: &[String]) -> Outcome {
        let repository = self.open()?;
        let _held = repository.lock(self, false)?;
        let chosen = self.choose(&repository, ids)?;
        if self.is_json() {
            print(format!("{}\n", json!(chosen)));
            return Ok(());
        }
        for snapshot in &chosen {
            let (tags, paths) = (snapshot.tags.join(","), snapshot.paths.join(" "));
            let time = snapshot.time[..19].replace('T', " ");
            print(format!(
                "{}  {time}  {}  {tags}  {paths}\n",
                snapshot.short_id, snapshot.hostname
            ));
        }
        print(format!("{} snapshots\n", chosen.len()));
        Ok(())
    }

    /// Returns the snapshots that the filters and, where there are any, the ids name.
    pub(super) fn choose(
        &self,
        repository: &Repository,
        ids: &[String],
    ) -> Result<Vec<Snapshot>, Failure> {
        let all = repository.snapshots()?;
        let fits = |snapshot: &&Snapshot| self.fits(snapshot);
        if ids.is_empty() {
            return Ok(all.iter().filter(fits).cloned().collect());
        }
        let mut found: Vec<Snapshot> = Vec::new();
        for id in ids {
            let named = match id.as_str() {
                "latest" => all.iter().rfind(fits),
                _ => all.iter().find(|snapshot| snapshot.id.starts_with(id.as_str())),
            };
            match named {
                Some(snapshot) if found.iter().all(|other| other.id != snapshot.id) => {
                    found.push(snapshot.clone())
                }
                Some(_) => {}
                None => {
                    complain(format!("Ignoring \"{id}\": no matching ID found for prefix \"{id}\""))
                }
            }
        }
        Ok(found)
    }

    /// Returns the snapshot that `id` names, and the folder in it behind a colon.
    pub(super) fn one(
        &self,
        repository: &Repository,
        id: &str,
    ) -> Result<(Snapshot, String), Failure> {
        let (id, folder) = id.split_once(':').unwrap_or((id, ""));
        let all = repository.snapshots()?;
        let named = match id {
            "latest" => all.into_iter().rfind(|snapshot| self.fits(snapshot)),
            _ => all.into_iter().find(|snapshot| !id.is_empty() && snapshot.id.starts_with(id)),
        };
        let why = if id == "latest" {
            "no snapshot found".to_owned()
        } else {
            format!("no matching ID found for prefix \"{id}\"")
        };
        let snapshot =
            named.ok_or_else(|| Failure::fatal(format!("failed to find snapshot: {why}")))?;
        let folder = if folder.is_empty() { String::new() } else { self.inner(folder) };
        Ok((snapshot, folder))
    }

    /// Names a path in a snapshot as the host does, however it was given.
    pub(super) fn inner(&self, path: &str) -> String {
        self.there(std::path::Path::new(path)).trim_end_matches('/').to_owned()
    }

    fn fits(&self, snapshot: &Snapshot) -> bool {
        let has =
            |list: &str| list.split(',').all(|tag| snapshot.tags.iter().any(|held| held == tag));
        let tagged =
            self.parsed.values("--tag").next().is_none() || self.parsed.values("--tag").any(has);
        let hosts: Vec<&str> = self.parsed.values("--host").collect();
        let here = hosts.is_empty() || hosts.contains(&snapshot.hostname.as_str());
        let within =
            self.parsed.values("--path").all(|path| snapshot.paths.contains(&self.inner(path)));
        tagged && here && within
    }

    /// Runs `ls ID`.
    pub(super) fn ls(&self, arguments: &[String]) -> Outcome {
        let id = arguments.first().ok_or_else(|| {
            Failure::fatal(
                "no snapshot ID specified, specify snapshot ID or use special ID 'latest'",
            )
        })?;
        let repository = self.open()?;
        let _held = repository.lock(self, false)?;
        let (snapshot, _) = self.one(&repository, id)?;
        let below: Vec<String> = arguments[1..].iter().map(|path| self.inner(path)).collect();
        if self.is_json() {
            let mut head = json!(snapshot);
            head["message_type"] = json!("snapshot");
            head["struct_type"] = json!("snapshot");
            print(format!("{head}\n"));
        } else {
            self.tell(format!(
                "snapshot {} of {:?} at {}:",
                snapshot.short_id, snapshot.paths, snapshot.time
            ));
        }
        for entry in repository.tree(&snapshot.tree)?.entries {
            if !below.is_empty() && !below.iter().any(|folder| entry.path.starts_with(folder)) {
                continue;
            }
            if self.is_json() {
                let name = entry.path.rsplit('/').next();
                let node = json!({"name": name, "type": entry.kind, "path": entry.path, "uid": entry.uid,
                    "gid": entry.gid, "size": entry.size, "mode": entry.mode, "message_type": "node",
                    "struct_type": "node"});
                print(format!("{node}\n"));
            } else {
                print(format!("{}\n", entry.path));
            }
        }
        Ok(())
    }

    /// Runs `dump ID PATH`: a file's bytes.
    pub(super) fn dump(&self, arguments: &[String]) -> Outcome {
        let [id, path] = arguments else {
            return Err(Failure::fatal("no file and no snapshot ID specified"));
        };
        let repository = self.open()?;
        let _held = repository.lock(self, false)?;
        let (snapshot, folder) = self.one(&repository, id)?;
        let wanted = folder + &self.inner(path);
        let entries = repository.tree(&snapshot.tree)?.entries;
        let found = entries.iter().position(|entry| entry.path == wanted);
        let missing =
            || Failure::fatal(format!("cannot dump file: path {path:?} not found in snapshot"));
        let at = found.ok_or_else(missing)?;
        if entries[at].kind != "file" {
            return Err(Failure::fatal("cannot dump a folder (ipai sandbox, simulated)"));
        }
        let bytes = repository.content(&snapshot.tree, at, &entries[at]);
        print(bytes.map_err(|error| Failure::fatal(format!("cannot dump file: {error}")))?);
        Ok(())
    }

    /// Runs `stats`.
    pub(super) fn stats(&self, ids: &[String]) -> Outcome {
        let repository = self.open()?;
        let _held = repository.lock(self, false)?;
        let chosen = self.choose(&repository, ids)?;
        let (mut size, mut files) = (0, 0);
        let mut known = std::collections::BTreeSet::new();
        let raw = self.parsed.value("--mode") == Some("raw-data");
        for snapshot in &chosen {
            for entry in repository.tree(&snapshot.tree)?.entries {
                if !raw || known.insert(entry.sha256.clone()) {
                    size += entry.size;
                }
                files += 1;
            }
        }
        let stats: Value =
            json!({"total_size": size, "total_file_count": files, "snapshots_count": chosen.len()});
        if self.is_json() {
            print(format!("{stats}\n"));
        } else {
            print(format!(
                "Snapshots processed:  {}\nTotal File Count:  {files}\nTotal Size:  {size} B\n",
                chosen.len()
            ));
        }
        Ok(())
    }
}
