//! Somebody sits between ipai and its hosts. Whatever they try, they see a key exchange and nothing else.
//!
//! Each story runs on hosts that are part of the simulator and on this machine's own OpenSSH server. The other machine
//! would let ipai in and run what it sends, so that only ipai's own refusal protects the secrets.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "man_in_the_middle/interceptor.rs"]
mod interceptor;
#[path = "man_in_the_middle/stage.rs"]
mod stage;

use std::net::Ipv4Addr;

use interceptor::Route;
use stage::{Kind, Stage};

const DROPLET: &str = "digitalocean.droplet.web";

fn through(_: usize, _: Ipv4Addr) -> Route {
    Route::Through
}

/// Runs one story on both kinds of hosts.
macro_rules! stories {
    ($($name:ident reuse=$reuse:literal;)*) => {
        mod embedded {
            use super::*;
            $(#[test] fn $name() { super::$name(Stage::new(Kind::Embedded, $reuse).unwrap()); })*
        }
        mod real_sshd {
            use super::*;
            $(#[test] fn $name() { if let Some(stage) = Stage::new(Kind::Sshd, $reuse) { super::$name(stage); } })*
        }
    };
}

stories! {
    at_first_contact reuse=false;
    after_a_rebuild reuse=false;
    at_an_address_that_another_droplet_had reuse=true;
    between_two_connections_of_one_apply reuse=false;
    after_a_link_that_broke_in_the_middle_of_a_push reuse=false;
    with_the_key_that_the_user_data_holds reuse=false;
    would_succeed_if_a_person_vouched_for_them reuse=false;
}

fn at_first_contact(stage: Stage) {
    let evil = stage.evil(None);
    stage.way.set(move |_, _| Route::To(evil));
    let refused = stage.run(&["apply", "--auto-approve"]).expect(1);
    refused.says("is not the expected one; nothing was sent to it").says("ipai adopt");
    stage.expect_nothing_given_away();
    stage.way.set(through);
    stage.apply();
    assert!(stage.secret_is_on_the_host());
}

fn after_a_rebuild(stage: Stage) {
    stage.apply();
    let (before, evil) = (stage.address(), stage.evil(None));
    stage.way.set(move |_, to| if to == before { Route::Through } else { Route::To(evil) });
    let replace = ["apply", "--auto-approve", "--replace", DROPLET, "--allow-data-loss", DROPLET];
    stage.run(&replace).expect(1).says("is not the expected one; nothing was sent to it");
    assert_ne!(stage.address(), before);
    stage.expect_nothing_given_away();
    stage.way.set(through);
    stage.apply();
}

/// The address is an old acquaintance of `ssh`, which would refuse the new droplet there; pins belong to droplets.
fn at_an_address_that_another_droplet_had(stage: Stage) {
    stage.apply();
    let (address, key) = (stage.address(), stage.host_key());
    let destroy = ["destroy", "--auto-approve", "--allow-data-loss", DROPLET];
    stage.run(&destroy).expect(0);
    let stale = format!(
        "[{address}]:{} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n",
        stage.way.port()
    );
    std::fs::write(stage.home().join(".ssh/known_hosts"), &stale).unwrap();
    let evil = stage.evil(Some(&key));
    stage.way.set(move |_, _| Route::To(evil));
    let refused = stage.run(&["apply", "--auto-approve"]).expect(1);
    refused.says("is not the expected one; nothing was sent to it");
    assert_eq!(stage.address(), address, "the address is used again");
    stage.expect_nothing_given_away();
    stage.way.set(through);
    stage.apply();
    let known = std::fs::read_to_string(stage.home().join(".ssh/known_hosts")).unwrap();
    assert_eq!(known, stale, "known_hosts is never written");
}

fn between_two_connections_of_one_apply(stage: Stage) {
    let evil = stage.evil(None);
    stage.way.set(move |number, _| if number == 1 { Route::Through } else { Route::To(evil) });
    let refused = stage.run(&["apply", "--auto-approve"]).expect(1);
    refused.says("is not the expected one; nothing was sent to it");
    stage.expect_nothing_given_away();
    assert!(!stage.secret_is_on_the_host(), "secrets follow a proof, not a hope");
    stage.way.set(through);
    stage.run(&["plan"]).expect(0).says("an earlier apply did not finish it").says("host_key");
    stage.apply();
    assert_eq!(stage.pins().len(), 1);
}

fn after_a_link_that_broke_in_the_middle_of_a_push(stage: Stage) {
    stage.apply();
    let evil = stage.evil(None);
    let long: String =
        (0..4_000_u32).map(|n| format!("{:08x}\n", n.wrapping_mul(2_654_435_761))).collect();
    stage.edit("index.html", "<h1>", &format!("<!-- {long} --><h1>"));
    stage.way.set(
        move |number, _| {
            if number == 1 { Route::CutAfter(16_000) } else { Route::To(evil) }
        },
    );
    let refused = stage.run(&["apply", "--auto-approve"]).expect(1);
    refused.says("is not the expected one; nothing was sent to it");
    stage.expect_nothing_given_away();
    stage.way.set(through);
    stage.apply();
}

/// Anything on the droplet can read its user data. What it finds there opens nothing any more.
fn with_the_key_that_the_user_data_holds(stage: Stage) {
    stage.run(&["apply", "--auto-approve", "--target", DROPLET]).expect(0);
    let old = stage.host_key();
    assert!(stage.pins()[0].ends_with(":born"), "{:?}", stage.pins());
    stage.apply();
    let pins = stage.pins();
    assert!(pins.len() == 1 && !pins[0].ends_with(":born"), "{pins:?}");
    assert_ne!(stage.host_key(), old);
    let evil = stage.evil(Some(&old));
    stage.way.set(move |_, _| Route::To(evil));
    let refused = stage.run(&["plan"]).expect(1);
    refused.says("is not the expected one; nothing was sent to it");
    stage.expect_nothing_given_away();
}

/// Shows that the other machine is dangerous and that looking for the secret there finds it. Only naming its key makes
/// ipai talk to it; a saved pin is left as it is without one.
fn would_succeed_if_a_person_vouched_for_them(stage: Stage) {
    stage.apply();
    let evil = stage.evil(None);
    stage.way.set(move |_, _| Route::To(evil));
    stage.run(&["plan"]).expect(1).says("is not the expected one; nothing was sent to it");
    stage.run(&["adopt", DROPLET, "--auto-approve"]).expect(0).says("ipai's already");
    stage.run(&["plan"]).expect(1);
    stage.expect_nothing_given_away();
    stage.run(&["adopt", DROPLET, "--host-key", "SHA256:yes"]).expect(1).says("fingerprint");
    let named = ["adopt", DROPLET, "--host-key", &stage.evil_fingerprint()];
    stage.run(&named).expect(0).says("recognised by this host key from now on, and by no other");
    stage.run(&named).expect(0).says("already");
    stage.run(&["apply", "--auto-approve"]).expect(0);
    assert!(stage.evil_has_the_secret());
}
