//! The line that each gate prints when it was passed, too.

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
