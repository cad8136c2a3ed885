//! A unit's file, read as far as the sandbox obeys it (systemd.unit(5), systemd.service(5)).

use std::fs;
use std::path::{Path, PathBuf};

/// A unit that has a file.
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The unit is a link to `/dev/null`.
    pub(super) masked: bool,
    root: PathBuf,
    /// Section, key and value of each line, in order.
    lines: Vec<(String, String, String)>,
}

impl Unit {
    /// Reads the file at `path` of this machine; what cannot be read is empty.
    pub(super) fn read(root: &Path, name: &str, path: &Path) -> Self {
        let masked = fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null"));
        let text =
            if masked { String::new() } else { fs::read_to_string(path).unwrap_or_default() };
        let lines = settings(&text);
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            text,
            masked,
            root: root.to_owned(),
            lines,
        }
    }

    pub(super) fn digest(&self) -> String {
        super::digest(self.text.as_bytes())
    }

    /// Returns the path as the host names it.
    pub(super) fn host_path(&self) -> String {
        let inside = self.path.strip_prefix(&self.root).unwrap_or(&self.path);
        format!("/{}", inside.display())
    }

    pub(super) fn kind(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, suffix)| suffix)
    }

    /// Returns a key's values. An empty one takes back those before it, as systemd has it.
    pub(super) fn values(&self, section: &str, key: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for (_, _, value) in self.lines.iter().filter(|(s, k, _)| s == section && k == key) {
            if value.is_empty() {
                found.clear();
            } else {
                found.push(value.as_str());
            }
        }
        found
    }

    pub(super) fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values(section, key).last().copied()
    }

    pub(super) fn is_oneshot(&self) -> bool {
        self.kind() == "service" && self.value("Service", "Type") == Some("oneshot")
    }

    /// Tells whether a oneshot service counts as up after it has ended.
    pub(super) fn remains(&self) -> bool {
        let yes = self.value("Service", "RemainAfterExit").unwrap_or("no");
        matches!(yes, "yes" | "true" | "on" | "1")
    }

    /// Returns the links that enabling makes: `TARGET.wants/UNIT` below `/etc/systemd/system`.
    pub(super) fn links(&self) -> Vec<PathBuf> {
        let system = self.root.join("etc/systemd/system");
        let of = |key: &str, folder: &str| {
            let targets = self.values("Install", key);
            let targets = targets.into_iter().flat_map(str::split_whitespace);
            let links =
                targets.map(|target| system.join(format!("{target}.{folder}")).join(&self.name));
            links.collect::<Vec<_>>()
        };
        [of("WantedBy", "wants"), of("RequiredBy", "requires"), of("UpheldBy", "upholds")].concat()
    }

    /// Returns the links to this unit that are there, whatever the file says by now.
    pub(super) fn held_links(root: &Path, name: &str) -> Vec<PathBuf> {
        let folders = fs::read_dir(root.join("etc/systemd/system")).into_iter().flatten().flatten();
        let pulls = |path: &PathBuf| {
            let suffix = path.extension().and_then(|suffix| suffix.to_str());
            matches!(suffix, Some("wants" | "requires" | "upholds"))
        };
        let links = folders.map(|entry| entry.path()).filter(pulls).map(|path| path.join(name));
        links.filter(|link| link.symlink_metadata().is_ok()).collect()
    }

    /// Says why systemd would refuse the file, if it would ("bad-setting").
    pub(super) fn is_bad(&self) -> bool {
        match self.kind() {
            "service" => self.values("Service", "ExecStart").is_empty(),
            "timer" => !self
                .lines
                .iter()
                .any(|(section, key, _)| section == "Timer" && key.starts_with("On")),
            "mount" => {
                let place = self.value("Mount", "Where");
                self.value("Mount", "What").is_none()
                    || place
                        .is_none_or(|place| escape(place) != self.name.trim_end_matches(".mount"))
            }
            "path" => !self.lines.iter().any(|(section, _, _)| section == "Path"),
            "socket" => !self
                .lines
                .iter()
                .any(|(section, key, _)| section == "Socket" && key.starts_with("Listen")),
            _ => false,
        }
    }

    /// Returns the unit that a timer or a path starts.
    pub(super) fn triggers(&self) -> Option<String> {
        let section = match self.kind() {
            "timer" => "Timer",
            "path" => "Path",
            _ => return None,
        };
        let own = || self.name.rsplit_once('.').map(|(stem, _)| format!("{stem}.service"));
        self.value(section, "Unit").map(str::to_owned).or_else(own)
    }
}

/// Names a folder as a mount unit does, without the suffix (systemd-escape(1)).
fn escape(folder: &str) -> String {
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return "-".to_owned();
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.');
    let part = |part: &&str| {
        let letters = part.chars().map(|c| {
            if good(c) {
                c.to_string()
            } else {
                c.to_string().bytes().map(|b| format!("\\x{b:02x}")).collect()
            }
        });
        letters.collect::<String>()
    };
    parts.iter().map(part).collect::<Vec<_>>().join("-")
}

/// Reads the lines of a unit file; a backslash at the end joins the next line, comments are left out.
fn settings(text: &str) -> Vec<(String, String, String)> {
    let (mut section, mut found, mut held) = (String::new(), Vec::new(), String::new());
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(begun) = line.strip_suffix('\\') {
            held.push_str(begun);
            held.push(' ');
            continue;
        }
        let whole = std::mem::take(&mut held) + line;
        if let Some(name) = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = whole.split_once('=') {
            found.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounts_name_is_its_folder() {
        assert_eq!(escape("/mnt/data"), "mnt-data");
        assert_eq!(escape("/mnt/my-data/"), "mnt-my\\x2ddata");
        assert_eq!(escape("/"), "-");
    }

    #[test]
    fn lines_are_joined_and_an_empty_value_takes_back_what_stood_before() {
        let text = "# c\n[Service]\nExecStart=a\nExecStart=\nExecStart=b \\\n  c\n";
        let unit = Unit {
            name: "x.service".into(),
            path: PathBuf::new(),
            text: String::new(),
            masked: false,
            root: PathBuf::new(),
            lines: settings(text),
        };
        assert_eq!(unit.values("Service", "ExecStart"), ["b  c"]);
    }
}
