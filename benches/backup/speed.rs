//! A backup and a restore by hand, and by the program that lands on hosts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::MB;
use crate::data;
use crate::host::{Host, Took};
use crate::kept::Kept;
use crate::server::Server;

pub(crate) const PASSWORD: &str = "correct horse";
/// Each by turns; what else runs on the machine only ever adds, so the fastest of each are compared. `IPAI_BENCH_RUNS` is
/// how many; 3 without it.
fn runs() -> usize {
    std::env::var("IPAI_BENCH_RUNS").map_or(3, |text| text.parse().unwrap())
}

/// How much of the speed by hand must be left.
const LEAST: f64 = 0.8;
/// Every call of restic derives the repository's key, which takes most of a second by design. With less data than this,
/// in MB, that is most of what is measured, and the bound is on the speed beside it.
const ENOUGH: f64 = 1_500.0;

struct Bench {
    scratch: TempDir,
    server: Server,
    host: Host,
    megabytes: f64,
}

/// Measures and prints; tells whether the bound holds.
pub(crate) fn compare(kept: &Kept, programs: PathBuf, wanted: usize) -> bool {
    let bench = Bench {
        scratch: TempDir::new().unwrap(),
        server: Server::start(programs),
        host: Host::new(kept),
        megabytes: 0.0,
    };
    let bench = bench.fill(wanted * MB / 2);
    println!("{:<22}{:>22}{:>22}{:>8}", "", "by hand", "the program", "speed");
    let (mut by_hand, mut taken): (Vec<Duration>, Vec<Took>) = (Vec::new(), Vec::new());
    for _ in 0..runs() {
        by_hand.push(bench.backup_by_hand());
        taken.push(bench.take());
    }
    let id = taken.last().unwrap().backup();
    let mut sound = bench.row("backup", by_hand, taken);
    let (mut by_hand, mut restored): (Vec<Duration>, Vec<Took>) = (Vec::new(), Vec::new());
    for _ in 0..runs() {
        by_hand.push(bench.restore_by_hand());
        restored.push(bench.restore(&id));
    }
    sound &= bench.row("restore", by_hand, restored);
    println!(
        "claim: the program reaches {LEAST} of the speed by hand{}: {}",
        if bench.megabytes < ENOUGH { ", the repository's opening aside" } else { "" },
        if sound { "holds" } else { "BROKEN" }
    );
    sound
}

impl Bench {
    fn fill(mut self, half: usize) -> Self {
        data::files(&self.volume(), half);
        self.server.sql("postgres", "CREATE ROLE app LOGIN; CREATE DATABASE app_db OWNER app");
        self.server.sql("app_db", &data::sql(half));
        let dump = self.path("dump");
        self.dump(&dump);
        let bytes = usize::try_from(dump.metadata().unwrap().len()).unwrap() + half;
        self.megabytes = f64::from(u32::try_from(bytes / 1_000).unwrap()) / 1e3;
        fs::remove_file(dump).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn volume(&self) -> PathBuf {
        self.path("volume")
    }

    fn tool(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(name);
        self.server.environment(&mut command, &[]);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn restic(&self, repository: &Path, words: &[&str]) -> Command {
        let mut restic = self.tool("restic", words);
        restic.env("RESTIC_REPOSITORY", repository).env("RESTIC_PASSWORD", PASSWORD);
        restic.env("RESTIC_CACHE_DIR", self.path("cache"));
        restic
    }

    /// A repository is made once in its life, so not while the clock runs.
    fn fresh(&self, name: &str) -> PathBuf {
        let repository = self.path(name);
        let _ = fs::remove_dir_all(&repository);
        done(&mut self.restic(&repository, &["init"]));
        settle();
        repository
    }

    fn dump(&self, file: &Path) {
        let mut dump = self.tool("pg_dump", &["-Fc", "-Z0", "-d", "app_db"]);
        done(dump.stdout(File::create(file).unwrap()));
    }

    fn backup_by_hand(&self) -> Duration {
        let repository = self.fresh("by-hand");
        let begun = Instant::now();
        let dump = self.path("app_db.dump");
        self.dump(&dump);
        done(self.restic(&repository, &["backup"]).arg(&dump).arg(self.volume()));
        let took = begun.elapsed();
        fs::remove_file(dump).unwrap();
        took
    }

    fn take(&self) -> Took {
        let repository = self.fresh("by-program");
        self.host.run(&self.server, &self.volume(), &repository, &["take"])
    }

    /// With what is on its way to the disk written out at the end, as the program does before it lets go of what was
    /// there.
    fn restore_by_hand(&self) -> Duration {
        let target = self.path("restored");
        let _ = fs::remove_dir_all(&target);
        self.server.sql("postgres", "DROP DATABASE app_db");
        settle();
        let begun = Instant::now();
        let repository = self.path("by-hand");
        done(self.restic(&repository, &["restore", "latest", "--target"]).arg(&target));
        done(&mut self.tool("createdb", &["-O", "app", "-T", "template0", "app_db"]));
        let words = ["--exit-on-error", "--no-owner", "--role=app", "-d", "app_db"];
        let dump = target.join(self.path("app_db.dump").strip_prefix("/").unwrap());
        done(self.tool("pg_restore", &words).arg(dump));
        settle();
        let took = begun.elapsed();
        fs::remove_dir_all(target).unwrap();
        took
    }

    fn restore(&self, id: &str) -> Took {
        settle();
        let repository = self.path("by-program");
        self.host.run(&self.server, &self.volume(), &repository, &["restore", id])
    }

    /// Prints a line, and what the program's time went into; tells whether it is fast enough.
    fn row(&self, name: &str, mut by_hand: Vec<Duration>, mut took: Vec<Took>) -> bool {
        by_hand.sort_unstable();
        took.sort_unstable_by_key(|took| took.time);
        let shown = |time: Duration| {
            format!("{:.2} s {:>6.1} MB/s", time.as_secs_f64(), self.megabytes / time.as_secs_f64())
        };
        let (hand, program) = (by_hand[0], took[0].time);
        let speed = hand.as_secs_f64() / program.as_secs_f64();
        println!(
            "{:<22}{:>22}{:>22}{speed:>8.2}",
            format!("{name}, {:.0} MB", self.megabytes),
            shown(hand),
            shown(program)
        );
        let phases = took[0].phases.iter();
        let phases = phases.map(|(name, time)| format!("{name} {:.2} s", time.as_secs_f64()));
        println!("  of the program's: {}", phases.collect::<Vec<_>>().join(", "));
        let (open, calls) = (self.opening(), took[0].calls);
        let beside = hand.saturating_sub(open).as_secs_f64()
            / program.saturating_sub(open * calls).as_secs_f64();
        println!(
            "  restic opens the repository in {:.2} s: once by hand, {calls} times by the program; beside that the \
             speed is {beside:.2}",
            open.as_secs_f64()
        );
        LEAST <= if self.megabytes < ENOUGH { beside } else { speed }
    }

    /// What every call of restic takes, the fastest of a few.
    fn opening(&self) -> Duration {
        let repository = self.path("by-hand");
        let run = |_| {
            let begun = Instant::now();
            done(&mut self.restic(&repository, &["cat", "config"]));
            begun.elapsed()
        };
        (0..runs()).map(run).min().unwrap()
    }
}

impl Took {
    /// The id of the backup that was taken.
    fn backup(&self) -> String {
        let told = self.told.iter().find_map(|line| line.strip_prefix("@backup ")).unwrap();
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        told["id"].as_str().unwrap().to_owned()
    }
}

/// Nothing is left on its way to the disk.
fn settle() {
    done(&mut Command::new("sync"));
}

fn done(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
