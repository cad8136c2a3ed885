//! `sudo`: on a sandbox host everyone is allowed everything, and nobody becomes anyone else.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Options that take a value (sudo(8)).
const VALUED: [&str; 8] = ["-u", "--user", "-g", "--group", "-h", "-p", "-C", "-T"];

/// Drops sudo's own options and becomes the command.
pub(super) fn run(arguments: &[OsString]) -> u8 {
    let mut user = "root".to_owned();
    let mut variables = Vec::new();
    let mut words = arguments.iter();
    let mut command = None;
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            command = words.next();
        } else if VALUED.contains(&&*text) {
            let value = words.next().map(|value| value.to_string_lossy().into_owned());
            if matches!(&*text, "-u" | "--user") {
                user = value.unwrap_or_default();
            }
        } else if let Some(name) = text.strip_prefix("--user=") {
            user = name.to_owned();
        } else if text.starts_with('-') {
            // `-n`, `-E`, `-H`, `-S`: nothing to do here.
        } else if let Some((name, value)) = text.split_once('=') {
            variables.push((name.to_owned(), value.to_owned()));
        } else {
            command = Some(word);
        }
        if command.is_some() {
            break;
        }
    }
    let Some(command) = command else {
        super::complain("sudo (ipai sandbox, simulated): no command was given");
        return 1;
    };
    let error = Command::new(command)
        .args(words)
        .envs(variables)
        .env("USER", &user)
        .env("LOGNAME", &user)
        .exec();
    super::complain(format!("sudo: {}: {error}", command.to_string_lossy()));
    1
}
