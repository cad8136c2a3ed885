//! What a step does: an action, or a script.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::cancel::wait;
use super::expression::fill;
use super::runner::{Environment, Job, filled, yaml};
use crate::common::{copy_folder, repository};

const ACTION: &str = "insightpulseai/ipai/.github/actions/ipai@main";

/// The folder of the action that a step belongs to.
pub(crate) type Home<'a> = Option<&'a Path>;

impl Job<'_> {
    /// Does one; gives its outputs.
    pub(crate) fn step(
        &mut self,
        step: &Value,
        context: &Value,
        environment: &Environment,
        home: Home<'_>,
    ) -> Value {
        let with = filled(&step["with"], context);
        match step["uses"].as_str() {
            None => return self.script(step, context, environment, home),
            Some(ACTION) => return self.composite(&with, context, environment),
            Some("actions/checkout@v4") => self.check_out(),
            Some("actions/cache@v4") => panic!("ipai is here, and yet it would be built"),
            Some("actions/upload-artifact@v4") => self.upload(&with["path"], &with["name"]),
            Some("actions/download-artifact@v4") => {
                copy_folder(
                    &self.artifact(&with["run-id"], &with["name"]),
                    &self.inside("workspace"),
                );
            }
            Some(other) => panic!("nobody knows {other}"),
        }
        json!({})
    }

    /// The action that ships. It sees no secrets but those that it is handed.
    fn composite(
        &mut self,
        with: &Environment,
        context: &Value,
        environment: &Environment,
    ) -> Value {
        let action = yaml(".github/actions/ipai/action.yml");
        let inputs = given(&action["inputs"], with, context);
        let (github, runner) = (&context["github"], &context["runner"]);
        let inner = json!({"inputs": inputs, "steps": {}, "github": github, "runner": runner});
        let home = repository().join(".github/actions/ipai");
        let left = self.steps(&action["runs"]["steps"], inner, environment, Some(&home));
        let outputs = action["outputs"].as_object().unwrap().iter();
        let value = |output: &Value| fill(output["value"].as_str().unwrap(), &left);
        outputs.map(|(name, output)| (name.clone(), value(output))).collect()
    }

    fn check_out(&self) {
        let (workspace, url) = (self.inside("workspace"), self.scene.url());
        self.scene.git(&workspace, &["init", "-q"]);
        self.scene.git(&workspace, &["fetch", "-q", "--depth", "1", &url, self.git_ref]);
        self.scene.git(&workspace, &["checkout", "-q", "--detach", "FETCH_HEAD"]);
        assert_eq!(self.scene.git(&workspace, &["rev-list", "--count", "HEAD"]), "1");
    }

    fn artifact(&self, run: &str, name: &str) -> PathBuf {
        self.scene.folder(&format!("artifacts/{run}/{name}"))
    }

    fn upload(&self, path: &str, name: &str) {
        let to = self.artifact(&self.run_id.to_string(), name);
        std::fs::create_dir_all(&to).unwrap();
        std::fs::copy(self.inside("workspace").join(path), to.join(path)).unwrap();
        let run = json!({"id": self.run_id, "repository_id": 1, "head_repository_id": 1});
        let at = format!("2026-01-01T00:00:{:02}Z", self.run_id);
        let listed = json!({"name": name, "expired": false, "created_at": at, "workflow_run": run});
        self.scene.forge.kept().artifacts.push(listed);
    }

    fn script(
        &mut self,
        step: &Value,
        context: &Value,
        environment: &Environment,
        home: Home<'_>,
    ) -> Value {
        self.ran += 1;
        let [script, output, log] =
            ["sh", "out", "log"].map(|end| self.inside(&format!("{}.{end}", self.ran)));
        std::fs::write(&script, fill(step["run"].as_str().unwrap(), context)).unwrap();
        let file = std::fs::File::create(&log).unwrap();
        let mut shell = Command::new(step["shell"].as_str().unwrap_or("bash"));
        shell.arg("-e").arg(script).current_dir(self.inside("workspace")).env_clear();
        shell.envs(&self.base).envs(environment).env("GITHUB_OUTPUT", &output);
        shell.envs(home.map(|folder| ("GITHUB_ACTION_PATH", folder)));
        shell.stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file);
        let cancel = self.cancel.as_ref().filter(|_| step["id"] == "ipai");
        let (code, stopped) = wait(shell, cancel);
        self.take_down(code, &log);
        self.ended.stopped = self.ended.stopped.or(stopped);
        let written = std::fs::read_to_string(output).unwrap_or_default();
        written.lines().filter_map(|line| line.split_once('=')).collect()
    }

    /// The first exit code that is none of 0 is the job's.
    fn take_down(&mut self, code: i32, log: &Path) {
        let ran = &mut self.ended.log;
        ran.code = if ran.code == 0 { code } else { ran.code };
        ran.out += &std::fs::read_to_string(log).unwrap();
    }
}

/// Each input of an action: as it is given, or its default.
fn given(inputs: &Value, with: &Environment, context: &Value) -> Value {
    let inputs = inputs.as_object().unwrap();
    assert!(with.keys().all(|name| inputs.contains_key(name)), "unknown inputs: {with:?}");
    let one = |(name, input): (&String, &Value)| {
        let default = input["default"].as_str().map(|text| fill(text, context));
        let value = with.get(name).cloned().or(default);
        (name.clone(), value.unwrap_or_else(|| panic!("{name} is not given")))
    };
    inputs.iter().map(one).collect()
}
