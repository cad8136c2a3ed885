//! An embedded host, seen through an SSH client.

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use hosts_support::{ID, World, boot, eventually, exec, key, program};
use ipai_simulator::hosts::{Embedded, HostFaults, REFUSAL};
use ipai_simulator::seam::Hosts;

#[test]
fn runs_the_host_program_in_its_own_world() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let script = "printf '%s|' \"$IPAI_ROOT\" \"$USER\" \"$LANG\" \"$HOME\" \"$IPAI_SANDBOX_TOOLS\"; \
                  pwd; command -v docker; env | wc -l; echo bad >&2; exit 3";
    let ran = program(&session, script, b"");
    let (root, base) = (world.host().root(), world.host().base().to_owned());
    let (root, base) = (root.display(), base.display());
    let bin = world.folder.path().join("bin/docker");
    let expected = format!(
        "{root}|deploy|C.UTF-8|{root}/home/deploy|{base}|{root}/home/deploy\n{}\n",
        bin.display()
    );
    assert!(ran.text().starts_with(&expected), "{}", ran.text());
    assert_eq!((ran.stderr.as_str(), ran.status), ("bad\n", 3));
    assert_eq!(world.counts(), [1, 1, 1, 1]);
}

#[test]
fn follows_the_user_data_and_says_what_it_leaves_out() {
    let world = World::new();
    let root = world.host().root();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    assert_eq!((read("etc/hostname").as_str(), read("etc/motd").as_str()), ("web\n", "hello"));
    assert!(read("etc/os-release").contains("ipai sandbox"));
    let owner = world.tool("stat", &["-c", "%a %U:%G", "etc/motd"]);
    assert_eq!(String::from_utf8_lossy(&owner.stdout), "640 deploy:deploy\n");
    let log = fs::read_to_string(world.host().log()).unwrap();
    assert!(log.contains("does not execute it: `runcmd`"), "{log}");
    assert!(log.contains("/../../escaped is outside"), "{log}");
    assert!(!root.join("etc/ran").exists());
}

#[test]
fn proves_itself_with_the_key_of_the_user_data_and_keeps_it() {
    let world = World::new();
    let shown = |world: &World| {
        let session = world.login("deploy", &key(2)).unwrap();
        session.host_key().unwrap().0.to_vec()
    };
    assert_eq!(shown(&world), key(1).blob);
    world.runtime.block_on(world.hosts.halt(ID)).unwrap();
    world.runtime.block_on(world.hosts.boot(boot(world.address))).unwrap();
    assert_eq!(shown(&world), key(1).blob);
}

#[test]
fn takes_a_new_host_key_when_sshd_is_reloaded_and_not_before() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let write = "cat > \"$IPAI_ROOT/etc/ssh/ssh_host_ed25519_key\"";
    program(&session, write, key(9).private.as_bytes());
    let shown = || world.login("deploy", &key(2)).unwrap().host_key().unwrap().0.to_vec();
    assert_eq!(shown(), key(1).blob);
    assert_eq!(program(&session, "systemctl reload ssh", b"").status, 0);
    assert_eq!(shown(), key(9).blob);
}

#[test]
fn lets_in_who_is_named_and_nobody_else() {
    let world = World::new();
    assert!(world.login("root", &key(3)).is_ok());
    for (user, seed) in [("root", 2), ("deploy", 3), ("deploy", 4), ("nobody", 2), ("../root", 3)] {
        let refused = world.login(user, &key(seed)).err().unwrap();
        assert!(refused.starts_with("auth: "), "{refused}");
    }
    let stream = std::net::TcpStream::connect((world.address, world.hosts.port())).unwrap();
    let mut session = ssh2::Session::new().unwrap();
    session.set_tcp_stream(stream);
    session.handshake().unwrap();
    assert_eq!(session.auth_methods("root").unwrap(), "publickey");
    assert!(session.userauth_password("root", "x").is_err());
}

#[test]
fn refuses_everything_but_the_host_program() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    for command in ["id", ":ipai-host-1; id", "scp -t /", " : ipai-host-1; id"] {
        let ran = exec(&session, command, b"").unwrap();
        assert_eq!((ran.status, ran.stderr.as_str()), (126, REFUSAL), "{command}");
        assert!(ran.stdout.is_empty());
    }
    session.set_blocking(true);
    let mut channel = session.channel_session().unwrap();
    assert!(channel.request_pty("xterm", None, None).is_err());
    channel.shell().unwrap();
    let mut text = String::new();
    channel.stderr().read_to_string(&mut text).unwrap();
    channel.wait_eof().unwrap();
    channel.wait_close().unwrap();
    assert!(text.contains(REFUSAL));
    assert_eq!(channel.exit_status().unwrap(), 126);
    assert!(session.channel_session().unwrap().subsystem("sftp").is_err());
    assert_eq!(world.counts()[3], 0);
}

#[test]
fn moves_many_bytes_both_ways_at_once() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let bytes: Vec<u8> =
        (0..24_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let ran = program(&session, "cat", &bytes);
    assert_eq!(ran.status, 0);
    assert!(ran.stdout == bytes, "{} of {} bytes came back", ran.stdout.len(), bytes.len());
}

#[test]
fn a_client_that_does_not_read_stops_the_program() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let mut channel = session.channel_session().unwrap();
    let script =
        "while :; do printf %065536d 0; i=$((i+1)); echo $i >\"$IPAI_ROOT/run/count\"; done";
    channel.exec(&format!(": ipai-host-1; {script}")).unwrap();
    let count = || {
        let text = fs::read_to_string(world.host().root().join("run/count")).unwrap_or_default();
        text.trim().parse::<u64>().unwrap_or_default()
    };
    let mut before = 0;
    eventually("the program waits for its reader", || {
        std::thread::sleep(Duration::from_millis(300));
        before == std::mem::replace(&mut before, count()) && before > 0
    });
    // A window is 2 MiB: 32 blocks, and a few more on their way.
    assert!(before < 64, "{before} blocks of 64 KiB were taken from the program");
}

#[test]
fn a_program_that_ignores_its_input_ends_all_the_same() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let ran = program(&session, "exec <&-; echo done; exit 4", &vec![b'x'; 1 << 20]);
    assert_eq!((ran.text().as_str(), ran.status), ("done\n", 4));
}

#[test]
fn tells_a_signal_from_an_exit_status() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let ran = program(&session, "kill -TERM $$", b"");
    assert_eq!(ran.signal.as_deref(), Some("TERM"));
}

#[test]
fn answers_line_by_line_on_one_channel() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let mut channel = session.channel_session().unwrap();
    channel.exec(": ipai-host-1; while read -r line; do echo \"got $line\"; done").unwrap();
    for number in 0..20 {
        channel.write_all(format!("{number}\n").as_bytes()).unwrap();
        let expected = format!("got {number}\n");
        let mut answer = vec![0; expected.len()];
        channel.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected.as_bytes());
    }
    channel.send_eof().unwrap();
    channel.wait_eof().unwrap();
    channel.wait_close().unwrap();
    assert_eq!(channel.exit_status().unwrap(), 0);
}

#[test]
fn kills_the_program_and_its_children_when_the_channel_closes() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let (channel, pids) = start_sleepers(&session);
    drop(channel);
    eventually("the sleepers are gone", || pids.iter().all(|pid| !alive(pid)));
}

#[test]
fn kills_the_program_when_the_connection_breaks() {
    let world = World::new();
    let stream = std::net::TcpStream::connect((world.address, world.hosts.port())).unwrap();
    let twin = stream.try_clone().unwrap();
    let mut session = ssh2::Session::new().unwrap();
    session.set_tcp_stream(stream);
    session.handshake().unwrap();
    session.userauth_pubkey_memory("deploy", None, &key(2).private, None).unwrap();
    let (channel, pids) = start_sleepers(&session);
    twin.shutdown(std::net::Shutdown::Both).unwrap();
    eventually("the sleepers are gone", || pids.iter().all(|pid| !alive(pid)));
    session.set_blocking(false);
    drop(channel);
}

#[test]
fn a_program_can_clean_up_when_its_client_is_gone() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let file = world.host().root().join("run/temporary");
    let mut channel = session.channel_session().unwrap();
    let script = "f=$IPAI_ROOT/run/temporary; trap 'rm -f $f' EXIT; trap 'exit 70' TERM; \
                  : >$f; echo; sleep 300";
    channel.exec(&format!(": ipai-host-1; {script}")).unwrap();
    channel.read_exact(&mut [0]).unwrap();
    assert!(file.exists());
    // Between fork and exec a shell's child takes a signal for its parent's.
    std::thread::sleep(Duration::from_millis(100));
    drop(channel);
    eventually("the temporary file is gone", || !file.exists());
}

#[test]
fn halting_cuts_connections_and_kills_programs() {
    let world = World::new();
    let session = world.login("deploy", &key(2)).unwrap();
    let (channel, pids) = start_sleepers(&session);
    let start = Instant::now();
    world.runtime.block_on(world.hosts.halt(ID)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
    eventually("the sleepers are gone", || pids.iter().all(|pid| !alive(pid)));
    session.set_blocking(false);
    drop(channel);
    assert!(exec(&session, ": ipai-host-1; true", b"").is_err());
    assert!(world.login("deploy", &key(2)).err().unwrap().starts_with("connect: "));
    assert!(world.host().root().exists());
}

#[test]
fn deleting_takes_the_files_too_and_a_new_host_starts_afresh() {
    let world = World::new();
    fs::write(world.host().root().join("opt/x"), "x").unwrap();
    world.runtime.block_on(world.hosts.delete(ID)).unwrap();
    world.runtime.block_on(world.hosts.delete(ID)).unwrap();
    assert!(!world.host().base().exists());
    world.runtime.block_on(world.hosts.boot(boot(world.address))).unwrap();
    assert!(!world.host().root().join("opt/x").exists());
    assert!(world.login("deploy", &key(2)).is_ok());
}

#[test]
fn boots_hosts_again_in_another_process_with_files_and_key() {
    let mut world = World::new();
    fs::write(world.host().root().join("opt/x"), "x").unwrap();
    let fresh = world
        .runtime
        .block_on(async { Embedded::new(hosts_support::options(world.folder.path())).unwrap() });
    world.hosts = fresh;
    let mut boot = boot(world.address);
    boot.user_data = Some("#cloud-config\nhostname: other\n".to_owned());
    world.runtime.block_on(world.hosts.boot(boot)).unwrap();
    let session = world.login("deploy", &key(2)).unwrap();
    assert_eq!(session.host_key().unwrap().0, key(1).blob);
    assert_eq!(program(&session, "cat \"$IPAI_ROOT/opt/x\"", b"").text(), "x");
}

#[test]
fn misbehaves_as_told_and_recovers() {
    let world = World::new();
    let set = |faults| world.runtime.block_on(world.hosts.set_faults(ID, faults)).unwrap();
    let healthy = HostFaults::default;
    set(HostFaults { refuse_connections: true, ..healthy() });
    assert!(world.login("deploy", &key(2)).err().unwrap().contains("refused"));
    set(HostFaults { refuse_auth: true, ..healthy() });
    assert!(world.login("deploy", &key(2)).err().unwrap().starts_with("auth: "));
    set(HostFaults { other_host_key: true, ..healthy() });
    let session = world.login("deploy", &key(2)).unwrap();
    assert_ne!(session.host_key().unwrap().0, key(1).blob);
    set(HostFaults { delay: Duration::from_millis(150), ..healthy() });
    let (session, start) = (world.login("deploy", &key(2)).unwrap(), Instant::now());
    program(&session, "true", b"");
    assert!(start.elapsed() >= Duration::from_millis(150));
    set(healthy());
    assert_eq!(program(&world.login("deploy", &key(2)).unwrap(), "true", b"").status, 0);
}

#[test]
fn a_host_can_be_deaf_from_its_first_moment_on() {
    let mut world = World::new();
    world.runtime.block_on(world.hosts.delete(ID)).unwrap();
    let faults = HostFaults { refuse_connections: true, ..HostFaults::default() };
    world.hosts.set_newborn_faults(faults);
    world.address = std::net::Ipv4Addr::new(127, 7, 7, 8);
    world.runtime.block_on(world.hosts.boot(boot(world.address))).unwrap();
    assert!(world.login("deploy", &key(2)).err().unwrap().contains("refused"));
    world.runtime.block_on(world.hosts.set_faults(ID, HostFaults::default())).unwrap();
    assert!(world.login("deploy", &key(2)).is_ok());
}

#[test]
fn cuts_the_connection_after_exactly_so_many_bytes_once() {
    let world = World::new();
    let set = |faults| world.runtime.block_on(world.hosts.set_faults(ID, faults)).unwrap();
    let file = world.host().root().join("opt/got");
    let script = "cat > \"$IPAI_ROOT/opt/got\"";
    set(HostFaults { cut_after_stdin: Some(100_000), ..HostFaults::default() });
    let session = world.login("deploy", &key(2)).unwrap();
    let cut = exec(&session, &format!(": ipai-host-1; {script}"), &vec![b'x'; 300_000]);
    assert!(cut.is_err());
    assert!(fs::metadata(&file).unwrap().len() <= 100_000);
    assert_eq!(world.hosts.faults(ID), Some(HostFaults::default()));
    let session = world.login("deploy", &key(2)).unwrap();
    assert_eq!(program(&session, script, &vec![b'x'; 300_000]).status, 0);
    assert_eq!(fs::metadata(&file).unwrap().len(), 300_000);

    set(HostFaults { cut_after_output: Some(10), ..HostFaults::default() });
    let mut channel = session.channel_session().unwrap();
    channel.exec(": ipai-host-1; printf 0123456789abcdef; sleep 60").unwrap();
    let mut got = Vec::new();
    let _ = channel.read_to_end(&mut got);
    assert_eq!(got, b"0123456789");
}

#[test]
fn connecting_and_running_takes_tens_of_milliseconds() {
    let world = World::new();
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let session = world.login("deploy", &key(2)).unwrap();
            assert_eq!(program(&session, "echo hi", b"").text(), "hi\n");
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("connect + login + exec: median {:?}, all {times:?}", times[4]);
    assert!(times[4] < Duration::from_millis(400), "{times:?}");
}

/// Starts a program with a child; returns its channel and both process ids.
fn start_sleepers(session: &ssh2::Session) -> (ssh2::Channel, Vec<String>) {
    let mut channel = session.channel_session().unwrap();
    channel.exec(": ipai-host-1; sleep 300 & echo $$; echo $!; wait").unwrap();
    let mut bytes = [0; 1];
    let mut text = String::new();
    while text.matches('\n').count() < 2 {
        channel.read_exact(&mut bytes).unwrap();
        text.push(bytes[0] as char);
    }
    let pids: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(pids.iter().all(|pid| alive(pid)));
    (channel, pids)
}

/// A zombie is as good as dead.
fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}
