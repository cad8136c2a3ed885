//! How fast the session is on this machine. Prints and asserts no times: run with
//! `cargo test -p ipai-host --release --test ssh_speed -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ssh_support;

use std::time::{Duration, Instant};

use ipai_host::session::{Command, Session, Sudo};
use ssh_support::{Sshd, script};

#[tokio::test]
#[ignore = "measures; asserts nothing"]
async fn measures_opening_running_and_pushing() {
    let Some(sshd) = Sshd::start("LogLevel INFO") else { return };
    let mut opens = Vec::new();
    let mut runs = Vec::new();
    let mut pushes = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        let opened = Session::open(&sshd.target(), Sudo::Never, &script("echo hi")).await;
        opens.push(began.elapsed());
        let (mut session, _) = opened.unwrap();
        for _ in 0..10 {
            let began = Instant::now();
            session.run(&script("echo hi")).await.unwrap();
            runs.push(began.elapsed());
        }
        let push = Command::new("push", "cat >/dev/null", Duration::from_secs(60));
        let began = Instant::now();
        session.run(&push.stdin(vec![7; 64 << 20])).await.unwrap();
        pushes.push(began.elapsed());
        session.close(Duration::from_secs(5)).await;
    }
    println!("connect and first command: {:?} (median of {})", median(&mut opens), opens.len());
    println!("each further command:      {:?} (median of {})", median(&mut runs), runs.len());
    println!("64 MiB of input:           {:?} (median of {})", median(&mut pushes), pushes.len());
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
