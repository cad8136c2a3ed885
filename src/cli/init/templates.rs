//! What a new stack may begin as.

use std::borrow::Cow;

/// The name and domain of the stack that ships, as its files have them.
const DOMAIN: &str = "insightpulseai.com";
const BUCKET: &str = "insightpulseai-ops-backups";

/// What to begin from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Template {
    /// One page behind Caddy on one droplet.
    Minimal,
    /// The operations stack that ships: Mattermost, Focalboard, n8n and Superset behind Caddy, on one PostgreSQL.
    Ops,
}

type File = (&'static str, &'static str);

const MINIMAL: [File; 4] = [
    ("stack.toml", include_str!("minimal/stack.toml")),
    ("compose.yaml", include_str!("minimal/compose.yaml")),
    ("Caddyfile", include_str!("minimal/Caddyfile")),
    ("cloud-init.yaml", include_str!("minimal/cloud-init.yaml")),
];

macro_rules! ops {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../stacks/ops/", $name)))),*]
    };
}

/// Everything but the public keys, which are the user's.
const OPS: &[File] = &ops![
    "README.md"
    "accounts/first-accounts.sh"
    "accounts/focalboard.json"
    "accounts/mattermost.json"
    "caddy/Caddyfile"
    "connections/settle.py"
    "docker/compose.yaml"
    "env/connections.env"
    "env/focalboard.env"
    "env/mattermost.env"
    "env/n8n-runners.env"
    "env/n8n-workflows.env"
    "env/n8n.env"
    "env/postgres-reconcile.env"
    "env/postgres.env"
    "env/superset-init.env"
    "env/superset.env"
    "focalboard/config.json"
    "host/cloud-init.yaml"
    "n8n/workflows.mjs"
    "n8n/workflows/ops-ping.json"
    "postgres/database.sql"
    "postgres/reconcile.sh"
    "postgres/server.sql"
    "stack.drill.toml"
    "stack.sandbox.toml"
    "stack.staging.toml"
    "stack.toml"
    "superset/image/Dockerfile"
    "superset/init.py"
    "superset/superset_config.py"
];

impl Template {
    /// The files of a stack of this name that serves this domain.
    pub(super) fn files(self, name: &str, domain: &str) -> Vec<(&'static str, String)> {
        let files = match self {
            Self::Minimal => &MINIMAL[..],
            Self::Ops => OPS,
        };
        files.iter().map(|(file, text)| (*file, self.filled(file, text, name, domain))).collect()
    }

    fn filled(self, file: &str, text: &'static str, name: &str, domain: &str) -> String {
        let mut text = Cow::Borrowed(text);
        let mut put = |from: &str, to: &str| text = Cow::Owned(text.replace(from, to));
        match self {
            Self::Minimal => {
                put("STACK", name);
                put("DOMAIN", domain);
            }
            Self::Ops => {
                put("](../../docs/", "](https://github.com/insightpulseai/ipai/blob/main/docs/");
                put("# stacks/ops\n", &format!("# {name}\n"));
                put(" for InsightPulse AI", "");
                put(BUCKET, &format!("{name}-backups"));
                put(DOMAIN, domain);
                if file == "stack.toml" {
                    put("\nname = \"ops\"\n", &format!("\nname = \"{name}\"\n"));
                    put("../../docs/stack.schema.json", "./stack.schema.json");
                }
            }
        }
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn below(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => below(&entry.path(), &format!("{name}/"), found),
                false => drop(found.insert(name)),
            }
        }
    }

    #[test]
    fn every_file_of_the_stack_that_ships_is_in_its_template() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/ops");
        let mut found = BTreeSet::new();
        below(&folder, "", &mut found);
        // What is made there by running it is not the stack.
        found.retain(|name| !name.starts_with('.') && !name.starts_with("secrets"));
        found.remove("authorized_keys");
        let known: BTreeSet<String> = OPS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(found, known);
    }

    #[test]
    fn a_copy_of_the_stack_that_ships_speaks_of_nobody_elses_domain() {
        for (file, text) in Template::Ops.files("team", "example.org") {
            assert!(!text.contains("insightpulseai.com"), "{file}");
        }
    }
}
