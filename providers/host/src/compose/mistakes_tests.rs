use super::find;
use crate::compose::yaml;

/// Each mistake as `line summary (hint)`.
fn mistakes(text: &str) -> Vec<String> {
    let found = find(&yaml::read(text).unwrap(), text);
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
            "10 Undefined network in a Compose file (declare it at the end of the file:\nnetworks:\n  front:)",
            "12 Undefined secret in a Compose file (declare it under `secrets:` at the end of the file)",
            "16 `depends_on` names an unknown service (did you mean `web`?)",
            "4 `depends_on` names an unknown service (did you mean `db`?)",
            "6 Undefined volume in a Compose file (did you mean `data`?)",
            "9 Undefined volume in a Compose file (declare it at the end of the file:\nvolumes:\n  other:)",
        ]
    );
}

#[test]
fn what_other_files_or_variables_may_name_is_left_to_compose() {
    let included = "include: [more.yaml]\nservices:\n  a:\n    image: a:1\n    depends_on: [b]\n";
    let variable =
        "services:\n  a:\n    image: a:1\n    depends_on: [\"${B}\"]\n    volumes: [\"${V}:/x\"]\n";
    assert_eq!(mistakes(included), [""; 0]);
    assert_eq!(mistakes(variable), [""; 0]);
}

#[test]
fn a_service_is_a_mapping() {
    assert_eq!(mistakes("services:\n  a: nginx\n"), ["2 A service that is no mapping ()"]);
}
