//! What plans look like, form by form.

use std::time::{Duration, Instant};

use ipai_core::plan::Shown;
use ipai_core::{Action, Diagnostic, Plan, Reason, Sources, Verb};
use serde_json::json;

use super::samples::*;
use super::*;

fn brief(plan: &Plan) -> String {
    plan_text(plan, &Style::plain(), &PlanOptions::default())
}

fn full(plan: &Plan) -> String {
    plan_text(plan, &Style { verbose: true, ..Style::plain() }, &PlanOptions::default())
}

/// Compares, with the fingerprint put in where the expected text says `FINGERPRINT`.
#[track_caller]
fn check(plan: &Plan, expected: &str) {
    let text = brief(plan);
    let expected = expected.replace("FINGERPRINT", &plan.fingerprint());
    assert!(text == expected, "got:\n{text}\nexpected:\n{expected}");
}

fn json_of(plan: &Plan) -> serde_json::Value {
    json_with(plan, &PlanFacts { ipai_version: "0.1.0", exit_code: 2, ..PlanFacts::default() })
}

fn json_with(plan: &Plan, facts: &PlanFacts<'_>) -> serde_json::Value {
    let mut text = Vec::new();
    write_plan_json(&mut text, plan, facts, &Sources::default()).unwrap();
    let json = serde_json::from_slice(&text).unwrap();
    // Written in pieces, it is laid out as in one.
    assert_eq!(String::from_utf8(text).unwrap(), json_text(&json, true) + "\n");
    json
}

#[test]
fn a_first_apply_lists_what_will_be_created() {
    let secrets =
        ["n8n_jwt_secret", "postgres_password", "superset_admin_password", "superset_secret_key"];
    let secret = |name: &&str| {
        action(&format!("secret.{name}"), Verb::Create, Reason::NotGenerated, Vec::new())
    };
    let mut actions: Vec<Action> = secrets.iter().map(secret).collect();
    let record = vec![
        new("zone", json!("example.com")),
        new("name", json!("chat.example.com")),
        new("type", json!("A")),
        change("content", Shown::Absent, Shown::Unknown),
    ];
    actions.push(new_droplet());
    actions.push(action("cloudflare.dns_record.chat", Verb::Create, Reason::NotFound, record));
    actions.push(new_file("caddyfile", Shown::Value(content(3175))));
    actions.push(new_file("postgres_env", secret_value()));
    check(
        &plan(actions),
        "\
ipai will perform the following actions:
  + create

  + 4 secrets will be generated
      secret.n8n_jwt_secret, secret.postgres_password, secret.superset_admin_password,
      secret.superset_secret_key
  + digitalocean.droplet.ops    does not exist yet
      name: ops, region: sgp1, size: s-4vcpu-8gb, image: debian-13-x64, power: on, … 3 more
  + cloudflare.dns_record.chat  does not exist yet
      zone: example.com, name: chat.example.com, type: A, content: (known after apply)
  + host.file.caddyfile         digitalocean.droplet.ops is new
      host: digitalocean.droplet.ops, path: /opt/ipai/ops/caddyfile, content: 3.1 KiB, … 2 more
  + host.file.postgres_env      digitalocean.droplet.ops is new
      host: digitalocean.droplet.ops, path: /opt/ipai/ops/postgres_env, … 3 more

Some of this is shortened; -v shows all of it.

Plan: 8 to add, 0 to change, 0 to destroy.
Plan FINGERPRINT (0 unchanged)
",
    );
}

fn secret_value() -> Shown {
    secret("1f")
}

#[test]
fn every_verb_has_its_symbol_and_every_line_its_reason() {
    check(
        &rich(),
        "\
Drift: 1 resource changed outside of ipai
  cloudflare.dns_record.mail: ttl

ipai will perform the following actions:
  + create  ~ update in-place  -/+ destroy and then create replacement  - destroy

  + 1 secret will be generated
      secret.n8n_jwt
-/+ digitalocean.droplet.web    cannot change `region` in place [id=42]
      region: ams3 → fra1  # forces replacement
      size: s-1vcpu-1gb → s-2vcpu-2gb
  ~ cloudflare.dns_record.www   waits for digitalocean.droplet.ops.ipv4
      content: 203.0.113.7 → (known after apply)
  ~ cloudflare.dns_record.mail  drifted: it was changed outside of ipai
      ttl: 60 → 300
  ~ host.file.caddyfile         the stack was edited
      content: 3.1 KiB → 3.1 KiB (+1 -1 lines)
        @@ -1,3 +1,3 @@
         a
        -b
        +B
         c
  ~ host.file.env               the stack was edited
      content: (sensitive value) changed
      mode: 0644 → 0600
  + host.file.sshd              digitalocean.droplet.ops is new
      host: digitalocean.droplet.ops, path: /opt/ipai/ops/sshd, content: 180 B, … 2 more
  - cloudflare.dns_record.old   no longer in the stack [id=42]
      content: 198.51.100.1

Some of this is shortened; -v shows all of it.

Holds data: digitalocean.droplet.web is replaced; allow it with --allow-data-loss digitalocean.droplet.web
Plan: 3 to add, 4 to change, 2 to destroy.
Plan FINGERPRINT (1 unchanged)
",
    );
}

#[test]
fn nothing_to_do_is_the_well_known_sentence() {
    check(
        &plan(vec![same("host.file.a")]),
        "No changes. Your infrastructure matches the configuration.\n",
    );
    let options = PlanOptions { destroy: true, ..PlanOptions::default() };
    assert_eq!(
        plan_text(&plan(Vec::new()), &Style::plain(), &options),
        "No changes. No objects need to be destroyed.\n"
    );
}

#[test]
fn an_object_deleted_by_others_is_drift() {
    let changes = vec![new("content", json!("203.0.113.7"))];
    check(
        &plan(vec![action("cloudflare.dns_record.www", Verb::Create, Reason::Deleted, changes)]),
        "\
Drift: 1 resource changed outside of ipai
  cloudflare.dns_record.www: deleted

ipai will perform the following actions:
  + create

  + cloudflare.dns_record.www  drifted: it was deleted outside of ipai
      content: 203.0.113.7

Plan: 1 to add, 0 to change, 0 to destroy.
Plan FINGERPRINT (0 unchanged)
",
    );
}

#[test]
fn a_stranger_in_the_way_is_an_error_with_a_way_out() {
    let mut plan = plan(vec![action(
        "cloudflare.dns_record.chat",
        Verb::Create,
        Reason::NotFound,
        Vec::new(),
    )]);
    plan.conflicts = vec![conflict(true), conflict(false)];
    plan.notes = vec![
        note(Some("digitalocean.droplet.ops"), "`image` is used only when it is created"),
        note(None, "the account has\nmany droplets"),
    ];
    plan.foreign = vec![foreign(), foreign()];
    check(
        &plan,
        "\
ipai will perform the following actions:
  + create

  + cloudflare.dns_record.chat  does not exist yet

error: cloudflare.dns_record.chat cannot be created: a CNAME allows no other record of its name
  in the way: CNAME chat.example.com → old.example.net (cloudflare.dns_record, id 372e67954025e0ba6aaa6d586b9e0b59)
  hint: take it over with `ipai adopt cloudflare.dns_record.chat`
error: cloudflare.dns_record.chat cannot be created: a CNAME allows no other record of its name
  in the way: CNAME chat.example.com → old.example.net (cloudflare.dns_record, id 372e67954025e0ba6aaa6d586b9e0b59)
  hint: remove it where it was made, or take the resource out of the stack

note: digitalocean.droplet.ops: `image` is used only when it is created
note: the account has\\nmany droplets
2 foreign objects nearby, left alone (-v lists them)

Plan: 1 to add, 0 to change, 0 to destroy.
Plan FINGERPRINT (0 unchanged)
",
    );
    plan.conflicts = vec![conflict(true), conflict(true)];
    let adopt = "`ipai adopt cloudflare.dns_record.chat 372e67954025e0ba6aaa6d586b9e0b59`\n";
    assert_eq!(brief(&plan).matches(adopt).count(), 2);
    assert!(full(&plan).contains(
        "nearby, left alone:\n  CNAME chat.example.com → old.example.net (cloudflare.dns_record, id 372e"
    ));
}

#[test]
fn a_plan_of_a_part_says_so() {
    let mut plan = plan(vec![same("host.file.a")]);
    plan.targets = vec!["host.file.a".parse().unwrap()];
    check(
        &plan,
        "\
warning: this plan is limited to host.file.a and what that needs; the rest was not planned

No changes. Your infrastructure matches the configuration.
",
    );
}

#[test]
fn destroying_names_what_holds_data_and_what_is_allowed() {
    let doomed =
        |name: &str| holding_data(action(name, Verb::Delete, Reason::Destroyed, Vec::new()));
    let plan = plan(vec![doomed("digitalocean.droplet.ops"), doomed("digitalocean.droplet.web")]);
    let approved = [droplet()].into();
    let text = plan_text(
        &plan,
        &Style::plain(),
        &PlanOptions { destroy: true, approved, ..PlanOptions::default() },
    );
    let expected = "\
ipai will perform the following actions:
  - destroy

  - digitalocean.droplet.ops  the stack is being destroyed [id=42]
  - digitalocean.droplet.web  the stack is being destroyed [id=42]

Holds data: digitalocean.droplet.ops is destroyed; its loss is allowed
Holds data: digitalocean.droplet.web is destroyed; allow it with --allow-data-loss digitalocean.droplet.web
Plan: 0 to add, 0 to change, 2 to destroy.
";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn long_lists_are_compared_item_by_item() {
    let rule = |port: u16| json!(format!("tcp {port} from 203.0.113.0/24 198.51.100.0/24"));
    let lists = edited("inbound", json!([rule(22), rule(80)]), json!([rule(80), rule(443)]));
    let text = brief(&plan(vec![action(
        "digitalocean.firewall.ops",
        Verb::Update,
        Reason::Edited,
        vec![lists],
    )]));
    let expected = "      inbound: items change
        - \"tcp 22 from 203.0.113.0/24 198.51.100.0/24\"
        + \"tcp 443 from 203.0.113.0/24 198.51.100.0/24\"
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn contents_of_one_size_are_told_apart_by_their_hash() {
    let other = json!({ "sha256": "f".repeat(64), "size": 500 });
    let changes = vec![edited("content", content(500), other)];
    let text = brief(&plan(vec![action("host.file.a", Verb::Update, Reason::Edited, changes)]));
    assert!(
        text.contains("content: 500 B (sha256 0123abcd…) → 500 B (sha256 ffffffff…)\n"),
        "{text}"
    );
}

#[test]
fn everything_is_shown_when_it_is_asked_for() {
    let long = "x".repeat(500);
    let mut droplet = new_droplet();
    droplet.changes.push(new("note", json!(long)));
    let text = full(&plan(vec![droplet]));
    assert!(text.contains("\n      tags: []\n") && text.contains(&long), "{text}");
    assert!(
        text.contains(&format!("user_data: 6.2 KiB (sha256 {})\n", "0123abcd".repeat(8))),
        "{text}"
    );
    assert!(!text.contains("-v shows"), "{text}");
}

#[test]
fn one_droplet_and_thirty_files_stay_readable() {
    let mut actions = vec![new_droplet()];
    actions.extend((0..30).map(|n| new_file(&format!("f{n}"), Shown::Value(content(3175)))));
    let text = brief(&plan(actions));
    assert!(text.lines().count() < 75, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn nothing_that_others_wrote_steers_the_terminal() {
    let evil = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\nNo changes.";
    let mut plan = rich();
    plan.actions.push(Action {
        id: Some(evil.into()),
        ..action(
            "host.file.x",
            Verb::Delete,
            Reason::DuplicateOf(evil.into()),
            vec![change(evil, Shown::Value(json!(evil)), Shown::Absent)],
        )
    });
    let mut diffed = edited("content", content(1), content(2));
    diffed.diff = Some(format!("--- a\n+++ b\n@@ -1 +1 @@\n-{evil}\n+{evil}\n"));
    let lists = edited("list", json!([evil, evil]), json!({ evil: evil }));
    plan.actions.push(action("host.file.y", Verb::Update, Reason::Edited, vec![diffed, lists]));
    plan.foreign = vec![ipai_core::Foreign { title: evil.into(), id: evil.into(), ..foreign() }];
    plan.conflicts = vec![ipai_core::plan::Conflict { why: evil.into(), ..conflict(true) }];
    plan.notes = vec![note(None, evil)];
    for text in [brief(&plan), full(&plan), json_text(&json_of(&plan), true)] {
        assert!(!text.chars().any(clean::is_harmful), "{text:?}");
    }
    // Only a diff has lines of its own, and those stand in.
    assert!(!full(&plan).lines().any(|line| line.starts_with("No changes.")));
    let coloured =
        plan_text(&plan, &Style { colour: true, ..Style::plain() }, &PlanOptions::default());
    let foreign_escape = coloured.split('\u{1b}').skip(1).find(|piece| {
        let code = piece.trim_start_matches('[').split('m').next().unwrap_or_default();
        !code.bytes().all(|b| b.is_ascii_digit() || b == b';')
    });
    assert_eq!(foreign_escape, None);
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured =
        plan_text(&rich(), &Style { colour: true, ..Style::plain() }, &PlanOptions::default());
    assert!(
        coloured.contains("\u{1b}[32m  +\u{1b}[0m") && coloured.contains("\u{1b}[31m-b\u{1b}[0m")
    );
    let mut pieces = coloured.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    let plain =
        pieces.fold(first, |text, piece| text + piece.split_once('m').unwrap_or_default().1);
    assert_eq!(plain, brief(&rich()));
}

#[test]
fn ten_thousand_actions_are_written_in_well_under_a_second() {
    let one = rich().actions;
    let plan = plan(one.iter().cycle().take(10_000).cloned().collect());
    let begun = Instant::now();
    let text = brief(&plan);
    let json = json_text(&json_of(&plan), false);
    let took = begun.elapsed();
    assert!(text.len() > 500_000 && json.len() > 1_000_000);
    // Without optimisation, on a busy machine.
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn the_json_has_the_shape_that_readers_of_terraform_know() {
    let json = json_of(&rich());
    assert_eq!((&json["format_version"], &json["exit_code"]), (&json!("1.0"), &json!(2)));
    assert_eq!((&json["errored"], &json["applyable"]), (&json!(false), &json!(true)));
    assert!(json.get("timestamp").is_none());
    let changes = json["resource_changes"].as_array().unwrap();
    let actions: Vec<&serde_json::Value> =
        changes.iter().map(|c| &c["change"]["actions"]).collect();
    assert_eq!(
        actions[1..4],
        [&json!(["delete", "create"]), &json!(["update"]), &json!(["update"])]
    );
    assert_eq!(actions[6..], [&json!(["create"]), &json!(["no-op"]), &json!(["delete"])]);
    let replaced = &changes[1];
    assert_eq!(replaced["type"], "digitalocean_droplet");
    assert_eq!(replaced["action_reason"], "replace_because_cannot_update");
    assert_eq!(replaced["change"]["replace_paths"], json!([["region"]]));
    assert_eq!(replaced["change"]["before"], json!({ "region": "ams3", "size": "s-1vcpu-1gb" }));
    assert_eq!(changes[0]["type"], "secret");
    assert_eq!(changes[6]["change"]["before"], json!(null));
    assert!(changes[7].get("action_reason").is_none());
    assert_eq!(changes[8]["action_reason"], "delete_because_no_resource_config");
    assert_eq!(changes[8]["change"]["after"], json!(null));
}

#[test]
fn the_json_tells_unknown_and_sensitive_without_showing_them() {
    let mut plan = rich();
    let nested = json!(["a", { "sensitive": "ab".repeat(16) }]);
    plan.actions.push(action(
        "x.y.z",
        Verb::Update,
        Reason::Edited,
        vec![edited("list", json!([]), nested)],
    ));
    let json = json_of(&plan);
    let change = |index: usize| &json["resource_changes"][index]["change"];
    assert_eq!(change(2)["after_unknown"], json!({ "content": true }));
    assert_eq!(change(2)["after"], json!({}));
    assert_eq!(change(5)["after"], json!({ "content": "(sensitive value)", "mode": "0600" }));
    assert_eq!(change(5)["after_sensitive"], json!({ "content": true }));
    assert_eq!(change(9)["after"], json!({ "list": ["a", "(sensitive value)"] }));
    assert_eq!(change(9)["after_sensitive"], json!({ "list": [false, true] }));
}

#[test]
fn the_json_shows_drift_from_desired_to_live() {
    let deleted = action(
        "cloudflare.dns_record.www",
        Verb::Create,
        Reason::Deleted,
        vec![new("ttl", json!(60))],
    );
    let mut plan = rich();
    plan.actions.push(deleted);
    let json = json_of(&plan);
    let drift = json["resource_drift"].as_array().unwrap();
    assert_eq!(drift.len(), 2);
    assert_eq!(drift[0]["change"]["before"], json!({ "ttl": 300 }));
    assert_eq!(drift[0]["change"]["after"], json!({ "ttl": 60 }));
    assert_eq!(drift[1]["change"]["actions"], json!(["delete"]));
    assert_eq!(drift[1]["change"]["after"], json!(null));
}

#[test]
fn the_json_of_a_failed_plan_says_so() {
    let problems = [Diagnostic::error("x")];
    let facts = PlanFacts {
        diagnostics: &problems,
        timestamp: Some("2026-01-01T00:00:00Z"),
        config_hash: Some("sha256:00"),
        exit_code: 1,
        ..PlanFacts::default()
    };
    let json = json_with(&plan(Vec::new()), &facts);
    assert_eq!((&json["errored"], &json["complete"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&json["timestamp"], &json["config_hash"]),
        (&json!("2026-01-01T00:00:00Z"), &json!("sha256:00"))
    );
    assert_eq!(json["diagnostics"][0]["summary"], "x");
}

#[test]
fn adoption_and_forgetting_have_their_own_symbols() {
    let adopt = Action {
        id: Some("9".into()),
        ..action("cloudflare.dns_record.chat", Verb::Adopt, Reason::Requested, Vec::new())
    };
    let text = brief(&plan(vec![adopt.clone()]));
    assert!(text.contains("  = cloudflare.dns_record.chat  as requested [id=9]\n"), "{text}");
    let json = json_of(&plan(vec![adopt]));
    assert_eq!(json["resource_changes"][0]["change"]["importing"], json!({ "id": "9" }));
    let forget = action("cloudflare.dns_record.chat", Verb::Forget, Reason::Requested, Vec::new());
    assert!(
        brief(&plan(vec![forget])).contains("\n  . cloudflare.dns_record.chat  as requested\n")
    );
}

#[test]
fn the_stream_announces_drift_then_actions_then_counts() {
    let plan = rich();
    let messages: Vec<_> = feed::plan_messages(&plan, None).collect();
    let kinds: Vec<&str> = messages.iter().filter_map(|message| message["type"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "planned_change").count(), 8);
    assert_eq!((kinds[0], kinds[9]), ("resource_drift", "change_summary"));
    assert_eq!(messages[9]["@message"], "Plan: 3 to add, 4 to change, 2 to destroy.");
}
