//! Events as lines of a log, in the words that Terraform's users know.

use std::time::Duration;

use ipai_core::{Address, Event, Verb};

use super::page::{Ink, Page};
use super::{Moment, Style, one_line, verbs};

/// One line for one event, with its newline.
#[must_use]
pub fn event_line(event: &Event, moment: &Moment, style: &Style) -> String {
    let mut page = Page::new(style);
    let (ink, text) = match event {
        Event::Started { .. } | Event::Progress { .. } => (Ink::Strong, words(event, moment)),
        Event::Finished { .. } => (Ink::Add, words(event, moment)),
        Event::Failed { .. } => (Ink::Error, words(event, moment)),
        Event::Skipped { .. } => (Ink::Faint, words(event, moment)),
    };
    let (address, rest) = text.split_once(": ").unwrap_or((&text, ""));
    page.paint(ink, format_args!("{address}:"));
    writeln!(page, " {rest}");
    page.finish()
}

/// One line for an action that runs, without its newline. How long it has been running is shown beside it.
#[must_use]
pub fn running_line(address: &Address, verb: Verb, waits: &str, style: &Style) -> String {
    let mut page = Page::new(style);
    page.paint(Ink::Strong, format_args!("{address}:"));
    write!(page, " {}", verbs::doing(Some(verb)));
    if !waits.is_empty() {
        write!(page, " ({})", one_line(waits));
    }
    page.finish()
}

/// How many actions have ended, of how many where that is known, and how many run.
#[must_use]
pub fn running_total(ended: usize, wanted: Option<usize>, running: usize) -> String {
    match wanted {
        Some(wanted) => format!("{ended} of {wanted} done, {running} running"),
        None => format!("{ended} done, {running} running"),
    }
}

/// The event in words, on one line.
#[must_use]
pub fn words(event: &Event, moment: &Moment) -> String {
    let (doing, deed) = (verbs::doing(moment.verb), verbs::deed(moment.verb));
    let elapsed = duration(moment.elapsed);
    match event {
        Event::Started { address, .. } => format!("{address}: {doing}..."),
        Event::Progress { address, text } if moment.verb.is_none() => {
            format!("{address}: {}", one_line(text))
        }
        Event::Progress { address, text } => {
            let text =
                if text.is_empty() { String::new() } else { format!(" ({})", one_line(text)) };
            format!("{address}: Still {}... [{elapsed} elapsed]{text}", doing.to_lowercase())
        }
        Event::Finished { address, .. } => format!("{address}: {deed} complete after {elapsed}"),
        Event::Failed { address, error } => {
            // The whole of a long cause is told at the end, with the hint.
            let error = error.to_string();
            let first = error.lines().next().unwrap_or_default();
            format!("{address}: {deed} failed after {elapsed}: {}", one_line(first))
        }
        Event::Skipped { address, because } => {
            format!("{address}: Skipped: it needs {because}, which was not done")
        }
    }
}

/// `12s`, `1m4s`, `1h2m3s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::{Address, Fault, RemoteError, Verb};

    use super::*;

    fn line(event: &Event, verb: Option<Verb>, seconds: u64) -> String {
        event_line(event, &Moment { verb, elapsed: Duration::from_secs(seconds) }, &Style::plain())
    }

    fn address() -> Address {
        Address::new("digitalocean", "droplet", "ops")
    }

    #[test]
    fn begins_goes_on_and_ends() {
        let create = Some(Verb::Create);
        let started = Event::Started { address: address(), verb: Verb::Create };
        assert_eq!(line(&started, create, 0), "digitalocean.droplet.ops: Creating...\n");
        let waits = Event::Progress { address: address(), text: "waiting for the address".into() };
        assert_eq!(
            line(&waits, create, 10),
            "digitalocean.droplet.ops: Still creating... [10s elapsed] (waiting for the address)\n"
        );
        assert_eq!(line(&waits, None, 10), "digitalocean.droplet.ops: waiting for the address\n");
        let finished = Event::Finished { address: address(), verb: Verb::Create };
        assert_eq!(
            line(&finished, create, 64),
            "digitalocean.droplet.ops: Creation complete after 1m4s\n"
        );
        let finished = Event::Finished { address: address(), verb: Verb::Update };
        assert_eq!(
            line(&finished, Some(Verb::Update), 3723),
            "digitalocean.droplet.ops: Modifications complete after 1h2m3s\n"
        );
    }

    #[test]
    fn what_runs_says_what_it_waits_for_and_is_counted() {
        let text = |waits: &str| running_line(&address(), Verb::Create, waits, &Style::plain());
        assert_eq!(text(""), "digitalocean.droplet.ops: Creating");
        assert_eq!(text("SSH\nx"), "digitalocean.droplet.ops: Creating (SSH\\nx)");
        assert_eq!(running_total(3, Some(12), 2), "3 of 12 done, 2 running");
        assert_eq!(running_total(3, None, 0), "3 done, 0 running");
    }

    #[test]
    fn a_failure_is_one_line_however_long_its_cause() {
        let error = RemoteError::new(
            Fault::Refused,
            "create the droplet",
            "422: no such size\n<html>\u{1b}[2J",
        );
        let failed = Event::Failed { address: address(), error };
        assert_eq!(
            line(&failed, Some(Verb::Create), 1),
            "digitalocean.droplet.ops: Creation failed after 1s: cannot create the droplet: 422: no such size\n"
        );
        let skipped =
            Event::Skipped { address: Address::new("host", "file", "a"), because: address() };
        assert_eq!(
            line(&skipped, None, 0),
            "host.file.a: Skipped: it needs digitalocean.droplet.ops, which was not done\n"
        );
    }

    #[test]
    fn a_text_cannot_make_a_second_line() {
        let waits =
            Event::Progress { address: address(), text: "a\nApply complete!\u{1b}[1A".into() };
        assert_eq!(
            line(&waits, Some(Verb::Delete), 1),
            "digitalocean.droplet.ops: Still destroying... [1s elapsed] (a\\nApply complete!\\u{1b}[1A)\n"
        );
    }
}
