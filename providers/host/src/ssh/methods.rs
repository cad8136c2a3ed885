//! Which algorithms are asked for: what current OpenSSH prefers, as far as libssh2 has it.
//!
//! SHA-1, CBC, DSA, and MACs without encrypt-then-mac are left out; chacha20 and GCM bring their own.
//! libssh2 itself puts the markers for strict key exchange and extension info before the list.

use ssh2::{MethodType, Session};

const KEX: &str = "mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org,\
ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group16-sha512,\
diffie-hellman-group18-sha512,diffie-hellman-group14-sha256";
const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,\
aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";

/// Restricts a fresh session to those algorithms and to the given host key algorithms.
pub(super) fn restrict(session: &Session, host_key: &[&str]) -> Result<(), ssh2::Error> {
    session.method_pref(MethodType::Kex, KEX)?;
    session.method_pref(MethodType::HostKey, &host_key.join(","))?;
    session.method_pref(MethodType::CryptCs, CIPHERS)?;
    session.method_pref(MethodType::CryptSc, CIPHERS)?;
    session.method_pref(MethodType::MacCs, MACS)?;
    session.method_pref(MethodType::MacSc, MACS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_only_for_what_libssh2_has() {
        let session = Session::new().unwrap();
        for (kind, list) in
            [(MethodType::Kex, KEX), (MethodType::CryptCs, CIPHERS), (MethodType::MacCs, MACS)]
        {
            let supported = session.supported_algs(kind).unwrap();
            for name in list.split(',') {
                assert!(supported.contains(&name), "{name} is not among {supported:?}");
            }
        }
    }
}
