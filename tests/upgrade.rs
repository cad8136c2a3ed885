//! `ipai upgrade`: one tag exchanged in the stack's file and in the world.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::World;
use ipai_simulator::tools::ToolFaults;

/// The test stack with its tags in variables, and odd spacing and comments around them.
fn world(variables: &str) -> World {
    let world = World::new();
    let text = format!("greeting = \"hello\"\n{variables}");
    world.edit("stack.toml", "greeting = \"hello\"\n", &text);
    world.edit(
        "compose.yaml",
        "image: registry.example.com/app:1.0.0",
        "image: registry.example.com/app:{{ var.app_version }}",
    );
    world
}

const VERSION: &str = "app_version   =  '1.0.0'   # the app, and its migrations\n";

#[test]
fn one_tag_is_exchanged_and_every_other_byte_stays() {
    let world = world(VERSION);
    world.apply();
    let before = world.read("stack.toml");
    let plan = world.run(&["upgrade", "app", "1.1.0", "--plan-only"]).expect(0);
    plan.says("app_version = \"1.0.0\" → \"1.1.0\" (app, migrate)")
        .says("1 to change")
        .says("Nothing was changed");
    assert_eq!(world.read("stack.toml"), before);
    world.run(&["upgrade", "app", "1.1.0", "-y"]).expect(0).says("1 changed");
    assert_eq!(world.read("stack.toml"), before.replace("'1.0.0'", "'1.1.0'"));
    world.expect_empty_plan();
    let id = world.container("app").0;
    assert!(world.docker(&["inspect", &id]).expect(0).out.contains("app:1.1.0"));
    world.run(&["upgrade", "app", "1.1.0"]).expect(0).says("already");
}

#[test]
fn a_value_that_an_option_overrides_is_not_edited() {
    let world = world(VERSION);
    world.apply();
    let before = world.read("stack.toml");
    for other in ["1.0", "2.0.0"] {
        let variable = format!("app_version={other}");
        let ran = world.run(&["--var", &variable, "upgrade", "app", "1.1.0", "-y"]).expect(1);
        ran.says("is not written there as it stands, or --var says something else");
        assert_eq!(world.read("stack.toml"), before);
    }
}

#[test]
fn when_nothing_was_applied_the_file_is_put_back() {
    let world = world(VERSION);
    world.apply();
    let before = world.read("stack.toml");
    world
        .run(&["upgrade", "app", "2.0.0"])
        .expect(1)
        .says("nobody can be asked")
        .says("is as it was");
    assert_eq!(world.read("stack.toml"), before);
    world.expect_empty_plan();
}

#[test]
fn when_something_was_applied_the_file_keeps_the_new_tag_and_that_is_said() {
    let world = world(VERSION);
    // Whatever goes back waits as long as the deployment that it goes back to.
    world.edit("stack.toml", "timeout = \"1m\"", "timeout = \"8s\"");
    world.apply();
    let faults = ToolFaults { unhealthy: vec!["app".into()], ..ToolFaults::default() };
    faults.save(world.host().base()).unwrap();
    let ran = world.run(&["upgrade", "app", "2.0.0", "-y"]).expect(1);
    if ran.all().contains("is as it was") {
        // A release that failed may go back by itself; then nothing of it is left.
        assert!(world.read("stack.toml").contains("1.0.0"));
    } else {
        ran.says("keeps the new tag").says(" apply goes on");
        assert!(world.read("stack.toml").contains("2.0.0"));
    }
}

#[test]
fn a_tag_that_no_variable_or_more_than_one_makes_is_refused_with_its_lines() {
    let world = world(VERSION);
    world.apply();
    world
        .run(&["upgrade", "proxy", "2.12"])
        .expect(1)
        .says("No variable holds the tag")
        .says("compose.yaml:3");
    world.run(&["upgrade", "app", "a b"]).expect(1).says("Not a tag");
    let several = World::new();
    let variables = "greeting = \"hello\"\none = \"1.0\"\ntwo = \"1.0\"\n";
    several.edit("stack.toml", "greeting = \"hello\"\n", variables);
    several.edit(
        "compose.yaml",
        "image: registry.example.com/app:1.0.0",
        "image: x/app:{{ var.one if var.one != '1.0' else var.two }}",
    );
    several.apply();
    several.run(&["upgrade", "app", "9"]).expect(1).says("stack.toml:9 (one)").says("(two)");
    let overridden = ["--var", "app_version=1.0.5", "upgrade", "app", "1.1.0", "-y"];
    world.run(&overridden).expect(1).says("cannot be edited");
}

#[test]
fn a_lower_version_of_a_service_that_migrates_is_refused_unless_the_loss_is_allowed() {
    let world = world(VERSION);
    world.edit("stack.toml", "timeout = \"1m\"", "timeout = \"1m\"\nmigrates = [\"app\"]");
    world.apply();
    world.run(&["upgrade", "app", "1.10.0", "-y"]).expect(0);
    let (before, ran) = (world.read("stack.toml"), world.container("app"));
    let lower = ["upgrade", "app", "1.9.0", "-y", "--detailed-exitcode"];
    for arguments in
        [&lower[..], &["upgrade", "app", "1.9.0", "--plan-only", "--detailed-exitcode"]]
    {
        world
            .run(arguments)
            .expect(5)
            .says("app would go from registry.example.com/app:1.10.0 back to registry.example.com/app:1.9.0")
            .says("restore the backup")
            .says("--allow-data-loss host.compose.shop");
    }
    assert_eq!((world.read("stack.toml"), world.container("app")), (before, ran));
    // What the host runs decides: after a rollback the stack may follow.
    world.run(&["rollback", "-y", "--allow-data-loss", "host.compose.shop"]).expect(0);
    world.run(&["upgrade", "app", "1.0.0", "-y"]).expect(0);
    world.run(&["upgrade", "app", "1.10.0", "-y"]).expect(0);
    let allowed = [&lower[..], &["--allow-data-loss", "host.compose.shop"]].concat();
    world.run(&allowed).expect(2);
    world.expect_empty_plan();
}
