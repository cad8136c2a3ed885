//! What ipai itself takes to apply `stacks/ops` on a host that is prepared already.
//!
//! `cargo bench --bench overhead` brings the stack up in the embedded sandbox, whose Compose answers at once and whose
//! services are well at once, so that what is left of an apply's time is ipai's own: look, plan, push, deploy, check.
//! Prints each edit's fastest, median and slowest of five applies, beside a plan with nothing to do and the program's
//! start in the same run, and fails when a median reaches two seconds. The image is of a service without data, since one
//! with data is backed up first. `IPAI_BENCH_PROGRAM` is the program to measure instead of the one that is built with it.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 5;
const MOST: Duration = Duration::from_secs(2);

/// A file of the stack, and what is replaced in it by turns.
type Edit = (&'static str, &'static str, &'static str);

const EDITS: [(&str, &[Edit]); 3] = [
    ("a file", &[("stack.toml", "vm.swappiness = 10", "vm.swappiness = 11")]),
    ("an image's tag", &[("stack.toml", "caddy:2.11.4-alpine", "caddy:2.11.3-alpine")]),
    (
        "a file, a tag, a record",
        &[
            ("caddy/Caddyfile", "encode zstd gzip", "encode gzip"),
            ("stack.toml", "caddy:2.11.4-alpine", "caddy:2.11.3-alpine"),
            (
                "stack.toml",
                "name = \"chat.{{ var.domain }}\"\n",
                "name = \"chat.{{ var.domain }}\"\nttl = 300\n",
            ),
        ],
    ),
];

struct Bench {
    scratch: tempfile::TempDir,
}

impl Bench {
    fn stack(&self) -> PathBuf {
        self.scratch.path().join("ops")
    }

    /// Runs the program; how long it took.
    fn time(&self, words: &[&str]) -> Duration {
        let program = std::env::var_os("IPAI_BENCH_PROGRAM");
        let mut command =
            Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_ipai").into()));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.scratch.path()).arg("-C").arg(self.stack()).arg("--sandbox");
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let output = command.output().unwrap();
        let took = start.elapsed();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }

    fn edit(&self, edits: &[Edit], back: bool) {
        for (file, one, other) in edits {
            let (from, to) = if back { (other, one) } else { (one, other) };
            let path = self.stack().join(file);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} lacks {from}");
            fs::write(path, text.replacen(from, to, 1)).unwrap();
        }
    }
}

fn main() -> ExitCode {
    let bench = Bench { scratch: tempfile::tempdir().unwrap() };
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/ops"), &bench.stack());
    let first = bench.time(&["apply", "--auto-approve"]);
    println!("the first apply, with a droplet that boots: {:.2} s", first.as_secs_f64());
    println!(
        "{:<26}{:>10}{:>10}{:>10}{:>18}",
        "", "fastest", "median", "slowest", "of an empty plan"
    );
    let plan = row("nothing, a plan", &mut times(|_| bench.time(&["plan"])), None);
    row("nothing, --version", &mut times(|_| bench.time(&["version"])), Some(plan));
    let mut sound = true;
    for (name, edits) in EDITS {
        let mut found = times(|run| {
            bench.edit(edits, run % 2 == 1);
            bench.time(&["apply", "--auto-approve"])
        });
        bench.edit(edits, true);
        bench.time(&["apply", "--auto-approve"]);
        sound &= row(name, &mut found, Some(plan)) < MOST;
    }
    println!("{}", if sound { "hold: each median is below 2 s" } else { "a median reached 2 s" });
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn times(mut run: impl FnMut(usize) -> Duration) -> Vec<Duration> {
    (0..RUNS).map(&mut run).collect()
}

/// Prints one line and returns its median.
fn row(name: &str, times: &mut [Duration], plan: Option<Duration>) -> Duration {
    times.sort();
    let (fastest, median, slowest) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    let ratio = plan.map(|plan| format!("{:.2}", median.as_secs_f64() / plan.as_secs_f64()));
    let [fastest, shown, slowest] =
        [fastest, median, slowest].map(|time| format!("{:.3} s", time.as_secs_f64()));
    println!("{name:<26}{fastest:>10}{shown:>10}{slowest:>10}{:>18}", ratio.unwrap_or_default());
    median
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if !entry.file_type().unwrap().is_dir() {
            fs::copy(entry.path(), target).unwrap();
        } else if entry.file_name() != ".ipai" {
            copy(&entry.path(), &target);
        }
    }
}
