//! How an apply ended, as a value that reports are written from.

use std::collections::BTreeMap;

use ipai_core::plan::Summary;
use ipai_core::{Address, Fault, Outputs, RemoteError, Verb};

/// How an apply ended.
#[derive(Debug, Default)]
pub struct Report {
    /// What was done.
    pub done: Vec<(Address, Verb)>,
    /// What failed, and why.
    pub failed: Vec<(Address, RemoteError)>,
    /// What was done, and undone when its home returned to what it served before.
    pub undone: Vec<Address>,
    /// What was not tried, and what it would have needed; nothing when the apply was stopped.
    pub skipped: Vec<(Address, Option<Address>)>,
    /// What resources produce now.
    pub outputs: BTreeMap<Address, Outputs>,
    /// What could not be written down after all else went well; costs nothing but the name of a later drift.
    pub forgotten: Option<RemoteError>,
}

impl Report {
    /// Tells whether everything was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }

    /// Tells whether deployments failed and every one of them left its host as it was before.
    #[must_use]
    pub fn has_returned(&self) -> bool {
        let returned = |(_, error): &(Address, RemoteError)| error.fault == Fault::Returned;
        !self.failed.is_empty() && self.failed.iter().all(returned)
    }

    /// Counts what was done.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.done.iter().for_each(|(_, verb)| summary.count(*verb));
        summary
    }
}
