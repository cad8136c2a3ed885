//! The one program that looks at a host, as a value.

use std::fmt::Write as _;

use crate::manifest;
use crate::session::{Part, fill, quote};

/// The largest file whose text is fetched for a diff, in bytes.
pub(crate) const MAX_TEXT: usize = 256 * 1024;

/// How much text is fetched in all, in characters of base64; well below the session's largest answer.
const MAX_TEXTS: usize = 10 * 1024 * 1024;

/// What is asked of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// The stack, whose manifest is read; absent when only files are asked for.
    pub(crate) stack: Option<String>,
    /// Files whose text is fetched when its SHA-256 differs from this one.
    pub(crate) shown: Vec<(String, String)>,
    /// Files of which only a digest is wanted.
    pub(crate) hashed: Vec<String>,
    /// Projects whose services' hashes are asked of Compose.
    pub(crate) projects: Vec<Asked>,
}

/// A project to ask Compose about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its name.
    pub(crate) project: String,
    /// Its folder.
    pub(crate) directory: String,
    /// The wanted YAML.
    pub(crate) yaml: String,
    /// A secret YAML travels on standard input: the script itself is visible in the host's process list.
    pub(crate) sensitive: bool,
}

/// What begins every script: the host's root, and one line per section, its content in base64, so that no content
/// can pass for a line of its own.
pub(crate) const PRELUDE: &str = r#"cd "${IPAI_ROOT-}/" || exit 91
section() { printf '%s ' "$1"; base64 -w0; echo; }
"#;

/// One line of JSON for each container. Environments, which may hold secrets, stay where they are.
pub(crate) const INSPECT: &str = "docker inspect --format '[{{json .Id}},{{json .Name}},{{json .State}},{{json .Config.Labels}},{{json .Image}},{{json .Config.Image}},{{json .Mounts}}]'";

/// Shell functions: `regular` passes on which of the paths on its input are plain files, and `sums LIST` prints the
/// SHA-256 of each plain file of a list of paths, one on a line.
pub(crate) const SUMS: &str = r#"regular() { while IFS= read -r p; do [ ! -L "$p" ] && [ -f "$p" ] && printf '%s\0' "$p"; done; }
sums() { printf '%s\n' "$1" | regular | xargs -0 -r sha256sum -z -- | tr '\0' '\n'; }
"#;

const FILES: &str = r#"printf '%s\n%s\n' "$shown" "$hashed" | sed '/^$/d' | tr '\n' '\0' | xargs -0 -r stat -c '%f %u:%g %U:%G %s %Y %n' -- 2>/dev/null | section stat
live=$(sums "$shown")
{ printf '%s\n' "$live"; sums "$hashed"; } | section sums
"#;

const TEXTS: &str = r#"{ printf '%s\n%s\n' "$wanted" "$wanted"; printf '%s\n' "$live"; } | sort | uniq -u | sed -n 's/^[0-9a-f]\{64\}  //p' | {
  room=@MAX_TEXTS@
  while IFS= read -r p; do
    text=$(head -c @MAX_TEXT@ -- "$p" | base64 -w0)
    room=$((room - ${#text}))
    [ "$room" -ge 0 ] || break
    printf 'text %s %s\n' "$(printf '%s' "$p" | base64 -w0)" "$text"
  done
}
"#;

const BOOT: &str = r#"if [ -d ./run/cloud-init ] && [ ! -e ./run/cloud-init/result.json ]; then echo 'status: running' | section boot; fi
"#;

const CONTAINERS: &str = r#"w=$(mktemp -d "$ipai_d/XXXXXXXX") || exit 92
if command -v docker >/dev/null; then
  {
    ids=$(docker ps -aq --no-trunc 2>"$w/ps")
    case $? in
      0) { [ -z "$ids" ] || @INSPECT@ $ids 2>/dev/null; } | section containers ;;
      127) echo 'docker ' ;;
      *) section docker <"$w/ps" ;;
    esac
  } >"$w/containers" &
"#;

impl Question {
    /// The script, and what it reads from standard input.
    pub(crate) fn script(&self) -> (String, Vec<u8>) {
        let (mut script, mut stdin) = (PRELUDE.to_owned(), Vec::new());
        if self.stack.is_some() {
            self.ask_docker(&mut script, &mut stdin);
        }
        let relative = |path: &String| format!(".{path}");
        let shown: Vec<String> = self.shown.iter().map(|(path, _)| relative(path)).collect();
        let hashed: Vec<String> = self.hashed.iter().map(relative).collect();
        let wanted: Vec<String> =
            self.shown.iter().map(|(path, sha256)| format!("{sha256}  .{path}")).collect();
        for (name, lines) in [("shown", &shown), ("hashed", &hashed), ("wanted", &wanted)] {
            // Writing to a text cannot fail.
            let _ = writeln!(script, "{name}={}", quote(&lines.join("\n")));
        }
        script.push_str(SUMS);
        script.push_str(FILES);
        if !shown.is_empty() {
            let (all, one) = (MAX_TEXTS.to_string(), (MAX_TEXT + 1).to_string());
            let parts = [("MAX_TEXTS", Part::Word(&all)), ("MAX_TEXT", Part::Word(&one))];
            script.push_str(&fill(TEXTS, &parts));
        }
        if let Some(stack) = &self.stack {
            script.push_str(&read_manifest(stack));
            script.push_str(BOOT);
            script
                .push_str("wait\ncat \"$w\"/containers \"$w\"/hash.* 2>/dev/null\nrm -rf \"$w\"\n");
        }
        script.push_str("echo 'end '\n");
        (script, stdin)
    }

    /// Asks Docker in the background, because its client takes longer to start than all files to be read.
    fn ask_docker(&self, script: &mut String, stdin: &mut Vec<u8>) {
        script.push_str(&fill(CONTAINERS, &[("INSPECT", Part::Script(INSPECT))]));
        for (number, asked) in self.projects.iter().enumerate() {
            let source = if asked.sensitive {
                stdin.extend_from_slice(asked.yaml.as_bytes());
                let _ = writeln!(script, "  head -c {} >\"$w/yaml.{number}\"", asked.yaml.len());
                format!("cat \"$w/yaml.{number}\"")
            } else {
                format!("printf '%s' {}", quote(&asked.yaml))
            };
            let compose = compose(&asked.project, &asked.directory, "-");
            let _ = writeln!(
                script,
                "  {{\n    if {source} | {compose} config --hash '*' >\"$w/{number}.out\" 2>\"$w/{number}.err\"; then\n      \
                 section hash.{number} <\"$w/{number}.out\"\n    else\n      section refused.{number} <\"$w/{number}.err\"\n    fi\n  }} >\"$w/hash.{number}\" &"
            );
        }
        script.push_str("else\n  echo 'docker ' >\"$w/containers\"\nfi\n");
    }
}

/// Reads the manifest.
pub(crate) fn read_manifest(stack: &str) -> String {
    let path = quote(&format!(".{}", manifest::place(stack)));
    format!("if [ -f {path} ] && [ ! -L {path} ]; then section manifest <{path}; fi\n")
}

/// The beginning of every call of Compose. `file` is `-` or a path below the host's root.
pub(crate) fn compose(project: &str, directory: &str, file: &str) -> String {
    let rooted = |path: &str| format!("\"${{IPAI_ROOT-}}\"{}", quote(path));
    let file = if file == "-" { "-".to_owned() } else { rooted(file) };
    format!(
        "docker compose -p {} --project-directory {} -f {file}",
        quote(project),
        rooted(directory)
    )
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
