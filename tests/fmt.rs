//! `ipai fmt` changes white space and nothing else, and what is kept here is laid out by it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{Ran, copy_folder, ipai, repository};
use tempfile::TempDir;

const UGLY: &str = "[stack]\nname=\"web\"   \n[var]\nsize = 's-1'# small\n";
const LAID_OUT: &str = "[stack]\nname = \"web\"\n\n[var]\nsize = 's-1' # small\n";

/// Runs it where `folder` is the one at hand.
fn fmt(folder: &Path, arguments: &[&str]) -> Ran {
    ipai(folder).current_dir(folder).arg("fmt").args(arguments).output().unwrap().into()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

fn read(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

/// Every TOML file of the repository that git would keep.
fn kept(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && !["target", ".git", ".ipai"].iter().any(|skipped| name == *skipped) {
            kept(&path, found);
        } else if path.extension().is_some_and(|end| end == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn the_stack_that_ships_is_laid_out() {
    // A copy, so that a defect cannot change the repository.
    let scratch = TempDir::new().unwrap();
    copy_folder(&repository().join("stacks/ops"), &scratch.path().join("ops"));
    let command = ["-C", "ops", "fmt", "--check", "--diff"];
    let ran: Ran =
        ipai(scratch.path()).current_dir(scratch.path()).args(command).output().unwrap().into();
    assert_eq!(ran.expect(0).all(), "");
}

#[test]
fn a_new_stack_is_laid_out() {
    let scratch = TempDir::new().unwrap();
    let made: Ran = ipai(scratch.path())
        .args(["init", "web"])
        .current_dir(scratch.path())
        .output()
        .unwrap()
        .into();
    made.expect(0);
    assert_eq!(fmt(&scratch.path().join("web"), &["--check", "--diff"]).expect(0).all(), "");
}

#[test]
fn every_toml_here_says_the_same_afterwards_and_a_second_time_changes_nothing() {
    let (mut files, scratch) = (Vec::new(), TempDir::new().unwrap());
    kept(repository(), &mut files);
    assert!(files.len() > 10, "only {files:?}");
    for (number, file) in files.iter().enumerate() {
        let name = format!("{number}.toml");
        std::fs::copy(file, scratch.path().join(&name)).unwrap();
        fmt(scratch.path(), &[&name]).expect(0);
        assert_eq!(fmt(scratch.path(), &[&name]).expect(0).all(), "", "{}", file.display());
        let (before, after) = (std::fs::read_to_string(file).unwrap(), read(&scratch, &name));
        assert_eq!(before.parse::<toml::Table>(), after.parse::<toml::Table>());
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(bare(&before), bare(&after), "{}: comments and order", file.display());
    }
}

#[test]
fn a_stacks_files_are_laid_out_and_named_and_no_others() {
    let (other, overlay) = ("a=1\n", "[var]\na=1\n");
    let folder = folder(&[
        ("stack.toml", UGLY),
        ("stack.sandbox.toml", overlay),
        ("stack.staging.toml", LAID_OUT),
        ("other.toml", other),
    ]);
    assert_eq!(fmt(folder.path(), &[]).expect(0).all(), "stack.toml\nstack.sandbox.toml\n");
    assert_eq!(read(&folder, "stack.toml"), LAID_OUT);
    assert_eq!(read(&folder, "stack.sandbox.toml"), "[var]\na = 1\n");
    assert_eq!(read(&folder, "other.toml"), other);
    assert_eq!(fmt(folder.path(), &["other.toml", "./other.toml"]).expect(0).out, "other.toml\n");
    assert_eq!(read(&folder, "other.toml"), "a = 1\n");
}

#[test]
fn check_lists_what_would_change_and_changes_nothing() {
    let folder = folder(&[("stack.toml", UGLY)]);
    let ran = fmt(folder.path(), &["--check"]).expect(1).says("hint: ipai fmt");
    assert_eq!(ran.out, "stack.toml\n");
    assert_eq!(read(&folder, "stack.toml"), UGLY);
    fmt(folder.path(), &[]).expect(0);
    assert_eq!(fmt(folder.path(), &["--check"]).expect(0).all(), "");
}

#[test]
fn the_diff_is_what_changes_and_alone_on_standard_output() {
    let folder = folder(&[("stack.toml", UGLY)]);
    let shown = fmt(folder.path(), &["--check", "--diff"]).expect(1).out;
    assert!(
        shown.starts_with("--- old/stack.toml\n+++ new/stack.toml\n@@ -1,4 +1,5 @@\n"),
        "{shown}"
    );
    assert!(shown.contains("\n-name=\"web\"   \n+name = \"web\"\n+\n [var]\n"), "{shown}");
    assert_eq!(read(&folder, "stack.toml"), UGLY);
    assert_eq!(fmt(folder.path(), &["--diff"]).expect(0).all(), shown);
    assert_eq!(read(&folder, "stack.toml"), LAID_OUT);
}

#[test]
fn of_files_with_a_broken_one_none_is_written_and_all_mistakes_are_told() {
    let (broken, twice) = ("[var]\na = 1\nb = \n", "a = 1\na = 2\n");
    let files = [("stack.toml", UGLY), ("stack.a.toml", broken), ("stack.b.toml", twice)];
    let folder = folder(&files);
    let ran = fmt(folder.path(), &[]).expect(1).says("stack.a.toml:3:").says("stack.b.toml:2:");
    assert_eq!(ran.out, "");
    files.iter().for_each(|(name, text)| assert_eq!(read(&folder, name), *text));
    let github: Ran = ipai(folder.path())
        .arg("-C")
        .arg(folder.path())
        .arg("fmt")
        .env("GITHUB_ACTIONS", "true")
        .output()
        .unwrap()
        .into();
    github.expect(1).says(&format!("::error file={}/stack.a.toml,line=3", folder.path().display()));
}

#[test]
fn a_folder_without_a_stack_is_told_so() {
    let folder = TempDir::new().unwrap();
    fmt(folder.path(), &[]).expect(1).says("stack.toml cannot be read").says("hint: go to");
}

#[test]
fn mode_and_link_stay_and_nothing_else_is_left() {
    let folder = folder(&[("real.toml", UGLY)]);
    let real = folder.path().join("real.toml");
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
    symlink("real.toml", folder.path().join("stack.toml")).unwrap();
    fmt(folder.path(), &[]).expect(0);
    assert_eq!(read(&folder, "real.toml"), LAID_OUT);
    assert_eq!(std::fs::metadata(real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(folder.path().join("stack.toml").is_symlink());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
