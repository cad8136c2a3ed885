//! What a command prints that makes a secret: run without a shell, with an end to its time and to its size.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

/// How long a command may take, and how much it may print.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From its start to the end of its output. A person may have to unlock something.
    pub time: Duration,
    /// In bytes.
    pub size: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), size: 1 << 20 }
    }
}

/// Why there is nothing that could be used.
#[derive(Debug)]
pub enum NotPrinted {
    /// It cannot be started or listened to.
    Broken(io::Error),
    /// It did not end well.
    Failed(ExitStatus),
    /// It took too long, and was killed.
    Slow(Duration),
    /// It printed too much, and was killed.
    Large(usize),
    /// It printed bytes that are no text.
    NoText,
}

impl fmt::Display for NotPrinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "cannot be run: {error}"),
            Self::Failed(status) => write!(f, "ended with {status}"),
            Self::Slow(limit) => {
                write!(f, "had not ended after {} s and was killed", limit.as_secs_f32())
            }
            Self::Large(limit) => write!(f, "printed more than {limit} bytes and was killed"),
            Self::NoText => f.write_str("printed bytes that are no text"),
        }
    }
}

/// Runs a program without any input, in a folder if one is given. What it says on standard error goes to the user.
///
/// # Errors
/// It does not start, fails, or knows no end. No error repeats what it printed.
pub fn by<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
    folder: Option<&Path>,
    bounds: Bounds,
) -> Result<Zeroizing<String>, NotPrinted> {
    let deadline = Instant::now() + bounds.time;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let mut child = Running(command.spawn().map_err(NotPrinted::Broken)?);
    let output = child
        .0
        .stdout
        .take()
        .ok_or_else(|| NotPrinted::Broken(io::ErrorKind::BrokenPipe.into()))?;
    let bytes = listen(&output, bounds, deadline)?;
    let status = child.wait(bounds, deadline)?;
    if !status.success() {
        return Err(NotPrinted::Failed(status));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| NotPrinted::NoText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads to the end, into a buffer that never moves.
fn listen(
    output: &ChildStdout,
    bounds: Bounds,
    deadline: Instant,
) -> Result<Zeroizing<Vec<u8>>, NotPrinted> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(bounds.size + 1));
    let mut piece = Zeroizing::new([0; 4_096]);
    loop {
        if !readable(output, deadline).map_err(NotPrinted::Broken)? {
            return Err(NotPrinted::Slow(bounds.time));
        }
        match rustix::io::read(output, &mut *piece) {
            Ok(0) => return Ok(bytes),
            Ok(length) if bytes.len() + length > bounds.size => {
                return Err(NotPrinted::Large(bounds.size));
            }
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(NotPrinted::Broken(error.into())),
        }
    }
}

/// Waits until there is something to read; `false` when the time is up.
fn readable(output: &ChildStdout, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(output, PollFlags::IN)], Some(&limit)) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(ready) => return Ok(ready > 0 && !left.is_zero()),
        }
    }
}

/// A program that does not outlive this.
struct Running(Child);

impl Running {
    /// Most end together with their output.
    fn wait(&mut self, bounds: Bounds, deadline: Instant) -> Result<ExitStatus, NotPrinted> {
        loop {
            if let Some(status) = self.0.try_wait().map_err(NotPrinted::Broken)? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(NotPrinted::Slow(bounds.time));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Bounds = Bounds { time: Duration::from_millis(400), size: 100 };

    fn sh(script: &str) -> Result<Zeroizing<String>, NotPrinted> {
        by("sh", &["-c", script], None, SHORT)
    }

    #[track_caller]
    fn refused(script: &str, why: &str) {
        let begun = Instant::now();
        let error = sh(script).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_command_that_never_ends_is_killed_whether_it_prints_or_not() {
        refused("exec sleep 60", "had not ended after 0.4 s");
        refused("echo begun; exec sleep 60", "had not ended after 0.4 s");
        refused("exec >&-; exec sleep 60", "had not ended after 0.4 s");
        refused("while :; do printf %s telltale; sleep 0.1; done", "had not ended after 0.4 s");
    }

    #[test]
    fn what_runs_on_behind_a_command_does_not_hold_it_up_for_ever() {
        refused("sleep 5 & echo done", "had not ended after 0.4 s");
    }

    #[test]
    fn a_command_that_prints_without_end_is_killed() {
        refused("exec yes telltale", "printed more than 100 bytes");
        assert_eq!(sh("printf %0100d 7").unwrap().len(), 100);
        refused("printf %0101d 7", "printed more than 100 bytes");
    }

    #[test]
    fn failures_do_not_repeat_what_was_printed() {
        refused("echo telltale; exit 3", "ended with exit status: 3");
        refused("printf '\\377telltale'", "no text");
        let missing = by::<&str>("no-such-program", &[], None, SHORT).unwrap_err().to_string();
        assert!(missing.contains("cannot be run"), "{missing}");
        assert!(!sh("echo telltale; exit 3").unwrap_err().to_string().contains("telltale"));
    }
}
