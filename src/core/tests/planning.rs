//! Which verb and reason follows from which difference between desired and live state, text in and text out.

#![allow(clippy::unwrap_used, reason = "tests")]

mod toy;

use ipai_core::Value;
use toy::{HOUSE, RECORD, Story, World};

#[test]
fn nothing_is_planned_when_both_sides_agree() {
    Story::applied(HOUSE).plans("");
}

#[test]
fn what_does_not_exist_is_created_and_waits_for_what_it_uses() {
    Story::of(HOUSE).plans(
        "
        + toy.box.home  not found
        + toy.file.note  toy.box.home is new
        + toy.record.a  not found  content: none → (known after apply)
        ",
    );
}

#[test]
fn a_change_on_the_live_side_is_drift() {
    Story::applied(RECORD)
        .disturbed(|world| world.set("toy.record.a", "content", Value::text("2")))
        .plans("~ toy.record.a  drifted  content: 2 → 1");
}

#[test]
fn a_change_on_the_desired_side_is_an_edit() {
    Story::applied(RECORD)
        .edited("[toy.record.a]\nname = 'www'\ncontent = '2'")
        .plans("~ toy.record.a  edited  content: 1 → 2");
}

#[test]
fn a_change_on_both_sides_is_an_edit_and_shows_both() {
    Story::applied(RECORD)
        .disturbed(|world| world.set("toy.record.a", "ttl", Value::Int(60)))
        .edited("[toy.record.a]\nname = 'www'\ncontent = '2'")
        .plans("~ toy.record.a  edited  content: 1 → 2  ttl: 60 → 300");
}

#[test]
fn an_object_without_a_version_in_its_marker_counts_as_edited() {
    Story::applied(RECORD)
        .disturbed(|world| {
            world.set("toy.record.a", "content", Value::text("2"));
            world.object("toy.record.a").applied = None;
        })
        .plans("~ toy.record.a  edited  content: 2 → 1");
}

#[test]
fn only_members_of_a_table_that_differ_are_shown() {
    Story::applied("[toy.box.a]\nlabels = { one = '1', two = '2', three = '3' }")
        .edited("[toy.box.a]\nlabels = { one = '1', two = '22', four = '4' }")
        .plans(
            "~ toy.box.a  edited  labels.four: none → 4  labels.two: 2 → 22  labels.three: 3 → none",
        );
}

#[test]
fn an_attribute_that_is_left_out_is_not_compared() {
    Story::applied("[toy.box.a]\ntimeout = '90s'")
        .edited("[toy.box.a]\ntimeout = '10m'")
        .disturbed(|world| world.set("toy.box.a", "colour", Value::text("red")))
        .plans("");
}

#[test]
fn what_was_deleted_behind_our_back_is_told_from_what_never_existed() {
    let deleted = |world: &mut World| world.delete("toy.record.a");
    Story::applied(RECORD).disturbed(deleted).plans("+ toy.record.a  deleted outside");
    Story::applied(RECORD)
        .disturbed(deleted)
        .disturbed(|world| world.live.remembered.clear())
        .plans("+ toy.record.a  not found");
}

#[test]
fn replaces_what_cannot_be_updated_and_names_the_attribute() {
    Story::applied(RECORD)
        .edited("[toy.record.a]\nname = 'web'\ncontent = '2'")
        .plans("-/+ toy.record.a  cannot update name  name: www → web  content: 1 → 2");
}

#[test]
fn drift_of_what_cannot_be_updated_replaces_as_well() {
    Story::applied(RECORD)
        .disturbed(|world| world.set("toy.record.a", "name", Value::text("mail")))
        .plans("-/+ toy.record.a  cannot update name  name: mail → www");
}

#[test]
fn a_member_of_a_table_can_force_a_replacement() {
    Story::applied("[toy.box.a]\nparts = { lid = 'oak' }")
        .edited("[toy.box.a]\nparts = { lid = 'pine' }")
        .plans("-/+ toy.box.a  cannot update parts.lid  parts.lid: oak → pine");
}

#[test]
fn replacing_a_home_creates_its_residents_anew_and_forgets_what_it_produced() {
    Story::applied(HOUSE).edited(&HOUSE.replace("size = 2", "size = 2\nregion = 'west'")).plans(
        "
            -/+ toy.box.home  cannot update region  region: east → west
            + toy.file.note  toy.box.home is new
            ~ toy.record.a  waits for toy.box.home.ip  content: 10.0.0.1 → (known after apply)
            ",
    );
}

#[test]
fn a_name_that_will_be_another_forces_a_replacement_and_so_on_down_the_chain() {
    let chain = "
        [toy.box.a]
        REGION
        [toy.box.b]
        parts = { next = '{{ toy.box.a.ip }}' }
        [toy.record.c]
        name = 'c-{{ toy.box.b.id }}'
        content = '1'
        ";
    Story::applied(&chain.replace("REGION", ""))
        .edited(&chain.replace("REGION", "region = 'west'"))
        .plans(
            "
            -/+ toy.box.a  cannot update region  region: east → west
            -/+ toy.box.b  cannot update parts.next  parts.next: 10.0.0.1 → (known after apply)
            -/+ toy.record.c  cannot update name  name: c-2 → (known after apply)
            ",
        );
}

#[test]
fn what_lives_in_an_absent_home_is_new_with_it() {
    Story::applied(HOUSE).disturbed(|world| world.delete("toy.box.home")).plans(
        "
        + toy.box.home  deleted outside
        + toy.file.note  toy.box.home is new
        ~ toy.record.a  waits for toy.box.home.ip  content: 10.0.0.1 → (known after apply)
        ",
    );
}

#[test]
fn a_home_that_still_boots_has_everything_created_in_it() {
    Story::applied(HOUSE)
        .disturbed(|world| world.still_boots("toy.box.home"))
        .plans("+ toy.file.note  toy.box.home is new");
}

#[test]
fn a_file_that_vanished_from_a_home_that_answers_was_deleted_outside() {
    Story::applied(HOUSE)
        .disturbed(|world| world.delete("toy.file.note"))
        .plans("+ toy.file.note  deleted outside");
}

#[test]
fn moving_a_resident_to_another_home_replaces_it() {
    let boxes = "[toy.box.x]\n[toy.box.y]\n[toy.file.f]\npath = '/f'\ncontent = ''\n";
    Story::applied(&format!("{boxes}box = 'toy.box.x'"))
        .edited(&format!("{boxes}box = 'toy.box.y'"))
        .plans("-/+ toy.file.f  cannot update box  box: toy.box.x → toy.box.y");
}

#[test]
fn what_is_used_at_birth_only_is_a_note_where_the_provider_shows_it() {
    let story = Story::applied("[toy.box.a]").edited("[toy.box.a]\nimage = 'ubuntu'");
    let forgetful = story.disturbed(|world| world.live.remembered.clear());
    forgetful.plans(
        "note toy.box.a  `image` is used only when it is created; the live one keeps \"debian\" until it is replaced (--replace toy.box.a)",
    );
}

#[test]
fn what_is_used_at_birth_only_is_a_note_where_only_the_hosts_remember_it() {
    let story = Story::applied("[toy.box.a]").edited("[toy.box.a]\nimage = 'ubuntu'");
    story
        .disturbed(|world| drop(world.object("toy.box.a").attributes.remove("image")))
        .plans("note toy.box.a  what is used only when it is created was edited since; it takes effect when it is replaced (--replace toy.box.a)");
}

#[test]
fn a_replacement_uses_what_counts_at_birth_and_needs_no_note() {
    Story::applied("[toy.box.a]")
        .edited("[toy.box.a]\nimage = 'ubuntu'")
        .replace("toy.box.a")
        .plans("-/+ toy.box.a  requested");
}

#[test]
fn remarks_of_the_providers_come_along_in_a_fixed_order() {
    Story::applied("")
        .disturbed(|world| world.live.notes.extend(["b".to_owned(), "a".to_owned()]))
        .plans("note a\nnote b");
}

#[test]
fn a_text_file_changes_by_a_diff() {
    let text = |word: &str| {
        format!(
            "[toy.box.a]\n[toy.file.f]\nbox='toy.box.a'\npath='/f'\ncontent='''\none\n{word}\n'''"
        )
    };
    Story::applied(&text("two"))
        .edited(&text("zwei"))
        .plans("~ toy.file.f  edited  content: -two +zwei");
}

#[test]
fn a_resident_that_moves_into_a_new_home_leaves_nothing_behind() {
    let file = "[toy.box.x]\n[toy.file.f]\npath = '/f'\ncontent = ''\n";
    Story::applied(&format!("{file}box = 'toy.box.x'"))
        .edited(&format!("{file}box = 'toy.box.y'\n[toy.box.y]"))
        .plans(
            "
            + toy.box.y  not found
            + toy.file.f  toy.box.y is new
            - toy.file.f  no longer desired  stage 1
            ",
        );
}

#[test]
fn an_index_comes_after_everything_else_in_its_box() {
    let story = Story::of(
        "
        [toy.box.a]
        [toy.file.first]
        box = 'toy.box.a'
        path = '/index'
        content = 'all'
        [toy.file.second]
        box = 'toy.box.a'
        path = '/x'
        content = 'x'
        ",
    );
    story.plans(
        "
        + toy.box.a  not found
        + toy.file.second  toy.box.a is new
        + toy.file.first  toy.box.a is new
        ",
    );
}

#[test]
fn after_orders_what_nothing_else_orders() {
    Story::of(
        "
        [toy.record.a]
        name = 'a'
        content = '1'
        after = ['toy.record.z']
        [toy.record.z]
        name = 'z'
        content = '1'
        ",
    )
    .plans("+ toy.record.z  not found\n+ toy.record.a  not found");
}
