//! Where a page of the manual is tried: a copy of `stacks/ops`, and an `ipai` that knows the sandbox alone.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ipai_simulator::tools::ToolFaults;
use tempfile::TempDir;

use super::page::{Page, Part, Step, fits};
use crate::common::{Ran, copy_folder, ipai, repository};

/// What the sandbox says on its own account, and a real cloud would not.
const OWN: [&str; 3] =
    ["Sandbox: ", ": looking at the host", "the sandbox's containers are simulated"];

pub(crate) struct Stage {
    scratch: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Self { scratch: TempDir::new().unwrap() };
        copy_folder(&repository().join("stacks/ops"), &stage.stack());
        let bin = stage.scratch.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let script = format!("#!/bin/sh\nexec '{}' --sandbox \"$@\"\n", env!("CARGO_BIN_EXE_ipai"));
        std::fs::write(bin.join("ipai"), script).unwrap();
        std::fs::set_permissions(bin.join("ipai"), PermissionsExt::from_mode(0o755)).unwrap();
        stage
    }

    fn stack(&self) -> PathBuf {
        self.scratch.path().join("ops")
    }

    /// Tries a page from top to bottom; gives what is not as it says, and how many commands ran.
    pub(crate) fn play(&self, page: &Page) -> (Vec<String>, usize) {
        let mut wrong = Vec::new();
        let mut steps = 0;
        if page.applied {
            self.sh("ipai apply --auto-approve").expect(0);
        }
        if !page.unpullable.is_empty() {
            let faults =
                ToolFaults { unpullable: page.unpullable.clone(), ..ToolFaults::default() };
            let hosts = self.stack().join(".ipai/sandbox/hosts");
            let host = std::fs::read_dir(hosts).unwrap().flatten().next().unwrap();
            faults.save(&host.path()).unwrap();
        }
        for part in &page.parts {
            match part {
                Part::Run(step) => {
                    wrong.extend(self.try_step(step));
                    steps += 1;
                }
                Part::Write { path, text, append } => self.write(path, text, *append),
            }
        }
        (wrong, steps)
    }

    fn try_step(&self, step: &Step) -> Option<String> {
        let Step { line, command, code, shown } = step;
        let ran = self.sh(command);
        // The page's reader calls it without that.
        let out = ran.out.replace("ipai --sandbox ", "ipai ");
        let printed: Vec<&str> =
            out.lines().filter(|line| !OWN.iter().any(|own| line.contains(own))).collect();
        let as_shown = shown.is_empty() || fits(shown, &printed);
        (ran.code != *code || !as_shown).then(|| {
            format!(
                "{line}: {command}\nexit code {}, shown beneath it:\n{}\nprinted:\n{}\n",
                ran.code,
                shown.join("\n"),
                printed.join("\n")
            )
        })
    }

    fn write(&self, path: &str, text: &str, append: bool) {
        let path = self.stack().join(path);
        let before = if append { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        assert!(append || !path.exists(), "{} is there already", path.display());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, before + text).unwrap();
    }

    /// Runs a line in the stack's folder; both outputs in one, as at a terminal.
    fn sh(&self, line: &str) -> Ran {
        // The one sealed environment there is, with a shell in the program's place.
        let sealed = ipai(self.scratch.path());
        let path = std::env::var("PATH").unwrap();
        let bin = self.scratch.path().join("bin");
        let mut shell = std::process::Command::new("sh");
        shell.env_clear();
        shell.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PATH", format!("{}:{path}", bin.display())).current_dir(self.stack());
        shell.arg("-c").arg(format!("exec 2>&1\n{line}")).stdin(std::process::Stdio::null());
        shell.output().unwrap().into()
    }
}

/// Tells whether ipai has this command with these flags: it explains them instead of complaining.
pub(crate) fn parses(words: &[String]) -> bool {
    let ran: Ran = ipai(repository()).args(words).arg("--help").output().unwrap().into();
    ran.code == 0 && ran.out.contains("Usage: ipai")
}
