//! From a stack's text to the desired state: every mistake is found, all at once, each in its place.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "desired/sections.rs"]
mod sections;
mod toy;

use std::collections::BTreeMap;

use ipai_core::desired::{Inputs, compile};
use ipai_core::stack::{named_files, parse};
use ipai_core::{Diagnostic, DigestKey, Outputs, Secret, Sources, Value, diagnostic};
use toy::{Setting, address, flush};

/// What the tests' stacks begin with: two lines, so that what a test writes begins in line 3.
const HEAD: &str = "[stack]\nname = 'toys'\n";

/// Expects these problems in a stack that begins with `[stack]`: `FILE:LINE:COLUMN summary (hint)`.
#[track_caller]
fn check(body: &str, expected: &str) {
    check_with(&format!("{HEAD}{body}"), "", expected);
}

/// Expects these problems in a stack and in the template `t.txt` that it may name.
#[track_caller]
fn check_with(stack: &str, template: &str, expected: &str) {
    let mut sources = Sources::default();
    sources.add("stack.toml", stack);
    sources.add("t.txt", template);
    let found: Vec<String> = problems(stack, template).iter().map(|p| show(p, &sources)).collect();
    assert_eq!(found.join("\n"), flush(expected));
}

fn show(problem: &Diagnostic, sources: &Sources) -> String {
    let place = problem.at.as_ref().and_then(|at| {
        let position = sources.position(at)?;
        Some(format!("{}:{}:{} ", at.file, position.line, position.column))
    });
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})"));
    format!("{}{}{}", place.unwrap_or_default(), problem.summary, hint.unwrap_or_default())
}

fn problems(stack: &str, template: &str) -> Vec<Diagnostic> {
    problems_with(stack, template, &BTreeMap::new())
}

fn problems_with(
    text: &str,
    template: &str,
    variables: &BTreeMap<String, String>,
) -> Vec<Diagnostic> {
    let types = toy::types();
    let (stack, mut problems) = parse(&[("stack.toml", text)], None, &types);
    let Some(stack) = stack else { return problems };
    let secrets = stack.secrets.keys().map(|name| (name.clone(), Some(Secret::default())));
    let (_, found) = compile(&Inputs {
        stack: &stack,
        types: &types,
        files: &[("t.txt".to_owned(), template.to_owned())].into(),
        secrets: &secrets.collect(),
        outputs: &BTreeMap::new(),
        variables,
        authorized_keys: &[],
        key: &DigestKey::new(vec![7; 32]),
        images: None,
        sandbox: false,
    });
    problems.extend(found);
    diagnostic::sort(&mut problems);
    problems
}

#[test]
fn a_sound_stack_has_no_problems() {
    check(
        "
        [toy.box.a]
        size = 2
        tags = ['x', '{{ stack.name }}']
        labels = { env = 'test' }
        timeout = '90s'
        backups = '{{ true }}'
        [toy.file.f]
        box = 'toy.box.a'
        path = '/f'
        content = { template = 't.txt' }
        ",
        "",
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    check(
        "[toy.box.a\nsize = 1",
        "stack.toml:3:11 Not valid TOML (see https://toml.io for the format; strings need quotes)",
    );
    check("[toy.box.a]\nregion = east", "stack.toml:4:10 Not valid TOML (write region = \"east\")");
}

#[test]
fn every_syntax_error_is_reported_and_nothing_that_follows_from_it() {
    check(
        "[toy.box.a]\nsize = \nregion = east\nsise = 3",
        "
        stack.toml:4:8 Not valid TOML (see https://toml.io for the format; strings need quotes)
        stack.toml:5:10 Not valid TOML (write region = \"east\")
        ",
    );
}

#[test]
fn an_address_may_be_written_once() {
    check(
        "[toy.box.a]\n[toy.box.b]\n[toy.box.a]",
        "stack.toml:5:10 Duplicate address or key (every address and key may be written once; rename one of the two or merge them)",
    );
    check(
        "[toy.box.a]\nsize = 1\n[toy.box.a] # again\nsize = 2\nregion = \"east\"",
        "stack.toml:5:10 Duplicate address or key (every address and key may be written once; rename one of the two or merge them)",
    );
    check(
        "[toy.box.a]\nsize = 1\nsize = 2",
        "stack.toml:5:1 Duplicate address or key (every address and key may be written once; rename one of the two or merge them)",
    );
}

#[test]
fn a_stack_needs_a_name() {
    check_with(
        "[toy.box.a]",
        "",
        "stack.toml:1:1 Missing section `[stack]` (begin the file with:\n[stack]\nname = \"ops\")",
    );
    check_with(
        "[stack]\ndescription = ''",
        "",
        "stack.toml:1:2 Missing key `name` (add `name = \"…\"` below this line)",
    );
    check_with("[stack]\nname = 'Ops'", "", "stack.toml:2:8 Not a stack name");
    check_with("[stack]\nname = 'a--b'", "", "stack.toml:2:8 Not a stack name");
}

#[test]
fn unknown_keys_are_errors_and_the_nearest_known_one_is_named() {
    check("[toy.box.a]\nsise = 1", "stack.toml:4:1 Unknown key `sise` (did you mean `size`?)");
    check(
        "[toy.record.a]\nname = 'a'\ncontent = '1'\ncolour = 'red'",
        "stack.toml:6:1 Unknown key `colour` (known here: `name`, `content`, `ttl`, `after`)",
    );
}

#[test]
fn unknown_sections_providers_and_types_are_errors() {
    check("[vars]\na = 1", "stack.toml:3:2 Unknown key `vars` (here it is called `var`)");
    check("[tov.box.a]", "stack.toml:3:2 Unknown key `tov` (did you mean `toy`?)");
    check(
        "[toy.bax.a]",
        "stack.toml:3:6 Unknown resource type `toy.bax` (did you mean `toy.box`?)",
    );
    check(
        "[toy.spaceship.a]",
        "stack.toml:3:6 Unknown resource type `toy.spaceship` (known: `toy.box`, `toy.record`, `toy.file`)",
    );
}

#[test]
fn every_kind_refuses_what_it_does_not_take() {
    for (line, problem) in [
        ("size = true", "4:8 Wrong type for `size`"),
        ("size = 1.5", "4:8 Wrong type for `size`"),
        ("size = 65", "4:8 `size` is out of range"),
        ("size = '{{ 65 }}'", "4:8 Wrong type for `size`"),
        ("region = 1", "4:10 Wrong type for `region`"),
        ("region = 'earth'", "4:10 Not a choice for `region`"),
        ("region = 'eats'", "4:10 Not a choice for `region` (did you mean \"east\"?)"),
        ("image = ['debian']", "4:9 Wrong type for `image`"),
        ("backups = 'perhaps'", "4:11 Wrong type for `backups`"),
        ("backups = 1", "4:11 Wrong type for `backups`"),
        ("tags = 'x'", "4:8 Wrong type for `tags` (write [\"x\"])"),
        ("tags = ['x', 1]", "4:14 Wrong type for `tags` (write \"1\")"),
        ("labels = ['x']", "4:10 Wrong type for `labels`"),
        ("labels = { x = 1 }", "4:16 Wrong type for `labels.x` (write \"1\")"),
        ("timeout = 90", "4:11 Wrong type for `timeout` (write \"90s\")"),
        ("timeout = '90'", "4:11 Wrong type for `timeout`"),
        ("timeout = '1d'", "4:11 Wrong type for `timeout`"),
        ("timeout = 's'", "4:11 Wrong type for `timeout`"),
        ("timeout = '-5s'", "4:11 Wrong type for `timeout`"),
        ("timeout = '9é'", "4:11 Wrong type for `timeout`"),
    ] {
        check(&format!("[toy.box.a]\n{line}"), &format!("stack.toml:{problem}"));
    }
}

#[test]
fn contents_and_addresses_refuse_what_they_do_not_take() {
    let file = |line: &str| {
        let rest = "path = '/f'\nbox = 'toy.box.a'\ncontent = ''\n";
        let key = line.split(' ').next().unwrap();
        let rest: String =
            rest.lines().filter(|l| !l.starts_with(key)).collect::<Vec<_>>().join("\n");
        format!("[toy.box.a]\n[toy.file.f]\n{line}\n{rest}")
    };
    for (line, problem) in [
        ("content = 1", "5:11 Wrong type for `content`"),
        ("content = { templ = 't.txt' }", "5:11 Wrong type for `content`"),
        ("content = { template = 't.txt', file = 't.txt' }", "5:11 Wrong type for `content`"),
        ("box = 1", "5:7 Wrong type for `box`"),
        ("box = 'toy.box.b'", "5:7 Reference to nothing (did you mean \"toy.box.a\"?)"),
        ("box = 'somewhere'", "5:7 Reference to nothing"),
    ] {
        check(&file(line), &format!("stack.toml:{problem}"));
    }
}

#[test]
fn missing_keys_are_reported_at_the_header() {
    check(
        "[toy.record.a]\nname = 'a'",
        "stack.toml:3:13 Missing key `content` (ipai explain toy.record)",
    );
}

#[test]
fn names_must_fit_into_markers() {
    check("[toy.box.UP]", "stack.toml:3:10 Not a resource name");
    check(&format!("[toy.box.{}]", "a".repeat(41)), "stack.toml:3:10 Not a resource name");
    check("[toy]\nbox = 1", "stack.toml:4:7 Wrong type for `box`");
    check("[toy.box]\na = 1", "stack.toml:4:5 Wrong type for `a`");
}

#[test]
fn references_to_nothing_are_errors_with_a_suggestion() {
    let record =
        |content: &str| format!("[toy.box.a]\n[toy.record.a]\nname = 'a'\ncontent = '{content}'");
    for (content, problem) in [
        ("{{ toy.box.b.ip }}", "Reference to nothing (did you mean `toy.box.a`?)"),
        (
            "{{ toy.box.a.ipp }}",
            "Reference to nothing (did you mean `toy.box.a.ip`? It has ip, id)",
        ),
        ("{{ toy.bix.a.ip }}", "Reference to nothing (did you mean `toy.box`?)"),
        ("{{ toy.record.a.id }}", "Reference to nothing (did you mean `toy.record.a`?)"),
    ] {
        check(&record(content), &format!("stack.toml:6:11 {problem}"));
    }
}

#[test]
fn undefined_names_are_told_apart() {
    let size = |content: &str| format!("[var]\ndomain = 'x'\n[toy.box.a]\nimage = '{content}'");
    for (content, problem) in [
        ("{{ var.domian }}", "Undefined variable (did you mean `var.domain`?)"),
        (
            "{{ var.zone_of_mine }}",
            "Undefined variable (add it to the stack's `[var]` section: zone_of_mine = \"…\")",
        ),
        ("{{ secret.password }}", "Missing secret (declare it: [secret.password])"),
        ("{{ stack.nmae }}", "Undefined name (did you mean `stack.name`?)"),
        (
            "{{ weather }}",
            "Undefined name (names begin with `var.`, `secret.`, `stack.`, `ssh.` or a declared resource's address)",
        ),
    ] {
        check(&size(content), &format!("stack.toml:6:9 {problem}"));
    }
}

#[test]
fn a_template_file_is_blamed_in_its_own_line() {
    let stack = format!(
        "{HEAD}[toy.box.a]\n[toy.file.f]\nbox = 'toy.box.a'\npath = '/f'\ncontent = {{ template = 't.txt' }}"
    );
    check_with(&stack, "one\n{% if x %}\nthree\n", "t.txt:2:11 Template syntax error");
    check_with(&stack, "one\n{{ 1 + }}\n", "t.txt:2:8 Template syntax error");
    check_with(
        &stack,
        "one\n\n  {{ var.x }}\n",
        "t.txt:3:6 Undefined variable (add it to the stack's `[var]` section: x = \"…\")",
    );
    check_with(&stack, "{{ 'a' | nonsense }}", "t.txt:1:10 Template error");
    let detail = problems(&stack, "{{ 1 + }}")[0].detail.clone().unwrap();
    assert!(detail.ends_with("The template is used by stack.toml."), "{detail}");
}

#[test]
fn a_resource_is_not_a_value() {
    let record = "[toy.box.a]\n[toy.record.a]\nname = 'a'\ncontent = '{{ toy.box.a }}'";
    check(record, "stack.toml:6:11 Template error");
    let detail = problems(&format!("{HEAD}{record}"), "")[0].detail.clone().unwrap();
    assert_eq!(detail, "`toy.box.a` is not a value: say what of it, as in `toy.box.a.name`");
}

#[test]
fn no_message_quotes_a_secret() {
    for template in [
        "{{ secret.pass | int }}",
        "{{ secret.pass + 1 }}",
        "{{ var[secret.pass] }}",
        "{% include secret.pass %}",
        "{{ 1 | attr(secret.pass) | upper }}",
        "{{ 'x' | indent(secret.pass) }}",
        "{{ range(secret.pass) }}",
    ] {
        let mut setting = Setting::new(&format!(
            "[secret.pass]\n[toy.record.a]\nname = 'a'\ncontent = \"{template}\""
        ));
        setting.secrets.insert("pass".into(), Some(Secret::new("canary".into())));
        let (_, problems) = setting.compile(&BTreeMap::new());
        let shown = format!("{problems:?}");
        assert!(!problems.is_empty() && !shown.contains("canary"), "{template}: {shown}");
    }
}

#[test]
fn a_cycle_is_named_once_with_its_path() {
    let cycle = "
        [toy.record.a]
        name = 'a'
        content = '1'
        after = ['toy.record.b']
        [toy.record.b]
        name = 'b'
        content = '1'
        after = ['toy.record.a']
        ";
    check(
        cycle,
        "stack.toml:4:21 Reference cycle (take one of the references or `after` entries out)",
    );
    let detail = problems(&format!("{HEAD}{cycle}"), "")[0].detail.clone().unwrap();
    assert!(detail.ends_with("toy.record.a → toy.record.b → toy.record.a"), "{detail}");
}

#[test]
fn a_resource_that_needs_itself_is_a_cycle() {
    check(
        "[toy.box.a]\nimage = '{{ toy.box.a.ip }}'",
        "stack.toml:3:10 Reference cycle (take one of the references or `after` entries out)",
    );
}

#[test]
fn resources_that_exclude_each_other_are_reported_in_pairs() {
    check(
        "
        [toy.record.a]
        name = 'www'
        content = '1'
        [toy.record.b]
        name = 'WWW'
        content = '1'
        [toy.record.c]
        name = 'www'
        content = '@x'
        [toy.record.d]
        name = 'other'
        content = '1'
        ",
        "
        stack.toml:7:21 Two resources exclude each other
        stack.toml:10:21 Two resources exclude each other
        stack.toml:10:21 Two resources exclude each other
        ",
    );
}

#[test]
fn what_a_type_checks_itself_is_reported_at_the_attribute() {
    check("[toy.record.a]\ncontent = '1'\nname = 'a b'", "stack.toml:5:8 Not a name");
}

#[test]
fn secrets_say_where_they_come_from() {
    check(
        "[secret.a]\ngenerate = 'dice'",
        "stack.toml:4:12 Not a way to generate a secret (use \"password\", \"hex\", \"keypair\", or \"bcrypt\" and \"public_key\" together with `of = \"other_secret\"`)",
    );
    check(
        "[secret.a]\ngenerate = 'bcrypt'",
        "stack.toml:4:12 Not a way to generate a secret (use \"password\", \"hex\", \"keypair\", or \"bcrypt\" and \"public_key\" together with `of = \"other_secret\"`)",
    );
    check(
        "[secret.a]\ngenerate = 'hex'\nenv = 'A'",
        "stack.toml:3:9 A secret with several sources (keep one of `generate`, `env`, `file`, `command`)",
    );
    check("[secret.a]\ngenerate = 'bcrypt'\nof = 'b'", "stack.toml:3:9 Reference to nothing");
    check("[secret.a]\ngenerate = 'hex'\nlength = 7", "stack.toml:5:10 Wrong type for `length`");
    let alphabet =
        |alphabet: &str| format!("[secret.a]\ngenerate = 'password'\nalphabet = '{alphabet}'");
    check(&alphabet("abca0123456789"), "stack.toml:5:12 Not a usable alphabet");
    check(&alphabet("abc def"), "stack.toml:5:12 Not a usable alphabet");
    check(&alphabet("ab"), "stack.toml:5:12 Not a usable alphabet");
    check(
        "[secret.a]\ngenerate = 'hex'\nalphabet = 'abcdefgh'",
        "stack.toml:4:12 An alphabet for what has none (only `generate = \"password\"` takes an `alphabet`)",
    );
    check(
        "[secret.a]\ncommand = 'pass'",
        "stack.toml:4:11 Wrong type for `command` (write [\"pass\"])",
    );
}

#[test]
fn ssh_and_variables_are_checked() {
    check("[ssh]\nport = 70000", "stack.toml:4:8 Wrong type for `port`");
    check("[ssh]\nusr = 'x'", "stack.toml:4:1 Unknown key `usr` (did you mean `user`?)");
    check("[var]\nx = 1.5", "stack.toml:4:5 Wrong type for `x`");
    check_with("ssh = 1\n[stack]\nname = 'x'", "", "stack.toml:1:7 Wrong type for `ssh`");
}

#[test]
fn checks_are_checked() {
    let at = |line: &str| format!("[toy.box.a]\n[check.c]\n{line}");
    check(&at("body = ''"), "
        stack.toml:4:8 A check asks in one way (add `url = \"https://…\"` below this line)
        stack.toml:5:1 Unknown key `body` (known here: `auth`, `authority`, `command`, `expect_body`, `expect_headers`, `expect_json`, `expect_keys`, `expect_status`, `headers`, `host`, `input`, `json`, `service`, `url`, `version`, `when`)
        ");
    check(&at("url = 'ftp://x'"), "stack.toml:5:7 Not a URL for a check");
    check(&at("url = 'https://{{ toy.box.a.ip }}'"), "stack.toml:5:7 Not a URL for a check");
    check(&at("url = 'https://x'\nhost = 'toy.box.b'"), "stack.toml:6:8 Reference to nothing");
}

#[test]
fn values_from_outside_must_name_a_variable_of_the_stack() {
    let variables = [("domian".to_owned(), "x".to_owned())].into();
    let found = problems_with(&format!("{HEAD}[var]\ndomain = 'y'"), "", &variables);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].summary, "Unknown variable `domian`");
    assert_eq!(found[0].hint.as_deref(), Some("did you mean `domain`?"));
}

#[test]
fn all_mistakes_come_back_at_once_in_the_order_of_the_text() {
    check(
        "
        [toy.record.b]
        name = 'b'
        content = '{{ var.nothing_like_it }}'
        [toy.box.a]
        size = 'big'
        sise = 1
        [tov.x.y]
        [toy.file.f]
        box = 'toy.box.none'
        path = '/f'
        ",
        "
        stack.toml:6:19 Undefined variable (add it to the stack's `[var]` section: nothing_like_it = \"…\")
        stack.toml:8:16 Wrong type for `size`
        stack.toml:9:9 Unknown key `sise` (did you mean `size`?)
        stack.toml:10:10 Unknown key `tov` (did you mean `toy`?)
        stack.toml:11:19 Missing key `content` (ipai explain toy.file)
        stack.toml:12:15 Reference to nothing (did you mean \"toy.box.a\"?)
        ",
    );
}

#[test]
fn compiling_alone_reports_in_the_order_of_the_text() {
    // Addresses sort otherwise: what stands last in the text is read first.
    let setting = Setting::new(
        "[toy.record.b]\nname = 'b'\ncontent = '{{ var.x }}'\n[toy.box.a]\nimage = '{{ var.y }}'",
    );
    let (_, problems) = setting.compile(&BTreeMap::new());
    let places: Vec<usize> = problems.iter().map(|p| p.at.as_ref().unwrap().start).collect();
    assert!(places.len() == 2 && places[0] < places[1], "{places:?}");
}

#[test]
fn an_overlay_is_blamed_for_its_own_mistakes() {
    let types = toy::types();
    let base = format!("{HEAD}[toy.box.a]\nsize = 1");
    let files = [("stack.toml", base.as_str()), ("stack.staging.toml", "[toy.box.a]\nsise = 2")];
    let (stack, mut problems) = parse(&files, Some("staging"), &types);
    let stack = stack.unwrap();
    assert_eq!(stack.id.as_str(), "toys--staging");
    let outputs = BTreeMap::<_, Outputs>::new();
    let inputs = Inputs {
        stack: &stack,
        types: &types,
        files: &BTreeMap::new(),
        secrets: &BTreeMap::new(),
        outputs: &outputs,
        variables: &BTreeMap::new(),
        authorized_keys: &[],
        key: &DigestKey::new(vec![7; 32]),
        images: None,
        sandbox: false,
    };
    problems.extend(compile(&inputs).1);
    let at = problems[0].at.clone().unwrap();
    assert_eq!((&*at.file, at.start), ("stack.staging.toml", 12));
}

#[test]
fn the_files_that_a_stack_names_are_known_with_their_places() {
    let setting = Setting::new(
        "[ssh]\nauthorized_keys = 'keys'\n[toy.box.a]\n[toy.file.f]\nbox = 'toy.box.a'\npath = '/f'\ncontent = { file = 'f.txt' }",
    );
    let files: Vec<String> = named_files(&setting.stack).into_keys().collect();
    assert_eq!(files, ["f.txt", "keys"]);
}

#[test]
fn templates_are_rendered_and_verbatim_files_are_not() {
    let mut setting = Setting::new(
        "[var]\nword = 'hi'\n[toy.box.a]\n[toy.file.t]\nbox='toy.box.a'\npath='/t'\ncontent={ template = 'x' }\n[toy.file.v]\nbox='toy.box.a'\npath='/v'\ncontent={ file = 'x' }",
    );
    setting.files.insert("x".into(), "{{ var.word }}\n".into());
    let (desired, problems) = setting.compile(&BTreeMap::new());
    assert!(problems.is_empty(), "{problems:?}");
    let text = |name: &str| {
        let resource = desired.resources.iter().find(|r| r.address == address(name)).unwrap();
        resource.attributes["content"].as_content().unwrap().text.clone().unwrap()
    };
    assert_eq!(text("toy.file.t").expose(), "hi\n");
    assert_eq!(text("toy.file.v").expose(), "{{ var.word }}\n");
}

#[test]
fn an_output_is_known_wherever_a_template_names_it() {
    let known = |content: &str| {
        let mut setting = Setting::new(&format!(
            "[toy.box.a]\nlabels = {{ l = \"{content}\" }}\n[toy.file.f]\nbox = 'toy.box.a'\npath = '/f'\n\
             content = {{ template = 't.txt' }}"
        ));
        setting.files.insert("t.txt".into(), content.to_owned());
        let ip = [("ip".to_owned(), Value::text("10.0.0.1"))].into();
        let (desired, problems) = setting.compile(&[(address("toy.box.a"), ip)].into());
        assert!(problems.iter().all(|p| p.summary == "Reference cycle"), "{problems:?}");
        desired.resources.iter().all(|resource| resource.waits_for().is_empty())
    };
    assert!(known("{{ toy.box.a.ip }}"));
    assert!(known("{% set box = toy.box['a'] %}{{ box.ip }}"));
    assert!(known("{% for name in ['a'] %}{{ toy.box[name].ip }}{% endfor %}"));
    assert!(!known("{{ toy.box.a.id }}"), "an output that is not there yet");
}

#[test]
fn values_take_their_canonical_form() {
    let setting = Setting::new(
        "[toy.box.a]\ntimeout = '10m'\nbackups = '{{ 1 == 1 }}'\nsize = '{{ 2 * 4 }}'\n[toy.record.r]\nname = 'WWW'\ncontent = '1'",
    );
    let (desired, _) = setting.compile(&BTreeMap::new());
    let value = |name: &str, attribute: &str| {
        let resource = desired.resources.iter().find(|r| r.address == address(name)).unwrap();
        resource.attributes[attribute].clone()
    };
    assert_eq!(value("toy.box.a", "timeout"), Value::Int(600));
    assert_eq!(value("toy.box.a", "backups"), Value::Bool(true));
    assert_eq!(value("toy.box.a", "size"), Value::Int(8));
    assert_eq!(value("toy.record.r", "name"), Value::text("www"));
}
