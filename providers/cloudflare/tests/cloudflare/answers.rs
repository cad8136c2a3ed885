//! Answers that no friendly service gives, to reading calls.

use ipai_cloudflare::{CloudflareObserver, Connection, Settings};
use ipai_core::{Fault as Kind, LiveState, Observe, RemoteError, Secret};
use ipai_simulator::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::common::{RECORDS, Told, World, address, connect, good, scope};

#[tokio::test]
async fn strange_answers_become_errors_and_nothing_hangs() {
    let status =
        |status, body: &str| FaultKind::Respond { status, headers: vec![], body: body.into() };
    let faults = [
        (FaultKind::Html, Kind::BadAnswer, 1),
        (FaultKind::Garbage, Kind::BadAnswer, 1),
        (FaultKind::WrongTypes, Kind::BadAnswer, 1),
        (FaultKind::Huge(5 << 20), Kind::BadAnswer, 1),
        (FaultKind::Redirect("https://elsewhere.example/".into()), Kind::BadAnswer, 1),
        (status(200, ""), Kind::BadAnswer, 1),
        (status(200, r#"{"success":false,"errors":[],"result":null}"#), Kind::BadAnswer, 1),
        (
            status(
                200,
                r#"{"success":true,"errors":[],"result":[{"id":"../x","name":"a","type":"A"}]}"#,
            ),
            Kind::BadAnswer,
            1,
        ),
        (status(404, "<html>"), Kind::BadAnswer, 1),
        (status(403, "<html>"), Kind::Denied, 1),
        (status(503, "<html>"), Kind::Unreachable, 4),
        (FaultKind::DropBefore, Kind::Unreachable, 4),
    ];
    for template in ["/zones", RECORDS] {
        for (kind, expected, calls) in &faults {
            let world = World::start().await;
            world.world().fault(Fault::first("GET", template, kind.clone()).times(99));
            let error = world.observe(&good(&address("chat", "203.0.113.7"))).await.unwrap_err();
            assert_eq!(error.fault, *expected, "{template} {kind:?}: {error}");
            assert_eq!(world.count("GET", template), *calls, "{template} {kind:?}: {error}");
            assert!(error.attempted.contains("example.com"), "{error}");
            assert!(error.cause.len() < 700, "{error}");
        }
    }
}

#[tokio::test]
async fn a_short_failure_is_overcome() {
    let world = World::start().await;
    let kind = FaultKind::Respond { status: 502, headers: vec![], body: "<h1>bad".into() };
    world.world().fault(Fault::first("GET", RECORDS, kind).times(2));
    world.world().fault(Fault::first("GET", "/zones", FaultKind::DropBefore));
    world.converge(&good(&address("chat", "203.0.113.7"))).await;
}

#[tokio::test]
async fn pages_without_end_are_noticed() {
    let world = World::start().await;
    world.converge(&good(&address("chat", "203.0.113.7"))).await;
    world.world().fault(Fault::first("GET", RECORDS, FaultKind::EndlessPages).times(9999));
    let seen = world.observe(&good(&address("chat", "203.0.113.7"))).await;
    assert!(world.count("GET", RECORDS) < 10);
    if let Err(error) = seen {
        assert_eq!(error.fault, Kind::BadAnswer, "{error}");
    }
}

/// Answers each request with the next body, whatever is asked, and keeps the request lines.
async fn script(bodies: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/client/v4", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for body in bodies {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            asked.push(text.lines().next().unwrap_or_default().to_owned());
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
        asked
    });
    (url, served)
}

fn zone() -> String {
    r#"{"success":true,"errors":[],"result":[{"id":"z1","name":"example.com","status":"active","type":"full"}]}"#.into()
}

fn page(ids: &[&str], info: &str) -> String {
    let record = |id: &&str| {
        format!(
            r#"{{"id":"{id}","type":"A","name":"chat.example.com","content":"203.0.113.7","ttl":1,"comment":"ipai ops chat 0123456789abcdef"}}"#
        )
    };
    let records: Vec<String> = ids.iter().map(record).collect();
    format!(r#"{{"success":true,"errors":null,"result":[{}]{info}}}"#, records.join(","))
}

async fn look(bodies: Vec<String>) -> (Result<LiveState, RemoteError>, Vec<String>) {
    let (url, served) = script(bodies).await;
    let scope = scope(&good(&address("chat", "203.0.113.7")));
    let observer = CloudflareObserver::new(&connect(&url, "token"));
    let seen = observer.observe(&scope, &Told::default()).await;
    (seen, served.await.unwrap())
}

#[tokio::test]
async fn pages_are_read_until_the_count_is_reached() {
    let info = r#","result_info":{"page":1,"per_page":2,"total_count":3}"#;
    let (seen, asked) = look(vec![zone(), page(&["1", "2"], info), page(&["3"], info)]).await;
    assert_eq!(seen.unwrap().resources.len(), 3);
    assert_eq!(asked[1], "GET /client/v4/zones/z1/dns_records?page=1&per_page=5000 HTTP/1.1");
    assert_eq!(asked[2], "GET /client/v4/zones/z1/dns_records?page=2&per_page=5000 HTTP/1.1");
}

#[tokio::test]
async fn a_page_past_the_end_is_the_end() {
    let info = r#","result_info":{"total_count":9}"#;
    let (seen, _) =
        look(vec![zone(), page(&["1", "2"], info), page(&["2", "3"], info), page(&[], info)]).await;
    assert_eq!(seen.unwrap().resources.len(), 3, "a record that moved between pages counts once");
    let (seen, _) = look(vec![zone(), page(&["1"], "")]).await;
    assert_eq!(
        seen.unwrap().resources.len(),
        1,
        "without a count, a page that is not full is the last"
    );
}

#[tokio::test]
async fn a_page_that_repeats_itself_is_a_bad_answer() {
    let info = r#","result_info":{"total_count":9}"#;
    let (seen, _) = look(vec![zone(), page(&["1"], info), page(&["1"], info)]).await;
    let error = seen.unwrap_err();
    assert_eq!(
        (error.fault, &*error.attempted),
        (Kind::BadAnswer, "list the records of example.com")
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable_and_plain_http_is_refused_at_once() {
    let scope = scope(&good(&address("chat", "203.0.113.7")));
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let observer = CloudflareObserver::new(&connect(&format!("http://127.0.0.1:{port}/"), "token"));
    let error = observer.observe(&scope, &Told::default()).await.unwrap_err();
    assert_eq!(error.fault, Kind::Unreachable, "{error}");
    let settings = Settings {
        base_url: "http://api.cloudflare.com/client/v4/".into(),
        ..Settings::new(Secret::new("token".into()))
    };
    assert!(Connection::open(&settings).is_err());
}
