//! The commands that look at releases, as values.

use std::time::Duration;

use crate::manifest;
use crate::observe::script::{END, INSPECT, PRELUDE, SUMS, read_manifest};
use crate::session::{Command, Part, fill, quote};

/// Exit codes of [`read`].
pub(crate) const MISSING: i32 = 95;
pub(crate) const DAMAGED: i32 = 96;

const BLOBS: &str = r#"r=@HOME@/releases
"#;

/// A release whose kept files are not what they were is none: going back to half of one would be worse than staying.
const READ: &str = r#"[ -f "$r/@ID@.json" ] && [ -f "$r/@ID@.sums" ] || exit 95
(cd -- "$r/blobs" && cut -c1-64 ../@ID@.sums | sort -u | sed 's/.*/&  &/' | sha256sum --quiet --strict -c >&2) || exit 96
section release.@ID@ <"$r/@ID@.json"
section kept.@ID@ <"$r/@ID@.sums"
while IFS= read -r l; do
  h=${l%%  *} p=${l#*  }
  case $p in */compose.yaml) printf '@text %s %s\n' "$(printf '%s' "$p" | base64 -w0)" "$(base64 -w0 <"$r/blobs/$h")" ;; esac
done <"$r/@ID@.sums"
"#;

const LIST: &str = r#"for f in "$r"/*.json; do
  n=${f##*/} n=${n%.json}
  [ -f "$f" ] && [ -f "$r/$n.sums" ] || continue
  section "release.$n" <"$f"
  section "kept.$n" <"$r/$n.sums"
done
"#;

const LOOK_AT_FILES: &str = r#"echo @sums; sums "$(printf '%s\n' @PATHS@)"
"#;

const DOCKER: &str = r#"echo @missing
for i in @IMAGES@; do docker image inspect --format '{{.Id}}' "$i" >/dev/null 2>&1 || echo "$i"; done
ids=$(docker ps -aq --no-trunc) || exit 71
echo @containers; [ -z "$ids" ] || @INSPECT@ $ids 2>/dev/null
"#;

/// Ends a deployment that is still under way, and waits until it is over.
const STOP: &str = r#"w=./run/ipai/@STACK@.@PROJECT@
if [ -s "$w/pid" ] && [ ! -e "$w/exit" ]; then
  for f in pid child; do [ ! -s "$w/$f" ] || kill -TERM "$(cat "$w/$f")" 2>/dev/null; done
  n=0
  while [ "$n" -lt 100 ] && { kill -0 "$(cat "$w/pid")" || kill -0 "$(cat "$w/child")"; } 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
  echo 143 >"$w/exit"
fi
"#;

fn begin(stack: &str) -> String {
    let home = format!(".{}", manifest::folder(stack));
    format!("{PRELUDE}{}", fill(BLOBS, &[("HOME", Part::Word(&home))]))
}

/// Reads one release, and the manifest.
pub(super) fn read(stack: &str, id: u64, limit: Duration) -> Command {
    let id = id.to_string();
    let script = format!(
        "{}{}{}{END}",
        begin(stack),
        fill(READ, &[("ID", Part::Script(&id))]),
        read_manifest(stack)
    );
    Command::new("read the release", script, limit)
}

/// Reads all releases without the contents of their files, and the manifest.
pub(super) fn list(stack: &str, limit: Duration) -> Command {
    let script = format!("{}{LIST}{}{END}", begin(stack), read_manifest(stack));
    Command::new("read the releases", script, limit)
}

/// What is looked at before a host goes back.
#[derive(Debug, Default)]
pub(crate) struct Look<'a> {
    /// The stack whose deployments of these projects are ended.
    pub(crate) stop: Option<(&'a str, Vec<&'a str>)>,
    /// Files whose digests are wanted.
    pub(crate) paths: Vec<String>,
    /// Images of which it is wanted whether they are there; Docker is asked when there is a project.
    pub(crate) images: Vec<&'a str>,
    /// Whether there are projects.
    pub(crate) projects: bool,
}

impl Look<'_> {
    pub(crate) fn command(&self, limit: Duration) -> Command {
        let mut script = PRELUDE.to_owned();
        for (stack, project) in
            self.stop.iter().flat_map(|(stack, all)| all.iter().map(move |one| (stack, one)))
        {
            let parts = [("STACK", Part::Word(stack)), ("PROJECT", Part::Word(project))];
            script.push_str(&fill(STOP, &parts));
        }
        let list = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(" ");
        let paths = list(&mut self.paths.iter().map(|path| quote(&format!(".{path}"))));
        script.push_str(SUMS);
        script.push_str(&fill(LOOK_AT_FILES, &[("PATHS", Part::Script(&paths))]));
        if self.projects {
            let images = list(&mut self.images.iter().map(|image| quote(image)));
            let parts = [("IMAGES", Part::Script(&images)), ("INSPECT", Part::Script(INSPECT))];
            script.push_str(&fill(DOCKER, &parts));
        }
        script.push_str(END);
        Command::new("look at what is to go back", script, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_posix_shell() {
        let limit = Duration::from_secs(1);
        let look = Look {
            stop: Some(("ops", vec!["a", "b"])),
            paths: vec!["/it's".into()],
            images: vec!["sha256:00"],
            projects: true,
        };
        for command in [
            read("ops", 3, limit),
            list("ops", limit),
            look.command(limit),
            Look::default().command(limit),
        ] {
            let status =
                std::process::Command::new("dash").args(["-nc", &command.script]).status().unwrap();
            assert!(status.success(), "{}", command.script);
        }
    }
}
