//! PostgreSQL's programs, as far as a backup uses them: `psql`, `pg_dump`, `pg_restore`, `pg_isready`.
//!
//! A cluster is one JSON file in the container's volume, so everything that is committed together
//! lands together. A container here runs no program that could have made databases, so one that
//! its environment names, or that is dumped, is there the first time that anybody asks.

mod archive;
mod cluster;
mod psql;
mod sql;

use std::fs;
use std::path::PathBuf;

use cluster::Cluster;

use super::super::{args, print, store};
use super::{Failure, Outcome};

/// Where a cluster lies, and which databases its container was told to have.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) databases: Vec<String>,
}

/// Tells whether a program is one of PostgreSQL's.
pub(super) fn knows(program: &str) -> bool {
    matches!(program, "psql" | "pg_dump" | "pg_restore" | "pg_isready")
}

/// Runs one of PostgreSQL's programs.
pub(super) fn run(place: &Place, command: &[String], input: &[u8]) -> Outcome {
    fs::create_dir_all(&place.folder)?;
    let (program, arguments) = command.split_first().ok_or_else(|| Failure::silent(1))?;
    match program.as_str() {
        "psql" => psql::run(place, arguments, input),
        "pg_dump" => archive::dump(place, arguments),
        "pg_restore" => archive::restore(place, arguments, input),
        _ => {
            print("/var/run/postgresql:5432 - accepting connections\n");
            Ok(())
        }
    }
}

impl Place {
    /// Lets `change` work on the cluster; it is written in one step when that returns.
    fn cluster<R>(&self, change: impl FnOnce(&mut Cluster) -> R) -> Result<R, Failure> {
        Ok(store::change(&self.folder, "ipai-sandbox-postgres", |cluster: &mut Cluster| {
            cluster.appear("postgres");
            self.databases.iter().for_each(|name| cluster.appear(name));
            change(cluster)
        })?)
    }
}

/// What a client says about a database that is not there.
fn no_database(name: &str) -> String {
    format!(
        "connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: \
         FATAL:  database \"{name}\" does not exist"
    )
}
