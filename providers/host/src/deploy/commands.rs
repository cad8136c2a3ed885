//! The commands of a deployment, as values.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::compose::file_path;
use crate::observe::script::{END, INSPECT, PRELUDE, compose};
use crate::session::{Command, Part, fill, quote};

/// How long `down` may take; services have their own grace periods.
const DOWN_LIMIT: Duration = Duration::from_secs(600);

/// How long a reload command in a container may take.
const RELOAD_LIMIT: Duration = Duration::from_secs(120);

/// Exit codes of [`Project::check`].
pub(super) const NO_DOCKER: i32 = 70;
pub(super) const NO_ENGINE: i32 = 71;
pub(super) const NO_COMPOSE: i32 = 72;
pub(super) const INVALID: i32 = 73;
/// Exit code of [`Project::start`]: an earlier deployment still goes on.
pub(super) const BUSY: i32 = 75;

/// A project on a host.
#[derive(Clone, Debug)]
pub(super) struct Project<'a> {
    pub(super) stack: &'a str,
    pub(super) name: &'a str,
    pub(super) directory: &'a str,
    pub(super) limit: Duration,
}

/// `--hash` reads the file as `up` will, so that it needs no check of its own.
const CHECK: &str = r#"v=$(docker compose version --short) || exit 72
printf '@compose\n%s\n' "$v"
[ -d @FOLDER@ ] || (umask 022; mkdir -p -- @FOLDER@) || exit 74
y=$ipai_d/$ipai_i.yaml
cat >"$y" || exit 74
h=$(@COMPOSE@ config --hash '*' <"$y") || exit 73
printf '@hash.0\n%s\n' "$h"
"#;

/// Containers of one project.
const CONTAINERS: &str = r#"ids=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project=@PROJECT@)
case $? in 0) ;; 127) exit 70 ;; *) exit 71 ;; esac
echo @containers; [ -z "$ids" ] || @INSPECT@ $ids 2>/dev/null
"#;

const START: &str = r#"w=./run/ipai/@STACK@.@PROJECT@
[ -d "$w" ] || mkdir -p -- "$w" || exit 74
if [ -s "$w/pid" ] && [ ! -e "$w/exit" ] && kill -0 "$(cat "$w/pid")" 2>/dev/null; then exit 75; fi
[ ! -e "$w/exit" ] && [ ! -e "$w/child" ] || rm -f -- "$w/exit" "$w/child"
(
  trap '' HUP
  step() { echo "$1" >"$w/phase"; shift; "$@" & echo $! >"$w/child"; wait $!; }
  b=./var/lib/ipai/@STACK@/backup
  before_up() { { [ ! -e "$b/seed" ] && [ ! -e "$b/journal" ]; } || step restore sh ./opt/ipai/@STACK@/backup/program before-up; }
  @STEPS@
  echo $? >"$w/exit.new"
  mv -f -- "$w/exit.new" "$w/exit"
) </dev/null >"$w/log" 2>&1 &
echo $! >"$w/pid"
"#;

const LOOK: &str = r#"w=./run/ipai/@STACK@.@PROJECT@
[ -e "$w/exit" ] || kill -0 "$(cat "$w/pid")" 2>/dev/null || [ -e "$w/exit" ] || echo 255 >"$w/exit"
for f in phase exit; do [ ! -f "$w/$f" ] || { read -r l <"$w/$f"; printf '@%s\n%s\n' "$f" "$l"; }; done
[ ! -s "$w/log" ] || tail -c 8000 -- "$w/log" | section log
"#;

/// While images are pulled, a line for each that is here.
const HERE: &str = r#"[ "$(cat "$w/phase" 2>/dev/null)" != pull ] || docker image inspect --format '{{.Id}}' @IMAGES@ </dev/null 2>/dev/null | section here
"#;

impl Project<'_> {
    fn command(&self, name: &'static str, body: &str) -> Command {
        Command::new(name, format!("{PRELUDE}{body}"), self.limit)
    }

    fn fill(&self, template: &str, steps: &str) -> String {
        let parts = [
            ("INSPECT", Part::Script(INSPECT)),
            ("STACK", Part::Word(self.stack)),
            ("PROJECT", Part::Word(self.name)),
            ("STEPS", Part::Script(steps)),
        ];
        fill(template, &parts)
    }

    fn containers(&self) -> String {
        self.fill(CONTAINERS, "")
    }

    fn compose(&self) -> String {
        compose(self.name, self.directory, &file_path(self.directory))
    }

    /// Checks Docker, Compose and the new YAML, before anything of the old is touched; tells what Compose
    /// calls each service's configuration, and lists what runs now.
    pub(super) fn check(&self, yaml: Vec<u8>) -> Command {
        let folder = quote(&format!(".{}", self.directory));
        let compose = compose(self.name, self.directory, "-");
        let containers = self.containers();
        let parts = [("FOLDER", Part::Script(&folder)), ("COMPOSE", Part::Script(&compose))];
        let body = format!("{containers}{}{END}", fill(CHECK, &parts));
        self.command("check the Compose file", &body).stdin(yaml)
    }

    /// Starts pulling, building and `up` in the background, so that a cut link stops none of it and its progress can
    /// be looked at. Images are fetched before anything stops: `pulled` are named, because the policy on the command
    /// line overrides each service's own, `never` too. Compose creates what depends on a service again together with
    /// it, so those whose containers are to be `replaced` get new ones first, named and so without what depends on them;
    /// `up` starts them in their order. `anew` are services to create again although Compose sees no reason.
    pub(super) fn start(
        &self,
        pulled: &[&str],
        built: &[&str],
        replaced: &[&str],
        anew: &[&str],
    ) -> Command {
        let compose = self.compose();
        let mut steps = String::new();
        // Writing to a text cannot fail.
        if !pulled.is_empty() {
            let names = list(pulled);
            let _ =
                write!(steps, "step pull {compose} pull --quiet --policy missing {names} &&\n  ");
        }
        if !built.is_empty() {
            let _ = write!(steps, "step build {compose} build {} &&\n  ", list(built));
        }
        // A backup that is to be restored, or whose restore was cut short, comes before anything starts.
        steps.push_str("before_up &&\n  ");
        for (names, forced) in [(replaced, ""), (anew, " --force-recreate")] {
            if !names.is_empty() {
                let create = "up --no-start --no-build";
                let _ = write!(steps, "step up {compose} {create}{forced} {} &&\n  ", list(names));
            }
        }
        let _ = write!(steps, "step up {compose} up -d --remove-orphans --no-build");
        self.command("bring the project up", &self.fill(START, &steps))
    }

    /// Starts `up` with what is here: nothing is pulled or built, and names mean these images again.
    pub(super) fn start_again(&self, tags: &[(&str, &str)]) -> Command {
        let mut steps = String::new();
        for (id, name) in tags {
            // Writing to a text cannot fail.
            let _ = write!(steps, "step tag docker tag {} {} &&\n  ", quote(id), quote(name));
        }
        let compose = self.compose();
        let _ = write!(
            steps,
            "before_up &&\n  step up {compose} up -d --remove-orphans --no-build --pull never"
        );
        self.command("bring the release up", &self.fill(START, &steps))
    }

    /// Brings an image here.
    pub(super) fn pull_image(&self, name: &str) -> Command {
        let body = format!("docker pull --quiet {} </dev/null\n", quote(name));
        Command { limit: DOWN_LIMIT, ..self.command("pull an image", &body) }
    }

    /// Brings an image here, unless one of that name is.
    pub(super) fn fetch_image(&self, name: &str) -> Command {
        let name = quote(name);
        let body = format!(
            "docker image inspect {name} </dev/null >/dev/null 2>&1 || docker pull --quiet {name} </dev/null\n"
        );
        Command { limit: DOWN_LIMIT, ..self.command("pull an image", &body) }
    }

    /// Looks at the deployment and at the project's containers; while images are pulled, at which of `images` are here.
    pub(super) fn look(&self, images: &BTreeSet<String>) -> Command {
        let mut look = self.fill(LOOK, "");
        if !images.is_empty() {
            let names = list(images);
            look.push_str(&fill(HERE, &[("IMAGES", Part::Script(&names))]));
        }
        self.command("look at the project", &format!("{look}{}{END}", self.containers()))
    }

    /// Runs a command in a service's container.
    pub(super) fn reload(&self, service: &str, words: &[String]) -> Command {
        let (compose, service) = (self.compose(), quote(service));
        let body = format!("{compose} exec -T {service} {} </dev/null\n", list(words));
        Command { limit: RELOAD_LIMIT, ..self.command("reload a service", &body) }
    }

    /// The last lines of a container's log.
    pub(super) fn logs(&self, container: &str) -> Command {
        let body = format!("docker logs --tail 20 {} 2>&1 | section log\n{END}", quote(container));
        self.command("read a container's log", &body)
    }

    /// Takes the project down and keeps its volumes. Without Docker it is down.
    pub(super) fn down(&self) -> Command {
        let file = quote(&format!(".{}", file_path(self.directory)));
        let body = format!(
            "docker version >/dev/null 2>&1\n[ $? != 127 ] || exit 0\n\
             [ -f {file} ] && {} down --remove-orphans && exit 0\n\
             docker compose -p {} down --remove-orphans\n",
            self.compose(),
            quote(self.name)
        );
        Command { limit: DOWN_LIMIT, ..self.command("take the project down", &body) }
    }
}

/// Words of a command.
fn list(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: Project<'_> = Project {
        stack: "ops",
        name: "ops",
        directory: "/opt/it's",
        limit: Duration::from_secs(60),
    };

    const COMPOSE: &str = r#"docker compose -p 'ops' --project-directory "${IPAI_ROOT-}"'/opt/it'\''s' -f "${IPAI_ROOT-}"'/opt/it'\''s/compose.yaml'"#;

    #[test]
    fn images_come_before_anything_stops() {
        let script = PROJECT.start(&["db", "app"], &["web"], &["db"], &["app"]).script;
        let steps = [
            "step pull COMPOSE pull --quiet --policy missing 'db' 'app' &&",
            "step build COMPOSE build 'web' &&",
            "before_up &&",
            "step up COMPOSE up --no-start --no-build 'db' &&",
            "step up COMPOSE up --no-start --no-build --force-recreate 'app' &&",
            "step up COMPOSE up -d --remove-orphans --no-build",
        ];
        let steps = steps.map(|step| step.replace("COMPOSE", COMPOSE)).join("\n  ");
        assert!(script.contains(&steps), "{script}");
    }

    #[test]
    fn words_of_a_reload_stay_words() {
        let words = ["caddy".to_owned(), "a b;c".to_owned()];
        let script = PROJECT.reload("caddy", &words).script;
        assert!(
            script.ends_with(&format!("{COMPOSE} exec -T 'caddy' 'caddy' 'a b;c' </dev/null\n"))
        );
    }

    #[test]
    fn down_never_removes_volumes() {
        let script = PROJECT.down().script;
        assert_eq!(script.matches("down --remove-orphans").count(), 2);
        assert!(!script.contains(" -v") && !script.contains("--volumes"), "{script}");
    }

    #[test]
    fn a_folder_that_is_named_like_a_place_of_a_script_stays_itself() {
        let project = Project { directory: "/opt/@PROJECT@@STEPS@", ..PROJECT };
        for script in [project.check(Vec::new()).script, project.start(&[], &[], &[], &[]).script] {
            assert!(script.contains("'/opt/@PROJECT@@STEPS@'"), "{script}");
        }
    }

    #[test]
    fn every_script_is_posix_shell() {
        let commands = [
            PROJECT.check(Vec::new()),
            PROJECT.start(&["a"], &["a"], &["a"], &[]),
            PROJECT.start(&[], &[], &[], &[]),
            PROJECT.start_again(&[("sha256:0", "a:1")]),
            PROJECT.pull_image("a:1"),
            PROJECT.fetch_image("a:1"),
            PROJECT.look(&BTreeSet::new()),
            PROJECT.look(&BTreeSet::from(["a:1".to_owned(), "it's".to_owned()])),
            PROJECT.reload("a", &["b".into()]),
            PROJECT.logs("0123"),
            PROJECT.down(),
        ];
        for command in commands {
            let status =
                std::process::Command::new("dash").args(["-nc", &command.script]).status().unwrap();
            assert!(status.success(), "{}", command.script);
        }
    }
}
