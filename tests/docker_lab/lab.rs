//! The sandbox on real containers: one droplet, the stack that ships, and a client that asks its sites by name.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipai_simulator::hosts::docker;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::common::{self, Ran, copy_folder, repository};

/// Tells people at once; the test runner would keep what `eprintln` says.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "docker_lab: {text}");
}

/// Tells whether the lab can run; says loudly why not.
pub(crate) fn is_there() -> bool {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    if !set("IPAI_LAB") {
        tell("SKIPPED: set IPAI_LAB=1 to run the stack on real containers");
        return false;
    }
    let docker =
        Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if docker.is_ok_and(|status| status.success()) {
        return true;
    }
    let why = "no Docker Engine answers; tests/lab/engine.sh start";
    assert!(!set("CI"), "{why}");
    tell(&format!("SKIPPED: {why}"));
    false
}

pub(crate) fn build_images() {
    let start = Instant::now();
    let build = repository().join("tests/lab/build.sh");
    let built = Command::new(build).stdout(Stdio::null()).status().unwrap();
    assert!(built.success(), "tests/lab/build.sh failed");
    tell(&format!("images: {} s", start.elapsed().as_secs()));
}

/// A copy of the stack, and the sandbox's folder; its containers go with it.
pub(crate) struct Lab {
    scratch: tempfile::TempDir,
    runtime: Runtime,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let removed = self.runtime.block_on(docker::remove_containers(&self.folder()));
        if let Err(error) = removed {
            tell(&format!("containers may be left: {error}"));
        }
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        copy_folder(&repository().join("stacks/ops"), &scratch.path().join("ops"));
        Self { scratch, runtime: Runtime::new().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().join("sandbox")
    }

    /// A folder beside the stack.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let folder = self.scratch.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join("ops").join(name)
    }

    /// Edits a file of the stack as its user would.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        common::replace_first(&self.file(name), from, to);
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = common::ipai(self.scratch.path());
        command.arg("-C").arg(self.file("")).arg("--sandbox=docker").args(words);
        command.env("IPAI_SANDBOX_DIR", self.folder());
        for name in ["HOME", "IPAI_LAB_CACHE", "XDG_CACHE_HOME", "DOCKER_HOST"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    pub(crate) fn ipai(&self, words: &[&str]) -> Ran {
        let start = Instant::now();
        let ran = Ran::from(self.command(words).output().unwrap());
        tell(&format!(
            "ipai {}: exit {}, {:.1} s",
            words.join(" "),
            ran.code,
            start.elapsed().as_secs_f64()
        ));
        ran
    }

    pub(crate) fn apply(&self) -> Ran {
        let ran = self.ipai(&["apply", "--auto-approve"]).expect(0);
        self.expect_nothing_left();
        ran
    }

    pub(crate) fn expect_nothing_left(&self) {
        self.ipai(&["plan", "--detailed-exitcode"]).expect(0).says("No changes.");
    }

    /// Runs shell text on the host with root's rights; what it prints.
    pub(crate) fn on_host(&self, script: &str) -> String {
        let quoted = format!("sudo sh -c '{}'", script.replace('\'', r"'\''"));
        Ran::from(self.command(&["ssh", "--", &quoted]).output().unwrap()).expect(0).out
    }

    /// When each service of the project that stays was started, by its name.
    pub(crate) fn starts(&self) -> std::collections::BTreeMap<String, String> {
        let format = r#"{{index .Config.Labels "com.docker.compose.service"}} {{.State.StartedAt}} {{.HostConfig.RestartPolicy.Name}}"#;
        let list = format!(
            "docker ps -aq --filter label=com.docker.compose.project=ops | xargs docker inspect --format '{format}'"
        );
        let text = self.on_host(&list);
        let stays = text.lines().filter(|line| line.ends_with(" unless-stopped"));
        let pairs = stays.filter_map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?))
        });
        pairs.collect()
    }

    /// A client that knows the droplet's address by the sites' names, and trusts nobody but the droplet's own authority.
    pub(crate) fn client(&self) -> reqwest::Client {
        let address = SocketAddr::new(self.address(), 0);
        let authorities = self.runtime.block_on(docker::authorities(&self.folder())).unwrap();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .tls_built_in_root_certs(false)
            .timeout(Duration::from_secs(30))
            // Each request comes as somebody new.
            .pool_max_idle_per_host(0);
        for name in ["chat", "boards", "n8n", "superset"] {
            builder = builder.resolve(&format!("{name}.insightpulseai.com"), address);
        }
        for text in authorities {
            for root in reqwest::Certificate::from_pem_bundle(text.as_bytes()).unwrap() {
                builder = builder.add_root_certificate(root);
            }
        }
        builder.build().unwrap()
    }

    /// Asks a site by its name.
    pub(crate) fn get(&self, url: &str) -> String {
        let client = self.client();
        self.runtime.block_on(async {
            let answer = client.get(url).send().await.unwrap();
            answer.error_for_status().unwrap().text().await.unwrap()
        })
    }

    /// Starts a task that lives as long as the lab.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(task)
    }

    pub(crate) fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }

    fn address(&self) -> IpAddr {
        let world = std::fs::read(self.folder().join("world.json")).unwrap();
        let world: Value = serde_json::from_slice(&world).unwrap();
        let droplets = &world["digitalocean"]["droplets"];
        let first = droplets.as_object().and_then(|all| all.values().next());
        let droplet = first.or_else(|| droplets.get(0)).unwrap();
        droplet["address"].as_str().unwrap().parse().unwrap()
    }
}
