//! Everything that is built into ipai may be given away with it, on terms that ask no more than to be named.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use serde_json::Value;

/// Licences that ask for a notice at most (identifiers of SPDX).
const FREE: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Tells whether an expression of SPDX, or the older `A/B`, leaves a choice of which every part is free.
fn is_free(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let free = any(&mut words);
    free && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut free = all(words);
    while words.next_if_eq(&"OR").is_some() {
        free |= all(words);
    }
    free
}

fn all(words: &mut Words<'_>) -> bool {
    let mut free = one(words);
    while words.next_if_eq(&"AND").is_some() {
        free &= one(words);
    }
    free
}

fn one(words: &mut Words<'_>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let free = any(words);
        return words.next() == Some(")") && free;
    }
    let mut name = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    FREE.contains(&name.as_str())
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for (expression, free) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("GPL-3.0-only AND MIT OR ISC", true),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", true),
        ("(MIT OR Zlib) AND GPL-2.0-only", false),
        ("MIT/Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-2.0-only WITH Classpath-exception-2.0", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_free(expression), free, "{expression}");
    }
}

/// What is built for, as the compiler calls it.
fn platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn everything_that_is_built_in_has_a_licence_that_asks_for_no_more_than_a_notice() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    // What other systems would need is not there, and not built in here.
    metadata.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    metadata.args(["--filter-platform", &platform()]);
    let output = metadata.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {}", packages.len());
    let unfree = packages.iter().filter(|one| !is_free(one["license"].as_str().unwrap_or("")));
    let unfree: Vec<String> = unfree
        .map(|one| format!("{} {}: {}", one["name"], one["version"], one["license"]))
        .collect();
    assert!(unfree.is_empty(), "{}", unfree.join("\n"));
}
