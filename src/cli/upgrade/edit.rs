//! One string of a TOML file exchanged, and everything else in it kept byte for byte.

use std::io::{self, Write as _};
use std::path::PathBuf;

use ipai_core::{Diagnostic, Sources};

use super::super::Run;
use super::find::Holder;

/// An edit that can be taken back.
pub(super) struct Edit {
    path: PathBuf,
    before: String,
    after: String,
}

impl Edit {
    /// Writes the new value; the file must still be what was loaded.
    pub(super) fn make(
        run: &Run<'_>,
        sources: &Sources,
        holder: &Holder,
    ) -> Result<Self, Diagnostic> {
        let file = &holder.span.file;
        let refused = |why: String| {
            Diagnostic::error("The stack's file cannot be edited")
                .detail(format!("{file}: {why}."))
                .hint(format!("edit it yourself, then: {}", run.command("apply")))
        };
        let before = sources.text(file).ok_or_else(|| refused("it was not loaded".into()))?;
        let after = exchange(before, holder).ok_or_else(|| {
            refused(format!(
                "`{}` is not written there as it stands, or --var says something else",
                holder.old
            ))
        })?;
        let edit = Self { path: run.global.folder.join(&**file), before: before.to_owned(), after };
        edit.write(&edit.before, &edit.after).map_err(|error| refused(error.to_string()))?;
        Ok(edit)
    }

    /// Writes the old value again.
    pub(super) fn undo(self) -> io::Result<()> {
        self.write(&self.after, &self.before)
    }

    /// Exchanges the whole file at once, if it still is what it was.
    fn write(&self, from: &str, to: &str) -> io::Result<()> {
        // A link stays one: what it leads to is exchanged.
        let path = self.path.canonicalize()?;
        if std::fs::read_to_string(&path)? != from {
            return Err(io::Error::other("it was changed by somebody else meanwhile"));
        }
        let beside = path.with_extension(format!("toml.{}.new", std::process::id()));
        let mut file = std::fs::File::options().write(true).create_new(true).open(&beside)?;
        let written = file
            .write_all(to.as_bytes())
            .and_then(|()| file.set_permissions(std::fs::metadata(&path)?.permissions()))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&beside, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        written
    }
}

fn exchange(text: &str, holder: &Holder) -> Option<String> {
    let (old, new) = &holder.part;
    let value = text.get(holder.span.start..holder.span.end)?;
    // A value with escapes, or one that was overridden elsewhere, is not written as it reads.
    let unquoted = ['"', '\''].into_iter().find_map(|q| value.strip_prefix(q)?.strip_suffix(q));
    if value.matches(old.as_str()).count() != 1 || unquoted != Some(holder.old.as_str()) {
        return None;
    }
    let value = value.replacen(old.as_str(), new, 1);
    Some([&text[..holder.span.start], &value, &text[holder.span.end..]].concat())
}
