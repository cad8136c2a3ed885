//! A stack's text, from the first byte to the plan on an empty world: TOML, overlay, templates, types, references, and
//! every problem shown. Parts are separated by a zero byte: the stack, its overlay, the text of each file that it names.
#![no_main]

use std::collections::BTreeMap;

use ipai_core::desired::Inputs;
use ipai_core::plan::{Options, Proposal, lint, propose};
use ipai_core::stack::{Stack, named_files, parse};
use ipai_core::{Diagnostic, DigestKey, LiveState, Secret, Sources, diagnostic};
use ipai_fuzz::{one_in_eight, report_plan, report_problems, types};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0');
    let main = parts.next().unwrap_or_default();
    let overlay = parts.next().filter(|overlay| !overlay.is_empty());
    let file = parts.next().unwrap_or("ssh-ed25519 AAAA a\n");
    let mut sources = Sources::default();
    let mut texts = vec![("stack.toml", main)];
    texts.extend(overlay.map(|text| ("stack.dev.toml", text)));
    for (name, text) in &texts {
        sources.add(name, text);
    }
    let environment = overlay.map(|_| "dev");
    let (stack, problems) = parse(&texts, environment, types());
    match stack {
        Some(stack) => go_on(&stack, problems, sources, file, one_in_eight(text.as_bytes())),
        None => report_problems(&problems, &sources, one_in_eight(text.as_bytes())),
    }
});

fn go_on(
    stack: &Stack,
    mut problems: Vec<Diagnostic>,
    mut sources: Sources,
    file: &str,
    fully: bool,
) {
    let files: BTreeMap<String, String> =
        named_files(stack).into_keys().map(|name| (name, file.to_owned())).collect();
    for (name, text) in &files {
        sources.add(name, text);
    }
    let proposal = plan(stack, &files);
    problems.extend(proposal.problems.clone());
    diagnostic::sort(&mut problems);
    report_problems(&problems, &sources, fully);
    if diagnostic::any_error(&problems) {
        return;
    }
    let findings = lint(&proposal.plan);
    assert!(findings.is_empty(), "not a sound plan: {findings:?}");
    report_plan(&proposal.plan, fully);
    if fully {
        assert_eq!(proposal.plan, plan(stack, &files).plan, "planned twice, planned differently");
    }
}

/// Plans on an empty world. Every other secret is known.
fn plan(stack: &Stack, files: &BTreeMap<String, String>) -> Proposal {
    let known = |(index, name): (usize, &String)| {
        let value = index.is_multiple_of(2).then(|| Secret::new(format!("p4ss-of-{name}")));
        (name.clone(), value)
    };
    let inputs = Inputs {
        stack,
        types: types(),
        files,
        secrets: &stack.secrets.keys().enumerate().map(known).collect(),
        outputs: &BTreeMap::new(),
        variables: &BTreeMap::new(),
        authorized_keys: &["ssh-ed25519 AAAA a".to_owned()],
        key: &DigestKey::new(vec![7; 32]),
        images: None,
        sandbox: false,
    };
    propose(&inputs, &LiveState::default(), &Options::default())
}
