//! Whether Cloudflare can be used: token, zones, rights. Reads alone.

use std::collections::BTreeSet;

use cloudflare::endpoints::account::user::GetUserTokenStatus;
use ipai_core::checkup::{Finding, Probe, budget, clocks};
use ipai_core::{BoxFuture, Scope, Value};

use crate::PROVIDER;
use crate::connection::Connection;
use crate::elsewhere::{self, LeftBehind};
use crate::failure::RIGHTS;
use crate::pace::number;
use crate::patience::Teller;
use crate::reader::Reader;
use crate::wire::Zone;
use crate::zones;

/// Asks Cloudflare how things are, over calls that change nothing.
pub struct CloudflareProbe {
    reader: Reader,
}

impl CloudflareProbe {
    /// Prepares to ask; contacts nobody.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { reader: Reader::new(connection) }
    }

    async fn look(&self, scope: &Scope, now: i64) -> Vec<Finding> {
        let about = "Cloudflare token";
        let teller = Teller::nobody();
        let verified = self.reader.get(&GetUserTokenStatus {}, "verify the token", teller).await;
        let mut found = match verified {
            // A token of an account, rather than of a user, cannot verify itself here; its zones tell.
            Err(failure) if names(scope).is_empty() => {
                return vec![Finding::of_error(about, &failure.error)];
            }
            Err(_) => Vec::new(),
            Ok(envelope) => {
                let status = envelope.result.map(|status| status.status).unwrap_or_default();
                vec![match status.as_str() {
                    "active" => Finding::ok(about, "is active"),
                    _ => Finding::fail(about, format!("is `{status}`"), RIGHTS),
                }]
            }
        };
        for name in names(scope) {
            match zones::find(&self.reader, &name, teller).await {
                Ok(zone) => found.push(rights(&zone)),
                Err(error) => found.push(Finding::of_error(format!("zone {name}"), &error)),
            }
        }
        found.extend(self.left_behind(scope).await);
        found.extend(self.signs(now));
        found
    }

    /// Records of a stack of this name elsewhere.
    async fn left_behind(&self, scope: &Scope) -> Vec<Finding> {
        let zones = names(scope);
        if zones.is_empty() {
            return Vec::new();
        }
        let named = zones.iter().map(String::as_str).collect();
        let (found, failed) =
            elsewhere::look(&self.reader, &scope.stack, &named, Teller::nobody()).await;
        let about = "records elsewhere";
        let warn = |left: &LeftBehind| Finding::warn(about, left.words(), elsewhere::ADVICE);
        let unseen = failed.map(|failure| Finding::of_error(about, &failure.error));
        found.iter().map(warn).chain(unseen).collect()
    }

    fn signs(&self, now: i64) -> Vec<Finding> {
        let connection = self.reader.connection();
        let date = connection.header("date");
        let date = date.and_then(|text| chrono::DateTime::parse_from_rfc2822(&text).ok());
        let left = connection.header("ratelimit").and_then(|text| number(&text, "r="));
        let clock = date.map(|date| clocks("Cloudflare", date.timestamp(), now));
        left.map(|left| budget("Cloudflare", left, None)).into_iter().chain(clock).collect()
    }
}

/// The zones that the stack's records are in.
fn names(scope: &Scope) -> BTreeSet<String> {
    let zone = |value: &Value| value.as_text().map(str::to_owned);
    scope.desired.iter().filter_map(|record| record.attributes.get("zone").and_then(zone)).collect()
}

/// What the token may do in an active zone.
fn rights(zone: &Zone) -> Finding {
    let about = format!("zone {}", zone.name);
    let may = |right: &str| {
        let listed = zone.permissions.as_ref();
        listed.is_some_and(|all| all.iter().any(|permission| permission == right))
    };
    let fix = "edit the token at https://dash.cloudflare.com/profile/api-tokens: Zone:Read and DNS:Edit on this zone";
    match (may("#dns_records:edit"), may("#dns_records:read"), zone.permissions.is_some()) {
        (true, ..) => Finding::ok(about, "is active; the token may read and edit its records"),
        (false, true, _) => Finding::warn(
            about,
            "is active; the token may read its records, enough for plan; apply lacks DNS:Edit",
            fix,
        ),
        (false, false, true) => {
            Finding::fail(about, "is active; the token may not even read its records", fix)
        }
        (false, false, false) => Finding::ok(
            about,
            "is active; what the token may do there was not said: plan needs DNS:Read, apply DNS:Edit",
        ),
    }
}

impl Probe for CloudflareProbe {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn probe<'a>(&'a self, scope: &'a Scope, now: i64) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(self.look(scope, now))
    }
}

#[cfg(test)]
mod tests {
    use ipai_core::checkup::Grade;

    use super::*;

    #[test]
    fn rights_decide_between_plan_and_apply() {
        let zone = |permissions: Option<&[&str]>| Zone {
            id: "z".into(),
            name: "x.example".into(),
            status: "active".into(),
            kind: "full".into(),
            permissions: permissions.map(|all| all.iter().map(|p| (*p).to_owned()).collect()),
        };
        for (permissions, grade) in [
            (Some(&["#dns_records:edit", "#dns_records:read"][..]), Grade::Ok),
            (Some(&["#dns_records:read", "#zone:read"][..]), Grade::Warn),
            (Some(&["#zone:read"][..]), Grade::Fail),
            (None, Grade::Ok),
        ] {
            assert_eq!(rights(&zone(permissions)).grade, grade, "{permissions:?}");
        }
    }

    #[test]
    fn reads_what_is_left_of_the_rate_limit() {
        assert_eq!(number("\"default\";r=1199;t=300", "r="), Some(1199));
        assert_eq!(number("nonsense", "r="), None);
    }
}
