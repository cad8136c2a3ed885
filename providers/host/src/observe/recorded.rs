//! What the observer makes of an answer that was recorded: the same steps as over SSH, without a host.

use ipai_core::{Address, DigestKey, LiveState, RemoteError, Scope};

use super::answer::Answer;
use super::of_home;
use super::report::Report;
use crate::manifest::Manifest;

/// Works out what `home` looks like, from the standard output of the script that looked at it. Nobody is contacted.
///
/// # Errors
/// The answer, or the manifest in it, is none that ipai's script or an ipai can have written.
pub fn live_state_of(
    scope: &Scope,
    home: &Address,
    key: &DigestKey,
    stdout: &[u8],
) -> Result<LiveState, RemoteError> {
    let stack = scope.stack.as_str();
    let answer = Answer::read(stdout)?;
    let manifest = Manifest::read(stack, answer.manifest.as_deref())?;
    let desired = of_home(&scope.desired, home);
    Report { stack, home, desired: &desired, manifest: &manifest, answer: &answer, key }.live()
}
