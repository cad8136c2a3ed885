//! One channel: the program it starts, and the bytes between the two.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use super::embedded::{Host, Link};
use super::faults::Counters;
use super::{PROGRAM_MARK, REFUSAL, REFUSED};
use crate::moment::Stage;

/// The most that is read from a program at once: what russh puts into one packet.
const CHUNK: usize = 32 * 1024;

/// How long bytes that were handed to russh get to leave before a cut that must not swallow them.
const FLUSH: Duration = Duration::from_millis(20);

/// How long a program has between being told and being killed.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// Who asks on a channel, and how to know that nobody does any more.
pub(super) struct Client {
    pub(super) host: Arc<Host>,
    pub(super) link: Arc<Link>,
    pub(super) user: String,
    pub(super) session: Handle,
    /// Its sender is dropped when the channel or the connection ends.
    pub(super) gone: watch::Receiver<()>,
}

/// Kills a program and all that it started, unless it was told that the program is over.
struct Group<'a> {
    pid: Option<Pid>,
    running: &'a watch::Sender<usize>,
}

impl Client {
    /// Serves one channel to its end.
    pub(super) async fn serve(mut self, channel: Channel<Msg>) {
        let id = channel.id();
        let (mut requests, out) = channel.split();
        loop {
            match requests.wait().await {
                Some(ChannelMsg::Exec { command, .. }) => {
                    let served = if command.starts_with(PROGRAM_MARK.as_bytes()) {
                        self.run(&command, requests, &out, id).await
                    } else {
                        refuse(&out).await
                    };
                    // The only error is a connection that is gone.
                    return served.unwrap_or(());
                }
                Some(ChannelMsg::RequestShell { .. } | ChannelMsg::RequestSubsystem { .. }) => {
                    return refuse(&out).await.unwrap_or(());
                }
                None | Some(ChannelMsg::Close) => return,
                Some(_) => {}
            }
        }
    }

    async fn run(
        &mut self,
        command: &[u8],
        input: ChannelReadHalf,
        out: &ChannelWriteHalf<Msg>,
        id: ChannelId,
    ) -> Result<(), russh::Error> {
        tokio::time::sleep(self.host.faults().delay).await;
        Counters::count(&self.host.counters.execs);
        if self.host.loses(Stage::Started) {
            self.link.cut();
            return Ok(());
        }
        let mut child = match self.start(command) {
            Ok(child) => child,
            Err(error) => return fail(out, &format!("cannot run sh: {error}\n")).await,
        };
        // Held to the very end: a shell that complains into a closed pipe dies of it.
        let mut pipes = (child.stdout.take(), child.stderr.take());
        let group = Group::new(&child, &self.host.running);
        let mut cut = self.link.cut.subscribe();
        let mut gone = self.gone.clone();
        let status = tokio::select! {
            status = self.attend(&mut child, &mut pipes, input, out) => Some(status),
            _ = gone.changed() => None,
            _ = cut.wait_for(|cut| *cut) => None,
        };
        match status {
            Some(status) => {
                group.over();
                self.say_goodbye(out, id, status).await
            }
            None => {
                group.hang_up(&mut child).await;
                Ok(())
            }
        }
    }

    fn start(&self, command: &[u8]) -> io::Result<Child> {
        let folder = &self.host.folder;
        Command::new("/bin/sh")
            .arg("-c")
            .arg(OsStr::from_bytes(command))
            .env_clear()
            .envs(folder.environment(&self.user))
            .current_dir(folder.home(&self.user))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Moves bytes until the program has ended and closed its output.
    async fn attend(
        &self,
        child: &mut Child,
        pipes: &mut (Option<ChildStdout>, Option<ChildStderr>),
        input: ChannelReadHalf,
        out: &ChannelWriteHalf<Msg>,
    ) -> io::Result<ExitStatus> {
        let sent = AtomicU64::new(0);
        let stdin = child.stdin.take();
        let (stdout, stderr) = (pipes.0.as_mut(), pipes.1.as_mut());
        let work = async {
            tokio::join!(
                self.send(stdout, out, None, &sent),
                self.send(stderr, out, Some(1), &sent)
            );
            child.wait().await
        };
        tokio::select! {
            // Input never ends the program; it only feeds it.
            never = self.feed(stdin, input) => match never {},
            status = work => status,
        }
    }

    /// Feeds the program what the client sends; stays until it is dropped.
    async fn feed(
        &self,
        mut stdin: Option<ChildStdin>,
        mut input: ChannelReadHalf,
    ) -> std::convert::Infallible {
        let mut fed = 0;
        loop {
            match input.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    if self.host.loses(Stage::Input) {
                        self.link.cut();
                        std::future::pending::<()>().await;
                    }
                    tokio::time::sleep(self.host.faults().slow_input).await;
                    let (data, cut) = self.until_cut(&data, fed);
                    fed += data.len() as u64;
                    self.host.counters.stdin.fetch_add(data.len() as u64, Ordering::Relaxed);
                    // A program may close its input; the rest is then thrown away.
                    if let Some(pipe) = &mut stdin
                        && pipe.write_all(data).await.is_err()
                    {
                        stdin = None;
                    }
                    if cut {
                        self.link.cut();
                        // The pipe stays open: a cut is no end of input.
                        std::future::pending::<()>().await;
                    }
                }
                Some(ChannelMsg::Eof) => stdin = None,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Returns how much of `data` is let through, and whether the connection breaks then.
    fn until_cut<'a>(&self, data: &'a [u8], fed: u64) -> (&'a [u8], bool) {
        match self.host.faults().cut_after_stdin {
            Some(limit) if fed + data.len() as u64 >= limit => {
                self.host.change_faults(|faults| faults.cut_after_stdin = None);
                let rest = usize::try_from(limit.saturating_sub(fed)).unwrap_or(data.len());
                (&data[..rest.min(data.len())], true)
            }
            _ => (data, false),
        }
    }

    /// Sends what the program prints, as fast as the client's window allows.
    async fn send(
        &self,
        pipe: Option<&mut (impl AsyncRead + Unpin)>,
        out: &ChannelWriteHalf<Msg>,
        kind: Option<u32>,
        sent: &AtomicU64,
    ) {
        let Some(pipe) = pipe else { return };
        let mut buffer = vec![0; CHUNK];
        while let Ok(size @ 1..) = pipe.read(&mut buffer).await {
            let before = sent.fetch_add(size as u64, Ordering::Relaxed);
            let limit = self.host.faults().cut_after_output;
            let size = match limit {
                Some(limit) if before + size as u64 >= limit => {
                    usize::try_from(limit.saturating_sub(before)).unwrap_or(size).min(size)
                }
                _ => size,
            };
            if self.host.loses(Stage::Output) {
                self.link.cut();
                return;
            }
            let bytes = buffer[..size].to_vec();
            let result = match kind {
                None => out.data_bytes(bytes).await,
                Some(kind) => out.extended_data_bytes(kind, bytes).await,
            };
            if result.is_err() {
                return;
            }
            if limit.is_some_and(|limit| before + size as u64 >= limit) {
                self.host.change_faults(|faults| faults.cut_after_output = None);
                tokio::time::sleep(FLUSH).await;
                self.link.cut();
            }
        }
    }

    /// Ends the channel in OpenSSH's order: end of output, then how it ended, then the close.
    async fn say_goodbye(
        &self,
        out: &ChannelWriteHalf<Msg>,
        id: ChannelId,
        status: io::Result<ExitStatus>,
    ) -> Result<(), russh::Error> {
        out.eof().await?;
        match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(code), _)) => out.exit_status(code.unsigned_abs()).await?,
            Ok((None, Some(signal))) => {
                let name = signal_name(signal);
                let sent =
                    self.session.exit_signal_request(id, name, false, String::new(), String::new());
                sent.await.map_err(|()| russh::Error::SendError)?;
            }
            _ => out.exit_status(255).await?,
        }
        out.close().await
    }
}

impl<'a> Group<'a> {
    fn new(child: &Child, running: &'a watch::Sender<usize>) -> Self {
        running.send_modify(|count| *count += 1);
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { pid, running }
    }

    /// Tells the program that its client is gone and gives it a moment to take its temporary files
    /// away: they are this machine's. Being dropped then kills what is left.
    async fn hang_up(self, child: &mut Child) {
        if let Some(pid) = self.pid {
            // Not SIGHUP: whoever runs the simulator under nohup has programs that cannot trap it.
            let _already_gone = kill_process_group(pid, Signal::TERM);
            let _timed_out = tokio::time::timeout(LAST_MOMENT, child.wait()).await;
        }
    }

    /// Tells that the program has ended by itself. What it left in the background lives on, as it
    /// would on any host.
    fn over(mut self) {
        self.pid = None;
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            // The program leads its own group. If it was waited for, that was this very moment, and
            // no other group has been given its id.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        self.running.send_modify(|count| *count -= 1);
    }
}

async fn refuse(out: &ChannelWriteHalf<Msg>) -> Result<(), russh::Error> {
    fail(out, REFUSAL).await
}

async fn fail(out: &ChannelWriteHalf<Msg>, text: &str) -> Result<(), russh::Error> {
    out.extended_data_bytes(1, text.as_bytes().to_vec()).await?;
    out.eof().await?;
    out.exit_status(REFUSED).await?;
    out.close().await
}

/// Names a signal as RFC 4254, section 6.10, does.
fn signal_name(number: i32) -> Sig {
    match Signal::from_named_raw(number) {
        Some(Signal::ABORT) => Sig::ABRT,
        Some(Signal::HUP) => Sig::HUP,
        Some(Signal::INT) => Sig::INT,
        Some(Signal::KILL) => Sig::KILL,
        Some(Signal::PIPE) => Sig::PIPE,
        Some(Signal::QUIT) => Sig::QUIT,
        Some(Signal::SEGV) => Sig::SEGV,
        Some(Signal::TERM) => Sig::TERM,
        _ => Sig::Custom(format!("{number}@ipai")),
    }
}
