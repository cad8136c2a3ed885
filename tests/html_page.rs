//! The plan as a page, opened by a real browser from a file, as whoever reviews it does.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "html_page/browser.rs"]
mod browser;
mod common;
#[path = "html_page/places.rs"]
mod places;

use std::sync::LazyLock;

use browser::{Browser, installed};
use common::{CANARY, World};
use places::Places;

const MEASURE: &str = include_str!("html_page/measure.js");
/// What a stranger may have written into a record.
const EVIL: &str =
    "<script>document.title='evil'</script><img src=x onerror=document.title='evil'>";

/// A world in which the next plan does everything that a plan can do, in a page beside it.
struct Reviewed {
    world: World,
    address: String,
}

static REVIEWED: LazyLock<Reviewed> = LazyLock::new(|| {
    let world = World::new();
    world.apply();
    change(&world);
    let mut plan = world.command(&["plan", "--format", "html"]);
    plan.args(["--replace", "cloudflare.dns_record.mail"]);
    plan.env("SHOP_API_KEY", format!("{CANARY}-2"));
    let page = common::run(plan).expect(0).keeps_quiet_about(CANARY).out;
    let file = world.scratch.path().join("plan.html");
    std::fs::write(&file, page).unwrap();
    Reviewed { address: format!("file://{}", file.display()), world }
});

fn change(world: &World) {
    let text = world.read("stack.toml");
    let (before, rest) = text.split_once("[cloudflare.dns_record.authority]").unwrap();
    let (_, after) = rest.split_once("[cloudflare.dns_record.service]").unwrap();
    let fresh = format!(
        "[cloudflare.dns_record.fresh]\nzone = \"example.com\"\nname = \"fresh\"\ntype = \"TXT\"\ncontent = \"{EVIL}\"\n"
    );
    world.write("stack.toml", &format!("{before}{fresh}[cloudflare.dns_record.service]{after}"));
    world.edit("stack.toml", "\"2001:db8::1\"", "\"2001:db8::2\"");
    world.edit("Caddyfile", "reverse_proxy", "encode gzip\n\treverse_proxy");
    let fewer = "443 from 198.51.100.0/24";
    world.edit("stack.toml", "443 from 0.0.0.0/0 ::/0", fewer);
}

/// A browser, if there is one, and the page's address.
fn opened() -> Option<(Browser, String)> {
    let browser = Browser::start(installed()?);
    Some((browser, REVIEWED.address.clone()))
}

/// The addresses whose changes are to be seen.
fn shown(browser: &mut Browser) -> Vec<String> {
    let seen = "[...document.querySelectorAll('.change')].filter(c => c.getBoundingClientRect().height > 0)";
    let texts = browser.value(&format!("{seen}.map(c => c.querySelector('.address').textContent)"));
    serde_json::from_value(texts).unwrap()
}

#[test]
fn the_page_fits_every_window_in_light_and_in_dark() {
    let Some((mut browser, address)) = opened() else { return };
    let mut measured = Places::default();
    for (width, dark) in [(400, false), (400, true), (800, false), (1280, false), (1280, true)] {
        browser.open(&address, width, dark);
        let said = browser.value(MEASURE);
        assert_eq!(said["broken"], serde_json::json!([]), "{width} dark: {dark}");
        measured.add(width, &said["places"]);
    }
    measured.expect_known();
}

#[test]
fn the_page_loads_nothing_and_complains_of_nothing() {
    let Some((mut browser, address)) = opened() else { return };
    browser.open(&address, 1280, false);
    assert_eq!(
        browser.value("document.title"),
        "Plan for shop: 2 to add, 5 to change, 2 to destroy."
    );
    assert_eq!(browser.value("document.images.length"), 0);
    assert_eq!(browser.complaints, Vec::<String>::new());
    browser.loaded.retain(|loaded| loaded != "about:blank");
    assert_eq!(browser.loaded, [address]);
}

#[test]
fn a_script_that_is_not_the_pages_own_does_not_run() {
    let Some((mut browser, address)) = opened() else { return };
    browser.open(&address, 1280, false);
    let injected = "(() => { const script = document.createElement('script'); \
                    script.textContent = 'window.evil = 1'; document.body.append(script); \
                    return typeof window.evil })()";
    assert_eq!(browser.value(injected), "undefined");
    browser
        .value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"evil=1\">')");
    browser.value("1");
    assert!(!browser.complaints.is_empty(), "the policy refused in silence");
}

#[test]
fn what_does_not_fit_the_filter_is_hidden() {
    let Some((mut browser, address)) = opened() else { return };
    browser.open(&address, 1280, false);
    let all = shown(&mut browser);
    assert_eq!(browser.value("document.querySelector('#filter output').textContent"), "");
    browser.value("document.querySelector('#filter [value=destroy]').click()");
    assert_eq!(shown(&mut browser), ["cloudflare.dns_record.authority"]);
    assert_eq!(browser.value("location.hash"), "#action=destroy");
    let told = format!("1 of {}", all.len());
    assert_eq!(browser.value("document.querySelector('#filter output').textContent"), told);
    browser.value("document.querySelector('#filter [value=replace]').click()");
    assert_eq!(shown(&mut browser).len(), 2);
    let type_in = "(words) => { const find = document.querySelector('[type=search]'); find.value = words; \
                   find.dispatchEvent(new Event('input', { bubbles: true })) }";
    browser.value(&format!("({type_in})('MAIL')"));
    assert_eq!(shown(&mut browser), ["cloudflare.dns_record.mail"]);
    assert_eq!(browser.value("location.hash"), "#action=replace,destroy&text=MAIL");
    browser.value(&format!("({type_in})('no such thing')"));
    assert_eq!(shown(&mut browser), Vec::<String>::new());
    browser.value("document.querySelectorAll('#filter :checked').forEach(box => box.click())");
    browser.value(&format!("({type_in})('')"));
    assert_eq!(shown(&mut browser), all);
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn an_address_filters_and_leads_to_a_change() {
    let Some((mut browser, address)) = opened() else { return };
    browser.open(&format!("{address}#action=update&text=encode%20gzip"), 1280, false);
    assert_eq!(shown(&mut browser), ["host.file.proxy"]);
    assert_eq!(browser.value("document.querySelector('[type=search]').value"), "encode gzip");
    browser.open(&address, 1280, false);
    browser.value("document.querySelector('#filter [name=fold]').click()");
    let open = "document.querySelectorAll('.change[open]').length";
    assert_eq!(browser.value(open), 0);
    browser.value("document.querySelector('.warning a').click()");
    browser.value("new Promise(done => setTimeout(done, 50)), 1");
    let led = "document.querySelector('.change:target .address').textContent";
    assert_eq!(browser.value(led), "cloudflare.dns_record.authority");
    assert_eq!(browser.value(open), 1);
    browser.value("document.querySelector('#filter [name=unfold]').click()");
    assert_ne!(browser.value(open), 1);
}

#[test]
fn without_scripts_all_is_there_and_nothing_offers_to_choose() {
    let Some((mut browser, address)) = opened() else { return };
    browser.scripts(false);
    browser.open(&format!("{address}#action=destroy"), 400, false);
    browser.scripts(true);
    assert!(shown(&mut browser).len() > 5);
    assert_eq!(
        browser.value("document.querySelector('#filter').getBoundingClientRect().height"),
        0
    );
    browser
        .value("document.querySelector('.change:not([open]) summary, .unchanged summary').click()");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// Pictures for whoever wants to look at them: `IPAI_PICTURES=FOLDER cargo test --test html_page`.
#[test]
fn the_page_can_be_photographed() {
    let Some((mut browser, address)) = opened() else { return };
    for (width, dark) in [(400, false), (400, true), (1280, false), (1280, true)] {
        browser.open(&address, width, dark);
        let picture = browser.picture();
        assert!(picture.len() > 10_000, "a picture of nothing");
        if let Some(folder) = std::env::var_os("IPAI_PICTURES") {
            let scheme = if dark { "dark" } else { "light" };
            let file = std::path::Path::new(&folder).join(format!("{width}-{scheme}.png"));
            std::fs::write(file, base64(&picture)).unwrap();
        }
    }
    assert!(REVIEWED.world.scratch.path().exists());
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
