//! Traces of the machine on which the repository was made, and of work that was put off.

/// Folders of a machine that means nothing to others. Split, so that this file does not speak of them itself.
const FOLDERS: [&str; 3] = [concat!("/wor", "k/"), concat!("/roo", "t/"), concat!("/tmp/", "ipai")];

/// Where packages come from is for each machine's own configuration to say.
const REGISTRIES: [&str; 7] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("pypi.", "org"),
    concat!("files.python", "hosted.org"),
    concat!("proxy.", "golang.org"),
    concat!("arti", "factory"),
];

/// Mentions of the machine's folders and of package registries.
pub(crate) fn of_the_machine(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let folders = FOLDERS.iter().filter(|folder| begins_somewhere(line, folder));
        let registries = REGISTRIES.iter().filter(|host| line.contains(*host));
        let named = folders.chain(registries);
        found.extend(named.map(|trace| format!("{path}:{}: mentions {trace}", number + 1)));
    }
    found
}

/// Tells whether an absolute path begins with `folder`: neither `x/root/` nor `"$x"/root/` does. A host's
/// administrator does log in with the keys below its home, so those are no trace.
fn begins_somewhere(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(place, _)| {
        let mut before = line[..place].chars().rev();
        let inside =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | ')');
        let joined = match before.next() {
            Some('"' | '\'') => before.next().is_some_and(inside),
            first => first.is_some_and(inside),
        };
        !joined && !line[place + folder.len()..].starts_with(".ssh")
    })
}

/// Words that stand for work put off.
const LATER: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimple", "mented!")];

/// Mentions of work put off.
pub(crate) fn of_unfinished_work(path: &str, text: &str) -> Vec<String> {
    let written =
        [".rs", ".md", ".sh", ".toml", ".yaml", ".yml"].iter().any(|end| path.ends_with(end));
    if !written || path.starts_with("tests/data/") || path.contains("/data/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = LATER.iter().filter(|word| line.contains(*word));
        found.extend(words.map(|word| format!("{path}:{}: {word}", number + 1)));
    }
    found
}

#[test]
fn a_trace_is_caught_and_a_host_path_is_not() {
    let caught = |line: &str| !of_the_machine("x", line).is_empty();
    for folder in FOLDERS {
        assert!(caught(&format!("see {folder}x")) && caught(&format!("\"{folder}x\"")), "{folder}");
        assert!(caught(&format!("path={folder}x")) && caught(&format!("{folder}x")), "{folder}");
        assert!(!caught(&format!("hosts/7{folder}etc")), "{folder}");
        assert!(!caught(&format!("\"$folder\"{folder}etc")), "{folder}");
    }
    assert!(!caught(&format!("{}.ssh/authorized_keys", FOLDERS[1])));
    assert!(REGISTRIES.iter().all(|host| caught(&format!("https://{host}/x"))));
}

#[test]
fn unfinished_work_is_caught() {
    for word in LATER {
        assert_eq!(of_unfinished_work("src/x.rs", &format!("// {word}: later")).len(), 1);
    }
    assert!(of_unfinished_work("src/x.rs", "// nothing").is_empty());
}
