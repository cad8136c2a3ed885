use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use ipai_core::hash::sha256_hex;

use super::*;
use crate::observe::answer::{Answer, Docker};

/// Runs a question with dash on a folder that plays the host's root, with a `docker` of the test's own.
fn ask(root: &Path, question: &Question, docker: &str) -> Answer {
    let bin = root.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("docker"), format!("#!/bin/sh\n{docker}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bin.join("docker"), mode).unwrap();
    let (script, stdin) = question.script();
    let mut child = Command::new("dash")
        .args(["-uc", &script])
        .env("IPAI_ROOT", root)
        .env("LC_ALL", "C")
        .env("ipai_d", root)
        .env("ipai_i", "1")
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Answer::read(&output.stdout).unwrap()
}

const HOSTILE: [&str; 7] = [
    "/a b",
    "/$(touch x)`y`",
    "/it's/\"q\"",
    "/-rf",
    "/dev-disk-by\\x2dlabel.swap",
    "/*",
    "/ü/.env",
];

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(&path[1..]);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn every_name_is_found_and_only_what_differs_is_fetched() {
    let root = tempfile::tempdir().unwrap();
    let mut question = Question { stack: Some("ops".into()), ..Question::default() };
    for (number, path) in HOSTILE.iter().enumerate() {
        write(root.path(), path, path);
        let wanted = if number % 2 == 0 { path } else { "something else" };
        question.shown.push(((*path).to_owned(), sha256_hex(wanted.as_bytes())));
    }
    question.hashed = vec!["/secret".into(), "/missing".into()];
    write(root.path(), "/secret", "hunter2");
    let answer = ask(root.path(), &question, "exit 127");
    assert_eq!(answer.stats.len(), HOSTILE.len() + 1);
    for path in HOSTILE {
        assert_eq!(answer.sums[path], sha256_hex(path.as_bytes()));
        assert_eq!(answer.stats[path].size, path.len() as u64);
    }
    assert_eq!(answer.sums["/secret"], sha256_hex(b"hunter2"));
    let fetched: Vec<&str> = answer.texts.keys().map(String::as_str).collect();
    assert_eq!(fetched, ["/$(touch x)`y`", "/*", "/-rf"]);
    assert_eq!(answer.texts["/-rf"], b"/-rf");
    assert_eq!(answer.docker, Docker::Absent);
    assert!(answer.manifest.is_none() && !answer.is_booting());
}

#[test]
fn links_folders_and_pipes_are_named_and_not_read() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("folder")).unwrap();
    symlink("/etc/passwd", root.path().join("link")).unwrap();
    assert!(Command::new("mkfifo").arg(root.path().join("pipe")).status().unwrap().success());
    let shown = ["/folder", "/link", "/pipe"].map(|path| (path.to_owned(), "0".repeat(64)));
    let answer = ask(root.path(), &Question { shown: shown.into(), ..Question::default() }, "");
    let kinds: Vec<&str> = answer.stats.values().map(crate::observe::answer::Stat::kind).collect();
    assert_eq!(kinds, ["a folder", "a symbolic link", "a special file"]);
    assert!(answer.sums.is_empty() && answer.texts.is_empty());
}

#[test]
fn a_long_file_is_cut_and_a_manifest_comes_whole() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "/long", &"x".repeat(MAX_TEXT * 2));
    write(root.path(), &manifest::place("ops"), "@end \n@boot e30=\n");
    fs::create_dir_all(root.path().join("run/cloud-init")).unwrap();
    let shown = vec![("/long".to_owned(), "0".repeat(64))];
    let question = Question { stack: Some("ops".into()), shown, ..Question::default() };
    let answer = ask(root.path(), &question, "exit 127");
    assert_eq!(answer.texts["/long"].len(), MAX_TEXT + 1);
    assert_eq!(answer.manifest.as_deref(), Some(&b"@end \n@boot e30=\n"[..]));
    assert!(answer.is_booting());
}

#[test]
fn docker_is_asked_once_for_all_containers_and_compose_per_project() {
    let root = tempfile::tempdir().unwrap();
    let docker = r#"
case "$1 $2" in
  "ps -aq") echo id1; echo id2 ;;
  "inspect --format") shift 3; for id; do echo "[\"$id\",\"/$id\",{\"Status\":\"running\"},{}]"; done ;;
  "compose -p") [ "$7" = - ] && echo "$3 $(cksum | cut -d' ' -f2) $5" ;;
esac"#;
    let asked = |project: &str, sensitive| Asked {
        project: project.into(),
        directory: "/d".into(),
        yaml: "it's: 'yaml'\n".into(),
        sensitive,
    };
    let projects = vec![asked("plain", false), asked("secret", true), asked("secret2", true)];
    let question = Question { stack: Some("ops".into()), projects, ..Question::default() };
    let (script, stdin) = question.script();
    assert_eq!(script.matches("yaml'\\''").count(), 1);
    assert_eq!(stdin, b"it's: 'yaml'\nit's: 'yaml'\n");
    let answer = ask(root.path(), &question, docker);
    assert_eq!(answer.containers().len(), 2);
    // Each got the whole text: 13 bytes.
    let folder = root.path().join("d");
    for (number, name) in ["plain", "secret", "secret2"].iter().enumerate() {
        let hashes = answer.hashes[&number].as_ref().unwrap();
        assert_eq!(hashes[*name], format!("13 {}", folder.display()));
    }
}

#[test]
fn an_engine_that_is_down_is_not_one_without_containers() {
    let root = tempfile::tempdir().unwrap();
    let question = Question { stack: Some("ops".into()), ..Question::default() };
    let answer = ask(root.path(), &question, "echo Cannot connect >&2; exit 1");
    assert_eq!(answer.docker, Docker::Down("Cannot connect\n".into()));
}
