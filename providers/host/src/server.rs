//! The resource type `host.server`: a machine that exists without ipai, as a place for files and projects.

use ipai_core::{
    Attribute, Attributes, Change, Default, Diagnostic, Draft, Kind, Outputs, ResourceType, Value,
};

use crate::file::text;
use crate::ssh::Fingerprint;

/// `host.server`.
#[derive(Clone, Copy, Debug)]
pub struct ServerType;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "address",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Local,
        doc: "Where the server is reached: an IP address, a name, or a `Host` of `~/.ssh/config`.",
    },
    Attribute {
        name: "host_key",
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Local,
        doc: "The SHA-256 fingerprint of its ed25519 host key, `SHA256:…`, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` \
              shows it on the server; several with blanks between them, while a key is being changed.",
    },
    Attribute {
        name: "known_hosts",
        kind: Kind::Bool,
        default: Default::Bool(false),
        change: Change::Local,
        doc: "Whether the server's key is the one in `~/.ssh/known_hosts` (or where `UserKnownHostsFile` points) instead. \
              Those files are only read.",
    },
    Attribute {
        name: "user",
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Local,
        doc: "Who logs in; needs sudo unless it is root. Left out, `~/.ssh/config` says so, then `[ssh]`.",
    },
    Attribute {
        name: "port",
        kind: Kind::Int(1, 65535),
        default: Default::Absent,
        change: Change::Local,
        doc: "The port of its SSH server. Left out, `~/.ssh/config` says so, then `[ssh]`.",
    },
];

impl ResourceType for ServerType {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn name(&self) -> &'static str {
        "server"
    }

    fn summary(&self) -> &'static str {
        "A machine that exists already, for files and projects; it is neither made nor deleted. Take them \
         out of the stack and apply before the server itself goes out of the stack: what is left on it is not seen any more."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("address", "The address as written."),
            ("ipv4", "The same, when it is an IPv4 address."),
            ("host_keys", "The pinned SSH host keys: SHA-256 fingerprints in hex."),
        ]
    }

    fn example(&self) -> &'static str {
        "[host.server.ops]\n\
         address = \"203.0.113.7\"\n\
         host_key = \"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\n\
         user = \"admin\"\n\
         port = 22\n"
    }

    fn check(&self, draft: &mut Draft<'_>) {
        if let Some(waiting) = draft.resource.waits_for().into_iter().next() {
            let detail = format!("It refers to {waiting}, which becomes known only later.");
            let problem = Diagnostic::error("A server must be known from the start");
            draft.error("address", problem.detail(detail));
            return;
        }
        check_address(draft);
        check_host_key(draft);
    }

    fn given(&self, attributes: &Attributes) -> Option<Outputs> {
        let address = text(attributes, "address")?;
        let keys = fingerprints(text(attributes, "host_key").unwrap_or_default()).ok()?;
        let mut outputs = Outputs::from([
            ("address".to_owned(), Value::text(address)),
            ("host_keys".to_owned(), Value::texts(keys.into_iter().map(Fingerprint::to_hex))),
        ]);
        if address.parse::<std::net::Ipv4Addr>().is_ok() {
            outputs.insert("ipv4".to_owned(), Value::text(address));
        }
        for name in ["known_hosts", "user", "port"] {
            outputs.extend(attributes.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        Some(outputs)
    }

    fn bucket(&self, attributes: &Attributes) -> Option<String> {
        text(attributes, "address").map(str::to_ascii_lowercase)
    }

    /// Two managers of one manifest would take each other's files for their own.
    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let same = one.get("port") == other.get("port");
        same.then(|| format!("both are {}", text(one, "address").unwrap_or_default()))
    }
}

fn check_address(draft: &mut Draft<'_>) {
    let Some(address) = draft.text("address") else { return };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '/');
    if address.is_empty() || address.starts_with('-') || address.contains(odd) {
        let problem = Diagnostic::error("Not an address of a server")
            .detail(format!("`{address}` is neither an IP address nor a name."))
            .hint("the user and the port have keys of their own: `user`, `port`");
        draft.error("address", problem);
    }
}

fn check_host_key(draft: &mut Draft<'_>) {
    let listed = draft.resource.attributes.get("known_hosts").and_then(Value::as_bool);
    let keys = fingerprints(&draft.text("host_key").unwrap_or_default());
    let problem = match (keys, listed == Some(true)) {
        (Err(why), _) => Diagnostic::error("Not a host key fingerprint").detail(why),
        (Ok(keys), false) if keys.is_empty() => {
            Diagnostic::error("Nothing to recognise the server by")
                .detail("ipai talks to no server whose host key it does not know.")
                .hint("run `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the server and write host_key = \"SHA256:…\"; or known_hosts = true, when `ssh` knows it")
        }
        (Ok(keys), true) if !keys.is_empty() => {
            Diagnostic::error("Two ways to recognise one server")
                .detail("`host_key` and `known_hosts` exclude each other.")
                .hint("keep one of them")
        }
        _ => return,
    };
    draft.error("host_key", problem);
}

fn fingerprints(text: &str) -> Result<Vec<Fingerprint>, String> {
    let words = text.split_whitespace();
    words
        .map(|word| word.parse().map_err(|error: crate::ssh::NotAFingerprint| error.to_string()))
        .collect()
}
