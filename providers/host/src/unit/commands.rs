//! What systemd is told of units: after their files have come, and before they go.

use std::collections::BTreeMap;
use std::time::Duration;

use ipai_core::{Fault, RemoteError};

use super::path;
use crate::batch::Batch;
use crate::failure;
use crate::manifest::Manifest;
use crate::observe::answer::Answer;
use crate::observe::script::{END, PRELUDE};
use crate::session::{Command, Part, fill, quote};

/// How long one unit may take to stop and to start again: systemd's own limits are 90 s each.
const LIMIT: Duration = Duration::from_secs(200);

/// Exit codes of the scripts.
const NO_SYSTEMD: i32 = 70;
const NOT_RELOADED: i32 = 71;

/// What to do about a host without systemd.
pub(crate) const NEEDS_SYSTEMD: &str = "host.unit needs a host that was booted with systemd, such as Debian or Ubuntu; \
     on another one, remove the unit from the stack";

const BEGIN: &str = r#"w=$ipai_d/$ipai_i.unit
command -v systemctl >/dev/null || { echo 'the host has no systemctl' >&2; exit 70; }
"#;

const RELOAD: &str = "systemctl daemon-reload >\"$w\" 2>&1 || { cat \"$w\" >&2; exit 71; }\n";

/// One unit; what it says is shown only when it failed.
const EACH: &str = "{ @STEPS@; } >\"$w\" 2>&1 </dev/null || section unit.@NUMBER@ <\"$w\"\n";

/// Leaves alone what was not enabled, such as a service that its timer starts.
const DISABLE: &str = "case $(systemctl is-enabled -- @UNIT@) in enabled|enabled-runtime) systemctl disable --now -- @UNIT@ ;; esac";

/// A file that is gone already has nothing to be disabled by.
const GIVE_UP: &str = "[ ! -e @FILE@ ] || systemctl disable --now -- @UNIT@";

/// A unit whose file has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coming {
    /// Its full name.
    pub(crate) name: String,
    /// Whether it is started, now and at boot.
    pub(crate) enabled: bool,
    /// Whether it is restarted if it is up.
    pub(crate) restart: bool,
}

/// Why single units failed, by their names.
pub(crate) type Failed = BTreeMap<String, RemoteError>;

impl Coming {
    fn steps(&self) -> String {
        let unit = [("UNIT", Part::Word(&self.name))];
        let restart = fill("systemctl try-restart -- @UNIT@ && ", &unit);
        let restart = if self.restart && !self.name.ends_with(".mount") { &restart } else { "" };
        let rest = if self.enabled { "systemctl enable --now -- @UNIT@" } else { DISABLE };
        format!("{restart}{}", fill(rest, &unit))
    }
}

/// Lets systemd take in what has come, in one command: its files anew, then each unit.
pub(crate) async fn take_in(
    batch: &mut Batch<'_>,
    coming: &[Coming],
) -> Result<Failed, RemoteError> {
    let names: Vec<&str> = coming.iter().map(|unit| unit.name.as_str()).collect();
    let steps = coming.iter().map(Coming::steps).collect();
    run(batch, "let systemd take the units in", RELOAD, &names, steps).await
}

/// Disables and stops units whose files are about to go.
pub(crate) async fn give_up(batch: &mut Batch<'_>, names: &[&str]) -> Result<Failed, RemoteError> {
    let step = |name: &&str| {
        let file = format!(".{}", path(name));
        fill(GIVE_UP, &[("FILE", Part::Word(&file)), ("UNIT", Part::Word(name))])
    };
    let steps = names.iter().map(step).collect();
    run(batch, "stop the units that go", "", names, steps).await
}

async fn run(
    batch: &mut Batch<'_>,
    doing: &'static str,
    before: &str,
    names: &[&str],
    steps: Vec<String>,
) -> Result<Failed, RemoteError> {
    let mut script = format!("{PRELUDE}{BEGIN}{before}");
    for (number, steps) in steps.iter().enumerate() {
        let number = number.to_string();
        let parts = [("STEPS", Part::Script(steps)), ("NUMBER", Part::Script(&number))];
        script.push_str(&fill(EACH, &parts));
    }
    script.push_str(END);
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let limit = batch.limit().saturating_add(LIMIT.saturating_mul(count));
    let output = batch.run(&Command::new(doing, script, limit)).await?;
    if output.exit != 0 {
        let cause = failure::or_silence(&output.stderr, output.exit);
        let error = RemoteError::new(Fault::Refused, doing, cause);
        let absent = output.exit == NO_SYSTEMD || is_absence(&error.cause);
        return Err(match output.exit {
            _ if absent => error.hint(NEEDS_SYSTEMD),
            NOT_RELOADED => error.hint("look at `systemctl status` on the host"),
            _ => error,
        });
    }
    let answer = Answer::read(&output.stdout)?;
    let failed = |(number, name): (usize, &&str)| {
        let words = failure::readable(answer.words.get(&format!("unit.{number}"))?);
        let hint = format!("look at `journalctl -u {}` on the host, then apply again", quote(name));
        let hint = if is_absence(&words) { NEEDS_SYSTEMD.to_owned() } else { hint };
        let error = RemoteError::new(Fault::Refused, format!("{doing}: {name}"), words);
        Some(((*name).to_owned(), error.hint(hint)))
    };
    Ok(names.iter().enumerate().filter_map(failed).collect())
}

/// Tells whether words say that systemd does not run there.
pub(crate) fn is_absence(words: &str) -> bool {
    words.contains("not been booted with systemd") || words.contains("no systemctl")
}

/// Units that a manifest has as another one has them not: what is to be told when the latter takes its place. `same`
/// tells whether a file stays as it is.
pub(crate) fn between(
    now: &Manifest,
    then: &Manifest,
    same: impl Fn(&str) -> bool,
) -> (Vec<Coming>, Vec<String>) {
    let coming = then.units.iter().filter_map(|(name, record)| {
        let stays = same(&path(name));
        let told = !stays || now.units.get(name) != Some(record);
        told.then(|| Coming {
            name: name.clone(),
            enabled: record.enabled,
            restart: record.restart && !stays,
        })
    });
    let going = now.units.keys().filter(|name| !then.files.contains_key(&path(name)));
    (coming.collect(), going.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coming(name: &str, enabled: bool) -> Coming {
        Coming { name: name.into(), enabled, restart: true }
    }

    #[test]
    fn a_mount_is_never_restarted() {
        assert_eq!(coming("mnt-a.mount", true).steps(), "systemctl enable --now -- 'mnt-a.mount'");
        let timer = "systemctl try-restart -- 'a.timer' && systemctl enable --now -- 'a.timer'";
        assert_eq!(coming("a.timer", true).steps(), timer);
    }

    #[test]
    fn what_is_not_to_be_enabled_is_not_started() {
        let steps = coming("a.service", false).steps();
        assert!(!steps.contains(" enable ") && steps.contains("disable --now -- 'a.service'"));
    }
}
