//! A runner: does a workflow's steps as GitHub's does, in a fresh shallow clone, without a terminal.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::cancel::Cancel;
use super::expression::{fill, runs};
use super::forge::JOB;
use super::scene::Scene;
use super::step::Home;
use crate::common::{Ran, repository};

pub(crate) type Environment = BTreeMap<String, String>;

/// A job under way.
pub(crate) struct Job<'a> {
    pub(crate) scene: &'a Scene,
    /// What is checked out.
    pub(crate) git_ref: &'a str,
    pub(crate) run_id: u64,
    event: Value,
    /// What was typed in where the job was started by hand.
    pub(crate) allow: &'a str,
    /// Cancels the step that runs ipai.
    pub(crate) cancel: Option<Cancel<'a>>,
    pub(crate) base: Environment,
    /// How many scripts ran.
    pub(crate) ran: u32,
    pub(crate) ended: Ended,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) log: Ran,
    pub(crate) summary: String,
    /// How long it took from the first signal to the end.
    pub(crate) stopped: Option<Duration>,
    /// Everything that lay around when it was over.
    pub(crate) place: TempDir,
}

impl<'a> Job<'a> {
    pub(crate) fn new(scene: &'a Scene, git_ref: &'a str, run_id: u64) -> Self {
        let place = TempDir::new().unwrap();
        std::fs::create_dir(place.path().join("workspace")).unwrap();
        std::fs::create_dir(place.path().join("temp")).unwrap();
        let log = Ran { code: 0, out: String::new(), err: String::new() };
        let ended = Ended { log, summary: String::new(), stopped: None, place };
        let (event, base) = (json!({}), Environment::new());
        Self { scene, git_ref, run_id, event, allow: "", cancel: None, base, ran: 0, ended }
    }

    pub(crate) fn for_pull_request(self) -> Self {
        Self { event: json!({"pull_request": {"number": 7}}), ..self }
    }

    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        self.ended.place.path().join(name)
    }

    /// Does the one job of a shipped workflow.
    pub(crate) fn workflow(mut self, name: &str) -> Ended {
        let workflow = yaml(&format!("docs/ci/github/{name}.yml"));
        self.base = self.surroundings();
        let context = self.context();
        self.steps(&workflow["jobs"][name]["steps"], context, &Environment::new(), None);
        self.ended.summary = std::fs::read_to_string(self.inside("summary")).unwrap_or_default();
        self.ended
    }

    fn context(&self) -> Value {
        json!({
            "github": {"token": JOB, "ref": self.git_ref},
            "runner": {"os": "Linux", "arch": "X64"},
            "inputs": {"allow-data-loss": self.allow},
            "secrets": self.secrets(),
            "steps": {},
        })
    }

    fn secrets(&self) -> Value {
        let key = std::fs::read_to_string(self.scene.world.home().join("key")).unwrap();
        json!({
            "DIGITALOCEAN_READ_TOKEN": "readonly-digitalocean", "CLOUDFLARE_READ_TOKEN": "readonly-cloudflare",
            "DIGITALOCEAN_TOKEN": "digitalocean", "CLOUDFLARE_API_TOKEN": "cloudflare",
            "IPAI_SSH_KEY": key.trim_end(), "SOPS_AGE_KEY": "",
            "SMTP_PASSWORD": "", "SPACES_ACCESS_KEY_ID": "spaces", "SPACES_SECRET_ACCESS_KEY": "spaces",
        })
    }

    fn surroundings(&self) -> Environment {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        std::fs::write(self.inside("event.json"), self.event.to_string()).unwrap();
        let own = [
            ("CI", "true".into()),
            ("GITHUB_ACTIONS", "true".into()),
            ("GITHUB_REPOSITORY", "acme/infra".into()),
            ("GITHUB_API_URL", self.scene.forge.url.clone()),
            ("GITHUB_SERVER_URL", "https://github.example.com".into()),
            ("GITHUB_RUN_ID", self.run_id.to_string()),
            ("GITHUB_EVENT_PATH", text(self.inside("event.json"))),
            ("GITHUB_STEP_SUMMARY", text(self.inside("summary"))),
            ("RUNNER_TEMP", text(self.inside("temp"))),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        self.scene.surroundings().into_iter().chain(own).collect()
    }

    /// Steps in order; gives the context that they leave.
    pub(crate) fn steps(
        &mut self,
        steps: &Value,
        mut context: Value,
        outer: &Environment,
        home: Home<'_>,
    ) -> Value {
        for step in steps.as_array().unwrap() {
            let failed = self.ended.log.code != 0;
            let id = step["id"].as_str().unwrap_or_default();
            let mut outputs = json!({});
            if runs(step["if"].as_str(), failed, &context) {
                let mut environment = outer.clone();
                environment.extend(filled(&step["env"], &context));
                outputs = self.step(step, &context, &environment, home);
            }
            context["steps"][id] = json!({"outputs": outputs});
        }
        context
    }
}

pub(crate) fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(repository().join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// A step's `env` or `with`.
pub(crate) fn filled(map: &Value, context: &Value) -> Environment {
    let all = map.as_object().into_iter().flatten();
    let text = |value: &Value| {
        value.as_str().map_or_else(|| value.to_string(), |text| fill(text, context))
    };
    all.map(|(name, value)| (name.clone(), text(value))).collect()
}
