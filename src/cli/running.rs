//! The actions that run, each as a line at the end of the terminal, and how many of them there are.

use std::collections::BTreeMap;
use std::time::Duration;

use ipai_core::{Address, Event, Verb};

use crate::bars::{self, Line, Place};
use crate::report::{self, Style};

/// What is over sooner has no line: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(300);

/// What runs now. Without one, nothing is drawn.
pub(super) struct Running {
    style: Style,
    lines: BTreeMap<Address, (Verb, Line)>,
    total: Line,
    /// How many actions there will be, where that is known.
    wanted: Option<usize>,
    ended: usize,
}

impl Running {
    pub(super) fn new(style: Style, wanted: Option<usize>) -> Self {
        let total = bars::line(&report::running_total(0, wanted, 0), Place::Last, PATIENCE);
        Self { style, lines: BTreeMap::new(), total, wanted, ended: 0 }
    }

    /// Takes an event; tells whether a line says it, so that nothing has to be written.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        let drawn = match event {
            Event::Started { address, verb } => {
                let text = report::running_line(address, *verb, "", &self.style);
                let line = bars::line(&text, Place::Among, PATIENCE);
                self.lines.insert(address.clone(), (*verb, line));
                true
            }
            Event::Progress { address, text } => {
                let line = self.lines.get(address);
                if let Some((verb, line)) = line {
                    line.say(&report::running_line(address, *verb, text, &self.style));
                }
                line.is_some()
            }
            Event::Finished { address, .. }
            | Event::Failed { address, .. }
            | Event::Skipped { address, .. } => {
                self.lines.remove(address);
                self.ended += 1;
                false
            }
        };
        self.total.say(&report::running_total(self.ended, self.wanted, self.lines.len()));
        drawn
    }
}
