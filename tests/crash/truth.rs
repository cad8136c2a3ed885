//! What must be true of a world once a scenario has come to its end, however often it was hit on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::place::{Cloud, ZONE, foreign_of, is_foreign_record};
use super::scenario::Scenario;

/// A world's end, without what differs from run to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Our records, sorted.
    pub records: Vec<String>,
    /// Our droplets: name, region, size and tags.
    pub droplets: Vec<String>,
    /// The stack's files on the host.
    pub files: BTreeMap<String, String>,
}

impl Truth {
    pub fn of(cloud: &Cloud) -> Self {
        let world = cloud.simulator.world();
        let mut records = world.records(ZONE);
        records.retain(|record| !is_foreign_record(record));
        let mut records: Vec<String> = records.iter().map(record_line).collect();
        records.sort();
        let droplets = world.droplets().into_iter().filter(|droplet| droplet["name"] != "blog");
        let droplets = droplets.map(|droplet| droplet_line(&droplet)).collect();
        let mut files = BTreeMap::new();
        for id in cloud.own_droplets() {
            let stack = cloud.host(id).root().join("opt/ipai/matrix");
            read(&stack, "", &mut files);
        }
        Self { records, droplets, files }
    }

    fn lines(&self) -> BTreeSet<String> {
        let files = self.files.iter().map(|(name, text)| format!("{name}: {text:?}"));
        self.records.iter().chain(&self.droplets).cloned().chain(files).collect()
    }
}

/// Names, types and contents of all our records, each once.
fn now_records(cloud: &Cloud) -> BTreeSet<String> {
    Truth::of(cloud).records.into_iter().collect()
}

fn record_line(record: &Value) -> String {
    let part = |name: &str| record[name].to_string();
    ["name", "type", "content", "ttl", "proxied", "priority", "comment"].map(part).join(" ")
}

fn droplet_line(droplet: &Value) -> String {
    let tags: Vec<&str> =
        droplet["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut tags: Vec<&str> =
        tags.into_iter().filter(|tag| !tag.starts_with("ipai-hostkey:")).collect();
    tags.sort_unstable();
    format!(
        "{} {} {} {} {}",
        droplet["name"],
        droplet["region"],
        droplet["size"],
        droplet["status"],
        tags.join(",")
    )
}

/// Files below a folder; what is generated counts by its length alone, and the manifest is compared by the next plan.
fn read(folder: &Path, inside: &str, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{inside}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &name, files);
        } else if !name.starts_with("/.ipai/") {
            let text = match std::fs::read_to_string(entry.path()) {
                // The cloud is about to delete the droplet, and its files go one by one.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                text => text.unwrap_or_else(|_| "unreadable".to_owned()),
            };
            let told = match name.as_str() {
                "/app.env" => format!("{} bytes", text.len()),
                _ => without_digests(&text),
            };
            files.insert(name, told);
        }
    }
}

/// Leaves out digests of files that hold secrets, which are other ones each time.
fn without_digests(text: &str) -> String {
    let digest = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('"')
        .map(|word| if digest(word) { "DIGEST" } else { word })
        .collect::<Vec<_>>()
        .join("\"")
}

/// Files on the hosts that are neither as before nor as wanted: what a push that was cut short must never leave.
pub fn torn(cloud: &Cloud, before: &Truth, wanted: &Truth) -> Vec<String> {
    let files = Truth::of(cloud).files;
    let whole = |(name, text): &(&String, &String)| {
        name.contains("/.ipai-new.")
            || [before, wanted].iter().any(|truth| truth.files.get(*name) == Some(text))
    };
    files
        .iter()
        .filter(|file| !whole(file))
        .map(|(name, text)| format!("torn: {name}: {text:?}"))
        .collect()
}

/// Everything that is wrong with a world at the end of a scenario.
pub fn faults(cloud: &Cloud, scenario: Scenario, wanted: &Truth, made: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let now = foreign_of(&cloud.simulator);
    if now != cloud.foreign {
        faults.push(format!("foreign objects changed: {now:?}"));
    }
    let droplets = cloud.own_droplets();
    if droplets.len() != scenario.droplets_left() {
        faults.push(format!("{} droplets", droplets.len()));
    }
    if made > scenario.droplets_made() {
        faults.push(format!("{made} droplets were asked for"));
    }
    for id in &droplets {
        leftovers(&cloud.host(*id).root(), &mut faults);
    }
    let (found, wanted) = (Truth::of(cloud).lines(), wanted.lines());
    faults.extend(found.difference(&wanted).map(|line| format!("is, and should not be: {line}")));
    faults.extend(wanted.difference(&found).map(|line| format!("should be, and is not: {line}")));
    if Truth::of(cloud).records.len() != now_records(cloud).len() {
        faults.push("a record is there twice".to_owned());
    }
    faults
}

/// What a push keeps for itself beside the manifest. When everything has landed and only the manifest was still to be
/// written, there may be nothing left to push, and the next push, whenever it comes, sweeps it.
const BOOKKEEPING: [&str; 7] =
    ["sums", "claim.json", "manifest.json", "release.json", "release.sums", "kept.sums", "used"];

/// Where contents are on their way to what the host keeps, below the same folder.
const KEPT: &str = "kept";

/// Tells whether a temporary folder has anything else in it.
fn holds_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        if entry.path().is_dir() {
            name != KEPT && holds_files(&entry.path())
        } else {
            !BOOKKEEPING.iter().any(|own| *own == name)
        }
    })
}

fn leftovers(folder: &Path, faults: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let temporary = name.to_string_lossy().starts_with(".ipai-new");
        if temporary && (!entry.path().is_dir() || holds_files(&entry.path())) {
            faults.push(format!("left behind: {}", entry.path().display()));
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            leftovers(&entry.path(), faults);
        }
    }
}
