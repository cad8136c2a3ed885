//! `ipai secrets generate` and `rotate`

use std::collections::{BTreeMap, BTreeSet};

use ipai_core::called::called;
use ipai_core::stack::SecretSource;
use ipai_core::{Diagnostic, Secret};

use super::{Opened, explain, prompt};
use crate::cli::{Outcome, Run, exit};

/// Makes what is missing, or those of the named that are.
pub(super) fn generate(run: &Run<'_>, names: &[String]) -> Outcome {
    let opened = Opened::open(run)?;
    let ways = opened.vault.ways();
    for name in names {
        if !ways.contains_key(name) {
            return Err(run.problem(not_generated(&opened, name)));
        }
    }
    let known = opened.vault.known().secrets;
    let wanted = |name: &&String| names.is_empty() || names.contains(name);
    let missing = |name: &&String| known.get(*name).is_none_or(Option::is_none);
    let make: BTreeSet<String> = ways.keys().filter(wanted).filter(missing).cloned().collect();
    if make.is_empty() {
        run.say("Nothing to make: every generated secret exists. `ipai secrets rotate NAME` makes a new one.");
        return Ok(exit::OK);
    }
    let dependants =
        opened.vault.renew(&make, &BTreeMap::new()).map_err(|error| explain(run, &error))?;
    run.say(&format!("Made {}.", list(make.iter().chain(&dependants))));
    Ok(exit::OK)
}

/// Gives secrets new values: generated ones are made anew, stored ones are asked for.
pub(super) fn rotate(run: &Run<'_>, names: &[String]) -> Outcome {
    let opened = Opened::open(run)?;
    let (mut made, mut given) = (BTreeSet::new(), BTreeMap::new());
    for name in names {
        match to_rotate(&opened, name).map_err(|problem| run.problem(problem))? {
            Rotation::Make => drop(made.insert(name.clone())),
            Rotation::Ask => drop(given.insert(name.clone(), Secret::default())),
        }
    }
    if given.len() > 1 {
        let problem = Diagnostic::error("One value at a time")
            .detail(format!("The new values of {} are for you to give.", list(given.keys())))
            .hint(format!("rotate each by itself: {}", called("secrets rotate NAME < FILE")));
        return Err(run.problem(problem));
    }
    for (name, value) in &mut given {
        *value = prompt::value(run, name)?;
        refuse_the_old(run, &opened, name, value)?;
    }
    let dependants = opened.vault.renew(&made, &given).map_err(|error| explain(run, &error))?;
    let all = made.iter().chain(given.keys()).chain(&dependants);
    run.say(&format!(
        "Rotated {1}. The hosts still have the old values:\n  {0} plan    # shows what the new ones touch\n  {0} apply",
        run.ipai(),
        list(all)
    ));
    Ok(exit::OK)
}

enum Rotation {
    Make,
    Ask,
}

fn to_rotate(opened: &Opened, name: &str) -> Result<Rotation, Diagnostic> {
    let Some(declaration) = opened.texts.stack.secrets.get(name) else {
        return Err(unknown(opened, name));
    };
    if let Some(why) = &declaration.permanent {
        return Err(Diagnostic::error("A permanent secret")
            .detail(format!("`{name}` is not rotated just so: {why}"))
            .hint(format!(
                "when all of that is taken care of: {}",
                called(&format!("secrets set {name} < FILE"))
            ))
            .at(&declaration.span));
    }
    match &declaration.source {
        SecretSource::Generate(how) => match how.of() {
            None => Ok(Rotation::Make),
            Some(of) => Err(Diagnostic::error("Made from another secret")
                .detail(format!("`{name}` follows `{of}`."))
                .hint(called(&format!("secrets rotate {of}")))
                .at(&declaration.span)),
        },
        SecretSource::Store => Ok(Rotation::Ask),
        SecretSource::Environment(_) | SecretSource::File(_) | SecretSource::Command(_) => {
            Err(Diagnostic::error("Not ipai's to rotate")
                .detail(format!("`{name}` comes {}.", super::describe_outside(&declaration.source)))
                .hint("change it there; the next plan shows what that touches")
                .at(&declaration.span))
        }
    }
}

fn refuse_the_old(
    run: &Run<'_>,
    opened: &Opened,
    name: &str,
    value: &Secret,
) -> Result<(), crate::cli::Failed> {
    if opened.vault.known().secrets.get(name) == Some(&Some(value.clone())) {
        let problem = Diagnostic::error("Not a new value")
            .detail(format!("`{name}` has this value already; nothing was changed."));
        return Err(run.problem(problem));
    }
    Ok(())
}

fn unknown(opened: &Opened, name: &str) -> Diagnostic {
    let names = opened.texts.stack.secrets.keys().map(String::as_str);
    let mut problem = Diagnostic::error("No such secret")
        .detail(format!("The stack declares no `[secret.{name}]`."));
    problem.hint =
        ipai_core::diagnostic::nearest(name, names).map(|near| format!("did you mean `{near}`?"));
    problem
}

fn not_generated(opened: &Opened, name: &str) -> Diagnostic {
    match opened.texts.stack.secrets.get(name) {
        None => unknown(opened, name),
        Some(declaration) => Diagnostic::error("Not a generated secret")
            .detail(format!("`{name}` has no `generate`."))
            .hint(called(&format!("secrets set {name} < FILE")))
            .at(&declaration.span),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}
