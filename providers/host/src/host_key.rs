//! Makes ed25519 key pairs in OpenSSH form: a droplet's host key before the droplet exists, and a
//! client key for the sandbox.

use std::fmt;

use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use crate::ssh::Fingerprint;

/// An ed25519 key pair. The private text is wiped from memory when it is dropped.
pub struct KeyPair {
    private: Zeroizing<String>,
    public: String,
    fingerprint: Fingerprint,
}

impl KeyPair {
    /// Derives the pair from 32 bytes of entropy, which the caller takes from the system and wipes.
    ///
    /// The comment ends both texts and may hold no line break; any is replaced by a space.
    pub fn from_seed(seed: &[u8; 32], comment: &str) -> Result<Self, ssh_key::Error> {
        let comment = comment.replace(['\r', '\n'], " ");
        let key = KeypairData::Ed25519(Ed25519Keypair::from_seed(seed));
        let key = PrivateKey::new(key, comment)?;
        let public = key.public_key();
        Ok(Self {
            private: key.to_openssh(LineEnding::LF)?,
            public: public.to_openssh()?,
            fingerprint: Fingerprint::of(&public.to_bytes()?),
        })
    }

    /// The private key in OpenSSH form, as `/etc/ssh/ssh_host_ed25519_key` holds it.
    pub fn expose_private(&self) -> &str {
        &self.private
    }

    /// The public key on one line, as `authorized_keys` and `.pub` files hold it.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The fingerprint to pin.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_key() {
        let (a, b) = (KeyPair::from_seed(&[7; 32], "x"), KeyPair::from_seed(&[7; 32], "x"));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(a.expose_private(), b.expose_private());
        assert_ne!(a.fingerprint(), KeyPair::from_seed(&[8; 32], "x").unwrap().fingerprint());
        assert!(a.public().starts_with("ssh-ed25519 AAAA") && a.public().ends_with(" x"));
        assert!(a.expose_private().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    }

    #[test]
    fn neither_debug_nor_a_comment_leaks_or_breaks_lines() {
        let key = KeyPair::from_seed(&[1; 32], "a\nssh-rsa b").unwrap();
        assert_eq!(key.public().lines().count(), 1);
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
