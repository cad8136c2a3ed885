//! Cloudflare's API, version 4: zones, DNS records, and the token's own check.

mod batch;
mod bind;
mod check;
mod conflict;
mod draft;
mod envelope;
mod filter;
mod port;
pub(crate) mod records;
mod state;
mod token;
pub(crate) mod zones;

use crate::call::{Call, Reply};
use crate::clock::Time;
use crate::limit::Windows;
use crate::options::Limits;
use crate::route::{Route, route};
pub(crate) use envelope::{error, no_route};
pub(crate) use state::State;

/// What all paths begin with.
pub(crate) const PREFIX: &str = "/client/v4";

/// Every operation, fixed path segments before variable ones.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/user/tokens/verify", token::verify),
    route("GET", "/zones", zones::list),
    route("GET", "/zones/{zone_id}", zones::get),
    route("GET", "/zones/{zone_id}/dns_records", records::list),
    route("POST", "/zones/{zone_id}/dns_records", records::create),
    route("POST", "/zones/{zone_id}/dns_records/batch", batch::run),
    route("GET", "/zones/{zone_id}/dns_records/export", port::export),
    route("POST", "/zones/{zone_id}/dns_records/import", port::import),
    route("GET", "/zones/{zone_id}/dns_records/{dns_record_id}", records::get),
    route("PATCH", "/zones/{zone_id}/dns_records/{dns_record_id}", records::patch),
    route("PUT", "/zones/{zone_id}/dns_records/{dns_record_id}", records::put),
    route("DELETE", "/zones/{zone_id}/dns_records/{dns_record_id}", records::delete),
];

/// How long everything is blocked once the limit was passed, in seconds.
const BLOCK: u64 = 300;

/// Lets a call through when its token may do it. What a token lacks shows late: verifying says
/// `active` all the same, and the zone list is empty, not refused.
pub(crate) fn admit(call: &Call) -> Result<(), Reply> {
    let verifies = call.path == "/user/tokens/verify";
    let lists_zones = call.path == "/zones";
    if call.token.text().is_empty() || call.token.text().contains(char::is_whitespace) {
        return Err(envelope::malformed_token());
    }
    if call.token.begins("invalid") {
        return Err(match verifies {
            true => error(401, 1000, "Invalid API Token"),
            false => error(403, 10000, "Authentication error"),
        });
    }
    let lacks = call.token.begins("norights") && !verifies && !lists_zones
        || call.token.begins("readonly") && !call.reads();
    if lacks {
        return Err(error(403, 9109, "Unauthorized to access requested resource"));
    }
    Ok(())
}

/// Counts a call; gives the refusal, if it is one too many, and the headers that tell.
pub(crate) fn limit(
    windows: &mut Windows,
    limits: &Limits,
    token: &str,
    now: Time,
) -> (Option<Reply>, Vec<(String, String)>) {
    let now = now.seconds();
    let quota = limits.five_minutely;
    let verdict = windows.five_minutes.count(token, now, quota);
    if !verdict.allowed && windows.blocked_until <= now {
        windows.blocked_until = now + BLOCK;
    }
    let wait = windows.blocked_until.saturating_sub(now);
    let (left, time) = match wait {
        0 => (verdict.left, verdict.reset.saturating_sub(now)),
        wait => (0, wait),
    };
    let mut headers = vec![
        ("ratelimit".to_owned(), format!("\"default\";r={left};t={time}")),
        ("ratelimit-policy".to_owned(), format!("\"default\";q={quota};w=300")),
    ];
    if wait == 0 {
        return (None, headers);
    }
    headers.push(("retry-after".to_owned(), wait.to_string()));
    let text = format!(
        "More than {quota} requests per 300 seconds reached. \
         Please wait and consider throttling your request speed"
    );
    // No recording shows the code of this refusal; 10429 is what the vendor's examples use.
    (Some(error(429, 10429, &text)), headers)
}
