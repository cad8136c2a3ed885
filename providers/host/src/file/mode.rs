//! Permissions and owners in canonical form.

use std::fmt;

/// Permissions as `chmod` takes them, written with four octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

impl Mode {
    /// Tells whether everybody on the host may read the file.
    pub(crate) fn readable_by_all(self) -> bool {
        self.0 & 0o004 != 0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Reads three or four octal digits.
pub(crate) fn parse(text: &str) -> Option<Mode> {
    let octal = text.chars().all(|c| c.is_digit(8));
    if !octal || !(3..=4).contains(&text.len()) {
        return None;
    }
    u32::from_str_radix(text, 8).ok().map(Mode)
}

/// Tells whether `text` is `user:group`, each a number or a name that Debian's `useradd` would take.
pub(crate) fn is_owner(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let part = |part: &str| {
        let starts = part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        starts && part.len() <= 32 && part.chars().all(legal)
    };
    text.split_once(':').is_some_and(|(user, group)| part(user) && part(group))
}

/// Writes a live owner in the manner of the wanted one, so that `0:0` and `root:root` compare as equal.
/// Without a wanted one names are used where the host knows them.
pub(crate) fn owner_like(wanted: Option<&str>, numbers: &str, names: &str) -> String {
    let pair = |text: &str| -> (String, String) {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        (user.to_owned(), group.to_owned())
    };
    let (number, name) = (pair(numbers), pair(names));
    let wanted = pair(wanted.unwrap_or("name:name"));
    let choose = |wanted: &str, number: String, name: String| {
        let numeric = !wanted.is_empty() && wanted.chars().all(|c| c.is_ascii_digit());
        // GNU stat writes UNKNOWN for ids without a name.
        if numeric || name == "UNKNOWN" || name.is_empty() { number } else { name }
    };
    format!("{}:{}", choose(&wanted.0, number.0, name.0), choose(&wanted.1, number.1, name.1))
}
