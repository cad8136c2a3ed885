//! The databases of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// All databases, by name.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) databases: BTreeMap<String, Database>,
    /// Names that were there once: what was dropped does not appear again by itself.
    seen: BTreeSet<String>,
}

/// One database.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Database {
    pub(super) owner: String,
    /// Rows by the table's name with its schema; a row is its values, joined by `|`.
    pub(super) tables: BTreeMap<String, Vec<String>>,
}

impl Cluster {
    /// Makes a database that nobody made, unless it was there before.
    pub(super) fn appear(&mut self, name: &str) {
        if self.seen.insert(name.to_owned()) && !self.databases.contains_key(name) {
            let owner = name.strip_suffix("_db").unwrap_or(name).to_owned();
            let rows = vec![format!("ipai sandbox {name}")];
            let tables = match name {
                "postgres" => BTreeMap::new(),
                _ => BTreeMap::from([("public.ipai_sandbox".to_owned(), rows)]),
            };
            self.databases.insert(name.to_owned(), Database { owner, tables });
        }
    }

    pub(super) fn create(&mut self, name: &str, owner: &str) -> Result<(), String> {
        if self.databases.contains_key(name) {
            return Err(exists(name));
        }
        self.seen.insert(name.to_owned());
        let database = Database { owner: owner.to_owned(), tables: BTreeMap::new() };
        self.databases.insert(name.to_owned(), database);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        if self.databases.contains_key(to) {
            return Err(exists(to));
        }
        let database = self.databases.remove(from).ok_or_else(|| missing(from))?;
        self.seen.insert(to.to_owned());
        self.databases.insert(to.to_owned(), database);
        Ok(())
    }

    pub(super) fn get(&mut self, name: &str) -> Result<&mut Database, String> {
        self.databases.get_mut(name).ok_or_else(|| missing(name))
    }
}

impl Database {
    /// Returns its size in bytes, somehow: the length of what it holds.
    pub(super) fn size(&self) -> usize {
        let rows = self
            .tables
            .iter()
            .map(|(name, rows)| name.len() + rows.iter().map(String::len).sum::<usize>());
        8192 + rows.sum::<usize>()
    }
}

fn exists(name: &str) -> String {
    format!("database \"{name}\" already exists")
}

pub(super) fn missing(name: &str) -> String {
    format!("database \"{name}\" does not exist")
}
