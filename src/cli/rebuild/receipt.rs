//! What a rebuild or a drill has to show for itself.

use std::time::{Duration, Instant};

use ipai_core::backup::Manifest;
use serde_json::{Map, Value as Json, json};

use super::super::Run;
use super::super::backup::age::for_people;
use super::super::backup::list::Snapshot;
use super::super::restore::rows;
use crate::providers::BackupTalk;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The stack is back.
    Rebuild,
    /// It was brought up beside, and taken away again.
    Drill,
}

/// The receipt while it is written.
pub(crate) struct Receipt {
    kind: Kind,
    stack: String,
    began: chrono::DateTime<chrono::Utc>,
    clock: Instant,
    since: Instant,
    phases: Vec<(String, Duration)>,
    backup: Json,
    /// Seconds since 1970 at which the backup was taken.
    taken: Option<i64>,
    wanted: Map<String, Json>,
    rows: Json,
    checks: Map<String, Json>,
    proofs: Map<String, Json>,
    /// What was left, in words.
    pub(crate) left: Vec<String>,
    total: Duration,
    /// For how long ipai itself had computed, in all threads, when it began; and in the end, in between.
    computed: Duration,
    rto: Option<Duration>,
}

impl Receipt {
    pub(crate) fn new(kind: Kind, stack: &str) -> Self {
        let now = Instant::now();
        Self {
            kind,
            stack: stack.to_owned(),
            began: chrono::Utc::now(),
            clock: now,
            since: now,
            phases: Vec::new(),
            backup: Json::Null,
            taken: None,
            wanted: Map::new(),
            rows: Json::Null,
            checks: Map::new(),
            proofs: Map::new(),
            left: Vec::new(),
            total: Duration::ZERO,
            computed: computed(),
            rto: None,
        }
    }

    /// A phase is over.
    pub(crate) fn phase(&mut self, name: &str) {
        self.phases.push((name.to_owned(), self.since.elapsed()));
        self.since = Instant::now();
    }

    pub(crate) fn backup(&mut self, manifest: &Manifest, snapshot: Option<&Snapshot>) {
        self.taken = manifest.taken();
        self.backup = json!({"id": snapshot.map(|one| &one.id), "time": manifest.time, "online": manifest.online, "bytes": manifest.bytes(None)});
        for (name, database) in &manifest.databases {
            let rows: u64 = database.rows.values().sum();
            self.wanted.insert(name.clone(), json!({"tables": database.rows.len(), "rows": rows}));
        }
    }

    /// What the host counted after it had restored.
    pub(crate) fn restored(&mut self, ended: &BackupTalk) {
        self.rows = rows(ended);
        // A rebuild that goes on with another's work knows the backup from the host alone.
        if self.backup.is_null() {
            let text = ended.about("manifest").next().unwrap_or_default();
            if let Ok(manifest) = Manifest::read(text) {
                self.backup(&manifest, None);
                let id = ended.about("restored").next().and_then(|text| text.split(' ').next());
                self.backup["id"] = json!(id);
            }
        }
    }

    pub(crate) fn check(&mut self, name: &str, passed: Option<bool>, words: &str) {
        self.checks.insert(name.to_owned(), json!({"passed": passed, "words": words}));
    }

    pub(crate) fn proof(&mut self, service: &str, passed: bool, words: Json) {
        self.proofs.insert(service.to_owned(), json!({"passed": passed, "words": words}));
    }

    pub(crate) fn finish(&mut self, rto: Option<Duration>) {
        self.total = self.clock.elapsed();
        self.computed = computed().saturating_sub(self.computed);
        self.rto = rto;
    }

    /// How much of the time ipai itself took, in percent, to a tenth.
    fn share(&self) -> f64 {
        let share = self.computed.as_secs_f64() / self.total.as_secs_f64().max(0.001);
        (share * 1e3).round() / 10.0
    }

    /// The age of the restored data at the moment at which the work began, in seconds.
    fn recovery_point(&self) -> Option<i64> {
        self.taken.map(|taken| self.began.timestamp() - taken)
    }

    fn rows_match(&self) -> bool {
        !self.wanted.is_empty()
            && self.backup["online"] == json!(false)
            && self.rows == Json::Object(self.wanted.clone())
    }

    /// The whole as JSON, with the code that the process exits with; `sha256` is over the text of everything else, without spaces.
    pub(crate) fn document(&self, code: u8) -> Json {
        let phase =
            |(name, time): &(String, Duration)| json!({"name": name, "seconds": round(*time)});
        let mut document = json!({
            "format_version": "1.0",
            "type": "receipt",
            "kind": match self.kind { Kind::Rebuild => "rebuild", Kind::Drill => "drill" },
            "stack": self.stack,
            "exit_code": code,
            "began": self.began.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "backup": self.backup,
            "recovery_time_seconds": round(self.total),
            "recovery_point_seconds": self.recovery_point(),
            "rto_seconds": self.rto.map(|rto| rto.as_secs()),
            "within_rto": self.rto.map(|rto| self.total <= rto),
            "ipai_seconds": round(self.computed),
            "ipai_percent": self.share(),
            "phases": self.phases.iter().map(phase).collect::<Vec<_>>(),
            "verified": {
                "rows": self.rows, "rows_in_backup": self.wanted, "rows_match": self.rows_match(),
                "checks": self.checks, "proofs": self.proofs,
            },
            "left": self.left,
        });
        let sum = ipai_core::hash::sha256_hex(document.to_string().as_bytes());
        document["sha256"] = json!(sum);
        document
    }

    pub(crate) fn text(&self, document: &Json) -> String {
        let what = match self.kind {
            Kind::Rebuild => "Rebuilt",
            Kind::Drill => {
                "Drill passed: brought up from the backup, verified, and taken away again"
            }
        };
        let mut lines = vec![format!("{what} in {} (recovery time).", clock(self.total))];
        if let (Some(age), Some(time)) = (self.recovery_point(), self.backup["time"].as_str()) {
            lines.push(format!(
                "The data is of {time}, {} before it began (recovery point).",
                for_people(age)
            ));
        }
        lines.extend(
            self.phases.iter().map(|(name, time)| format!("  {name:32} {:>8}", clock(*time))),
        );
        lines.push(format!(
            "  ipai itself computed for {} ({} %); for the rest it waited",
            clock(self.computed),
            self.share()
        ));
        for (name, counted) in self.rows.as_object().into_iter().flatten() {
            let same = if self.wanted.get(name) == Some(counted) {
                "as in the backup"
            } else {
                "NOT as in the backup"
            };
            lines.push(format!(
                "  database {name}: {} rows in {} tables, {same}",
                counted["rows"], counted["tables"]
            ));
        }
        let verdict = |value: &Json| match (
            value["passed"].as_bool(),
            value["words"].as_str().unwrap_or_default(),
        ) {
            (Some(true), _) => "ok".to_owned(),
            (Some(false), words) => format!("FAILED: {words}"),
            (None, words) => format!("not asked: {words}"),
        };
        lines.extend(
            self.checks.iter().map(|(name, value)| format!("  {name}: {}", verdict(value))),
        );
        lines.extend(
            self.proofs
                .iter()
                .map(|(name, value)| format!("  {name} can read its data: {}", verdict(value))),
        );
        lines.extend(self.left.iter().cloned());
        lines.push(format!("Receipt sha256:{}", document["sha256"].as_str().unwrap_or_default()));
        lines.join("\n") + "\n"
    }

    /// Why it took too long, if it did.
    pub(crate) fn late(&self) -> Option<String> {
        let rto = self.rto.filter(|rto| self.total > *rto)?;
        let longest = self.phases.iter().max_by_key(|(_, time)| *time);
        let longest = longest
            .map(|(name, time)| format!("; the longest part was {name}, {}", clock(*time)))
            .unwrap_or_default();
        Some(format!(
            "error: it took {}, and --rto allows {}{longest}",
            clock(self.total),
            clock(rto)
        ))
    }

    /// What could not be proven, if anything.
    pub(crate) fn unproven(&self, run: &Run<'_>) -> Option<String> {
        let failed = |all: &Map<String, Json>| -> Vec<String> {
            all.iter()
                .filter(|(_, value)| value["passed"] == json!(false))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let mut names = failed(&self.checks);
        names.extend(failed(&self.proofs));
        let rows = self.backup["online"] == json!(true) || self.rows_match();
        if !rows {
            names.push("rows".to_owned());
        }
        (!names.is_empty()).then(|| {
            format!(
                "error: the services run, but this is not proven: {}\n  hint: {} shows more",
                names.join(", "),
                run.command("check")
            )
        })
    }
}

/// The time that processors have spent on this process so far.
fn computed() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime)
        .try_into()
        .unwrap_or_default()
}

fn round(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
