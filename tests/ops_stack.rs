//! The stack that ships, in the embedded sandbox: the README's own commands.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{Ran, copy_folder, ipai, repository};
use tempfile::TempDir;

/// A copy of `stacks/ops` with a sandbox of its own.
struct Ops {
    scratch: TempDir,
    kind: &'static str,
}

impl Ops {
    fn new(kind: &'static str) -> Self {
        let scratch = TempDir::new().unwrap();
        copy_folder(&repository().join("stacks/ops"), &scratch.path().join("ops"));
        Self { scratch, kind }
    }

    fn stack(&self) -> PathBuf {
        self.scratch.path().join("ops")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = ipai(self.scratch.path());
        command.arg("-C").arg(self.stack()).arg(self.kind).args(arguments);
        common::run(command)
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        common::replace_first(&self.stack().join(name), from, to);
    }

    fn live_through_a_life(&self) {
        self.run(&["apply", "--auto-approve"]).expect(0).says("62 added, 0 changed, 0 destroyed.");
        self.run(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
        self.run(&["status"])
            .expect(0)
            .says("mattermost")
            .says("Everything is as the stack wants it.");
        self.edit("caddy/Caddyfile", "encode zstd gzip", "encode gzip");
        self.edit(
            "stack.toml",
            "[cloudflare.dns_record.chat]\n",
            "[cloudflare.dns_record.chat]\nttl = 300\n",
        );
        self.edit("stack.toml", "focalboard:7.11.4", "focalboard:7.11.3");
        let plan = self.run(&["plan"]).expect(0).says("0 to add, 3 to change, 0 to destroy.");
        let plan = plan.says("~ host.file.caddyfile").says("~ cloudflare.dns_record.chat");
        let plan = plan.says("~ host.compose.ops").says("ttl: 1 → 300").says("7.11.3");
        assert_eq!(plan.out.matches("the stack was edited").count(), 3, "{}", plan.out);
        self.run(&["apply", "--auto-approve"]).expect(0).says("0 added, 3 changed, 0 destroyed.");
        self.run(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
        let refused = self.run(&["destroy", "--auto-approve"]).expect(1);
        refused.says("--allow-data-loss digitalocean.droplet.ops");
        let allow = ["destroy", "--auto-approve", "--allow-data-loss", "digitalocean.droplet.ops"];
        self.run(&allow).expect(0).says("Destroy complete!");
        let world = std::fs::read_to_string(self.stack().join(".ipai/sandbox/world.json")).unwrap();
        assert!(!world.contains("ipai"), "something of ours is left: {world}");
    }
}

#[test]
fn comes_up_changes_and_goes_in_the_embedded_sandbox() {
    Ops::new("--sandbox").live_through_a_life();
}

#[test]
fn comes_up_changes_and_goes_on_a_real_sshd() {
    if !Path::new("/usr/sbin/sshd").exists() {
        let loud = "SKIPPED: comes_up_changes_and_goes_on_a_real_sshd needs /usr/sbin/sshd (apt-get install openssh-server)";
        assert!(std::env::var_os("CI").is_none(), "{loud}");
        eprintln!("{loud}");
        return;
    }
    Ops::new("--sandbox=sshd").live_through_a_life();
}

#[test]
fn says_what_a_person_must_do_before_the_real_thing() {
    let ops = Ops::new("--verbose");
    ops.run(&["validate"])
        .expect(1)
        .says("Nobody could log in")
        .says("cat ~/.ssh/id_ed25519.pub >>");
    let keys = ops.stack().join("authorized_keys");
    std::fs::write(
        keys,
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me\n",
    )
    .unwrap();
    ops.run(&["validate"]).expect(0).says("Success!");
    ops.run(&["plan"]).expect(1).says("DIGITALOCEAN_TOKEN").says("CLOUDFLARE_API_TOKEN");
    ops.run(&["--env", "staging", "validate"]).expect(0).says("ops--staging");
}
