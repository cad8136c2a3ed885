//! Judging an answer: what came is checked as hard as what a user writes.

use std::time::Duration;

use ipai_core::{Fault, RemoteError};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::failure::{Failure, Meaning, RIGHTS};
use crate::wire::Envelope;

/// How much of a strange body an error shows.
const EXCERPT: usize = 200;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Texts that no message may contain: the token, and secrets in what was sent.
pub(crate) type Hidden<'a> = &'a [&'a str];

/// Takes the result out of an answer, or says what is wrong with it.
pub(crate) fn judge<T: DeserializeOwned>(
    answer: &Answer,
    attempted: &str,
    hidden: Hidden<'_>,
) -> Result<Envelope<T>, Failure> {
    let judged = match answer.status.as_u16() {
        200..=299 => success(answer, attempted, hidden),
        429 => Err(throttled(answer, attempted)),
        500..=599 => {
            let strange = strange(answer, attempted, "the service failed", hidden);
            let error = RemoteError { fault: Fault::Unreachable, ..strange };
            Err(Failure::new(Meaning::Lost, error))
        }
        400..=499 => Err(refusal(answer, attempted, hidden)),
        _ => {
            let why = "an answer of this kind, such as a redirect, is not followed";
            Err(Failure::new(Meaning::Refused, strange(answer, attempted, why, hidden)))
        }
    };
    judged.map_err(|failure| conceal(failure, hidden))
}

fn success<T: DeserializeOwned>(
    answer: &Answer,
    attempted: &str,
    hidden: Hidden<'_>,
) -> Result<Envelope<T>, Failure> {
    let garbled =
        |why: &str| Failure::new(Meaning::Garbled, strange(answer, attempted, why, hidden));
    if answer.body.is_empty() {
        return Err(garbled("the answer is empty"));
    }
    let envelope: Envelope<T> =
        serde_json::from_slice(&answer.body).map_err(|error| garbled(&error.to_string()))?;
    if !envelope.success {
        return Err(garbled("it says that it failed, with a status that says it succeeded"));
    }
    if envelope.result.is_none() {
        return Err(garbled("it has no result"));
    }
    Ok(envelope)
}

fn refusal(answer: &Answer, attempted: &str, hidden: Hidden<'_>) -> Failure {
    let status = answer.status.as_u16();
    let issues = serde_json::from_slice::<Envelope<IgnoredAny>>(&answer.body)
        .ok()
        .and_then(|envelope| envelope.errors)
        .filter(|issues| !issues.is_empty());
    if let Some(issues) = issues {
        return Failure::refused(status, attempted, &issues, &ray(&answer.headers));
    }
    let strange =
        strange(answer, attempted, "it refused without a reason ipai understands", hidden);
    let error = match status {
        401 | 403 => RemoteError { fault: Fault::Denied, ..strange }.hint(RIGHTS),
        _ => strange,
    };
    // A request that timed out at the other side may have been carried out.
    let meaning = if status == 408 { Meaning::Lost } else { Meaning::Refused };
    Failure::new(meaning, error)
}

fn throttled(answer: &Answer, attempted: &str) -> Failure {
    let seconds = header(&answer.headers, "retry-after").and_then(|text| text.parse().ok());
    let cause = format!("the rate limit is reached (HTTP 429{})", ray(&answer.headers));
    let error = RemoteError::new(Fault::Refused, attempted, cause).hint(
        "over 1,200 calls in five minutes, Cloudflare blocks the whole user for five minutes; wait, then run it again",
    );
    Failure::new(Meaning::Throttled(seconds.map(Duration::from_secs)), error)
}

/// An error that shows the answer: its status, its type, its beginning and Cloudflare's number for it.
fn strange(answer: &Answer, attempted: &str, why: &str, hidden: Hidden<'_>) -> RemoteError {
    let kind = header(&answer.headers, "content-type").unwrap_or("no content type");
    let location = header(&answer.headers, "location").map(|to| format!(", to {to}"));
    let cause = format!(
        "{why} (HTTP {}, {}{}{}): {}",
        answer.status.as_u16(),
        excerpt(kind.as_bytes(), hidden),
        location.map(|to| excerpt(to.as_bytes(), hidden)).unwrap_or_default(),
        ray(&answer.headers),
        excerpt(&answer.body, hidden),
    );
    RemoteError::new(Fault::BadAnswer, attempted, cause)
        .hint("is CLOUDFLARE_BASE_URL right, and does a proxy answer in Cloudflare's place?")
}

/// The beginning of a text on one line. Secrets are taken out before it is cut, so that none is left in part.
fn excerpt(body: &[u8], hidden: Hidden<'_>) -> String {
    if body.is_empty() {
        return "(empty)".to_owned();
    }
    let head = &body[..body.len().min(64 << 10)];
    let text = without(&String::from_utf8_lossy(head), hidden);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = flat.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    if shown.len() < flat.len() { format!("{shown}…") } else { shown }
}

fn conceal(mut failure: Failure, hidden: Hidden<'_>) -> Failure {
    failure.error.cause = without(&failure.error.cause, hidden);
    failure
}

fn without(text: &str, hidden: Hidden<'_>) -> String {
    let secrets = hidden.iter().filter(|secret| secret.len() >= 4);
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "(sensitive value)"))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn ray(headers: &HeaderMap) -> String {
    let id = header(headers, "cf-ray").filter(|id| id.len() <= 64);
    id.map(|id| format!(", cf-ray {id}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RecordList;

    fn answer(status: u16, kind: &'static str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        headers.insert("cf-ray", "8f00ba4-AMS".parse().unwrap());
        headers.insert("retry-after", "7".parse().unwrap());
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }

    fn fail(status: u16, kind: &'static str, body: &str) -> Failure {
        judge::<RecordList>(&answer(status, kind, body), "list", &["s3cret-token"]).unwrap_err()
    }

    const JSON: &str = "application/json";

    #[test]
    fn strange_answers_are_named_with_status_type_beginning_and_ray() {
        for (status, kind, body) in [
            (200, "text/html", "<html>captive portal"),
            (200, JSON, ""),
            (200, JSON, "{"),
            (200, JSON, "null"),
            (200, JSON, "[]"),
            (200, JSON, r#"{"success":true,"errors":[],"result":null}"#),
            (200, JSON, r#"{"success":true,"errors":[],"result":{"a":1}}"#),
            (200, JSON, r#"{"success":true,"errors":[],"result":[{"id":1}]}"#),
            (200, JSON, r#"{"success":true,"errors":[],"result":[{"id":"1","name":"a"}]}"#),
            (200, JSON, r#"{"success":"yes","result":[]}"#),
            (200, JSON, r#"{"success":false,"errors":[{"code":1,"message":"m"}],"result":[]}"#),
        ] {
            let failure = fail(status, kind, body);
            assert_eq!(failure.error.fault, Fault::BadAnswer, "{body}");
            assert_eq!(failure.meaning, Meaning::Garbled, "{body}");
            let cause = &failure.error.cause;
            assert!(cause.contains("HTTP 200") && cause.contains(kind), "{cause}");
            assert!(cause.contains("cf-ray 8f00ba4-AMS"), "{cause}");
            assert!(body.is_empty() || cause.contains(body.get(..4).unwrap_or(body)), "{cause}");
        }
    }

    #[test]
    fn a_broken_service_may_have_done_it_and_a_refusal_has_not() {
        assert_eq!(fail(502, "text/html", "<h1>bad gateway").meaning, Meaning::Lost);
        assert_eq!(fail(408, JSON, "").meaning, Meaning::Lost);
        assert_eq!(fail(404, "text/html", "<h1>nothing").meaning, Meaning::Refused);
        assert_eq!(fail(302, "text/html", "").meaning, Meaning::Refused);
        let seconds = Some(Duration::from_secs(7));
        assert_eq!(fail(429, "text/html", "").meaning, Meaning::Throttled(seconds));
    }

    #[test]
    fn a_denial_is_one_whatever_its_body_looks_like() {
        for body in [
            "",
            "<html>",
            r#"{"success":false,"errors":[{"code":9109,"message":"x"}],"result":null}"#,
        ] {
            let failure = fail(403, JSON, body);
            assert_eq!(failure.error.fault, Fault::Denied);
            assert!(failure.error.hint.unwrap().contains("Zone:Read"));
        }
    }

    #[test]
    fn neither_token_nor_long_bodies_come_through() {
        let body = format!("{} s3cret-token {}", "x".repeat(190), "y".repeat(5000));
        let failure = fail(500, "text/plain", &body);
        assert!(!failure.error.cause.contains("s3cret") && failure.error.cause.len() < 400);
        let body = r#"{"success":false,"errors":[{"code":1004,"message":"bad s3cret-token"}],"result":null}"#;
        assert!(!fail(400, JSON, body).error.cause.contains("s3cret"));
    }
}
