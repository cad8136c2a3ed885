//! One check's questions, asked from here and on the host.

use ipai_core::RemoteError;
use ipai_core::check::{Answer, Check, Question, VersionQuestion, Way};

use super::super::Run;
use super::super::places::Places;
use super::super::world::World;
use crate::http_check::{NOT_BELIEVED, Outcome as Result, Reach, fetch, find_address, inside};
use crate::providers::{self, HostOutput};

/// How curl ends when it cannot verify a certificate (curl(1), exit codes).
const UNBELIEVED: i32 = 60;

/// Who asks, and about what.
pub(super) struct Asker<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) world: &'a World,
    pub(super) places: &'a Places,
    pub(super) reach: &'a Reach,
    pub(super) check: &'a Check,
}

/// What came back, or why nothing did.
pub(super) enum Asked {
    Answered(Answer),
    Failed(String),
    Skipped(String),
}

impl Asked {
    pub(super) fn judge(&self, question: &Question) -> Result {
        match self {
            Self::Answered(answer) => match question.expect.judge(answer) {
                None => Result::Passed,
                Some(why) => Result::Failed(why),
            },
            Self::Failed(why) => Result::Failed(why.clone()),
            Self::Skipped(why) => Result::Skipped(why.clone()),
        }
    }

    pub(super) fn version(&self, wanted: &VersionQuestion) -> (Option<String>, Result) {
        let answer = match self {
            Self::Answered(answer) => answer,
            Self::Failed(why) => return (None, Result::Failed(why.clone())),
            Self::Skipped(why) => return (None, Result::Skipped(why.clone())),
        };
        match wanted.find(answer) {
            None => (None, Result::Failed("its answer names no version".to_owned())),
            Some(found) if wanted.compatible.holds(&found) => (Some(found), Result::Passed),
            Some(found) => {
                let why = format!("{found} is not {}", wanted.compatible);
                (Some(found), Result::Failed(why))
            }
        }
    }
}

impl Asker<'_> {
    /// Asks from here. A command has no way from here.
    pub(super) async fn outside(&self, question: &Question) -> Option<Asked> {
        if !matches!(question.way, Way::Url { .. }) {
            return None;
        }
        if let Some(waiting) = waiting(question) {
            return Some(waiting);
        }
        let host = self.check.host.as_ref().map(|host| find_address(host, &self.places.outputs));
        if host == Some(None) {
            return Some(Asked::Skipped("its host has no address yet".to_owned()));
        }
        Some(match fetch::fetch(question, host.flatten(), self.reach).await {
            Ok(fetched) => Asked::Answered(fetched.answer),
            Err(why) => Asked::Failed(why),
        })
    }

    /// Asks on the host, if the check names one.
    pub(super) async fn inside(&self, question: &Question) -> Option<Asked> {
        if let Some(waiting) = waiting(question) {
            return Some(waiting);
        }
        match &question.way {
            Way::Url { .. } => self.by_curl(question).await,
            Way::Command { words, input } => {
                let input = input.as_ref().map(|input| input.expose().as_bytes().to_vec());
                Some(self.in_container(words, input.unwrap_or_default()).await)
            }
        }
    }

    /// Asks from here where that works, else on the host.
    pub(super) async fn either(&self, question: &Question, from_here: bool) -> Asked {
        let asked = if from_here { self.outside(question).await } else { None };
        let asked = match asked {
            None => self.inside(question).await,
            some => some,
        };
        match asked {
            Some(asked) => asked,
            None => Asked::Failed("the service cannot be reached".to_owned()),
        }
    }

    async fn by_curl(&self, question: &Question) -> Option<Asked> {
        let home = self.check.host.as_ref()?;
        let config = match inside::config(question) {
            Ok(config) => config,
            Err(why) => return Some(Asked::Failed(why)),
        };
        let mut authorities = question.authority.clone().unwrap_or_default();
        if let Reach::Trusting(more) = self.reach {
            authorities += &more.concat();
        }
        let Some(outputs) = self.places.outputs.get(home) else {
            return Some(Asked::Skipped("its host does not exist yet".to_owned()));
        };
        let ran = providers::curl(&self.world.access, home, outputs, config, &authorities).await;
        Some(match ran {
            Err(error) => Asked::Failed(error.to_string()),
            Ok(output) if output.exit == providers::NO_CURL => {
                Asked::Skipped("the host has no curl".to_owned())
            }
            Ok(output) if output.exit == UNBELIEVED => {
                Asked::Failed(last_line(&output) + NOT_BELIEVED)
            }
            Ok(output) => match inside::answer(&output.stdout).filter(|_| output.exit == 0) {
                Some(answer) => Asked::Answered(answer),
                None => Asked::Failed(last_line(&output)),
            },
        })
    }

    async fn in_container(&self, words: &[String], input: Vec<u8>) -> Asked {
        let service = self.check.service.as_deref().unwrap_or_default();
        let Ok((project, service)) = self.places.service(self.run, service) else {
            return Asked::Failed(format!("there is no service `{service}` in the stack"));
        };
        let Some(outputs) = self.places.outputs.get(&project.home) else {
            return Asked::Skipped("its host does not exist yet".to_owned());
        };
        let access = &self.world.access;
        let ran = providers::ask_in(access, project, service, outputs, words, input).await;
        match ran {
            Ok(output) if output.exit == 0 => {
                Asked::Answered(Answer { status: 200, body: output.text(), ..Answer::default() })
            }
            Ok(output) => Asked::Failed(last_line(&output)),
            Err(error) => Asked::Failed(RemoteError::to_string(&error)),
        }
    }
}

fn waiting(question: &Question) -> Option<Asked> {
    let first = question.waits_for.first()?;
    Some(Asked::Skipped(format!("{first} is still to be made: ipai apply")))
}

/// The last of what a command complained, which holds nothing of what it was given.
fn last_line(output: &HostOutput) -> String {
    let line = output.stderr.lines().rfind(|line| !line.trim().is_empty());
    match line {
        Some(line) => line.trim().chars().take(300).collect(),
        None => format!("exit code {}", output.exit),
    }
}
