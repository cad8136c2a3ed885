//! How an apply ended: what stands, what failed, what was not tried, and what to do next.

use ipai_core::Address;
use ipai_core::plan::Summary;

use super::page::{Ink, Page};
use super::sections::{number, wrapped};
use super::{Style, remote};
use crate::apply::Report;

/// How many addresses are named when nobody asked for all.
const NAMED: usize = 20;

/// Writes the end of an apply, or of a destroy. `ipai` is how ipai is called for this stack.
#[must_use]
pub fn apply_summary(report: &Report, destroy: bool, style: &Style, ipai: &str) -> String {
    let mut page = Page::new(style);
    if report.is_complete() {
        page.paint(Ink::Add, complete(report.summary(), destroy));
        page.put("\n");
    } else {
        incomplete(&mut page, style, report, destroy, ipai);
    }
    if let Some(error) = &report.forgotten {
        page.paint(Ink::Warning, "warning");
        writeln!(page, ": {error}");
        page.put("  All changes were made. The hosts do not remember them, so a later drift may read as an edit.\n");
    }
    page.finish()
}

/// `Apply complete! Resources: 1 added, 2 changed, 0 destroyed.`: people and programs look for exactly this.
pub(super) fn complete(summary: Summary, destroy: bool) -> String {
    if destroy {
        return format!("Destroy complete! Resources: {} destroyed.", summary.destroy);
    }
    format!("Apply complete! Resources: {}.", counts(summary))
}

/// The same for an apply that did not reach its end.
pub(super) fn short_of_it(report: &Report, destroy: bool) -> String {
    let what = if destroy { "Destroy" } else { "Apply" };
    let (failed, skipped) = (report.failed.len(), report.skipped.len());
    let counts = counts(report.summary());
    format!("{what} incomplete! Resources: {counts}; {failed} failed, {skipped} not tried.")
}

fn counts(summary: Summary) -> String {
    let Summary { add, change, destroy } = summary;
    format!("{add} added, {change} changed, {destroy} destroyed")
}

fn incomplete(page: &mut Page, style: &Style, report: &Report, destroy: bool, ipai: &str) {
    for (address, error) in &report.failed {
        remote::write(page, Some(address), error);
        page.put("\n");
    }
    let done: Vec<&Address> = report.done.iter().map(|(address, _)| address).collect();
    names(page, style, "Done, and stands", &done);
    let undone: Vec<&Address> = report.undone.iter().collect();
    names(page, style, "Done, and undone again by the return", &undone);
    let lost = report.skipped.iter().filter(|(_, because)| because.is_some());
    let lost: Vec<&Address> = lost.map(|(address, _)| address).collect();
    names(page, style, "Not tried, because what they need was not done", &lost);
    let stopped = report.skipped.iter().filter(|(_, because)| because.is_none());
    let stopped: Vec<&Address> = stopped.map(|(address, _)| address).collect();
    names(page, style, "Not tried, because ipai was stopped", &stopped);
    page.paint(Ink::Error, short_of_it(report, destroy));
    let verb = if destroy { "destroy" } else { "apply" };
    if report.has_returned() {
        page.put("\nThe last release is served again.\n");
    } else {
        writeln!(page, "\nRun `{ipai} {verb}` again: it goes on from what stands.");
    }
}

fn names(page: &mut Page, style: &Style, title: &str, addresses: &[&Address]) {
    if addresses.is_empty() {
        return;
    }
    page.paint(Ink::Strong, title);
    writeln!(page, " ({}):", number(addresses.len(), "resource"));
    let limit = if style.verbose { usize::MAX } else { NAMED };
    wrapped(page, style, addresses.iter().take(limit).map(ToString::to_string));
    if addresses.len() > limit {
        writeln!(page, "      … {} more (-v names all)", addresses.len() - limit);
    }
    page.put("\n");
}

#[cfg(test)]
mod tests {
    use ipai_core::{Fault, RemoteError, Verb};

    use super::*;

    fn file(name: &str) -> Address {
        Address::new("host", "file", name)
    }

    #[test]
    fn a_complete_apply_is_one_well_known_line() {
        let done =
            vec![(file("a"), Verb::Create), (file("b"), Verb::Update), (file("c"), Verb::Update)];
        let report = Report { done, ..Report::default() };
        assert_eq!(
            apply_summary(&report, false, &Style::plain(), "ipai"),
            "Apply complete! Resources: 1 added, 2 changed, 0 destroyed.\n"
        );
        let report = Report { done: vec![(file("a"), Verb::Delete)], ..Report::default() };
        assert_eq!(
            apply_summary(&report, true, &Style::plain(), "ipai"),
            "Destroy complete! Resources: 1 destroyed.\n"
        );
    }

    #[test]
    fn an_incomplete_apply_says_what_stands_what_failed_and_how_to_go_on() {
        let droplet = Address::new("digitalocean", "droplet", "ops");
        let error = RemoteError::new(Fault::Refused, "create the droplet", "422: no such size")
            .hint("choose another");
        let report = Report {
            done: vec![(Address::new("cloudflare", "dns_record", "www"), Verb::Update)],
            failed: vec![(droplet.clone(), error)],
            skipped: vec![
                (file("a"), Some(droplet.clone())),
                (file("b"), Some(droplet)),
                (file("c"), None),
            ],
            ..Report::default()
        };
        let expected = "\
error: digitalocean.droplet.ops: cannot create the droplet: 422: no such size
  hint: choose another

Done, and stands (1 resource):
      cloudflare.dns_record.www

Not tried, because what they need was not done (2 resources):
      host.file.a, host.file.b

Not tried, because ipai was stopped (1 resource):
      host.file.c

Apply incomplete! Resources: 0 added, 1 changed, 0 destroyed; 1 failed, 3 not tried.
Run `ipai apply` again: it goes on from what stands.
";
        assert_eq!(apply_summary(&report, false, &Style::plain(), "ipai"), expected);
    }

    #[test]
    fn lost_memory_is_a_warning_and_no_failure() {
        let forgotten =
            Some(RemoteError::new(Fault::Unreachable, "write the manifest", "timed out"));
        let text = apply_summary(
            &Report { forgotten, ..Report::default() },
            false,
            &Style::plain(),
            "ipai",
        );
        assert!(text.starts_with("Apply complete!"), "{text}");
        assert!(text.contains("\nwarning: cannot write the manifest: timed out\n"), "{text}");
    }

    #[test]
    fn names_are_limited_unless_all_are_asked_for() {
        let skipped = (0..500).map(|n| (file(&format!("f{n}")), None)).collect();
        let report = Report { skipped, ..Report::default() };
        let brief = apply_summary(&report, false, &Style::plain(), "ipai");
        assert!(
            brief.lines().count() < 12 && brief.contains("… 480 more (-v names all)"),
            "{brief}"
        );
        let full =
            apply_summary(&report, false, &Style { verbose: true, ..Style::plain() }, "ipai");
        assert!(full.contains("host.file.f499"));
    }
}
