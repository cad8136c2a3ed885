//! Where pipelines run: a cloud, a forge, and a repository between them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use super::clones::ttl;
use super::forge::Forge;
use super::runner::Job;
use crate::common::{Ran, World, repository, run};

pub(crate) const PULL: &str = "refs/pull/7/merge";
pub(crate) const MAIN: &str = "refs/heads/main";

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) forge: Forge,
    sandboxed: bool,
}

impl Scene {
    /// The stack of the tests as `stacks/ops` on the main branch, and applied. Nothing where the tools are missing.
    pub(crate) fn new() -> Option<Self> {
        Self::with(false)
    }

    /// The stack that ships, on a sandbox of its own that all clones share.
    pub(crate) fn sandboxed() -> Option<Self> {
        Self::with(true)
    }

    fn with(sandboxed: bool) -> Option<Self> {
        if !["git", "curl", "jq", "bash"].iter().all(|tool| have(tool)) {
            return None;
        }
        let world = World::new();
        let forge = Forge::start(&world.runtime);
        let scene = Self { world, forge, sandboxed };
        scene.install();
        let stack = if sandboxed { repository().join("stacks/ops") } else { scene.world.stack() };
        scene.begin(&stack);
        scene.by_hand(&["apply", "--auto-approve"]).expect(0);
        Some(scene)
    }

    /// One whose pull request was planned.
    pub(crate) fn reviewed() -> Option<Self> {
        let scene = Self::new()?;
        scene.propose(ttl(300));
        Job::new(&scene, PULL, 1).for_pull_request().workflow("plan").log.expect(0);
        Some(scene)
    }

    /// Puts ipai where a runner has it.
    fn install(&self) {
        let flag = if self.sandboxed { "--sandbox" } else { "" };
        let text = format!("#!/bin/sh\nexec '{}' {flag} \"$@\"\n", env!("CARGO_BIN_EXE_ipai"));
        let path = self.bin().join("ipai");
        std::fs::create_dir(self.bin()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.world.scratch.path().join(name)
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.folder("bin")
    }

    pub(crate) fn author(&self) -> PathBuf {
        self.folder("author")
    }

    /// A local path would be copied as a whole, however shallow the clone is asked to be.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.folder("infra.git").display())
    }

    /// What a runner of this place brings: where the cloud is, and nothing that lets anybody in.
    pub(crate) fn surroundings(&self) -> Vec<(String, String)> {
        let lets_in = |name: &str| name.ends_with("TOKEN") || name == "IPAI_SSH_IDENTITY";
        self.rights().into_iter().filter(|(name, _)| !lets_in(name)).collect()
    }

    /// The same with every right.
    pub(crate) fn rights(&self) -> Vec<(String, String)> {
        let text = |value: &std::ffi::OsStr| value.to_str().unwrap().to_owned();
        let sealed = self.world.command(&[]);
        let own = sealed.get_envs().filter_map(|(name, value)| Some((text(name), text(value?))));
        let path = format!("{}:{}", self.bin().display(), std::env::var("PATH").unwrap());
        let shared = self.folder("sandbox").to_str().unwrap().to_owned();
        own.chain([("PATH".into(), path), ("IPAI_SANDBOX_DIR".into(), shared)]).collect()
    }

    /// The operator's own ipai, with every right.
    #[track_caller]
    pub(crate) fn by_hand(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(self.bin().join("ipai"));
        command.env_clear().envs(self.rights()).stdin(Stdio::null());
        command.arg("-C").arg(self.author().join("stacks/ops")).args(arguments);
        run(command)
    }

    /// Somebody changes a record at Cloudflare.
    pub(crate) fn drift(&self, priority: u32) {
        let mail = self.world.record("example.com", "MX");
        let id = mail["id"].as_str().unwrap();
        self.world.cloud().edit_record("example.com", id, json!({"priority": priority})).unwrap();
    }

    /// Another run is at work, or was: its lock lapses after so long.
    pub(crate) fn lock(&self, lapses: &str) {
        let (name, content) = ("shop._ipai-lock.example.com", "\"ipai lock\"");
        let comment = format!("ipai-lock/1 9f86d081884c7d65 {lapses} 3 ann@laptop deploy of 1.2");
        let lock =
            json!({"type": "TXT", "name": name, "content": content, "ttl": 60, "comment": comment});
        self.world.cloud().add_foreign_record("example.com", lock).unwrap();
    }

    pub(crate) fn locks(&self) -> usize {
        let is_lock =
            |record: &&serde_json::Value| record["name"].as_str().unwrap().contains("_ipai-lock");
        self.world.records().iter().filter(is_lock).count()
    }
}

pub(crate) fn script() -> PathBuf {
    repository().join(".github/actions/ipai/ipai-ci")
}

/// Tells whether a program is here; in CI all must be.
pub(crate) fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    let here = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(here || std::env::var_os("CI").is_none(), "{program} is missing");
    if !here {
        eprintln!("SKIPPED: there is no {program} here, so nothing was shown");
    }
    here
}
