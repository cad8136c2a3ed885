//! The sections of a stack's TOML beside its resources, as the manual tells of them. A test holds them against what is read.

/// A section that is no resource.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its header without brackets; `NAME` is the reader's to choose.
    pub header: &'static str,
    /// What it is for, in a sentence or two.
    pub summary: &'static str,
    /// Its keys, with what each takes and does. A dot leads into a table within it.
    pub keys: &'static [(&'static str, &'static str)],
    /// TOML that shows one.
    pub example: &'static str,
}

impl Section {
    /// The first word of its header: `secret` of `secret.NAME`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.header.split('.').next().unwrap_or(self.header)
    }
}

/// All of them.
pub const SECTIONS: [Section; 6] = [
    Section {
        header: "stack",
        summary: "Which stack this is. Every stack has this section.",
        keys: &[
            (
                "name",
                "A string, required: lower-case letters, digits, `-`, `_`. It is in the marker of everything that the stack makes; with `--env` the environment's name comes behind it.",
            ),
            ("description", "A string: one line for people."),
        ],
        example: "[stack]\nname = \"ops\"\ndescription = \"Chat, boards and workflows\"",
    },
    Section {
        header: "var",
        summary: "Plain values for templates: `{{ var.NAME }}`. Strings, integers, booleans and arrays; `--var NAME=VALUE` overrides one.",
        keys: &[],
        example: "[var]\ndomain = \"example.com\"",
    },
    Section {
        header: "ssh",
        summary: "How ipai logs in on the stack's hosts.",
        keys: &[
            ("user", "A string, default \"root\"."),
            ("port", "An integer from 1 to 65535, default 22."),
            (
                "authorized_keys",
                "A file in the stack's folder: public keys, one a line, which `user_data` puts on hosts that ipai creates: `{% for key in ssh.authorized_keys %}`.",
            ),
            ("identity_file", "A private key to try besides those of the agent."),
        ],
        example: "[ssh]\nuser = \"deploy\"\nauthorized_keys = \"authorized_keys\"",
    },
    Section {
        header: "secret.NAME",
        summary: "A secret, for templates: `{{ secret.NAME }}`. It has one of `generate`, `env`, `file` and `command`, or none: then `ipai secrets set NAME` stores it.",
        keys: &[
            (
                "generate",
                "\"password\", \"hex\", \"keypair\" (ed25519), or, together with `of`, \"bcrypt\" and \"public_key\": made once, and kept encrypted in the stack's secret file.",
            ),
            (
                "length",
                "An integer from 8 to 4096: of a password in characters, default 40; of hex in bytes, default 32.",
            ),
            (
                "alphabet",
                "A string: the characters of a password; letters and digits when left out.",
            ),
            ("of", "The secret that a hash or a public key is made from."),
            ("env", "The environment variable that holds it."),
            ("file", "The file that holds it, relative to the stack's folder."),
            ("command", "An array of strings: the program that prints it, with its arguments."),
            ("default", "A string: what it is when `env`, `file` or `command` has nothing."),
            (
                "permanent",
                "A string: why it is not rotated just so, such as data that is encrypted with it.",
            ),
        ],
        example: "[secret.db_password]\ngenerate = \"password\"\nlength = 32",
    },
    Section {
        header: "check.NAME",
        summary: "A question to a service, asked after every apply and by `ipai check`. It has a `url`, or a `command` that runs in the container of its `service`.",
        keys: &[
            ("url", "The URL to get, by its public name; a template without secrets."),
            ("command", "An array of strings: the program, with its arguments."),
            ("input", "A template: what the command reads."),
            (
                "host",
                "The address of a droplet or a server: the URL is asked for there, whatever DNS says, and on the host itself as well.",
            ),
            (
                "authority",
                "A file in the stack's folder: certificates of an authority in PEM form, believed for this check as well; on the host, no others. For a staging authority, or one of the stack's own.",
            ),
            ("service", "The service that it is about, as SERVICE or PROJECT/SERVICE."),
            ("when", "Whether it is asked: true, false, or a template that makes one of these."),
            ("headers", "A table of templates: headers to send."),
            ("json", "A table: posts it."),
            ("expect_status", "An integer, default 200."),
            ("expect_headers", "A table: headers of the answer, with their values."),
            ("expect_json", "A table: members of the answer's JSON, with their values."),
            (
                "expect_keys",
                "An array of strings: members of the answer's JSON that must not be empty.",
            ),
            ("expect_body", "A string: the whole answer, white space around it aside."),
            (
                "auth",
                "A table: another question with `url`, `command` and what goes with these, which shows a secret of the stack. It tells whether the login is valid.",
            ),
            (
                "version",
                "A table: which version answers. It may hold another question, as `auth` does.",
            ),
            ("version.header", "The header of the answer that has the version."),
            (
                "version.pointer",
                "The JSON pointer to it in the answer. Without both it is looked for in the text.",
            ),
            ("version.compatible", "Required: the versions that fit, such as \">=11.7, <12\"."),
        ],
        example: "[check.www]\nurl = \"https://www.{{ var.domain }}/health\"\nhost = \"digitalocean.droplet.web\"\nexpect_json = { status = \"ok\" }",
    },
    Section {
        header: "output.NAME",
        summary: "What the stack hands over to others; `ipai output` prints it.",
        keys: &[
            ("value", "A template; required unless there is `from`."),
            ("from", "A table: a value of a JSON file that a host made."),
            ("from.host", "The address of a droplet or a server."),
            ("from.file", "The absolute path of the file."),
            ("from.pointer", "The JSON pointer to the value."),
            (
                "sensitive",
                "true or false; always true when a secret is in it, and true for `from` when left out.",
            ),
            ("description", "A string for people."),
            ("odoo", "A table: where Odoo keeps it."),
            ("odoo.connector", "The code of a connector, together with `field`."),
            ("odoo.field", "Its field."),
            ("odoo.parameter", "A system parameter."),
        ],
        example: "[output.url]\nvalue = \"https://chat.{{ var.domain }}\"\ndescription = \"Where people chat\"",
    },
];
