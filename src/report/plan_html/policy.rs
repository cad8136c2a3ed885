//! What the page may do: show itself, with the one style and the one script that it brings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{SCRIPT, STYLE};
use crate::report::graph;

/// The Content-Security-Policy. A text that became markup after all could load nothing, run nothing and send nothing.
pub(super) fn policy() -> String {
    let (script, style) = (hash(&[SCRIPT]), hash(&[STYLE, graph::STYLE]));
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'"
    )
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    STANDARD.encode(hash.finalize())
}
