use super::find;
use crate::compose::yaml;

/// Each mistake as `line summary (hint)`.
fn mistakes(text: &str) -> Vec<String> {
    let found = find(&yaml::read(text).unwrap(), text, false);
    let line = |problem: &ipai_core::Diagnostic| problem.rendered_line().map_or(0, |line| line);
    let shown = |problem: ipai_core::Diagnostic| {
        let sign = if problem.is_error() { "" } else { "warning: " };
        let hint = problem.hint.clone().unwrap_or_default();
        format!("{} {sign}{} ({hint})", line(&problem), problem.summary)
    };
    found.into_iter().map(shown).collect()
}

#[test]
fn keys_that_compose_does_not_know_are_told_with_their_lines() {
    let text = "servces: {}\nservices:\n  # the page\n  web:\n    imge: caddy:2\n    healthcheck:\n      tst: [CMD, x]\n    \
                x-own: 1\n    future_thing: 1\n  flow: {image: \"a:1\", prots: []}\nx-any: 1\n";
    let mut found = mistakes(text);
    found.sort();
    assert_eq!(
        found,
        [
            "1 Unknown key `servces` in a Compose file (did you mean `services`?)",
            "10 Unknown key `prots` in a Compose file (did you mean `ports`?)",
            "5 Unknown key `imge` in a Compose file (did you mean `image`?)",
            "7 Unknown key `tst` in a Compose file (did you mean `test`?)",
            "9 warning: Unknown key `future_thing` in a Compose file (Docker Compose refuses it, unless its version is newer than ipai)",
        ]
    );
}

#[test]
fn names_without_anything_behind_them_are_told_with_their_lines() {
    let text = "services:\n  web:\n    image: caddy:2\n    depends_on: [bd]\n    volumes:\n    - dta:/data\n    \
                - ./here:/x\n    - /only/inside\n    - other:/y\n    networks: [default, front]\n    secrets:\n      - source: key\n  \
                db:\n    image: p:1\n    depends_on:\n      wbe:\n        condition: service_healthy\nvolumes:\n  data:\n";
    let mut found = mistakes(text);
    found.sort();
    assert_eq!(
        found,
        [
            "10 Undefined network in a Compose file (declare it in a section `networks:` at the end of the file, beside `services:`)",
            "12 Undefined secret in a Compose file (declare it in a section `secrets:` at the end of the file, beside `services:`)",
            "16 `depends_on` names an unknown service (did you mean `web`?)",
            "4 `depends_on` names an unknown service (did you mean `db`?)",
            "6 Undefined volume in a Compose file (did you mean `data`?)",
            "9 Undefined volume in a Compose file (declare it in the file's section `volumes:`)",
        ]
    );
}

#[test]
fn what_other_files_or_variables_may_name_is_left_to_compose() {
    let included = "include: [more.yaml]\nservices:\n  a:\n    image: a:1\n    depends_on: [b]\n";
    let variable =
        "services:\n  a:\n    image: a:1\n    depends_on: [\"${B}\"]\n    volumes: [\"${V}:/x\"]\n";
    let override_ = "services:\n  a:\n    image: a:1\n    networks: [typo]\n---\nservices:\n  a:\n    networks: !override [new]\nnetworks:\n  new:\n";
    assert_eq!(mistakes(override_), [""; 0]);
    assert_eq!(mistakes(included), [""; 0]);
    assert_eq!(mistakes(variable), [""; 0]);
}

#[test]
fn a_service_is_a_mapping() {
    assert_eq!(mistakes("services:\n  a: nginx\n"), ["2 A service that is no mapping ()"]);
}

#[test]
fn a_text_that_holds_secrets_is_not_quoted() {
    let text = "services:\n  web:\n    image: a:1\n    networks: [\"PW=hush\"]\n    volumes: [\"hush:/backup\"]\n    \
                depends_on: [hush]\n    hush: 1\nhush: 1\n";
    let found = find(&yaml::read(text).unwrap(), text, true);
    assert_eq!(found.len(), 5);
    assert!(!format!("{found:?}").contains("hush"), "{found:?}");
}

#[test]
fn a_mistake_is_found_in_its_own_document() {
    let text = "services:\n  web:\n    image: a:1\n---\nservices:\n  web:\n    depends_on: [nope]\n    imge: x\n";
    let lines: Vec<_> = mistakes(text).iter().map(|told| told[..1].to_owned()).collect();
    assert_eq!(lines, ["8", "7"]);
}

#[test]
fn many_mistakes_cost_no_more_than_some() {
    let service =
        |n: usize| format!("  s{n}:\n    image: a:1\n    depends_on: [t{n}]\n    key{n}: 1\n");
    let text = format!("services:\n{}", (0..3000).map(service).collect::<String>());
    assert_eq!(mistakes(&text).len(), 100);
}

#[test]
fn values_that_compose_takes_for_none_are_told_with_what_it_takes() {
    let text = "services:\n  web:\n    image: a:1\n    restart: unless-stoped\n    ports: [\"443:99999\", \"${P}:80\"]\n    \
                healthcheck:\n      test: [CMD, x]\n      interval: 10 seconds\n";
    let told: Vec<String> =
        mistakes(text).iter().map(|one| one.split(" (").next().unwrap().to_owned()).collect();
    assert_eq!(
        told,
        [
            "4 Not a value for `restart` in a Compose file",
            "8 Not a value for `interval` in a Compose file",
            "5 Not a value for `ports` in a Compose file",
        ]
    );
}
