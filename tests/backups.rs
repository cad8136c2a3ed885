//! Backups on a simulated host with the real program: taken, listed, read back, exported, restored; a stack that is
//! rebuilt from one, and a drill.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "backups/broken.rs"]
mod broken;
mod common;
mod gate;
#[path = "backups/kept.rs"]
mod kept;
#[path = "backups/killed.rs"]
mod killed;

use kept::Kept;
use serde_json::{Value, json};

#[test]
fn a_backup_brings_rows_files_and_folders_back_and_starts_what_it_stopped() {
    let kept = Kept::new();
    kept.fill("first");
    let taken = kept.run(&["backup"]).expect(0).says("Backup ").says("taken");
    assert!(taken.err.contains("dump app_db"), "{}", taken.err);
    kept.everything_runs();
    kept.fill("second");
    kept.run(&["restore", "latest", "--auto-approve"])
        .expect(0)
        .says("Restored")
        .says("database app_db: 1 rows");
    kept.holds("first");
    kept.everything_runs();
    kept.nothing_lies_beside();
    kept.world.expect_empty_plan();
}

#[test]
fn one_service_comes_back_and_the_others_stay_as_they_are() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    kept.run(&["restore", "latest", "--service", "notes", "--auto-approve"])
        .expect(0)
        .keeps_quiet_about("app_db");
    assert_eq!(kept.rows("notes_db"), ["first"]);
    assert_eq!(kept.rows("app_db"), ["first", "second"]);
    assert_eq!(kept.file("app-data"), "second");
    kept.run(&["restore", "latest", "--service", "note", "--auto-approve"])
        .expect(1)
        .says("did you mean notes?");
}

#[test]
fn backups_are_listed_with_their_age_and_chosen_by_id_and_time() {
    let kept = Kept::new();
    kept.run(&["backups"]).expect(0).says("No backups yet").says("backup: none yet");
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    let second = kept.run(&["backup", "--online", "--json"]).expect(0);
    let second: Value = serde_json::from_str(&second.out).unwrap();
    assert_eq!(second["backup"]["online"], true);
    let listed: Value =
        serde_json::from_str(&kept.run(&["backups", "--json"]).expect(0).out).unwrap();
    let all = listed["backups"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[0]["id"].as_str().unwrap().starts_with(second["backup"]["id"].as_str().unwrap()));
    assert_eq!(listed["last_run"]["well"], true);
    let first = all[1]["id"].as_str().unwrap();
    kept.run(&["restore", &first[..12], "--auto-approve"]).expect(0);
    kept.holds("first");
    kept.run(&["restore", "latest", "--to-time", "2020-01-01", "--auto-approve"])
        .expect(1)
        .says("None was taken at or before 2020-01-01");
    kept.run(&["restore", "0123456789", "--auto-approve"])
        .expect(1)
        .says("no backup 0123456789")
        .says("backups");
    kept.run(&["status"]).expect(0).says("backup: ");
}

#[test]
fn a_backup_is_read_back_and_a_changed_byte_is_found() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.run(&["backup", "verify"]).expect(0).says("is whole");
    kept.damage_repository();
    kept.run(&["backup", "verify", "--all"]).expect(1).says("Cannot verify the backup");
}

#[test]
fn an_export_restores_on_a_fresh_stack_and_a_torn_one_touches_nothing() {
    let kept = Kept::new();
    kept.fill("first");
    let folder = kept.world.scratch.path().join("exports");
    std::fs::create_dir(&folder).unwrap();
    kept.run(&["backup", "--export", folder.to_str().unwrap()]).expect(0).says("not encrypted");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("backup-20") && name.ends_with("Z.tar.gz"), "{name}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(&file).unwrap();
    let torn = folder.join("torn.tar.gz");
    std::fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    kept.fill("second");
    kept.run(&["restore", torn.to_str().unwrap(), "--auto-approve"])
        .expect(1)
        .says("damaged, cut off");
    assert_eq!(kept.rows("app_db"), ["first", "second"]);
    let fresh = Kept::new();
    fresh.run(&["restore", file.to_str().unwrap(), "--auto-approve"]).expect(0).says("Restored");
    fresh.holds("first");
}

#[test]
fn what_speaks_against_a_restore_is_said_before_anything_is_touched() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    let first = kept.newest();
    kept.world.edit("compose.yaml", "app:1.2.0", "app:1.1.0");
    kept.world.edit("stack.toml", "{{ secret.api_key }}\" }", "another{{ secret.api_key }}\" }");
    kept.run(&["apply", "--auto-approve"]).expect(0);
    // The backup before the change of the image was taken with the new key already, so it is not the one that is meant.
    kept.run(&["restore", &first, "--auto-approve"])
        .expect(1)
        .says("the key app is another one")
        .says("older registry.example.com/app:1.1.0")
        .says("nothing was changed");
    assert_eq!(kept.rows("app_db"), ["first", "second"]);
    kept.everything_runs();
}

#[test]
fn a_repository_that_cannot_be_used_is_an_error_with_a_way_out() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.world.edit("stack.toml", "correct horse", "wrong horse");
    kept.world.apply();
    kept.run(&["backup"]).expect(1).says("password is not the stack's").says("[backup] password");
    kept.everything_runs();
    kept.run(&["backups"]).expect(1).says("password is not the stack's");
    kept.run(&["status"]).expect(0).says("the last run failed");
}

#[test]
fn a_lock_of_a_dead_restic_is_taken_away_and_one_of_a_living_one_is_not() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.lock_repository(true);
    kept.run(&["backup"]).expect(0);
    kept.lock_repository(false);
    kept.run(&["backup"]).expect(1).says("locked by another restic").says("unlock --remove-all");
    kept.everything_runs();
}

#[test]
fn storage_that_is_not_there_and_a_full_disk_stop_a_backup_before_it_stops_anything() {
    let kept = Kept::new();
    kept.fill("first");
    let before = kept.world.container("app");
    kept.full_disk();
    kept.run(&["backup"]).expect(1).says("MiB left").says("make room");
    assert_eq!(kept.world.container("app"), before, "it was not stopped");
    kept.world.edit("stack.toml", "s3:https://objects.example.com/kept", "s3:https://nowhere");
    kept.world.apply();
    kept.run(&["backup"]).expect(1).says("reachable from the host");
    assert_eq!(kept.world.container("app"), before, "it was not stopped");
}

#[test]
fn an_export_of_another_stack_is_refused() {
    let kept = Kept::new();
    kept.fill("first");
    let file = kept.world.scratch.path().join("mine.tar.gz");
    kept.run(&["backup", "--export", file.to_str().unwrap()]).expect(0);
    kept.run(&["backup", "export", "latest", file.to_str().unwrap()])
        .expect(1)
        .says("The file exists");
    let other = Kept::named("store");
    other.fill("second");
    other
        .run(&["restore", file.to_str().unwrap(), "--auto-approve"])
        .expect(1)
        .says("a backup of the stack shop, and this is store");
    assert_eq!(other.rows("app_db"), ["second"]);
}

#[test]
fn a_section_with_mistakes_is_refused_with_all_of_them_at_once() {
    let kept = Kept::new();
    kept.world.edit("stack.toml", "compose = \"host.compose.shop\"", "compose = \"host.compose.shp\"\nschedule = \"now; rm -rf /\"\nmax_age = \"soon\"\nkeep = { hourly = 3 }\ncolour = \"red\"");
    kept.world.edit(
        "stack.toml",
        "volumes = [\"notes-data\"]",
        "volumes = [\"notes data\"]\ndirectories = [\"../etc\"]",
    );
    let refused = kept.run(&["validate"]).expect(1);
    let refused = refused
        .says("no Compose project of this stack")
        .says("no calendar event of systemd")
        .says("90m")
        .says("hourly");
    refused.says("colour").says("notes data").says("Not a path for a directory");
}

#[test]
fn a_restore_whose_services_do_not_get_well_brings_back_what_was_there() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    kept.world.edit("stack.toml", "timeout = \"1m\"", "timeout = \"4s\"");
    kept.world.apply();
    kept.make_ill("registry.example.com/app:1.2.0");
    kept.run(&["restore", "latest", "--auto-approve"])
        .expect(1)
        .says("do not get well")
        .says("was put back");
    assert_eq!(kept.rows("app_db"), ["first", "second"]);
    assert_eq!(kept.file("app-data"), "second");
    kept.nothing_lies_beside();
}

#[test]
fn a_backup_is_taken_before_an_image_changes_that_owns_data_unless_waived_by_name() {
    let kept = Kept::new();
    kept.fill("first");
    kept.world.edit("compose.yaml", "notes:3.0.0", "notes:3.1.0");
    kept.world.apply();
    kept.run(&["backups"]).expect(0).says("No backups yet");
    kept.world.edit("compose.yaml", "app:1.2.0", "app:1.3.0");
    kept.run(&["apply", "--auto-approve", "--without-backup", "app"]).expect(0);
    kept.run(&["backups"]).expect(0).says("No backups yet");
    kept.world.edit("compose.yaml", "app:1.3.0", "app:1.4.0");
    // That it goes on is said only while it takes long enough for anybody to wait.
    kept.world.apply();
    kept.run(&["backups"]).expect(0).says("before-upgrade");
    kept.damage_repository();
    kept.world.edit("compose.yaml", "app:1.4.0", "app:1.5.0");
    let refused = kept.run(&["apply", "--auto-approve"]).expect(1);
    refused.says("cannot take the backup before the upgrade").says("--without-backup app");
    assert!(kept.image("app").ends_with("app:1.4.0"), "the upgrade did not happen");
}

#[test]
fn an_older_version_gets_the_data_of_before_when_it_is_deployed() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    let first = kept.newest();
    kept.world.edit("compose.yaml", "app:1.2.0", "app:1.3.0");
    kept.world.apply();
    kept.fill("second");
    kept.world.edit("compose.yaml", "app:1.3.0", "app:1.2.0");
    kept.run(&["restore", &first, "--at-deploy", "--auto-approve"])
        .expect(0)
        .says("The next deployment restores it");
    assert_eq!(kept.rows("app_db"), ["first", "second"]);
    kept.world.apply();
    kept.holds("first");
    assert!(kept.image("app").ends_with("app:1.2.0"));
}

#[test]
fn a_dead_droplet_is_left_alone_or_replaced_when_it_is_named() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    let dead = kept.world.droplet();
    kept.world.age_droplet();
    kept.silence(dead);
    let left = kept.run(&["rebuild", "--auto-approve"]).expect(0);
    left.says("does not answer and is left alone").says("still paid for");
    assert_eq!(kept.world.droplets().len(), 2);
    let new = kept.world.droplets().into_iter().find(|id| *id != dead).unwrap();
    assert_eq!(kept.rows_on(new, "app_db", "notes"), ["first"]);
    kept.world.expect_empty_plan();
    kept.silence(new);
    kept.run(&["rebuild", "--auto-approve", "--replace", "digitalocean.droplet.ops"])
        .expect(1)
        .says("that is digitalocean.droplet.web");
    kept.run(&["rebuild", "--auto-approve", "--replace", "digitalocean.droplet.web"])
        .expect(0)
        .says("is deleted and made anew");
    let droplets = kept.world.droplets();
    assert!(
        droplets.contains(&dead) && !droplets.contains(&new) && droplets.len() == 2,
        "{droplets:?}"
    );
    kept.world.expect_empty_plan();
}

#[test]
fn a_stack_whose_droplet_is_gone_is_rebuilt_with_its_data_and_a_receipt() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    let before = kept.world.record("www.example.com", "A")["content"].clone();
    kept.lose_droplet();
    let rebuilt = kept.run(&["rebuild", "--auto-approve", "--rto", "30m", "--json"]).expect(0);
    let receipt: Value = serde_json::from_str(rebuilt.out.lines().last().unwrap()).unwrap();
    assert_eq!((&receipt["type"], &receipt["exit_code"]), (&"receipt".into(), &0.into()));
    assert_eq!(receipt["within_rto"], true);
    assert!(receipt["ipai_percent"].as_f64().unwrap() > 0.0, "{receipt}");
    assert_eq!(
        receipt["verified"]["rows"],
        json!({"app_db": {"tables": 1, "rows": 1}, "notes_db": {"tables": 1, "rows": 1}})
    );
    assert_eq!(receipt["verified"]["rows_match"], true);
    assert_eq!(receipt["verified"]["proofs"]["app"]["passed"], true);
    let mut unsigned = receipt.clone();
    let sum = unsigned.as_object_mut().unwrap().remove("sha256").unwrap();
    assert_eq!(sum, json!(ipai_core::hash::sha256_hex(unsigned.to_string().as_bytes())));
    kept.holds("first");
    assert_ne!(kept.world.record("www.example.com", "A")["content"], before);
    kept.world.expect_empty_plan();
    kept.run(&["rebuild", "--auto-approve"]).expect(1).says("exists and answers");
}

#[test]
fn a_stack_that_was_taken_down_is_not_rebuilt_over_its_data() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    kept.run(&["down", "--auto-approve"]).expect(0);
    kept.run(&["rebuild", "--auto-approve"])
        .expect(1)
        .says("exists and answers")
        .says("Docker keeps data: ipai")
        .says(" up starts it");
    kept.run(&["up"]).expect(0);
    assert_eq!((kept.rows("app_db").len(), kept.file("app-data").as_str()), (2, "second"));
}

#[test]
fn a_receipt_that_cannot_be_written_is_known_before_anything_is_done() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.lose_droplet();
    let nowhere = kept.world.scratch.path().join("missing/receipt.json");
    let nowhere = nowhere.to_str().unwrap();
    for command in ["rebuild", "drill"] {
        kept.run(&[command, "--auto-approve", "--receipt", nowhere])
            .expect(1)
            .says("the receipt cannot be written")
            .says("hint: name a file");
    }
    assert!(kept.world.droplets().is_empty());
}

#[test]
fn a_rebuild_that_takes_too_long_says_so_and_fails() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.lose_droplet();
    kept.run(&["rebuild", "--auto-approve", "--rto", "1ms"])
        .expect(1)
        .says("--rto allows")
        .says("recovery time");
    kept.holds("first");
}

#[test]
fn a_rebuild_takes_an_older_backup_when_the_newest_is_not_whole() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    let whole = kept.snapshots();
    kept.fill("second");
    kept.run(&["backup"]).expect(0);
    kept.damage_newest(&whole);
    kept.lose_droplet();
    kept.run(&["rebuild", "--auto-approve"]).expect(0).says("an older one is taken");
    kept.holds("first");
}

#[test]
fn a_drill_proves_an_export_alone() {
    let kept = Kept::new();
    kept.fill("first");
    let file = kept.world.scratch.path().join("export.tar.gz");
    let file = file.to_str().unwrap();
    kept.run(&["backup", "--export", file]).expect(0);
    let drilled = kept.run(&["drill", file, "--auto-approve", "--json"]).expect(0);
    let receipt: Value = serde_json::from_str(drilled.out.lines().last().unwrap()).unwrap();
    assert_eq!(receipt["verified"]["rows_match"], true, "{receipt}");
}

#[test]
fn a_drill_proves_the_backup_and_leaves_nothing_behind() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    kept.fill("second");
    let records = kept.world.records();
    let droplet = kept.world.droplet();
    let drilled = kept.run(&["drill", "--auto-approve", "--json"]).expect(0);
    let receipt: Value = serde_json::from_str(drilled.out.lines().last().unwrap()).unwrap();
    assert_eq!(receipt["kind"], "drill");
    assert_eq!(receipt["verified"]["rows_match"], true);
    assert_eq!(kept.world.droplet(), droplet, "the drill's own droplet is gone");
    assert_eq!(kept.world.records(), records);
    assert_eq!(kept.rows("app_db"), ["first", "second"], "the stack itself was not touched");
    kept.world.expect_empty_plan();
}

#[test]
fn a_drill_does_not_do_what_the_real_stack_does() {
    let kept = Kept::new();
    kept.fill("first");
    kept.run(&["backup"]).expect(0);
    let real = kept.world.droplet();
    kept.run(&["drill", "--auto-approve", "--keep"]).expect(0).says("is paid for until");
    let drill = kept.world.droplets().into_iter().find(|id| *id != real).unwrap();
    assert_eq!(kept.rows_on(drill, "app_db", "tamed"), ["tamed"]);
    kept.run(&["drill", "--auto-approve"]).expect(0);
    assert_eq!(kept.world.droplets(), [real]);
}
