//! Who may use what.

use crate::source::{code, lines_with};

/// One rule: in files that `applies` picks, none of `words` stands in code.
struct Ban {
    applies: fn(&str) -> bool,
    words: &'static [&'static str],
    why: &'static str,
}

const PROVIDERS: &[&str] = &["ipai_cloudflare", "ipai_digitalocean", "ipai_host"];

/// The table of who may import whom, as far as manifests cannot hold it.
const BANS: &[Ban] = &[
    Ban {
        applies: |path| path.starts_with("src/core/") && !path.starts_with("src/core/tests/"),
        words: &[
            "tokio",
            "reqwest",
            "ssh2",
            "cloudflare",
            "std::fs",
            "std::env",
            "std::net",
            "std::process",
            "std::thread",
            "std::io",
            "SystemTime",
            "Instant",
            "rand",
            "getrandom",
            "println!",
            "eprintln!",
        ],
        why: "the core decides, without input, output, clock, randomness or threads",
    },
    Ban {
        applies: |path| is_source_of_provider(path),
        words: &["ipai::", "ipai_simulator", "clap", "println!", "print!", "eprintln!", "eprint!"],
        why: "a provider knows the core and its own protocol, and prints nothing",
    },
    Ban {
        applies: |path| is_source_of_provider(path) && !path.starts_with("providers/cloudflare/"),
        words: &["ipai_cloudflare"],
        why: "a provider does not know another one",
    },
    Ban {
        applies: |path| is_source_of_provider(path) && !path.starts_with("providers/digitalocean/"),
        words: &["ipai_digitalocean"],
        why: "a provider does not know another one",
    },
    Ban {
        applies: |path| is_source_of_provider(path) && !path.starts_with("providers/host/"),
        words: &["ipai_host", "ssh2"],
        why: "a provider does not know another one",
    },
    Ban {
        applies: |path| matches!(path, "src/observe.rs" | "src/apply.rs"),
        words: &["clap", "crate::cli", "crate::providers", "crate::report"],
        why: "observing and applying serve every provider and every front",
    },
    Ban {
        applies: |path| path == "src/report.rs" || path.starts_with("src/report/"),
        words: &["tokio", "crate::providers", "std::net", "reqwest"],
        why: "a report is a text made from values",
    },
    Ban {
        applies: |path| {
            let above = path.starts_with("src/") && !path.starts_with("src/core/");
            // Asking for a key's passphrase is where the terminal meets the SSH library's own type.
            let edges = matches!(path, "src/providers.rs" | "src/passphrase.rs");
            above && !edges && !path.starts_with("src/sandbox")
        },
        words: PROVIDERS,
        why: "src/providers.rs alone names the providers (and the sandbox, which plays them)",
    },
    Ban {
        applies: |path| path.starts_with("tests/simulator/src/"),
        words: &["ipai::", "ipai_cloudflare", "ipai_digitalocean", "ssh2"],
        why: "the simulator answers for the vendors and must not share the program's mistakes",
    },
    Ban {
        applies: |path| {
            let black_box = path.starts_with("tests/simulator/tests/");
            path.ends_with(".rs") && !path.starts_with("providers/host/src/ssh") && !black_box
        },
        words: &["ssh2"],
        why: "ssh2 blocks and has rules of its own; providers/host/src/ssh alone knows it",
    },
];

fn is_source_of_provider(path: &str) -> bool {
    path.starts_with("providers/") && path.contains("/src/")
}

/// Every use of something that a file may not use.
pub(crate) fn forbidden(path: &str, text: &str) -> Vec<String> {
    let bans: Vec<&Ban> = BANS.iter().filter(|ban| (ban.applies)(path)).collect();
    if bans.is_empty() || !path.ends_with(".rs") {
        return Vec::new();
    }
    let code = code(text);
    let mut found = Vec::new();
    for ban in bans {
        for word in ban.words {
            let lines = lines_with(&code, word);
            found.extend(lines.iter().map(|line| format!("{path}:{line}: `{word}`: {}", ban.why)));
        }
    }
    found
}

/// Files in which a secret's text is taken out of its wrapping, and what for. Tests are not among them.
pub(crate) const EXPOSES: &[(&str, &str)] = &[
    ("providers/cloudflare/src/connection.rs", "the token goes into the request's header"),
    ("providers/cloudflare/src/dns_record.rs", "a record's content goes into the request's body"),
    ("providers/cloudflare/src/dns_record/wanted.rs", "compared with what the API shows"),
    ("providers/cloudflare/src/execute/step.rs", "compared with what the API answered"),
    ("providers/cloudflare/src/observe.rs", "compared with what the API shows"),
    ("providers/digitalocean/src/api/wire.rs", "the token goes into the request's header"),
    ("providers/digitalocean/src/droplet.rs", "user data is checked before anything is contacted"),
    ("providers/digitalocean/src/droplet/body.rs", "user data goes into the request's body"),
    ("providers/digitalocean/src/droplet/user_data.rs", "the host key travels in user data"),
    ("providers/host/src/changes.rs", "a file's content goes into the stream to the host"),
    ("providers/host/src/compose/checks.rs", "a Compose file is read before anything is contacted"),
    ("providers/host/src/deploy.rs", "a Compose file goes to Docker's standard input"),
    ("providers/host/src/observe.rs", "a Compose file goes to Docker's standard input"),
    ("providers/host/src/observe/services.rs", "a Compose file is read for its services"),
    ("providers/host/src/remote/projects.rs", "a Compose file is read for its services and ports"),
    ("providers/host/src/unit.rs", "a unit is read before anything is contacted"),
    ("src/cli/output.rs", "`ipai output --show-secrets` prints what the stack hands over"),
    ("src/cli/secrets.rs", "`ipai secrets show` prints one secret to who asks for it"),
    ("src/cli/check/ask.rs", "a command in a container is handed the secret on its standard input"),
    (
        "src/core/desired/origin.rs",
        "a rendered line is sought in its template, whose own text is shown",
    ),
    ("src/core/plan/changes.rs", "the diff of contents that are not sensitive"),
    ("src/core/template.rs", "a template is rendered with the secrets that it names"),
    ("src/core/value.rs", "compared with a live value that the provider took for plain"),
    ("src/http_check/fetch.rs", "a header or body goes into the request"),
    ("src/http_check/inside.rs", "a header or body goes to curl's standard input"),
    ("src/registry/login.rs", "a login goes into the request's header"),
    ("src/secrets/audit.rs", "a secret is judged by its length and variety"),
    ("src/secrets/audit/plain.rs", "a file is searched for the secret"),
    ("src/secrets/draft.rs", "secrets are written down for an editor"),
    ("src/secrets/generate.rs", "a password is hashed with bcrypt"),
    ("src/secrets/make.rs", "an empty secret makes no other"),
    ("src/secrets/seal.rs", "a secret is encrypted"),
    ("src/secrets/store.rs", "the digest key is read, an empty secret refused"),
    ("src/vault.rs", "the digest key is derived from the secrets where there is no store"),
];

/// Exposures of secrets in files that are not listed for it.
pub(crate) fn unlisted_exposures(path: &str, text: &str) -> Vec<String> {
    let test = path.contains("tests/") || path.ends_with("tests.rs");
    let listed = EXPOSES.iter().any(|(listed, _)| *listed == path);
    if test || listed || !path.ends_with(".rs") || !exposes(text) {
        return Vec::new();
    }
    vec![format!("{path}: exposes a secret and is not in the list of tests/tidy/imports.rs")]
}

/// Tells whether a text takes a secret out of its wrapping, by call or by name.
pub(crate) fn exposes(text: &str) -> bool {
    let code = code(text);
    code.contains(".expose()") || code.contains("Secret::expose")
}

#[test]
fn every_rule_catches_what_it_forbids() {
    for (path, text) in [
        ("src/core/x.rs", "use std::{collections::BTreeMap, fs};"),
        ("src/core/x.rs", "fn f() { std::env::var(\"X\"); }"),
        ("src/core/x.rs", "use std::time::Instant;"),
        ("src/core/x.rs", "fn f() -> std::time::SystemTime {}"),
        ("src/core/x.rs", "use tokio::task;"),
        ("providers/host/src/x.rs", "use ipai_cloudflare::types;"),
        ("providers/cloudflare/src/x.rs", "use ipai_digitalocean::types;"),
        ("providers/cloudflare/src/x.rs", "use ipai_host::types;"),
        ("providers/cloudflare/src/x.rs", "use ipai::load;"),
        ("providers/cloudflare/src/x.rs", "fn f() { println!(\"x\"); }"),
        ("providers/host/src/x.rs", "use clap::Parser;"),
        ("providers/host/src/file.rs", "use ssh2::Session;"),
        ("src/apply.rs", "use ipai_host::HostExecutor;"),
        ("src/observe.rs", "use clap::Parser;"),
        ("src/report/plan.rs", "use tokio::fs;"),
        ("src/report.rs", "use ipai_cloudflare::X;"),
        ("src/cli/plan.rs", "use ipai_host::X;"),
        ("tests/simulator/src/x.rs", "use ipai::load;"),
        ("tests/scenarios.rs", "use ssh2::Session;"),
    ] {
        assert!(!forbidden(path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn what_is_allowed_is_not_caught() {
    for (path, text) in [
        ("src/core/x.rs", "// std::fs and tokio\nlet brand = \"std::env\";"),
        ("src/core/tests/x.rs", "std::env::var(\"IPAI_SEED\");"),
        ("providers/host/src/ssh/link.rs", "use ssh2::Session;"),
        ("providers/host/src/x.rs", "use ipai_core::Plan;"),
        ("src/providers.rs", "use ipai_host::X;"),
        ("src/sandbox.rs", "use ipai_host::X;"),
        ("src/apply.rs", "use tokio::task::JoinSet;"),
        ("tests/simulator/tests/hosts.rs", "use ssh2::Session;"),
        ("tests/simulator/src/x.rs", "use ipai_core::BoxFuture;"),
    ] {
        assert_eq!(forbidden(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn an_exposed_secret_is_caught() {
    let caught = |path: &str, text: &str| !unlisted_exposures(path, text).is_empty();
    assert!(caught("src/report.rs", "print(secret.expose())"));
    assert!(caught("src/report.rs", "secrets.map(Secret::expose)"));
    assert!(!caught("src/vault.rs", "secret.expose()"));
    assert!(!caught("src/report.rs", "// secret.expose()"));
    assert!(!caught("src/core/tests/x.rs", "secret.expose()"));
}
