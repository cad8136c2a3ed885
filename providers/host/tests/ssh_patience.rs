//! Servers that close connections before their greeting, as OpenSSH does with too many at once and with those it punishes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ssh_support;

use std::io::{Write as _, copy};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ipai_host::session::{Session, SessionError, Sudo};
use ipai_host::ssh::{SshError, Target, verified_host_key};
use ssh_support::{Sshd, script};

macro_rules! sshd {
    () => {
        match Sshd::start("") {
            Some(sshd) => sshd,
            None => return,
        }
    };
}

/// What OpenSSH says to an address that it punishes.
const REFUSAL: &[u8] = b"Not allowed at this time\r\n";

/// A door before a server: it closes the first `most` connections, each second one with a refusal, and counts them all.
struct Door {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Door {
    fn before(sshd: &Sshd, most: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 7), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behind, seen) = ((sshd.address, sshd.port), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&seen);
        std::thread::spawn(move || {
            // Nobody's loop is endless: this is far more than any test here asks for.
            for peer in listener.incoming().take(100) {
                let (mut peer, place) = (peer.unwrap(), count.fetch_add(1, Ordering::SeqCst));
                if place >= most {
                    join(peer, TcpStream::connect(behind).unwrap());
                } else if place % 2 == 1 {
                    let _ = peer.write_all(REFUSAL);
                }
            }
        });
        Self { port, seen }
    }

    fn target(&self, sshd: &Sshd) -> Target {
        Target { port: self.port, ..sshd.target() }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn join(left: TcpStream, right: TcpStream) {
    let pairs = [(left.try_clone().unwrap(), right.try_clone().unwrap()), (right, left)];
    for (mut from, mut to) in pairs {
        std::thread::spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

#[tokio::test]
async fn who_is_turned_away_at_first_asks_again_and_gets_in() {
    let sshd = sshd!();
    let door = Door::before(&sshd, 3);
    let opened = Session::open(&door.target(&sshd), Sudo::Never, &script("echo in")).await;
    assert_eq!(opened.unwrap().1.text(), "in\n");
    assert_eq!(door.seen(), 4);
}

#[tokio::test]
async fn who_is_turned_away_for_good_is_told_so_within_the_limit() {
    let sshd = sshd!();
    let door = Door::before(&sshd, usize::MAX);
    let mut target = door.target(&sshd);
    for (limit, at_least) in [(0, 1), (1_400, 3)] {
        target.limits.turned_away = Duration::from_millis(limit);
        let (before, began) = (door.seen(), Instant::now());
        let opened = Session::open(&target, Sudo::Never, &script("true")).await;
        let SessionError::Connect(error) = opened.unwrap_err() else { panic!("no connection") };
        assert!(matches!(error, SshError::TurnedAway { .. }), "{error}");
        let told = error.to_string();
        assert!(limit == 0 || told.contains("Not allowed") || told.ends_with("greeting"), "{told}");
        assert!(error.may_be_booting() && began.elapsed() < Duration::from_secs(5), "{error}");
        assert!(door.seen() - before >= at_least, "{} tries", door.seen() - before);
    }
}

#[tokio::test]
async fn nobody_asks_on_when_nobody_waits_for_the_answer() {
    let sshd = sshd!();
    let door = Door::before(&sshd, usize::MAX);
    let target = door.target(&sshd);
    let command = script("true");
    let opening = Session::open(&target, Sudo::Never, &command);
    assert!(tokio::time::timeout(Duration::from_millis(400), opening).await.is_err());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let seen = door.seen();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(seen > 0 && door.seen() == seen, "{} tries, then {}", seen, door.seen());
}

#[tokio::test]
async fn looking_at_a_key_ends_with_a_login_so_that_nobody_is_punished_for_it() {
    let sshd = sshd!();
    let blob = verified_host_key(&sshd.target()).await.unwrap();
    assert_eq!(ipai_host::ssh::Fingerprint::of(&blob), sshd.host.fingerprint());
    sshd.log_with("Accepted publickey");
}
