//! The part of cloud-config that a host without a machine can follow.
//!
//! Reference: <https://cloudinit.readthedocs.io/en/latest/reference/modules.html>.

use serde_json::{Map, Value};

/// What user-data asks of a host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CloudConfig {
    /// `ssh_keys.ed25519_private`: the host's own key, in OpenSSH form.
    pub host_key: Option<String>,
    /// `hostname`, else the host part of `fqdn`.
    pub hostname: Option<String>,
    /// `users`, without the word `default`.
    pub users: Vec<User>,
    /// Top-level `ssh_authorized_keys`. They belong to the image's default user, which is root on
    /// DigitalOcean's images.
    pub authorized_keys: Vec<String>,
    /// `write_files`, in order.
    pub files: Vec<WriteFile>,
    /// What was asked for and is left out, one sentence each.
    pub left_out: Vec<String>,
}

/// One of `users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The public keys that may log in.
    pub keys: Vec<String>,
}

/// One of `write_files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFile {
    /// The absolute path on the host.
    pub path: String,
    /// The decoded content.
    pub content: Vec<u8>,
    /// The mode; cloud-init's default is 0644.
    pub mode: u32,
    /// `user:group`, as written.
    pub owner: Option<String>,
    /// Whether the content is added to what is there.
    pub append: bool,
}

/// Keys that a host follows; others are noted as left out. That passwords open nothing and that no
/// other host keys exist (the last two) holds anyway.
const KNOWN: [&str; 8] = [
    "ssh_keys",
    "hostname",
    "fqdn",
    "users",
    "ssh_authorized_keys",
    "write_files",
    "ssh_pwauth",
    "ssh_deletekeys",
];

impl CloudConfig {
    /// Reads user-data. Anything but cloud-config is left out and said so: a real host would run a
    /// script or follow an include, which the sandbox does not.
    pub fn parse(user_data: &str) -> Result<Self, String> {
        if user_data.trim().is_empty() {
            return Ok(Self::default());
        }
        if !user_data.starts_with("#cloud-config") {
            let left_out = vec!["user-data that is not #cloud-config".to_owned()];
            return Ok(Self { left_out, ..Self::default() });
        }
        // A later key replaces an earlier one, between documents and within one: texts that are
        // appended to a template win.
        let documents: Vec<Value> = crate::tools::yaml::documents(user_data)?;
        let mut merged = Map::new();
        for document in documents {
            match document {
                Value::Object(map) => merged.extend(map),
                _ => return Err("cloud-config must be a mapping".to_owned()),
            }
        }
        Self::from_map(&merged)
    }

    fn from_map(map: &Map<String, Value>) -> Result<Self, String> {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let host_key = map.get("ssh_keys").and_then(|keys| keys.get("ed25519_private"));
        let fqdn = text("fqdn").and_then(|fqdn| fqdn.split('.').next());
        let files = sequence(map.get("write_files")).map(write_file);
        Ok(Self {
            host_key: host_key.and_then(Value::as_str).map(str::to_owned),
            hostname: text("hostname").or(fqdn).map(str::to_owned),
            users: sequence(map.get("users")).filter_map(user).collect(),
            authorized_keys: strings(map.get("ssh_authorized_keys")),
            files: files.collect::<Result<_, _>>()?,
            left_out: map
                .keys()
                .filter(|key| !KNOWN.contains(&key.as_str()))
                .map(|key| format!("`{key}`"))
                .collect(),
        })
    }
}

fn user(value: &Value) -> Option<User> {
    let name = value.get("name")?.as_str()?.to_owned();
    // The form with dashes is cloud-init's older spelling and still accepted by it.
    let keys = value.get("ssh_authorized_keys").or_else(|| value.get("ssh-authorized-keys"));
    Some(User { name, keys: strings(keys) })
}

fn write_file(value: &Value) -> Result<WriteFile, String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let path = text("path").ok_or("an entry of write_files has no `path`")?.to_owned();
    let encoding = text("encoding").unwrap_or("text/plain");
    let content = decode(text("content").unwrap_or_default(), encoding)
        .map_err(|why| format!("write_files {path}: {why}"))?;
    let permissions = text("permissions").unwrap_or("0644");
    let mode = u32::from_str_radix(permissions.trim_start_matches("0o"), 8)
        .map_err(|_| format!("write_files {path}: permissions `{permissions}` are not octal"))?;
    let append = value.get("append").and_then(Value::as_bool).unwrap_or(false);
    Ok(WriteFile { path, content, mode, owner: text("owner").map(str::to_owned), append })
}

fn decode(content: &str, encoding: &str) -> Result<Vec<u8>, String> {
    use base64::Engine as _;
    let base64 = || {
        let compact: String = content.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD
            .decode(compact)
            .map_err(|error| format!("not base64: {error}"))
    };
    match encoding {
        "text/plain" | "" => Ok(content.as_bytes().to_vec()),
        "b64" | "base64" => base64(),
        "gz+b64" | "gzip+b64" | "gz+base64" | "gzip+base64" => {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(
                &mut flate2::read::GzDecoder::new(base64()?.as_slice()),
                &mut plain,
            )
            .map_err(|error| format!("not gzip: {error}"))?;
            Ok(plain)
        }
        other => Err(format!("unknown encoding `{other}`")),
    }
}

fn sequence(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        other => sequence(other).filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#cloud-config
hostname: web
users:
  - default
  - name: deploy
    ssh_authorized_keys: [ssh-ed25519 AAAA one]
runcmd: [[echo, hi]]
write_files:
  - path: /etc/a
    permissions: '0600'
    encoding: b64
    content: aGVs
      bG8=
";

    #[test]
    fn reads_users_files_and_names_what_it_leaves_out() {
        let config = CloudConfig::parse(TEXT).unwrap();
        assert_eq!(config.hostname.as_deref(), Some("web"));
        assert_eq!(config.users[0].keys, ["ssh-ed25519 AAAA one"]);
        assert_eq!((config.files[0].mode, &*config.files[0].content), (0o600, &b"hello"[..]));
        assert_eq!(config.left_out, ["`runcmd`"]);
    }

    #[test]
    fn appended_keys_and_documents_win() {
        let text = format!("{TEXT}hostname: two\n---\nssh_keys: {{ed25519_private: key}}\n");
        let config = CloudConfig::parse(&text).unwrap();
        assert_eq!(config.hostname.as_deref(), Some("two"));
        assert_eq!(config.host_key.as_deref(), Some("key"));
        assert_eq!(config.users.len(), 1);
    }

    #[test]
    fn says_that_a_script_is_not_run() {
        let config = CloudConfig::parse("#!/bin/sh\necho hi\n").unwrap();
        assert_eq!(config.left_out, ["user-data that is not #cloud-config"]);
    }
}
