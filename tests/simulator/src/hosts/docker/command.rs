//! What is said to the `docker` command, as values.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Every label of ours begins so; nothing without them is ever touched.
pub(super) const WORLD_LABEL: &str = "ipai.sandbox.world";
pub(super) const FOLDER_LABEL: &str = "ipai.sandbox.folder";

/// Longest host name that Linux takes (`HOST_NAME_MAX` is 64; Docker refuses more than 63).
const LONGEST_NAME: usize = 63;

/// What systemd as the first process needs, and a Docker Engine inside. Not `--privileged`: some machines lack
/// CAP_SYS_RESOURCE and refuse it as a whole.
const RIGHTS: [&str; 18] = [
    "--cap-add",
    "ALL",
    "--cap-drop",
    "SYS_RESOURCE",
    "--security-opt",
    "seccomp=unconfined",
    "--security-opt",
    "apparmor=unconfined",
    "--security-opt",
    "systempaths=unconfined",
    "--device-cgroup-rule",
    "a *:* rwm",
    "--cgroupns",
    "private",
    "--tmpfs",
    "/run:exec",
    "--tmpfs",
    "/tmp:exec",
];

/// One droplet's container.
#[derive(Debug, Clone)]
pub(super) struct Machine<'a> {
    pub(super) world: &'a str,
    /// The sandbox's folder.
    pub(super) folder: &'a Path,
    pub(super) id: u64,
    pub(super) hostname: &'a str,
    pub(super) address: Ipv4Addr,
    pub(super) ssh_port: u16,
    pub(super) image: &'a str,
    /// What the metadata service inside tells, a file.
    pub(super) metadata: PathBuf,
    /// The volume with the images that the engine inside has from the start.
    pub(super) store: Option<&'a str>,
}

/// Names the container of droplet `id`.
pub(super) fn container_name(world: &str, id: u64) -> String {
    format!("ipai-sandbox-{world}-{id}")
}

impl Machine<'_> {
    /// `docker run` with everything that makes a container a machine. Its `/var/lib/docker` is a volume without a
    /// name, which goes with it.
    pub(super) fn run(&self) -> Vec<String> {
        let mut words = strings(&["run", "--detach", "--pull", "never"]);
        words.extend(strings(&["--name", &container_name(self.world, self.id)]));
        words.extend(strings(&["--label", &format!("{WORLD_LABEL}={}", self.world)]));
        words.extend(strings(&["--label", &format!("{FOLDER_LABEL}={}", self.folder.display())]));
        if self.hostname.len() <= LONGEST_NAME {
            words.extend(strings(&["--hostname", self.hostname]));
        }
        words.extend(strings(&RIGHTS));
        for (outside, inside) in [(self.ssh_port, 22), (80, 80), (443, 443)] {
            words.extend(strings(&["--publish", &format!("{}:{outside}:{inside}", self.address)]));
        }
        words.extend(strings(&["--publish", &format!("{}:443:443/udp", self.address)]));
        words.extend(strings(&["--mount", &read_only(&self.metadata, "/lab/metadata.json")]));
        if let Some(store) = self.store {
            let mount =
                format!("type=volume,source={store},target=/lab/store,readonly,volume-nocopy");
            words.extend(strings(&["--mount", &mount]));
        }
        words.push(self.image.to_owned());
        words
    }
}

/// Lists our containers, running or not, that carry a label.
pub(super) fn list(label: &str, value: &str) -> Vec<String> {
    let filter = format!("label={label}={value}");
    let form = format!("{{{{.ID}}}} {{{{.Label \"{WORLD_LABEL}\"}}}}");
    strings(&["ps", "--all", "--no-trunc", "--filter", &filter, "--format", &form])
}

/// Removes containers with their volumes, whatever they are doing.
pub(super) fn remove(containers: &[String]) -> Vec<String> {
    let mut words = strings(&["rm", "--force", "--volumes"]);
    words.extend_from_slice(containers);
    words
}

pub(super) fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A bind mount for `--mount`, whose value is one CSV record (RFC 4180): a field with a comma stands in quotes.
fn read_only(source: &Path, target: &str) -> String {
    let source = format!("source={}", source.display());
    let source = if source.contains([',', '"']) {
        format!("\"{}\"", source.replace('"', "\"\""))
    } else {
        source
    };
    format!("type=bind,{source},target={target},readonly")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine<'a>() -> Machine<'a> {
        Machine {
            world: "0a1b2c3d",
            folder: Path::new("/stack/.ipai/sandbox"),
            id: 7,
            hostname: "ops",
            address: Ipv4Addr::new(127, 40, 0, 1),
            ssh_port: 2222,
            image: "ipai-lab/host:current",
            metadata: "/stack/.ipai/sandbox/hosts/7/metadata.json".into(),
            store: None,
        }
    }

    #[test]
    fn a_machine_is_published_on_its_own_address_alone() {
        let words = machine().run();
        let published: Vec<&String> = words
            .iter()
            .zip(&words[1..])
            .filter(|(flag, _)| *flag == "--publish")
            .map(|(_, value)| value)
            .collect();
        assert_eq!(
            published,
            [
                "127.40.0.1:2222:22",
                "127.40.0.1:80:80",
                "127.40.0.1:443:443",
                "127.40.0.1:443:443/udp"
            ]
        );
    }

    #[test]
    fn a_machine_carries_our_labels_and_is_never_pulled() {
        let words = machine().run().join(" ");
        assert!(
            words.starts_with("run --detach --pull never --name ipai-sandbox-0a1b2c3d-7 "),
            "{words}"
        );
        assert!(words.contains("--label ipai.sandbox.world=0a1b2c3d"), "{words}");
        assert!(words.contains("--label ipai.sandbox.folder=/stack/.ipai/sandbox"), "{words}");
        assert!(words.ends_with(" ipai-lab/host:current"), "{words}");
    }

    #[test]
    fn a_path_with_a_comma_stays_one_field() {
        assert_eq!(
            read_only(Path::new("/a,b"), "/lab/metadata.json"),
            "type=bind,\"source=/a,b\",target=/lab/metadata.json,readonly"
        );
    }
}
