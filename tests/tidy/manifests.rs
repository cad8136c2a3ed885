//! What the crates' manifests may depend on.

use toml::Table;

/// What the core needs to decide. Nothing here can do input or output.
const OF_THE_CORE: [&str; 10] = [
    "hmac",
    "minijinja",
    "serde",
    "serde_json",
    "sha2",
    "similar",
    "stacker",
    "toml",
    "toml_parser",
    "zeroize",
];

/// Every dependency that a crate may not have.
pub(crate) fn forbidden(path: &str, text: &str) -> Vec<String> {
    let allowed: fn(&str) -> bool = match path {
        "src/core/Cargo.toml" => |name| OF_THE_CORE.contains(&name),
        "tests/simulator/Cargo.toml" => {
            |name| matches!(name, "ipai-core" | "ipai-host") || is_foreign(name)
        }
        _ if path.starts_with("providers/") && path.ends_with("Cargo.toml") => {
            |name| name == "ipai-core" || is_foreign(name)
        }
        _ => return Vec::new(),
    };
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = dependencies.into_iter().flat_map(Table::keys).map(String::as_str);
    let wrong = names.filter(|name| !allowed(name) || (ssh2_elsewhere(path, name)));
    wrong.map(|name| format!("{path}: may not depend on {name}")).collect()
}

/// Not of this house, and not the command line's.
fn is_foreign(name: &str) -> bool {
    !name.starts_with("ipai") && name != "clap"
}

fn ssh2_elsewhere(path: &str, name: &str) -> bool {
    name == "ssh2" && path != "providers/host/Cargo.toml"
}

#[test]
fn every_rule_catches_what_it_forbids() {
    for (path, name) in [
        ("src/core/Cargo.toml", "tokio"),
        ("src/core/Cargo.toml", "rand"),
        ("providers/host/Cargo.toml", "ipai-cloudflare"),
        ("providers/host/Cargo.toml", "clap"),
        ("providers/cloudflare/Cargo.toml", "ssh2"),
        ("providers/cloudflare/Cargo.toml", "ipai"),
        ("tests/simulator/Cargo.toml", "ipai-digitalocean"),
    ] {
        let text = format!("[dependencies]\n{name} = \"1\"\n");
        assert_eq!(forbidden(path, &text), [format!("{path}: may not depend on {name}")]);
        let tests_only = format!("[dev-dependencies]\n{name} = \"1\"\n");
        assert!(forbidden(path, &tests_only).is_empty());
    }
    assert!(forbidden("providers/host/Cargo.toml", "[dependencies]\nssh2 = \"1\"\n").is_empty());
}
