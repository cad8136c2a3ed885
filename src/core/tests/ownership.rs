//! What is ours, what is not, and what the user gave leave for: deletions, duplicates, conflicts, targets.

#![allow(clippy::unwrap_used, reason = "tests")]

mod toy;

use std::collections::BTreeSet;

use ipai_core::{Value, Verb};
use toy::{HOUSE, RECORD, Story, World, address, show};

#[test]
fn a_move_that_stopped_half_way_keeps_what_stands_in_the_right_home() {
    let boxes = "[toy.box.x]\n[toy.box.y]\n[toy.file.f]\npath = '/f'\ncontent = ''\n";
    let in_y = format!("{boxes}box = 'toy.box.y'");
    Story::applied(&format!("{boxes}box = 'toy.box.x'"))
        .edited(&in_y)
        .disturbed(|world| {
            let mut copy = world.object("toy.file.f").clone();
            copy.id = "99".into();
            copy.home = Some(address("toy.box.y"));
            copy.attributes.insert("box".into(), Value::text("toy.box.y"));
            world.live.resources.push(copy);
        })
        .plans("- toy.file.f  no longer desired  stage 1");
}

#[test]
fn deletions_run_creation_backwards_and_early_ones_at_once() {
    let rest = "[toy.box.home]\nsize = 2";
    Story::applied(&format!("{HOUSE}\n[toy.box.other]")).edited(rest).plans(
        "
        - toy.record.a  no longer desired
        - toy.file.note  no longer desired  stage 1
        - toy.box.other  no longer desired  stage 3
        ",
    );
}

#[test]
fn deleting_a_home_is_one_action_whatever_lives_in_it() {
    Story::applied(HOUSE).edited("").plans(
        "
        - toy.record.a  no longer desired
        - toy.box.home  no longer desired  stage 3
        ",
    );
}

#[test]
fn replacing_a_home_takes_along_what_is_no_longer_wanted_in_it() {
    Story::applied(HOUSE).edited("[toy.box.home]\nregion = 'west'\nsize = 2").plans(
        "
        -/+ toy.box.home  cannot update region  region: east → west
        - toy.record.a  no longer desired
        ",
    );
}

#[test]
fn of_duplicates_the_oldest_is_kept() {
    Story::applied(RECORD)
        .disturbed(|world| world.duplicate("toy.record.a"))
        .plans("- toy.record.a  duplicate of 1");
}

#[test]
fn duplicates_of_what_is_no_longer_desired_all_go() {
    Story::applied(RECORD).disturbed(|world| world.duplicate("toy.record.a")).edited("").plans(
        "
        - toy.record.a  no longer desired
        - toy.record.a  duplicate of 1
        ",
    );
}

#[test]
fn an_object_that_is_reported_twice_is_one_object() {
    let twice = |world: &mut World| {
        let object = world.object("toy.record.a").clone();
        world.live.resources.push(object);
    };
    assert!(Story::applied(RECORD).disturbed(twice).plan().is_empty());
    let gone = Story::applied(RECORD).disturbed(twice).edited("").plan();
    assert_eq!(show(&gone), "- toy.record.a  no longer desired");
}

#[test]
fn a_younger_twin_of_a_home_goes_without_what_lives_in_the_older() {
    Story::applied(HOUSE)
        .disturbed(|world| world.duplicate("toy.box.home"))
        .plans("- toy.box.home  duplicate of 1  stage 3");
}

#[test]
fn a_foreign_twin_stands_in_the_way_and_can_be_adopted() {
    Story::of(RECORD)
        .disturbed(|world| world.stranger("record", "www 1", "www 1"))
        .plans("+ toy.record.a  not found\n! toy.record.a  www 1 exists already: adopt it");
}

#[test]
fn a_type_without_buckets_is_held_against_everything_foreign_of_its_type() {
    Story::applied(HOUSE)
        .disturbed(|world| {
            world.delete("toy.file.note");
            world.stranger("file", "/other", "toy.box.home:/other");
            world.stranger("file", "/note", "toy.box.home:/note");
        })
        .plans(
            "
            + toy.file.note  deleted outside
            ! toy.file.note  /note exists already: adopt it
            ",
        );
}

#[test]
fn a_foreign_object_that_excludes_ours_cannot_be_adopted() {
    Story::of(RECORD).disturbed(|world| world.stranger("record", "www @x", "www @x")).plans(
        "
        + toy.record.a  not found
        ! toy.record.a  an alias stands alone: remove it
        ",
    );
}

#[test]
fn foreign_objects_that_are_not_in_the_way_are_shown_and_left_alone() {
    let story = Story::of(RECORD).disturbed(|world| {
        world.stranger("record", "www 2", "www 2");
        world.stranger("file", "www 1", "www 1");
    });
    assert_eq!(story.plan().foreign.len(), 2);
    story.plans("+ toy.record.a  not found");
}

#[test]
fn every_foreign_object_in_the_way_is_named_in_a_fixed_order() {
    Story::of(RECORD)
        .disturbed(|world| {
            world.stranger("record", "b", "www @b");
            world.stranger("record", "a", "www 1");
        })
        .plans(
            "
            + toy.record.a  not found
            ! toy.record.a  an alias stands alone: remove it
            ! toy.record.a  a exists already: adopt it
            ",
        );
}

#[test]
fn a_replacement_or_update_that_would_meet_a_foreign_object_is_a_conflict_too() {
    let story = |now: &str, identity: &'static str| {
        let stranger = move |world: &mut World| world.stranger("record", "theirs", identity);
        Story::applied(RECORD).edited(now).disturbed(stranger)
    };
    story("[toy.record.a]\nname = 'web'\ncontent = '1'", "web 1").plans(
        "
        -/+ toy.record.a  cannot update name  name: www → web
        ! toy.record.a  theirs exists already: adopt it
        ",
    );
    story("[toy.record.a]\nname = 'www'\ncontent = '2'", "www 2").plans(
        "
        ~ toy.record.a  edited  content: 1 → 2
        ! toy.record.a  theirs exists already: adopt it
        ",
    );
}

#[test]
fn what_is_foreign_beside_ours_is_no_conflict_while_ours_keeps_its_identity() {
    Story::applied(RECORD)
        .disturbed(|world| world.stranger("record", "theirs", "www @x"))
        .edited("[toy.record.a]\nname = 'www'\ncontent = '1'\nttl = 60")
        .plans("~ toy.record.a  edited  ttl: 300 → 60");
}

#[test]
fn what_was_foreign_in_a_home_that_is_replaced_is_not_in_the_way() {
    Story::applied(HOUSE)
        .disturbed(|world| world.stranger("file", "theirs", "toy.box.home:/note"))
        .replace("toy.box.home")
        .plans(
            "
            -/+ toy.box.home  requested
            + toy.file.note  toy.box.home is new
            ~ toy.record.a  waits for toy.box.home.ip  content: 10.0.0.1 → (known after apply)
            ",
        );
}

#[test]
fn a_target_brings_what_it_needs_and_nothing_else() {
    Story::of(&format!("{HOUSE}\n[toy.box.other]")).target("toy.record.a").plans(
        "
        + toy.box.home  not found
        + toy.record.a  not found  content: none → (known after apply)
        ",
    );
}

#[test]
fn a_target_with_a_duplicate_still_brings_what_it_needs() {
    Story::applied(HOUSE)
        .disturbed(|world| world.duplicate("toy.record.a"))
        .edited(&HOUSE.replace("size = 2", "region = 'west'"))
        .target("toy.record.a")
        .plans(
            "
            -/+ toy.box.home  cannot update region  size: 2 → 1  region: east → west
            ~ toy.record.a  waits for toy.box.home.ip  content: 10.0.0.1 → (known after apply)
            - toy.record.a  duplicate of 3
            ",
        );
}

#[test]
fn conflicts_outside_the_targets_do_not_count() {
    Story::of(&format!("{RECORD}\n[toy.box.b]"))
        .disturbed(|world| world.stranger("record", "www 1", "www 1"))
        .target("toy.box.b")
        .plans("+ toy.box.b  not found");
}

#[test]
fn a_replacement_can_be_asked_for() {
    Story::applied(RECORD).replace("toy.record.a").plans("-/+ toy.record.a  requested");
}

#[test]
fn asking_to_replace_what_does_not_exist_creates_it() {
    Story::of(RECORD).replace("toy.record.a").plans("+ toy.record.a  not found");
}

#[test]
fn destroying_deletes_what_is_ours_and_nothing_foreign() {
    Story::applied(HOUSE)
        .disturbed(|world| world.stranger("record", "mail 1", "mail 1"))
        .disturbed(|world| world.duplicate("toy.record.a"))
        .secret("later", None)
        .destroy()
        .plans(
            "
            - toy.record.a  destroyed
            - toy.record.a  duplicate of 3
            - toy.box.home  destroyed  stage 3
            ",
        );
}

#[test]
fn losing_data_needs_leave_by_address() {
    let plan = Story::applied(HOUSE).edited("").plan();
    assert_eq!(plan.unapproved_losses(&BTreeSet::new()), [&address("toy.box.home")]);
    assert!(plan.unapproved_losses(&[address("toy.box.home")].into()).is_empty());
    let update = Story::applied(HOUSE).edited(&HOUSE.replace("size = 2", "size = 3")).plan();
    assert!(update.unapproved_losses(&BTreeSet::new()).is_empty());
}

#[test]
fn adopting_and_forgetting_touch_one_object_and_change_nothing_else() {
    let story = Story::of(RECORD).disturbed(|world| world.stranger("record", "x", "www 1"));
    let desired = story.setting.propose(&story.world.live).desired;
    let (live, address) = (&story.world.live, address("toy.record.a"));
    let adopt = ipai_core::plan::adopt(&desired, &address, &live.foreign[0], live);
    let forget = ipai_core::plan::forget(&desired, &address, "9", live);
    for (plan, verb, id) in [(adopt, Verb::Adopt, "1"), (forget, Verb::Forget, "9")] {
        assert_eq!(plan.actions.len(), 1);
        assert_eq!((plan.actions[0].verb, plan.actions[0].id.as_deref()), (verb, Some(id)));
        assert!(ipai_core::plan::lint(&plan).is_empty());
    }
}
