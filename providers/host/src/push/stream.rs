//! The stream of a push: a packed tar whose last entry lists the digests of all others.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use ipai_core::hash;

use super::{Push, Source};
use crate::manifest;

/// Packs files and manifests. Entries are readable by root alone, wherever they end up.
pub(super) fn pack(push: &Push) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut sums = String::new();
    let home = manifest::folder(&push.stack);
    for file in &push.files {
        let (folder, name) = crate::file::path::split(&file.path);
        let place = push.place(folder, name);
        sums.push_str(&sum_line(&place, &file.content.sha256()));
        if let Source::Bytes(bytes) = &file.content {
            append(&mut archive, &place, bytes)?;
        }
    }
    let release = push.new_release().map(|text| ("release.json", text));
    let texts = [("claim.json", push.claim.as_str()), ("manifest.json", &push.record)];
    for (name, text) in texts.into_iter().chain(release) {
        let place = push.place(&home, name);
        sums.push_str(&sum_line(&place, &hash::sha256_hex(text.as_bytes())));
        append(&mut archive, &place, text.as_bytes())?;
    }
    append(&mut archive, &push.place(&home, "sums"), sums.as_bytes())?;
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    packed.finish()
}

fn append(
    archive: &mut tar::Builder<GzEncoder<Vec<u8>>>,
    path: &str,
    content: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path.trim_start_matches('/'), content)
}

/// A line as `sha256sum -c` reads it; a backslash in the name is escaped and marked at the line's beginning.
fn sum_line(path: &str, sum: &str) -> String {
    if path.contains('\\') {
        return format!("\\{sum}  .{}\n", path.replace('\\', "\\\\"));
    }
    format!("{sum}  .{path}\n")
}
