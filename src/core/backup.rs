//! `[backup]`: what of a stack is kept, where and when. It becomes resources like any other: a program, its settings and
//! three units on the host, so the plan shows them, drift is seen, and the host takes its backups without an operator.

mod manifest;
mod program;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, StackId};
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::{Fields, wrong_type};
use crate::resource::{ResourceType, Types};
use crate::sections::MOST_KEPT;
use crate::stack::{Declared, Stack};
use crate::tree::{Data, Table};

pub use manifest::{AHEAD, DatabaseRecord, Facts, FolderRecord, Manifest, ServiceRecord, refusals};
pub use program::path as program_path;

/// How old the newest backup may be, in seconds, when the stack does not say: a day, and two hours of grace.
const MAX_AGE: i64 = 26 * 3_600;
/// The longest name of a database: PostgreSQL's limit is 63 bytes, and names beside it take eleven.
const LONGEST_DATABASE: usize = 52;

/// What a stack says of its backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The Compose project whose data it is.
    pub compose: Address,
    /// Seconds after which the newest backup is too old.
    pub max_age: i64,
    /// What belongs to each service.
    pub services: BTreeMap<String, ServiceData>,
    /// The service that the databases live in, and the superuser there.
    pub postgres: (String, String),
    /// Where the section stands.
    pub span: Span,
}

/// The data of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceData {
    /// Databases, with the role that owns each.
    pub databases: BTreeMap<String, String>,
    /// Volumes, as the Compose file names them.
    pub volumes: Vec<String>,
    /// Directories on the host.
    pub directories: Vec<String>,
    /// Services that stand still while it is copied.
    pub stops: Vec<String>,
    /// A command in its container that ends with 0 when what was restored can be read.
    pub verify: Vec<String>,
    /// A command in its container that prints the authority, in PEM form, by which a drill's sites prove themselves.
    pub authority: Vec<String>,
    /// SQL by database that keeps a drill from doing what the real one does.
    pub drill_sql: BTreeMap<String, String>,
    /// Where its section stands.
    pub span: Option<Span>,
}

/// What is written down as it stands, for the settings; all of it may be templates.
struct Written {
    repository: String,
    password: String,
    environment: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
    keep: String,
    schedule: String,
    online: bool,
}

/// The environment in which a drill takes place, behind the one whose backups it restores.
pub const DRILL: &str = "drill";

/// The environment of a drill, and, for such a one, the stack whose backups it is about.
#[must_use]
pub fn drill_of(environment: Option<&str>) -> String {
    environment.map_or_else(|| DRILL.to_owned(), |environment| format!("{environment}-{DRILL}"))
}

/// The stack whose backups are taken and restored here: its own, or in a drill those of the stack that it is a drill of.
pub(crate) fn source(name: &str, environment: Option<&str>) -> StackId {
    let own = environment.filter(|environment| *environment != DRILL);
    StackId::new(
        name,
        own.map(|environment| environment.strip_suffix("-drill").unwrap_or(environment)),
    )
}

/// Takes away what leads others to a stack, such as DNS records, for where it is brought up without being found.
pub fn without_names(stack: &mut Stack, types: &Types) {
    let leads = |address: &Address| types.get(address).is_some_and(ResourceType::leads_here);
    let gone: Vec<Declared> =
        stack.resources.extract_if(.., |declared| leads(&declared.address)).collect();
    let gone: BTreeSet<String> = gone.iter().map(|declared| declared.address.to_string()).collect();
    for declared in &mut stack.resources {
        let Some(node) = declared.table.get_mut("after") else { continue };
        if let Data::List(items) = &mut node.data {
            items.retain(|item| !matches!(&item.data, Data::Text(text) if gone.contains(text)));
        }
    }
}

/// Gives what a drill makes names of its own, unless the stack's do already speak of it. What lives on a host may be
/// called the same: the host is another one.
pub fn with_names_of_its_own(stack: &mut Stack, types: &Types) {
    let speaks = |text: &str| text.contains("stack.env") || text.contains("stack.id");
    let stands_alone =
        |address: &Address| types.get(address).is_some_and(|kind| kind.home().is_none());
    for declared in stack.resources.iter_mut().filter(|d| stands_alone(&d.address)) {
        let Some(node) = declared.table.get_mut("name") else { continue };
        if let Data::Text(text) = &mut node.data
            && !speaks(text)
        {
            text.push_str("-drill");
        }
    }
}

/// Reads the section and adds its resources. `resources` has everything else of the stack.
pub(crate) fn read(
    section: (&Span, &Table),
    (id, source): (&StackId, &StackId),
    resources: &mut Vec<Declared>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Backup> {
    let (header, table) = section;
    let mut fields = Fields::new(table, "`[backup]`", header, problems);
    let compose = fields.required_text("compose");
    let written = Written {
        repository: fields.required_text("repository").map(|text| text.0).unwrap_or_default(),
        password: fields.required_text("password").map(|text| text.0).unwrap_or_default(),
        environment: texts(&mut fields, "environment"),
        keys: texts(&mut fields, "keys"),
        keep: keep(&mut fields),
        schedule: schedule(&mut fields),
        online: fields.bool("online").unwrap_or(false),
    };
    let max_age = max_age(&mut fields);
    let services = services(&mut fields);
    let postgres = (word(&mut fields, "postgres"), word(&mut fields, "postgres_user"));
    let compose = compose.and_then(|compose| address(compose, resources, &mut fields));
    fields.finish();
    let backup = Backup { compose: compose?, max_age, services, postgres, span: header.clone() };
    let project = resources.iter().find(|declared| declared.address == backup.compose)?.clone();
    let own = program::resources(&backup, &written, id, source, &project);
    let taken: BTreeSet<Address> =
        resources.iter().map(|declared| declared.address.clone()).collect();
    for declared in own {
        if taken.contains(&declared.address) {
            let detail = format!("`[backup]` makes `{}` itself.", declared.address);
            problems.push(
                Diagnostic::error("Duplicate address or key")
                    .detail(detail)
                    .hint("give yours another name")
                    .at(header),
            );
        } else {
            resources.push(declared);
        }
    }
    resources.sort_by(|a, b| a.address.cmp(&b.address));
    Some(backup)
}

/// A name that a shell, SQL and Docker take as it is.
fn is_plain(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !text.is_empty() && text.chars().all(legal) && !text.starts_with(['-', '.'])
}

fn address(
    (text, span): (String, Span),
    resources: &[Declared],
    fields: &mut Fields<'_>,
) -> Option<Address> {
    let found = resources.iter().map(|declared| &declared.address).find(|a| a.to_string() == text);
    match found {
        Some(address) if address.provider == "host" && address.kind == "compose" => {
            Some(address.clone())
        }
        _ => {
            let names: Vec<String> = resources
                .iter()
                .map(|d| d.address.to_string())
                .filter(|a| a.starts_with("host.compose."))
                .collect();
            let problem = Diagnostic::error("Reference to nothing")
                .detail(format!("`{text}` is no Compose project of this stack."));
            let problem = if names.is_empty() {
                problem
            } else {
                problem.hint(format!("projects: {}", names.join(", ")))
            };
            fields.problem(problem.at(&span));
            None
        }
    }
}

/// A table of texts.
fn texts(fields: &mut Fields<'_>, key: &'static str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, entry) in fields.table(key).into_iter().flat_map(Table::iter) {
        match &entry.node.data {
            Data::Text(_) if key == "environment" && !is_variable(name) => {
                fields.problem(not_plain(name, &entry.key));
            }
            Data::Text(text) if is_plain(name) => drop(found.insert(name.clone(), text.clone())),
            Data::Text(_) => fields.problem(not_plain(name, &entry.key)),
            _ => fields.problem(wrong_type(name, &entry.node, "a string")),
        }
    }
    found
}

/// The name of an environment variable.
fn is_variable(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(legal) && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn not_plain(name: &str, at: &Span) -> Diagnostic {
    let detail =
        format!("`{}` may have letters, digits, `_`, `-` and `.` only.", name.escape_debug());
    Diagnostic::error("Not a name").detail(detail).at(at)
}

/// Restic's options for what is kept.
fn keep(fields: &mut Fields<'_>) -> String {
    let mut kept = vec![("last", 3), ("daily", 7), ("weekly", 5), ("monthly", 12)];
    let Some(node) = fields.node("keep") else { return options(&kept) };
    let Data::Table(table) = &node.data else {
        fields.problem(wrong_type(
            "keep",
            node,
            "a table such as { last = 3, daily = 7, weekly = 5, monthly = 12 }",
        ));
        return options(&kept);
    };
    kept.iter_mut().for_each(|(_, count)| *count = 0);
    for (name, entry) in table.iter() {
        match (kept.iter_mut().find(|(known, _)| known == name), &entry.node.data) {
            (Some((_, count)), Data::Int(wanted @ 0..=MOST_KEPT)) => *count = *wanted,
            (Some(_), _) => {
                fields.problem(wrong_type(name, &entry.node, "an integer from 0 to 10000"))
            }
            (None, _) => {
                let names = ["last", "daily", "weekly", "monthly"];
                fields.problem(crate::fields::unknown_key(
                    name,
                    "`keep`",
                    names.into_iter(),
                    &entry.key,
                ));
            }
        }
    }
    options(&kept)
}

fn options(kept: &[(&str, i64)]) -> String {
    let some = kept.iter().filter(|(_, count)| *count > 0);
    some.map(|(name, count)| format!("--keep-{name} {count}")).collect::<Vec<_>>().join(" ")
}

fn schedule(fields: &mut Fields<'_>) -> String {
    let Some((text, span)) = fields.text("schedule") else {
        return "*-*-* 02:30:00 UTC".to_owned();
    };
    if let Err(hint) = schedule::check(&text) {
        let problem = Diagnostic::error("Not a schedule")
            .detail(format!("`{}` is no calendar event of systemd.", text.escape_debug()))
            .hint(hint);
        fields.problem(problem.at(&span));
    }
    text
}

fn max_age(fields: &mut Fields<'_>) -> i64 {
    let Some((text, span)) = fields.text("max_age") else { return MAX_AGE };
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let age = number
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .filter(|age| *age > 0);
    age.unwrap_or_else(|| {
        let problem = Diagnostic::error("Not a duration")
            .detail(format!("`{}` is none.", text.escape_debug()));
        fields.problem(
            problem.hint("write minutes, hours or days: \"90m\", \"26h\", \"2d\"").at(&span),
        );
        MAX_AGE
    })
}

fn word(fields: &mut Fields<'_>, key: &'static str) -> String {
    let Some((text, span)) = fields.text(key) else { return "postgres".to_owned() };
    if !is_plain(&text) {
        fields.problem(not_plain(&text, &span));
    }
    text
}

fn services(fields: &mut Fields<'_>) -> BTreeMap<String, ServiceData> {
    let mut services = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, entry) in fields.table("service").into_iter().flat_map(Table::iter) {
        match &entry.node.data {
            Data::Table(table) => {
                drop(services.insert(name.clone(), service(name, &entry.key, table, &mut problems)))
            }
            _ => problems.push(wrong_type(name, &entry.node, "a table")),
        }
    }
    problems.extend(repeated(&services, fields));
    problems.into_iter().for_each(|problem| fields.problem(problem));
    services
}

/// What two services claim at once.
fn repeated(
    services: &BTreeMap<String, ServiceData>,
    fields: &mut Fields<'_>,
) -> Option<Diagnostic> {
    let mut seen = BTreeSet::new();
    let all = services
        .values()
        .flat_map(|data| data.databases.keys().chain(&data.volumes).chain(&data.directories));
    let twice = all.into_iter().find(|name| !seen.insert(*name))?;
    let span = &fields.node("service")?.span;
    let problem = Diagnostic::error("Backed up twice")
        .detail(format!("`{twice}` stands in `[backup]` twice."));
    Some(problem.hint("name it under the one service whose data it is").at(span))
}

fn service(
    name: &str,
    header: &Span,
    table: &Table,
    problems: &mut Vec<Diagnostic>,
) -> ServiceData {
    if !is_plain(name) {
        problems.push(not_plain(name, header));
    }
    let what = format!("`[backup.service.{name}]`");
    let mut fields = Fields::new(table, &what, header, problems);
    let databases = texts(&mut fields, "databases");
    let data = ServiceData {
        volumes: fields.texts("volumes").unwrap_or_default(),
        directories: fields.texts("directories").unwrap_or_default(),
        stops: fields.texts("stops").unwrap_or_else(|| vec![name.to_owned()]),
        verify: fields.texts("verify").unwrap_or_default(),
        authority: fields.texts("authority").unwrap_or_default(),
        drill_sql: texts(&mut fields, "drill_sql"),
        span: Some(header.clone()),
        databases,
    };
    let words = data
        .databases
        .iter()
        .flat_map(|(db, role)| [db, role])
        .chain(&data.volumes)
        .chain(&data.stops);
    let bad: Vec<&String> = words.filter(|word| !is_plain(word)).collect();
    let long = data.databases.keys().find(|name| name.len() > LONGEST_DATABASE);
    let path = |path: &&String| {
        !path.starts_with('/')
            || path.len() < 2
            || path.ends_with('/')
            || path.split('/').any(|part| part == "..")
            || !path.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c))
    };
    let folder = data.directories.iter().find(path);
    bad.iter().for_each(|word| fields.problem(not_plain(word, header)));
    if let Some(long) = long {
        fields.problem(
            Diagnostic::error("Too long a name")
                .detail(format!("`{long}` is longer than {LONGEST_DATABASE} bytes."))
                .at(header),
        );
    }
    if let Some(folder) = folder {
        let problem = Diagnostic::error("Not a path for a directory").detail(format!(
            "`{}` must be absolute, of letters, digits, `_`, `-` and `.`.",
            folder.escape_debug()
        ));
        fields.problem(problem.hint("write it as directories = [\"/srv/files\"]").at(header));
    }
    fields.finish();
    data
}

/// Tells whether a text is the name of a backup: what restic calls a snapshot, or `latest`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text == "latest"
        || (text.len() >= 8 && text.len() <= 64 && text.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
