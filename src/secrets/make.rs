//! Making secrets as a stack declares them, each after the one that it is made from.

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::Secret;
use ipai_core::stack::Generate;

use super::Entropy;
use super::error::SecretsError;
use super::generate::{Kind, bcrypt, generate, key_pair, password_of, public_key};
use super::store::Store;

/// How the stack's generated secrets are made, by name.
pub type Ways = BTreeMap<String, Generate>;

/// The secrets that are made from any of `names`, and from those in turn.
#[must_use]
pub fn dependants(ways: &Ways, names: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = names.clone();
    loop {
        let of = |how: &Generate| how.of().is_some_and(|of| all.contains(of));
        let more: Vec<String> = ways
            .iter()
            .filter(|(name, how)| !all.contains(*name) && of(how))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return all.difference(names).cloned().collect();
        }
        all.extend(more);
    }
}

/// Makes the named secrets and puts them into the store, which is not yet saved, and into `known`. What is not
/// generated is passed over.
///
/// # Errors
/// When one cannot be made: the secret it is made from is missing or unfit, or there is no randomness.
pub fn make(
    store: &mut Store,
    ways: &Ways,
    names: &BTreeSet<String>,
    known: &mut BTreeMap<String, Option<Secret>>,
    entropy: Entropy<'_>,
) -> Result<(), SecretsError> {
    let mut left: BTreeSet<&String> =
        names.iter().filter(|name| ways.contains_key(*name)).collect();
    while !left.is_empty() {
        let waits = |name: &String| ways[name].of().is_some_and(|of| left.contains(&of.to_owned()));
        let ready: Vec<&String> = left.iter().copied().filter(|name| !waits(name)).collect();
        if ready.is_empty() {
            let names: Vec<&str> = left.iter().map(|name| name.as_str()).collect();
            let problem =
                format!("each of these is made from another of them: {}", names.join(", "));
            return Err(SecretsError::CannotGenerate { problem });
        }
        for name in ready {
            left.remove(name);
            let (secret, kind) = one(name, &ways[name], known, entropy)?;
            store.set(name, &secret, Some(kind), entropy)?;
            known.insert(name.clone(), Some(secret));
        }
    }
    Ok(())
}

fn one(
    name: &str,
    how: &Generate,
    known: &BTreeMap<String, Option<Secret>>,
    entropy: Entropy<'_>,
) -> Result<(Secret, Kind), SecretsError> {
    let origin = |of: &str| {
        let found = known.get(of).and_then(Option::as_ref).filter(|s| !s.expose().is_empty());
        found.ok_or_else(|| SecretsError::CannotGenerate {
            problem: format!("`{name}` is made from `{of}`, which is missing"),
        })
    };
    Ok(match how {
        Generate::Password(length) => (generate(Kind::Password, *length, entropy)?, Kind::Password),
        Generate::PasswordOf { length, alphabet } => {
            (password_of(alphabet, *length, entropy)?, Kind::Password)
        }
        Generate::Hex(bytes) => (generate(Kind::Hex, bytes * 2, entropy)?, Kind::Hex),
        Generate::Bcrypt(of) => (bcrypt(origin(of)?, entropy)?, Kind::Bcrypt),
        Generate::KeyPair => (key_pair(name, entropy)?, Kind::KeyPair),
        Generate::PublicKey(of) => (public_key(origin(of)?)?, Kind::PublicKey),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::stream;
    use super::super::{Identities, bcrypt_matches, create_identity_file};
    use super::*;

    fn ways() -> Ways {
        let way = |name: &str, how| (name.to_owned(), how);
        [
            way("a_hash", Generate::Bcrypt("password".into())),
            way("password", Generate::Password(20)),
            way("pair", Generate::KeyPair),
            way("a_public", Generate::PublicKey("pair".into())),
            way("loop_one", Generate::Bcrypt("loop_two".into())),
            way("loop_two", Generate::Bcrypt("loop_one".into())),
        ]
        .into()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_made_from_others_comes_after_them_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let identity = folder.path().join("identity.txt");
        let recipient = create_identity_file(&identity).unwrap();
        let path = folder.path().join("secrets.toml");
        let mut store = Store::init(&path, &[recipient], &mut stream()).unwrap();
        let mut known = BTreeMap::new();
        let wanted = names(&["a_hash", "password", "pair", "a_public", "somebody_else_s"]);
        make(&mut store, &ways(), &wanted, &mut known, &mut stream()).unwrap();
        let text = std::fs::read_to_string(identity).unwrap();
        let identities = Identities::from_text(&text, "test").unwrap();
        let get = |name: &str| store.decrypt(name, &identities).unwrap();
        assert!(bcrypt_matches(&get("password"), &get("a_hash")));
        assert_eq!(public_key(&get("pair")).unwrap(), get("a_public"));
        assert_eq!(known.len(), 4);
        let circle =
            make(&mut store, &ways(), &names(&["loop_one", "loop_two"]), &mut known, &mut stream());
        assert!(circle.unwrap_err().to_string().contains("loop_one, loop_two"));
        let lone = make(&mut store, &ways(), &names(&["loop_one"]), &mut known, &mut stream());
        assert!(lone.unwrap_err().to_string().contains("`loop_two`, which is missing"));
    }

    #[test]
    fn dependants_follow_through_every_step() {
        let mut ways = ways();
        ways.insert("hash_of_hash".into(), Generate::Bcrypt("a_hash".into()));
        assert_eq!(dependants(&ways, &names(&["password"])), names(&["a_hash", "hash_of_hash"]));
        assert_eq!(dependants(&ways, &names(&["a_public"])), names(&[]));
    }
}
