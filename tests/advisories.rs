//! Nothing that ipai is built from is known to be unsafe: Cargo.lock against a copy of the RustSec advisories.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};
use serde::Deserialize;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
    /// Absent for what is ipai's own.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Known {
    asked: BTreeSet<String>,
    accepted: BTreeMap<String, String>,
    advisory: Vec<Advisory>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    package: String,
    patched: Vec<VersionReq>,
    #[serde(default)]
    unaffected: Vec<VersionReq>,
}

impl Advisory {
    fn concerns(&self, package: &Package) -> bool {
        let mut well = self.patched.iter().chain(&self.unaffected);
        self.package == package.name && !well.any(|range| range.matches(&package.version))
    }
}

fn read<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    toml::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn ranges_are_held_against_versions_as_the_database_means_them() {
    let advisory = Advisory {
        id: String::new(),
        package: "a".into(),
        patched: vec![">= 1.18.4, < 1.19.0".parse().unwrap(), "^1.20.3".parse().unwrap()],
        unaffected: vec!["< 1.7.0".parse().unwrap()],
    };
    let concerns = |name: &str, version: &str| {
        let version = version.parse().unwrap();
        advisory.concerns(&Package { name: name.into(), version, source: None })
    };
    for affected in ["1.7.0", "1.18.3", "1.19.0", "1.20.2", "2.0.0"] {
        assert!(concerns("a", affected), "{affected}");
    }
    for well in ["1.6.9", "1.18.4", "1.20.3", "1.53.1"] {
        assert!(!concerns("a", well), "{well}");
    }
    assert!(!concerns("b", "1.7.0"));
}

#[test]
fn nothing_is_built_in_that_an_advisory_speaks_against() {
    let (lock, known): (Lock, Known) = (read("Cargo.lock"), read("tests/advisories.toml"));
    let foreign: Vec<&Package> = lock.package.iter().filter(|one| one.source.is_some()).collect();
    assert!(foreign.len() > 100 && known.advisory.len() > 100, "{} packages", foreign.len());
    let new: Vec<&String> =
        foreign.iter().map(|one| &one.name).filter(|name| !known.asked.contains(*name)).collect();
    assert!(new.is_empty(), "look these up in the advisory database, then add them: {new:?}");
    let mut met = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in foreign {
        for advisory in known.advisory.iter().filter(|advisory| advisory.concerns(package)) {
            met.insert(&advisory.id);
            if !known.accepted.contains_key(&advisory.id) {
                wrong.push(format!("{}: {} {}", advisory.id, package.name, package.version));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    let stale: Vec<&String> = known.accepted.keys().filter(|id| !met.contains(id)).collect();
    assert!(stale.is_empty(), "accepted, and concerns nothing any more: {stale:?}");
}
