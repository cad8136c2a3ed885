//! The few statements that are understood, by their shape alone.

use super::cluster::{Cluster, Database, missing};

/// `server_version_num` of PostgreSQL 17.4.
const VERSION_NUMBER: &str = "170004";

/// Who asks.
pub(super) struct Session<'a> {
    pub(super) database: &'a str,
    pub(super) separator: &'a str,
    /// No word for statements that return no rows.
    pub(super) quiet: bool,
}

/// Splits a text at semicolons outside of quotes.
pub(super) fn statements(text: &str) -> Vec<String> {
    let (mut found, mut held, mut quote) = (Vec::new(), String::new(), None);
    for letter in text.chars() {
        match (quote, letter) {
            (None, ';') => found.push(std::mem::take(&mut held)),
            (None, '\'' | '"') => {
                quote = Some(letter);
                held.push(letter);
            }
            (Some(open), close) if open == close => {
                quote = None;
                held.push(letter);
            }
            (None, '\n' | '\t') => held.push(' '),
            _ => held.push(letter),
        }
    }
    found.push(held);
    let found = found.into_iter().map(|statement| statement.trim().to_owned());
    found.filter(|statement| !statement.is_empty()).collect()
}

/// Runs one statement and returns what psql prints.
pub(super) fn execute(
    cluster: &mut Cluster,
    session: &Session<'_>,
    statement: &str,
    in_transaction: bool,
) -> Result<String, String> {
    let words = words(statement);
    let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    let done = |tag: &str| Ok(if session.quiet { String::new() } else { format!("{tag}\n") });
    match upper[..] {
        ["CREATE" | "DROP", "DATABASE", ..] if in_transaction => {
            Err(format!("{} DATABASE cannot run inside a transaction block", upper[0]))
        }
        ["CREATE", "DATABASE", _, ..] => {
            let owner = upper
                .iter()
                .position(|word| *word == "OWNER")
                .and_then(|at| words[at + 1..].iter().find(|word| *word != "="));
            cluster.create(
                &name(&words[2]),
                &owner.map_or_else(|| "postgres".to_owned(), |owner| name(owner)),
            )?;
            done("CREATE DATABASE")
        }
        ["DROP", "DATABASE", "IF", "EXISTS", _, ..] => {
            let name = name(&words[4]);
            not_current(session, &name, "cannot drop the currently open database")?;
            cluster.databases.remove(&name);
            done("DROP DATABASE")
        }
        ["DROP", "DATABASE", _, ..] => {
            let name = name(&words[2]);
            not_current(session, &name, "cannot drop the currently open database")?;
            cluster.databases.remove(&name).ok_or_else(|| missing(&name))?;
            done("DROP DATABASE")
        }
        ["ALTER", "DATABASE", _, "RENAME", "TO", _] => {
            let from = name(&words[2]);
            not_current(session, &from, "current database cannot be renamed")?;
            cluster.rename(&from, &name(&words[5]))?;
            done("ALTER DATABASE")
        }
        ["ALTER", "DATABASE", _, "OWNER", "TO", _] => {
            cluster.get(&name(&words[2]))?.owner = name(&words[5]);
            done("ALTER DATABASE")
        }
        ["ALTER", "DATABASE", _, ..] => {
            cluster.get(&name(&words[2]))?;
            done("ALTER DATABASE")
        }
        [
            "ANALYZE" | "VACUUM" | "SET" | "RESET" | "CHECKPOINT" | "GRANT" | "REVOKE" | "COMMENT",
            ..,
        ] => done(upper[0]),
        ["UPDATE", ..] => done("UPDATE 0"),
        ["SHOW", "SERVER_VERSION_NUM"] => Ok(format!("{VERSION_NUMBER}\n")),
        ["SHOW", "SERVER_VERSION"] => Ok("17.4\n".to_owned()),
        ["INSERT", "INTO", _, ..] => {
            insert(cluster.get(session.database)?, statement, &words[2], done)
        }
        ["CREATE", "TABLE", _, ..] => {
            cluster.get(session.database)?.tables.entry(table(&words[2])).or_default();
            done("CREATE TABLE")
        }
        ["DELETE", "FROM", _] => {
            let rows = std::mem::take(rows(cluster.get(session.database)?, &words[2])?);
            done(&format!("DELETE {}", rows.len()))
        }
        ["SELECT", ..] => select(cluster, session, statement),
        _ => Err(format!("syntax error: the sandbox does not understand: {statement}")),
    }
}

fn not_current(session: &Session<'_>, name: &str, problem: &str) -> Result<(), String> {
    if session.database == name { Err(problem.to_owned()) } else { Ok(()) }
}

fn insert(
    database: &mut Database,
    statement: &str,
    into: &str,
    done: impl Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    let at = statement.to_uppercase().find("VALUES").ok_or("syntax error: no VALUES")?;
    let added: Vec<String> = tuples(&statement[at + "VALUES".len()..]);
    let count = added.len();
    database.tables.entry(table(into)).or_default().extend(added);
    done(&format!("INSERT 0 {count}"))
}

/// Reads `('a', 1), ('b', 2)` as `a|1` and `b|2`.
fn tuples(text: &str) -> Vec<String> {
    let (mut found, mut row, mut quoted, mut inside) = (Vec::new(), String::new(), false, false);
    for letter in text.chars() {
        match (letter, quoted, inside) {
            ('\'', _, true) => quoted = !quoted,
            ('(', false, false) => inside = true,
            (')', false, true) => {
                inside = false;
                found.push(std::mem::take(&mut row));
            }
            (',', false, true) => row.push('|'),
            (' ', false, true) => {}
            (letter, _, true) => row.push(letter),
            _ => {}
        }
    }
    found
}

fn select(cluster: &mut Cluster, session: &Session<'_>, statement: &str) -> Result<String, String> {
    let lower = statement.to_lowercase();
    if lower.contains("query_to_xml") {
        let tables = &cluster.get(session.database)?.tables;
        let separator = session.separator;
        return Ok(tables
            .iter()
            .map(|(name, rows)| format!("{name}{separator}{}\n", rows.len()))
            .collect());
    }
    if lower.contains("current_setting('server_version_num')") {
        return Ok(format!("{VERSION_NUMBER}\n"));
    }
    if lower.contains("pg_terminate_backend") {
        return Ok(String::new());
    }
    // Whoever owns something here needs no making.
    if lower.contains("from pg_roles") {
        return Ok(literals(statement).iter().map(|name| format!("{name}\n")).collect());
    }
    if lower.contains("from pg_database") || lower.contains("from pg_catalog.pg_database") {
        return databases(cluster, session, statement);
    }
    if lower.contains("pg_database_size(") {
        let named =
            literals(statement).first().cloned().unwrap_or_else(|| session.database.to_owned());
        return Ok(format!("{}\n", cluster.get(&named)?.size()));
    }
    let Some(at) = lower.find(" from ") else {
        return Ok(format!("{}\n", statement["SELECT".len()..].trim().trim_matches('\'')));
    };
    let from = words(&statement[at + " from ".len()..]);
    let rows = rows(cluster.get(session.database)?, from.first().map_or("", String::as_str))?;
    if lower.contains("count(*)") {
        return Ok(format!("{}\n", rows.len()));
    }
    Ok(rows.iter().map(|row| format!("{row}\n")).collect())
}

/// `SELECT … FROM pg_database [WHERE …]`: names, owners and sizes of the databases that fit.
fn databases(cluster: &Cluster, session: &Session<'_>, statement: &str) -> Result<String, String> {
    let lower = statement.to_lowercase();
    let from = lower.find(" from ").unwrap_or(lower.len());
    let list = statement["SELECT".len()..from].trim();
    let condition = lower.find(" where ").map(|at| &statement[at + " where ".len()..]);
    let condition = condition
        .map(|text| text[..text.to_lowercase().find("order by").unwrap_or(text.len())].trim());
    let mut chosen = Vec::new();
    for (name, database) in &cluster.databases {
        if fits(name, condition.unwrap_or(""))? {
            chosen.push((name, database));
        }
    }
    let sizes = || chosen.iter().map(|(_, database)| database.size()).sum::<usize>();
    match list.to_lowercase() {
        list if list.contains("sum(pg_database_size(") => return Ok(format!("{}\n", sizes())),
        list if list.contains("count(*)") => return Ok(format!("{}\n", chosen.len())),
        _ => {}
    }
    let row = |(name, database): &(&String, &Database)| {
        let values = list.split(',').map(|column| match column.trim().to_lowercase() {
            column if column.contains("pg_database_size") => database.size().to_string(),
            column if column.contains("datdba") => database.owner.clone(),
            column if column.contains("datname") => (*name).clone(),
            column => column.trim_matches('\'').to_owned(),
        });
        values.collect::<Vec<_>>().join(session.separator) + "\n"
    };
    Ok(chosen.iter().map(row).collect())
}

/// Applies a condition on names; what else it asks holds for every database here.
fn fits(name: &str, condition: &str) -> Result<bool, String> {
    let mut fits = true;
    for part in split_and(condition) {
        let lower = part.to_lowercase();
        let values = literals(part);
        let first = values.first().map_or("", String::as_str);
        fits &= match lower.as_str() {
            "" | "not datistemplate" | "datallowconn" | "datistemplate = false" => true,
            text if !text.contains("datname") => {
                return Err(format!("syntax error: the sandbox does not understand: {part}"));
            }
            text if text.contains(" not in ") => !values.iter().any(|value| value == name),
            text if text.contains(" in ") || text.contains(" in(") => {
                values.iter().any(|value| value == name)
            }
            text if text.contains(" not like ") => !like(name.as_bytes(), first.as_bytes()),
            text if text.contains(" like ") => like(name.as_bytes(), first.as_bytes()),
            text if text.contains("<>") || text.contains("!=") => first != name,
            text if text.contains('=') => first == name,
            _ => return Err(format!("syntax error: the sandbox does not understand: {part}")),
        };
    }
    Ok(fits)
}

fn split_and(condition: &str) -> Vec<&str> {
    let lower = condition.to_lowercase();
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, _) in lower.match_indices(" and ") {
        parts.push(condition[from..at].trim());
        from = at + " and ".len();
    }
    parts.push(condition[from..].trim());
    parts
}

/// Returns what stands in single quotes.
fn literals(text: &str) -> Vec<String> {
    text.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

/// SQL's `LIKE`: `%` is any text, `_` any letter, a backslash takes the meaning away.
fn like(text: &[u8], pattern: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'%', rest @ ..] => (0..=text.len()).any(|at| like(&text[at..], rest)),
        [b'\\', letter, rest @ ..] => text.first() == Some(letter) && like(&text[1..], rest),
        [letter, rest @ ..] => {
            text.first().is_some_and(|first| *letter == b'_' || first == letter)
                && like(&text[1..], rest)
        }
    }
}

fn rows<'d>(database: &'d mut Database, name: &str) -> Result<&'d mut Vec<String>, String> {
    let missing = || format!("relation \"{name}\" does not exist");
    database.tables.get_mut(&table(name)).ok_or_else(missing)
}

/// Names a table with its schema.
fn table(word: &str) -> String {
    let bare: Vec<String> = word.split('(').next().unwrap_or(word).split('.').map(name).collect();
    if bare.len() > 1 { bare.join(".") } else { format!("public.{}", bare.concat()) }
}

/// Reads an identifier: quotes away, otherwise in small letters.
fn name(word: &str) -> String {
    match word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

/// Splits at spaces outside of quotes.
fn words(statement: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in statement.chars() {
        match (quote, letter) {
            (None, ' ') => found.push(std::mem::take(&mut word)),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.push(letter);
            }
            (Some(open), close) if open == close => {
                quote = None;
                word.push(letter);
            }
            _ => word.push(letter),
        }
    }
    found.push(word);
    found.retain(|word| !word.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes() {
        assert_eq!(statements("a ';' b;\n c \";\";"), ["a ';' b", "c \";\""]);
    }

    #[test]
    fn conditions_choose_names() {
        let fits = |condition: &str| fits("n8n_db", condition).unwrap();
        assert!(fits("datname IN ('x', 'n8n_db') AND NOT datistemplate"));
        assert!(fits("datname LIKE 'n8n\\_%'") && !fits("datname LIKE 'n8n\\_x%'"));
        assert!(!fits("datname <> 'n8n_db'") && fits("datname = 'n8n_db'"));
        assert!(super::fits("a", "oid > 5").is_err());
    }

    #[test]
    fn rows_are_their_values() {
        assert_eq!(tuples(" ('a b', 1), ('c, d', 2)"), ["a b|1", "c, d|2"]);
    }
}
