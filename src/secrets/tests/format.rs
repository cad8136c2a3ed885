//! Files that ipai did not write, or that something happened to.

use super::super::format::Document;
use super::*;

fn refusal(text: &str) -> String {
    let desk = Desk::new();
    desk.write(text);
    let error = Store::load(&desk.path()).unwrap_err().to_string();
    let folder = format!("{}/", desk.folder.path().display());
    error.replace(&folder, "")
}

#[test]
fn malformed_files_are_refused_with_the_line() {
    for (text, expected) in [
        ("recipients = [\n", "secrets.toml:1: unclosed array"),
        ("recipients = []\nrecipient = 1\n", "secrets.toml:2: unknown key `recipient`"),
        ("\n[secret.a]\nvalue = \"\"\nvlue = \"\"\n", "secrets.toml:4: unknown key `vlue`"),
        ("[secret.a]\nkind = \"hex\"\n", "secrets.toml:1: this secret has no `value`"),
        ("[secret.a]\nvalue = \"\"\nkind = \"magic\"\n", "secrets.toml:3: the kinds are"),
        ("[secret.a]\nvalue = 1\n", "secrets.toml:2: this is not a string"),
        ("[secret.A]\nvalue = \"\"\n", "secrets.toml:1: names are"),
        ("[secret]\na = { value = \"\" }\n", "secrets.toml:2: every secret is a table of its own"),
        ("secret = 1\n", "secrets.toml:1: every secret is a table"),
        ("recipients = \"age1\"\n", "secrets.toml:1: `recipients` is a list"),
        ("recipients = [\n  \"age1x\",\n]\n", "secrets.toml:2: cannot encrypt to `age1x`"),
    ] {
        let error = refusal(text);
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
}

#[test]
fn duplicate_names_are_refused_with_the_line_of_the_second() {
    let error = refusal("[secret.a]\nvalue = \"\"\n\n[secret.a]\nvalue = \"\"\n");
    assert!(error.starts_with("secrets.toml:4: duplicate key"), "{error}");
    let key = somebody().recipients().remove(0);
    let error = refusal(&format!("recipients = [\n\"{key}\",\n\"{key}\",\n]\n"));
    assert!(error.starts_with("secrets.toml:3: this recipient is listed twice"), "{error}");
}

#[test]
fn an_unresolved_merge_is_named_as_such() {
    let text = "recipients = []\n<<<<<<< HEAD\n[secret.a]\n=======\n[secret.b]\n>>>>>>> x\n";
    assert_eq!(refusal(text), "secrets.toml:2: an unresolved merge conflict");
}

#[test]
fn no_message_repeats_a_value_written_in_the_clear() {
    for text in [
        "[secret]\npassword = \"hunter2\"\n",
        "secret = \"hunter2\"\n",
        "[secret.a]\nvalue = \"hunter2\nkind = \"hex\"\n",
        "[secret.a]\nvalue = hunter2\n",
        "[secret.a]\nvalue = [\"hunter2\"]\n",
        "[secret.a]\nvalue = \"\"\nkind = \"hunter2\"\n",
        "recipients = [\"AGE-SECRET-KEY-1hunter2\"]\n",
    ] {
        let error = refusal(text);
        assert!(!error.contains("hunter2"), "{text}\n{error}");
    }
    // One that parses is refused when it is decrypted.
    let desk = Desk::new();
    desk.write("[secret.a]\nvalue = \"hunter2\"\n");
    let error = desk.load().decrypt("a", &desk.identities).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn text_cut_short_or_altered_anywhere_is_never_taken_for_a_value() {
    let desk = Desk::holding(&["alpha"]);
    let text = desk.text();
    let start = text.find("-----BEGIN").unwrap();
    let end = text.find("-----END AGE ENCRYPTED FILE-----").unwrap() + 32;
    let armored = &text[start..end];
    let refused = |altered: &str| {
        desk.write(&text.replace(armored, altered));
        let error = desk.load().decrypt("alpha", &desk.identities).unwrap_err();
        let told =
            matches!(error, SecretsError::Damaged { .. } | SecretsError::WrongIdentity { .. });
        assert!(told, "{altered}\n{error}");
    };
    for cut in 0..armored.len() {
        refused(&armored[..cut]);
    }
    for index in 0..armored.len() {
        let mut bytes = armored.as_bytes().to_vec();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        // The last letter before the padding carries bits that stand for nothing.
        if bytes[index..].starts_with(b"A=") || bytes[index..].starts_with(b"B=") {
            continue;
        }
        refused(std::str::from_utf8(&bytes).unwrap());
    }
}

#[test]
fn a_cut_secret_is_named_with_its_line_and_the_others_still_open() {
    let desk = Desk::holding(&["alpha", "beta"]);
    let text = desk.text();
    let beta = text.find("[secret.beta]").unwrap();
    let end = beta + text[beta..].find("-----END").unwrap();
    desk.write(&format!("{}{}", &text[..end - 20], &text[end..]));
    let errors = desk.load().decrypt_all(&desk.identities).unwrap_err();
    let line = text[..beta].lines().count() + 1;
    let expected = format!("secrets.toml:{line}: the encrypted text of secret `beta` is cut short");
    assert!(errors[0].to_string().contains(&expected), "{}", errors[0]);
    assert_eq!((errors.len(), desk.value("alpha").as_str()), (1, "value of alpha"));

    let mut store = desk.load();
    set(&mut store, "beta", "anew");
    store.save().unwrap();
    assert_eq!(desk.value("beta"), "anew");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let desk = Desk::new();
    let key: age::x25519::Recipient = desk.identities.recipients()[0].parse().unwrap();
    let armored = age::encrypt_and_armor(&key, b"\xff\xfe").unwrap();
    desk.write(&format!("[secret.a]\nvalue = \"\"\"\n{armored}\"\"\"\n"));
    let error = desk.load().decrypt("a", &desk.identities).unwrap_err();
    assert!(matches!(error, SecretsError::NotText { .. }), "{error}");
}

#[test]
fn a_file_without_a_last_line_end_is_continued_on_a_line_of_its_own() {
    let desk = Desk::holding(&["alpha"]);
    desk.write(desk.text().trim_end());
    let mut store = desk.load();
    set(&mut store, "zulu", "z");
    store.save().unwrap();
    assert_eq!(
        (desk.value("alpha").as_str(), desk.value("zulu").as_str()),
        ("value of alpha", "z")
    );
}

#[test]
fn comments_inside_a_block_survive_a_new_value() {
    let desk = Desk::holding(&["alpha"]);
    desk.write(&desk.text().replace("[secret.alpha]\n", "[secret.alpha]\n# rotate in May\n"));
    let mut store = desk.load();
    set(&mut store, "alpha", "new");
    store.save().unwrap();
    assert!(desk.text().contains("[secret.alpha]\n# rotate in May\nvalue = "), "{}", desk.text());
    assert_eq!(desk.value("alpha"), "new");
}

#[test]
fn every_text_that_is_taken_apart_is_put_together_the_same() {
    let desk = Desk::holding(&["alpha", "beta", "gamma"]);
    let whole = format!("{}\n# the end", desk.text().replace("\n\n", "\n\n# ünïcode\n"));
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let mut random = stream();
    let mut draw = |below: usize| {
        let mut bytes = [0; 3];
        random(&mut bytes);
        bytes.iter().fold(0, |sum, byte| sum * 31 + usize::from(*byte)) % below
    };
    let mut taken_apart = 0;
    for _ in 0..2000 {
        // Lines go missing, come twice and change places, as in a merge gone wrong.
        let mut shuffled = lines.clone();
        for _ in 0..draw(4) {
            let (from, to) = (draw(shuffled.len()), draw(shuffled.len()));
            match draw(3) {
                0 => drop(shuffled.remove(from)),
                1 => shuffled.insert(to, shuffled[from]),
                _ => shuffled.swap(from, to),
            }
        }
        let text = shuffled.concat();
        if let Ok(document) = Document::parse(&text) {
            assert_eq!(document.to_text(), text);
            taken_apart += 1;
        }
    }
    assert!(taken_apart > 100, "{taken_apart}");
}
