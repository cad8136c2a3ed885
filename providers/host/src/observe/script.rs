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
    /// Units of which systemd is asked.
    pub(crate) units: Vec<String>,
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

/// What begins every script: the host's root, and sections of any content, each one line, in base64, so that no content
/// can pass for a line of its own. Where no line can begin with `@`, as in what `stat`, `sha256sum` and [`INSPECT`]
/// print, a script says `@name` and lets the lines follow as they are, which saves a process.
pub(crate) const PRELUDE: &str = r#"cd "${IPAI_ROOT-}/" || exit 91
section() { printf '@%s ' "$1"; base64 -w0; echo; }
"#;

/// What ends every script; without it, an answer is not whole.
pub(crate) const END: &str = "echo '@end '\n";

/// One line of JSON for each container. Environments, which may hold secrets, stay where they are.
pub(crate) const INSPECT: &str = "docker inspect --format '[{{json .Id}},{{json .Name}},{{json .State}},{{json .Config.Labels}},{{json .Image}},{{json .Config.Image}},{{json .Mounts}}]'";

/// Shell functions: `regular` passes on which of the paths on its input are plain files, and `sums LIST` prints the
/// SHA-256 of each plain file of a list of paths, one on a line.
pub(crate) const SUMS: &str = r#"regular() { while IFS= read -r p; do [ ! -L "$p" ] && [ -f "$p" ] && printf '%s\0' "$p"; done; }
sums() { printf '%s\n' "$1" | regular | xargs -0 -r sha256sum -z -- | tr '\0' '\n'; }
"#;

const FILES: &str = r#"echo @stat
printf '%s\n' "$paths" | xargs -d '\n' stat -c '%f %u:%g %U:%G %s %Y %n' -- 2>/dev/null
live=$(sums "$paths")
printf '@sums\n%s\n' "$live"
"#;

/// Texts of the files that were found with another digest than the wanted one, but for those of which only a digest
/// is wanted. Mostly there is none, which costs nothing.
const TEXTS: &str = r#"n='
'
case $live in ''|"$wanted"|"$wanted$n"*) live= ;; esac
[ -z "$live" ] || printf '%s\n' "$wanted" "$wanted" "$live" | sort | uniq -u | sed -n 's/^[0-9a-f]\{64\}  //p' | {
  room=@MAX_TEXTS@
  while IFS= read -r p; do
    case $n$hashed$n in *"$n$p$n"*) continue ;; esac
    text=$(head -c @MAX_TEXT@ -- "$p" | base64 -w0)
    room=$((room - ${#text}))
    [ "$room" -ge 0 ] || break
    printf '@text %s %s\n' "$(printf '%s' "$p" | base64 -w0)" "$text"
  done
}
"#;

const BOOT: &str = r#"if [ -d ./run/cloud-init ] && [ ! -e ./run/cloud-init/result.json ]; then printf '@boot\nstatus: running\n'; fi
"#;

/// The session's folder is this script's as well; its files are told apart by the command's number.
const CONTAINERS: &str = r#"w=$ipai_d/$ipai_i.
if command -v docker >/dev/null; then
  {
    ids=$(docker ps -aq --no-trunc 2>"${w}ps")
    case $? in
      0) echo @containers; [ -z "$ids" ] || @INSPECT@ $ids 2>/dev/null ;;
      127) echo '@docker ' ;;
      *) section docker <"${w}ps" ;;
    esac
  } >"${w}containers" &
"#;

/// Asks systemd in the background, for the same reason as Docker. A line with a dash stands for an empty one, which ends
/// what is said of a unit.
const UNITS: &str = r#"if command -v systemctl >/dev/null; then
  if systemctl show -p Id,Type,LoadState,UnitFileState,ActiveState,NeedDaemonReload -- @UNITS@ >"${w}show" 2>"${w}shown"; then
    { echo @units; sed 's/^$/-/' <"${w}show"; } >"${w}units"
  else
    section nosystemd <"${w}shown" >"${w}units"
  fi &
else
  echo '@nosystemd ' >"${w}units"
fi
"#;

impl Question {
    /// The script, and what it reads from standard input.
    pub(crate) fn script(&self) -> (String, Vec<u8>) {
        let (mut script, mut stdin) = (PRELUDE.to_owned(), Vec::new());
        if self.stack.is_some() {
            self.ask_docker(&mut script, &mut stdin);
            self.ask_systemd(&mut script);
        }
        let relative = |path: &String| format!(".{path}");
        let hashed: Vec<String> = self.hashed.iter().map(relative).collect();
        let shown = self.shown.iter().map(|(path, _)| relative(path));
        let paths: Vec<String> = shown.chain(hashed.iter().cloned()).collect();
        let wanted: Vec<String> =
            self.shown.iter().map(|(path, sha256)| format!("{sha256}  .{path}")).collect();
        for (name, lines) in [("paths", &paths), ("hashed", &hashed), ("wanted", &wanted)] {
            // Writing to a text cannot fail.
            let _ = writeln!(script, "{name}={}", quote(&lines.join("\n")));
        }
        script.push_str(SUMS);
        if !paths.is_empty() {
            script.push_str(FILES);
        }
        if !wanted.is_empty() {
            let (all, one) = (MAX_TEXTS.to_string(), (MAX_TEXT + 1).to_string());
            let parts = [("MAX_TEXTS", Part::Word(&all)), ("MAX_TEXT", Part::Word(&one))];
            script.push_str(&fill(TEXTS, &parts));
        }
        if let Some(stack) = &self.stack {
            script.push_str(&read_manifest(stack));
            script.push_str(BOOT);
            let units = if self.units.is_empty() { "" } else { " \"$w\"units" };
            let _ = writeln!(script, "wait\ncat \"$w\"containers{units} \"$w\"hash.* 2>/dev/null");
        }
        script.push_str(END);
        (script, stdin)
    }

    fn ask_systemd(&self, script: &mut String) {
        let units: Vec<String> = self.units.iter().map(|name| quote(name)).collect();
        if !units.is_empty() {
            script.push_str(&fill(UNITS, &[("UNITS", Part::Script(&units.join(" ")))]));
        }
    }

    /// Asks Docker in the background, because its client takes longer to start than all files to be read.
    fn ask_docker(&self, script: &mut String, stdin: &mut Vec<u8>) {
        script.push_str(&fill(CONTAINERS, &[("INSPECT", Part::Script(INSPECT))]));
        for (number, asked) in self.projects.iter().enumerate() {
            let source = if asked.sensitive {
                stdin.extend_from_slice(asked.yaml.as_bytes());
                let _ = writeln!(script, "  head -c {} >\"${{w}}yaml.{number}\"", asked.yaml.len());
                format!("cat \"${{w}}yaml.{number}\"")
            } else {
                format!("printf '%s' {}", quote(&asked.yaml))
            };
            let compose = compose(&asked.project, &asked.directory, "-");
            let _ = writeln!(
                script,
                "  {{\n    echo @hash.{number}\n    {source} | {compose} config --hash '*' 2>\"${{w}}err.{number}\" || \
                 {{ echo; section refused.{number} <\"${{w}}err.{number}\"; }}\n  }} >\"${{w}}hash.{number}\" &"
            );
        }
        script.push_str("else\n  echo '@docker ' >\"${w}containers\"\nfi\n");
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
