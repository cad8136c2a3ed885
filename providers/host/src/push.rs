//! A push: any number of files in one stream, all of them whole or none of them.
//!
//! Files arrive under temporary names beside their targets, are checked against a list of digests, synced, and only
//! then renamed. The manifest claims what is about to come before anything moves, and is written again when all is
//! done; cut anywhere, every path holds the old file or the new one, and ipai knows both as its own.

mod keep;
mod stream;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use ipai_core::{Fault, RemoteError};

use crate::failure;
use crate::file::path;
use crate::manifest;
use crate::session::{Command, Output, Part, fill, quote};

pub(crate) use validate::{Validation, for_job};

/// The most paths in one call of a tool; far below the system's limit for arguments.
const CHUNK: usize = 200;

/// What is to be put on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Push {
    /// The stack, whose manifest is written.
    pub(crate) stack: String,
    /// A word that no other push has; it names the temporary folders.
    pub(crate) run: String,
    /// Files to write.
    pub(crate) files: Vec<Landing>,
    /// Paths to remove.
    pub(crate) removals: Vec<String>,
    /// SHA-256 of the manifest as it was read; absent when there was none.
    pub(crate) expected: Option<String>,
    /// The manifest while files move.
    pub(crate) claim: String,
    /// The manifest afterwards.
    pub(crate) record: String,
    /// Folders in which an earlier push that was killed may have left something.
    pub(crate) swept: BTreeSet<String>,
    /// What becomes of the releases that the host keeps.
    pub(crate) keeping: Option<Keeping>,
}

/// What becomes of a host's releases in a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// The number of a new one, and its description.
    pub(crate) new: Option<(u64, String)>,
    /// What belongs to it; what of it does not lie there is left out.
    pub(crate) paths: Vec<String>,
    /// All that are kept from now on.
    pub(crate) kept: Vec<u64>,
}

/// Where a file's content comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// From here.
    Bytes(Vec<u8>),
    /// From what the host keeps, under this SHA-256.
    Kept(String),
}

impl Source {
    /// SHA-256 of the content.
    fn sha256(&self) -> String {
        match self {
            Self::Bytes(bytes) => ipai_core::hash::sha256_hex(bytes),
            Self::Kept(sha256) => sha256.clone(),
        }
    }
}

impl<T: Into<Vec<u8>>> From<T> for Source {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// One file to write.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) path: String,
    pub(crate) content: Source,
    pub(crate) mode: String,
    pub(crate) owner: String,
    /// What has to find the content good before anything is written.
    pub(crate) validation: Option<Validation>,
}

impl std::fmt::Debug for Landing {
    /// Leaves the content out: it may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, content, mode, owner, .. } = self;
        match content {
            Source::Bytes(bytes) => {
                write!(f, "Landing({path} {mode} {owner}, {} bytes)", bytes.len())
            }
            Source::Kept(_) => write!(f, "Landing({path} {mode} {owner}, kept)"),
        }
    }
}

/// On the way to what is written, nobody may be able to put something else into the way: whoever can change a folder can
/// lead root's writing elsewhere. Trusted are root, who runs this, and who became root by sudo.
const GUARD: &str = r#"i=$(id) u=${i#uid=} g=${i#*gid=}
users=" 0 ${u%%[!0-9]*} ${SUDO_UID-0} " groups=" 0 ${g%%[!0-9]*} ${SUDO_GID-0} "
ways() {
  stat -c '%f %u %g %n' -- "$@" 2>/dev/null | while read -r f u g n; do
    w=$((0x$f))
    case $((w >> 12)) in
      4) ;;
      10) echo "$n is a symbolic link; name the folder that it leads to" >&2; exit 1 ;;
      *) echo "$n is no folder" >&2; exit 1 ;;
    esac
    case $users in
      *" $u "*) ;;
      *) echo "$n belongs to user $u, who could lead what is written there elsewhere; give it to root, or choose another folder" >&2; exit 1 ;;
    esac
    [ $((w & 16)) = 0 ] || [ $((w & 512)) != 0 ] || case $groups in
      *" $g "*) ;;
      *) echo "$n can be changed by the group $g; run chmod g-w, or choose another folder" >&2; exit 1 ;;
    esac
    [ $((w & 2)) = 0 ] || [ $((w & 512)) != 0 ] || { echo "$n can be changed by everybody; run chmod o-w, or choose another folder" >&2; exit 1; }
  done
}
free() {
  for f; do [ -L "$f" ] || [ ! -d "$f" ] || { echo "$f is a folder where a file belongs; remove it, or choose another path" >&2; return 1; }; done
}
"#;

const CHECKED: &str = r#"umask 077
need() { for f; do [ -d "$f" ] || { (umask 022; mkdir -p -- "$@"); return; }; done; }
sweep() { for f; do [ ! -e "$f" ] && [ ! -L "$f" ] || { rm -rf -- "$@"; return; }; done; }
[ -d @HOME@ ] || { need @STACK@ && mkdir -p -- @HOME@; } || exit 82
case $(sha256sum 2>/dev/null <@HOME@/manifest.json) in
  @RECORD@'  -') exit 0 ;;
  @EXPECTED@|@CLAIM@'  -') ;;
  *) exit 81 ;;
esac
"#;

const UNPACK: &str = "tar -xzmf - --no-same-owner || exit 83\n";

const VERIFY: &str = r#"[ "$(wc -l <@HOME@/@TEMP@/sums)" = @COUNT@ ] || exit 84
sha256sum --quiet --strict -c @HOME@/@TEMP@/sums || exit 85
land() { d=$1; shift; mv -f -t "$d" -- "$@"; }
"#;

const CLAIM: &str = "mv -f -T -- @HOME@/@TEMP@/claim.json @HOME@/manifest.json || exit 90\n";

const RECORD: &str = "mv -f -T -- @HOME@/@TEMP@/manifest.json @HOME@/manifest.json && sync -- @HOME@/manifest.json @HOME@ || exit 90\n";

impl Push {
    /// The name of the temporary folders.
    fn temporary(&self) -> String {
        format!(".ipai-new.{}", self.run)
    }

    /// The push as one command.
    pub(crate) fn command(&self, limit: Duration) -> Result<Command, RemoteError> {
        let stdin = stream::pack(self).map_err(|error| {
            RemoteError::new(Fault::Refused, "pack the files", error.to_string())
        })?;
        let validations = self.files.iter().filter_map(|file| file.validation.as_ref());
        let limit = limit + validations.map(Validation::limit).sum::<Duration>();
        Ok(Command::new("push files", self.script(), limit).stdin(stdin))
    }

    /// The script; paths are below the host's root, where it begins.
    fn script(&self) -> String {
        let mut script = "cd \"${IPAI_ROOT-}/\" || exit 91\n".to_owned();
        let folders = self.folders();
        self.guard(&mut script);
        script.push_str(&self.fill_in(CHECKED));
        let quoted =
            |paths: Vec<String>| -> Vec<String> { paths.iter().map(|p| quote(p)).collect() };
        for chunk in
            quoted(folders.keys().map(|folder| format!(".{folder}")).collect()).chunks(CHUNK)
        {
            // Writing to a text cannot fail, here and below.
            let _ = writeln!(script, "need {} || exit 82", chunk.join(" "));
        }
        self.clean_up(&mut script, &folders);
        script.push_str(UNPACK);
        self.fetch(&mut script);
        script.push_str(&self.fill_in(VERIFY));
        self.validate(&mut script);
        for (change, paths) in self.owned() {
            for chunk in quoted(paths).chunks(CHUNK) {
                let _ = writeln!(script, "{change} {} || exit 86", chunk.join(" "));
            }
        }
        let own = ["claim.json", "manifest.json"];
        let home = manifest::folder(&self.stack);
        let arrived = self.files.iter().map(|file| path::split(&file.path));
        let arrived = arrived.chain(own.map(|name| (home.as_str(), name)));
        let arrived = arrived.map(|(folder, name)| format!(".{}", self.place(folder, name)));
        for chunk in quoted(arrived.collect()).chunks(CHUNK) {
            let _ = writeln!(script, "sync -- {} || exit 87", chunk.join(" "));
        }
        script.push_str(&self.fill_in(CLAIM));
        for (folder, names) in &folders {
            let paths = names.iter().map(|name| format!(".{}", self.place(folder, name))).collect();
            for chunk in quoted(paths).chunks(CHUNK) {
                let folder = quote(&format!(".{folder}"));
                let _ = writeln!(script, "land {folder} {} || exit 88", chunk.join(" "));
            }
        }
        for chunk in
            quoted(self.removals.iter().map(|path| format!(".{path}")).collect()).chunks(CHUNK)
        {
            let _ = writeln!(script, "rm -f -- {} || exit 89", chunk.join(" "));
        }
        for chunk in
            quoted(folders.keys().map(|folder| format!(".{folder}")).collect()).chunks(CHUNK)
        {
            let _ = writeln!(script, "sync -- {} || exit 87", chunk.join(" "));
        }
        let keeping = self.keeping.as_ref();
        script.push_str(&keeping.map(|keeping| self.keep(keeping)).unwrap_or_default());
        script.push_str(&self.fill_in(RECORD));
        script.push_str(&keeping.map(|keeping| self.sweep(keeping)).unwrap_or_default());
        script
    }

    /// Removes what earlier pushes left, and sees to it that this one leaves nothing unless it is killed.
    fn clean_up(&self, script: &mut String, folders: &BTreeMap<&str, Vec<&str>>) {
        let home = manifest::folder(&self.stack);
        let all: Vec<String> = folders.keys().map(|f| (*f).to_owned()).chain([home]).collect();
        let swept: BTreeSet<&String> = all.iter().chain(&self.swept).collect();
        let left =
            swept.iter().map(|folder| format!("{}/.ipai-new.*", quote(&format!(".{folder}"))));
        let left: Vec<String> = left.collect();
        let own: Vec<String> =
            all.iter().map(|folder| quote(&format!(".{folder}/{}", self.temporary()))).collect();
        for chunk in left.chunks(CHUNK) {
            let _ = writeln!(script, "sweep {}", chunk.join(" "));
        }
        let _ = writeln!(script, "trap {} EXIT", quote(&format!("rm -rf -- {}", own.join(" "))));
    }

    /// Looks at every folder on the way to what is written or removed, before anything is.
    fn guard(&self, script: &mut String) {
        let removed = self.removals.iter().map(|path| path::split(path).0);
        let home = manifest::folder(&self.stack);
        let mut ways = BTreeSet::new();
        for folder in self.folders().into_keys().chain(removed).chain([home.as_str()]) {
            let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
            ways.extend(ends.filter(|end| *end > 0).filter_map(|end| folder.get(..end)));
        }
        let targets = self.files.iter().map(|file| file.path.as_str());
        script.push_str(GUARD);
        for (check, paths) in [("ways", ways.into_iter().collect()), ("free", targets.collect())] {
            let paths: Vec<&str> = paths;
            let quoted: Vec<String> = paths.iter().map(|path| quote(&format!(".{path}"))).collect();
            for chunk in quoted.chunks(CHUNK) {
                let _ = writeln!(script, "{check} {} || exit 92", chunk.join(" "));
            }
        }
    }

    fn fill_in(&self, template: &str) -> String {
        let sum = |text: &str| ipai_core::hash::sha256_hex(text.as_bytes());
        // Of a missing file `sha256sum` says nothing.
        let expected = self.expected.as_ref().map(|sum| format!("{sum}  -")).unwrap_or_default();
        let words = [
            ("HOME", format!(".{}", manifest::folder(&self.stack))),
            ("STACK", format!("./opt/ipai/{}", self.stack)),
            ("TEMP", self.temporary()),
            (
                "COUNT",
                (self.files.len() + 2 + usize::from(self.new_release().is_some())).to_string(),
            ),
            ("EXPECTED", expected),
            ("CLAIM", sum(&self.claim)),
            ("RECORD", sum(&self.record)),
        ];
        let parts: Vec<_> =
            words.iter().map(|(name, word)| (*name, Part::Word(word.as_str()))).collect();
        fill(template, &parts)
    }

    /// The folders that files go into, with the files' names.
    fn folders(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for file in &self.files {
            let (folder, name) = path::split(&file.path);
            folders.entry(folder).or_default().push(name);
        }
        folders
    }

    /// Where a file lies before it is renamed.
    fn place(&self, folder: &str, name: &str) -> String {
        format!("{}/{}/{name}", folder.trim_end_matches('/'), self.temporary())
    }

    /// What gives files their owners and then their modes, each with its temporary paths. Files are unpacked readable by
    /// root alone, and every owner is set before any mode.
    fn owned(&self) -> Vec<(String, Vec<String>)> {
        let (mut owners, mut modes) = (BTreeMap::new(), BTreeMap::new());
        for file in &self.files {
            let (folder, name) = path::split(&file.path);
            let place = format!(".{}", self.place(folder, name));
            owners.entry(&file.owner).or_insert_with(Vec::new).push(place.clone());
            modes.entry(&file.mode).or_insert_with(Vec::new).push(place);
        }
        let owners =
            owners.into_iter().map(|(owner, all)| (format!("chown -h -- {}", quote(owner)), all));
        let modes = modes.into_iter().map(|(mode, all)| (format!("chmod -- {mode}"), all));
        owners.chain(modes).collect()
    }

    /// Why a push failed, in words that name the step and the file.
    pub(crate) fn judge(&self, output: &Output) -> Result<(), RemoteError> {
        let doing = match output.exit {
            0 => return Ok(()),
            81 => return Err(moved(&self.stack)),
            82 => "make the folders",
            83 => "unpack the files",
            84 | 85 => "check the files that arrived",
            86 => "set owner and mode",
            87 => "write the files to disk",
            88 => "put the files into place",
            89 => "remove files",
            90 => "write the manifest",
            95 => validate::REFUSED,
            93 => "keep the release",
            94 => "take the files out of what the host keeps",
            92 => "use the folders",
            _ => "push files",
        };
        let words =
            output.stderr.replace(&format!("/{}/", self.temporary()), "/").replace("./", "/");
        let words = if output.exit == 95 { words } else { first_lines(&words) };
        let cause = failure::or_silence(&words, output.exit);
        let mut error = RemoteError::new(Fault::Refused, doing, cause);
        error.hint = match output.exit {
            95 => Some("nothing was written; correct the file and apply again".to_owned()),
            _ => failure::remedy(&words).map(str::to_owned),
        };
        Err(error)
    }

    /// Every path that is written or removed, to find what stands in two pushes.
    #[cfg(test)]
    pub(crate) fn paths(&self) -> std::collections::BTreeSet<&str> {
        let written = self.files.iter().map(|file| file.path.as_str());
        written.chain(self.removals.iter().map(String::as_str)).collect()
    }
}

fn moved(stack: &str) -> RemoteError {
    let cause = format!("{} was changed since it was read", manifest::place(stack));
    RemoteError::new(Fault::Refused, "push files", cause)
        .hint("another ipai was at work on this host; plan again")
}

/// The first complaint is the cause, the others mostly its echo.
fn first_lines(text: &str) -> String {
    text.lines().take(3).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
