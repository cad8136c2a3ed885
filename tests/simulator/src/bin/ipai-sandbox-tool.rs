//! The tools of a sandbox host as an executable of their own, for this crate's tests. The `ipai`
//! binary plays the same role for `ipai --sandbox`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipai_simulator::tools::dispatch().unwrap_or_else(|| {
        eprintln!("ipai-sandbox-tool: runs only under a tool's name inside a sandbox host");
        ExitCode::from(2)
    })
}
