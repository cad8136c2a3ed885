//! Which ports can be reached from where, as a person reads it and as JSON.

use ipai_core::exposure::{Exposed, Turn};
use serde_json::{Value as Json, json};

use super::page::{Ink, Page};
use super::{Style, one_line};

/// The ports by host; nothing when the plan changes none of them, unless everything is asked for.
#[must_use]
pub fn exposure_text(exposure: &[(Exposed, Turn)], style: &Style) -> String {
    if !style.verbose && exposure.iter().all(|(_, turn)| *turn == Turn::Stays) {
        return String::new();
    }
    let mut page = Page::new(style);
    let mut host = None;
    for (exposed, turn) in exposure {
        if host != Some(&exposed.host) {
            host = Some(&exposed.host);
            page.put("\n");
            page.paint(Ink::Strong, "Reachable:");
            writeln!(page, " {}", exposed.host);
        }
        let (ink, mark) = match turn {
            Turn::Stays => (Ink::Faint, " "),
            Turn::Opens => (Ink::Warning, "+"),
            Turn::Closes => (Ink::Faint, "-"),
        };
        let ports = format!("{} {}", exposed.protocol, ports(exposed));
        page.paint(ink, format_args!("  {mark} {ports:12}"));
        let service = exposed.service.as_deref().unwrap_or("the host itself");
        writeln!(page, " {:16} {}", one_line(service), one_line(&from(exposed)));
    }
    page.finish()
}

fn ports(exposed: &Exposed) -> String {
    match exposed.ports {
        None => "(chosen by Docker)".to_owned(),
        Some((low, high)) if low == high => low.to_string(),
        Some((low, high)) => format!("{low}-{high}"),
    }
}

fn from(exposed: &Exposed) -> String {
    match &exposed.from {
        None => "from everywhere: no firewall stands in front of this host".to_owned(),
        Some(none) if none.is_empty() => {
            "from nowhere: it is published, and the firewall lets nobody in".to_owned()
        }
        Some(sources) => format!("from {}", sources.join(" ")),
    }
}

/// The same for programs.
#[must_use]
pub fn exposure_json(exposure: &[(Exposed, Turn)]) -> Json {
    let one = |(exposed, turn): &(Exposed, Turn)| {
        let mut one = json!(exposed);
        one["change"] = json!(turn);
        one
    };
    exposure.iter().map(one).collect()
}
