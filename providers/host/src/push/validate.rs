//! What a file's own program says of a new content, before anything of a push is written.

use std::fmt::Write as _;
use std::time::Duration;

use ipai_core::{Fault, Job, RemoteError};

use super::Push;
use crate::file::path;
use crate::session::quote;

/// How long one validation may take, in seconds; with an image it may have to be pulled first.
const LIMITS: [u64; 2] = [60, 240];

/// What was attempted when a file was refused.
pub(super) const REFUSED: &str = "validate a file";

/// The last lines are what programs end their complaints with; those about a secret may hold parts of it.
const VALIDATE: &str = r#"validate() {
  p=$1 f=$2 h=$3 t=$4; shift 4
  m=$(timeout -k 5 "$t" "$@" <"$f" 2>&1); c=$?
  [ "$c" != 0 ] || return 0
  case $c in 124|137) w="did not end within $t s" ;; *) w="ended with code $c" ;; esac
  [ -z "$h" ] || m='what it said is hidden, because the file holds a secret'
  printf '%s: its validation %s: ' "$p" "$w" >&2
  printf '%s\n' "${m:-it said nothing}" | tail -n 5 | tail -c 1000 >&2
  exit 95
}
"#;

/// A command that reads a content on its standard input and fails when it is not good.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Validation {
    words: Vec<String>,
    image: Option<String>,
    /// What the program says may hold a secret.
    hidden: bool,
}

impl Validation {
    /// From the attributes of a file; no words are no validation.
    pub(crate) fn of(words: Vec<&str>, image: Option<&str>, hidden: bool) -> Option<Self> {
        let image = image.map(str::to_owned);
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self { words, image, hidden })
    }

    /// How long it may take.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_secs(LIMITS[usize::from(self.image.is_some())])
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

/// What a job of a push that failed has to say: one whose file was not refused names the one that was.
pub(crate) fn for_job(error: &RemoteError, job: &Job) -> RemoteError {
    let wanted = job.desired.as_ref().and_then(|desired| desired.text("path"));
    let Some((path, _)) = error.cause.split_once(": ").filter(|_| error.attempted == REFUSED)
    else {
        return error.clone();
    };
    if wanted == Some(path) {
        return error.clone();
    }
    let cause =
        format!("{path} was refused by its validation, and a push writes all files or none");
    RemoteError::new(Fault::Refused, "push files", cause)
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
                "{needs}validate {} {} {} {} {command}",
                quote(&shown),
                quote(&format!(".{place}")),
                quote(if validation.hidden { "hidden" } else { "" }),
                validation.limit().as_secs(),
            );
        }
    }
}
