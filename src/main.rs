//! The `ipai` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipai::edges::keep_memory_private();
    // A sandbox host's tools are links to this executable.
    if let Some(code) = ipai_simulator::tools::dispatch() {
        return code;
    }
    ExitCode::from(ipai::cli::run(std::env::args_os(), &ipai::edges::Edges::of_process()))
}
