//! The sections of a stack's TOML beside its resources, as the manual tells of them and the JSON Schema describes them.
//! Tests hold them against what is read.

use crate::resource::Default;

/// A section that is no resource.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its header without brackets; `NAME` is the reader's to choose.
    pub header: &'static str,
    /// What it is for, in a sentence or two.
    pub summary: &'static str,
    /// Its keys. A dot leads into a table within it.
    pub keys: &'static [Key],
    /// Keys of which one must be there.
    pub either: &'static [&'static str],
    /// TOML that shows one.
    pub example: &'static str,
}

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name, behind the table that it is in: `version.header`.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What holds when it is left out; `Absent` as well where that depends on other keys.
    pub default: Default,
    /// What it takes and does, for people.
    pub doc: &'static str,
}

/// What a key of a section takes. Unlike attributes, none of these may be a template that makes a number.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// A string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// The name of a stack.
    StackName,
    /// The address of a resource.
    Address,
    /// A whole number within bounds, both inclusive.
    Int(i64, i64),
    /// true or false.
    Bool,
    /// true, false, or a template that makes one of these.
    Truth,
    /// An array of strings.
    Texts,
    /// A table of strings under names that the stack chooses.
    TextMap,
    /// A table of anything.
    AnyMap,
    /// A table of whole numbers under these names.
    Counts(&'static [&'static str]),
    /// A table whose keys are told of beside it, behind a dot.
    Table,
    /// Such a table with the keys of a question besides.
    Question,
    /// Tables under names that the stack chooses: another section tells of them.
    Tables,
}

impl Section {
    /// The first word of its header: `secret` of `secret.NAME`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.header.split('.').next().unwrap_or(self.header)
    }
}

/// The keys of a question, which a check has for itself, for `auth` and for `version`.
pub const QUESTION: [&str; 11] = [
    "url",
    "command",
    "input",
    "when",
    "headers",
    "json",
    "expect_status",
    "expect_headers",
    "expect_json",
    "expect_keys",
    "expect_body",
];

/// The most that `keep` keeps of each.
pub const MOST_KEPT: i64 = 10_000;

/// How ipai makes secrets.
pub(crate) const WAYS: [&str; 5] = ["password", "hex", "keypair", "bcrypt", "public_key"];

/// What backups are kept by.
const KEPT: [&str; 4] = ["last", "daily", "weekly", "monthly"];

const fn key(name: &'static str, takes: Takes, default: Default, doc: &'static str) -> Key {
    Key { name, takes, default, doc }
}

/// All of them.
pub const SECTIONS: [Section; 8] = [
    Section {
        header: "stack",
        summary: "Which stack this is. Every stack has this section.",
        keys: &[
            key(
                "name",
                Takes::StackName,
                Default::Required,
                "A string, required: lower-case letters, digits, `-`, `_`. It is in the marker of everything that the stack makes; with `--env` the environment's name comes behind it.",
            ),
            key("description", Takes::Text, Default::Absent, "A string: one line for people."),
        ],
        either: &[],
        example: "[stack]\nname = \"ops\"\ndescription = \"Chat, boards and workflows\"",
    },
    Section {
        header: "var",
        summary: "Plain values for templates: `{{ var.NAME }}`. Strings, integers, booleans and arrays; `--var NAME=VALUE` overrides one.",
        keys: &[],
        either: &[],
        example: "[var]\ndomain = \"example.com\"",
    },
    Section {
        header: "ssh",
        summary: "How ipai logs in on the stack's hosts.",
        keys: &[
            key("user", Takes::Text, Default::Text("root"), "A string, default \"root\"."),
            key(
                "port",
                Takes::Int(1, 65_535),
                Default::Int(22),
                "An integer from 1 to 65535, default 22.",
            ),
            key(
                "authorized_keys",
                Takes::Text,
                Default::Absent,
                "A file in the stack's folder: public keys, one a line, which `user_data` puts on hosts that ipai creates: `{% for key in ssh.authorized_keys %}`.",
            ),
            key(
                "identity_file",
                Takes::Text,
                Default::Absent,
                "A private key to try besides those of the agent.",
            ),
        ],
        either: &[],
        example: "[ssh]\nuser = \"deploy\"\nauthorized_keys = \"authorized_keys\"",
    },
    Section {
        header: "secret.NAME",
        summary: "A secret, for templates: `{{ secret.NAME }}`. It has one of `generate`, `env`, `file` and `command`, or none: then `ipai secrets set NAME` stores it.",
        keys: &[
            key(
                "generate",
                Takes::Choice(&WAYS),
                Default::Absent,
                "\"password\", \"hex\", \"keypair\" (ed25519), or, together with `of`, \"bcrypt\" and \"public_key\": made once, and kept encrypted in the stack's secret file.",
            ),
            key(
                "length",
                Takes::Int(8, 4096),
                Default::Absent,
                "An integer from 8 to 4096: of a password in characters, default 40; of hex in bytes, default 32.",
            ),
            key(
                "alphabet",
                Takes::Text,
                Default::Absent,
                "A string: the characters of a password; letters and digits when left out.",
            ),
            key(
                "of",
                Takes::Text,
                Default::Absent,
                "The secret that a hash or a public key is made from.",
            ),
            key("env", Takes::Text, Default::Absent, "The environment variable that holds it."),
            key(
                "file",
                Takes::Text,
                Default::Absent,
                "The file that holds it, relative to the stack's folder.",
            ),
            key(
                "command",
                Takes::Texts,
                Default::Absent,
                "An array of strings: the program that prints it, with its arguments.",
            ),
            key(
                "default",
                Takes::Text,
                Default::Absent,
                "A string: what it is when `env`, `file` or `command` has nothing.",
            ),
            key(
                "permanent",
                Takes::Text,
                Default::Absent,
                "A string: why it is not rotated just so, such as data that is encrypted with it.",
            ),
        ],
        either: &[],
        example: "[secret.db_password]\ngenerate = \"password\"\nlength = 32",
    },
    Section {
        header: "check.NAME",
        summary: "A question to a service, asked after every apply and by `ipai check`. It has a `url`, or a `command` that runs in the container of its `service`.",
        keys: &[
            key(
                "url",
                Takes::Text,
                Default::Absent,
                "The URL to get, by its public name; a template without secrets.",
            ),
            key(
                "command",
                Takes::Texts,
                Default::Absent,
                "An array of strings: the program, with its arguments.",
            ),
            key("input", Takes::Text, Default::Absent, "A template: what the command reads."),
            key(
                "host",
                Takes::Address,
                Default::Absent,
                "The address of a droplet or a server: the URL is asked for there, whatever DNS says, and on the host itself as well.",
            ),
            key(
                "authority",
                Takes::Text,
                Default::Absent,
                "A file in the stack's folder: certificates of an authority in PEM form, believed for this check as well; on the host, no others. For a staging authority, or one of the stack's own.",
            ),
            key(
                "service",
                Takes::Text,
                Default::Absent,
                "The service that it is about, as SERVICE or PROJECT/SERVICE.",
            ),
            key(
                "when",
                Takes::Truth,
                Default::Bool(true),
                "Whether it is asked: true, false, or a template that makes one of these.",
            ),
            key(
                "headers",
                Takes::TextMap,
                Default::Absent,
                "A table of templates: headers to send.",
            ),
            key("json", Takes::AnyMap, Default::Absent, "A table: posts it."),
            key(
                "expect_status",
                Takes::Int(100, 599),
                Default::Int(200),
                "An integer, default 200.",
            ),
            key(
                "expect_headers",
                Takes::TextMap,
                Default::Absent,
                "A table: headers of the answer, with their values.",
            ),
            key(
                "expect_json",
                Takes::AnyMap,
                Default::Absent,
                "A table: members of the answer's JSON, with their values.",
            ),
            key(
                "expect_keys",
                Takes::Texts,
                Default::Absent,
                "An array of strings: members of the answer's JSON that must not be empty.",
            ),
            key(
                "expect_body",
                Takes::Text,
                Default::Absent,
                "A string: the whole answer, white space around it aside.",
            ),
            key(
                "auth",
                Takes::Question,
                Default::Absent,
                "A table: another question with `url`, `command` and what goes with these, which shows a secret of the stack. It tells whether the login is valid.",
            ),
            key(
                "version",
                Takes::Question,
                Default::Absent,
                "A table: which version answers. It may hold another question, as `auth` does.",
            ),
            key(
                "version.header",
                Takes::Text,
                Default::Absent,
                "The header of the answer that has the version.",
            ),
            key(
                "version.pointer",
                Takes::Text,
                Default::Absent,
                "The JSON pointer to it in the answer. Without both it is looked for in the text.",
            ),
            key(
                "version.compatible",
                Takes::Text,
                Default::Required,
                "Required: the versions that fit, such as \">=11.7, <12\".",
            ),
        ],
        either: &["url", "command"],
        example: "[check.www]\nurl = \"https://www.{{ var.domain }}/health\"\nhost = \"digitalocean.droplet.web\"\nexpect_json = { status = \"ok\" }",
    },
    Section {
        header: "output.NAME",
        summary: "What the stack hands over to others; `ipai output` prints it.",
        keys: &[
            key(
                "value",
                Takes::Text,
                Default::Absent,
                "A template; required unless there is `from`.",
            ),
            key(
                "from",
                Takes::Table,
                Default::Absent,
                "A table: a value of a JSON file that a host made.",
            ),
            key(
                "from.host",
                Takes::Address,
                Default::Required,
                "The address of a droplet or a server.",
            ),
            key("from.file", Takes::Text, Default::Required, "The absolute path of the file."),
            key("from.pointer", Takes::Text, Default::Required, "The JSON pointer to the value."),
            key(
                "sensitive",
                Takes::Bool,
                Default::Absent,
                "true or false; always true when a secret is in it, and true for `from` when left out.",
            ),
            key("description", Takes::Text, Default::Absent, "A string for people."),
            key("odoo", Takes::Table, Default::Absent, "A table: where Odoo keeps it."),
            key(
                "odoo.connector",
                Takes::Text,
                Default::Absent,
                "The code of a connector, together with `field`.",
            ),
            key("odoo.field", Takes::Text, Default::Absent, "Its field."),
            key("odoo.parameter", Takes::Text, Default::Absent, "A system parameter."),
        ],
        either: &["value", "from"],
        example: "[output.url]\nvalue = \"https://chat.{{ var.domain }}\"\ndescription = \"Where people chat\"",
    },
    Section {
        header: "backup",
        summary: "What is kept of a Compose project, where and when. A program, its settings and three systemd units are put on the project's host, which takes backups with restic by itself; `ipai backup`, `restore`, `rebuild` and `drill` use the same.",
        keys: &[
            key(
                "compose",
                Takes::Address,
                Default::Required,
                "The address of the project, required: \"host.compose.ops\".",
            ),
            key(
                "repository",
                Takes::Text,
                Default::Required,
                "A template, required: where restic keeps backups, seen from the host: \"s3:https://…/BUCKET\", \"sftp:…\", or a directory.",
            ),
            key(
                "password",
                Takes::Text,
                Default::Required,
                "A template, required: what the repository is encrypted with; lost, all backups are.",
            ),
            key(
                "environment",
                Takes::TextMap,
                Default::Absent,
                "A table of templates: what restic needs to get in, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            ),
            key(
                "schedule",
                Takes::Text,
                Default::Text("*-*-* 02:30:00 UTC"),
                "When, as systemd's OnCalendar takes it; default \"*-*-* 02:30:00 UTC\".",
            ),
            key(
                "keep",
                Takes::Counts(&KEPT),
                Default::Absent,
                "A table with `last`, `daily`, `weekly`, `monthly`: how many of each are kept; default { last = 3, daily = 7, weekly = 5, monthly = 12 }.",
            ),
            key(
                "online",
                Takes::Bool,
                Default::Bool(false),
                "true or false, the default: services go on while their data is copied. Each database is still of one moment, but files may not fit it.",
            ),
            key(
                "max_age",
                Takes::Text,
                Default::Text("26h"),
                "How old the newest backup may be before `ipai status` and `ipai check` fail, in `m`, `h` or `d`; default \"26h\".",
            ),
            key(
                "keys",
                Takes::TextMap,
                Default::Absent,
                "A table of templates: keys without which the data cannot be read. Backups carry their fingerprints, and are restored only where these are the same.",
            ),
            key(
                "postgres",
                Takes::Text,
                Default::Text("postgres"),
                "The service of the databases, default \"postgres\".",
            ),
            key(
                "postgres_user",
                Takes::Text,
                Default::Text("postgres"),
                "The superuser in it, default \"postgres\".",
            ),
            key(
                "service",
                Takes::Tables,
                Default::Absent,
                "A table: `[backup.service.NAME]` for each service that has data.",
            ),
        ],
        either: &[],
        example: "[backup]\ncompose = \"host.compose.ops\"\nrepository = \"s3:https://fra1.digitaloceanspaces.com/backups\"\npassword = \"{{ secret.backup_password }}\"",
    },
    Section {
        header: "backup.service.NAME",
        summary: "The data of one service.",
        keys: &[
            key(
                "databases",
                Takes::TextMap,
                Default::Absent,
                "A table: its databases, with the role that owns each.",
            ),
            key(
                "volumes",
                Takes::Texts,
                Default::Absent,
                "An array of strings: its volumes, as the Compose file names them.",
            ),
            key(
                "directories",
                Takes::Texts,
                Default::Absent,
                "An array of strings: its directories on the host.",
            ),
            key(
                "stops",
                Takes::Texts,
                Default::Absent,
                "An array of strings: the services that stand still while this is copied; the service itself when left out.",
            ),
            key(
                "verify",
                Takes::Texts,
                Default::Absent,
                "An array of strings: a command in its container that ends with 0 when restored data can be read; `ipai rebuild` and `ipai drill` run it.",
            ),
            key(
                "authority",
                Takes::Texts,
                Default::Absent,
                "An array of strings: a command in its container that prints the authority, in PEM form, which a drill's sites prove themselves by.",
            ),
            key(
                "drill_sql",
                Takes::TextMap,
                Default::Absent,
                "A table: for a database the SQL that a drill runs before anything starts, so that it does not do what the real one does.",
            ),
        ],
        either: &[],
        example: "[backup.service.chat]\ndatabases = { chat = \"chat\" }\nvolumes = [\"chat-data\"]",
    },
];
