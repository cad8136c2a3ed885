//! One story on both backends: what holds for the embedded host holds for a real sshd.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use hosts_support::{ID, boot, eventually, exec, key, login, options, program};
use ipai_simulator::hosts::{Embedded, HostFolder, REFUSAL, Sshd};
use ipai_simulator::seam::Hosts;

const SSHD: &str = "/usr/sbin/sshd";

/// What a host says to the same requests, with what differs by nature taken out.
fn story(hosts: &dyn Hosts, port: u16, user: &str, folder: &HostFolder, at: Ipv4Addr) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(hosts.boot(boot(at))).unwrap();
    runtime.block_on(hosts.boot(boot(at))).unwrap();
    let mut said = String::new();
    let mut session = login(at, port, user, &key(2)).unwrap();
    assert_eq!(session.host_key().unwrap().0, key(1).blob);
    assert!(login(at, port, user, &key(4)).err().unwrap().starts_with("auth: "));
    for (script, stdin) in [
        (
            "pwd; printf '%s\\n' \"$IPAI_ROOT\" \"$LANG\" \"$PATH\"; env | cut -d= -f1 | sort",
            &b""[..],
        ),
        ("cat; echo bad >&2; exit 3", b"in\0put"),
        ("cat \"$IPAI_ROOT/etc/hostname\"; stat -c '%a %U' \"$IPAI_ROOT/etc/motd\"", b""),
        ("sudo -n sh -c 'echo $USER; head -c 3; exit 7'", b"abcdef"),
        ("docker compose version --short", b""),
        ("head -c 300000 /dev/zero | tr '\\0' x | sha256sum", b""),
    ] {
        let ran = program(&session, script, stdin);
        said += &format!("$ {script}\n{}[{}] {}\n", ran.text(), ran.status, ran.stderr);
    }
    for command in ["id", "scp -t /"] {
        let ran = exec(&session, command, b"").unwrap();
        assert_eq!((ran.status, ran.stderr.as_str()), (126, REFUSAL), "{command}");
    }
    let write = "cat > \"$IPAI_ROOT/etc/ssh/ssh_host_ed25519_key\" && systemctl reload ssh";
    assert_eq!(program(&session, write, key(9).private.as_bytes()).status, 0);
    eventually("the new host key", || {
        login(at, port, user, &key(2)).is_ok_and(|fresh| fresh.host_key().unwrap().0 == key(9).blob)
    });
    session = login(at, port, user, &key(2)).unwrap();
    let (channel, pid) = start_sleeper(&session);
    runtime.block_on(hosts.halt(ID)).unwrap();
    eventually("the program is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    session.set_blocking(false);
    drop((channel, session));
    assert!(login(at, port, user, &key(2)).err().unwrap().starts_with("connect: "));
    runtime.block_on(hosts.boot(boot(at))).unwrap();
    assert_eq!(login(at, port, user, &key(2)).unwrap().host_key().unwrap().0, key(9).blob);
    runtime.block_on(hosts.delete(ID)).unwrap();
    assert!(!folder.base().exists());
    said.replace(&folder.root().display().to_string(), "ROOT")
        .replace(&format!("home/{user}"), "home/USER")
        .replace("ROOT/root\n", "ROOT/home/USER\n")
}

fn start_sleeper(session: &ssh2::Session) -> (ssh2::Channel, String) {
    use std::io::Read;
    let mut channel = session.channel_session().unwrap();
    channel.exec(": ipai-host-1; echo $$; sleep 300").unwrap();
    let mut text = String::new();
    let mut byte = [0; 1];
    while !text.ends_with('\n') {
        channel.read_exact(&mut byte).unwrap();
        text.push(byte[0] as char);
    }
    (channel, text.trim().to_owned())
}

#[test]
fn both_backends_tell_the_same_story() {
    let embedded = {
        let folder = tempfile::tempdir().unwrap();
        let hosts = Embedded::new(options(folder.path())).unwrap();
        let at = Ipv4Addr::new(127, 7, 8, 1);
        story(&hosts, hosts.port(), "deploy", &hosts.folder(ID), at)
            .replace(&folder.path().display().to_string(), "FOLDER")
    };
    assert!(embedded.contains("\nabc[7] "), "{embedded}");
    if !Path::new(SSHD).exists() {
        println!("no {SSHD}: told to the embedded host alone");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hosts = Sshd::new(options(folder.path()), PathBuf::from(SSHD)).unwrap();
    let at = Ipv4Addr::new(127, 7, 8, 2);
    let user = Sshd::login_user().unwrap();
    let real = story(&hosts, hosts.port(), &user, &hosts.folder(ID), at)
        .replace(&folder.path().display().to_string(), "FOLDER");
    assert_eq!(embedded, real);
}

#[test]
fn a_real_sshd_ends_with_its_host() {
    if !Path::new(SSHD).exists() {
        println!("no {SSHD}: nothing to end");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hosts = Sshd::new(options(folder.path()), PathBuf::from(SSHD)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let at = Ipv4Addr::new(127, 7, 8, 3);
    runtime.block_on(hosts.boot(boot(at))).unwrap();
    let file = hosts.folder(ID).base().join("sshd.pid");
    eventually("the pid file", || fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')));
    let pid = fs::read_to_string(&file).unwrap();
    drop(hosts);
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
}
