//! Stories about whole stores.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use ipai_core::Secret;
use tempfile::TempDir;

use super::*;

mod format;
mod identity;
mod store;

/// A folder with a store in it, and somebody who can open it.
struct Desk {
    folder: TempDir,
    identities: Identities,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), identities: somebody() };
        Store::init(&desk.path(), &desk.identities.recipients(), &mut stream()).unwrap();
        desk
    }

    /// A store with these secrets, each with a value that its name tells.
    fn holding(names: &[&str]) -> Self {
        let desk = Self::new();
        let mut store = desk.load();
        for name in names {
            set(&mut store, name, &format!("value of {name}"));
        }
        store.save().unwrap();
        desk
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("secrets.toml")
    }

    fn load(&self) -> Store {
        Store::load(&self.path()).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    fn value(&self, name: &str) -> String {
        self.load().decrypt(name, &self.identities).unwrap().expose().to_owned()
    }
}

fn somebody() -> Identities {
    let key = age::x25519::Identity::generate().to_string();
    Identities::from_text(key.expose_secret(), "a new key").unwrap()
}

/// A fixed stream of bytes: the upper bits of a linear congruential generator, MMIX's constants.
pub(super) fn stream() -> impl FnMut(&mut [u8]) {
    let mut state = 1_u64;
    move |bytes| {
        for byte in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }
}

fn set(store: &mut Store, name: &str, value: &str) {
    store.set(name, &Secret::new(value.to_owned()), None, &mut stream()).unwrap();
}

/// The lines that only one of two texts has, in the order of that text.
fn lines_without<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    text.lines().filter(|line| !other.lines().any(|known| known == *line)).collect()
}
