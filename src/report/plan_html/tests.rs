use ipai_core::plan::{AttributeChange, Conflict, Shown};
use ipai_core::{Action, Plan, Reason, StackId, Verb};
use serde_json::json;

use super::super::samples::*;
use super::*;

fn page(plan: &Plan) -> String {
    let mut out = Vec::new();
    plan_html(&mut out, plan, &[], &PlanOptions::calling("ipai -C ops".into())).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a reader sees: without tags, styles and scripts.
fn seen(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap().split("<script>").next().unwrap();
    let text: String = body.split('<').filter_map(|piece| piece.split('>').nth(1)).collect();
    text.replace("&gt;", ">").replace("&lt;", "<").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn what_goes_stands_first_and_every_change_after_it_with_its_attributes() {
    let page = page(&rich());
    let text = seen(&page);
    assert!(
        text.trim_start().starts_with("Plan for ops\n3 to add, 4 to change, 2 to destroy\n"),
        "{text}"
    );
    let warning = "Warning: this plan destroys cloudflare.dns_record.old; \
                   it replaces digitalocean.droplet.web (holds data).\n";
    assert!(text.contains(warning), "{text}");
    for said in [
        "+ secret.n8n_jwt create has not been generated yet\n",
        "-/+ digitalocean.droplet.web replace cannot change `region` in place holds data id 42\n",
        "regionams3 → fra1 forces replacement\n",
        "content203.0.113.7 → (known after apply)\n",
        "content3.1 KiB → 3.1 KiB +1 -1 lines@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n\n",
        "content(sensitive value) changed\n",
        "- cloudflare.dns_record.old destroy no longer in the stack id 42\n",
        "Drift: 1 resource changed outside of ipai\n  cloudflare.dns_record.mail: ttl\n",
        "allow it with --allow-data-loss digitalocean.droplet.web\n",
        "1 unchanged\n\ncloudflare.dns_record.chat\n",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(page.contains("<a href=\"#c1\"><code>digitalocean.droplet.web</code></a>"), "{page}");
    assert!(
        page.contains("<details class=\"change replace\" data-action=\"replace\" id=\"c1\" open>")
    );
    let counted = "value=\"update\"><span><b>~</b> update 4</span></label>";
    assert!(page.contains(counted) && page.contains("<svg "), "{page}");
}

#[test]
fn a_secret_is_never_on_the_page() {
    let hidden = vec![
        change("content", secret("1f"), secret("2e")),
        change("token", Shown::Absent, secret("3d")),
        edited("env", json!({ "KEY": { "sensitive": "4c".repeat(16) } }), json!({})),
        edited("list", json!([{ "sensitive": "5b".repeat(16) }]), json!(["x".repeat(90)])),
    ];
    let page = page(&plan(vec![action("host.file.env", Verb::Update, Reason::Edited, hidden)]));
    for digest in ["1f1f", "2e2e", "3d3d", "4c4c", "5b5b"] {
        assert!(!page.contains(digest), "{digest}\n{page}");
    }
    assert_eq!(seen(&page).matches("(sensitive value)").count(), 4, "{page}");
}

#[test]
fn nothing_that_others_wrote_is_markup() {
    let evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u{1b}[2J\u{202e}";
    let diff = Some(format!("--- a\n+++ b\n@@ -1 +1 @@\n+{evil}\n+</pre></script>\n+tail \t\n"));
    let changed = AttributeChange { diff, ..edited(evil, content(1), content(2)) };
    let lists = edited(evil, json!([evil, "a".repeat(99)]), json!([evil, "b".repeat(99), evil]));
    let changes =
        vec![changed, lists, edited(evil, json!("a"), json!(evil)), new(evil, json!(evil))];
    let one = action("host.file.a", Verb::Delete, Reason::DuplicateOf(evil.into()), changes);
    let mut plan = plan(vec![Action { id: Some(evil.into()), ..one }]);
    plan.stack = StackId::new(evil, None);
    plan.notes = vec![note(None, evil)];
    plan.foreign = vec![ipai_core::Foreign { title: evil.into(), id: evil.into(), ..foreign() }];
    plan.conflicts = vec![Conflict { why: evil.into(), hint: Some(evil.into()), ..conflict(true) }];
    let page = page(&plan);
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert_eq!(page.matches("</script").count(), 1, "{page}");
    assert!(!page.contains("<img") && !page.contains("\u{1b}") && !page.contains('\u{202e}'));
    // Outside of tags there is no angle bracket, and within them no stranger's quotation mark.
    let body = page.split("<body>").nth(1).unwrap().split("<script>").next().unwrap();
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "{piece}");
        assert!(!tag.contains("onerror"), "{piece}");
    }
    assert!(seen(&page).contains("+tail··\n"), "{page}");
}

#[test]
fn the_policy_names_the_one_style_and_the_one_script_of_the_page_and_forbids_all_else() {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let page = page(&rich());
    let hash = |open: &str, close: &str| {
        let inside: Vec<&str> = page.split(open).skip(1).collect();
        let [inside] = inside[..] else { panic!("{} of {open}", inside.len()) };
        let digest = Sha256::digest(inside.split(close).next().unwrap());
        base64::engine::general_purpose::STANDARD.encode(digest)
    };
    let (script, style) = (hash("<script>", "</script>"), hash("<style>", "</style>"));
    let policy = format!(
        "content=\"default-src &#39;none&#39;; script-src &#39;sha256-{script}&#39;; \
         style-src &#39;sha256-{style}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;\""
    );
    assert!(page.contains(&policy), "{policy}\n{page}");
    assert!(!page.contains(" style=") && !page.contains(" onclick="), "{page}");
    let rest = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "@import", "src=", "<link", "<iframe", "<base"] {
        assert!(!rest.contains(outside), "{outside}");
    }
}

#[test]
fn an_empty_plan_says_so_and_offers_nothing_to_choose() {
    let page = page(&plan(vec![same("cloudflare.dns_record.chat")]));
    let text = seen(&page);
    assert!(text.contains("No changes. Your infrastructure matches the configuration."), "{text}");
    assert!(text.contains("1 unchanged\n\ncloudflare.dns_record.chat"), "{text}");
    let body = page.split("<body>").nth(1).unwrap().split("<script>").next().unwrap();
    for absent in ["id=\"filter\"", "Warning", "<h2>Changes"] {
        assert!(!body.contains(absent), "{absent}");
    }
}

#[test]
fn few_changes_are_unfolded_and_many_names_are_counted() {
    let gone = |n: usize| {
        let address = format!("cloudflare.dns_record.r{n}");
        action(&address, Verb::Delete, Reason::NoLongerDesired, vec![new("ttl", json!(1))])
    };
    let few = page(&plan((0..UNFOLDED).map(gone).collect()));
    assert_eq!(few.matches("\" open><summary class=\"line\">").count(), UNFOLDED);
    let many = page(&plan((0..NAMED + 7).map(gone).collect()));
    assert_eq!(many.matches("\" open><summary class=\"line\">").count(), 0);
    assert!(seen(&many).contains("cloudflare.dns_record.r19 and 7 more.\n"), "{many}");
}

#[test]
fn a_plan_of_any_size_is_written_as_it_is_made() {
    /// Counts what is written, and the longest piece.
    struct Meter(usize, usize);
    impl Write for Meter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            self.1 = self.1.max(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let plan = plan((0..10_000).map(|n| new_file(&format!("f{n}"), Shown::Unknown)).collect());
    let mut meter = Meter(0, 0);
    let start = std::time::Instant::now();
    plan_html(&mut meter, &plan, &[], &PlanOptions::default()).unwrap();
    // The bound is the release build's on a quiet machine, several times over.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert!(meter.0 > 5_000_000 && meter.1 < 20_000, "{} bytes, {} at once", meter.0, meter.1);
}
