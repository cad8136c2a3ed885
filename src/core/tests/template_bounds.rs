//! No template can hang, eat the memory up or overflow the stack, whatever stands in it.
//!
//! Tests run on threads with 2 MiB of stack, a quarter of what the program's main thread has.

#![allow(clippy::unwrap_used, reason = "tests")]

use ipai_core::Diagnostic;
use ipai_core::template::{Context, Origin, Renderer, named_secrets};

fn render(source: &str) -> Result<String, Diagnostic> {
    let renderer = Renderer::new(Context::default());
    let rendered = renderer.render(source, &Origin::File("caddy/Caddyfile".into()));
    rendered.map(|rendered| rendered.text)
}

#[track_caller]
fn too_much(source: &str) {
    let problem = render(source).unwrap_err();
    assert_eq!(problem.summary, "The template takes too much", "{problem:?}");
    let detail = problem.detail.unwrap_or_default();
    assert!(detail.contains("`caddy/Caddyfile` has more"), "{detail}");
}

#[test]
fn stops_a_loop_that_would_take_hours() {
    too_much(
        "{% for a in range(100000) %}{% for b in range(100000) %}{% set x = a + b %}{% endfor %}{% endfor %}",
    );
}

#[test]
fn stops_a_text_that_doubles_with_every_turn() {
    too_much(&("{% set x = '0123456789' %}".to_owned() + &"{% set x = x ~ x %}".repeat(60)));
}

#[test]
fn stops_a_single_step_that_makes_a_huge_text() {
    too_much("{{ 'x' * 4000000000 }}");
    too_much("{% set x = 'x' * 100000000 %}");
}

#[test]
fn a_template_of_a_megabyte_is_none_of_those() {
    let lines = "{% for port in range(20000) %}listen {{ port }}; # and a good fifty bytes of comment that say little{{ \"\n\" }}{% endfor %}";
    assert!(render(lines).unwrap().len() > 1_000_000);
}

#[test]
fn refuses_recursion_without_end() {
    let problem = render("{% macro a(n) %}{{ a(n + 1) }}{% endmacro %}{{ a(1) }}").unwrap_err();
    assert!(problem.detail.unwrap_or_default().contains("recursion limit"));
    let looped = "{% for x in [[[]]] recursive %}{{ loop([x, [x]]) }}{% endfor %}";
    assert!(render(looped).is_err());
}

#[test]
fn no_value_can_hold_itself() {
    let problem = render("{% set n = namespace(x=1) %}{% set n.x = n %}{{ n }}").unwrap_err();
    let detail = problem.detail.unwrap_or_default();
    assert!(detail.contains("`namespace` is not available"), "{detail}");
}

#[test]
fn refuses_more_code_than_a_person_writes() {
    too_much(&"{{ 1 }}".repeat(6_000));
}

/// As many links as fit into the most code that a template may have.
fn chains() -> Vec<String> {
    let most = |before: &str, middle: &str, after: &str| {
        let count = 32_700 / (before.len() + after.len());
        format!("{{{{ {}{middle}{} }}}}", before.repeat(count), after.repeat(count))
    };
    let blocks = |open: &str, close: &str| most(open, "", close)[3..].to_owned();
    let wrap = format!("{{%set x={}x{}%}}", "[".repeat(70), "]".repeat(70));
    let wrapped = "{%set x=1%}".to_owned() + &wrap.repeat(32_000 / wrap.len());
    let macros = |inner: &str| {
        format!("{{% macro f(x) %}}{{{{ f({inner}) }}}}{{% endmacro %}}{{{{ f(1) }}}}")
    };
    let nested = format!("{}x{}", "[".repeat(70), "]".repeat(70));
    vec![
        most("(", "1", ")"),
        most("[", "1", "]"),
        most("{'a':", "1", "}"),
        most("-", "1", ""),
        most("not ", "1", ""),
        most("", "1", "+1"),
        most("", "1", " and 1"),
        most("", "1", "**1"),
        most("", "1", "|e"),
        most("", "stack", ".a"),
        most("", "stack", "[0]"),
        most("", "stack", "()"),
        most("", "1", " is odd"),
        most("1 if 1 else ", "1", ""),
        most("1 if ", "1", ""),
        blocks("{% if true %}", "{% endif %}"),
        blocks("{% for x in [1] %}", "{% endfor %}"),
        blocks("{% with %}", "{% endwith %}"),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(2_700)),
        format!("{{% for x in [1] if {}1 %}}{{% endfor %}}", "1+".repeat(16_000)),
        format!("{wrapped}{{{{ x }}}}"),
        format!("{wrapped}{{{{ x|tojson }}}}"),
        format!("{wrapped}{{{{ x == [x] }}}}{{{{ [x, [x]]|sort }}}}{{{{ x.a.b }}}}"),
        macros(&nested),
        format!("{{% for x in [[1]] recursive %}}{{{{ loop({nested}) }}}}{{% endfor %}}"),
    ]
}

#[test]
fn deep_nesting_of_any_kind_is_an_answer_or_an_error() {
    for source in chains() {
        let _ = render(&source);
        let _ = named_secrets(&source);
    }
}
