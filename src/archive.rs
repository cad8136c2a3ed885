//! An exported backup, looked through before a byte of it goes anywhere: a gzipped tar of regular files, folders and
//! links that stay inside, with `SHA256SUMS` of every file, `index` and `manifest.json`.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

/// The largest manifest in bytes.
const MAX_MANIFEST: u64 = 16 << 20;
/// The longest line of `SHA256SUMS`.
const MAX_LINE: u64 = 64 << 10;

type Sum = [u8; 32];
/// By a digest of the path, so that a million files take no more memory than they must.
type Sums = HashMap<[u8; 16], Sum>;

/// Looks an export through; gives the text of its manifest.
///
/// # Errors
/// Why it must not be restored.
pub fn look_through(file: &Path) -> Result<String, String> {
    let opened = File::open(file).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut archive = Archive::new(GzDecoder::new(BufReader::with_capacity(1 << 17, opened)));
    let entries = archive.entries().map_err(broken)?;
    let mut look = Look::default();
    for entry in entries {
        look.entry(entry.map_err(broken)?)?;
    }
    // The checksum of the compression stands behind everything that tar reads.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
    look.conclude()
}

fn broken(error: std::io::Error) -> String {
    format!("it is damaged, cut off, or no gzipped tar: {error}")
}

#[derive(Default)]
struct Look {
    found: Sums,
    wanted: Sums,
    /// Links to elsewhere; nothing may lie below one.
    links: BTreeSet<PathBuf>,
    manifest: Option<String>,
    index: bool,
}

impl Look {
    fn entry<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), String> {
        let path = entry.path().map_err(broken)?.into_owned();
        let name = path.display().to_string();
        let path = inside(&path).ok_or_else(|| {
            format!("it would write outside of its folder: `{}`", name.escape_debug())
        })?;
        if path.ancestors().any(|above| self.links.contains(above)) {
            return Err(format!("it would write through a link: `{}`", name.escape_debug()));
        }
        match entry.header().entry_type() {
            EntryType::Directory => Ok(()),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(&path, &mut entry)
            }
            EntryType::Symlink => self.link(path, &entry),
            other => Err(format!(
                "`{}` is neither a file, a folder nor a link ({other:?})",
                name.escape_debug()
            )),
        }
    }

    fn link<R: Read>(&mut self, path: PathBuf, entry: &Entry<'_, R>) -> Result<(), String> {
        let target = entry
            .link_name()
            .map_err(broken)?
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        if !stays(&path, &target) {
            return Err(format!(
                "the link `{}` leads outside of its folder",
                path.display().to_string().escape_debug()
            ));
        }
        self.links.insert(path);
        Ok(())
    }

    fn file<R: Read>(&mut self, path: &Path, entry: &mut Entry<'_, R>) -> Result<(), String> {
        match path.to_str() {
            Some("SHA256SUMS") => return self.sums(entry),
            Some("manifest.json") => {
                let mut text = String::new();
                entry.take(MAX_MANIFEST).read_to_string(&mut text).map_err(broken)?;
                self.found.insert(key(path), Sha256::digest(text.as_bytes()).into());
                self.manifest = Some(text);
                return Ok(());
            }
            Some("index") => self.index = true,
            _ => {}
        }
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match entry.read(&mut buffer).map_err(broken)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        self.found.insert(key(path), hasher.finalize().into());
        Ok(())
    }

    fn sums<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), String> {
        let mut reader = BufReader::new(entry);
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).map_err(broken)? == 0 {
                return Ok(());
            }
            let (path, sum) = sum_line(&line).ok_or("its SHA256SUMS cannot be read")?;
            self.wanted.insert(key(&path), sum);
        }
    }

    fn conclude(self) -> Result<String, String> {
        let missing = self.wanted.keys().find(|path| !self.found.contains_key(*path));
        let differs = self.found.iter().any(|(path, sum)| self.wanted.get(path) != Some(sum));
        if self.wanted.is_empty() || missing.is_some() || differs {
            return Err(
                "its files are not those that its SHA256SUMS lists: it is damaged or was changed"
                    .to_owned(),
            );
        }
        let manifest = self.manifest.filter(|_| self.index);
        manifest.ok_or_else(|| "it is no backup of ipai's: it has no manifest".to_owned())
    }
}

/// The path below the archive's folder, if it stays there.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => inside.push(name),
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return None,
        }
    }
    Some(inside)
}

/// Tells whether a link that lies at `path` stays in the folder of its volume (`folders/NAME`).
fn stays(path: &Path, target: &Path) -> bool {
    // A link in a container's folder may name a path of the container's; what it means there, it means again.
    let mut depth = path.components().count().saturating_sub(3);
    if !path.starts_with("folders") || path.components().count() < 3 || target.is_absolute() {
        return false;
    }
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            Component::Prefix(_) | Component::RootDir => return false,
        }
    }
    true
}

fn key(path: &Path) -> [u8; 16] {
    let sum: Sum = Sha256::digest(path.as_os_str().as_encoded_bytes()).into();
    let mut key = [0; 16];
    key.copy_from_slice(&sum[..16]);
    key
}

/// A line as `sha256sum` writes it; a backslash before it says that the name is escaped.
fn sum_line(line: &[u8]) -> Option<(PathBuf, Sum)> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (escaped, text) = text.strip_prefix('\\').map_or((false, text), |text| (true, text));
    let (hex, name) = text.split_at_checked(64)?;
    let name = name.strip_prefix("  ").or_else(|| name.strip_prefix(" *"))?;
    let name = if escaped { unescape(name)? } else { name.to_owned() };
    let mut sum = [0; 32];
    for (byte, place) in sum.iter_mut().zip(0..) {
        *byte = u8::from_str_radix(hex.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some((inside(Path::new(&name))?, sum))
}

fn unescape(name: &str) -> Option<String> {
    let (mut plain, mut letters) = (String::new(), name.chars());
    while let Some(letter) = letters.next() {
        plain.push(match (letter, letter == '\\') {
            (_, true) => match letters.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            (letter, false) => letter,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests;
