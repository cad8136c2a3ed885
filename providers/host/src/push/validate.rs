//! What a file's own program says of a new content, before anything of a push is written.

use std::fmt::Write as _;
use std::time::Duration;

use super::Push;
use crate::file::path;
use crate::session::quote;

/// How much longer a push may take that validates: the image may have to be pulled first.
pub(super) const LIMIT: Duration = Duration::from_secs(300);

/// The last lines are what programs end their complaints with.
const VALIDATE: &str = r#"validate() {
  p=$1 f=$2; shift 2
  m=$("$@" <"$f" 2>&1) || { printf '%s: ' "$p" >&2; printf '%s\n' "$m" | tail -n 5 >&2; exit 95; }
}
"#;

/// A command that reads a content on its standard input and fails when it is not good.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Validation {
    words: Vec<String>,
    image: Option<String>,
}

impl Validation {
    /// From the attributes of a file; no words are no validation.
    pub(crate) fn of(words: Vec<&str>, image: Option<&str>) -> Option<Self> {
        let image = image.map(str::to_owned);
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self { words, image })
    }

    /// What is run, with what has to be there for that.
    fn command(&self) -> (&'static str, String) {
        let quoted =
            |words: &[String]| words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" ");
        let Some(image) = &self.image else { return ("", quoted(&self.words)) };
        let (program, arguments) = self.words.split_at(1);
        let run = "docker run --rm -i --network none --entrypoint";
        let command = format!("{run} {} {} {}", quoted(program), quote(image), quoted(arguments));
        ("! command -v docker >/dev/null || ", command)
    }
}

impl Push {
    /// Lets every file's program read what arrived for it.
    pub(super) fn validate(&self, script: &mut String) {
        let mut all =
            self.files.iter().filter_map(|f| Some((f, f.validation.as_ref()?))).peekable();
        if all.peek().is_some() {
            script.push_str(VALIDATE);
        }
        for (file, validation) in all {
            let (folder, name) = path::split(&file.path);
            let (place, shown) = (self.place(folder, name), format!(".{}", file.path));
            let (needs, command) = validation.command();
            // Writing to a text cannot fail.
            let _ = writeln!(
                script,
                "{needs}validate {} {} {command}",
                quote(&shown),
                quote(&format!(".{place}"))
            );
        }
    }
}
