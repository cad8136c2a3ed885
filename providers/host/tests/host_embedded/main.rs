//! The whole provider against embedded SSH hosts with a simulated Docker.
//!
//! No test harness: the sandbox's tools are links to this executable, which must answer as them first.

#![expect(clippy::unwrap_used, reason = "tests")]

mod compose;
mod files;
mod world;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::ExitCode;

/// A test by name.
type Test = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

macro_rules! tests {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($name)), || Box::pin($module::$name()))),*]
    };
}

const TESTS: &[Test] = &tests![
    files::fifty_files_land_in_one_push_and_the_next_plan_is_empty,
    files::drift_by_hand_is_seen_and_put_right,
    files::a_cut_push_leaves_the_old_file,
    files::a_push_over_a_slow_line_tells_how_much_of_it_has_gone,
    files::a_foreign_file_is_shown_until_it_is_adopted,
    files::what_the_first_boot_left_counts_as_ours,
    files::a_file_that_is_no_longer_wanted_is_deleted,
    files::a_secret_never_comes_back_from_the_host,
    files::links_and_folders_in_the_way_are_shown,
    files::a_new_path_replaces_the_old_one,
    files::hosts_that_boot_are_waited_for,
    files::a_wrong_host_key_stops_everything,
    files::a_push_that_fails_half_way_is_mended_by_the_next,
    files::versions_are_remembered_for_the_whole_stack,
    compose::a_project_comes_up_and_the_next_plan_is_empty,
    compose::while_images_are_pulled_it_is_told_how_many_are_here,
    compose::only_services_that_use_a_changed_file_are_recreated,
    compose::a_reload_leaves_the_container_alone,
    compose::a_failed_reload_is_not_taken_for_done,
    compose::an_unhealthy_service_is_named_with_its_log,
    compose::a_failing_job_is_named_at_once,
    compose::a_broken_file_changes_nothing,
    compose::foreign_containers_are_left_alone,
    compose::deleting_keeps_volumes_and_foreign_containers,
    compose::a_service_that_took_in_drift_is_created_anew,
    compose::a_host_without_docker_says_so,
    compose::a_link_cut_anywhere_is_taken_up_again,
    compose::a_secret_yaml_is_readable_by_root_alone,
];

fn main() -> ExitCode {
    if let Some(code) = ipai_simulator::tools::dispatch() {
        return code;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen = TESTS
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())));
    let mut failed = 0;
    for (name, test) in chosen {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for each test");
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(test())));
        failed += u8::from(ended.is_err());
        println!("test {name} ... {}", if ended.is_ok() { "ok" } else { "FAILED" });
    }
    ExitCode::from(u8::from(failed > 0))
}
