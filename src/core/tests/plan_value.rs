//! The plan as a value: it holds no secret, can be saved, named and compared.

#![allow(clippy::unwrap_used, reason = "tests")]

mod toy;

use ipai_core::plan::{SavedPlan, moved};
use ipai_core::{Content, Value, hash};
use toy::{HOUSE, RECORD, Story, World, address};

const KEPT: &str = "
[secret.pass]
generate = 'password'
[toy.box.a]
[toy.file.env]
box = 'toy.box.a'
path = '/env'
content = 'PASS={{ secret.pass }}'
[toy.record.proof]
name = 'proof'
content = '{{ secret.pass }}'
";

#[test]
fn secrets_still_to_be_made_come_first_and_make_contents_unknown() {
    Story::of(KEPT).secret("pass", None).plans(
        "
        + secret.pass  not generated
        + toy.box.a  not found
        + toy.file.env  toy.box.a is new  content: none → (known after apply)
        + toy.record.proof  not found  content: none → (known after apply)
        ",
    );
    let plan = Story::of(KEPT).secret("pass", None).plan();
    let file = plan.actions.iter().find(|a| a.address == address("toy.file.env")).unwrap();
    assert_eq!(file.after, [address("secret.pass"), address("toy.box.a")]);
}

#[test]
fn a_secret_that_has_to_be_made_anew_changes_what_uses_it() {
    Story::of(KEPT).secret("pass", Some("canary-old")).and_applied().secret("pass", None).plans(
        "
        + secret.pass  not generated
        ~ toy.file.env  waits for secret.pass  content: (sensitive) → (known after apply)
        ~ toy.record.proof  waits for secret.pass  content: (sensitive) → (known after apply)
        ",
    );
}

#[test]
fn a_changed_secret_is_said_to_change_and_never_shown() {
    // That neither secret stands in the plan is asserted of every plan.
    Story::of(KEPT)
        .secret("pass", Some("canary-old"))
        .and_applied()
        .secret("old", Some("canary-old"))
        .secret("pass", Some("canary-new"))
        .plans(
            "
            ~ toy.file.env  edited  content: (sensitive) → (sensitive)
            ~ toy.record.proof  edited  content: (sensitive) → (sensitive)
            ",
        );
}

#[test]
fn what_stands_live_where_a_secret_should_be_is_never_shown() {
    // A provider that does not know what is secret reports plain values.
    let plain = |world: &mut World| {
        world.set("toy.record.proof", "content", Value::text("canary-old"));
        let content = Content::plain("PASS=canary-old".into());
        world.set("toy.file.env", "content", Value::Content(content));
    };
    let story = Story::of(KEPT)
        .secret("pass", Some("canary-new"))
        .and_applied()
        .secret("old", Some("canary-old"))
        .disturbed(plain);
    let text = serde_json::to_string(&story.plan()).unwrap();
    assert!(!text.contains(&hash::sha256_hex(b"PASS=canary-old")), "an unkeyed digest");
    story.plans(
        "
        ~ toy.file.env  drifted  content: (sensitive) → (sensitive)
        ~ toy.record.proof  drifted  content: (sensitive) → (sensitive)
        ",
    );
}

#[test]
fn a_secret_beside_an_unknown_value_still_hides_what_stands_there_now() {
    let stack = "[secret.pass]\n[toy.box.a]\n[toy.record.r]\nname = 'r'\n\
                 content = '{{ toy.box.a.ip }} {{ secret.pass }}'\n";
    Story::of(stack)
        .secret("pass", Some("canary-new"))
        .and_applied()
        .secret("old", Some("canary-old"))
        .disturbed(|world| world.set("toy.record.r", "content", Value::text("canary-old")))
        .replace("toy.box.a")
        .plans(
            "
            -/+ toy.box.a  requested
            ~ toy.record.r  waits for toy.box.a.ip  content: (sensitive) → (known after apply)
            ",
        );
}

#[test]
fn a_secret_that_is_reported_as_plain_text_is_compared_by_its_text() {
    Story::of(KEPT)
        .secret("pass", Some("canary"))
        .and_applied()
        .disturbed(|world| {
            world.set("toy.record.proof", "content", Value::text("canary"));
        })
        .plans("");
}

#[test]
fn a_saved_plan_is_the_same_when_it_is_read_again() {
    let plan = Story::of(HOUSE).plan();
    let text = SavedPlan::new(plan.clone(), &[], "0.1.0").to_text();
    assert_eq!(SavedPlan::read(&text, Some(&plan.stack)).unwrap().plan, plan);
}

#[test]
fn a_reviewed_plan_that_no_longer_fits_says_how() {
    let reviewed = Story::applied(RECORD).edited("").plan();
    let moves = |now: Story| moved(&reviewed, &now.plan()).join("\n");
    assert_eq!(moves(Story::applied(RECORD).edited("")), "");
    let gone = moves(Story::applied(RECORD));
    assert!(gone.starts_with("toy.record.a: planned to delete"), "{gone}");
    assert!(gone.ends_with("now there is nothing to do"), "{gone}");
    let drifted = Story::applied(RECORD)
        .disturbed(|world| world.set("toy.record.a", "content", Value::text("2")))
        .edited("");
    assert!(moves(drifted).contains("toy.record.a"), "the object is another now");
    let more = Story::applied(&format!("{RECORD}\n[toy.box.b]")).edited("");
    assert!(moves(more).contains("toy.box.b: not in the reviewed plan; now to delete"));
}

#[test]
fn a_second_duplicate_moves_a_reviewed_plan() {
    let twin = |world: &mut World| world.duplicate("toy.record.a");
    let reviewed = Story::applied(RECORD).disturbed(twin).plan();
    let now = Story::applied(RECORD).disturbed(twin).disturbed(twin).plan();
    assert_eq!(moved(&reviewed, &now).len(), 1);
}

#[test]
fn conflicts_move_a_reviewed_plan() {
    let reviewed = Story::of(RECORD).plan();
    let now = Story::of(RECORD).disturbed(|world| world.stranger("record", "x", "www 1")).plan();
    assert_eq!(moved(&reviewed, &now).len(), 1);
}

#[test]
fn fingerprints_name_what_a_plan_does_and_not_what_it_remarks() {
    let print = |story: Story| story.plan().fingerprint();
    let noted = Story::of(RECORD).disturbed(|world| world.live.notes.push("hm".into()));
    assert_eq!(print(Story::of(RECORD)), print(noted));
    assert_ne!(print(Story::of(RECORD)), print(Story::of(HOUSE)));
}

#[test]
fn the_live_state_is_named_by_our_objects_alone() {
    let name = |story: Story| story.plan().live_digest;
    let stranger = |world: &mut World| world.stranger("record", "x", "mail 1");
    assert_eq!(name(Story::applied(RECORD)), name(Story::applied(RECORD).disturbed(stranger)));
    let changed = |world: &mut World| world.set("toy.record.a", "ttl", Value::Int(1));
    assert_ne!(name(Story::applied(RECORD)), name(Story::applied(RECORD).disturbed(changed)));
}

#[test]
fn a_plan_counts_what_it_adds_changes_and_destroys() {
    let story = Story::applied(&format!("{HOUSE}\n[toy.box.other]"))
        .edited(&HOUSE.replace("size = 2", "region = 'west'"));
    let summary = story.plan().summary();
    assert_eq!((summary.add, summary.change, summary.destroy), (2, 1, 2));
}
