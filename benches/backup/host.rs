//! A folder that stands for a host: the program as `ipai` landed it, and a `docker` whose one container, `postgres`, is
//! the server of this machine.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kept::Kept;
use crate::server::Server;

const DOCKER: &str = r#"#!/bin/sh
case $1 in
  exec) shift 3; exec "$@" ;;
  ps)
    case $* in
      *.ID*) echo 0123456789ab postgres running ;;
      *) echo 'postgres running Up 2 hours (healthy)' ;;
    esac ;;
  volume) printf '%s\n' "$BENCH_VOLUME" ;;
  inspect) echo sha256:0123456789ab postgres:17.11-bookworm ;;
  image) echo '["postgres@sha256:0123456789ab"]' ;;
esac
"#;

/// Counts the calls. Paths in a backup begin at the host's root, which is a folder here.
const RESTIC: &str = r#"#!/bin/sh
echo >>"$BENCH_CALLS"
PATH=${PATH#*:}
for word; do
  shift
  case $word in /var/lib/ipai/*) word=$IPAI_ROOT$word ;; esac
  set -- "$@" "$word"
done
[ "$1" = restore ] || exec restic "$@"
restic "$@" || exit
[ ! -d "$word$IPAI_ROOT/var" ] || mv -- "$word$IPAI_ROOT/var" "$word/var"
"#;

pub(crate) struct Host {
    folder: TempDir,
}

/// How long a run took, with each of its phases, how often it called restic, and what it said.
pub(crate) struct Took {
    pub(crate) time: Duration,
    pub(crate) phases: Vec<(String, Duration)>,
    pub(crate) calls: u32,
    pub(crate) told: Vec<String>,
}

impl Host {
    pub(crate) fn new(kept: &Kept) -> Self {
        let host = Self { folder: TempDir::new().unwrap() };
        for name in ["bin", "root", "program"] {
            fs::create_dir(host.path(name)).unwrap();
        }
        for (name, script) in [("bin/docker", DOCKER), ("bin/restic", RESTIC)] {
            fs::write(host.path(name), script).unwrap();
            fs::set_permissions(host.path(name), Permissions::from_mode(0o755)).unwrap();
        }
        let landed = |name: &str| kept.world.host_path(&format!("/opt/ipai/shop/backup/{name}"));
        fs::copy(landed("program"), host.path("program/program")).unwrap();
        // One database and one volume, and nothing to stop; all else as it landed.
        let settings = format!(
            "{}\nIPAI_DATABASES='app app_db app'\nIPAI_VOLUMES='app shop_app-data'\nIPAI_DIRECTORIES=\nIPAI_STOPS=\n\
             RESTIC_REPOSITORY=$BENCH_REPOSITORY\nRESTIC_PASSWORD=$BENCH_PASSWORD\n",
            fs::read_to_string(landed("settings")).unwrap()
        );
        fs::write(host.path("program/settings"), settings).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program; the repository and its password are in the environment as restic knows them.
    pub(crate) fn run(
        &self,
        server: &Server,
        volume: &Path,
        repository: &Path,
        words: &[&str],
    ) -> Took {
        let mut command = Command::new("sh");
        command.arg(self.path("program/program")).args(words);
        server.environment(&mut command, &[&self.path("bin")]);
        command.env("IPAI_ROOT", self.path("root")).env("BENCH_VOLUME", volume);
        command.env("BENCH_REPOSITORY", repository).env("BENCH_PASSWORD", super::speed::PASSWORD);
        let (errors, calls) = (self.path("errors"), self.path("calls"));
        command.env("BENCH_CALLS", &calls);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut took =
            Took { time: Duration::ZERO, phases: Vec::new(), calls: 0, told: Vec::new() };
        let mut since: Option<(String, Instant)> = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(name) = line.strip_prefix("@phase ") {
                let name = name.split_once(' ').unwrap().1.to_owned();
                took.close(since.replace((name, Instant::now())));
            }
            took.told.push(line);
        }
        let ended = child.wait().unwrap();
        took.close(since);
        took.time = begun.elapsed();
        took.calls = u32::try_from(fs::read(&calls).unwrap().len()).unwrap();
        fs::remove_file(calls).unwrap();
        let errors = fs::read_to_string(errors).unwrap();
        assert!(ended.success(), "{words:?}: {:?}\n{errors}", took.told);
        took
    }
}

impl Took {
    fn close(&mut self, phase: Option<(String, Instant)>) {
        self.phases.extend(phase.map(|(name, since)| (name, since.elapsed())));
    }
}
