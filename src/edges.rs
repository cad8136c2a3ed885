//! Everything that comes from the process's surroundings, handed in once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::PathBuf;

use ipai_core::Witness;

/// Keeps this process's memory, which holds secrets, out of core dumps, however it ends; what it starts inherits the
/// limit. Where the system allows it, nobody but the administrator can look into it either.
pub fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // A limit may always be lowered; where there is none of this kind there are no dumps.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // The limit does not bind a system that pipes dumps to a program.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// How many columns a terminal has; nothing when it is none, or one that does not know.
#[must_use]
pub fn columns(terminal: impl AsFd) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(size.ws_col).filter(|columns| *columns > 0)
}

/// The surroundings of one run.
#[derive(Clone, Debug)]
pub struct Edges {
    /// Environment variables.
    pub variables: BTreeMap<OsString, OsString>,
    /// The executable that is running; sandbox hosts link their tools to it.
    pub executable: PathBuf,
    /// Tells whether a person can answer a question.
    pub can_ask: bool,
    /// Tells whether standard output is a terminal.
    pub output_is_terminal: bool,
    /// Tells whether standard error is a terminal.
    pub talk_is_terminal: bool,
    /// How many columns the terminal has, where there is one.
    pub columns: Option<u16>,
    /// Watches every step that may change something outside; a test may stop the run at any.
    pub witness: Witness,
}

impl Edges {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let ci = variables.get(&OsString::from("CI")).is_some_and(|value| !value.is_empty());
        Self {
            variables,
            executable: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("ipai")),
            can_ask: std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !ci,
            output_is_terminal: std::io::stdout().is_terminal(),
            talk_is_terminal: std::io::stderr().is_terminal(),
            columns: columns(std::io::stdout()).or_else(|| columns(std::io::stderr())),
            witness: Witness::default(),
        }
    }

    /// Tells whether what runs may be drawn at the end of standard error, over and over again.
    #[must_use]
    pub fn can_draw(&self) -> bool {
        let dumb = self.variable("TERM").is_none_or(|kind| kind == "dumb");
        self.talk_is_terminal && !dumb && self.variable("CI").is_none()
    }

    /// Tells whether GitHub's runner reads what is written, and takes some lines for commands.
    #[must_use]
    pub fn is_github(&self) -> bool {
        self.variable("GITHUB_ACTIONS").as_deref() == Some("true")
    }

    /// A variable as text; set to nothing counts as not set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = self.variables.get(&OsString::from(name))?;
        Some(value.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
    }

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// Who runs this and where, as in `ann@laptop`; what is not known is left open.
    #[must_use]
    pub fn holder(&self) -> String {
        let first = |names: &[&str]| names.iter().find_map(|name| self.variable(name));
        let named = first(&["GITHUB_ACTOR", "USER", "LOGNAME"]);
        let user = named.or_else(account).unwrap_or_else(|| "?".into());
        let host = first(&["HOSTNAME"])
            .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        format!("{user}@{host}")
    }

    /// Random bytes from the operating system.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn random(buffer: &mut [u8]) -> std::io::Result<()> {
        use std::io::Read;
        std::fs::File::open("/dev/urandom")?.read_exact(buffer)
    }
}

/// The name of the account that this process runs as, by `/etc/passwd` (passwd(5)).
fn account() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = crate::text_file::read(std::path::Path::new("/etc/passwd")).ok()?;
    let mut lines = accounts.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}
