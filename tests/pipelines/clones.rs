//! The bare repository, and the clones of who writes and of who merges.

use std::path::Path;
use std::process::Command;

use super::scene::{PULL, Scene, script};
use crate::common::{Ran, copy_folder};

impl Scene {
    /// The main branch with a stack as `stacks/ops`, and the script where GitLab's and cron's examples have it.
    pub(crate) fn begin(&self, stack: &Path) {
        let (root, author) = (self.folder(""), self.author());
        self.git(&root, &["init", "-q", "--bare", "-b", "main", "infra.git"]);
        self.git(&root, &["clone", "-q", &self.url(), "author"]);
        copy_folder(stack, &author.join("stacks/ops"));
        std::fs::create_dir(author.join("ci")).unwrap();
        std::fs::copy(script(), author.join("ci/ipai-ci")).unwrap();
        self.git(&author, &["checkout", "-q", "-b", "main"]);
        self.commit("the stack");
        self.git(&author, &["push", "-q", "origin", "main"]);
        self.git(&root, &["clone", "-q", &self.url(), "reviewer"]);
    }

    #[track_caller]
    pub(crate) fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        let path = std::env::var_os("PATH").unwrap();
        git.current_dir(folder).env_clear().env("PATH", path).env("HOME", self.world.home());
        git.args(["-c", "user.name=test", "-c", "user.email=test@example.com"]).args(arguments);
        let ran: Ran = git.output().unwrap().into();
        ran.expect(0).out.trim().to_owned()
    }

    fn commit(&self, what: &str) {
        self.git(&self.author(), &["add", "-A"]);
        self.git(&self.author(), &["commit", "-q", "-m", what]);
    }

    /// Opens the pull request, or pushes to it once more, with an edit of the stack.
    #[track_caller]
    pub(crate) fn propose(&self, edit: impl FnOnce(&str) -> String) {
        self.git(&self.author(), &["checkout", "-q", "-B", "change"]);
        let path = self.author().join("stacks/ops/stack.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let edited = edit(&text);
        assert_ne!(text, edited);
        std::fs::write(&path, edited).unwrap();
        self.commit("a change");
        self.git(&self.author(), &["push", "-q", "-f", "origin", "change"]);
        self.merge(PULL);
    }

    /// Something else is merged, outside of the stack.
    pub(crate) fn elsewhere(&self) {
        self.git(&self.author(), &["checkout", "-q", "main"]);
        std::fs::write(self.author().join("notes.txt"), "nothing to apply\n").unwrap();
        self.commit("notes");
        self.git(&self.author(), &["push", "-q", "origin", "main"]);
    }

    /// Merges the pull request, which is what GitHub does for each before anybody asks.
    pub(crate) fn merge(&self, onto: &str) {
        let reviewer = self.folder("reviewer");
        self.git(&reviewer, &["fetch", "-q", "origin"]);
        self.git(&reviewer, &["checkout", "-q", "--detach", "origin/main"]);
        self.git(&reviewer, &["merge", "-q", "--no-ff", "-m", "merged", "origin/change"]);
        self.git(&reviewer, &["push", "-q", "-f", "origin", &format!("HEAD:{onto}")]);
    }
}

/// An edit for a pull request: a record's TTL.
pub(crate) fn ttl(seconds: u32) -> impl Fn(&str) -> String {
    move |text| {
        let (before, rest) = text.split_once("content = \"2001:db8::1\"\n").unwrap();
        let rest = rest.trim_start_matches(|c: char| c != '\n');
        format!("{before}content = \"2001:db8::1\"\nttl = {seconds}\n{rest}")
    }
}
