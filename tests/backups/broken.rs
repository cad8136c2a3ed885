//! A restore of which one half fails while the other is still at work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::Ran;
use crate::kept::Kept;

/// The host's program as a job of it would be, with tools of these names before the host's own.
fn program(kept: &Kept, tools: &[(&str, &str)], words: &[&str]) -> Command {
    let folder = kept.world.scratch.path().join("tools");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in tools {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let host = kept.world.host();
    let mut command = Command::new("sh");
    command.env_clear().envs(host.environment("root")).current_dir(host.root());
    let path = host.environment("root").into_iter().find(|(name, _)| *name == "PATH").unwrap().1;
    let mut before = folder.into_os_string();
    before.push(":");
    before.push(&path);
    command.env("PATH", before).env("OWN_PATH", path);
    command.arg(kept.world.host_path("/opt/ipai/shop/backup/program")).args(words);
    command
}

fn run(kept: &Kept, tools: &[(&str, &str)], words: &[&str]) -> Ran {
    program(kept, tools, words).output().unwrap().into()
}

/// Loads no database.
const NO_LOAD: &str = r#"#!/bin/sh
PATH=$OWN_PATH
case $* in *--exit-on-error*) cat >/dev/null; echo 'pg_restore: error: no' >&2; exit 1 ;; esac
exec docker "$@"
"#;

/// Restores files as slowly as from far away, and writes all the while.
const SLOW_FILES: &str = r#"#!/bin/sh
PATH=$OWN_PATH
case $* in
  *restore*/backup/stage/*) exec restic "$@" ;;
  *restore*)
    for word; do target=$word; done
    mkdir -p "$target"
    n=0
    while [ "$n" -lt 600 ]; do n=$((n + 1)); echo >"$target/$n"; sleep 0.1; done ;;
esac
exec restic "$@"
"#;

/// Restores no files.
const NO_FILES: &str = r#"#!/bin/sh
PATH=$OWN_PATH
case $* in
  *restore*/backup/stage/*) exec restic "$@" ;;
  *restore*) echo 'Fatal: no space left' >&2; exit 1 ;;
esac
exec restic "$@"
"#;

/// Restores a dump with something added.
const OTHER_DUMP: &str = r#"#!/bin/sh
PATH=$OWN_PATH
restic "$@" || exit
case $* in
  *restore*app_db.dump*)
    for word; do target=$word; done
    find "$target" -name app_db.dump -exec sh -c 'echo more >>"$1"' sh {} \; ;;
esac
"#;

fn filled_twice() -> Kept {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    kept
}

fn is_untouched(kept: &Kept) {
    assert_eq!(kept.rows("app_db"), ["first", "second"]);
    assert_eq!(kept.file("app-data"), "second");
    kept.nothing_lies_beside();
    kept.everything_runs();
}

#[test]
fn a_database_that_cannot_be_loaded_ends_the_restore_of_files_at_once_and_nothing_is_left() {
    let kept = filled_twice();
    let begun = Instant::now();
    let words = ["restore", &kept.newest()];
    let ran = run(&kept, &[("docker", NO_LOAD), ("restic", SLOW_FILES)], &words);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    ran.expect(74).says("pg_restore of app_db failed").says("nothing was changed");
    is_untouched(&kept);
}

#[test]
fn files_that_cannot_be_restored_end_it_although_the_databases_were_loaded() {
    let kept = filled_twice();
    let ran = run(&kept, &[("restic", NO_FILES)], &["restore", &kept.newest()]);
    ran.expect(65).says("cannot be restored: Fatal: no space left").says("nothing was changed");
    is_untouched(&kept);
    kept.run(&["restore", "latest", "--auto-approve"]).expect(0);
    assert_eq!(kept.rows("app_db"), ["first"]);
}

#[test]
fn a_dump_that_is_not_what_was_written_is_refused_although_it_could_be_loaded() {
    let kept = filled_twice();
    let ran = run(&kept, &[("restic", OTHER_DUMP)], &["restore", &kept.newest()]);
    ran.expect(65).says("the dump of app_db is not what was written");
    is_untouched(&kept);
}

#[test]
fn when_the_program_alone_is_killed_what_works_on_files_ends_after_its_folder() {
    let kept = filled_twice();
    let slow = SLOW_FILES.replace("600", "20");
    let mut command = program(&kept, &[("restic", &slow)], &["restore", &kept.newest()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let state = |name: &str| kept.world.host_path(&format!("/var/lib/ipai/shop/backup/{name}"));
    wait("files do not begin", &|| state("files.pid").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    wait("somebody is left", &|| fs::File::open(state("lock")).unwrap().try_lock().is_ok());
    kept.run(&["restore", "latest", "--auto-approve"]).expect(0);
    assert_eq!(kept.rows("app_db"), ["first"]);
    kept.nothing_lies_beside();
}

/// Shows lines, and while they are on their way the job writes its last one and ends.
const ENDS_MEANWHILE: &str = r#"#!/bin/sh
PATH=$OWN_PATH
tail "$@"
cd "$IPAI_ROOT/var/lib/ipai/shop/backup" && [ ! -e job.rc ] && echo '@verified x' >>job.log && echo 0 >job.rc
:
"#;

#[test]
fn a_job_that_ends_while_its_lines_are_read_is_no_killed_one() {
    let kept = Kept::new();
    let state = kept.world.host_path("/var/lib/ipai/shop/backup");
    fs::create_dir_all(&state).unwrap();
    let mut gone = Command::new("true").spawn().unwrap();
    let pid = gone.id();
    gone.wait().unwrap();
    fs::write(state.join("job.pid"), format!("{pid}\n")).unwrap();
    fs::write(state.join("job.log"), "one\n").unwrap();
    let _ = fs::remove_file(state.join("job.rc"));
    let first = run(&kept, &[("tail", ENDS_MEANWHILE)], &["follow", "1"]).expect(0);
    assert_eq!(first.out, "one\n");
    // The tool stays where it is; as it has ended the job once, it only shows lines.
    let next = run(&kept, &[], &["follow", "2"]).expect(0);
    assert_eq!(next.out, "@verified x\n@ended 0\n");
    fs::remove_file(state.join("job.rc")).unwrap();
    let plain = "#!/bin/sh\nPATH=$OWN_PATH\nexec tail \"$@\"\n";
    let killed = run(&kept, &[("tail", plain)], &["follow", "3"]).expect(0);
    assert_eq!(killed.out, "@ended 137\n");
}
