//! A stack's TOML, read into types. Values are still templates; what they mean is found out in `desired`.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, MAX_NAME, StackId, is_name};
use crate::backup::{self, Backup};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::fields::{Fields, unknown_key, wrong_type};
use crate::resource::Types;
use crate::sections::WAYS;
use crate::tree::{self, Data, Node, Table};

/// A stack as written.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The chosen environment.
    pub environment: Option<String>,
    /// Name and environment together.
    pub id: StackId,
    /// One line for people.
    pub description: String,
    /// Plain values for templates.
    pub variables: BTreeMap<String, Node>,
    /// How to log in on hosts.
    pub ssh: Ssh,
    /// Secrets by name.
    pub secrets: BTreeMap<String, SecretDeclaration>,
    /// Resources in the order of their addresses.
    pub resources: Vec<Declared>,
    /// Those whose type is unknown, which is an error: that something refers to one is none of its own.
    pub unread: BTreeSet<Address>,
    /// Health checks by name, not yet rendered.
    pub checks: BTreeMap<String, (Span, Table)>,
    /// What it hands over to others, by name, not yet rendered.
    pub outputs: BTreeMap<String, (Span, Table)>,
    /// What is kept of it; its resources are among the others.
    pub backup: Option<Backup>,
}

/// How ipai logs in on the stack's hosts.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// The login user.
    pub user: String,
    /// The TCP port.
    pub port: u16,
    /// A file of public keys in the stack's folder, and where it is named.
    pub authorized_keys: Option<(String, Span)>,
    /// A private key to try besides the agent's.
    pub identity_file: Option<String>,
}

/// A declared resource.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its address.
    pub address: Address,
    /// Where its header stands.
    pub span: Span,
    /// Its keys.
    pub table: Table,
}

/// A declared secret.
#[derive(Clone, Debug)]
pub struct SecretDeclaration {
    /// Where it comes from.
    pub source: SecretSource,
    /// What it is when its source has nothing; only for sources outside the repository.
    pub default: Option<String>,
    /// Why it must never be rotated just so, such as data that was encrypted with it.
    pub permanent: Option<String>,
    /// Where its header stands.
    pub span: Span,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Made once by ipai and kept encrypted in the stack's secret file.
    Generate(Generate),
    /// Put into the stack's encrypted secret file by a person.
    Store,
    /// An environment variable.
    Environment(String),
    /// A file, relative to the stack's folder.
    File(String),
    /// A command's standard output, as an argument list.
    Command(Vec<String>),
}

/// How to make a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generate {
    /// Letters and digits; length in characters.
    Password(usize),
    /// Characters of an alphabet, each equally likely; length in characters.
    PasswordOf {
        /// How many.
        length: usize,
        /// Different printable ASCII characters.
        alphabet: String,
    },
    /// Random bytes in hex; length in bytes.
    Hex(usize),
    /// The bcrypt hash of another secret.
    Bcrypt(String),
    /// The private half of an ed25519 key pair, in OpenSSH's form.
    KeyPair,
    /// The public half of another secret that is a key pair, as a line of OpenSSH's.
    PublicKey(String),
}

impl Generate {
    /// The secret that this one is made from.
    #[must_use]
    pub fn of(&self) -> Option<&str> {
        match self {
            Self::Bcrypt(of) | Self::PublicKey(of) => Some(of),
            Self::Password(_) | Self::PasswordOf { .. } | Self::Hex(_) | Self::KeyPair => None,
        }
    }
}

/// What a generated password must be worth, reckoned downwards: below, it can be guessed offline.
const FEWEST_BITS: usize = 64;

const SECTIONS: [&str; 7] = ["stack", "var", "ssh", "secret", "check", "output", "backup"];

/// Reads a stack's files: the main one, then overlays in the order in which they are laid over it.
/// Gives back what could be read together with everything that is wrong; of broken TOML only what breaks it.
#[must_use]
pub fn parse(
    files: &[(&str, &str)],
    environment: Option<&str>,
    types: &Types,
) -> (Option<Stack>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut root = Table::default();
    for (name, text) in files {
        let (table, errors) = tree::parse(name, text);
        problems.extend(errors);
        root.overlay(table);
    }
    // After a syntax error the rest is read by guesswork, and what seems wrong with it may be right.
    if problems.iter().any(|problem| problem.summary == tree::SYNTAX) {
        return (None, problems);
    }
    let main = Span { file: files.first().map_or("stack.toml", |f| f.0).into(), start: 0, end: 0 };
    let stack = read(root, &main, environment, types, &mut problems);
    (stack, problems)
}

fn read(
    root: Table,
    main: &Span,
    environment: Option<&str>,
    types: &Types,
    problems: &mut Vec<Diagnostic>,
) -> Option<Stack> {
    let identity = read_identity(&root, main, problems);
    let ssh = read_ssh(&root, problems);
    let variables = read_variables(&root, problems);
    let secrets = read_secrets(&root, problems);
    let checks = read_named(&root, "check", problems);
    let outputs = read_named(&root, "output", problems);
    let kept =
        section(&root, "backup", problems).map(|(header, table)| (header.clone(), table.clone()));
    let (mut resources, unread) = read_resources(root, types, problems);
    let (name, description) = identity?;
    if environment.is_some_and(|env| !is_name(env) || env.contains("--")) {
        let detail = "An environment's name is lower-case letters, digits, `-` and `_`, without `--`; it becomes part of every marker.";
        problems.push(Diagnostic::error("Not an environment name").detail(detail));
    }
    let id = StackId::new(&name, environment);
    let source = backup::source(&name, environment);
    let environment = environment.map(str::to_owned);
    let kept = kept.as_ref().map(|(header, table)| (header, table));
    let backup = kept.and_then(|kept| backup::read(kept, (&id, &source), &mut resources, problems));
    Some(Stack {
        name,
        environment,
        id,
        description,
        variables,
        ssh,
        secrets,
        resources,
        unread,
        checks,
        outputs,
        backup,
    })
}

impl Stack {
    /// The stack whose backups are taken and restored here: its own, or in a drill those of the stack that it is a drill of.
    #[must_use]
    pub fn backup_source(&self) -> StackId {
        backup::source(&self.name, self.environment.as_deref())
    }
}

fn section<'a>(
    root: &'a Table,
    key: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<(&'a Span, &'a Table)> {
    let entry = root.entry(key)?;
    if let Data::Table(table) = &entry.node.data {
        return Some((&entry.key, table));
    }
    problems.push(wrong_type(key, &entry.node, "a table"));
    None
}

fn read_identity(
    root: &Table,
    main: &Span,
    problems: &mut Vec<Diagnostic>,
) -> Option<(String, String)> {
    let Some((header, table)) = section(root, "stack", problems) else {
        let hint = "begin the file with:\n[stack]\nname = \"ops\"";
        problems.push(Diagnostic::error("Missing section `[stack]`").hint(hint).at(main));
        return None;
    };
    let mut fields = Fields::new(table, "`[stack]`", header, problems);
    let name = fields.required_text("name");
    let description = fields.text("description").map(|d| d.0).unwrap_or_default();
    if let Some((name, span)) = &name
        && (!is_name(name) || name.contains("--") || name.ends_with('-'))
    {
        let detail =
            format!("`{name}` must be lower-case letters, digits, `-`, `_`; at most {MAX_NAME}.");
        fields.problem(Diagnostic::error("Not a stack name").detail(detail).at(span));
    }
    fields.finish();
    Some((name?.0, description))
}

fn read_ssh(root: &Table, problems: &mut Vec<Diagnostic>) -> Ssh {
    let mut ssh = Ssh { user: "root".into(), port: 22, authorized_keys: None, identity_file: None };
    if let Some((header, table)) = section(root, "ssh", problems) {
        let mut fields = Fields::new(table, "`[ssh]`", header, problems);
        ssh.user = fields.text("user").map_or(ssh.user, |user| user.0);
        ssh.port = fields.int("port", 1, 65535).and_then(|p| u16::try_from(p).ok()).unwrap_or(22);
        ssh.authorized_keys = fields.text("authorized_keys");
        ssh.identity_file = fields.text("identity_file").map(|file| file.0);
        fields.finish();
    }
    ssh
}

fn read_variables(root: &Table, problems: &mut Vec<Diagnostic>) -> BTreeMap<String, Node> {
    let mut variables = BTreeMap::new();
    for (name, entry) in section(root, "var", problems).into_iter().flat_map(|s| s.1.iter()) {
        if matches!(entry.node.data, Data::Other(_) | Data::Table(_)) {
            problems.push(wrong_type(name, &entry.node, "a string, integer, boolean or array"));
        }
        variables.insert(name.clone(), entry.node.clone());
    }
    variables
}

fn named_tables<'a>(
    root: &'a Table,
    key: &str,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(&'a String, &'a Span, &'a Table)> {
    let mut found = Vec::new();
    for (name, entry) in section(root, key, problems).into_iter().flat_map(|s| s.1.iter()) {
        check_name(name, &entry.key, problems);
        match &entry.node.data {
            Data::Table(table) => found.push((name, &entry.key, table)),
            _ => problems.push(wrong_type(name, &entry.node, "a table")),
        }
    }
    found
}

fn check_name(name: &str, span: &Span, problems: &mut Vec<Diagnostic>) {
    if !is_name(name) {
        let detail =
            format!("`{name}` must be lower-case letters, digits, `-`, `_`; at most {MAX_NAME}.");
        problems.push(Diagnostic::error("Not a resource name").detail(detail).at(span));
    }
}

fn read_secrets(
    root: &Table,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, SecretDeclaration> {
    let mut secrets = BTreeMap::new();
    for (name, header, table) in named_tables(root, "secret", problems) {
        if let Some(declaration) = read_secret(table, header, problems) {
            secrets.insert(name.clone(), declaration);
        }
    }
    for declaration in secrets.values() {
        problems.extend(misfit(declaration, &secrets));
    }
    secrets
}

/// What is wrong with the secret that another one is made from.
fn misfit(
    declaration: &SecretDeclaration,
    secrets: &BTreeMap<String, SecretDeclaration>,
) -> Option<Diagnostic> {
    let SecretSource::Generate(how) = &declaration.source else { return None };
    let of = how.of()?;
    let pair = SecretSource::Generate(Generate::KeyPair);
    let problem = match (how, secrets.get(of).map(|other| &other.source)) {
        (_, None) => Diagnostic::error("Reference to nothing")
            .detail(format!("There is no `[secret.{of}]` to make this one from.")),
        (Generate::PublicKey(_), Some(source)) if *source != pair => {
            Diagnostic::error("No public half")
                .detail(format!("`{of}` is not a key pair."))
                .hint(format!("write `generate = \"keypair\"` under [secret.{of}]"))
        }
        _ => return None,
    };
    Some(problem.at(&declaration.span))
}

fn read_secret(
    table: &Table,
    header: &Span,
    problems: &mut Vec<Diagnostic>,
) -> Option<SecretDeclaration> {
    let mut fields = Fields::new(table, "A secret", header, problems);
    let generate = fields.text("generate");
    let length = fields.int("length", 8, 4096).and_then(|n| usize::try_from(n).ok());
    let of = fields.text("of");
    let alphabet = fields.text("alphabet");
    let mut sources: Vec<SecretSource> = Vec::new();
    sources.extend(fields.text("env").map(|env| SecretSource::Environment(env.0)));
    sources.extend(fields.text("file").map(|file| SecretSource::File(file.0)));
    sources.extend(fields.texts("command").map(SecretSource::Command));
    let default = fields.text("default").map(|default| default.0);
    let permanent = fields.text("permanent").map(|permanent| permanent.0);
    if let Some((kind, span)) = &generate {
        match (kind.as_str(), of) {
            ("password", None) if alphabet.is_some() => {
                sources.extend(password_of(alphabet, length.unwrap_or(40), &mut fields));
            }
            _ if alphabet.is_some() => fields.problem(
                Diagnostic::error("An alphabet for what has none")
                    .hint("only `generate = \"password\"` takes an `alphabet`")
                    .at(span),
            ),
            ("password", None) => {
                sources.push(SecretSource::Generate(Generate::Password(length.unwrap_or(40))))
            }
            ("hex", None) => {
                sources.push(SecretSource::Generate(Generate::Hex(length.unwrap_or(32))))
            }
            ("bcrypt", Some((of, _))) => sources.push(SecretSource::Generate(Generate::Bcrypt(of))),
            ("keypair", None) => sources.push(SecretSource::Generate(Generate::KeyPair)),
            ("public_key", Some((of, _))) => {
                sources.push(SecretSource::Generate(Generate::PublicKey(of)))
            }
            _ => {
                let near = nearest(kind, WAYS).filter(|near| near != kind);
                let hint = near.map_or_else(
                    || "use \"password\", \"hex\", \"keypair\", or \"bcrypt\" and \"public_key\" together with `of = \"other_secret\"`".to_owned(),
                    |near| format!("did you mean \"{near}\"?"),
                );
                fields.problem(
                    Diagnostic::error("Not a way to generate a secret").hint(hint).at(span),
                );
                // It is one mistake, and not a secret without a source besides.
                sources.push(SecretSource::Generate(Generate::Password(40)));
            }
        }
    }
    let ambiguous = sources.len() > 1;
    if ambiguous {
        let hint = "keep one of `generate`, `env`, `file`, `command`";
        fields.problem(Diagnostic::error("A secret with several sources").hint(hint).at(header));
    }
    fields.finish();
    let source = sources.into_iter().next().unwrap_or(SecretSource::Store);
    let span = header.clone();
    (!ambiguous).then_some(SecretDeclaration { source, default, permanent, span })
}

/// A password of somebody's own alphabet, if that makes a good one.
fn password_of(
    alphabet: Option<(String, Span)>,
    length: usize,
    fields: &mut Fields<'_>,
) -> Option<SecretSource> {
    let (alphabet, span) = alphabet?;
    let letters: BTreeSet<char> = alphabet.chars().collect();
    let wrong = if letters.len() != alphabet.chars().count() {
        Some("It names a character twice, which would come up twice as often.".to_owned())
    } else if !letters.iter().all(char::is_ascii_graphic) {
        Some("It must consist of printable ASCII characters, without blanks.".to_owned())
    } else {
        let bits = usize::BITS - letters.len().leading_zeros() - 1;
        let worth = length.saturating_mul(bits as usize);
        (worth < FEWEST_BITS).then(|| {
            format!("{length} of {} characters are worth fewer than {FEWEST_BITS} bits and can be guessed.", letters.len())
        })
    };
    let Some(wrong) = wrong else {
        return Some(SecretSource::Generate(Generate::PasswordOf { length, alphabet }));
    };
    fields.problem(Diagnostic::error("Not a usable alphabet").detail(wrong).at(&span));
    None
}

fn read_named(
    root: &Table,
    section: &str,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, (Span, Table)> {
    let tables = named_tables(root, section, problems);
    tables
        .into_iter()
        .map(|(name, span, table)| (name.clone(), (span.clone(), table.clone())))
        .collect()
}

/// What other tools call their sections, and ipai its own.
const USUAL: [(&str, &str); 9] = [
    ("variable", "var"),
    ("variables", "var"),
    ("vars", "var"),
    ("locals", "var"),
    ("outputs", "output"),
    ("secrets", "secret"),
    ("checks", "check"),
    ("resource", "PROVIDER.TYPE.NAME, such as digitalocean.droplet.web"),
    ("backups", "backup"),
];

/// Takes the tables out of `root`: a large stack exists once while it is read.
fn read_resources(
    root: Table,
    types: &Types,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<Declared>, BTreeSet<Address>) {
    let (mut resources, mut unread) = (Vec::new(), BTreeSet::new());
    let providers: BTreeSet<&str> = types.iter().map(|t| t.provider()).collect();
    for (provider, entry) in root {
        if SECTIONS.contains(&provider.as_str()) {
            continue;
        }
        if !providers.contains(provider.as_str()) {
            let known = SECTIONS.into_iter().chain(providers.iter().copied());
            let mut problem = unknown_key(&provider, "A stack", known, &entry.key);
            if let Some((_, own)) = USUAL.iter().find(|(usual, _)| *usual == provider) {
                problem.hint = Some(format!("here it is called `{own}`"));
            }
            problems.push(problem);
            if let Data::Table(kinds) = entry.node.data {
                kinds.iter().for_each(|(kind, entry)| {
                    note_names((&provider, kind), &entry.node, &mut unread);
                });
            }
            continue;
        }
        if let Some(table) = take_table(&provider, entry.node, problems) {
            read_provider(&provider, table, types, problems, (&mut resources, &mut unread));
        }
    }
    (resources, unread)
}

/// Notes the names of resources whose type is none.
fn note_names((provider, kind): (&str, &str), all: &Node, unread: &mut BTreeSet<Address>) {
    let Data::Table(all) = &all.data else { return };
    let tables = all.iter().filter(|(_, entry)| matches!(entry.node.data, Data::Table(_)));
    unread.extend(tables.map(|(name, _)| Address::new(provider, kind, name)));
}

fn read_provider(
    provider: &str,
    table: Table,
    types: &Types,
    problems: &mut Vec<Diagnostic>,
    (resources, unread): (&mut Vec<Declared>, &mut BTreeSet<Address>),
) {
    let kinds: Vec<&str> =
        types.iter().filter(|t| t.provider() == provider).map(|t| t.name()).collect();
    for (kind, entry) in table {
        if !kinds.contains(&kind.as_str()) {
            problems.push(unknown_type(provider, &kind, &kinds, &entry.key));
            note_names((provider, &kind), &entry.node, unread);
            continue;
        }
        let Some(table) = take_table(&kind, entry.node, problems) else { continue };
        for (name, entry) in table {
            check_name(&name, &entry.key, problems);
            if let Some(table) = take_table(&name, entry.node, problems) {
                let address = Address::new(provider, &kind, &name);
                resources.push(Declared { address, span: entry.key, table });
            }
        }
    }
}

fn unknown_type(provider: &str, kind: &str, kinds: &[&str], at: &Span) -> Diagnostic {
    let known = kinds.iter().map(|k| format!("`{provider}.{k}`")).collect::<Vec<_>>().join(", ");
    let hint = match nearest(kind, kinds.iter().copied()) {
        Some(name) => format!("did you mean `{provider}.{name}`?"),
        None => format!("known: {known}"),
    };
    Diagnostic::error(format!("Unknown resource type `{provider}.{kind}`")).hint(hint).at(at)
}

fn take_table(key: &str, node: Node, problems: &mut Vec<Diagnostic>) -> Option<Table> {
    match node.data {
        Data::Table(table) => Some(table),
        data => {
            problems.push(wrong_type(key, &Node { data, ..node }, "a table"));
            None
        }
    }
}

/// Every file that the stack names: templates, verbatim files, keys, secret files are not among them.
#[must_use]
pub fn named_files(stack: &Stack) -> BTreeMap<String, Span> {
    let mut files = BTreeMap::new();
    files.extend(stack.ssh.authorized_keys.clone());
    for resource in &stack.resources {
        collect_files(&resource.table, &mut files);
    }
    for (_, table) in stack.checks.values() {
        let Some(node) = table.get("authority") else { continue };
        if let Data::Text(path) = &node.data {
            files.insert(path.clone(), node.span.clone());
        }
    }
    files
}

fn collect_files(table: &Table, files: &mut BTreeMap<String, Span>) {
    for (_, entry) in table.iter() {
        let Data::Table(inner) = &entry.node.data else { continue };
        match content_source(inner) {
            Some((_, path, span)) => {
                files.insert(path.to_owned(), span.clone());
            }
            None => collect_files(inner, files),
        }
    }
}

/// Reads `{ template = "path" }` or `{ file = "path" }`; the first part tells whether it is a template.
#[must_use]
pub fn content_source(table: &Table) -> Option<(bool, &str, &Span)> {
    let (key, entry) = table.iter().next()?;
    let Data::Text(path) = &entry.node.data else { return None };
    let template = match key.as_str() {
        "template" => true,
        "file" => false,
        _ => return None,
    };
    (table.iter().len() == 1).then_some((template, path.as_str(), &entry.node.span))
}
