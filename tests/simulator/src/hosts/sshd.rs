//! Hosts behind a real OpenSSH server, one process each.
//!
//! sshd lets in accounts of this machine only, and the sandbox creates none. So every login goes
//! to [`Sshd::login_user`], the account that runs the simulator, and a stack on this backend names
//! that account as its login user. The keys of all the users that the user-data declares open it.
//! As root, sshd also wants `/run/sshd`, which is made when it is missing.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::embedded::{locked, pick_port};
use super::folder::HostFolder;
use super::{Options, PROGRAM_MARK, REFUSAL, REFUSED, first_boot, host_key};
use crate::seam::{Boot, BoxFuture, Hosts};

/// How long sshd may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Plays every host with an sshd of its own.
pub struct Sshd {
    shared: Arc<Shared>,
    _reserved: Option<socket2::Socket>,
}

/// What a thread that waits for an sshd needs.
struct Shared {
    options: Options,
    program: PathBuf,
    port: u16,
    running: Mutex<HashMap<u64, Server>>,
}

/// One sshd; dropping it ends it and all its sessions.
struct Server {
    child: Child,
}

impl Sshd {
    /// Makes the folder of tools and picks the port. `program` is the sshd to run, by its absolute
    /// path (sshd re-executes itself and insists on one).
    pub fn new(options: Options, program: PathBuf) -> io::Result<Self> {
        let options = options.settle()?;
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd")?;
        }
        let (port, reserved) = pick_port(options.port)?;
        let shared = Shared { options, program, port, running: Mutex::default() };
        Ok(Self { shared: Arc::new(shared), _reserved: reserved })
    }

    /// Returns the port at which every host answers.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// Names the folder of a host.
    pub fn folder(&self, id: u64) -> HostFolder {
        self.shared.folder(id)
    }

    /// Returns the one account that can log in: the one that runs this process.
    pub fn login_user() -> io::Result<String> {
        let output = Command::new("id").arg("-un").stdin(Stdio::null()).output()?;
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if name.is_empty() { Err(io::Error::other("this account has no name")) } else { Ok(name) }
    }
}

impl Shared {
    fn folder(&self, id: u64) -> HostFolder {
        HostFolder::new(&self.options.folder, id)
    }

    fn boot_host(&self, boot: &Boot) -> io::Result<()> {
        let mut running = locked(&self.running);
        if let Some(server) = running.get_mut(&boot.id)
            && server.child.try_wait()?.is_none()
        {
            return Ok(());
        }
        let folder = self.folder(boot.id);
        first_boot::first_boot(&folder, boot)?;
        let config = self.configure(&folder, boot.address, &Sshd::login_user()?)?;
        let log = folder.base().join("sshd.log");
        let child = Command::new(&self.program)
            .args(["-D", "-f"])
            .arg(config)
            .arg("-E")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut server = Server { child };
        server.wait_until_it_answers(SocketAddr::from((boot.address, self.port)), &log)?;
        running.insert(boot.id, server);
        Ok(())
    }

    fn configure(&self, folder: &HostFolder, at: Ipv4Addr, user: &str) -> io::Result<PathBuf> {
        let base = folder.base();
        let wrapper = base.join("login.sh");
        fs::create_dir_all(folder.home(user))?;
        fs::write(&wrapper, wrapper_script(folder, user))?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        let config = base.join("sshd_config");
        let port = self.port;
        let text = format!(
            "ListenAddress {at}:{port}\n\
             HostKey {key}\n\
             PidFile {pid}\n\
             AuthorizedKeysFile {keys}\n\
             ForceCommand {command}\n\
             AuthenticationMethods publickey\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nUsePAM no\nStrictModes no\nUseDNS no\n\
             PermitTTY no\nPermitUserRC no\nX11Forwarding no\nAllowTcpForwarding no\n\
             AllowAgentForwarding no\nPrintMotd no\nLogLevel DEBUG1\nMaxStartups 200\n",
            key = quoted(&host_key::path(folder)),
            pid = quoted(&base.join(crate::tools::SSHD_PID)),
            keys = authorized_files(folder)?,
            command = shell_quoted(&wrapper.to_string_lossy()),
        );
        fs::write(&config, text)?;
        Ok(config)
    }
}

impl Hosts for Sshd {
    fn boot(&self, boot: Boot) -> BoxFuture<'_, io::Result<()>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let start = tokio::task::spawn_blocking(move || shared.boot_host(&boot));
            start.await.map_err(io::Error::other)?
        })
    }

    fn halt(&self, id: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let server = locked(&self.shared.running).remove(&id);
            drop(server);
            Ok(())
        })
    }

    fn delete(&self, id: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            self.halt(id).await?;
            match fs::remove_dir_all(self.folder(id).base()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
    }
}

impl Server {
    fn wait_until_it_answers(&mut self, address: SocketAddr, log: &Path) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(io::Error::other(format!("sshd ended with {status}: {said}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("sshd does not answer at {address}")))
    }
}

impl Drop for Server {
    /// Ends the server and what it started. Sessions lead process groups of their own, so they are
    /// found as descendants; the server is stopped first, so that none is added meanwhile.
    fn drop(&mut self) {
        let Ok(id) = i32::try_from(self.child.id()) else { return };
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(id, Signal::STOP);
            for descendant in descendants(id) {
                signal(descendant, Signal::KILL);
            }
            // Errors mean that it is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn signal(id: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(id) {
        let _already_gone = kill_process(pid, signal);
    }
}

/// Finds every process that `ancestor` started, directly or not (proc(5)).
fn descendants(ancestor: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent(id)?)))
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    found.split_off(1)
}

fn parent(id: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything; state and parent follow the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn authorized_files(folder: &HostFolder) -> io::Result<String> {
    let passwd = fs::read_to_string(folder.root().join("etc/passwd"))?;
    let users = passwd.lines().filter_map(|line| line.split(':').next());
    let files = users.map(|user| quoted(&folder.home(user).join(".ssh/authorized_keys")));
    Ok(files.collect::<Vec<_>>().join(" "))
}

/// Sets the environment that the embedded host sets, and refuses what it refuses.
fn wrapper_script(folder: &HostFolder, user: &str) -> String {
    let environment: String = folder
        .environment(user)
        .iter()
        .map(|(name, value)| format!("{name}={} ", shell_quoted(&value.to_string_lossy())))
        .collect();
    let refusal = shell_quoted(REFUSAL);
    let home = shell_quoted(&folder.home(user).to_string_lossy());
    format!(
        "#!/bin/sh\n\
         case ${{SSH_ORIGINAL_COMMAND-}} in\n\
         '{PROGRAM_MARK}'*) ;;\n\
         *) printf %s {refusal} >&2; exit {REFUSED} ;;\n\
         esac\n\
         cd {home} || exit\n\
         exec env -i {environment}sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
    )
}

/// Quotes an argument of sshd_config(5): in double quotes, with `%` doubled because paths are
/// subject to token expansion.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('%', "%%"))
}

fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
