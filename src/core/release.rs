//! Releases: what a host served when all was well, and when going back to one must not be done just so.

use std::collections::BTreeMap;

use crate::BoxFuture;
use crate::address::Address;
use crate::called::called;
use crate::provider::{Events, RemoteError};

/// What a host served when all was well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Its number on this host; later ones have higher ones.
    pub id: u64,
    /// When it was recorded, in seconds since 1970.
    pub time: i64,
    /// What was changed for it, by address.
    pub why: Vec<String>,
    /// Its files, with the SHA-256 of each.
    pub files: BTreeMap<String, String>,
    /// What its containers ran.
    pub images: Vec<ReleaseImage>,
}

/// What the containers of one service run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseImage {
    /// The Compose project.
    pub project: String,
    /// The service.
    pub service: String,
    /// What the service calls the image.
    pub name: String,
    /// The image's id.
    pub id: String,
}

/// The releases that one host keeps, and what it serves now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// All of them, the newest first.
    pub releases: Vec<Release>,
    /// The one that the host served last when all was well.
    pub current: Option<u64>,
    /// What was changed since then, by address; the host may serve something else by now.
    pub since: Vec<String>,
    /// Its files as they are, with the SHA-256 of each.
    pub files: BTreeMap<String, String>,
    /// What its containers run.
    pub images: Vec<ReleaseImage>,
}

/// Reads the releases of one host and lets it go back to one.
pub trait Releases: Send + Sync {
    /// Looks at all of them, and at what is served now.
    fn look(&self) -> BoxFuture<'_, Result<Kept, RemoteError>>;
    /// Goes back to one and waits until it is healthy; progress is told at `address`. When it does not become healthy,
    /// the host returns to the one that it served before, if there is one.
    fn go_back<'a>(
        &'a self,
        to: u64,
        address: &'a Address,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<(), RemoteError>>;
}

/// One service whose image differs between two releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageChange<'a> {
    /// What it runs now.
    pub from: &'a ReleaseImage,
    /// What it would run.
    pub to: &'a ReleaseImage,
}

impl Kept {
    /// The release with this number.
    #[must_use]
    pub fn release(&self, id: u64) -> Option<&Release> {
        self.releases.iter().find(|release| release.id == id)
    }

    /// The one before the current one.
    #[must_use]
    pub fn previous(&self) -> Option<&Release> {
        let current = self.current?;
        self.releases.iter().filter(|release| release.id < current).max_by_key(|r| r.id)
    }

    /// The services that would run another image in that release.
    #[must_use]
    pub fn changed_images<'a>(&'a self, to: &'a Release) -> Vec<ImageChange<'a>> {
        let same = |a: &ReleaseImage, b: &ReleaseImage| {
            (&a.project, &a.service) == (&b.project, &b.service) && a.id != b.id
        };
        let change = |to: &'a ReleaseImage| {
            Some(ImageChange { from: self.images.iter().find(|from| same(from, to))?, to })
        };
        to.images.iter().filter_map(change).collect()
    }
}

impl ImageChange<'_> {
    /// Tells whether it would run an older version. Where that cannot be told, it counts as older.
    #[must_use]
    pub fn lowers(&self) -> bool {
        rises(&self.to.name, &self.from.name)
    }

    /// The two major versions, when both are PostgreSQL and differ.
    #[must_use]
    pub fn postgres_majors(&self) -> Option<(u64, u64)> {
        let (from, to) = (postgres_major(&self.from.name)?, postgres_major(&self.to.name)?);
        (from != to).then_some((from, to))
    }
}

/// Tells whether `new` is a later version than `old` by the numbers of their tags. Where one has none, it may be, and
/// so it may where one tag has two digests.
#[must_use]
pub fn rises(old: &str, new: &str) -> bool {
    match (version(old), version(new)) {
        (Some(before), Some(after)) if before != after => after > before,
        (Some(_), Some(_)) => {
            let digests = old.split_once('@').zip(new.split_once('@'));
            digests.is_some_and(|(old, new)| old.0 == new.0 && old.1 != new.1)
        }
        _ => old != new,
    }
}

/// The major version of a PostgreSQL image, such as 17 of `postgres:17.11-bookworm`.
#[must_use]
pub fn postgres_major(image: &str) -> Option<u64> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    name.strip_prefix("postgres:").and_then(|tag| version_of(tag)?.first().copied())
}

/// The way from one major version of PostgreSQL to another, with commands to paste; a line each.
#[must_use]
pub fn postgres_way(project: &str, service: &str, from: u64, to: u64) -> String {
    if to < from {
        return format!(
            "PostgreSQL {to} need not understand a dump of {from}; in one edit the tag and the volume that {to} wrote, if it is still there, else a new one for a backup that {to} took"
        );
    }
    let run = called(&format!("exec {project}/{service} --"));
    let (apply, up) = (called("apply"), called("up"));
    let mount = match from < 18 && to >= 18 {
        true => ", and its mount: at /var/lib/postgresql, as the image wants it from 18 on",
        false => "",
    };
    format!(
        "stop what uses the databases, and dump each of them ({run} psql -U postgres -l):\n\
         {run} pg_dump -U postgres -Fc DB >DB.dump\n\
         then in one edit the tag, another name for the data volume{mount}; {apply}; stop what uses the databases, and for each of them, whose OWNER must be a role already:\n\
         {run} dropdb -U postgres --if-exists --force DB\n\
         {run} createdb -U postgres -T template0 -E UTF8 -O OWNER DB\n\
         {run} pg_restore -U postgres --exit-on-error --no-owner --no-privileges --role=OWNER -d DB <DB.dump\n\
         then {up}; the old volume stays until you remove it"
    )
}

fn version(image: &str) -> Option<Vec<u64>> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    version_of(name.split_once(':')?.1)
}

/// The leading numbers of a tag; what follows them, such as `-alpine`, says nothing about age.
fn version_of(tag: &str) -> Option<Vec<u64>> {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
    let numbers = tag[..end].split('.').filter(|part| !part.is_empty());
    let numbers: Option<Vec<u64>> = numbers.map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| !numbers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers_and_anything_else_may_be_newer() {
        for (old, new, expected) in [
            ("app:1.9", "app:1.10", true),
            ("app:1.10", "app:1.9", false),
            ("r.example.com:5000/app:v2", "r.example.com:5000/app:v3-alpine", true),
            ("app:1.0.0", "app:1.0.0", false),
            ("app:stable", "app:stable", false),
            ("app:stable", "app:1.0", true),
            ("app@sha256:aa", "app@sha256:bb", true),
            ("app:1.9@sha256:bb", "app:1.10@sha256:aa", true),
            ("app:1.10@sha256:aa", "app:1.9@sha256:bb", false),
            ("app:1.9@sha256:aa", "app:1.9@sha256:bb", true),
            ("app:1.9", "app:1.9@sha256:bb", false),
        ] {
            assert_eq!(rises(old, new), expected, "{old} to {new}");
        }
    }

    #[test]
    fn reads_the_major_version_of_postgresql_alone() {
        for (image, expected) in [
            ("postgres:17.11-bookworm", Some(17)),
            ("docker.io/library/postgres:16", Some(16)),
            ("postgres:17@sha256:ab", Some(17)),
            ("postgres:latest", None),
            ("postgres", None),
            ("not-postgres:17", None),
            ("caddy:2.11", None),
        ] {
            assert_eq!(postgres_major(image), expected, "{image}");
        }
    }

    #[test]
    fn the_way_to_another_major_restores_each_database_and_says_where_its_image_wants_the_mount() {
        let way = postgres_way("ops", "db", 17, 18);
        for part in [
            "\nipai exec ops/db -- pg_dump -U postgres -Fc DB >DB.dump\n",
            "its mount: at /var/lib/postgresql, as",
            "dropdb -U postgres --if-exists --force DB\n",
            "-O OWNER DB\n",
            "--role=OWNER -d DB <DB.dump\n",
        ] {
            assert!(way.contains(part), "{part}: {way}");
        }
        assert!(!postgres_way("ops", "db", 16, 17).contains("mount"));
        assert!(!postgres_way("ops", "db", 18, 19).contains("mount"));
        assert!(postgres_way("ops", "db", 18, 17).contains("a backup that 17 took"));
    }

    #[test]
    fn the_previous_release_is_the_newest_before_the_current_one() {
        let releases = [4, 3, 1].map(|id| Release { id, ..Release::default() }).into();
        let kept = Kept { releases, current: Some(3), ..Kept::default() };
        assert_eq!(kept.previous().map(|release| release.id), Some(1));
        assert_eq!(Kept { current: Some(1), ..kept.clone() }.previous(), None);
        assert_eq!(Kept { current: None, ..kept }.previous(), None);
    }
}
