//! What goes wrong: each deployment that fails ends with the old release serving, and says what to do.

use crate::common::Ran;
use crate::lab::{Lab, tell};
use crate::life::serves;

/// Applies what must fail; what the host served before is served again, and the change is planned once more.
fn fails(lab: &Lab, file: &str, from: &str, to: &str) -> Ran {
    ends_with(6, lab, file, from, to)
}

fn ends_with(code: i32, lab: &Lab, file: &str, from: &str, to: &str) -> Ran {
    let releases = lab.ipai(&["releases"]).expect(0).out;
    lab.edit(file, from, to);
    let ran = lab.ipai(&["apply", "--auto-approve", "--detailed-exitcode"]);
    ran.all().lines().filter(|line| !line.contains("Still ")).for_each(tell);
    let ran = ran.expect(code);
    serves(lab);
    lab.ipai(&["plan", "--detailed-exitcode"]).expect(2).keeps_quiet_about("drifted");
    assert_eq!(lab.ipai(&["releases"]).expect(0).out, releases);
    lab.edit(file, to, from);
    lab.expect_nothing_left();
    ran
}

pub(crate) fn unknown_tag(lab: &Lab) {
    let before = lab.starts();
    // It owns data, so a backup would come before the upgrade; the image comes before the backup, and nothing stops.
    let ran = ends_with(1, lab, "stack.toml", "focalboard:7.11.4", "focalboard:7.11.99");
    ran.says("pull the images").says("7.11.99").says("nothing was changed");
    assert_eq!(lab.starts(), before, "nothing was restarted");
}

pub(crate) fn broken_caddyfile(lab: &Lab) {
    let before = lab.starts();
    let (from, to) = ("X-Content-Type-Options nosniff", "} } broken");
    // Nothing was changed, so it is a plain failure.
    let ran = ends_with(1, lab, "caddy/Caddyfile", from, to);
    ran.says("validate a file").says("/opt/ipai/ops/caddy/Caddyfile: ").says("nothing was written");
    assert_eq!(lab.starts(), before, "nothing was restarted");
}

/// A stack that gives up soon, so that nobody waits for what will not come; as patient as before afterwards.
struct Hurried<'a>(&'a Lab);

const PATIENT: &str = "timeout = \"20m\"";
const HURRIED: &str = "timeout = \"75s\"";

impl<'a> Hurried<'a> {
    fn of(lab: &'a Lab) -> Self {
        lab.edit("stack.toml", PATIENT, HURRIED);
        // Backups keep to it as well.
        lab.apply();
        Self(lab)
    }
}

impl Drop for Hurried<'_> {
    fn drop(&mut self) {
        self.0.edit("stack.toml", HURRIED, PATIENT);
        if !std::thread::panicking() {
            self.0.apply();
        }
    }
}

pub(crate) fn wrong_password(lab: &Lab) {
    let _hurried = Hurried::of(lab);
    let right = "DB_POSTGRESDB_PASSWORD={{ secret.n8n_db_password }}";
    let ran = fails(lab, "env/n8n.env", right, "DB_POSTGRESDB_PASSWORD=wrong");
    ran.says("service n8n").says("password authentication failed").says("served again");
}

pub(crate) fn never_healthy(lab: &Lab) {
    let _hurried = Hurried::of(lab);
    let ran = fails(
        lab,
        "docker/compose.yaml",
        "image: {{ var.focalboard_image }}\n",
        "image: {{ var.focalboard_image }}\n    command: [sh, -c, \"echo it will not start; sleep 100000\"]\n",
    );
    // The bar stands before what the service said; the plan shows the words of the command itself.
    ran.says("service focalboard is ").says("| it will not start").says("served again");
}
