//! What a backup costs beside the tools that make it: pg_dump and restic by hand, and the same by the program that
//! `[backup]` lands on hosts, side by side in one run; and what `ipai` itself takes in memory while a backup streams
//! through it.
//!
//! `cargo bench --bench backup` fails when the landed program reaches less than 80 % of what is reached by hand, or when
//! `ipai` takes 100 MB. `IPAI_BENCH_MB` is how much is backed up, half of it rows and half of it files; 2048 without it.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "backup/data.rs"]
mod data;
#[path = "backup/host.rs"]
mod host;
#[path = "../tests/backups/kept.rs"]
#[allow(dead_code, reason = "its tests use the rest")]
mod kept;
#[path = "backup/memory.rs"]
mod memory;
#[path = "backup/server.rs"]
mod server;
#[path = "backup/speed.rs"]
mod speed;

use std::process::ExitCode;

use kept::Kept;

/// 10^6 bytes.
const MB: usize = 1_000_000;

fn main() -> ExitCode {
    let wanted = std::env::var("IPAI_BENCH_MB").map_or(2048, |text| text.parse().unwrap());
    let kept = Kept::new();
    kept.fill("first");
    let fast = match server::tools() {
        Ok(programs) => speed::compare(&kept, programs, wanted),
        Err(missing) => {
            println!("SKIPPED: a backup beside pg_dump and restic by hand: {missing}");
            // Where all is to be proven, nothing is left out silently.
            std::env::var_os("CI").is_none()
        }
    };
    let small = memory::measure(&kept, wanted);
    if fast && small { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
