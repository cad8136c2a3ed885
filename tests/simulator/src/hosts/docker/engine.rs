//! Running the `docker` command of this machine.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long the engine may take for one command; starting a container on a busy machine is the longest.
const LIMIT: Duration = Duration::from_secs(120);
/// Removing a container takes its volume along, which may hold hundreds of thousands of files.
const REMOVAL_LIMIT: Duration = Duration::from_secs(600);

/// Runs `docker` with these words and gives what it printed.
pub(super) async fn docker(words: &[String]) -> io::Result<String> {
    let verb = words.first().map_or("", String::as_str);
    let limit = if verb == "rm" { REMOVAL_LIMIT } else { LIMIT };
    let mut command = Command::new("docker");
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => {
            let text = format!("docker {verb} is not done after {} s", limit.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            let text = "this machine has no docker command; on Debian and Ubuntu: apt-get install docker.io";
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(result) => result?,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("docker {verb}: {}", said.trim())))
}
