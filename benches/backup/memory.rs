//! What `ipai` itself takes while a backup goes through it, and what a rebuild's receipt says.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::MB;
use crate::data::Noise;
use crate::kept::Kept;

/// In MB of 10^6 bytes.
const MOST: f64 = 100.0;
/// How large the files are that make the backup.
const PIECE: usize = 64;

/// Measures and prints; tells whether the bound holds.
pub(crate) fn measure(kept: &Kept, wanted: usize) -> bool {
    rebuild(kept);
    let mut noise = Noise(0xd1b5_4a32_d192_ed03);
    let folder = kept.folder("app-data");
    for number in 0..wanted.div_ceil(PIECE) {
        let size = PIECE.min(wanted - number * PIECE);
        noise.bytes(&folder.join(format!("large-{number}")), size * MB);
    }
    let file = kept.world.scratch.path().join("export.tar.gz");
    let name = file.to_str().unwrap();
    println!("{:<22}{:>14}{:>12}{:>12}", "", "the file", "time", "ipai's peak");
    let mut sound = true;
    for words in [&["backup", "--export", name][..], &["restore", name, "--auto-approve"]] {
        let (peak, time) = peak(kept, words);
        let size = f64::from(u32::try_from(file.metadata().unwrap().len() / 1_000).unwrap()) / 1e3;
        println!(
            "{:<22}{size:>11.0} MB{:>10.1} s{peak:>9.1} MB",
            words[..words.len() - 1].join(" ").replace(name, "FILE"),
            time.as_secs_f64(),
        );
        sound &= peak < MOST;
    }
    println!("claim: ipai's peak is below {MOST} MB: {}", if sound { "holds" } else { "BROKEN" });
    sound
}

/// Runs the program; its largest resident set in MB, and how long it took.
fn peak(kept: &Kept, words: &[&str]) -> (f64, Duration) {
    let errors = kept.world.scratch.path().join("errors");
    let mut command = kept.world.command(words);
    command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0.0;
    let ended = loop {
        // The kernel keeps the highest; only what grows in the last moment would be missed.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kilobytes) = line.and_then(|line| line.split_whitespace().next()) {
            most = kilobytes.parse::<f64>().unwrap() * 1024.0 / 1e6;
        }
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(ended.success(), "{words:?}: {}", fs::read_to_string(errors).unwrap());
    assert!(most > 0.0, "nothing was seen of {words:?}");
    (most, begun.elapsed())
}

/// A rebuild on a simulated host, where a droplet boots at once and a service is well at once.
fn rebuild(kept: &Kept) {
    kept.run(&["backup"]).expect(0);
    kept.lose_droplet();
    let ran = kept.run(&["rebuild", "--auto-approve", "--json"]).expect(0);
    let receipt: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    let phases = receipt["phases"].as_array().unwrap().iter();
    let phases =
        phases.map(|phase| format!("{} {} s", phase["name"].as_str().unwrap(), phase["seconds"]));
    println!(
        "a simulated rebuild, as its receipt says: {} s ({})",
        receipt["recovery_time_seconds"],
        phases.collect::<Vec<_>>().join(", ")
    );
}
