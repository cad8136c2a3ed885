//! What the fuzz targets have in common.

mod reported;
mod stage;
mod wire;

/// The program's reports, compiled from where they are: the rest of the program brings TLS and SSH servers that take
/// longer to build than fuzzing takes.
#[allow(dead_code, unreachable_pub, reason = "only some of it is called here")]
#[path = "../../../src"]
mod program {
    pub mod report;
    pub mod apply {
        mod outcome;
        pub use outcome::Report;
    }
    pub mod log {
        mod tally;
        pub use tally::{Row, Timings};
    }
}

pub use program::report;
pub use reported::{one_in_eight, report_plan, report_problems, report_remote};
pub use stage::{Stage, stage, types};
pub use wire::Wire;

use program::{apply, log};
