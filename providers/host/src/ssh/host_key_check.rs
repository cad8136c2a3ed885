//! Decides whether the key that a host showed is one of the pinned ones.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::error::UnknownHost;
use super::known_hosts::{Known, Verdict};
use super::{Fingerprint, HostKeyPin, SshError, Target};

/// What is known before connecting: which algorithms to ask for, and what to compare with.
#[derive(Debug)]
pub(super) struct Expectation<'t> {
    target: &'t Target,
    pub(super) algorithms: Vec<&'static str>,
    known: Known,
}

impl<'t> Expectation<'t> {
    /// Reads the pin. Fails when there is nothing to compare with, before any connection is made.
    pub(super) fn read(target: &'t Target) -> Result<Self, SshError> {
        let unknown = |why| SshError::HostKeyUnknown { at: target.at(), why };
        match &target.pin {
            HostKeyPin::Fingerprints(list) if list.is_empty() => Err(unknown(UnknownHost::NoPin)),
            HostKeyPin::Fingerprints(_) => {
                Ok(Self { target, algorithms: vec!["ssh-ed25519"], known: Known::default() })
            }
            HostKeyPin::KnownHosts(files) => {
                let known = read_files(files, target).map_err(unknown)?;
                let algorithms = known.algorithms().map_err(|why| match why {
                    UnknownHost::NotListed(_) => unknown(UnknownHost::NotListed(files.clone())),
                    other => unknown(other),
                })?;
                Ok(Self { target, algorithms, known })
            }
        }
    }

    /// Compares the public key blob of the finished key exchange.
    pub(super) fn check(&self, blob: &[u8]) -> Result<(), SshError> {
        let shown = Fingerprint::of(blob);
        let at = self.target.at();
        match &self.target.pin {
            HostKeyPin::Fingerprints(accepted) if accepted.contains(&shown) => Ok(()),
            HostKeyPin::Fingerprints(accepted) => {
                let place = "the pin that ipai keeps for this host".to_owned();
                Err(SshError::HostKeyMismatch { at, shown, accepted: accepted.clone(), place })
            }
            HostKeyPin::KnownHosts(_) => match self.known.verdict(shown) {
                Verdict::Match => Ok(()),
                Verdict::Revoked(place) => Err(SshError::HostKeyRevoked { at, shown, place }),
                Verdict::Mismatch => {
                    let accepted = self.known.accepted.iter().map(|e| e.fingerprint).collect();
                    let place: Vec<&str> =
                        self.known.accepted.iter().map(|e| e.place.as_str()).collect();
                    let place = place.join(", ");
                    Err(SshError::HostKeyMismatch { at, shown, accepted, place })
                }
            },
        }
    }
}

fn read_files(files: &[PathBuf], target: &Target) -> Result<Known, UnknownHost> {
    let mut known = Known::default();
    for path in files {
        match std::fs::read(path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                known.read(&path.display().to_string(), &text, &target.address, target.port);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(UnknownHost::Unreadable(path.clone(), error.to_string()));
            }
        }
    }
    Ok(known)
}
