//! Everything that can be shown is shown, in every form.

use ipai_core::plan::{SavedPlan, lint, moved};
use ipai_core::{Diagnostic, Plan, RemoteError, Sources};

use crate::report::{self, PlanFacts, PlanOptions, Style};

const STYLES: [Style; 2] = [Style::plain(), Style { colour: true, width: 60, verbose: true, folds: true }];

/// Tells whether this is one of about eight inputs, for what would make all of them slow; the same input gets the same answer.
#[must_use]
pub fn one_in_eight(bytes: &[u8]) -> bool {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)) % 8 == 0
}

/// Shows problems as text; `fully` in every form that there is.
pub fn report_problems(problems: &[Diagnostic], sources: &Sources, fully: bool) {
    for style in styles(fully) {
        harmless(&report::diagnostics(problems, sources, style), style);
    }
    if fully {
        let all = report::diagnostics_json(problems, sources);
        let _ = report::validation_json(&all, 1).to_string();
        let _ = report::annotations(problems, sources, "stacks/ops");
    }
}

/// Shows a remote failure as text and JSON.
pub fn report_remote(error: &RemoteError, fully: bool) {
    for style in styles(fully) {
        harmless(&report::remote_error(error, style), style);
    }
    let _ = report::remote_error_json(error, None).to_string();
}

/// Shows a plan; `fully` in every form that there is, and it is saved and read again.
pub fn report_plan(plan: &Plan, fully: bool) {
    for style in styles(fully) {
        harmless(&report::plan_text(plan, style, &PlanOptions::default()), style);
    }
    let (facts, sources) = (PlanFacts::default(), Sources::default());
    let mut json = Vec::new();
    let written = report::write_plan_json(&mut json, plan, &facts, &sources);
    assert!(written.is_ok() && serde_json::from_slice::<serde_json::Value>(&json).is_ok());
    if !fully {
        return;
    }
    report::plan_messages(plan, None).for_each(drop);
    let _ = lint(plan);
    let text = SavedPlan::new(plan.clone(), &[], "0.0.0").to_text();
    let again = SavedPlan::read(&text, Some(&plan.stack)).map(|saved| saved.plan);
    let again = again.unwrap_or_else(|problem| panic!("not read again: {problem:?}\n{text}"));
    assert_eq!(*plan, again, "another plan than was saved");
    assert_eq!(plan.fingerprint(), again.fingerprint());
    let lines = moved(plan, &again);
    assert!(lines.is_empty(), "moved without moving: {lines:?}");
}

fn styles(fully: bool) -> &'static [Style] {
    if fully { &STYLES } else { &STYLES[..1] }
}

/// Nothing from outside may steer a terminal.
fn harmless(text: &str, style: &Style) {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(style.colour || !text.contains(steers), "{text:?}");
}
