//! SIGKILL in the midst of a backup, a restore and a rebuild, at every tool that the host's program runs, or at every
//! moment at which the world hears of ipai: then what a reboot does, and the same command again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ipai_simulator::{Fate, Watch};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::copy_folder;
use crate::gate;
use crate::kept::Kept;

/// How far apart the cells are that a quick run takes.
const STRIDE: u64 = 23;
/// The same when everything is asked for: tools come in groups, each of which is hit. `IPAI_KEPT_STRIDE=1` takes all.
const FULL_STRIDE: u64 = 5;
/// Tools whose effects the program's own care is about.
const TOOLS: [&str; 8] = ["docker", "restic", "mv", "rm", "cp", "mkdir", "sync", "cat"];

/// Counts the tools that a program runs, some side by side, and kills all of it before or after one of them.
const TRAP: &str = r#"#!/bin/sh
PATH=$TRAP_PATH
export PATH
exec 8>"$TRAP/lock"
flock 8
read -r n <"$TRAP/count"
n=$((n + 1))
echo "$n" >"$TRAP/count"
exec 8>&-
if [ "$n" = "$TRAP_AT" ]; then
  [ "$TRAP_WHEN" = before ] || TOOL "$@"
  kill -KILL -- "-$TRAP_GROUP"
fi
exec TOOL "$@"
"#;

/// The program on the host, called as a job of it would be.
struct Program<'a> {
    kept: &'a Kept,
    traps: PathBuf,
}

impl<'a> Program<'a> {
    fn new(kept: &'a Kept) -> Self {
        let traps = kept.world.scratch.path().join("traps");
        fs::create_dir_all(&traps).unwrap();
        for tool in TOOLS {
            let path = traps.join(tool);
            fs::write(&path, TRAP.replace("TOOL", tool)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { kept, traps }
    }

    fn command(&self, words: &[&str]) -> Command {
        let host = self.kept.world.host();
        let mut command = Command::new("sh");
        command.env_clear().envs(host.environment("root")).current_dir(host.root());
        command.arg(self.kept.world.host_path("/opt/ipai/shop/backup/program")).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs it to its end, or to tool number `at`; gives how many tools it ran.
    fn run(&self, words: &[&str], at: u64, when: &str) -> u64 {
        let host = self.kept.world.host();
        let path =
            host.environment("root").into_iter().find(|(name, _)| *name == "PATH").unwrap().1;
        fs::write(self.traps.join("count"), "0").unwrap();
        let mut command = self.command(words);
        let mut own = self.traps.clone().into_os_string();
        own.push(":");
        own.push(&path);
        command.env("PATH", own).env("TRAP", &self.traps).env("TRAP_PATH", path);
        command.env("TRAP_AT", at.to_string()).env("TRAP_WHEN", when).process_group(0);
        // The group is the shell's own: it names itself before it becomes the program.
        let program = self.kept.world.host_path("/opt/ipai/shop/backup/program");
        let mut shell = Command::new("sh");
        shell.env_clear().current_dir(host.root()).process_group(0);
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
            .args(["-c", "TRAP_GROUP=$$; export TRAP_GROUP; exec sh \"$0\" \"$@\""])
            .arg(program)
            .args(words);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = shell.status().unwrap();
        self.until_all_ended();
        fs::read_to_string(self.traps.join("count")).unwrap().trim().parse().unwrap()
    }

    /// Whoever was killed with the shell may still be on the way out; a reboot leaves nobody.
    fn until_all_ended(&self) {
        let lock = self.kept.world.host_path("/var/lib/ipai/shop/backup/lock");
        let free = || fs::File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok());
        let begun = Instant::now();
        while lock.exists() && !free() {
            assert!(begun.elapsed().as_secs() < 10, "somebody survived and holds the lock");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn well(&self, words: &[&str]) -> bool {
        self.command(words).status().unwrap().success()
    }
}

/// A host and its repository as they were, to be put back again and again.
struct Before {
    host: PathBuf,
    saved: PathBuf,
}

impl Before {
    fn of(kept: &Kept) -> Self {
        let cloud = kept.world.scratch.path().join("cloud");
        let before = Self { host: cloud, saved: kept.world.scratch.path().join("saved") };
        before.copy(&before.host, &before.saved);
        before
    }

    fn copy(&self, from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for part in ["hosts", "objects"] {
            let _ = fs::remove_dir_all(to.join(part));
            let copied =
                Command::new("cp").arg("-a").arg(from.join(part)).arg(to.join(part)).status();
            if !copied.is_ok_and(|status| status.success()) {
                copy_folder(&from.join(part), &to.join(part));
            }
        }
    }

    fn put_back(&self) {
        self.copy(&self.saved, &self.host);
    }
}

/// Which state all of the data is in, if it is one: `first`, or what was there when the restore began.
fn state(kept: &Kept) -> Result<&'static str, String> {
    let rows: Vec<Vec<String>> = ["app_db", "notes_db"].map(|db| kept.rows(db)).into();
    let files: Vec<String> =
        ["app-data", "notes-data", "proxy-data"].map(|volume| kept.file(volume)).into();
    let upload =
        fs::read_to_string(kept.world.host_path("/opt/ipai/shop/uploads/file")).unwrap_or_default();
    let all_are = |text: &str, count: usize| {
        rows.iter().all(|rows| rows.len() == count)
            && files.iter().all(|file| file == text)
            && upload == text
    };
    match (all_are("first", 1), all_are("second", 2)) {
        (true, _) => Ok("first"),
        (_, true) => Ok("second"),
        _ => Err(format!("a mixture: {rows:?} {files:?} {upload}")),
    }
}

/// The state that a command leads to.
fn wanted(words: &[&str]) -> &'static str {
    if words[0] == "take" { "second" } else { "first" }
}

/// One kill at one tool; what is wrong afterwards.
fn cell(
    program: &Program<'_>,
    before: &Before,
    words: &[&str],
    at: u64,
    when: &str,
) -> Option<String> {
    before.put_back();
    let kept = program.kept;
    program.run(words, at, when);
    // As after a reboot.
    if !program.well(&["resume"]) {
        return Some("what a reboot does failed".to_owned());
    }
    let mut wrong = state(kept).err();
    if !kept.is_running() {
        wrong = wrong.or(Some("not everything runs after a reboot".to_owned()));
    }
    if !program.well(words) {
        return Some("the same command again failed".to_owned());
    }
    if state(kept) != Ok(wanted(words)) {
        wrong = wrong.or(Some(format!("the same command again led to {:?}", state(kept))));
    }
    if !kept.is_running() || !kept.is_clean() {
        wrong = wrong.or(Some("something is left behind, or does not run".to_owned()));
    }
    wrong
}

fn matrix(name: &str, words: &[&str]) {
    let began = Instant::now();
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    let program = Program::new(&kept);
    let before = Before::of(&kept);
    let id = kept.newest();
    let words: Vec<&str> =
        words.iter().map(|word| if *word == "ID" { id.as_str() } else { word }).collect();
    let tools = program.run(&words, 0, "never");
    assert!(tools > 20, "{tools}");
    // Cells would be missing if the run that counts the tools had not come to its end.
    assert_eq!(state(&kept), Ok(wanted(&words)), "undisturbed");
    let only = std::env::var("IPAI_KEPT_ONLY").ok();
    let named = std::env::var("IPAI_KEPT_STRIDE").ok().and_then(|text| text.parse().ok());
    let usual = if gate::is_full() { FULL_STRIDE } else { STRIDE };
    let stride = if only.is_some() { 1 } else { named.unwrap_or(usual) };
    let (mut count, mut failures) = (0, Vec::new());
    let cells: Vec<u64> = (1..=tools).step_by(usize::try_from(stride).unwrap()).collect();
    for at in if only.is_some() { cells } else { gate::shard(cells, 1) } {
        for when in ["before", "after"] {
            let label = format!("{name}:{at}:{when}");
            if only.as_ref().is_some_and(|only| *only != label) {
                continue;
            }
            count += 1;
            failures.extend(
                cell(&program, &before, &words, at, when).map(|why| format!("{label}: {why}")),
            );
        }
    }
    gate::print(
        1,
        &format!("SIGKILL to the host's {name}: tools: {tools}; N={count}"),
        failures.len(),
        began,
    );
    assert!(failures.is_empty(), "repeat one with IPAI_KEPT_ONLY=…:\n{}", failures.join("\n"));
}

#[test]
fn a_backup_killed_anywhere_leaves_the_services_running_and_only_whole_backups() {
    matrix("backup", &["take"]);
}

#[test]
fn a_restore_killed_anywhere_leaves_the_old_data_or_the_new_and_completes() {
    matrix("restore", &["restore", "ID"]);
}

#[test]
fn a_rebuild_killed_anywhere_completes_with_one_droplet() {
    let began = Instant::now();
    let moments = rebuild_until(None).0;
    assert!(moments > 20, "{moments}");
    let stride = if gate::is_full() { 9 } else { 97 };
    let (mut count, mut failures) = (0, Vec::new());
    for at in gate::shard((1..=moments).step_by(stride).collect(), 1) {
        count += 1;
        failures.extend(rebuild_until(Some(at)).1.map(|why| format!("{at}: {why}")));
    }
    gate::print(
        1,
        &format!("SIGKILL to a rebuild: moments: {moments}; N={count}"),
        failures.len(),
        began,
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Rebuilds in a world of its own, killed at a moment and then once more; how many moments there were, what is wrong.
fn rebuild_until(at: Option<u64>) -> (u64, Option<String>) {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.lose_droplet();
    let seen = Arc::new(AtomicU64::new(0));
    let prey: Arc<Mutex<Option<std::process::Child>>> = Arc::default();
    let watch: Watch = {
        let (seen, prey) = (Arc::clone(&seen), Arc::clone(&prey));
        Arc::new(move |_| {
            let number = seen.fetch_add(1, Ordering::SeqCst) + 1;
            if at == Some(number)
                && let Some(child) = prey.lock().unwrap().as_mut()
            {
                let _ = kill_process(Pid::from_child(child), Signal::KILL);
            }
            Fate::GoOn
        })
    };
    kept.world.cloud().watch(Some(Arc::clone(&watch)));
    kept.world.hosts.watch(Some(watch));
    {
        let mut held = prey.lock().unwrap();
        let mut command = kept.world.command(&["rebuild", "--auto-approve"]);
        *held = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }
    while prey.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kept.world.cloud().watch(None);
    kept.world.hosts.watch(None);
    let moments = seen.load(Ordering::SeqCst);
    let Some(_) = at else { return (moments, None) };
    // The lock of whoever was killed lapses by the world's clock.
    kept.world.cloud().pass(std::time::Duration::from_secs(120));
    let again = kept.run(&["rebuild", "--auto-approve", "--lock-timeout", "90s"]);
    let done = again.code == 0 || again.all().contains("exists and answers");
    if !done {
        return (moments, Some(again.all()));
    }
    kept.run(&["apply", "--auto-approve", "--lock-timeout", "90s"]);
    if kept.world.droplets().len() != 1 {
        return (moments, Some(format!("droplets: {:?}", kept.world.droplets())));
    }
    (moments, state(&kept).map_or_else(Some, |state| (state != "first").then(|| state.to_owned())))
}
