//! A password's change from end to end on the stack that ships: what the plan names, what apply touches, and what a
//! killed run leaves behind.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod secret_life;

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::World;
use secret_life::{SERVICES, containers, ops, secret};

const RECONCILE: &str = "/opt/ipai/ops/env/postgres-reconcile.env";
const MATTERMOST: &str = "/opt/ipai/ops/env/mattermost.env";
const ROLE: &str = "mattermost_db_password";

#[test]
fn a_rotated_role_password_touches_its_env_files_the_reconciliation_and_its_service_alone() {
    let world = ops();
    let made = world.run(&["apply", "--auto-approve"]).expect(0);
    made.says("/secrets.toml holds 18 new secrets: commit it");
    world.expect_empty_plan();
    let (before, old) = (containers(&world), secret(&world, ROLE));
    let reconciled = world.container("postgres-reconcile");
    world.run(&["secrets", "rotate", ROLE]).expect(0).says("Rotated mattermost_db_password.");
    let new = secret(&world, ROLE);
    assert_ne!(new, old);

    let plan = world.run(&["plan", "-v"]).expect(0).says("0 to add, 3 to change, 0 to destroy.");
    let plan = plan.says("~ host.file.mattermost_env").says("~ host.file.postgres_reconcile_env");
    let plan = plan.says("~ host.compose.ops").says("(sensitive value) changed");
    let plan = plan.says("services.mattermost: outdated → running");
    let plan = plan.says("services.postgres-reconcile: outdated → completed");
    assert_eq!(plan.out.matches("outdated").count(), 2, "{}", plan.out);
    plan.keeps_quiet_about(&new).keeps_quiet_about(&old);

    let applied = world.apply().says("0 added, 3 changed, 0 destroyed.");
    applied.keeps_quiet_about(&new).keeps_quiet_about(&old);
    assert_eq!(held(&world), [new.clone(), new], "every file that holds it holds the new value");
    let after = containers(&world);
    for service in SERVICES {
        let touched = before[service] != after[service];
        assert_eq!(touched, service == "mattermost", "{service}");
    }
    assert_ne!(world.container("postgres-reconcile").0, reconciled.0, "it ran with the new value");
}

#[test]
fn a_hash_follows_its_password_and_a_permanent_secret_is_not_rotated_just_so() {
    let world = ops();
    world.apply();
    let hash = secret(&world, "n8n_owner_password_hash");
    let rotated = world.run(&["secrets", "rotate", "n8n_owner_password"]).expect(0);
    rotated.says("Rotated n8n_owner_password, n8n_owner_password_hash.");
    assert_ne!(secret(&world, "n8n_owner_password_hash"), hash);
    world.run(&["secrets", "audit"]).expect(0).says("Nothing found.");
    let plan = world.run(&["plan"]).expect(0).says("~ host.file.n8n_owner_password_hash");
    assert!(!plan.out.contains("services.postgres"), "{}", plan.out);
    world.apply();

    let refused = world.run(&["secrets", "rotate", "n8n_owner_password_hash"]).expect(1);
    refused.says("follows `n8n_owner_password`");
    let key = secret(&world, "n8n_encryption_key");
    let refused = world.run(&["secrets", "rotate", "n8n_encryption_key"]).expect(1);
    refused.says("A permanent secret").says("every credential");
    assert_eq!(secret(&world, "n8n_encryption_key"), key);
    world.run(&["secrets", "rotate", "smtp_password"]).expect(1).says("SMTP_PASSWORD");
    world.run(&["secrets", "rotate", "n8n_owner_pasword"]).expect(1).says("did you mean");
}

#[test]
fn killed_at_any_moment_every_file_holds_one_whole_value_and_the_next_apply_converges() {
    let world = ops();
    world.apply();
    let (mut length, mut kills) = (Duration::from_millis(400), 0);
    for round in 0..6_u32 {
        let (old, before) = (secret(&world, ROLE), containers(&world));
        world.run(&["secrets", "rotate", ROLE]).expect(0);
        let new = secret(&world, ROLE);
        let begun = Instant::now();
        // The first run is not killed, and tells how long one takes; so does each later one that was over too soon.
        let share = [1.0, 0.25, 0.45, 0.6, 0.75, 0.9][round as usize];
        let killed = apply_until(&world, (round > 0).then(|| length.mul_f64(share)), &|| {
            for value in held(&world) {
                assert!(value == old || value == new, "neither the old nor the new value is whole");
            }
        });
        if killed {
            kills += 1;
            // Its lock lapses by itself within a minute; somebody who knows that it is dead need not wait.
            world.run(&["unlock", "--yes"]).expect(0);
        } else {
            length = begun.elapsed();
        }
        world.apply();
        assert_eq!(held(&world), [new.clone(), new], "round {round}");
        let after = containers(&world);
        let others = SERVICES.into_iter().filter(|service| *service != "mattermost");
        for service in others {
            assert_eq!(before[service], after[service], "{service} in round {round}");
        }
        assert_ne!(before["mattermost"].0, after["mattermost"].0, "round {round}");
    }
    assert!(kills >= 3, "only {kills} of five runs were killed before their end");
}

/// Runs an apply, looks all the while, and kills it after some time; tells whether it was killed.
fn apply_until(world: &World, after: Option<Duration>, look: &(dyn Fn() + Sync)) -> bool {
    let mut command = world.command(&["apply", "--auto-approve"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let over = AtomicBool::new(false);
    let status = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                look();
                std::thread::sleep(Duration::from_millis(1));
            }
            look();
        });
        if let Some(after) = after {
            std::thread::sleep(after);
            let _ = child.kill();
        }
        let status = child.wait().unwrap();
        over.store(true, Ordering::Relaxed);
        looking.join().unwrap();
        status
    });
    status.signal() == Some(9)
}

/// The role's password as each of the two files holds it.
fn held(world: &World) -> [String; 2] {
    let read = |path: &str| std::fs::read_to_string(world.host_path(path)).unwrap();
    let between = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).expect("the file is whole");
        rest.split_once(to).expect("the file is whole").0.to_owned()
    };
    let reconcile = between(&read(RECONCILE), "\nMATTERMOST_DB_PASSWORD=", "\n");
    [reconcile, between(&read(MATTERMOST), "postgres://mattermost:", "@postgres:5432/")]
}

#[test]
fn a_secret_changed_by_hand_on_the_host_is_drift_and_neither_value_is_shown() {
    let world = ops();
    world.apply();
    let path = world.host_path(RECONCILE);
    let (wanted, own) = (std::fs::read_to_string(&path).unwrap(), secret(&world, ROLE));
    std::fs::write(&path, wanted.replace(&own, "by-hand-0a1b2c3d4e5f")).unwrap();
    let plan = world.run(&["plan", "-v", "--detailed-exitcode"]).expect(2);
    let plan =
        plan.says("host.file.postgres_reconcile_env").says("drifted").says("(sensitive value)");
    plan.keeps_quiet_about("by-hand-0a1b2c3d4e5f").keeps_quiet_about(&own);
    world.run(&["plan", "--json"]).expect(0).keeps_quiet_about("by-hand-0a1b2c3d4e5f");
    world.apply().keeps_quiet_about("by-hand-0a1b2c3d4e5f").keeps_quiet_about(&own);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted);
}
