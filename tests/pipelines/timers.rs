//! The alarm and the drill by cron and by systemd.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::runner::Environment;
use super::scene::{Scene, have};
use crate::common::{Ran, repository};

fn shipped(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs/ci").join(name)).unwrap()
}

/// The table's own variables, and its lines: five fields, and the command.
fn crontab() -> (Environment, Vec<(String, String)>) {
    let text = shipped("crontab");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_variable = |line: &&str| line.starts_with(|c: char| c.is_ascii_uppercase());
    let (set, jobs): (Vec<&str>, Vec<&str>) = lines.partition(is_variable);
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let variables = set.iter().filter_map(|line| line.split_once('=')).map(owned);
    (variables.collect(), jobs.into_iter().map(fields).collect())
}

fn fields(line: &str) -> (String, String) {
    assert!(!line.contains('%'), "cron cuts a line there: {line}");
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[..5].join(" "), words[5..].join(" "))
}

/// Runs a line of the table as cron does, in a clone of its own.
fn cron(scene: &Scene, command: &str) -> Ran {
    if !scene.folder("server").exists() {
        scene.git(&scene.folder(""), &["clone", "-q", &scene.url(), "server"]);
    }
    let (mut variables, _) = crontab();
    let path = format!("{}:{}", scene.bin().display(), variables["PATH"]);
    variables.insert("PATH".into(), path);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env_clear().env("HOME", scene.world.home()).envs(variables);
    shell.env("REPO", scene.folder("server")).env("TOKENS", tokens(scene));
    shell.env("IPAI_RECEIPT", scene.folder("drill.json"));
    shell.current_dir(scene.world.home()).stdin(Stdio::null()).output().unwrap().into()
}

/// The file that exports what lets the machine in.
fn tokens(scene: &Scene) -> std::path::PathBuf {
    let rights = scene.rights();
    let rights = rights.iter().filter(|(name, _)| name != "PATH");
    let text: String = rights.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    std::fs::write(scene.folder("tokens"), text).unwrap();
    scene.folder("tokens")
}

#[test]
fn cron_has_nothing_to_mail_until_something_drifts() {
    let Some(scene) = Scene::new() else { return };
    let [(hourly, drift), _] = &crontab().1[..] else { panic!("two lines") };
    assert!(hourly.ends_with(" * * * *"), "{hourly}");
    assert_eq!(cron(&scene, drift).expect(0).all(), "");
    scene.drift(20);
    let mail = cron(&scene, drift).expect(2).says("cloudflare.dns_record.mail");
    mail.says("Drift: stacks/ops and the world differ");
    // Who cannot look must not be silent either.
    let blind = drift.replace("&& cd", "&& export CLOUDFLARE_API_TOKEN=invalid && cd");
    cron(&scene, &blind).expect(1).says("Cannot look: ");
}

#[test]
fn the_monthly_line_of_cron_writes_a_receipt() {
    let Some(scene) = Scene::sandboxed() else { return };
    scene.by_hand(&["backup"]).expect(0);
    let [_, (monthly, drill)] = &crontab().1[..] else { panic!("two lines") };
    assert!(monthly.ends_with(" 1 * *"), "{monthly}");
    cron(&scene, drill).expect(0).says("Drill passed");
    assert!(scene.folder("drill.json").exists());
}

#[test]
fn the_unit_starts_the_script_and_leaves_it_to_pass_a_stop_on() {
    let unit = shipped("systemd/ipai-drift.service");
    let lines: Vec<&str> = unit.lines().collect();
    assert!(lines.contains(&"ExecStart=/srv/infra/ci/ipai-ci drift"), "{unit}");
    assert!(lines.contains(&"KillMode=mixed"), "{unit}");
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    if !have("systemd-analyze") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let units = ["ipai-drift.service", "ipai-drift.timer"];
    for name in units {
        let text = shipped(&format!("systemd/{name}")).replace("User=infra", "User=root");
        // What is to be started must be there.
        let text = text.replace("/srv/infra/ci/ipai-ci", "/bin/true");
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(units).current_dir(folder.path());
    let ran: Ran = verify.output().unwrap().into();
    let ours: Vec<&str> = ran.err.lines().filter(|line| line.contains("ipai-drift")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
