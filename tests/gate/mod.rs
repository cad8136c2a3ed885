//! What the gates share: the line that each prints when it was passed, too, and numbers from a seed.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::io::Write;
use std::time::Instant;

/// Prints what a gate found. `println!` is held back while a test passes; this is not.
pub fn print(number: u8, found: &str, failures: usize, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    let line = format!("\ngate {number}: {found}; {failures} failures, {seconds:.0} s\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Tells whether everything is asked for, and not only what is quick.
pub fn is_full() -> bool {
    is_set("IPAI_FULL")
}

/// Tells whether a variable is set to something.
pub fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// This run's part of the work: `IPAI_MATRIX_SHARD=0/4` takes the first quarter of it. So many in a row stay together.
pub fn shard<T>(jobs: Vec<T>, together: usize) -> Vec<T> {
    let Ok(text) = std::env::var("IPAI_MATRIX_SHARD") else { return jobs };
    let (number, of) = text.split_once('/').expect("NUMBER/OF");
    let (number, of): (usize, usize) =
        (number.parse().expect("a number"), of.parse().expect("a number"));
    let own = |(at, job)| (at / together % of == number % of).then_some(job);
    jobs.into_iter().enumerate().filter_map(own).collect()
}

/// Numbers from a seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below another.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// Tells, once in so many times, yes.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}
