//! `cloud-init status`: a sandbox host has done its first boot before it answers.

use std::fs;
use std::io;
use std::path::Path;

use super::{ToolFaults, complain, print};

/// Runs `cloud-init ARGUMENTS`. Exit status 1 goes with an error, as in cloud-init's own
/// `status` (<https://cloudinit.readthedocs.io/en/latest/explanation/return_codes.html>).
pub(super) fn run(state: &Path, arguments: &[String]) -> u8 {
    let Some(("status", options)) = arguments.split_first().map(|(verb, rest)| (&**verb, rest))
    else {
        complain("cloud-init (ipai sandbox, simulated): only `status` is known");
        return 2;
    };
    let faults = ToolFaults::load(state).unwrap_or_default();
    let status = faults.cloud_init.unwrap_or_else(|| "done".to_owned());
    let has = |option: &str| options.iter().any(|given| given == option);
    if has("--format=json") || (has("--format") && has("json")) {
        let report = serde_json::json!({
            "status": status,
            "extended_status": status,
            "boot_status_code": "enabled-by-generator",
            "detail": "ipai sandbox (simulated)",
            "errors": if status == "error" { vec!["broken by the test"] } else { vec![] },
            "recoverable_errors": {},
        });
        print(format!("{report:#}\n"));
    } else {
        print(format!("status: {status}\n"));
        if has("--long") || has("-l") {
            print("boot_status_code: enabled-by-generator\ndetail: ipai sandbox (simulated)\n");
        }
    }
    u8::from(status == "error")
}

/// Leaves the file that tells programs whether first boot is over, as cloud-init does in
/// `/run/cloud-init/result.json`: it is there once everything has run.
pub(crate) fn leave_result(root: &Path, status: &str) -> io::Result<()> {
    let folder = root.join("run/cloud-init");
    let file = folder.join("result.json");
    fs::create_dir_all(&folder)?;
    if status == "running" {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let errors = if status == "error" { vec!["broken by the test"] } else { vec![] };
    let result =
        serde_json::json!({"v1": {"datasource": "DataSourceDigitalOcean", "errors": errors}});
    fs::write(file, result.to_string())
}
