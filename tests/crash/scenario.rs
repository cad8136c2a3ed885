//! The four stories that are told with every kind of blow.

use std::collections::BTreeSet;
use std::path::Path;

use ipai_core::plan::Options;

/// What the run is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Everything is made.
    Fresh,
    /// Records, files, an image and the droplet's tags are edited.
    Update,
    /// The droplet moves to another region, which only a new one can.
    Replace,
    /// Everything goes.
    Destroy,
}

pub const ALL: [Scenario; 4] =
    [Scenario::Fresh, Scenario::Update, Scenario::Replace, Scenario::Destroy];

impl Scenario {
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Destroy => "destroy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        ALL.into_iter().find(|scenario| scenario.name() == text)
    }

    /// Tells whether it begins with a stack that is in place.
    pub fn begins_applied(self) -> bool {
        self != Self::Fresh
    }

    pub fn options(self) -> Options {
        let destroy = self == Self::Destroy;
        Options { replace: BTreeSet::new(), targets: BTreeSet::new(), destroy }
    }

    /// How many droplets it may ask for at most.
    pub fn droplets_made(self) -> u64 {
        match self {
            Self::Fresh | Self::Replace => 1,
            Self::Update | Self::Destroy => 0,
        }
    }

    /// How many droplets of ours are there afterwards.
    pub fn droplets_left(self) -> usize {
        usize::from(self != Self::Destroy)
    }

    /// Edits the stack's files as its user would before this run.
    pub fn edit(self, stack: &Path) {
        let edits: &[(&str, &str, &str)] = match self {
            Self::Fresh | Self::Destroy => &[],
            Self::Update => &[
                ("stack.toml", "greeting = \"hello\"", "greeting = \"good day\""),
                ("stack.toml", "v=spf1 -all", "v=spf1 mx -all"),
                ("stack.toml", "\"2001:db8::1\"", "\"2001:db8::2\""),
                (
                    "stack.toml",
                    "type = \"TXT\"\ncontent = \"first\"",
                    "type = \"A\"\ncontent = \"203.0.113.7\"",
                ),
                ("stack.toml", "name = \"alias\"", "name = \"other\""),
                ("stack.toml", "site/page00", "site/moved00"),
                ("stack.toml", "tags = [\"matrix\"]", "tags = [\"blue\", \"green\"]"),
                ("compose.yaml", "app:1.0.0", "app:1.1.0"),
            ],
            Self::Replace => &[("stack.toml", "region = \"fra1\"", "region = \"ams3\"")],
        };
        for (file, from, to) in edits {
            let path = stack.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} lacks {from}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
        }
    }
}
