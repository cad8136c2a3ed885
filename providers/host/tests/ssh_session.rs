//! The resident session against a real OpenSSH server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ssh_support;

use std::time::{Duration, Instant};

use ipai_host::session::{Command, MAX_OUTPUT, Session, SessionError, Sudo};
use rustix::process::Signal;
use ssh_support::{Sshd, script};

macro_rules! sshd {
    ($extra:expr) => {
        match Sshd::start($extra) {
            Some(sshd) => sshd,
            None => return,
        }
    };
}

#[tokio::test]
async fn many_commands_cost_one_channel_and_one_exec() {
    let sshd = sshd!("");
    let (mut session, first) = sshd.open("echo first; echo talk >&2; exit 3").await.unwrap();
    assert_eq!(
        (first.text().as_str(), first.stderr.as_str(), first.exit),
        ("first\n", "talk\n", 3)
    );
    for round in 0..30 {
        let output = session.run(&script(&format!("echo {round}"))).await.unwrap();
        assert_eq!(output.text(), format!("{round}\n"));
    }
    session.close(Duration::from_secs(5)).await;
    let log = sshd.log();
    assert_eq!(log.matches("Starting session: command").count(), 1, "{log}");
    assert_eq!(log.matches("server_input_channel_open: ctype session").count(), 1, "{log}");
}

#[tokio::test]
async fn scripts_run_clean_of_each_other_and_of_the_login() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("cd /tmp; x=1; set -e; trap 'echo bye' EXIT").await.unwrap();
    let text = "echo \"$# ${x-unset} $(pwd) $(umask) $LC_ALL\"; cat";
    let output = session.run(&script(text)).await.unwrap();
    assert_eq!(output.text(), "0 unset / 0077 C\n");
    let unset = session.run(&script("echo $no_such_variable")).await.unwrap();
    assert!(unset.exit != 0 && unset.stderr.contains("no_such_variable"), "{unset:?}");
    let failing = session.run(&script("set -e; false; echo not reached")).await.unwrap();
    assert_eq!((failing.text().as_str(), failing.exit), ("", 1));
    let broken = session.run(&script("if (")).await.unwrap();
    assert!(broken.exit != 0 && !broken.stderr.is_empty(), "{broken:?}");
    let signalled = session.run(&script("kill -9 $(sh -c 'echo $PPID')")).await.unwrap();
    assert_eq!(signalled.exit, 137);
    assert_eq!(session.run(&script("echo on")).await.unwrap().text(), "on\n");
}

#[tokio::test]
async fn hostile_output_comes_back_as_it_was() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("true").await.unwrap();
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut hostile = b"END 0000 0\nOUT x plain aGk=\nRUN x 1 1\n\0\r\n".to_vec();
    hostile.extend(every_byte.repeat(5_000));
    hostile.extend(vec![b'x'; 1 << 20]);
    let echo = Command::new("echo", "cat; cat /dev/null >&2", Duration::from_secs(20));
    let output = session.run(&echo.clone().stdin(hostile.clone())).await.unwrap();
    assert!(output.stdout == hostile, "{} bytes came back", output.stdout.len());
    let small = session.run(&echo.stdin(every_byte.clone())).await.unwrap();
    assert_eq!(small.stdout, every_byte);
    let fake = session.run(&script("echo 'END 1 0' >&2; printf '\\377\\n' >&2")).await.unwrap();
    assert_eq!(fake.stderr, "END 1 0\n\u{fffd}\n");
}

#[tokio::test]
async fn input_that_is_not_read_does_not_desynchronise() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("true").await.unwrap();
    let input = vec![b'R'; 3 << 20];
    for text in ["true", "head -c 10 >/dev/null", "exec <&-", "exit 7", "cat >/dev/null", "sed q"] {
        let output = session.run(&script(text).stdin(input.clone())).await.unwrap();
        assert_eq!(output.exit, if text == "exit 7" { 7 } else { 0 }, "{text}");
        let next = session.run(&script("echo in step; cat")).await.unwrap();
        assert_eq!(next.text(), "in step\n", "after {text}");
    }
    let background = session.run(&script("sleep 30 & echo started")).await.unwrap();
    assert_eq!(background.text(), "started\n");
    session.run(&script("for p in /proc/[0-9]*; do [ \"$(tr '\\0' ' ' <$p/cmdline 2>/dev/null)\" = 'sleep 30 ' ] && kill ${p#/proc/}; done; :")).await.unwrap();
}

#[tokio::test]
async fn what_runs_on_in_the_background_cannot_touch_the_next_answer() {
    let sshd = sshd!("");
    let (mut session, first) =
        sshd.open("(sleep 0.3; echo late; echo late >&2) & echo now").await.unwrap();
    assert_eq!(first.text(), "now\n");
    let output = session.run(&script("sleep 0.6; echo clean")).await.unwrap();
    assert_eq!((output.text().as_str(), output.stderr.as_str()), ("clean\n", ""));
}

#[tokio::test]
async fn the_first_command_may_have_input_and_may_be_long() {
    let sshd = sshd!("");
    let (mut session, output) =
        Session::open(&sshd.target(), Sudo::Never, &script("cat").stdin("fed")).await.unwrap();
    assert_eq!(output.text(), "fed");
    assert_eq!(session.run(&script("echo 'ä'")).await.unwrap().text(), "ä\n");
    let long = format!(": {}\necho \"it's\" long; cat", "ü".repeat(50_000));
    let (mut session, output) =
        Session::open(&sshd.target(), Sudo::Never, &script(&long).stdin("fed")).await.unwrap();
    assert_eq!(output.text(), "it's long\nfed");
    assert_eq!(session.reopen(&script("echo again")).await.unwrap().text(), "again\n");
}

#[tokio::test]
async fn too_much_output_is_an_error_and_the_session_goes_on() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("true").await.unwrap();
    let error = session.run(&script(&format!("head -c {} /dev/zero", MAX_OUTPUT + 1))).await;
    let size = MAX_OUTPUT as u64 + 1;
    assert!(matches!(error, Err(SessionError::OutputTooLarge { size: s, .. }) if s == size));
    let most = session.run(&script(&format!("head -c {MAX_OUTPUT} /dev/urandom"))).await.unwrap();
    assert_eq!(most.stdout.len(), MAX_OUTPUT);
}

#[tokio::test]
async fn a_cut_link_is_noticed_at_once_and_dropping_does_not_wait() {
    let sshd = sshd!("");
    let (mut session, output) =
        sshd.open("ls -d /run/ipai.* /dev/shm/ipai.* 2>/dev/null; :").await.unwrap();
    assert!(output.text().contains("ipai."), "{output:?}");
    let began = Instant::now();
    let sleeping = script("sleep 5");
    let cut = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sshd.signal_connections(Signal::KILL);
    };
    let (result, ()) = tokio::join!(session.run(&sleeping), cut);
    let error = result.unwrap_err();
    assert!(matches!(error, SessionError::ConnectionLost { during: "test", .. }), "{error}");
    assert!(error.is_lost() && began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let again = session.run(&script("true")).await.unwrap_err();
    assert!(matches!(again, SessionError::OutOfStep { earlier: "test", .. }), "{again}");
    assert_eq!(session.reopen(&script("echo back")).await.unwrap().text(), "back\n");
    let dropping = Instant::now();
    drop(session);
    assert!(dropping.elapsed() < Duration::from_millis(200));
}

#[tokio::test]
async fn a_host_that_stands_still_ends_at_the_limit_and_dropping_does_not_wait() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("true").await.unwrap();
    sshd.signal_connections(Signal::STOP);
    let slow = Command::new("slow", "true", Duration::from_millis(300)).stdin(vec![0; 8 << 20]);
    let error = session.run(&slow).await.unwrap_err();
    assert!(matches!(error, SessionError::TimedOut { name: "slow", .. }), "{error}");
    let dropping = Instant::now();
    drop(session);
    assert!(dropping.elapsed() < Duration::from_millis(200));
    sshd.signal_connections(Signal::KILL);
}

#[tokio::test]
async fn the_program_that_is_killed_is_a_lost_connection() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("true").await.unwrap();
    let error = session.run(&script("rm -rf \"$ipai_d\"; kill -9 $$")).await.unwrap_err();
    assert!(matches!(error, SessionError::ConnectionLost { .. }), "{error}");
}

#[tokio::test]
async fn nothing_is_left_behind_after_a_close_nor_after_a_drop() {
    let sshd = sshd!("");
    let tell = "printf '%s\\n' \"${ipai_d:?}\"";
    let (mut session, _) = sshd.open("true").await.unwrap();
    let closed = session.run(&script(tell)).await.unwrap().text();
    assert!(std::path::Path::new(closed.trim()).is_dir(), "{closed}");
    session.close(Duration::from_secs(5)).await;
    assert!(!std::path::Path::new(closed.trim()).exists());
    let (session, dropped) = sshd.open(tell).await.unwrap();
    drop(session);
    let until = Instant::now() + Duration::from_secs(5);
    while std::path::Path::new(dropped.text().trim()).exists() {
        assert!(Instant::now() < until, "{} is still there", dropped.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_truncated_script_is_never_run() {
    let sshd = sshd!("");
    let mark = sshd.path("mark");
    let program = ipai_host::session::GREETING;
    let (mut session, output) =
        sshd.open("tr '\\0' '\\n' </proc/$$/cmdline | tail -n +3").await.unwrap();
    assert!(!output.text().is_empty());
    session.run(&script("true")).await.unwrap();
    // The program as text, fed by hand with a request whose script ends too early.
    let text = format!("{program}exec sh -c {}", ipai_host::session::quote(&output.text()));
    let request = format!("RUN n 500 0\ntouch {}\n", mark.display());
    let spoken = ipai_host::ssh::exec(&sshd.target(), text, request.into_bytes()).await.unwrap();
    assert_eq!(spoken.exit, 65, "{}", String::from_utf8_lossy(&spoken.stderr));
    assert!(!mark.exists());
}

#[tokio::test]
async fn sudo_starts_the_program_once_and_its_refusal_is_told() {
    let sshd = sshd!("");
    sshd.program(
        "sudo",
        "#!/bin/sh\n[ \"$1\" = -n ] || exit 9\nshift\nAS=root; export AS\nexec \"$@\"\n",
    );
    let first = script("echo \"$AS it's\"; cat").stdin("fed");
    let (mut session, output) = Session::open(&sshd.target(), Sudo::Always, &first).await.unwrap();
    assert_eq!(output.text(), "root it's\nfed");
    assert_eq!(session.run(&script("echo \"$AS\"")).await.unwrap().text(), "root\n");
    sshd.program("sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n");
    let error = Session::open(&sshd.target(), Sudo::Always, &first).await.unwrap_err();
    assert!(matches!(&error, SessionError::SudoRefused { .. }), "{error}");
    assert!(error.to_string().contains("a password is required"), "{error}");
}

#[tokio::test]
async fn a_dropped_run_leaves_the_session_out_of_step() {
    let sshd = sshd!("");
    let (mut session, _) = sshd.open("true").await.unwrap();
    let slow = script("sleep 1; echo late");
    assert!(tokio::time::timeout(Duration::from_millis(50), session.run(&slow)).await.is_err());
    let error = session.run(&script("echo mine")).await.unwrap_err();
    assert!(matches!(error, SessionError::OutOfStep { .. }), "{error}");
}

#[tokio::test]
async fn bash_serves_as_well_as_dash() {
    let sshd = sshd!("");
    if !std::path::Path::new("/bin/bash").exists() {
        eprintln!("SKIPPED: no bash on this machine");
        return;
    }
    std::os::unix::fs::symlink("/bin/bash", sshd.path("bin").join("sh")).unwrap();
    let (mut session, first) = sshd.open("echo \"${BASH_VERSION:+bash}\"").await.unwrap();
    assert_eq!(first.text(), "bash\n");
    let input: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for text in ["cat", "head -c 10; exit 3", "set -e; false", "echo $unset", "if ("] {
        let output = session.run(&script(text).stdin(input.clone())).await.unwrap();
        match text {
            "cat" => assert!(output.exit == 0 && output.stdout == input),
            "head -c 10; exit 3" => assert_eq!((output.exit, output.stdout.len()), (3, 10)),
            _ => assert!(output.exit != 0, "{text}: {output:?}"),
        }
        assert_eq!(session.run(&script("echo 'ä'; cat")).await.unwrap().text(), "ä\n");
    }
    session.close(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_idle_session_answers_the_servers_questions() {
    let sshd = sshd!("ClientAliveInterval 1\nClientAliveCountMax 1");
    let (mut session, _) = sshd.open("true").await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(session.run(&script("echo still here")).await.unwrap().text(), "still here\n");
}

#[tokio::test]
async fn new_keys_in_the_middle_disturb_nothing() {
    let sshd = sshd!("RekeyLimit 300K");
    let (mut session, _) = sshd.open("true").await.unwrap();
    for round in 0..5_u8 {
        let input: Vec<u8> = (0..3_u32 << 20).map(|i| (i * 31 + i / 7) as u8 ^ round).collect();
        let output = session.run(&script("cat").stdin(input.clone())).await.unwrap();
        assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
    }
    assert!(sshd.log().matches("SSH2_MSG_NEWKEYS received").count() > 3);
}

/// Cuts a link as a pulled cable does: the test runs itself again in a network of its own, whose loopback goes down.
#[test]
fn a_cut_link_is_noticed_within_seconds() {
    let lone = |inner: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--net", "--"]).args(inner).output()
    };
    let possible = lone(&["ip", "link", "set", "lo", "up"]);
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no network of its own to be had here (root, unshare, ip)");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let inner = "ip link set lo up && exec \"$0\" --exact a_dead_link_is_noticed_within_its_limit --ignored";
    let output = lone(&["sh", "-c", inner, &this.display().to_string()]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "takes the loopback interface down: a_cut_link_is_noticed_within_seconds runs it in a network of its own"]
async fn a_dead_link_is_noticed_within_its_limit() {
    let sshd = sshd!("");
    let mut target = sshd.target();
    target.limits.dead_link = Duration::from_secs(3);
    for input in [0, 8 << 20] {
        let (mut session, _) = Session::open(&target, Sudo::Never, &script("true")).await.unwrap();
        let cut = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            loopback("down");
        };
        let command = script("sleep 15; cat").stdin(vec![0; input]);
        let began = Instant::now();
        let (result, ()) = tokio::join!(session.run(&command), cut);
        let error = result.unwrap_err();
        assert!(matches!(error, SessionError::ConnectionLost { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        let dropping = Instant::now();
        drop(session);
        assert!(dropping.elapsed() < Duration::from_millis(200));
        loopback("up");
    }
}

fn loopback(state: &str) {
    let status = std::process::Command::new("ip").args(["link", "set", "lo", state]).status();
    assert!(status.unwrap().success());
}
