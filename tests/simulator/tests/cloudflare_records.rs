//! The rules of DNS records.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{World, world, world_with};
use ipai_simulator::{Limits, Pace};
use serde_json::{Value, json};

fn a(name: &str, content: &str) -> Value {
    json!({"type": "A", "name": name, "content": content, "ttl": 300})
}

async fn create(world: &World, body: Value) -> String {
    let made = world.post(&world.records(), body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.body["result"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn answers_names_complete_and_in_punycode() {
    let world = world(Pace::instant()).await;
    for (sent, kept) in [
        ("@", "example.com"),
        ("www", "www.example.com"),
        ("Chat.Example.com", "chat.example.com"),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
    ] {
        let made = world.post(&world.records(), a(sent, "198.51.100.4")).await;
        assert_eq!(made.body["result"]["name"], kept, "{}", made.text);
    }
}

#[tokio::test]
async fn refuses_an_identical_record_with_a_code_beyond_16_bits() {
    let world = world(Pace::instant()).await;
    create(&world, a("www.example.com", "198.51.100.4")).await;
    create(&world, a("www.example.com", "198.51.100.5")).await;
    let refused = world.post(&world.records(), a("www.example.com", "198.51.100.4")).await;
    assert_eq!((refused.status, refused.code()), (400, 81058));
    assert!(refused.code() > u64::from(u16::MAX));
    assert_eq!(refused.body["result"], Value::Null);
}

#[tokio::test]
async fn a_cname_stands_alone() {
    let world = world(Pace::instant()).await;
    create(&world, a("www.example.com", "198.51.100.4")).await;
    let cname = json!({"type": "CNAME", "name": "www.example.com", "content": "example.com"});
    assert_eq!(world.post(&world.records(), cname.clone()).await.code(), 81053);
    let other = json!({"type": "CNAME", "name": "b.example.com", "content": "example.com"});
    create(&world, other).await;
    let beside = a("b.example.com", "198.51.100.4");
    assert_eq!(world.post(&world.records(), beside).await.code(), 81054);
    let text = json!({"type": "TXT", "name": "www.example.com", "content": "hello"});
    create(&world, text).await;
}

#[tokio::test]
async fn a_delegated_name_takes_nothing_else() {
    let world = world(Pace::instant()).await;
    let ns = |name: &str| json!({"type": "NS", "name": name, "content": "ns1.example.net"});
    create(&world, ns("sub.example.com")).await;
    assert_eq!(world.post(&world.records(), a("sub", "198.51.100.4")).await.code(), 1004);
    create(&world, a("www", "198.51.100.4")).await;
    assert_eq!(world.post(&world.records(), ns("www.example.com")).await.code(), 1004);
    create(&world, a("@", "198.51.100.4")).await;
    create(&world, ns("example.com")).await;
}

#[tokio::test]
async fn a_deleted_record_lingers_but_not_in_a_batch() {
    let world = world(Pace { dns_linger: 1, ..Pace::instant() }).await;
    let id = create(&world, a("www.example.com", "198.51.100.4")).await;
    world.delete(&format!("{}/{id}", world.records())).await;
    let cname = json!({"type": "CNAME", "name": "www.example.com", "content": "example.com"});
    assert_eq!(world.post(&world.records(), cname.clone()).await.code(), 81053);
    let id = create(&world, cname.clone()).await;
    let swap = json!({"deletes": [{"id": id}], "posts": [a("www.example.com", "198.51.100.4")]});
    let swapped = world.post(&format!("{}/batch", world.records()), swap).await;
    assert_eq!(swapped.status, 200, "{}", swapped.text);
    assert_eq!(swapped.body["result"]["deletes"][0]["type"], "CNAME");
    assert_eq!(swapped.body["result"]["posts"][0]["type"], "A");
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_gives_the_first_error() {
    let world = world(Pace::instant()).await;
    let id = create(&world, a("www.example.com", "198.51.100.4")).await;
    let before = world.simulator.world().records("example.com");
    let batch = json!({
        "deletes": [{"id": id}],
        "posts": [a("b.example.com", "198.51.100.4"), a("b.example.com", "198.51.100.4"), a("c", "x")],
    });
    let refused = world.post(&format!("{}/batch", world.records()), batch).await;
    assert_eq!((refused.status, refused.code()), (400, 81058));
    assert_eq!(refused.body["errors"].as_array().unwrap().len(), 1);
    assert_eq!(world.simulator.world().records("example.com"), before);
}

#[tokio::test]
async fn a_batch_runs_deletes_patches_puts_posts() {
    let world = world(Pace::instant()).await;
    let gone = create(&world, a("gone.example.com", "198.51.100.1")).await;
    let patched = create(&world, a("one.example.com", "198.51.100.2")).await;
    let put = create(&world, a("two.example.com", "198.51.100.3")).await;
    let batch = json!({
        "posts": [a("one.example.com", "198.51.100.2")],
        "puts": [{"id": put, "type": "A", "name": "gone.example.com", "content": "198.51.100.1"}],
        "patches": [{"id": patched, "content": "198.51.100.9", "comment": "moved"}],
        "deletes": [{"id": gone}],
    });
    let done = world.post(&format!("{}/batch", world.records()), batch).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.body["result"]["patches"][0]["comment"], "moved");
    assert_eq!(done.body["result"]["puts"][0]["ttl"], 1);
    assert_eq!(world.simulator.world().records("example.com").len(), 3);
}

#[tokio::test]
async fn a_batch_has_a_largest_size() {
    let world = world(Pace::instant()).await;
    let posts: Vec<Value> = (0..201).map(|n| a(&format!("n{n}"), "198.51.100.1")).collect();
    let refused = world.post(&format!("{}/batch", world.records()), json!({"posts": posts})).await;
    assert_eq!(refused.status, 400);
    let posts = &posts[..200];
    let done = world.post(&format!("{}/batch", world.records()), json!({"posts": posts})).await;
    assert_eq!(done.status, 200);
    let refused = world.post(&world.records(), a("one-more", "198.51.100.1")).await;
    assert_eq!(refused.code(), 81045);
}

#[tokio::test]
async fn a_proxied_record_reads_ttl_1() {
    let world = world(Pace::instant()).await;
    let mut body = a("www.example.com", "198.51.100.4");
    body["proxied"] = json!(true);
    let made = world.post(&world.records(), body).await;
    assert_eq!(made.body["result"]["ttl"], 1);
    let text = json!({"type": "TXT", "name": "t.example.com", "content": "x", "proxied": true});
    assert_eq!(world.post(&world.records(), text).await.chained(), 9004);
    let own = json!({"type": "A", "name": "l.example.com", "content": "127.0.0.1"});
    let made = world.post(&world.records(), own).await;
    assert_eq!(made.body["result"]["proxiable"], false);
}

#[tokio::test]
async fn patch_changes_what_is_sent_and_put_resets_the_rest() {
    let world = world(Pace::instant()).await;
    let mut body = a("www.example.com", "198.51.100.4");
    body["comment"] = json!("ipai ops www 0123456789abcdef");
    let id = create(&world, body).await;
    let path = format!("{}/{id}", world.records());
    let patched = world.patch(&path, json!({"content": "198.51.100.5"})).await;
    assert_eq!(patched.body["result"]["comment"], "ipai ops www 0123456789abcdef");
    assert_eq!(patched.body["result"]["ttl"], 300);
    let whole = json!({"type": "A", "name": "www.example.com", "content": "198.51.100.6"});
    let put = world.put(&path, whole).await;
    assert_eq!(put.body["result"]["comment"], Value::Null);
    assert_eq!(put.body["result"]["ttl"], 1);
}

#[tokio::test]
async fn refuses_what_the_free_plan_lacks() {
    let world = world(Pace::instant()).await;
    let with = |name: &str, value: Value| {
        let mut body = a("www.example.com", "198.51.100.4");
        body[name] = value;
        body
    };
    let records = world.records();
    let tagged = world.post(&records, with("tags", json!(["team:ops"]))).await;
    assert_eq!((tagged.code(), tagged.chained()), (1004, 9300));
    assert_eq!(
        tagged.body["errors"][0]["error_chain"][0]["message"],
        "DNS record has 1 tags, exceeding the quota of 0."
    );
    assert_eq!(world.post(&records, with("comment", json!("x".repeat(101)))).await.code(), 1004);
    assert_eq!(world.post(&records, with("comment", json!("a\nb"))).await.code(), 1004);
    assert_eq!(world.post(&records, with("ttl", json!(59))).await.chained(), 9021);
    assert_eq!(world.post(&records, with("content", json!("nonsense"))).await.chained(), 9005);
    assert_eq!(world.post(&records, with("comment", json!("x".repeat(100)))).await.status, 200);
}

#[tokio::test]
async fn structured_records_carry_data_and_a_content_made_from_it() {
    let world = world(Pace::instant()).await;
    let caa = json!({
        "type": "CAA", "name": "example.com",
        "data": {"flags": 0, "tag": "issue", "value": "letsencrypt.org"},
    });
    let made = world.post(&world.records(), caa).await;
    assert_eq!(made.body["result"]["content"], "0 issue \"letsencrypt.org\"");
    let srv = json!({
        "type": "SRV", "name": "_sip._tcp.example.com",
        "data": {"priority": 10, "weight": 5, "port": 5060, "target": "sip.example.com"},
    });
    let made = world.post(&world.records(), srv).await;
    assert_eq!(made.body["result"]["content"], "5 5060 sip.example.com");
    assert_eq!(made.body["result"]["priority"], 10);
    let mx = json!({"type": "MX", "name": "example.com", "content": "mail.example.com"});
    assert_eq!(world.post(&world.records(), mx.clone()).await.code(), 1004);
    let mut mx = mx;
    mx["priority"] = json!(10);
    let made = world.post(&world.records(), mx).await;
    assert_eq!(made.body["result"]["priority"], 10);
    assert!(made.body["result"].get("data").is_none());
    let text = json!({"type": "TXT", "name": "example.com", "content": "v=spf1 -all"});
    let made = world.post(&world.records(), text).await;
    assert_eq!(made.body["result"]["content"], "v=spf1 -all");
}

#[tokio::test]
async fn the_page_after_the_last_is_empty_and_no_error() {
    let world = world(Pace::instant()).await;
    for n in 0..3 {
        create(&world, a(&format!("n{n}"), "198.51.100.1")).await;
    }
    let page = world.get(&format!("{}?per_page=2&page=2", world.records())).await;
    let info = json!({"page": 2, "per_page": 2, "count": 1, "total_count": 3, "total_pages": 2});
    assert_eq!(page.body["result_info"], info);
    let after = world.get(&format!("{}?per_page=2&page=3", world.records())).await;
    assert_eq!((after.status, &after.body["result"]), (200, &json!([])));
    let all = world.get(&format!("{}?per_page=5000000", world.records())).await;
    assert_eq!(all.body["result"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn finds_records_by_the_beginning_of_their_comment_ignoring_case() {
    let world = world(Pace::instant()).await;
    for (name, comment) in [("one", "ipai ops one 00"), ("two", "ipai web two 00"), ("three", "")] {
        let mut body = a(name, "198.51.100.1");
        body["comment"] = json!(comment);
        create(&world, body).await;
    }
    let world = &world;
    let found = |query: &str| {
        let path = format!("{}?{query}", world.records());
        async move { world.get(&path).await.body["result_info"]["total_count"].clone() }
    };
    assert_eq!(found("comment.startswith=IPAI%20ops%20").await, 1);
    assert_eq!(found("comment.contains=web").await, 1);
    assert_eq!(found("comment.absent=").await, 1);
    assert_eq!(found("comment.startswith=ipai&type=A").await, 2);
    assert_eq!(found("name=ONE.example.com").await, 1);
    assert_eq!(found("name=one.example.com&comment.contains=web&match=any").await, 2);
}

#[tokio::test]
async fn an_unknown_record_and_a_malformed_id_differ() {
    let world = world(Pace::instant()).await;
    let path = format!("{}/{}", world.records(), "0".repeat(32));
    let gone = world.delete(&path).await;
    assert_eq!((gone.status, gone.code()), (404, 81044));
    let lost = world.get(&format!("{}/nonsense", world.records())).await;
    assert_eq!((lost.status, lost.code()), (400, 7003));
}

#[tokio::test]
async fn the_quota_counts_records_of_the_zone() {
    let mut options = common::options(Pace::instant());
    options.limits = Limits { records: 1, ..Limits::default() };
    let world = world_with(options).await;
    create(&world, a("one", "198.51.100.1")).await;
    assert_eq!(world.post(&world.records(), a("two", "198.51.100.1")).await.code(), 81045);
}

#[tokio::test]
async fn exports_what_it_imports() {
    let world = world(Pace::instant()).await;
    let file = "www.example.com. 300 IN A 198.51.100.4\n\
                example.com. 3600 IN MX 10 mail.example.com.\n\
                example.com. 1 IN CAA 0 issue \"letsencrypt.org\"\n";
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"z\"\r\n\r\n{file}\r\n\
         --edge\r\nContent-Disposition: form-data; name=\"proxied\"\r\n\r\nfalse\r\n--edge--\r\n"
    );
    let base = world.simulator.cloudflare_url.trim_end_matches('/').to_owned();
    let request = world.client.post(format!("{base}{}/import", world.records()));
    let request =
        request.bearer_auth("t").header("content-type", "multipart/form-data; boundary=edge");
    let answer: Value =
        serde_json::from_str(&request.body(body).send().await.unwrap().text().await.unwrap())
            .unwrap();
    assert_eq!(answer["result"], json!({"recs_added": 3, "total_records_parsed": 3}), "{answer}");
    let exported = world.get(&format!("{}/export", world.records())).await;
    assert!(exported.header("content-type").starts_with("text/plain"));
    assert!(exported.text.contains("www.example.com.\t300\tIN\tA\t198.51.100.4\n"));
    assert!(exported.text.contains("MX\t10 mail.example.com.\n"));
}
