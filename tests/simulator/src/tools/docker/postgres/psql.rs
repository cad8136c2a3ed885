//! `psql`: statements from `-c` or standard input, one after the other or as one transaction.

use super::args::{Opt, Parsed, switch, valued};
use super::sql::{self, Session};
use super::{Failure, Outcome, Place, no_database, print};
use crate::tools::complain;

const OPTIONS: [Opt; 18] = [
    valued(&["--username", "-U"]),
    valued(&["--dbname", "-d"]),
    valued(&["--host", "-h"]),
    valued(&["--port", "-p"]),
    valued(&["--command", "-c"]),
    valued(&["--file", "-f"]),
    valued(&["--set", "--variable", "-v"]),
    valued(&["--field-separator", "-F"]),
    valued(&["--pset", "-P"]),
    switch(&["--no-align", "-A"]),
    switch(&["--tuples-only", "-t"]),
    switch(&["--quiet", "-q"]),
    switch(&["--no-psqlrc", "-X"]),
    switch(&["--no-password", "-w"]),
    switch(&["--single-transaction", "-1"]),
    switch(&["--echo-errors", "-b"]),
    switch(&["--csv"]),
    switch(&["--no-readline", "-n"]),
];

/// Runs `psql`: exit status 1 for a command that failed, 2 without a connection, 3 for a script
/// that failed under `ON_ERROR_STOP` (psql(1), "Exit Status").
pub(super) fn run(place: &Place, arguments: &[String], input: &[u8]) -> Outcome {
    let parsed = Parsed::read(arguments, &OPTIONS, false).map_err(Failure::plain)?;
    let user = parsed.value("--username").unwrap_or("postgres");
    let name = parsed
        .value("--dbname")
        .or_else(|| parsed.words.first().map(String::as_str))
        .unwrap_or(user);
    if place.cluster(|cluster| cluster.get(name).is_err())? {
        return Err(Failure { text: format!("psql: error: {}", no_database(name)), status: 2 });
    }
    let commands: Vec<&str> = parsed.values("--command").collect();
    let script = commands.is_empty();
    let text =
        if script { String::from_utf8_lossy(input).into_owned() } else { commands.join(";\n") };
    let mut session = Session {
        database: name,
        separator: parsed.value("--field-separator").unwrap_or("|"),
        quiet: parsed.has("--quiet") || parsed.has("--tuples-only"),
    };
    let variables: Vec<(&str, &str)> =
        parsed.values("--set").filter_map(|pair| pair.split_once('=')).collect();
    let (text, stop) = prepare(&text, &variables);
    let mut blocks = blocks(sql::statements(&text));
    if parsed.has("--single-transaction") {
        blocks = vec![Block {
            statements: blocks.into_iter().flat_map(|block| block.statements).collect(),
            whole: true,
        }];
    }
    let mut failed = false;
    for block in blocks {
        if let Err(problem) = block.run(place, &mut session)? {
            complain(if script {
                format!("psql:<stdin>:1: ERROR:  {problem}")
            } else {
                format!("ERROR:  {problem}")
            });
            failed = true;
            if stop || !script {
                break;
            }
        }
    }
    match (failed, script, stop) {
        (true, false, _) => Err(Failure::silent(1)),
        (true, true, true) => Err(Failure::silent(3)),
        _ => Ok(()),
    }
}

/// Fills variables in, takes lines for psql itself out, and tells whether an error ends the script.
fn prepare(text: &str, variables: &[(&str, &str)]) -> (String, bool) {
    let on = |value: &str| matches!(value.trim(), "on" | "1" | "true" | "ON");
    let mut stop = variables.iter().any(|(name, value)| *name == "ON_ERROR_STOP" && on(value));
    let mut left = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(value) = trimmed.strip_prefix("\\set ON_ERROR_STOP") {
            stop = on(value);
        } else if !trimmed.starts_with('\\') && !trimmed.starts_with("--") {
            left.push_str(line);
            left.push('\n');
        }
    }
    for (name, value) in variables {
        left = left.replace(&format!(":'{name}'"), &format!("'{}'", value.replace('\'', "''")));
        left =
            left.replace(&format!(":\"{name}\""), &format!("\"{}\"", value.replace('"', "\"\"")));
    }
    (left, stop)
}

/// Statements that take effect together.
struct Block {
    statements: Vec<String>,
    /// A transaction block, in which databases are neither made nor dropped.
    whole: bool,
}

fn blocks(statements: Vec<String>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Vec<String>> = None;
    for statement in statements {
        let word = statement.to_uppercase();
        let begins =
            word == "BEGIN" || word.starts_with("BEGIN ") || word.starts_with("START TRANSACTION");
        match (word.as_str(), open.as_mut()) {
            (_, None) if begins => open = Some(Vec::new()),
            ("COMMIT" | "END" | "COMMIT WORK", _) => {
                blocks.push(Block { statements: open.take().unwrap_or_default(), whole: true });
            }
            ("ROLLBACK", _) => open = None,
            (_, Some(held)) => held.push(statement),
            (_, None) => blocks.push(Block { statements: vec![statement], whole: false }),
        }
    }
    // What was begun and not committed is gone with the connection.
    blocks
}

impl Block {
    fn run(&self, place: &Place, session: &mut Session<'_>) -> Result<Result<(), String>, Failure> {
        let result = place.cluster(|cluster| {
            let (mut draft, mut said) = (cluster.clone(), String::new());
            for statement in &self.statements {
                said += &sql::execute(&mut draft, session, statement, self.whole)?;
            }
            *cluster = draft;
            Ok(said)
        })?;
        Ok(result.map(print))
    }
}
