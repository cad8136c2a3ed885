//! A saved plan, as it lies on disk; and the same with its checksum put right, so that more than the checksum is tried.
#![no_main]

use ipai_core::plan::{Plan, SavedPlan};
use ipai_core::{Sources, StackId};
use ipai_fuzz::{one_in_eight, report_plan, report_problems};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let fully = one_in_eight(bytes);
    match SavedPlan::read(text, Some(&StackId::new("ops", None))) {
        Ok(saved) => report_plan(&saved.plan, fully),
        Err(problem) => report_problems(&[problem], &Sources::default(), fully),
    }
    let plan = serde_json::from_str::<serde_json::Value>(text).ok();
    let plan = plan.and_then(|mut json| json.get_mut("plan").map(serde_json::Value::take));
    if let Some(plan) = plan.and_then(|plan| serde_json::from_value::<Plan>(plan).ok()) {
        report_plan(&plan, fully);
    }
});
