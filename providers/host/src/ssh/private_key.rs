//! What can be told about a private key's text without its passphrase.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
