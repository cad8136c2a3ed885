//! What can be told about a private key's text without its passphrase.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Tells whether a text claims to be a private key, in OpenSSH or PEM form.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") && !text.contains('\0')
}

/// Tells whether a passphrase is needed.
///
/// OpenSSH's own form names its cipher inside (PROTOCOL.key: magic, then the cipher's name);
/// PEM says it in a header (RFC 1421) or in its label (RFC 5958).
pub(super) fn is_encrypted(text: &str) -> bool {
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return true;
    }
    let Some((_, rest)) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----") else {
        return false;
    };
    // 40 base64 digits hold the 15 bytes of magic, the length and the name `none`.
    let head: String = rest.chars().filter(|c| !c.is_whitespace()).take(40).collect();
    match STANDARD.decode(head) {
        Ok(bytes) => !bytes.starts_with(b"openssh-key-v1\0\0\0\0\x04none"),
        Err(_) => false,
    }
}

/// The public half of a private key file in SSH wire form: out of `FILE.pub`, else out of the file itself, where
/// OpenSSH's form shows it without the passphrase.
pub(super) fn public_blob(file: &Path) -> Option<Vec<u8>> {
    let beside = std::fs::read_to_string(format!("{}.pub", file.display())).ok();
    let public = beside.and_then(|text| ssh_key::PublicKey::from_openssh(text.trim()).ok());
    let public = public.or_else(|| {
        let text = Zeroizing::new(std::fs::read_to_string(file).ok()?);
        Some(ssh_key::PrivateKey::from_openssh(text.as_bytes()).ok()?.public_key().clone())
    });
    public?.to_bytes().ok()
}

/// Tells whether a passphrase opens a key; nothing where that cannot be told here, as for PEM.
#[must_use]
pub fn opens(text: &str, passphrase: &str) -> Option<bool> {
    let key = ssh_key::PrivateKey::from_openssh(text.as_bytes()).ok()?;
    Some(key.decrypt(passphrase).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openssh(cipher: &str) -> String {
        let mut bytes = b"openssh-key-v1\0".to_vec();
        bytes.extend(u32::try_from(cipher.len()).unwrap().to_be_bytes());
        bytes.extend(cipher.as_bytes());
        bytes.extend([0; 60]);
        format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
            STANDARD.encode(bytes)
        )
    }

    #[test]
    fn tells_encrypted_keys_from_plain_ones() {
        assert!(!is_encrypted(&openssh("none")));
        assert!(is_encrypted(&openssh("aes256-ctr")));
        assert!(is_encrypted("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"));
        assert!(is_encrypted("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(!is_encrypted("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"));
        assert!(!is_encrypted("ä"));
    }
}
