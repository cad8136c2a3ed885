//! Who owns a file, as the sandbox remembers it: the person who runs it owns everything really.
//!
//! Owners are kept by device, inode and time of birth, so that they survive a rename, as on a real
//! host, and a new file with a reused inode does not inherit them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

/// Users and groups that a host knows by name. `deploy` is the first ordinary user, `postgres` and
/// `nobody` have the ids of Debian and of the official image.
const KNOWN: [(&str, u32); 7] = [
    ("root", 0),
    ("deploy", 1000),
    ("nobody", 65534),
    ("nogroup", 65534),
    ("postgres", 999),
    ("www-data", 33),
    ("docker", 998),
];

/// Ids of a file's user and group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// What `chown` is asked to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    user: Option<u32>,
    group: Option<u32>,
}

/// All recorded owners; what is not here belongs to root.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Owners(BTreeMap<String, Owner>);

impl Change {
    /// Reads `USER`, `USER:`, `USER:GROUP` or `:GROUP` (chown(1)).
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (user, group) = match text.split_once([':', '.']) {
            None => (text, None),
            // A group left out after a colon is the user's own, which has the user's id here.
            Some((user, "")) => (user, Some(user)),
            Some((user, group)) => (user, Some(group)),
        };
        let invalid = |kind: &str| format!("invalid {kind}: '{text}'");
        let user = match user {
            "" => None,
            name => Some(id(name).ok_or_else(|| invalid("user"))?),
        };
        let group = match group {
            None | Some("") => None,
            Some(name) => Some(id(name).ok_or_else(|| invalid("group"))?),
        };
        Ok(Self { user, group })
    }
}

impl Owners {
    /// Reads what was recorded on this host.
    pub(super) fn load(state: &Path) -> io::Result<Self> {
        super::store::read(state, "owners")
    }

    /// Returns the owner of a file.
    pub(super) fn of(&self, file: &Metadata) -> Owner {
        self.0.get(&key(file)).copied().unwrap_or_default()
    }
}

/// Changes the recorded owner of each file.
pub(super) fn record(state: &Path, files: &[Metadata], change: Change) -> io::Result<()> {
    super::store::change(state, "owners", |owners: &mut Owners| {
        for file in files {
            let owner = owners.0.entry(key(file)).or_default();
            owner.user = change.user.unwrap_or(owner.user);
            owner.group = change.group.unwrap_or(owner.group);
        }
    })
}

/// Returns the name of a user or group id, or the number where there is none.
pub(super) fn name(id: u32, group: bool) -> String {
    let fits = |(name, known): &&(&str, u32)| {
        *known == id && !(group && *name == "nobody") && (group || *name != "nogroup")
    };
    KNOWN.iter().find(fits).map_or_else(|| id.to_string(), |(name, _)| (*name).to_owned())
}

fn id(name: &str) -> Option<u32> {
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, id)| *id);
    known.or_else(|| name.trim_start_matches('+').parse().ok())
}

fn key(file: &Metadata) -> String {
    let born = file.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{}:{}:{}", file.dev(), file.ino(), born.unwrap_or_default().as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_numbers_and_groups_left_out() {
        let ids = |text| Change::parse(text).map(|change| (change.user, change.group));
        assert_eq!(ids("deploy").unwrap(), (Some(1000), None));
        assert_eq!(ids("65534:").unwrap(), (Some(65534), Some(65534)));
        assert_eq!(ids(":postgres").unwrap(), (None, Some(999)));
        assert_eq!(ids("nobody:nogroup").unwrap(), (Some(65534), Some(65534)));
        assert_eq!(ids("someone").unwrap_err(), "invalid user: 'someone'");
    }

    #[test]
    fn names_ids_as_users_and_as_groups() {
        assert_eq!(name(65534, false), "nobody");
        assert_eq!(name(65534, true), "nogroup");
        assert_eq!(name(4242, false), "4242");
    }
}
