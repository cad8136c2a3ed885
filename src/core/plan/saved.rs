//! A plan in a file: reviewed today, applied tomorrow, or refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, AttributeChange, Plan, Shown, Verb};
use crate::address::{Address, StackId};
use crate::diagnostic::Diagnostic;
use crate::exposure::{Exposed, Turn};
use crate::hash;

const FORMAT: &str = "ipai-plan";
/// Readers take every minor version of their major one.
const FORMAT_VERSION: &str = "1.1";
const CUT_SHORT: &str = "The plan file is damaged or cut short";

/// What a plan file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Always `ipai-plan`.
    pub format: String,
    /// Major and minor version of this format.
    pub format_version: String,
    /// Which ipai wrote it.
    pub ipai_version: String,
    /// The plan.
    pub plan: Plan,
    /// Which ports can be reached, and what the plan changes about that: for those who read the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposure: Vec<(Exposed, Turn)>,
    /// SHA-256 over everything above.
    pub checksum: String,
}

impl SavedPlan {
    /// Wraps a plan for saving.
    #[must_use]
    pub fn new(plan: Plan, exposure: &[(Exposed, Turn)], ipai_version: &str) -> Self {
        let mut saved = Self {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION.into(),
            ipai_version: ipai_version.into(),
            plan,
            exposure: exposure.to_vec(),
            checksum: String::new(),
        };
        saved.checksum = saved.sum();
        saved
    }

    fn sum(&self) -> String {
        let unsigned = Self { checksum: String::new(), ..self.clone() };
        hash::sha256_hex(serde_json::to_string(&unsigned).unwrap_or_default().as_bytes())
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a plan file. `stack` is the stack at hand, when there is one that it must belong to.
    ///
    /// # Errors
    /// The file is no plan, is damaged or edited, of another format version, or of another stack.
    pub fn read(text: &str, stack: Option<&StackId>) -> Result<Self, Diagnostic> {
        let again = "make a new one: ipai plan --out FILE";
        let header: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            let (summary, detail) = match error.is_eof() {
                true => (CUT_SHORT, format!("It ends in the middle: {error}.")),
                false => {
                    ("Not a plan file", format!("It is no JSON, as saved plans are: {error}."))
                }
            };
            Diagnostic::error(summary).detail(detail).hint(again)
        })?;
        if header.get("format").and_then(|f| f.as_str()) != Some(FORMAT) {
            return Err(Diagnostic::error("Not a plan file")
                .detail("It does not say that it is one.")
                .hint(again));
        }
        let version = header.get("format_version").and_then(|v| v.as_str()).unwrap_or_default();
        if version.split('.').next() != FORMAT_VERSION.split('.').next() {
            let detail = format!(
                "Its format is version {version:?}; this ipai reads version {FORMAT_VERSION}."
            );
            return Err(Diagnostic::error("The plan file is of another version")
                .detail(detail)
                .hint(again));
        }
        let saved: Self = serde_json::from_value(header)
            .map_err(|e| Diagnostic::error(CUT_SHORT).detail(e.to_string()).hint(again))?;
        if saved.sum() != saved.checksum {
            let detail =
                "Its checksum does not match: it was edited or damaged after it was saved.";
            return Err(Diagnostic::error("The plan file was changed").detail(detail).hint(again));
        }
        match stack {
            Some(stack) if *stack != saved.plan.stack => {
                let detail =
                    format!("It plans `{}`; the stack at hand is `{stack}`.", saved.plan.stack);
                Err(Diagnostic::error("The plan file is of another stack")
                    .detail(detail)
                    .hint("choose the stack with -C and --env"))
            }
            _ => Ok(saved),
        }
    }
}

/// What differs between the plan that was reviewed and the one that would be made now: a line for each address.
/// Empty when both do the same.
#[must_use]
pub fn moved(reviewed: &Plan, now: &Plan) -> Vec<String> {
    let (old, new) = (by_object(reviewed), by_object(now));
    let mut lines = Vec::new();
    for action in reviewed.effective() {
        let (address, planned) = (&action.address, in_words(action));
        match counterpart(action, &new, &old) {
            None => {
                lines.push(format!("{address}: planned to {planned}; now there is nothing to do"))
            }
            Some(other) if other != action => {
                lines.push(format!("{address}: planned to {planned}; now to {}", in_words(other)));
            }
            Some(_) => {}
        }
    }
    for action in now.effective() {
        if counterpart(action, &old, &new).is_none() {
            let (address, wanted) = (&action.address, in_words(action));
            lines.push(format!("{address}: not in the reviewed plan; now to {wanted}"));
        }
    }
    if lines.is_empty() && reviewed.fingerprint() != now.fingerprint() {
        lines.push("the conflicts with foreign objects are others now".to_owned());
    }
    lines
}

/// What an action does, and why, in a line: `update (ttl: 300 → 600; the stack was edited)`.
fn in_words(action: &Action) -> String {
    let verb = match action.verb {
        Verb::NoOp => "do nothing",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Replace => "replace",
        Verb::Delete => "delete",
        Verb::Adopt => "adopt",
        Verb::Forget => "forget",
    };
    let short = |value: &Shown| match value {
        Shown::Absent => "nothing".to_owned(),
        Shown::Value(json) => match (json.get("sha256"), json.get("size")) {
            // A content, of which no more than this is told.
            (Some(sum), Some(size)) => {
                let sum: String = sum.as_str().unwrap_or_default().chars().take(8).collect();
                format!("{size} bytes (sha256 {sum}…)")
            }
            _ => shortened(&json.to_string()),
        },
        Shown::Sensitive(_) => "(sensitive value)".to_owned(),
        Shown::Unknown => "(known after apply)".to_owned(),
    };
    let change =
        |c: &AttributeChange| format!("{}: {} → {}", c.name, short(&c.before), short(&c.after));
    let in_place = matches!(action.verb, Verb::Update | Verb::Replace);
    let mut parts: Vec<String> = action.changes.iter().filter(|_| in_place).map(change).collect();
    parts.push(action.reason.to_string());
    format!("{verb} ({})", parts.join("; "))
}

/// The most characters of one value.
const MOST: usize = 60;

/// What does not fit into a line is cut, and says so.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Effective actions by the object that they are about: an address can have several, where there are duplicates.
type ByObject<'a> = BTreeMap<(&'a Address, Option<&'a str>), &'a Action>;

fn by_object(plan: &Plan) -> ByObject<'_> {
    plan.effective().map(|action| (object(action), action)).collect()
}

fn object(action: &Action) -> (&Address, Option<&str>) {
    (&action.address, action.id.as_deref())
}

/// The other plan's action on the same object, or else one on the same address that has no counterpart of its own.
fn counterpart<'a>(
    action: &Action,
    others: &ByObject<'a>,
    own: &ByObject<'_>,
) -> Option<&'a Action> {
    let of_address = |other: &&'a Action| other.address == action.address;
    others.get(&object(action)).copied().or_else(|| {
        let from = others.range((&action.address, None)..).map(|(_, other)| *other);
        from.take_while(of_address).find(|other| !own.contains_key(&object(other)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> SavedPlan {
        let plan = Plan {
            stack: StackId::new("ops", None),
            actions: Vec::new(),
            conflicts: Vec::new(),
            notes: Vec::new(),
            foreign: Vec::new(),
            live_digest: "0123".into(),
            targets: Vec::new(),
        };
        SavedPlan::new(plan, &[], "0.1.0")
    }

    fn refused(text: &str) -> String {
        SavedPlan::read(text, Some(&StackId::new("ops", None))).unwrap_err().summary
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let stack = StackId::new("ops", None);
        assert_eq!(SavedPlan::read(&saved().to_text(), Some(&stack)).unwrap(), saved());
    }

    #[test]
    fn refuses_every_kind_of_wrong_file() {
        let text = saved().to_text();
        assert_eq!(refused(&text[..text.len() / 2]), "The plan file is damaged or cut short");
        assert_eq!(refused(""), "The plan file is damaged or cut short");
        assert_eq!(refused("hello"), "Not a plan file");
        assert_eq!(refused("{}"), "Not a plan file");
        assert_eq!(refused(&text.replace("0123", "4567")), "The plan file was changed");
        assert_eq!(
            refused(&text.replace("\"1.1\"", "\"2.0\"")),
            "The plan file is of another version"
        );
        let other = SavedPlan::read(&text, Some(&StackId::new("web", None))).unwrap_err();
        assert_eq!(other.summary, "The plan file is of another stack");
    }
}
