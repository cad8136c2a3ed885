//! `stat`: the system's answers, with the owner that `chown` recorded.

use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::owners::{self, Owners};
use super::{chown, complain, print, write_path};

/// What to print about each file.
struct Request<'a> {
    format: String,
    /// `--printf`: escapes mean something and no line ends are added.
    escapes: bool,
    follow: bool,
    files: Vec<&'a OsString>,
}

/// Runs `stat [-L] -c FORMAT|--printf=FORMAT [--] FILE…` as GNU stat(1) does.
pub(super) fn run(state: &Path, arguments: &[OsString]) -> u8 {
    let request = match Request::parse(arguments) {
        Ok(request) => request,
        Err(problem) => {
            complain(format!("stat: {problem}"));
            return 1;
        }
    };
    let owners = match Owners::load(state) {
        Ok(owners) => owners,
        Err(error) => {
            complain(format!("stat (ipai sandbox, simulated): {error}"));
            return 1;
        }
    };
    let mut out = Vec::new();
    let mut status = 0;
    for file in &request.files {
        let path = Path::new(file);
        match if request.follow { fs::metadata(path) } else { fs::symlink_metadata(path) } {
            Ok(metadata) => request.describe(path, &metadata, &owners, &mut out),
            Err(error) => {
                let reason = chown::reason(&error);
                complain(format!("stat: cannot statx '{}': {reason}", path.display()));
                status = 1;
            }
        }
    }
    print(out);
    status
}

impl<'a> Request<'a> {
    fn parse(arguments: &'a [OsString]) -> Result<Self, String> {
        let (mut format, mut escapes, mut follow) = (None, false, false);
        let (mut files, mut ended) = (Vec::new(), false);
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let mut value = |escape: bool| {
                escapes = escape;
                let next = words.next().ok_or("option requires an argument -- 'c'")?;
                Ok::<_, String>(Some(next.to_string_lossy().into_owned()))
            };
            match &*text {
                _ if ended => files.push(word),
                "--" => ended = true,
                "-L" | "--dereference" => follow = true,
                "-c" | "--format" => format = value(false)?,
                "--printf" => format = value(true)?,
                "-Lc" => (follow, format) = (true, value(false)?),
                text if text.starts_with("--format=") || text.starts_with("--printf=") => {
                    escapes = text.starts_with("--printf=");
                    format = text.split_once('=').map(|(_, format)| format.to_owned());
                }
                text if text.starts_with("-c") => {
                    (escapes, format) = (false, text.get(2..).map(str::to_owned));
                }
                text if text.starts_with('-') && text != "-" => {
                    return Err(format!("invalid option -- '{text}'"));
                }
                _ => files.push(word),
            }
        }
        let format = format.ok_or("the sandbox's stat wants -c FORMAT or --printf=FORMAT")?;
        if files.is_empty() {
            return Err("missing operand".to_owned());
        }
        Ok(Self { format, escapes, follow, files })
    }

    fn describe(&self, path: &Path, file: &Metadata, owners: &Owners, out: &mut Vec<u8>) {
        let mut chars = self.format.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '%' => {
                    let mut width = String::new();
                    while let Some(digit) = chars.next_if(|c| c.is_ascii_digit() || *c == '-') {
                        width.push(digit);
                    }
                    match chars.next() {
                        Some('n') => write_path(out, path),
                        Some(directive) => {
                            let text = field(directive, path, file, owners);
                            out.extend(padded(&text, &width).bytes());
                        }
                        None => out.push(b'%'),
                    }
                }
                '\\' if self.escapes => escape(&mut chars, out),
                other => out.extend(other.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        if !self.escapes {
            out.push(b'\n');
        }
    }
}

fn field(directive: char, path: &Path, file: &Metadata, owners: &Owners) -> String {
    let owner = owners.of(file);
    match directive {
        'a' => format!("{:o}", file.mode() & 0o7777),
        'f' => format!("{:x}", file.mode()),
        'F' => kind(file).to_owned(),
        'u' => owner.user.to_string(),
        'g' => owner.group.to_string(),
        'U' => owners::name(owner.user, false),
        'G' => owners::name(owner.group, true),
        's' => file.size().to_string(),
        'b' => file.blocks().to_string(),
        'B' => "512".to_owned(),
        'd' => file.dev().to_string(),
        'h' => file.nlink().to_string(),
        'i' => file.ino().to_string(),
        'X' => file.atime().to_string(),
        'Y' => file.mtime().to_string(),
        'Z' => file.ctime().to_string(),
        'N' if file.is_symlink() => {
            let target = fs::read_link(path).unwrap_or_default();
            format!("'{}' -> '{}'", path.display(), target.display())
        }
        'N' => format!("'{}'", path.display()),
        '%' => "%".to_owned(),
        _ => "?".to_owned(),
    }
}

fn kind(file: &Metadata) -> &'static str {
    let is = |test: fn(&FileType) -> bool| test(&file.file_type());
    match () {
        () if is(FileType::is_file) && file.size() == 0 => "regular empty file",
        () if is(FileType::is_file) => "regular file",
        () if is(FileType::is_dir) => "directory",
        () if is(FileType::is_symlink) => "symbolic link",
        () if is(FileType::is_fifo) => "fifo",
        () if is(FileType::is_socket) => "socket",
        () if is(FileType::is_char_device) => "character special file",
        () => "block special file",
    }
}

fn padded(text: &str, width: &str) -> String {
    let size = width.trim_start_matches(['-', '0']).parse().unwrap_or(0);
    match width.chars().next() {
        Some('0') => format!("{text:0>size$}"),
        Some('-') => format!("{text:<size$}"),
        _ => format!("{text:>size$}"),
    }
}

/// Writes what follows a backslash in `--printf` (stat(1), printf(1)).
fn escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut Vec<u8>) {
    let mut octal = String::new();
    while octal.len() < 3
        && let Some(digit) = chars.next_if(|c| c.is_digit(8))
    {
        octal.push(digit);
    }
    if !octal.is_empty() {
        // Three octal digits may exceed a byte; GNU keeps the low eight bits.
        let value = u16::from_str_radix(&octal, 8).unwrap_or_default();
        out.push(value.to_le_bytes()[0]);
        return;
    }
    match chars.next() {
        Some('n') => out.push(b'\n'),
        Some('t') => out.push(b'\t'),
        Some('r') => out.push(b'\r'),
        Some('e') => out.push(0x1b),
        Some('x') => {
            let mut hex = String::new();
            while hex.len() < 2
                && let Some(digit) = chars.next_if(char::is_ascii_hexdigit)
            {
                hex.push(digit);
            }
            out.push(u8::from_str_radix(&hex, 16).unwrap_or_default());
        }
        Some(other) => out.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        None => out.push(b'\\'),
    }
}
