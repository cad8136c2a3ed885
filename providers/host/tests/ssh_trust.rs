//! Who is trusted, and who we are: host keys and authentication against a real OpenSSH server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ssh_support;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use ipai_host::host_key::KeyPair;
use ipai_host::ssh::{
    Event, Fingerprint, HostKeyPin, Identity, Line, Passphrase, SshError, Target, UnknownHost, exec,
};
use ssh_support::{Sshd, write};

macro_rules! sshd {
    ($extra:expr) => {
        match Sshd::start($extra) {
            Some(sshd) => sshd,
            None => return,
        }
    };
}

async fn fails(target: &Target) -> SshError {
    exec(target, "true".to_owned(), Vec::new()).await.unwrap_err()
}

async fn works(target: &Target) {
    let spoken = exec(target, "cat; echo >&2 e; exit 5".to_owned(), b"hi".to_vec()).await.unwrap();
    assert_eq!(
        (spoken.stdout.as_slice(), spoken.stderr.as_slice(), spoken.exit),
        (&b"hi"[..], &b"e\n"[..], 5)
    );
}

#[tokio::test]
async fn a_wrong_host_key_is_refused_before_anything_is_sent() {
    let sshd = sshd!("");
    let mut target = sshd.target();
    let other = Fingerprint([9; 32]);
    target.pin = HostKeyPin::Fingerprints(vec![other]);
    let error = fails(&target).await;
    assert!(matches!(error, SshError::HostKeyMismatch { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&other.to_string()) && text.contains(&sshd.host.fingerprint().to_string())
    );
    assert!(!error.may_be_booting());
    let log = sshd.log_with("SSH2_MSG_NEWKEYS received");
    std::thread::sleep(Duration::from_millis(200));
    assert!(!log.contains("userauth-request"), "{log}");
    assert!(!sshd.log().contains("userauth-request"));
    target.pin = HostKeyPin::Fingerprints(vec![other, sshd.host.fingerprint()]);
    works(&target).await;
    target.pin = HostKeyPin::Fingerprints(Vec::new());
    assert!(matches!(
        fails(&target).await,
        SshError::HostKeyUnknown { why: UnknownHost::NoPin, .. }
    ));
}

#[tokio::test]
async fn known_hosts_files_are_honoured() {
    let sshd = sshd!("");
    let path = sshd.path("known_hosts");
    let key = sshd.host.public();
    let at = format!("[{}]:{}", sshd.address, sshd.port);
    let mut target = sshd.target();
    target.pin = HostKeyPin::KnownHosts(vec![sshd.path("no such file"), path.clone()]);
    assert!(matches!(
        fails(&target).await,
        SshError::HostKeyUnknown { why: UnknownHost::NotListed(_), .. }
    ));
    write(&path, &format!("broken line\n[127.0.0.*]:{} {key}\n", sshd.port), 0o600);
    works(&target).await;
    write(&path, &format!("{at} {key}\n@revoked {at} {key}\n"), 0o600);
    let error = fails(&target).await;
    assert!(
        matches!(&error, SshError::HostKeyRevoked { place, .. } if place.ends_with(":2")),
        "{error}"
    );
    write(&path, &format!("@cert-authority {at} {key}\n"), 0o600);
    assert!(fails(&target).await.to_string().contains("certificate authority"));
    let other = KeyPair::from_seed(&[3; 32], "other").unwrap();
    write(&path, &format!("{at} {}\n", other.public()), 0o600);
    assert!(matches!(fails(&target).await, SshError::HostKeyMismatch { .. }));
}

#[tokio::test]
async fn known_hosts_hashed_by_openssh_are_honoured() {
    let sshd = sshd!("");
    let path = sshd.path("known_hosts");
    write(&path, &format!("[{}]:{} {}\n", sshd.address, sshd.port, sshd.host.public()), 0o600);
    let hashed = Process::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&path).output().unwrap();
    assert!(hashed.status.success());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("|1|"));
    let mut target = sshd.target();
    target.pin = HostKeyPin::KnownHosts(vec![path]);
    works(&target).await;
}

#[tokio::test]
async fn a_host_known_by_rsa_alone_is_no_mismatch() {
    let rsa = tempfile::tempdir().unwrap();
    let file = rsa.path().join("rsa");
    keygen(&["-t", "rsa", "-b", "2048", "-N", ""], &file);
    let sshd = sshd!(&format!("HostKey {}", file.display()));
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    let path = sshd.path("known_hosts");
    write(&path, &format!("[{}]:{} {public}", sshd.address, sshd.port), 0o600);
    let mut target = sshd.target();
    target.pin = HostKeyPin::KnownHosts(vec![path]);
    works(&target).await;
}

#[tokio::test]
async fn a_closed_port_a_silent_server_and_an_unknown_name_are_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 7), 0)).unwrap();
    let key = KeyPair::from_seed(&[2; 32], "client").unwrap();
    let mut target = Target {
        address: "127.0.0.7".to_owned(),
        port: listener.local_addr().unwrap().port(),
        user: "nobody".to_owned(),
        pin: HostKeyPin::Fingerprints(vec![key.fingerprint()]),
        identities: Vec::new(),
        passphrase: None,
        limits: ipai_host::ssh::Limits::default(),
        via: None,
    };
    target.limits.login = Duration::from_millis(300);
    let began = Instant::now();
    let silent = fails(&target).await;
    assert!(matches!(silent, SshError::TimedOut { doing: "key exchange", .. }), "{silent}");
    assert!(began.elapsed() < Duration::from_secs(3) && silent.may_be_booting());
    drop(listener);
    let closed = fails(&target).await;
    assert!(matches!(closed, SshError::Refused { .. }) && closed.may_be_booting(), "{closed}");
    target.address = "no-such-host.invalid".to_owned();
    let unknown = fails(&target).await;
    assert!(matches!(unknown, SshError::NotResolved { .. }), "{unknown}");
}

/// A peer that sends without end whatever it is given, after a beginning.
fn endless(beginning: &'static [u8], piece: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 7), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let _ = peer.write_all(beginning);
        while peer.write_all(piece).is_ok() {}
    });
    port
}

#[tokio::test]
async fn a_peer_that_never_stops_sending_is_given_up_within_seconds() {
    // A packet of type 2, to be ignored: length 12, padding 10.
    const IGNORE: &[u8] = &[0, 0, 0, 12, 10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let key = KeyPair::from_seed(&[2; 32], "client").unwrap();
    for (beginning, piece) in [
        (&b""[..], &b"not the greeting of any server\r\n"[..]),
        (b"", b"no line end at all "),
        (b"SSH-2.0-", b"and so on "),
        (b"SSH-2.0-x\r\n", IGNORE),
        (b"SSH-2.0-x\r\n", b"nonsense"),
    ] {
        let mut target = Target {
            address: "127.0.0.7".to_owned(),
            port: endless(beginning, piece),
            user: "nobody".to_owned(),
            pin: HostKeyPin::Fingerprints(vec![key.fingerprint()]),
            identities: Vec::new(),
            passphrase: None,
            limits: ipai_host::ssh::Limits::default(),
            via: None,
        };
        assert!(target.limits.exchange <= Duration::from_secs(8));
        target.limits.exchange = Duration::from_secs(1);
        let began = Instant::now();
        let error = fails(&target).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}: {error}", began.elapsed());
        let told = error.to_string();
        assert!(told.contains("key exchange"), "{told}");
    }
}

#[tokio::test]
async fn refused_keys_are_listed_with_what_became_of_each() {
    let sshd = sshd!("");
    let mut target = sshd.target();
    let encrypted = sshd.path("encrypted");
    keygen(&["-t", "ed25519", "-N", "open sesame"], &encrypted);
    write(&sshd.path("junk"), "no key", 0o600);
    target.identities = vec![
        Identity::Agent(sshd.path("no agent")),
        Identity::File(sshd.path("missing")),
        Identity::File(encrypted.clone()),
        Identity::File(sshd.path("junk")),
        Identity::key("stranger", KeyPair::from_seed(&[4; 32], "").unwrap().expose_private()),
    ];
    let error = fails(&target).await;
    let SshError::NoIdentityAccepted { tried, .. } = &error else { panic!("{error}") };
    assert_eq!(tried.len(), 5, "{tried:#?}");
    assert!(tried[1].ends_with("no such file") && tried[2].contains("ssh-add"), "{tried:#?}");
    assert_eq!(tried[4], "stranger: refused");
    target.identities = Vec::new();
    assert!(fails(&target).await.to_string().contains("none to offer"));
    let public = std::fs::read_to_string(encrypted.with_extension("pub")).unwrap();
    write(&sshd.path("authorized"), &public, 0o600);
    target.identities = vec![Identity::File(encrypted)];
    target.passphrase = Some(Passphrase::new(|_| Some("open sesame".to_owned().into())));
    works(&target).await;
    target.passphrase = Some(Passphrase::new(|_| Some("wrong".to_owned().into())));
    assert!(matches!(fails(&target).await, SshError::NoIdentityAccepted { .. }));
}

#[tokio::test]
async fn keys_of_every_usual_kind_log_in() {
    let sshd = sshd!("");
    for kind in
        [["-t", "rsa", "-b", "3072"], ["-t", "ecdsa", "-b", "256"], ["-t", "ed25519", "-a", "1"]]
    {
        let file = sshd.path(kind[1]);
        keygen(&[&kind[..], &["-N", ""]].concat(), &file);
        write(
            &sshd.path("authorized"),
            &std::fs::read_to_string(file.with_extension("pub")).unwrap(),
            0o600,
        );
        let mut target = sshd.target();
        target.identities = vec![Identity::File(file)];
        works(&target).await;
    }
}

#[tokio::test]
async fn a_server_without_public_keys_says_so() {
    let sshd = sshd!("PubkeyAuthentication no\nPasswordAuthentication yes");
    let error = fails(&sshd.target()).await;
    assert!(matches!(error, SshError::AuthRefused { .. }), "{error}");
}

#[tokio::test]
async fn the_agent_logs_in() {
    let sshd = sshd!("");
    let socket = sshd.path("agent");
    let _agent = Agent::start(&socket);
    let until = Instant::now() + Duration::from_secs(5);
    while !socket.exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut target = sshd.target();
    target.identities = Identity::agent_then_files(Some(socket.clone()), Vec::new());
    let empty = fails(&target).await;
    assert!(empty.to_string().contains("holds no key"), "{empty}");
    let added = Process::new("ssh-add")
        .arg(sshd.path("client_key"))
        .env("SSH_AUTH_SOCK", &socket)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(added.success());
    works(&target).await;
}

#[tokio::test]
async fn an_agent_that_never_answers_is_given_up() {
    let sshd = sshd!("");
    let socket = sshd.path("mute");
    let _mute = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut target = sshd.target();
    target.identities = vec![Identity::Agent(socket)];
    target.limits.connect = Duration::from_millis(200);
    target.limits.login = Duration::from_secs(2);
    let began = Instant::now();
    let error = fails(&target).await;
    assert!(matches!(error, SshError::TimedOut { doing: "logging in", .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn a_command_text_is_checked_before_connecting() {
    let sshd = sshd!("");
    for text in ["a\0b".to_owned(), "x".repeat(30_001)] {
        let error = exec(&sshd.target(), text, Vec::new()).await.unwrap_err();
        assert!(matches!(error, SshError::CommandText { .. }), "{error}");
    }
    assert!(!sshd.log().contains("userauth-request"));
}

#[tokio::test]
async fn output_streams_before_the_command_ends() {
    let sshd = sshd!("");
    let text = "echo early; read x; echo \"got $x\"; kill -9 $$".to_owned();
    let mut line = Line::open(&sshd.target(), text, Vec::new()).await.unwrap();
    assert!(matches!(line.next().await, Some(Event::Stdout(bytes)) if bytes == b"early\n"));
    line.send(b"it\n".to_vec());
    assert!(matches!(line.next().await, Some(Event::Stdout(bytes)) if bytes == b"got it\n"));
    assert!(matches!(line.next().await, Some(Event::Ended(128))));
    assert!(line.next().await.is_none());
}

/// An agent of the test's own, ended with it.
struct Agent(Child);

impl Agent {
    fn start(socket: &Path) -> Self {
        let mut process = Process::new("ssh-agent");
        process.args(["-D", "-a"]).arg(socket).stdin(Stdio::null());
        Self(process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn keygen(arguments: &[&str], file: &Path) {
    let status = Process::new("ssh-keygen").args(arguments).args(["-q", "-f"]).arg(file).status();
    assert!(status.unwrap().success());
}
