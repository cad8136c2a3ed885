use super::*;
use ipai_core::Secret;
use serde_json::json;

fn base() -> Url {
    Url::parse("https://api.example.com").unwrap()
}

fn line<'a>(request: impl Into<Call<'a>>) -> String {
    let call = request.into();
    let url = call.url(&base()).to_string();
    let target = url.strip_prefix("https://api.example.com").unwrap();
    let body = call.body.map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {target}{body}", call.method)
}

#[test]
fn reading_requests_have_their_exact_wire_form() {
    let tagged = Get::droplets_tagged("ipai:ops--staging");
    assert_eq!(line(&tagged), "GET /v2/droplets?tag_name=ipai%3Aops--staging");
    let named = Get::droplets_named("web.example.com");
    assert_eq!(line(&named), "GET /v2/droplets?name=web.example.com");
    assert_eq!(line(&Get::droplet(7)), "GET /v2/droplets/7");
    assert_eq!(line(&Get::firewalls()), "GET /v2/firewalls");
    assert_eq!(line(&Get::firewall("a-1")), "GET /v2/firewalls/a-1");
    assert_eq!(line(&Get::reserved_ips()), "GET /v2/reserved_ips");
    assert_eq!(line(&Get::action(9)), "GET /v2/actions/9");
    assert_eq!(line(&Get::tag("ipai:ops")), "GET /v2/tags/ipai:ops");
}

#[test]
fn changing_requests_have_their_exact_wire_form() {
    let create = Change::create_droplet("web", json!({"name": "web"}));
    assert_eq!(line(&create), r#"POST /v2/droplets {"name":"web"}"#);
    assert_eq!(line(&Change::delete_droplet(7)), "DELETE /v2/droplets/7");
    let action = Change::droplet_action(7, json!({"type": "resize", "size": "s", "disk": false}));
    let expected = r#"POST /v2/droplets/7/actions {"type":"resize","size":"s","disk":false}"#;
    assert_eq!(line(&action), expected);
    assert_eq!(line(&Change::create_tag("a:b")), r#"POST /v2/tags {"name":"a:b"}"#);
    let body = r#"{"resources":[{"resource_id":"7","resource_type":"droplet"}]}"#;
    let (tag, untag) = (
        Change::tag("a:b", &crate::api::Tagged::droplet(7)),
        Change::untag("a:b", &crate::api::Tagged::droplet(7)),
    );
    assert_eq!(line(&tag), format!("POST /v2/tags/a:b/resources {body}"));
    assert_eq!(line(&untag), format!("DELETE /v2/tags/a:b/resources {body}"));
    assert_eq!(line(&Change::delete_tag("a:b")), "DELETE /v2/tags/a:b");
    let firewall = Change::create_firewall("f", json!({"name": "f"}));
    assert_eq!(line(&firewall), r#"POST /v2/firewalls {"name":"f"}"#);
    let put = Change::put_firewall("a-1", json!({"name": "f"}));
    assert_eq!(line(&put), r#"PUT /v2/firewalls/a-1 {"name":"f"}"#);
    let guard = Change::guard_droplet("a-1", 7);
    assert_eq!(line(&guard), r#"POST /v2/firewalls/a-1/droplets {"droplet_ids":[7]}"#);
    assert_eq!(line(&Change::delete_firewall("a-1")), "DELETE /v2/firewalls/a-1");
}

#[test]
fn a_path_in_the_base_url_is_kept() {
    let get = Get::droplet(7);
    let base = Url::parse("https://proxy.example.com/digitalocean/").unwrap();
    let url = Call::from(&get).url(&base);
    assert_eq!(url.as_str(), "https://proxy.example.com/digitalocean/v2/droplets/7");
}

#[test]
fn a_change_does_not_print_its_body() {
    let create = Change::create_droplet("web", json!({"user_data": "hunter2"}));
    assert_eq!(format!("{create:?}"), "Post /v2/droplets (body not shown)");
}

fn answer(status: u16, body: &str) -> Answer {
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
        (header::HeaderName::from_static("x-request-id"), HeaderValue::from_static("r-1")),
    ]);
    Answer { body: body.into(), ..Answer::new(status, &headers) }
}

fn refused(status: u16, body: &str) -> RemoteError {
    let get = Get::droplet(7);
    answer(status, body).checked(&Call::from(&get)).unwrap_err().into()
}

#[test]
fn an_answer_that_is_no_json_is_described() {
    let get = Get::droplet(7);
    let page = format!("<html>\n{}\u{1b}[2J", "x".repeat(500));
    let error = answer(200, &page).json::<Json>(&Call::from(&get)).unwrap_err();
    let error = RemoteError::from(error);
    assert_eq!((error.fault, &*error.attempted), (Fault::BadAnswer, "look at droplet 7"));
    for part in ["GET /v2/droplets/7", "200", "text/html", "<html> xxx", "r-1"] {
        assert!(error.cause.contains(part), "{}", error.cause);
    }
    assert!(error.cause.chars().count() < 500 && !error.cause.contains('\u{1b}'));
    let empty = answer(200, "").json::<Json>(&Call::from(&get)).unwrap_err();
    assert!(empty.cause.contains("an empty body"), "{}", empty.cause);
}

#[test]
fn what_an_answer_repeats_of_a_secret_request_is_not_shown() {
    let create = Change::create_droplet("web", json!({"user_data": "hunter2"}));
    let call = Call::from(&create);
    let bad = answer(200, "you sent hunter2").json::<Json>(&call).unwrap_err();
    let no = answer(422, "you sent hunter2").checked(&call).unwrap_err();
    assert!(!bad.cause.contains("hunter2") && !no.cause.contains("hunter2"));
}

#[test]
fn refusals_carry_the_vendors_reason_and_what_to_do() {
    let error = refused(422, r#"{"id": "unprocessable_entity", "message": "Size is bad."}"#);
    let expected = (Fault::Refused, "Size is bad. (status 422, request id r-1)".to_owned());
    assert_eq!((error.fault, error.cause), expected);
    let tags = refused(400, r#"{"error": "bad", "messages": ["Tag is bad"], "root_causes": []}"#);
    assert!(tags.cause.starts_with("Tag is bad"), "{}", tags.cause);
    assert_eq!(refused(404, "{}").fault, Fault::NotFound);
}

#[test]
fn a_denied_request_names_the_variables_and_the_scope() {
    for status in [401, 403] {
        let error = refused(status, r#"{"message": "no"}"#);
        let hint = error.hint.unwrap();
        assert_eq!(error.fault, Fault::Denied);
        assert!(hint.contains("DIGITALOCEAN_TOKEN") && hint.contains("DIGITALOCEAN_ACCESS_TOKEN"));
        assert!(status == 401 || hint.contains("droplet:read"), "{hint}");
    }
}

#[test]
fn redirects_are_not_followed() {
    let error = refused(307, "");
    assert_eq!(error.fault, Fault::BadAnswer);
    assert!(error.cause.contains("redirects"), "{}", error.cause);
}

#[test]
fn success_without_a_body_is_not_mistaken_for_a_sign_in_page() {
    let delete = Change::delete_droplet(7);
    assert!(answer(204, "").nothing(&Call::from(&delete)).is_ok());
    assert!(answer(200, "<html>").nothing(&Call::from(&delete)).is_err());
}

#[test]
fn refuses_a_token_that_cannot_be_one() {
    for token in ["", "  ", "a\nb"] {
        let settings = Settings::new(Secret::new(token.into()));
        assert_eq!(headers(&settings).unwrap_err().fault, Fault::Denied);
    }
}

#[tokio::test]
async fn a_full_minute_is_waited_out() {
    let mut settings = Settings::new(Secret::new("t".into()));
    settings.limits.per_minute = 2;
    let wire = Wire::new(&settings).unwrap();
    let soon = Duration::from_millis(50);
    for _ in 0..2 {
        assert!(tokio::time::timeout(soon, wire.take_turn()).await.is_ok());
    }
    assert!(tokio::time::timeout(soon, wire.take_turn()).await.is_err());
}
