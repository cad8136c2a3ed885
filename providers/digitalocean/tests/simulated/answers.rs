//! Answers that nobody wants: refusals, rate limits, pages of HTML, garbage.

use std::time::{Duration, Instant};

use crate::stage::{Recorder, droplet, job, settings, stage, stage_with};
use ipai_core::{Events, Fault, Observe, Scope, Verb};
use ipai_digitalocean::DigitalOceanObserver;
use ipai_simulator::{Fault as Disturbance, FaultKind, Pace};

fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> FaultKind {
    let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    FaultKind::Respond { status, headers, body: body.to_owned() }
}

const LIMITED: &str = r#"{"id": "too_many_requests", "message": "API Rate limit exceeded."}"#;

#[tokio::test]
async fn answers_that_make_no_sense_are_errors_and_never_an_empty_account() {
    for template in ["/v2/droplets", "/v2/firewalls"] {
        for kind in [
            FaultKind::Html,
            FaultKind::Garbage,
            FaultKind::Huge(40 << 20),
            FaultKind::EndlessPages,
            FaultKind::Redirect("https://example.com/".into()),
            respond(200, &[], ""),
            respond(200, &[], "[]"),
            respond(200, &[], "{}"),
            respond(200, &[], r#"{"droplets": {}, "firewalls": {}, "meta": {"total": 0}}"#),
            respond(200, &[], r#"{"droplets": [], "firewalls": []}"#),
            respond(204, &[], ""),
        ] {
            let stage = stage(Pace::instant()).await;
            stage.create(&droplet("web", &[])).await;
            stage.create(&crate::stage::firewall("web", &[], &["tcp 22 from ::/0"])).await;
            stage.world().fault(Disturbance::first("GET", template, kind.clone()).times(99));
            let error = stage.try_observe(&[]).await.unwrap_err();
            assert_eq!(error.fault, Fault::BadAnswer, "{template} {kind:?}: {error}");
            assert!(error.cause.len() < 1000, "{error}");
        }
    }
}

#[tokio::test]
async fn wrong_types_are_named() {
    let stage = stage(Pace::instant()).await;
    stage.create(&droplet("web", &[])).await;
    stage.world().fault(Disturbance::first("GET", "/v2/droplets", FaultKind::WrongTypes));
    let error = stage.try_observe(&[]).await.unwrap_err();
    assert_eq!(error.fault, Fault::BadAnswer);
    assert!(error.cause.contains("GET /v2/droplets answered 200"), "{error}");
}

#[tokio::test]
async fn a_wrong_token_and_a_weak_one_are_told_apart_from_failures() {
    let stage = stage(Pace::instant()).await;
    let scope = Scope {
        stack: crate::stage::ops(),
        desired: Vec::new(),
        homes: Default::default(),
        wanted_homes: Vec::new(),
    };
    let events = Recorder::default();
    let base = &stage.simulator.digitalocean_url;
    let wrong = DigitalOceanObserver::new(&settings(base, "invalid-x")).unwrap();
    let error = wrong.observe(&scope, &events as &dyn Events).await.unwrap_err();
    assert_eq!(error.fault, Fault::Denied);
    assert!(error.hint.unwrap().contains("DIGITALOCEAN_ACCESS_TOKEN"));
    assert!(!error.cause.contains("invalid-x"));
    let weak = settings(base, "readonly-x");
    let reading = DigitalOceanObserver::new(&weak).unwrap();
    reading.observe(&scope, &events as &dyn Events).await.unwrap();
    let writing = crate::stage::executor(&weak);
    let web = droplet("web", &[]);
    let error = stage.run_by(&writing, job(Verb::Create, &web, None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Denied);
    assert!(error.hint.unwrap().contains("tag:create"));
}

#[tokio::test]
async fn a_burst_limit_is_waited_out() {
    let stage = stage(Pace::instant()).await;
    for method in ["GET", "POST"] {
        let limited = respond(429, &[("retry-after", "1")], LIMITED);
        stage.world().fault(Disturbance::first(method, "/v2/droplets", limited));
    }
    let began = Instant::now();
    stage.create(&droplet("web", &[])).await;
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(stage.world().droplets().len(), 1);
}

#[tokio::test]
async fn a_limit_that_lasts_too_long_is_an_error() {
    let stage = stage(Pace::instant()).await;
    let limited = respond(429, &[("retry-after", "3600")], LIMITED);
    stage.world().fault(Disturbance::first("GET", "/v2/droplets", limited));
    let error = stage.try_observe(&[]).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.cause.contains("Rate limit") && error.hint.is_some(), "{error}");
}

#[tokio::test]
async fn reading_is_repeated_after_a_failure_of_the_server_or_the_line() {
    for kind in [respond(503, &[], ""), FaultKind::DropAfter, FaultKind::DropBefore] {
        let stage = stage(Pace::instant()).await;
        stage.world().fault(Disturbance::first("GET", "/v2/droplets", kind).times(2));
        stage.observe(&[]).await;
        assert_eq!(stage.count("GET", "/v2/droplets"), 3);
    }
}

#[tokio::test]
async fn a_server_that_stays_ill_is_an_error_before_long() {
    let stage = stage(Pace::instant()).await;
    stage.world().fault(Disturbance::first("GET", "/v2/droplets", respond(500, &[], "")).times(99));
    assert!(stage.try_observe(&[]).await.is_err());
    assert_eq!(stage.count("GET", "/v2/droplets"), 5);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up() {
    let stage = stage_with(Pace::instant(), |settings| {
        settings.limits.request = Duration::from_millis(50);
    })
    .await;
    let late = FaultKind::Delay(Duration::from_secs(20));
    stage.world().fault(Disturbance::first("GET", "/v2/firewalls", late).times(99));
    let error = stage.try_observe(&[]).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable);
    assert!(error.cause.contains("in time"), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let stage = stage_with(Pace::instant(), |settings| {
        settings.base_url = "http://127.0.0.1:9".into();
    })
    .await;
    let error = stage.try_observe(&[]).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable);
    let web = droplet("web", &[]);
    let error = stage.run(job(Verb::Create, &web, None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable);
}

#[tokio::test]
async fn all_pages_of_a_list_are_read() {
    let stage = stage(Pace::instant()).await;
    for number in 0..450 {
        let address = format!("ipai:ops:droplet:d{number}");
        let tags = ["ipai", "ipai:ops", address.as_str()];
        stage.world().add_foreign_droplet(&format!("d{number}"), &tags).unwrap();
    }
    assert_eq!(stage.observe(&[]).await.resources.len(), 450);
    assert_eq!(stage.count("GET", "/v2/droplets"), 3);
}
