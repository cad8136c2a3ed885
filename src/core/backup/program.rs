//! The resources that `[backup]` stands for.

use super::{Backup, Written};
use crate::address::{Address, StackId};
use crate::diagnostic::Span;
use crate::stack::Declared;
use crate::tree::{Data, Entry, Node, Table};

/// The program that takes and restores backups on the host.
const PROGRAM: &str =
    concat!(include_str!("common.sh"), include_str!("take.sh"), include_str!("restore.sh"));

/// Where the program lies on a host.
#[must_use]
pub fn path(stack: &StackId) -> String {
    format!("/opt/ipai/{stack}/backup/program")
}

pub(super) fn resources(
    backup: &Backup,
    written: &Written,
    id: &StackId,
    source: &StackId,
    project: &Declared,
) -> Vec<Declared> {
    let host = text_of(project, "host");
    let span = &backup.span;
    let folder = format!("/opt/ipai/{id}/backup");
    let file = |name: &str, mode: &str, content: String| {
        let path = format!("{folder}/{name}");
        let keys =
            [("host", &host), ("path", &path), ("mode", &mode.to_owned()), ("content", &content)];
        declared(
            "file",
            &format!("backup_{name}"),
            span,
            keys.map(|(key, text)| (key, Data::Text(text.clone()))),
        )
    };
    let unit = |name: &str, suffix: &str, content: String, enabled: bool| {
        let file = format!("ipai-backup-{id}{suffix}");
        // A service that starts reads both.
        let files = ["host.file.backup_program", "host.file.backup_settings"];
        let node = |text: &str| Node { span: span.clone(), data: Data::Text(text.to_owned()) };
        let keys = [
            ("host", Data::Text(host.clone())),
            ("name", Data::Text(file)),
            ("content", Data::Text(content)),
            ("enabled", Data::Bool(enabled)),
            ("after", Data::List(files.map(node).into())),
        ];
        declared("unit", name, span, keys)
    };
    let settings = settings(backup, written, (id, source), project);
    // A drill takes no backups: it would crowd out those of the stack that it is a drill of.
    let scheduled = id == source;
    let run = |verb: &str| format!("ExecStart=/bin/sh {} {verb}\n", path(id));
    vec![
        file("program", "0755", format!("{{% raw %}}{PROGRAM}{{% endraw %}}")),
        file("settings", "0600", settings),
        unit(
            "backup",
            ".service",
            format!(
                "[Unit]\nDescription=Backup of {id}\nAfter=docker.service network-online.target\nWants=network-online.target\n\n[Service]\nType=oneshot\n{}ExecStopPost=-/bin/sh {} resume\nNice=10\nIOSchedulingClass=idle\nTimeoutStartSec=12h\n",
                run("take"),
                path(id)
            ),
            false,
        ),
        unit(
            "backup_timer",
            ".timer",
            format!(
                "[Unit]\nDescription=Backup of {id}, on schedule\n\n[Timer]\nOnCalendar={}\nPersistent=true\nRandomizedDelaySec=5m\n\n[Install]\nWantedBy=timers.target\n",
                written.schedule
            ),
            scheduled,
        ),
        unit(
            "backup_resume",
            "-resume.service",
            format!(
                "[Unit]\nDescription=Complete a restore of {id} that was cut short\nAfter=docker.service\nConditionPathExists=|/var/lib/ipai/{id}/backup/journal\nConditionPathExists=|/var/lib/ipai/{id}/backup/stopped\n\n[Service]\nType=oneshot\n{}\n[Install]\nWantedBy=multi-user.target\n",
                run("resume")
            ),
            true,
        ),
    ]
}

/// A value of the Compose project as it stands, which may be a template.
fn text_of(project: &Declared, key: &str) -> String {
    match project.table.get(key).map(|node| &node.data) {
        Some(Data::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn declared<const N: usize>(
    kind: &str,
    name: &str,
    span: &Span,
    keys: [(&str, Data); N],
) -> Declared {
    let node = |data| Entry { key: span.clone(), node: Node { span: span.clone(), data } };
    let table: Table = keys.into_iter().map(|(key, data)| (key.to_owned(), node(data))).collect();
    Declared { address: Address::new("host", kind, name), span: span.clone(), table }
}

/// What the program sources. Whatever came from the stack is one word of the shell, whichever characters it has.
fn settings(
    backup: &Backup,
    written: &Written,
    (id, source): (&StackId, &StackId),
    project: &Declared,
) -> String {
    let name = text_of(project, "project");
    let lines = |lines: Vec<String>| lines.join("\n");
    let of = |which: &dyn Fn(&str, &super::ServiceData) -> Vec<String>| {
        lines(backup.services.iter().flat_map(|(service, data)| which(service, data)).collect())
    };
    let databases = of(&|service, data| {
        data.databases.iter().map(|(db, role)| format!("{service} {db} {role}")).collect()
    });
    let volumes = of(&|service, data| {
        data.volumes.iter().map(|volume| format!("{service} {name}_{volume}")).collect()
    });
    let directories = of(&|service, data| {
        data.directories.iter().map(|path| format!("{service} {path}")).collect()
    });
    let stops =
        of(&|service, data| data.stops.iter().map(|other| format!("{service} {other}")).collect());
    let tamed = of(&|service, data| {
        data.drill_sql
            .iter()
            .map(|(db, sql)| format!("{service} {db} {}", sql.replace(['\n', '\r'], " ")))
            .collect()
    });
    let keys = written
        .keys
        .iter()
        .map(|(key, value)| format!("{key} {{% filter fingerprint %}}{value}{{% endfilter %}}"))
        .collect();
    let timeout = match project.table.get("timeout").map(|node| &node.data) {
        Some(Data::Text(text)) => seconds(text),
        _ => 600,
    };
    let own = [
        ("IPAI_STACK", id.to_string()),
        ("IPAI_SOURCE", source.to_string()),
        ("IPAI_PROJECT", name.clone()),
        ("IPAI_DIRECTORY", text_of(project, "directory")),
        ("IPAI_TIMEOUT", timeout.to_string()),
        ("IPAI_POSTGRES", backup.postgres.0.clone()),
        ("IPAI_POSTGRES_USER", backup.postgres.1.clone()),
        ("IPAI_DATABASES", databases),
        ("IPAI_VOLUMES", volumes),
        ("IPAI_DIRECTORIES", directories),
        ("IPAI_STOPS", stops),
        ("IPAI_DRILL_SQL", tamed),
        ("IPAI_KEYS", lines(keys)),
        ("IPAI_KEEP", written.keep.clone()),
        ("IPAI_ONLINE", i32::from(written.online).to_string()),
    ];
    let environment =
        [("RESTIC_REPOSITORY", &written.repository), ("RESTIC_PASSWORD", &written.password)];
    let environment = environment
        .into_iter()
        .chain(written.environment.iter().map(|(name, value)| (name.as_str(), value)));
    let line = |name: &str, value: &str| {
        format!("{name}={{% filter shellquote %}}{value}{{% endfilter %}}\n")
    };
    let own = own.iter().map(|(name, value)| line(name, value));
    // Handed to restic alone: the environment of every other process stays without them.
    let names: Vec<&str> = environment.clone().map(|(name, _)| name).collect();
    let names = line("IPAI_RESTIC", &names.join(" "));
    own.chain([names]).chain(environment.map(|(name, value)| line(name, value))).collect()
}

/// Seconds of `90s`, `20m`, `1h`; the resource itself complains about anything else.
fn seconds(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return 600,
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).unwrap_or(600)
}
