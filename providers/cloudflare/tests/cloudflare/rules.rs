//! What a stack may write about records, and what it means.

use crate::common::{desire, desire_in, good, record};
use ipai_core::{ResourceType, Value};

/// The summaries and hints of everything wrong with one record.
fn problems(body: &str) -> Vec<(String, String)> {
    let (_, problems) = desire(&record("r", body));
    let one = |d: ipai_core::Diagnostic| (d.summary, d.hint.unwrap_or_default());
    problems.into_iter().map(one).collect()
}

fn attribute(body: &str, name: &str) -> Value {
    good(&record("r", body)).resources[0].attributes[name].clone()
}

#[test]
fn the_example_is_a_stack_without_problems_and_shows_every_type() {
    let example = ipai_cloudflare::DnsRecord.example();
    let desired = good(example);
    let mut types: Vec<&str> = desired.resources.iter().filter_map(|r| r.text("type")).collect();
    types.sort_unstable();
    assert_eq!(types, ["A", "CAA", "CNAME", "MX", "SRV", "TXT"]);
}

#[test]
fn spellings_become_one_form() {
    let a = "type = \"A\"\ncontent = \"203.0.113.7\"\nname = ";
    for (name, expected) in [
        ("www", "www.example.com"),
        ("WWW.Example.com.", "www.example.com"),
        ("@", "example.com"),
        ("*", "*.example.com"),
        ("bücher", "xn--bcher-kva.example.com"),
    ] {
        assert_eq!(attribute(&format!("{a}\"{name}\""), "name"), Value::text(expected));
    }
    let aaaa = "name = \"a\"\ntype = \"AAAA\"\ncontent = \"2001:DB8:0::1\"";
    assert_eq!(attribute(aaaa, "content"), Value::text("2001:db8::1"));
    let txt = "name = \"a\"\ntype = \"TXT\"\ncontent = '\"v=spf1\" \" -all\"'";
    assert_eq!(attribute(txt, "content"), Value::text("v=spf1 -all"));
    let srv = "name = \"_a._tcp\"\ntype = \"SRV\"\ncontent = \"@\"\npriority = 1\nport = 2";
    assert_eq!(attribute(srv, "content"), Value::text("example.com"));
    assert_eq!(attribute(srv, "weight"), Value::Int(0));
    let caa = "name = \"@\"\ntype = \"CAA\"\ncontent = \"ca.example\"\ntag = \"issue\"";
    assert_eq!(attribute(caa, "flags"), Value::Int(0));
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let a = "name = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\"\n";
    for (body, summary, hint) in [
        ("name = \"r\"\ntype = \"A\"\ncontent = \"2001:db8::1\"", "Content does not fit", "AAAA"),
        (
            "name = \"r\"\ntype = \"CNAME\"\ncontent = \"chat\"",
            "Content does not fit",
            "complete name",
        ),
        ("name = \"r\"\ntype = \"CNAME\"\ncontent = \"r.example.com\"", "Content does not fit", ""),
        (
            "name = \"r\"\ntype = \"MX\"\ncontent = \"m.example.com\"",
            "Attribute missing",
            "priority",
        ),
        (
            "name = \"r\"\ntype = \"SRV\"\ncontent = \"m.example.com\"\npriority = 1",
            "Attribute missing",
            "port",
        ),
        ("name = \"r\"\ntype = \"CAA\"\ncontent = \"ca.example\"", "Attribute missing", "tag"),
        (
            "name = \"r\"\ntype = \"CAA\"\ntag = \"iodef\"\ncontent = \"ca.example\"",
            "Content does not fit",
            "mailto:",
        ),
        ("name = \"r\"\ntype = \"TXT\"\ncontent = \"\"\"a\nb\"\"\"", "Content does not fit", ""),
        (
            "name = \"r\"\ntype = \"TXT\"\ncontent = \"a\"\nproxied = true",
            "Record cannot be proxied",
            "proxied",
        ),
        (
            "name = \"www.other.com\"\ntype = \"A\"\ncontent = \"203.0.113.7\"",
            "Record outside the zone",
            "www.other.com.example.com",
        ),
        ("name = \"a b\"\ntype = \"A\"\ncontent = \"203.0.113.7\"", "Not a record's name", "@"),
        (&format!("{a}priority = 1"), "Attribute of another record type", "remove"),
        (&format!("{a}ttl = 15"), "Time to live too short", "60"),
        (&format!("{a}ttl = 300\nproxied = true"), "Time to live without effect", "remove `ttl`"),
    ] {
        let found = problems(body);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert!(found[0].0.starts_with(summary) && found[0].1.contains(hint), "{body}: {found:?}");
    }
}

#[test]
fn a_proxied_record_is_automatic_whatever_was_written() {
    let (desired, problems) = desire(&record(
        "r",
        "name = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\"\nttl = 300\nproxied = true",
    ));
    assert!(problems.iter().all(|problem| !problem.is_error()));
    assert_eq!(desired.resources[0].attributes["ttl"], Value::Int(1));
}

#[test]
fn a_zone_is_a_domain() {
    for zone in ["localhost", "*.example.com", "exa mple.com", "https://example.com"] {
        let text = format!(
            "[cloudflare.dns_record.r]\nzone = \"{zone}\"\nname = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\""
        );
        let (_, problems) = desire(&text);
        assert_eq!(problems[0].summary, "Not a zone's name", "{zone}");
    }
}

#[test]
fn a_marker_that_no_comment_could_hold_is_refused_before_anything_is_called() {
    let long = "n".repeat(40);
    let resource = record(&long, "name = \"r\"\ntype = \"A\"\ncontent = \"203.0.113.7\"");
    for (stack, environment, fits) in [
        ("s".repeat(37), None, true),
        ("s".repeat(38), None, false),
        ("s".repeat(35), Some("p"), false),
    ] {
        let (_, problems) = desire_in(&stack, environment, &resource);
        assert_eq!(problems.is_empty(), fits, "{stack}: {problems:?}");
        if let Some(problem) = problems.first() {
            let detail = problem.detail.clone().unwrap();
            assert!(detail.contains("has 38") && detail.contains(" 40"), "{detail}");
        }
    }
}

#[test]
fn refuses_records_of_one_stack_that_exclude_each_other() {
    let body = |kind: &str, content: &str| {
        format!("name = \"x\"\ntype = \"{kind}\"\ncontent = \"{content}\"")
    };
    let cname = body("CNAME", "b.example.com");
    let a = body("A", "203.0.113.7");
    for (one, other, refused) in [
        (&a, &a, true),
        (&a, &cname, true),
        (&cname, &cname, true),
        (&a, &body("A", "203.0.113.8"), false),
        (&cname, &body("TXT", "t"), false),
    ] {
        let (_, problems) = desire(&(record("one", one) + &record("other", other)));
        assert_eq!(!problems.is_empty(), refused, "{one} {other}: {problems:?}");
    }
}

#[test]
fn a_secret_text_stays_a_secret() {
    let secret = "[secret.token]\nenv = \"T\"\n";
    let body = "name = \"r\"\ntype = \"TXT\"\ncontent = \"v={{ secret.token }}\"";
    let (desired, problems) = desire(&format!("{secret}{}", record("r", body)));
    assert!(problems.is_empty(), "{problems:?}");
    assert!(desired.resources[0].attributes["content"].is_sensitive());
    assert!(!format!("{desired:?}").contains("token-value"));
}
