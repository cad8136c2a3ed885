//! Finding private keys.

use super::*;

/// An SSH key made from a fixed seed, as the text of its file.
fn ssh_key(passphrase: Option<&str>) -> String {
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    let key = ssh_key::PrivateKey::new(pair.into(), "somebody").unwrap();
    let key = match passphrase {
        Some(passphrase) => {
            let kdf = ssh_key::Kdf::Bcrypt { salt: vec![1; 16], rounds: 1 };
            key.encrypt_with(ssh_key::Cipher::Aes256Ctr, kdf, 1, passphrase).unwrap()
        }
        None => key,
    };
    key.to_openssh(ssh_key::LineEnding::LF).unwrap().to_string()
}

/// The text of its `.pub` file.
fn ssh_public() -> String {
    ssh_key(None).parse::<ssh_key::PrivateKey>().unwrap().public_key().to_openssh().unwrap()
}

/// A home folder and the environment variables of whoever lives there.
struct Home {
    folder: TempDir,
    variables: HashMap<&'static str, OsString>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = HashMap::from([("HOME", folder.path().as_os_str().to_owned())]);
        Self { folder, variables }
    }

    fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn discover(&self) -> Result<Identities, SecretsError> {
        Identities::discover(&Environment::new(&|name| self.variables.get(name).cloned()))
    }

    fn refusal(&self) -> String {
        self.discover().unwrap_err().to_string()
    }
}

/// A new key: its private and its public half.
fn pair() -> (String, String) {
    let key = age::x25519::Identity::generate();
    (key.to_string().expose_secret().to_owned(), key.to_public().to_string())
}

#[test]
fn keys_are_collected_from_every_place_that_sops_knows() {
    let pairs = [pair(), pair(), pair(), pair()];
    let home = Home::new();
    home.file(".config/sops/age/keys.txt", &format!("# mine\n{}\n", pairs[0].0));
    home.file(".ssh/id_ed25519", &ssh_key(None));
    let named = home.file("named.txt", &pairs[1].0);
    let printed = home.file("with blank/printed.txt", &pairs[2].0);
    let home = home
        .with("SOPS_AGE_KEY_FILE", named)
        .with("SOPS_AGE_KEY_CMD", format!("cat '{}'", printed.display()))
        .with("SOPS_AGE_KEY", pairs[3].0.as_str());
    let found = home.discover().unwrap();
    let mut expected: Vec<_> = pairs.iter().map(|pair| pair.1.as_str()).collect();
    let ssh = ssh_public();
    expected.push(ssh.strip_suffix(" somebody").unwrap());
    expected.sort_unstable();
    let mut recipients = found.recipients();
    recipients.sort_unstable();
    assert_eq!(recipients, expected);
    assert!(found.warnings().is_empty(), "{:?}", found.warnings());
}

#[test]
fn the_folder_for_configuration_can_be_moved() {
    let home = Home::new();
    let path = home.file("elsewhere/sops/age/keys.txt", &pair().0);
    let home = Home { variables: home.variables.clone(), folder: home.folder };
    let elsewhere = home.folder.path().join("elsewhere");
    let home = home.with("XDG_CONFIG_HOME", elsewhere);
    assert_eq!(home.discover().unwrap().len(), 1);
    let variable = |name: &str| home.variables.get(name).cloned();
    assert_eq!(default_identity_path(&Environment::new(&variable)), Some(path));
}

#[test]
fn finding_none_is_no_error_until_something_is_to_be_opened() {
    let home = Home::new().with("SOPS_AGE_KEY", "");
    let found = home.discover().unwrap();
    assert!(found.is_empty());
    let desk = Desk::holding(&["alpha"]);
    let error = desk.load().decrypt("alpha", &found).unwrap_err();
    let text = error.to_string();
    for place in
        [".ssh/id_ed25519", "SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", ".config/sops/age/keys.txt"]
    {
        assert!(text.contains(place), "{text}");
    }
    assert!(error.hint().unwrap().contains("ipai secrets init"));
}

#[test]
fn an_ssh_key_opens_what_is_encrypted_to_it() {
    let desk = Desk::holding(&["alpha"]);
    let mut store = desk.load();
    let both = [desk.identities.recipients(), vec![ssh_public()]].concat();
    store.set_recipients(&both, &desk.identities).unwrap();
    let home = Home::new();
    home.file(".ssh/id_ed25519", &ssh_key(None));
    let secret = store.decrypt("alpha", &home.discover().unwrap()).unwrap();
    assert_eq!(secret.expose(), "value of alpha");
}

#[test]
fn an_ssh_key_with_a_passphrase_is_passed_over_unless_it_was_named() {
    let home = Home::new();
    let path = home.file(".ssh/id_ed25519", &ssh_key(Some("passphrase")));
    let found = home.discover().unwrap();
    assert!(found.is_empty());
    assert!(found.warnings()[0].contains("protected by a passphrase"), "{:?}", found.warnings());
    let home = home.with("SOPS_AGE_SSH_PRIVATE_KEY_FILE", path);
    assert!(home.refusal().contains("protected by a passphrase"));
}

#[test]
fn places_that_were_named_must_hold_a_key() {
    let missing = Home::new().with("SOPS_AGE_KEY_FILE", "/nonexistent/keys.txt").refusal();
    assert_eq!(missing, "cannot read /nonexistent/keys.txt");
    let empty = Home::new().with("SOPS_AGE_KEY", "# nothing\n").refusal();
    assert!(empty.starts_with("SOPS_AGE_KEY: holds no age key"), "{empty}");
    let failing = Home::new().with("SOPS_AGE_KEY_CMD", "false").refusal();
    assert!(
        failing.starts_with("SOPS_AGE_KEY_CMD: `false` ended with exit status: 1"),
        "{failing}"
    );
    let absent = Home::new().with("SOPS_AGE_KEY_CMD", "/nonexistent/command").refusal();
    assert!(absent.contains("`/nonexistent/command` cannot be run"), "{absent}");
    let open = Home::new().with("SOPS_AGE_KEY_CMD", "echo 'open").refusal();
    assert!(open.contains("a quote is not closed"), "{open}");
    let blank = Home::new().with("SOPS_AGE_KEY_CMD", "  ").refusal();
    assert!(blank.contains("names no command"), "{blank}");
}

#[test]
fn no_shell_reads_the_command() {
    let home = Home::new();
    let witness = home.folder.path().join("witness");
    let command = format!("echo # $(touch {0}); touch {0}", witness.display());
    let error = home.with("SOPS_AGE_KEY_CMD", command).refusal();
    assert!(error.contains("holds no age key"), "{error}");
    assert!(!witness.exists());
}

#[test]
fn a_line_that_is_no_key_is_named_by_number_and_never_repeated() {
    let broken = pair().0.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQ");
    let error = Home::new().with("SOPS_AGE_KEY", format!("# a\n{broken}\n")).refusal();
    assert!(error.contains("line 2 is no age key"), "{error}");
    assert!(!error.contains(&broken[18..]), "{error}");
}

#[test]
fn keys_of_plugins_are_passed_over_with_a_word() {
    let text = format!("AGE-PLUGIN-YUBIKEY-1QQQ\n{}\n", pair().0);
    let found = Home::new().with("SOPS_AGE_KEY", text).discover().unwrap();
    assert_eq!(found.len(), 1);
    assert!(found.warnings()[0].contains("plugins"), "{:?}", found.warnings());
}

#[test]
fn a_key_file_open_to_others_is_remarked_on() {
    let home = Home::new();
    let path = home.file(".config/sops/age/keys.txt", &pair().0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let found = home.discover().unwrap();
    assert!(found.warnings()[0].contains("chmod 600"), "{:?}", found.warnings());
}

#[test]
fn a_new_identity_is_private_opens_its_store_and_is_never_overwritten() {
    let home = Home::new();
    let variable = |name: &str| home.variables.get(name).cloned();
    let path = default_identity_path(&Environment::new(&variable)).unwrap();
    let public = create_identity_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let store_path = home.folder.path().join("stack/secrets.toml");
    let mut store = Store::init(&store_path, &[public], &mut stream()).unwrap();
    set(&mut store, "alpha", "a");
    assert_eq!(store.decrypt("alpha", &home.discover().unwrap()).unwrap().expose(), "a");

    let before = fs::read_to_string(&path).unwrap();
    assert!(matches!(create_identity_file(&path), Err(SecretsError::Exists { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_private_key_given_as_a_recipient_is_not_repeated() {
    let desk = Desk::new();
    let (private, _) = pair();
    let mut store = desk.load();
    for text in [private.clone(), private.to_lowercase()] {
        let error = store.set_recipients(&[text], &desk.identities).unwrap_err().to_string();
        assert!(error.contains("that is a private key"), "{error}");
        assert!(!error.to_uppercase().contains(&private[16..]), "{error}");
    }
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB".to_owned();
    let error = store.set_recipients(&[rsa], &desk.identities).unwrap_err().to_string();
    assert!(error.contains("RSA keys are not supported"), "{error}");
}
