//! Questions that are asked on a host: by HTTP with the host's own curl, or by a command in a service's container.
//!
//! Whatever may be secret travels on standard input: a command line can be read by everybody on the host.

use std::time::Duration;

use ipai_core::{Address, Outputs, RemoteError};

use super::projects::ComposeProject;
use crate::connections::{Connections, run};
use crate::session::{Command, Output, Part, fill, quote};

/// How long one answer may take; curl gives up earlier by itself.
const LIMIT: Duration = Duration::from_secs(30);

/// The exit code that says that the host has no curl.
pub const NO_CURL: i32 = 127;

const CURL: &str = r#"command -v curl >/dev/null || exit 127
f=$(mktemp "$ipai_d/XXXXXXXX") || exit 73
printf '%s' @AUTHORITIES@ >"$f"
if [ -s "$f" ]; then curl --cacert "$f" -K -; else curl -K -; fi
c=$?
rm -f -- "$f"
[ "$c" != 127 ] || c=1
exit "$c"
"#;

impl Connections {
    /// Runs the host's curl with a configuration on its standard input; `authorities`, in PEM form, are trusted instead
    /// of the usual ones unless there are none.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn curl(
        &self,
        home: &Address,
        outputs: &Outputs,
        config: Vec<u8>,
        authorities: &str,
    ) -> Result<Output, RemoteError> {
        let script = fill(CURL, &[("AUTHORITIES", Part::Word(authorities))]);
        self.ask(home, outputs, Command::new("ask a service", script, LIMIT).stdin(config)).await
    }

    /// Runs a command in a service's container and hands it `input`.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn ask_in(
        &self,
        project: &ComposeProject,
        service: &str,
        outputs: &Outputs,
        words: &[String],
        input: Vec<u8>,
    ) -> Result<Output, RemoteError> {
        let script = format!("timeout 20 sh -c {}\n", quote(&project.exec(service, words, false)));
        let command = Command::new("ask in a container", script, LIMIT).stdin(input);
        self.ask(&project.home, outputs, command).await
    }

    /// Runs a command in a service's container that may take as long as several minutes.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn prove_in(
        &self,
        project: &ComposeProject,
        service: &str,
        outputs: &Outputs,
        words: &[String],
    ) -> Result<Output, RemoteError> {
        let script = format!(
            "timeout 240 sh -c {} </dev/null\n",
            quote(&project.exec(service, words, false))
        );
        let command = Command::new("prove in a container", script, Duration::from_secs(260));
        self.ask(&project.home, outputs, command).await
    }

    /// Reads a file of at most 1 MiB on the host with these outputs.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub async fn read_file(
        &self,
        home: &Address,
        outputs: &Outputs,
        path: &str,
    ) -> Result<Output, RemoteError> {
        let script = format!("head -c 1048576 -- \"${{IPAI_ROOT-}}\"{}\n", quote(path));
        self.ask(home, outputs, Command::new("read a file", script, LIMIT)).await
    }

    async fn ask(
        &self,
        home: &Address,
        outputs: &Outputs,
        command: Command,
    ) -> Result<Output, RemoteError> {
        let place = self.place(home, outputs)?;
        let link = self.link(home);
        run(&mut *link.lock().await, self.settings(), &place, &command).await
    }
}
