//! A host that is a container, seen through an SSH client. Needs Docker and the lab's host image, so it runs with
//! `IPAI_LAB=1` alone (see tests/lab).

#![allow(clippy::unwrap_used, reason = "tests")]

mod hosts_support;

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use hosts_support::{ID, exec, key, login};
use ipai_simulator::hosts::{DockerHosts, DockerOptions, docker};
use ipai_simulator::seam::{Boot, Hosts};
use tokio::runtime::Runtime;

/// Tells whether the lab is asked for, and says loudly when it is not.
fn lab() -> bool {
    let asked = std::env::var_os("IPAI_LAB").is_some_and(|value| value == "1");
    if !asked {
        // Not eprintln: the test runner would swallow it.
        let _ = writeln!(std::io::stderr(), "SKIPPED {}: set IPAI_LAB=1 to run it", module_path!());
    }
    asked
}

fn hosts(runtime: &Runtime, folder: &Path) -> DockerHosts {
    let trouble = |text: &str| panic!("{text}");
    let options = DockerOptions { folder: folder.to_owned(), port: 0, store: None, trouble };
    runtime.block_on(DockerHosts::new(options)).unwrap()
}

fn boot(address: Ipv4Addr) -> Boot {
    let user_data = format!(
        "#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n{}  ed25519_public: {}\nusers:\n  - name: deploy\n    \
         shell: /bin/sh\n    sudo: 'ALL=(ALL) NOPASSWD:ALL'\n    ssh_authorized_keys:\n      - {}\n\
         runcmd:\n  - touch /var/tmp/ran\n",
        hosts_support::block(&key(1).private, 4),
        key(1).public,
        key(2).public
    );
    Boot {
        id: ID,
        name: "web".into(),
        address,
        user_data: Some(user_data),
        account_keys: Vec::new(),
    }
}

/// Logs in as soon as cloud-init has made the user.
fn patient_login(address: Ipv4Addr, port: u16) -> ssh2::Session {
    let start = Instant::now();
    loop {
        match login(address, port, "deploy", &key(2)) {
            Ok(session) => return session,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn say(session: &ssh2::Session, command: &str) -> String {
    let ran = exec(session, command, b"").unwrap();
    assert_eq!(ran.status, 0, "{command}: {}{}", ran.text(), ran.stderr);
    ran.text().trim().to_owned()
}

#[test]
fn a_host_boots_by_its_user_data_lives_on_reboots_and_goes() {
    if !lab() {
        return;
    }
    let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
    let first = hosts(&runtime, folder.path());
    let (address, port) = (first.first_address(), first.port());
    runtime.block_on(first.boot(boot(address))).unwrap();

    let session = patient_login(address, port);
    assert_eq!(
        session.host_key().unwrap().0,
        key(1).blob,
        "the key that the user-data handed over"
    );
    // 2: done with warnings, which is what a droplet says too, because its data source is deprecated.
    assert!(say(&session, "cloud-init status --wait || [ $? = 2 ]").contains("status: done"));
    assert_eq!(
        say(&session, "hostname; sudo ls /var/tmp/ran; ps -o comm= 1"),
        "web\n/var/tmp/ran\nsystemd"
    );
    say(&session, "sudo docker info && docker compose version && sudo touch /var/lib/docker/kept");
    drop(session);

    // Another simulator in the same folder finds the host as it is.
    let second = hosts(&runtime, folder.path());
    assert_eq!((second.first_address(), second.port()), (address, port));
    runtime.block_on(second.boot(boot(address))).unwrap();
    runtime.block_on(second.halt(ID)).unwrap();
    assert!(TcpStream::connect((address, port)).is_err(), "it is switched off");
    runtime.block_on(second.boot(boot(address))).unwrap();
    let session = patient_login(address, port);
    assert_eq!(session.host_key().unwrap().0, key(1).blob);
    say(&session, "sudo ls /var/lib/docker/kept");
    drop(session);

    runtime.block_on(second.delete(ID)).unwrap();
    assert!(TcpStream::connect((address, port)).is_err(), "it is gone");
    runtime.block_on(docker::remove_containers(folder.path())).unwrap();
}
