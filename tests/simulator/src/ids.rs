//! Ids that look random and are the same in every run.

use sha2::{Digest, Sha256};

/// The UUID number `number` of a kind.
pub(crate) fn uuid(kind: &str, number: u64) -> String {
    let hex = hex(&format!("{kind}/{number}"));
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// The first 32 hexadecimal digits of a text's SHA-256.
pub(crate) fn hex(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
