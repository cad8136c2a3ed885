//! Through bastions, on real OpenSSH servers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ssh_support;

use std::time::{Duration, Instant};

use ipai_host::session::{Session, SessionError, Sudo};
use ipai_host::ssh::{Fingerprint, HostKeyPin, SshError, Target, exec};
use ssh_support::{Sshd, script, write};

macro_rules! sshd {
    ($extra:expr) => {
        match Sshd::start($extra) {
            Some(sshd) => sshd,
            None => return,
        }
    };
}

/// The way to `to`, through these in their order.
fn through(bastions: &[&Sshd], to: &Sshd) -> Target {
    let mut via = None;
    for bastion in bastions {
        via = Some(Box::new(Target { via, ..known(bastion) }));
    }
    Target { via, ..to.target() }
}

/// A bastion is known by `known_hosts`.
fn known(bastion: &Sshd) -> Target {
    let file = bastion.path("known_hosts");
    let line = format!("[{}]:{} {}\n", bastion.address, bastion.port, bastion.host.public());
    write(&file, &line, 0o600);
    Target { pin: HostKeyPin::KnownHosts(vec![file]), ..bastion.target() }
}

#[tokio::test]
async fn a_session_works_through_one_bastion_and_through_two() {
    let (a, b, host) = (sshd!(""), sshd!(""), sshd!(""));
    for bastions in [&[&a][..], &[&a, &b]] {
        let target = through(bastions, &host);
        let first = script("echo here; cat").stdin("fed");
        let (mut session, first) = Session::open(&target, Sudo::Never, &first).await.unwrap();
        assert_eq!(first.text(), "here\nfed");
        // More than any buffer on the way, both ways at once.
        let input: Vec<u8> = (0..3_u32 << 20).map(|i| (i * 31 + i / 7) as u8).collect();
        let output = session.run(&script("cat").stdin(input.clone())).await.unwrap();
        assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
        for round in 0..20 {
            let said = session.run(&script(&format!("echo {round}"))).await.unwrap();
            assert_eq!(said.text(), format!("{round}\n"));
        }
        session.close(Duration::from_secs(5)).await;
    }
    assert_eq!(a.log().matches("Accepted publickey").count(), 2);
    assert_eq!(b.log().matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn a_bastion_with_a_wrong_key_sees_nothing_but_the_key_exchange() {
    let (bastion, host) = (sshd!(""), sshd!(""));
    let mut target = through(&[&bastion], &host);
    target.via.as_mut().unwrap().pin = HostKeyPin::Fingerprints(vec![Fingerprint([9; 32])]);
    let error = exec(&target, "true".to_owned(), Vec::new()).await.unwrap_err();
    let SshError::Bastion { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, SshError::HostKeyMismatch { .. }), "{error}");
    assert!(!error.may_be_booting());
    assert!(!bastion.log().contains("userauth-request"));
    assert!(!host.log().contains("SSH2_MSG_NEWKEYS"));
}

#[tokio::test]
async fn a_bastion_cannot_pass_itself_off_as_the_host() {
    let (bastion, other) = (sshd!(""), sshd!(""));
    let mut target = through(&[&bastion], &other);
    target.pin = HostKeyPin::Fingerprints(vec![Fingerprint([7; 32])]);
    let error = exec(&target, "true".to_owned(), Vec::new()).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyMismatch { .. }), "{error}");
    assert!(!other.log().contains("userauth-request"));
}

#[tokio::test]
async fn a_host_that_the_bastion_cannot_reach_may_still_boot() {
    let (bastion, host) = (sshd!(""), sshd!(""));
    let mut target = through(&[&bastion], &host);
    target.port = 1;
    let error = exec(&target, "true".to_owned(), Vec::new()).await.unwrap_err();
    assert!(matches!(error, SshError::NotThrough { .. }) && error.may_be_booting(), "{error}");
    let closed = sshd!("AllowTcpForwarding no");
    let error = exec(&through(&[&closed], &host), "true".to_owned(), Vec::new()).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("TCP forwarding"), "{error}");
}

#[tokio::test]
async fn a_bastion_that_dies_ends_the_session_at_once() {
    let (bastion, host) = (sshd!(""), sshd!(""));
    let target = through(&[&bastion], &host);
    let (mut session, _) = Session::open(&target, Sudo::Never, &script("true")).await.unwrap();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        bastion.signal_connections(rustix::process::Signal::KILL);
    };
    let began = Instant::now();
    let command = script("sleep 10");
    let (result, ()) = tokio::join!(session.run(&command), cut);
    let error = result.unwrap_err();
    assert!(matches!(error, SessionError::ConnectionLost { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
