//! How old the newest backup is, and how the last run went.

use ipai_core::backup::AHEAD;
use serde_json::{Value as Json, json};

use super::super::places::Places;
use super::super::world::World;
use super::super::{Failed, Run};
use super::site::Site;
use crate::report::{one_line, size};

/// How the stack's backups fare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Age {
    /// Seconds since the newest good one was taken; absent when there is none.
    seconds: Option<i64>,
    /// How old it may be.
    max: i64,
    /// Seconds since the host can take any.
    waiting: i64,
    /// What the host wrote down of the last run.
    last: Json,
}

/// Asks the host.
pub(crate) async fn of(site: &Site<'_>) -> Result<Age, Failed> {
    let (ended, _) = site.ask(&["last"], "look at the last backup").await?;
    let number = |word| {
        ended.about(word).next().and_then(|text| text.parse::<i64>().ok()).unwrap_or_default()
    };
    let last: Json = ended
        .about("last")
        .next()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let taken = last["good"]["time"].as_str().and_then(ipai_core::calendar::seconds_of);
    Ok(Age {
        seconds: taken.map(|taken| number("now") - taken),
        max: site.backup.max_age,
        waiting: number("now") - number("since"),
        last,
    })
}

/// The same for `ipai status` and `ipai check`: absent when the stack keeps nothing or its host is not there.
pub(crate) async fn if_any(run: &Run<'_>, world: &World, places: &Places) -> Option<Age> {
    world.loaded.stack.backup.as_ref()?;
    let site = world.site(run, places).ok()?;
    of(&site).await.ok()
}

impl Age {
    /// Tells whether there is a good one that is new enough; a new host has as long as one may be old.
    pub(crate) fn is_well(&self) -> bool {
        self.seconds.unwrap_or(self.waiting) <= self.max
            && self.seconds.is_none_or(|age| age > -AHEAD)
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        let ill = if self.is_well() { "" } else { ", TOO OLD" };
        let newest = match self.seconds {
            None => format!("backup: none yet{ill}"),
            Some(age) if age < -AHEAD => {
                "backup: the newest is from the future; a clock is wrong".to_owned()
            }
            Some(age) => {
                let good = &self.last["good"];
                let bytes = size(good["bytes"].as_u64().unwrap_or_default());
                let id = good["id"].as_str().unwrap_or_default();
                format!(
                    "backup: {} of {bytes}, {} old{ill}",
                    one_line(id.get(..8).unwrap_or(id)),
                    for_people(age)
                )
            }
        };
        if self.last["result"] == "failed" {
            let (time, why) = (&self.last["time"], &self.last["error"]);
            return format!(
                "{newest}; the last run failed at {}: {}",
                one_line(time.as_str().unwrap_or("?")),
                one_line(why.as_str().unwrap_or("?"))
            );
        }
        newest
    }

    pub(crate) fn document(&self) -> Json {
        json!({"well": self.is_well(), "age_seconds": self.seconds, "max_age_seconds": self.max, "last": self.last})
    }
}

/// A span of time, roughly.
pub(crate) fn for_people(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
