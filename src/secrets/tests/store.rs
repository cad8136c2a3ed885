//! Changing a store: what stays, what is refused, who can read it.

use super::*;

#[test]
fn what_is_set_is_read_back_and_in_the_file_only_encrypted() {
    let desk = Desk::new();
    let mut store = desk.load();
    let value = Secret::new("kaleidoscope\n\"\"\" ünïcode".to_owned());
    store.set("postgres_password", &value, Some(Kind::Password), &mut stream()).unwrap();
    store.save().unwrap();

    assert_eq!(desk.value("postgres_password"), value.expose());
    assert_eq!(desk.load().kind("postgres_password"), Some(Kind::Password));
    assert!(!desk.text().contains("kaleidoscope"));
    assert!(!desk.text().contains("AGE-SECRET-KEY"));
}

#[test]
fn changing_one_secret_leaves_every_other_line_byte_for_byte() {
    let desk = Desk::holding(&["alpha", "beta", "gamma"]);
    // What people do to files: a comment, odd spacing, a line end of another system.
    let before = desk
        .text()
        .replace("[secret.alpha]", "# asked for by the bank\n[secret.alpha]  # first")
        .replace("[secret.gamma]", "\n\n# last\n\n# really\n[secret.gamma]\r")
        + "\n# the end\n\n";
    desk.write(&before);

    let mut store = desk.load();
    set(&mut store, "beta", "another");
    store.save().unwrap();
    let after = desk.text();

    let block_of = |text: &str| {
        let start = text.find("[secret.beta]").unwrap();
        let end = start + text[start..].find("\n\n\n# last").unwrap();
        (text[..start].to_owned(), text[end..].to_owned())
    };
    assert_eq!(block_of(&before), block_of(&after));
    assert_eq!(desk.value("beta"), "another");
    assert_eq!(desk.value("gamma"), "value of gamma");

    // The last block has no neighbour below, but what stands there stays too.
    let mut store = desk.load();
    set(&mut store, "gamma", "another");
    set(&mut store, "zulu", "new");
    store.save().unwrap();
    let kept = |text: &str| text[..text.find("[secret.gamma]").unwrap()].to_owned();
    assert_eq!(kept(&desk.text()), kept(&after));
    assert!(desk.text().ends_with("\n\n# the end\n\n"), "{}", desk.text());
    assert_eq!((desk.value("gamma").as_str(), desk.value("zulu").as_str()), ("another", "new"));
}

#[test]
fn saving_an_unchanged_store_writes_nothing() {
    let desk = Desk::holding(&["alpha"]);
    let odd = desk.text().replace("kind = \"hex\"", "kind   =   'hex' # odd");
    desk.write(&odd);
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o444)).unwrap();
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&desk.path());
    desk.load().save().unwrap();
    assert_eq!((desk.text(), inode(&desk.path())), (odd, before));
}

#[test]
fn a_new_secret_adds_one_block_in_the_order_of_names() {
    let desk = Desk::holding(&["beta", "alpha", "delta"]);
    let before = desk.text();
    let mut store = desk.load();
    set(&mut store, "charlie", "x");
    store.save().unwrap();

    assert_eq!(desk.load().names().collect::<Vec<_>>(), ["alpha", "beta", "charlie", "delta"]);
    assert_eq!(lines_without(&before, &desk.text()), Vec::<&str>::new());

    let mut store = desk.load();
    store.remove("charlie").unwrap();
    store.save().unwrap();
    assert_eq!(desk.text(), before, "removing it again gives the file as it was");
}

#[test]
fn two_branches_that_add_different_secrets_merge_line_by_line() {
    let desk = Desk::holding(&["alpha", "kilo", "zulu"]);
    let base = desk.text();
    let branch = |name: &str| {
        desk.write(&base);
        let mut store = desk.load();
        set(&mut store, name, name);
        store.save().unwrap();
        desk.text()
    };
    let (ours, theirs) = (branch("bravo"), branch("lima"));
    // Both additions are one run of lines in different places: what a merge puts together.
    let kilo = ours.find("\n[secret.kilo]").unwrap();
    let tail = theirs.find("\n[secret.kilo]").unwrap();
    desk.write(&format!("{}{}", &ours[..kilo], &theirs[tail..]));
    assert_eq!(desk.load().names().collect::<Vec<_>>(), ["alpha", "bravo", "kilo", "lima", "zulu"]);
    assert_eq!((desk.value("bravo"), desk.value("lima")), ("bravo".into(), "lima".into()));
}

#[test]
fn of_two_editors_at_once_the_second_is_told_and_nothing_is_lost() {
    let desk = Desk::holding(&["alpha"]);
    let (mut first, mut second) = (desk.load(), desk.load());
    set(&mut first, "by_first", "1");
    set(&mut second, "by_second", "2");
    first.save().unwrap();
    let error = second.save().unwrap_err();
    assert!(matches!(error, SecretsError::ChangedMeanwhile { .. }), "{error}");
    assert!(error.hint().unwrap().contains("run the command again"));
    assert_eq!(desk.value("by_first"), "1");

    let mut again = desk.load();
    set(&mut again, "by_second", "2");
    again.save().unwrap();
    assert_eq!(desk.load().names().collect::<Vec<_>>(), ["alpha", "by_first", "by_second"]);
}

#[test]
fn a_store_is_saved_any_number_of_times() {
    let desk = Desk::new();
    let mut store = desk.load();
    for name in ["one", "two", "three"] {
        set(&mut store, name, name);
        store.save().unwrap();
    }
    assert_eq!(desk.load().names().count(), 3);
}

#[test]
fn a_wrong_identity_is_told_whom_to_ask() {
    let desk = Desk::holding(&["alpha", "beta"]);
    let stranger = somebody();
    let error = desk.load().decrypt("alpha", &stranger).unwrap_err();
    let command = format!("ipai secrets recipients add {}", stranger.recipients()[0]);
    assert!(error.hint().unwrap().contains(&command));
    let error = error.to_string();
    assert!(error.contains("none of your identities (1 from a new key) opens"), "{error}");
    assert!(error.contains(&desk.identities.recipients()[0]), "{error}");

    let errors = desk.load().decrypt_all(&stranger).unwrap_err();
    assert_eq!(errors.len(), 1, "said once, not for every secret: {errors:?}");

    let error = desk.load().decrypt("alpha", &Identities::default()).unwrap_err();
    assert!(matches!(error, SecretsError::NoIdentity { .. }), "{error}");
}

#[test]
fn all_secrets_are_decrypted_side_by_side() {
    let desk = Desk::new();
    let mut store = desk.load();
    for index in 0..70 {
        set(&mut store, &format!("secret_{index:02}"), &format!("value {index}"));
    }
    let secrets = store.decrypt_all(&desk.identities).unwrap();
    assert_eq!(secrets.len(), 70);
    assert_eq!(secrets["secret_69"].expose(), "value 69");
}

#[test]
fn recipients_come_and_go_and_every_value_follows() {
    let desk = Desk::holding(&["alpha", "beta"]);
    let colleague = somebody();
    let both = [desk.identities.recipients(), colleague.recipients()].concat();

    let mut store = desk.load();
    let change = store.set_recipients(&both, &desk.identities).unwrap();
    assert_eq!(change.added, colleague.recipients());
    assert_eq!((change.resealed, change.still_opens), (3, true));
    store.save().unwrap();
    assert_eq!(desk.load().decrypt("beta", &colleague).unwrap().expose(), "value of beta");
    assert_eq!(desk.value("beta"), "value of beta");

    let mut store = desk.load();
    let change = store.set_recipients(&colleague.recipients(), &desk.identities).unwrap();
    assert_eq!(change.removed, desk.identities.recipients());
    assert!(!change.still_opens, "who removes themselves is told");
    store.save().unwrap();
    for name in ["alpha", "beta"] {
        desk.load().decrypt(name, &desk.identities).unwrap_err();
        desk.load().decrypt(name, &colleague).unwrap();
    }
}

#[test]
fn setting_the_same_recipients_changes_nothing() {
    let desk = Desk::holding(&["alpha"]);
    let before = desk.text();
    let mut store = desk.load();
    let change = store.set_recipients(&desk.identities.recipients(), &desk.identities).unwrap();
    assert_eq!((change.added.len(), change.removed.len(), change.resealed), (0, 0, 0));
    store.save().unwrap();
    assert_eq!(desk.text(), before);
}

#[test]
fn a_change_of_recipients_that_cannot_read_a_value_changes_nothing() {
    let desk = Desk::holding(&["alpha"]);
    let mut store = desk.load();
    store.set_recipients(&somebody().recipients(), &somebody()).unwrap_err();
    store.set_recipients(&[], &desk.identities).unwrap_err();
    store.save().unwrap();
    assert_eq!(store.recipients().collect::<Vec<_>>(), desk.identities.recipients());
    assert_eq!(desk.value("alpha"), "value of alpha");
}

#[test]
fn a_recipient_struck_from_the_list_by_hand_is_noticed() {
    let desk = Desk::holding(&["alpha"]);
    let colleague = somebody();
    let mut store = desk.load();
    let both = [desk.identities.recipients(), colleague.recipients()].concat();
    store.set_recipients(&both, &desk.identities).unwrap();
    store.save().unwrap();
    assert_eq!(desk.load().stale().count(), 0);

    let line = format!("  \"{}\",\n", colleague.recipients()[0]);
    desk.write(&desk.text().replace(&line, ""));
    let mut store = desk.load();
    assert_eq!(store.stale().collect::<Vec<_>>(), ["alpha", "ipai_fingerprint_key"]);
    store.set_recipients(&desk.identities.recipients(), &desk.identities).unwrap();
    assert_eq!(store.stale().count(), 0);
    store.decrypt("alpha", &colleague).unwrap_err();
}

#[test]
fn recipients_keep_their_comments() {
    let desk = Desk::new();
    let (mine, colleague) = (desk.identities.recipients(), somebody().recipients());
    let named = format!("\"{}\", # laptop, \"blue\" one", mine[0]);
    desk.write(&desk.text().replace(&format!("\"{}\",", mine[0]), &named));
    let mut store = desk.load();
    let ssh =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN work key";
    let all = [mine, colleague, vec![ssh.to_owned()]].concat();
    store.set_recipients(&all, &desk.identities).unwrap();
    store.save().unwrap();
    assert!(desk.text().contains(&named), "{}", desk.text());
    assert!(desk.text().contains("isGN\", # work key\n"), "{}", desk.text());
    assert_eq!(desk.load().recipients().count(), 3);
}

#[test]
fn the_first_secret_brings_the_key_for_digests_and_it_stays() {
    let desk = Desk::new();
    let empty = Store::load(&desk.folder.path().join("none.toml")).unwrap();
    assert!(empty.fingerprint_key(&desk.identities).unwrap().is_none());

    // A store whose list of recipients was written by hand.
    desk.write(&format!("recipients = {:?}\n", desk.identities.recipients()));
    let mut store = desk.load();
    set(&mut store, "alpha", "a");
    let digest =
        |store: &Store| store.fingerprint_key(&desk.identities).unwrap().unwrap().digest(b"data");
    let before = digest(&store);
    set(&mut store, "beta", "b");
    assert_eq!(digest(&store), before);
    assert_eq!(store.names().collect::<Vec<_>>(), ["alpha", "beta"], "it is not among the names");
    assert!(!store.decrypt_all(&desk.identities).unwrap().contains_key("ipai_fingerprint_key"));

    let value = Secret::new("x".to_owned());
    let error = store.set("ipai_fingerprint_key", &value, None, &mut stream()).unwrap_err();
    assert!(matches!(error, SecretsError::Reserved { .. }), "{error}");
    assert!(matches!(store.remove("ipai_fingerprint_key"), Err(SecretsError::Reserved { .. })));
}

#[test]
fn a_missing_file_is_an_empty_store_that_asks_for_recipients() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::load(&folder.path().join("secrets.toml")).unwrap();
    assert_eq!(store.names().count(), 0);
    let value = Secret::new("x".to_owned());
    let error = store.set("alpha", &value, None, &mut stream()).unwrap_err();
    assert!(matches!(error, SecretsError::NoRecipients { .. }), "{error}");
    assert!(error.hint().unwrap().contains("ipai secrets init"));
}

#[test]
fn init_overwrites_no_store() {
    let desk = Desk::holding(&["alpha"]);
    let before = desk.text();
    let result = Store::init(&desk.path(), &somebody().recipients(), &mut stream());
    assert!(matches!(result, Err(SecretsError::Exists { .. })));
    assert_eq!(desk.text(), before);
}

#[test]
fn odd_names_and_empty_values_are_refused() {
    let desk = Desk::new();
    let mut store = desk.load();
    let value = Secret::new("x".to_owned());
    for name in ["", "Upper", "-a", "_a", "a.b", "a]\n", &"a".repeat(41)] {
        let error = store.set(name, &value, None, &mut stream()).unwrap_err();
        assert!(matches!(error, SecretsError::BadName { .. }), "{name}: {error}");
    }
    let empty = store.set("a", &Secret::default(), None, &mut stream());
    assert!(matches!(empty, Err(SecretsError::Empty { .. })));
    assert!(matches!(store.remove("a"), Err(SecretsError::NotFound { .. })));
    assert!(matches!(store.decrypt("a", &desk.identities), Err(SecretsError::NotFound { .. })));
}
