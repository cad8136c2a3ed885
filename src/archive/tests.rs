use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

struct Export(tar::Builder<GzEncoder<Vec<u8>>>, String);

impl Export {
    fn new() -> Self {
        let export =
            Self(tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast())), String::new());
        export.file("manifest.json", b"{}").file("index", b"backup 1\n")
    }

    fn raw(mut self, path: &str, kind: EntryType, link: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        // As an attacker would, past what the crate refuses to write.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.1.push_str(&format!("{}  ./{path}\n", ipai_core::hash::sha256_hex(content)));
        self.raw(&format!("./{path}"), EntryType::Regular, "", content)
    }

    fn bytes(self) -> Vec<u8> {
        let sums = self.1.clone();
        self.raw("./SHA256SUMS", EntryType::Regular, "", sums.as_bytes())
            .0
            .into_inner()
            .unwrap()
            .finish()
            .unwrap()
    }

    fn judge(self) -> Result<String, String> {
        judge(&self.bytes())
    }
}

fn judge(bytes: &[u8]) -> Result<String, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    look_through(file.path())
}

#[test]
fn a_whole_export_with_links_that_stay_inside_is_taken() {
    let export = Export::new()
        .raw("./folders/ops_n8n/", EntryType::Directory, "", b"")
        .file("folders/ops_n8n/a b.txt", b"hello")
        .raw("./folders/ops_n8n/bin/x", EntryType::Symlink, "../a b.txt", b"");
    assert_eq!(export.judge(), Ok("{}".to_owned()));
}

#[test]
fn what_would_land_outside_is_refused() {
    for path in ["../evil", "folders/../../evil", "/etc/passwd"] {
        let judged = Export::new().raw(path, EntryType::Regular, "", b"x").judge();
        assert!(judged.as_ref().unwrap_err().contains("outside"), "{path}: {judged:?}");
    }
    for (path, target) in [
        ("./folders/v/l", "/etc"),
        ("./folders/v/l", "../../x"),
        ("./folders/v/d/l", "../../../index"),
        ("./l", "index"),
        ("./databases/l", "x"),
    ] {
        let judged = Export::new().raw(path, EntryType::Symlink, target, b"").judge();
        assert!(
            judged.as_ref().unwrap_err().contains("leads outside"),
            "{path} {target}: {judged:?}"
        );
    }
    let through = Export::new()
        .raw("./folders/v/l", EntryType::Symlink, "d", b"")
        .file("folders/v/l/x", b"x");
    assert!(through.judge().unwrap_err().contains("through a link"));
    for kind in [EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        let judged = Export::new().raw("./folders/v/x", kind, "index", b"").judge();
        assert!(judged.as_ref().unwrap_err().contains("neither"), "{kind:?}: {judged:?}");
    }
}

#[test]
fn a_byte_changed_a_file_missing_or_added_is_refused() {
    let added = Export::new().raw("./folders/v/x", EntryType::Regular, "", b"x").judge();
    assert!(added.unwrap_err().contains("SHA256SUMS"));
    let mut missing = Export::new();
    missing.1.push_str(&format!("{}  ./folders/v/y\n", "a".repeat(64)));
    assert!(missing.judge().unwrap_err().contains("SHA256SUMS"));
    let mut changed = Export::new();
    changed.1 = changed.1.replacen(|c: char| c.is_ascii_hexdigit(), "0", 2);
    assert!(changed.judge().is_err());
    let mut headless =
        Export(tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast())), String::new());
    headless = headless.file("index", b"x");
    assert!(headless.judge().unwrap_err().contains("no manifest"));
}

#[test]
fn an_export_cut_off_at_any_byte_is_refused() {
    let whole = Export::new().file("folders/v/x", &vec![7; 3_000]).bytes();
    for end in 0..whole.len() {
        assert!(judge(&whole[..end]).is_err(), "cut at {end} of {}", whole.len());
    }
    assert!(judge(&whole).is_ok());
    assert!(judge(b"not a tar at all").is_err());
}
