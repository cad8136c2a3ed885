//! Reading files that somebody else may have written: nothing that never ends, and nothing that waits for a writer.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of one file of a stack. Larger things are no text that a person wrote.
const MOST: u64 = 32 << 20;

/// The text of a regular file.
///
/// # Errors
/// It cannot be read, is something else than a file, is larger than 32 MiB, or holds no UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    // Opening something else may already wait for ever, so it is looked at first.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    read_some(path)
}

/// The same for a file that may be a pipe, as `/dev/stdin` is.
///
/// # Errors
/// As for [`read`], but for what kind of file it is.
pub(crate) fn read_some(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        let text = format!("it is larger than {} MiB", MOST >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    String::from_utf8(bytes).map_err(|error| {
        let text = format!("it is not UTF-8: byte {}", error.utf8_error().valid_up_to() + 1);
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_and_what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| read(path).unwrap_err().to_string();
        assert_eq!(told(folder.path()), "it is no regular file");
        assert_eq!(told(Path::new("/dev/zero")), "it is no regular file");
        assert!(read_some(Path::new("/dev/zero")).unwrap_err().to_string().contains("larger"));
        let path = folder.path().join("latin");
        std::fs::write(&path, b"ab\xe9").unwrap();
        assert_eq!(told(&path), "it is not UTF-8: byte 3");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read(&path).unwrap(), "text");
    }
}
