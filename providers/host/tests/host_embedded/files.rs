//! Files: pushed whole, compared by what lies there, foreign ones left alone.

use std::os::unix::fs::PermissionsExt as _;

use ipai_core::{HomeState, Verb};
use ipai_simulator::hosts::HostFaults;
use ipai_simulator::tools::ToolFaults;

use crate::world::{World, compile, differences, file, home, secret};

pub(crate) async fn fifty_files_land_in_one_push_and_the_next_plan_is_empty() {
    let mut world = World::new().await;
    let names: Vec<String> = (0..50).map(|n| format!("f{n}")).collect();
    let raw = names.iter().map(|name| {
        file(
            name,
            &format!("/opt/app/{}/it's {name}", name.len()),
            &format!("{name}\n").repeat(500),
        )
    });
    let desired = compile(raw.collect());
    assert_eq!(world.apply(&desired).await.unwrap().len(), 50);
    // One connection, one channel, one program for looking and pushing.
    assert_eq!(world.counted(), [1, 1, 1, 1]);
    assert!(world.news.lock().unwrap().iter().any(|text| text == "one push of 50 files"));
    world.another_process();
    let live = world.observe(&desired).await;
    assert_eq!(world.counted(), [2, 2, 2, 2]);
    for resource in &desired {
        let found = live.resources.iter().find(|l| l.address == resource.address);
        assert_eq!(differences(resource, found), [""; 0]);
    }
    assert_eq!((live.resources.len(), live.foreign.len()), (50, 0));
    assert_eq!(live.homes[&home()], HomeState::Ready);
}

pub(crate) async fn drift_by_hand_is_seen_and_put_right() {
    let world = World::new().await;
    let desired = compile(vec![file("a", "/etc/app/a", "A\n"), file("b", "/etc/app/b", "B\n")]);
    world.apply(&desired).await.unwrap();
    world.write("/etc/app/a", "changed\n");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(world.path("/etc/app/b"), mode).unwrap();
    let live = world.observe(&desired).await;
    let found = |n: usize| live.resources.iter().find(|l| l.address == desired[n].address);
    assert_eq!(differences(&desired[0], found(0)), ["content"]);
    assert_eq!(differences(&desired[1], found(1)), ["mode"]);
    let content = found(0).unwrap().attributes["content"].as_content().unwrap();
    assert_eq!(content.text.as_ref().unwrap().expose(), "changed\n");
    // The same text is not fetched again.
    let content = found(1).unwrap().attributes["content"].as_content().unwrap();
    assert!(content.text.is_none());
    assert_eq!(found(0).unwrap().applied, world.job(Verb::Update, Some(&desired[0]), None).version);
    world.apply(&desired).await.unwrap();
    assert_eq!(world.read("/etc/app/a"), "A\n");
    assert_eq!(world.apply(&desired).await.unwrap(), [""; 0]);
}

pub(crate) async fn a_cut_push_leaves_the_old_file() {
    let world = World::new().await;
    let old = compile(vec![file("a", "/etc/app/a", "old\n")]);
    world.apply(&old).await.unwrap();
    let noise = noise(160_000);
    let new = compile(vec![file("a", "/etc/app/a", "new\n"), file("b", "/etc/app/b", &noise)]);
    let live = world.observe(&new).await;
    let jobs = vec![
        world.job(Verb::Update, Some(&new[0]), live.resources.first()),
        world.job(Verb::Create, Some(&new[1]), None),
    ];
    // The session that stands is cut in the middle of the stream, and no other can be opened.
    let (cut_after_stdin, refuse_connections) = (Some(20_000), true);
    world
        .break_host(HostFaults { cut_after_stdin, refuse_connections, ..HostFaults::default() })
        .await;
    assert!(world.execute(jobs.clone()).await.values().all(Result::is_err));
    assert_eq!(world.hosts.faults(7).unwrap().cut_after_stdin, None);
    assert_eq!(world.read("/etc/app/a"), "old\n");
    assert!(!world.path("/etc/app/b").exists());
    world.break_host(HostFaults::default()).await;
    assert!(world.execute(jobs).await.values().all(Result::is_ok));
    assert_eq!(world.read("/etc/app/a"), "new\n");
    let left = std::fs::read_dir(world.path("/etc/app")).unwrap().count();
    assert_eq!(left, 2);
}

/// Text of so many characters that hardly shrinks, so that there is something to send (xorshift64).
fn noise(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + u8::try_from(state >> 58).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) async fn a_push_over_a_slow_line_tells_how_much_of_it_has_gone() {
    let world = World::new().await;
    let desired =
        compile(vec![file("a", "/etc/app/a", "A\n"), file("b", "/etc/app/b", &noise(24_000_000))]);
    world.observe(&desired).await;
    let slow_input = std::time::Duration::from_millis(10);
    world.break_host(HostFaults { slow_input, ..HostFaults::default() }).await;
    world.apply(&desired).await.unwrap();
    let news = world.news.lock().unwrap().clone();
    let share = |text: &String| -> Option<u64> {
        let (of, percent) = text.strip_prefix("one push of 2 files: ")?.rsplit_once(", ")?;
        let (sent, all) = of.split_once(" of ")?;
        assert!(sent.ends_with('B') && all.ends_with(" MiB"), "{text}");
        percent.strip_suffix('%')?.parse().ok()
    };
    let shares: Vec<u64> = news.iter().filter_map(share).collect();
    // What the connection holds back is on its way as far as this side can tell.
    assert!(
        shares.is_sorted() && shares.first() > Some(&0) && shares.last() < Some(&100),
        "{news:?}"
    );
    assert_eq!(world.read("/etc/app/a"), "A\n");
}

pub(crate) async fn a_foreign_file_is_shown_until_it_is_adopted() {
    let world = World::new().await;
    world.apply(&compile(vec![file("a", "/etc/app/a", "A\n")])).await.unwrap();
    world.write("/etc/app/theirs", "theirs\n");
    world.write("/etc/app/same", "same\n");
    let raw = vec![
        file("a", "/etc/app/a", "A\n"),
        file("theirs", "/etc/app/theirs", "ours\n"),
        file("same", "/etc/app/same", "same\n"),
    ];
    let desired = compile(raw);
    let live = world.observe(&desired).await;
    assert_eq!(live.foreign.len(), 1, "{:?}", live.foreign);
    let kinds = ipai_core::Types::new(ipai_host::types());
    assert!(
        kinds
            .get(&desired[1].address)
            .unwrap()
            .conflict(&desired[1].attributes, &live.foreign[0])
            .is_some()
    );
    assert_eq!(live.foreign[0].title, "a file /etc/app/theirs on digitalocean.droplet.ops");
    // What already is as wanted can be taken over without a word.
    assert!(live.resources.iter().any(|l| l.address.name == "same"));
    let adopt = vec![world.job(Verb::Adopt, Some(&desired[1]), None)];
    assert!(world.execute(adopt).await.values().all(Result::is_ok));
    assert_eq!(world.read("/etc/app/theirs"), "theirs\n");
    assert_eq!(world.apply(&desired).await.unwrap(), ["theirs"]);
    assert_eq!(world.read("/etc/app/theirs"), "ours\n");
    let live = world.observe(&desired).await;
    let theirs = live.resources.iter().find(|l| l.address.name == "theirs").unwrap();
    let forget = vec![world.job(Verb::Forget, Some(&desired[1]), Some(theirs))];
    assert!(world.execute(forget).await.values().all(Result::is_ok));
    world.write("/etc/app/theirs", "theirs again\n");
    assert_eq!(world.observe(&desired).await.foreign.len(), 1);
}

pub(crate) async fn what_the_first_boot_left_counts_as_ours() {
    let more =
        "write_files:\n  - {path: /etc/app/a, content: \"boot\\n\", permissions: \"0600\"}\n";
    let world = World::with_files(more).await;
    let desired = compile(vec![file("a", "/etc/app/a", "later\n")]);
    let live = world.observe(&desired).await;
    assert_eq!((live.resources.len(), live.foreign.len()), (1, 0));
    assert_eq!(differences(&desired[0], live.resources.first()), ["content", "mode"]);
    world.apply(&desired).await.unwrap();
    assert_eq!(world.read("/etc/app/a"), "later\n");
}

pub(crate) async fn a_file_that_is_no_longer_wanted_is_deleted() {
    let mut world = World::new().await;
    let both = compile(vec![file("a", "/etc/app/a", "A\n"), file("b", "/etc/app/b", "B\n")]);
    world.apply(&both).await.unwrap();
    world.another_process();
    let one = compile(vec![file("a", "/etc/app/a", "A\n")]);
    let live = world.observe(&one).await;
    let doomed = live.resources.iter().find(|l| l.address.name == "b").unwrap();
    assert_eq!(doomed.attributes["content"], both[1].attributes["content"]);
    let delete = vec![world.job(Verb::Delete, None, Some(doomed))];
    assert!(world.execute(delete.clone()).await.values().all(Result::is_ok));
    assert!(!world.path("/etc/app/b").exists());
    // Already gone is as good.
    assert!(world.execute(delete).await.values().all(Result::is_ok));
    assert_eq!(world.observe(&one).await.resources.len(), 1);
}

pub(crate) async fn a_secret_never_comes_back_from_the_host() {
    let world = World::new().await;
    let raw = |text: &str| {
        let mut raw = file("env", "/opt/app/.env", "");
        raw.2[1].1 = secret(text);
        compile(vec![raw])
    };
    let desired = raw("PASSWORD=hunter2\n");
    world.apply(&desired).await.unwrap();
    let mode = std::fs::metadata(world.path("/opt/app/.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let changed = raw("PASSWORD=hunter3\n");
    let live = world.observe(&changed).await;
    let found = live.resources.first();
    assert_eq!(differences(&changed[0], found), ["content"]);
    let content = found.unwrap().attributes["content"].as_content().unwrap();
    assert!(content.text.is_none() && content.is_sensitive());
    let manifest = world.read("/opt/ipai/ops/.ipai/manifest.json");
    let digest = desired[0].attributes["content"].as_content().unwrap().sha256.clone();
    assert!(!manifest.contains(&digest) && manifest.contains("keyed:"), "{manifest}");
    // The same secret has the same keyed digest on both sides.
    let live = world.observe(&desired).await;
    let content = live.resources[0].attributes["content"].to_public_json();
    assert_eq!(content, desired[0].attributes["content"].to_public_json());
}

pub(crate) async fn links_and_folders_in_the_way_are_shown() {
    let world = World::new().await;
    std::fs::create_dir_all(world.path("/etc/app")).unwrap();
    world.write("/etc/elsewhere", "untouched\n");
    std::os::unix::fs::symlink("/etc/elsewhere", world.path("/etc/app/link")).unwrap();
    let desired = compile(vec![file("link", "/etc/app/link", "L\n")]);
    let live = world.observe(&desired).await;
    assert!(live.notes[0].contains("/etc/app/link is a symbolic link"), "{:?}", live.notes);
    assert_eq!(differences(&desired[0], live.resources.first()), ["content", "mode", "owner"]);
    world.apply(&desired).await.unwrap();
    assert_eq!(world.read("/etc/elsewhere"), "untouched\n");
    assert_eq!(world.read("/etc/app/link"), "L\n");
    std::fs::create_dir_all(world.path("/etc/app/folder")).unwrap();
    let desired =
        compile(vec![file("link", "/etc/app/link", "L\n"), file("f", "/etc/app/folder", "F\n")]);
    let job = vec![world.job(Verb::Create, Some(&desired[1]), None)];
    let error = world.execute(job).await.into_values().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("/etc/app/folder"), "{error}");
}

pub(crate) async fn a_new_path_replaces_the_old_one() {
    let world = World::new().await;
    world.apply(&compile(vec![file("a", "/etc/app/old", "A\n")])).await.unwrap();
    let desired = compile(vec![file("a", "/etc/app/new", "A\n")]);
    let live = world.observe(&desired).await;
    assert_eq!(differences(&desired[0], live.resources.first()), ["path"]);
    let replace = vec![world.job(Verb::Replace, Some(&desired[0]), live.resources.first())];
    assert!(world.execute(replace).await.values().all(Result::is_ok));
    assert!(!world.path("/etc/app/old").exists() && world.path("/etc/app/new").exists());
    assert_eq!(world.apply(&desired).await.unwrap(), [""; 0]);
}

pub(crate) async fn hosts_that_boot_are_waited_for() {
    let mut world = World::before_boot("").await;
    world.outputs.insert("young".into(), ipai_core::Value::Bool(true));
    let desired = compile(vec![file("a", "/etc/app/a", "A\n")]);
    let live = world.observe(&desired).await;
    assert_eq!(live.homes[&home()], HomeState::NotReady);
    let world = world;
    let jobs = vec![world.job(Verb::Create, Some(&desired[0]), None)];
    let booting = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        world.boot().await;
        world.break_tools(&ToolFaults {
            cloud_init: Some("running".into()),
            ..ToolFaults::default()
        });
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        world.break_tools(&ToolFaults::default());
    };
    let (results, ()) = tokio::join!(world.execute(jobs), booting);
    assert!(results.values().all(Result::is_ok), "{results:?}");
    let news = world.news.lock().unwrap().join("\n");
    assert!(news.contains("waiting for SSH on 127."), "{news}");
    assert_eq!(world.read("/etc/app/a"), "A\n");
}

pub(crate) async fn a_wrong_host_key_stops_everything() {
    let mut world = World::new().await;
    world.outputs.insert("young".into(), ipai_core::Value::Bool(true));
    world.break_host(HostFaults { other_host_key: true, ..HostFaults::default() }).await;
    let error = world.try_observe(&compile(vec![file("a", "/a", "A")])).await.unwrap_err();
    assert_eq!(error.fault, ipai_core::Fault::WrongHostKey);
}

pub(crate) async fn versions_are_remembered_for_the_whole_stack() {
    let mut world = World::new().await;
    let desired = compile(vec![file("a", "/etc/app/a", "A\n")]);
    world.apply(&desired).await.unwrap();
    let applied = [(home(), "0123".to_owned()), (desired[0].address.clone(), "4567".to_owned())];
    let applied = std::collections::BTreeMap::from(applied);
    world.remember(&applied).await;
    let before = std::fs::metadata(world.path("/opt/ipai/ops/.ipai/manifest.json"))
        .unwrap()
        .modified()
        .unwrap();
    world.remember(&applied).await;
    let after = std::fs::metadata(world.path("/opt/ipai/ops/.ipai/manifest.json"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(before, after);
    world.another_process();
    assert_eq!(world.observe(&desired).await.remembered, applied);
}

pub(crate) async fn a_push_that_fails_half_way_is_mended_by_the_next() {
    let world = World::new().await;
    let desired = compile(vec![file("a", "/etc/a/a", "A\n"), file("b", "/etc/b/b", "B\n")]);
    // The second file cannot be put into place.
    let mut tools =
        world.path("/").ancestors().map(|folder| folder.join("bin")).collect::<Vec<_>>();
    tools.retain(|folder| folder.join("docker").exists());
    let broken = tools[0].join("mv");
    let script = "#!/bin/sh\ncase \"$*\" in *etc/b*) exit 1 ;; esac\nexec /bin/mv \"$@\"\n";
    std::fs::write(&broken, script).unwrap();
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let jobs: Vec<_> =
        desired.iter().map(|resource| world.job(Verb::Create, Some(resource), None)).collect();
    let failed = world.execute(jobs.clone()).await;
    assert!(failed.values().all(Result::is_err), "{failed:?}");
    std::fs::remove_file(&broken).unwrap();
    // The first file moved and is claimed, though not called applied: it is ours whatever the stack says next.
    let changed = compile(vec![file("a", "/etc/a/a", "other\n"), file("b", "/etc/b/b", "B\n")]);
    let live = world.observe(&changed).await;
    assert_eq!((live.resources.len(), live.foreign.len()), (1, 0));
    assert_eq!(live.resources[0].applied, None);
    assert!(world.execute(jobs).await.values().all(Result::is_ok));
    assert_eq!(world.apply(&desired).await.unwrap(), [""; 0]);
}
