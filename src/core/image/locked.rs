//! The lock file's text: one line for each image, in the order of their names.

use super::{ImageName, Locked, is_digest};
use crate::diagnostic::Diagnostic;
use crate::fields::{unknown_key, wrong_type};
use crate::tree::{self, Data, Table};

const HEAD: &str = "# What the tags of this stack's images mean: digests that the registries gave.\n\
                    # Written by `ipai images --lock`; commit it. Deployments use it, `ipai images --check` compares it.\n\n\
                    [images]\n";

/// What to do about a file that cannot be read.
const MEND: &str = "put the file back as it was, or delete it: ipai images --lock writes a new one";

/// Reads a lock file. Everything that is wrong with it comes back at once.
#[must_use]
pub fn read_lock(file: &str, text: &str) -> (Locked, Vec<Diagnostic>) {
    let (root, mut problems) = tree::parse(file, text);
    let mut locked = Locked::new();
    for (key, entry) in root.iter() {
        match &entry.node.data {
            Data::Table(table) if key == "images" => read_images(table, &mut locked, &mut problems),
            _ if key == "images" => problems.push(wrong_type(key, &entry.node, "a table")),
            _ => {
                problems.push(unknown_key(key, "The lock file", ["images"].into_iter(), &entry.key))
            }
        }
    }
    problems.iter_mut().for_each(|problem| problem.hint = Some(MEND.to_owned()));
    (locked, problems)
}

fn read_images(table: &Table, locked: &mut Locked, problems: &mut Vec<Diagnostic>) {
    for (name, entry) in table.iter() {
        let Data::Text(digest) = &entry.node.data else {
            problems.push(wrong_type(name, &entry.node, "a string"));
            continue;
        };
        if !ImageName::parse(name).is_ok_and(|image| image.name == *name) {
            let problem = Diagnostic::error("Not the name of an image with its tag");
            problems.push(problem.at(&entry.key));
        } else if !is_digest(digest) {
            let problem = Diagnostic::error("Not a digest")
                .detail("A digest is `sha256:` and 64 hex digits in lower case.");
            problems.push(problem.at(&entry.node.span));
        } else {
            locked.insert(name.clone(), digest.clone());
        }
    }
}

/// Writes a lock file.
#[must_use]
pub fn lock_text(locked: &Locked) -> String {
    // Neither names nor digests hold anything that TOML would want escaped.
    let lines = locked.iter().map(|(name, digest)| format!("\"{name}\" = \"{digest}\"\n"));
    std::iter::once(HEAD.to_owned()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(hex: &str) -> String {
        format!("sha256:{}", hex.repeat(64))
    }

    #[test]
    fn what_is_written_is_read_again_in_the_order_of_names() {
        let names = ["postgres:17", "caddy:2", "localhost:5000/x/y:1"];
        let locked: Locked = names.map(|name| (name.to_owned(), digest("a"))).into();
        let text = lock_text(&locked);
        assert_eq!(read_lock("images.lock.toml", &text), (locked, Vec::new()));
        let places = ["[images]", "caddy:2", "localhost", "postgres"].map(|word| text.find(word));
        assert!(places.is_sorted() && places[0].is_some(), "{text}");
        assert!(text.starts_with("# ") && text.contains("`ipai images --lock`"), "{text}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let text = format!(
            "x = 1\n[images]\n\"caddy:2\" = \"sha256:12\"\n\"caddy\" = \"{0}\"\n\"a:1\" = 3\n\"b:1\" = \"{1}\"\n\"c:1\" = \"{0}\"\n",
            digest("a"),
            digest("A")
        );
        let (locked, problems) = read_lock("images.lock.toml", &text);
        assert_eq!(locked.keys().collect::<Vec<_>>(), ["c:1"]);
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems.iter().all(|p| p.at.is_some() && p.hint.is_some()), "{problems:#?}");
    }

    #[test]
    fn a_conflict_of_two_branches_is_an_error_and_no_lock() {
        let text = "[images]\n<<<<<<< ours\n\"a:1\" = \"x\"\n=======\n>>>>>>> theirs\n";
        assert!(!read_lock("images.lock.toml", text).1.is_empty());
        assert!(read_lock("images.lock.toml", "").1.is_empty());
    }
}
