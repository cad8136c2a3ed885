//! `pg_dump -Fc` and `pg_restore`: an archive is the magic word, a length, and a database in JSON.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::args::{Opt, Parsed, switch, valued};
use super::cluster::Database;
use super::{Failure, Outcome, Place, no_database, print};

const MAGIC: &[u8] = b"PGDMP";

/// The options of both programs that make sense to a record.
const OPTIONS: [Opt; 23] = [
    valued(&["--username", "-U"]),
    valued(&["--dbname", "-d"]),
    valued(&["--host", "-h"]),
    valued(&["--port", "-p"]),
    valued(&["--format", "-F"]),
    valued(&["--compress", "-Z"]),
    valued(&["--jobs", "-j"]),
    valued(&["--role"]),
    valued(&["--lock-wait-timeout"]),
    valued(&["--exclude-table-data"]),
    switch(&["--no-password", "-w"]),
    switch(&["--list", "-l"]),
    switch(&["--exit-on-error", "-e"]),
    switch(&["--no-owner", "-O"]),
    switch(&["--no-privileges", "--no-acl", "-x"]),
    switch(&["--single-transaction", "-1"]),
    switch(&["--clean", "-c"]),
    switch(&["--if-exists"]),
    switch(&["--no-comments"]),
    switch(&["--no-sync"]),
    switch(&["--no-tablespaces"]),
    switch(&["--serializable-deferrable"]),
    switch(&["--verbose", "-v"]),
];

#[derive(Serialize, Deserialize)]
struct Archive {
    name: String,
    database: Database,
}

/// Runs `pg_dump -Fc -d NAME`, to standard output.
pub(super) fn dump(place: &Place, arguments: &[String]) -> Outcome {
    let parsed = Parsed::read(arguments, &OPTIONS, false).map_err(Failure::plain)?;
    if !matches!(parsed.value("--format"), Some("c" | "custom")) {
        return Err(Failure::plain("pg_dump: error: (ipai sandbox, simulated) only -Fc is known"));
    }
    let name = parsed.value("--dbname").or_else(|| parsed.words.first().map(String::as_str));
    let name = name.unwrap_or("postgres").to_owned();
    let database = place.cluster(|cluster| {
        cluster.appear(&name);
        cluster.databases.get(&name).cloned()
    })?;
    let database = database
        .ok_or_else(|| Failure::plain(format!("pg_dump: error: {}", no_database(&name))))?;
    let text = json!(Archive { name, database }).to_string();
    let mut bytes = MAGIC.to_vec();
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
    print(bytes);
    Ok(())
}

/// Runs `pg_restore -l` or `pg_restore -d NAME`, from standard input.
pub(super) fn restore(place: &Place, arguments: &[String], input: &[u8]) -> Outcome {
    let parsed = Parsed::read(arguments, &OPTIONS, false).map_err(Failure::plain)?;
    let archive =
        open(input).map_err(|problem| Failure::plain(format!("pg_restore: error: {problem}")))?;
    if parsed.has("--list") {
        print(format!(";\n;     dbname: {}\n;     Format: CUSTOM\n;\n", archive.name));
        for (at, table) in archive.database.tables.keys().enumerate() {
            let (schema, name) = table.split_once('.').unwrap_or(("public", table));
            print(format!("{at}; 1259 {at} TABLE {schema} {name} {}\n", archive.database.owner));
        }
        return Ok(());
    }
    let Some(name) = parsed.value("--dbname") else {
        return Err(Failure::plain(
            "pg_restore: error: one of -d/--dbname and -f/--file must be specified",
        ));
    };
    let clean = parsed.has("--clean");
    place.cluster(|cluster| {
        let absent = || Failure::plain(format!("pg_restore: error: {}", no_database(name)));
        let target = cluster.databases.get_mut(name).ok_or_else(absent)?;
        let twice = archive.database.tables.keys().find(|table| target.tables.contains_key(*table));
        if let Some(table) = twice.filter(|_| !clean) {
            let table = table.trim_start_matches("public.");
            return Err(Failure::plain(format!(
                "pg_restore: error: could not execute query: ERROR:  relation \"{table}\" already exists"
            )));
        }
        target.tables.extend(archive.database.tables);
        Ok(())
    })?
}

fn open(bytes: &[u8]) -> Result<Archive, String> {
    if bytes.len() < MAGIC.len() {
        return Err(format!("input file is too short (read {}, expected 5)", bytes.len()));
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or("did not find magic string in file header")?;
    let cut = "could not read from input file: end of file";
    let (size, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
    let text = usize::try_from(u64::from_le_bytes(*size)).ok().and_then(|size| rest.get(..size));
    serde_json::from_slice(text.ok_or(cut)?).map_err(|_| "corrupt data in archive".to_owned())
}
