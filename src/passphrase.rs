//! Asks for the passphrase of an encrypted SSH key: once for each key in a run, unseen, and only where somebody can
//! answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ipai_host::ssh::{Passphrase, opens};
use zeroize::Zeroizing;

use crate::bars;
use crate::edges::Edges;
use crate::hidden;

/// How often a wrong passphrase may be typed, as with OpenSSH.
const TRIES: usize = 3;

type Known = BTreeMap<PathBuf, Option<Zeroizing<String>>>;

/// Asks on the terminal; nothing where there is none.
#[must_use]
pub fn asking(edges: &Edges) -> Option<Passphrase> {
    if !edges.can_ask {
        return None;
    }
    let known: Mutex<Known> = Mutex::default();
    Some(Passphrase::new(move |key| {
        // Whoever comes second waits here for the answer to the first.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key.to_owned()).or_insert_with(|| ask(key)).clone()
    }))
}

fn ask(key: &Path) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(std::fs::read_to_string(key).unwrap_or_default());
    for _ in 0..TRIES {
        let typed = hidden::line(&format!("Passphrase of {} (not shown): ", key.display())).ok()?;
        if typed.is_empty() {
            return None;
        }
        if opens(&text, &typed) != Some(false) {
            return Some(typed);
        }
        bars::say(&format!("That does not open {}.", key.display()));
    }
    None
}
