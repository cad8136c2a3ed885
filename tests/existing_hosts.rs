//! Machines that ipai did not make: servers that the stack names, droplets without a pin, the user's own OpenSSH
//! configuration, and keys with a passphrase.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use common::{Ran, World};
use ipai_host::host_key::KeyPair;
use ipai_simulator::seam::{Boot, Hosts as _};

/// The number of the machine, which no droplet has.
const ID: u64 = 2;
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// A stack that has nothing but files on a machine of somebody else's making.
struct Place {
    world: World,
    key: KeyPair,
}

impl Place {
    fn new(server: &str) -> Self {
        let place = Self { world: World::new(), key: KeyPair::from_seed(&[9; 32], "x").unwrap() };
        let private: String =
            place.key.expose_private().lines().map(|line| format!("    {line}\n")).collect();
        let client = place.world.read("authorized_keys");
        let boot = Boot {
            id: ID,
            name: "old".into(),
            address: ADDRESS,
            user_data: Some(format!(
                "#cloud-config\nssh_keys:\n  ed25519_private: |\n{private}users:\n  - name: deploy\n    ssh_authorized_keys: [\"{}\"]\n",
                client.trim()
            )),
            account_keys: Vec::new(),
        };
        place.world.runtime.block_on(place.world.hosts.boot(boot)).unwrap();
        std::fs::create_dir_all(place.world.home().join(".ssh")).unwrap();
        place.stack(server, "hello");
        place
    }

    /// Writes the stack; without a text the server has no file.
    fn stack(&self, server: &str, text: &str) {
        let server = server.replace("FINGERPRINT", &self.key.fingerprint().to_string());
        let file = format!(
            "[host.file.motd]\nhost = \"host.server.old\"\npath = \"/etc/motd\"\ncontent = \"{text} from {{{{ host.server.old.address }}}}\\n\"\n"
        );
        let file = if text.is_empty() { "" } else { &file };
        let stack = format!("[stack]\nname = \"shop\"\n[ssh]\nuser = \"deploy\"\n{server}\n{file}");
        self.world.write("stack.toml", &stack);
    }

    fn path(&self, path: &str) -> PathBuf {
        self.world.hosts.folder(ID).inside(path).unwrap()
    }

    fn ssh(&self, name: &str, text: &str) {
        std::fs::write(self.world.home().join(".ssh").join(name), text).unwrap();
    }

    /// How often somebody tried to log in.
    fn offers(&self) -> u64 {
        self.world.hosts.counters(ID).unwrap().offers.load(Ordering::Relaxed)
    }
}

const PINNED: &str = "[host.server.old]\naddress = \"127.77.0.1\"\nhost_key = \"FINGERPRINT\"\n";
const KNOWN: &str = "[host.server.old]\naddress = \"127.77.0.1\"\nknown_hosts = true\n";

#[test]
fn a_server_takes_files_and_is_itself_neither_made_nor_deleted() {
    let place = Place::new(PINNED);
    std::fs::write(place.path("/etc/motd"), "somebody else's\n").unwrap();
    let plan = place.world.run(&["apply", "--auto-approve"]).expect(1);
    plan.says("/etc/motd").says(" adopt host.file.");
    let kept = std::fs::read_to_string(place.path("/etc/motd")).unwrap();
    assert_eq!(kept, "somebody else's\n", "what lies on an old server is nobody's leftover");
    place.world.run(&["adopt", "host.file.motd", "--auto-approve"]).expect(0);
    place.world.apply().says("0 added, 1 changed, 0 destroyed");
    let text = std::fs::read_to_string(place.path("/etc/motd")).unwrap();
    assert_eq!(text, "hello from 127.77.0.1\n");
    place.stack(PINNED, "");
    let gone = place.world.run(&["apply", "--auto-approve"]).expect(0);
    gone.says("0 added, 0 changed, 1 destroyed");
    assert!(!place.path("/etc/motd").exists());
    place.stack(PINNED, "again");
    place.world.apply();
    let destroyed = place.world.run(&["destroy", "--auto-approve"]).expect(0);
    destroyed.keeps_quiet_about("- host.server.old").says("Resources: 1 destroyed.");
    assert!(!place.path("/etc/motd").exists());
    place.world.run(&["plan"]).expect(0).says("1 to add");
}

#[test]
fn a_server_with_another_key_is_told_nothing() {
    let place = Place::new(PINNED);
    let other = KeyPair::from_seed(&[3; 32], "x").unwrap().fingerprint().to_string();
    place.stack(&PINNED.replace("FINGERPRINT", &other), "hello");
    place.world.run(&["plan"]).expect(1).says("is not the expected one; nothing was sent to it");
    assert_eq!(place.offers(), 0);
    place.stack("[host.server.old]\naddress = \"127.77.0.1\"\n", "hello");
    place.world.run(&["plan"]).expect(1).says("Nothing to recognise the server by");
    place.world.run(&["adopt", "host.server.old", "--host-key", &other]).expect(1);
}

#[test]
fn known_hosts_are_honoured_and_never_written() {
    let place = Place::new(KNOWN);
    place.world.run(&["plan"]).expect(1).says("no host key is known for 127.77.0.1");
    assert!(!place.world.home().join(".ssh/known_hosts").exists());
    let at = format!("[127.77.0.1]:{}", place.world.simulator.ssh_port);
    let line = format!("{at} {}\n", place.key.public());
    place.ssh("known_hosts", &line);
    place.world.apply();
    place.ssh("known_hosts", &format!("{line}@revoked {at} {}\n", place.key.public()));
    place.world.run(&["plan"]).expect(1).says("marks as revoked");
    place.ssh("elsewhere", &line);
    place.ssh("config", "Host 127.77.*\n  UserKnownHostsFile ~/.ssh/elsewhere\n");
    place.world.expect_empty_plan();
}

#[test]
fn the_users_own_configuration_says_how_a_server_is_reached() {
    let named = PINNED.replace("127.77.0.1", "old-box");
    let place = Place::new(&named);
    let port = place.world.simulator.ssh_port;
    place.ssh(
        "config",
        &format!(
            "Host old-*\n  HostName 127.77.0.1\n  User deploy\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\nMatch all\n  User nobody\n",
            place.world.home().join("key").display()
        ),
    );
    let mut command = place.world.command(&["apply", "--auto-approve"]);
    command.env_remove("IPAI_SSH_IDENTITY").env("IPAI_SSH_PORT", "1");
    let ran: Ran = command.output().unwrap().into();
    ran.expect(0).says("ipai does not read `Match all`");
}

#[test]
fn a_droplet_without_a_pin_is_pinned_by_who_names_its_key() {
    let world = World::new();
    world.cloud().add_foreign_droplet("shop-web", &[]).unwrap();
    world.age_droplet();
    let adopt = ["adopt", "digitalocean.droplet.web", "--auto-approve"];
    let ran = world.run(&adopt).expect(1);
    ran.says("No host key is pinned").says("--host-key SHA256:");
    world.run(&["plan"]).expect(1).says("ipai adopt digitalocean.droplet.web --host-key");
    let key = KeyPair::from_seed(&[5; 32], "x").unwrap().fingerprint();
    world.run(&[&adopt[..2], &["--host-key", &key.to_string()]].concat()).expect(0);
    let tags = world.cloud().droplets()[0]["tags"].to_string();
    assert!(tags.contains(&format!("\"ipai-hostkey:{}\"", key.to_hex())), "{tags}");
}

/// Runs in a pseudo-terminal and types. `script` is in every Debian and Ubuntu (bsdutils).
fn typed(program: &Command, answer: &str) -> Ran {
    let words: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    terminal.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.env("TERM", "dumb").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = terminal.stderr(Stdio::piped()).spawn().unwrap();
    // What is typed before it is asked for is thrown away, as with every password prompt.
    std::thread::sleep(std::time::Duration::from_secs(2));
    child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_passphrase_is_asked_for_once_unseen_and_only_where_somebody_can_answer() {
    let place = Place::new(PINNED);
    let key = place.world.home().join("key");
    let encrypt = ["-q", "-p", "-P", "", "-N", "open sesame", "-f"];
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let encrypted = Command::new("ssh-keygen").args(encrypt).arg(&key).output();
    if !encrypted.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "no ssh-keygen");
        eprintln!("SKIPPED: no ssh-keygen on this machine (apt-get install openssh-client)");
        return;
    }
    place.world.run(&["plan"]).expect(1).says("is encrypted").says("ssh-add");
    let ran = typed(&place.world.command(&["apply", "--auto-approve"]), "open sesame\n").expect(0);
    assert_eq!(ran.all().matches("Passphrase of").count(), 1, "{}", ran.all());
    ran.keeps_quiet_about("open sesame");
    let plan = place.world.command(&["plan", "--detailed-exitcode"]);
    typed(&plan, "open sesame\n").expect(0).says("No changes.");
    let wrong = typed(&place.world.command(&["plan"]), "no\n\n");
    wrong.expect(1).says("That does not open").says("nobody gave its passphrase");
}

#[test]
fn a_shown_fingerprint_is_pinned_by_the_word_yes_alone() {
    let place = Place::new(PINNED);
    let world = &place.world;
    copy_shop(world);
    world.cloud().add_foreign_droplet("shop-web", &[]).unwrap();
    world.age_droplet();
    // Whoever answers at its address is who the person sees.
    let boot = Boot {
        id: world.droplet(),
        name: "shop-web".into(),
        address: world.cloud().droplet_address(world.droplet()).unwrap(),
        user_data: None,
        account_keys: Vec::new(),
    };
    world.runtime.block_on(world.hosts.boot(boot)).unwrap();
    let public = world.host_path("/etc/ssh/ssh_host_ed25519_key.pub");
    let key = ssh_key::PublicKey::from_openssh(&std::fs::read_to_string(public).unwrap()).unwrap();
    let shown = key.fingerprint(ssh_key::HashAlg::Sha256).to_string();
    let adopt = world.command(&["adopt", "digitalocean.droplet.web", "--auto-approve"]);
    typed(&adopt, "y\n").expect(1).says(&shown).says("Nothing was changed");
    let tags = || world.cloud().droplets()[0]["tags"].to_string();
    assert!(!tags().contains("hostkey"));
    typed(&adopt, "yes\n").expect(0).says(&shown);
    assert!(tags().contains("ipai-hostkey:"));
}

fn copy_shop(world: &World) {
    let stack = common::repository().join("tests/stacks/shop/stack.toml");
    std::fs::copy(stack, world.stack().join("stack.toml")).unwrap();
}
