use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use super::*;

fn landing(path: &str, content: &str) -> Landing {
    let mode = "0640".to_owned();
    Landing { path: path.into(), content: content.into(), mode, owner: owner(), validation: None }
}

/// The owner that everybody may give a file to: oneself.
fn owner() -> String {
    let id = |flag: &str| {
        let output = std::process::Command::new("id").arg(flag).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    format!("{}:{}", id("-u"), id("-g"))
}

fn push(files: Vec<Landing>) -> Push {
    Push {
        stack: "ops".into(),
        run: "r1".into(),
        files,
        claim: "{\"claim\":1}\n".into(),
        record: "{\"record\":1}\n".into(),
        ..Push::default()
    }
}

/// Runs a push's script with dash on a folder that plays the host's root.
fn run(root: &Path, push: &Push, input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = std::process::Command::new("sh")
        .args(["-uc", &push.script()])
        .env("IPAI_ROOT", root)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that stops early does not read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Output { stdout: output.stdout, stderr, exit: output.status.code().unwrap() }
}

fn done(root: &Path, push: &Push) -> Result<(), RemoteError> {
    push.judge(&run(root, push, &stream::pack(push).unwrap()))
}

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path.trim_start_matches('/'))).unwrap()
}

/// Temporary folders anywhere below the root.
fn leftovers(root: &Path) -> String {
    let output = std::process::Command::new("find")
        .arg(root)
        .args(["-name", ".ipai-new.*"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const HOSTILE: [&str; 6] =
    ["/a b", "/etc/$(touch x)`y`", "/it's/\"q\"", "/-rf", "/dev-disk-by\\x2dlabel.swap", "/.env/ü"];

#[test]
fn the_script_is_a_value() {
    let mut push = push(vec![Landing { owner: "root:root".into(), ..landing("/etc/a", "A") }]);
    push.removals = vec!["/etc/b c".into()];
    push.expected = Some("E".into());
    let sum = |text: &str| ipai_core::hash::sha256_hex(text.as_bytes());
    assert_eq!(
        push.script(),
        format!(
            r#"cd "${{IPAI_ROOT-}}/" || exit 91
{GUARD}ways './etc' './opt' './opt/ipai' './opt/ipai/ops' './opt/ipai/ops/.ipai' || exit 92
free './etc/a' || exit 92
umask 077
need() {{ for f; do [ -d "$f" ] || {{ (umask 022; mkdir -p -- "$@"); return; }}; done; }}
sweep() {{ for f; do [ ! -e "$f" ] && [ ! -L "$f" ] || {{ rm -rf -- "$@"; return; }}; done; }}
[ -d './opt/ipai/ops/.ipai' ] || {{ need './opt/ipai/ops' && mkdir -p -- './opt/ipai/ops/.ipai'; }} || exit 82
case $(sha256sum 2>/dev/null <'./opt/ipai/ops/.ipai'/manifest.json) in
  '{record}''  -') exit 0 ;;
  'E  -'|'{claim}''  -') ;;
  *) exit 81 ;;
esac
need './etc' || exit 82
sweep './etc'/.ipai-new.* './opt/ipai/ops/.ipai'/.ipai-new.*
trap 'rm -rf -- '\''./etc/.ipai-new.r1'\'' '\''./opt/ipai/ops/.ipai/.ipai-new.r1'\''' EXIT
tar -xzmf - --no-same-owner || exit 83
[ "$(wc -l <'./opt/ipai/ops/.ipai'/'.ipai-new.r1'/sums)" = '3' ] || exit 84
sha256sum --quiet --strict -c './opt/ipai/ops/.ipai'/'.ipai-new.r1'/sums || exit 85
land() {{ d=$1; shift; mv -f -t "$d" -- "$@"; }}
chown -h -- 'root:root' './etc/.ipai-new.r1/a' || exit 86
chmod -- 0640 './etc/.ipai-new.r1/a' || exit 86
sync -- './etc/.ipai-new.r1/a' './opt/ipai/ops/.ipai/.ipai-new.r1/claim.json' './opt/ipai/ops/.ipai/.ipai-new.r1/manifest.json' || exit 87
mv -f -T -- './opt/ipai/ops/.ipai'/'.ipai-new.r1'/claim.json './opt/ipai/ops/.ipai'/manifest.json || exit 90
land './etc' './etc/.ipai-new.r1/a' || exit 88
rm -f -- './etc/b c' || exit 89
sync -- './etc' || exit 87
mv -f -T -- './opt/ipai/ops/.ipai'/'.ipai-new.r1'/manifest.json './opt/ipai/ops/.ipai'/manifest.json && sync -- './opt/ipai/ops/.ipai'/manifest.json './opt/ipai/ops/.ipai' || exit 90
"#,
            record = sum(&push.record),
            claim = sum(&push.claim)
        )
    );
}

/// A push of a file with this content that has a validation.
fn validated(content: &str, words: Vec<&str>, image: Option<&str>, hidden: bool) -> Push {
    let validation = Validation::of(words, image, hidden);
    push(vec![landing("/etc/other", "B"), Landing { validation, ..landing("/etc/it's", content) }])
}

#[test]
fn what_its_program_refuses_is_not_written_and_nothing_else_is() {
    let root = tempfile::tempdir().unwrap();
    let words = || vec!["sh", "-c", "! grep -n 'bro ken'"];
    done(root.path(), &validated("good", words(), None, false)).unwrap();
    let mut second = validated("line\nbro ken", words(), None, false);
    second.files[0] = landing("/etc/other", "C");
    second.expected = Some(ipai_core::hash::sha256_hex(second.record.as_bytes()));
    second.record = "{\"record\":2}\n".into();
    let refusal = done(root.path(), &second).unwrap_err();
    assert_eq!(refusal.attempted, "validate a file");
    assert_eq!(refusal.cause, "/etc/it's: its validation ended with code 1: 2:bro ken");
    assert!(refusal.hint.unwrap().contains("nothing was written"));
    assert_eq!(
        (read(root.path(), "/etc/it's"), read(root.path(), "/etc/other")),
        ("good".into(), "B".into())
    );
    assert_eq!(leftovers(root.path()), "");
}

#[test]
fn what_a_validation_says_of_a_secret_stays_hidden_and_one_without_end_is_ended() {
    let root = tempfile::tempdir().unwrap();
    let refusal = |words: Vec<&str>, hidden| {
        done(root.path(), &validated("hunter2", words, None, hidden)).unwrap_err().cause
    };
    assert!(
        refusal(vec!["sh", "-c", "cat; exit 3"], false).ends_with("ended with code 3: hunter2")
    );
    let hidden = refusal(vec!["sh", "-c", "base64; cat; exit 3"], true);
    assert!(hidden.contains("what it said is hidden") && !hidden.contains("hunter"), "{hidden}");
    assert!(refusal(vec!["false"], false).ends_with("ended with code 1: it said nothing"));
    assert!(refusal(vec!["exit"], false).contains("ended with code 127"));
}

#[test]
fn a_program_of_an_image_runs_in_it_without_a_network() {
    let script = validated("x", vec!["caddy", "validate", "-"], Some("caddy:2"), false).script();
    let line = "! command -v docker >/dev/null || validate './etc/it'\\''s' './etc/.ipai-new.r1/it'\\''s' '' 240 docker run --rm -i --network none --entrypoint 'caddy' 'caddy:2' 'validate' '-'\n";
    assert!(script.contains(line), "{script}");
}

/// Whatever leads a push elsewhere is refused by name before anything is written.
#[track_caller]
fn led_astray(prepare: impl FnOnce(&Path), says: &str) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("srv/app")).unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    prepare(root.path());
    let mut push = push(vec![landing("/srv/app/conf/a", "A"), landing("/srv/b", "B")]);
    push.removals = vec!["/srv/app/conf/old".into()];
    let refusal = done(root.path(), &push).unwrap_err();
    assert_eq!(refusal.attempted, "use the folders");
    assert!(refusal.cause.contains(says), "{refusal}");
    assert!(!root.path().join("opt").exists() && !root.path().join("srv/b").exists());
    assert_eq!(fs::read_dir(root.path().join("etc")).unwrap().count(), 0);
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn folders_that_others_can_change_or_that_lead_elsewhere_take_no_file() {
    use std::os::unix::fs::symlink;
    led_astray(
        |root| symlink("../../etc", root.join("srv/app/conf")).unwrap(),
        "/srv/app/conf is a symbolic link; name the folder that it leads to",
    );
    led_astray(
        |root| {
            fs::rename(root.join("srv/app"), root.join("srv/real")).unwrap();
            symlink("real", root.join("srv/app")).unwrap();
        },
        "/srv/app is a symbolic link",
    );
    led_astray(|root| allow(&root.join("srv/app"), 0o757), "/srv/app can be changed by everybody");
    led_astray(
        |root| fs::write(root.join("srv/app/conf"), "").unwrap(),
        "/srv/app/conf is no folder",
    );
    led_astray(
        |root| fs::create_dir_all(root.join("srv/app/conf/a")).unwrap(),
        "/srv/app/conf/a is a folder where a file belongs",
    );
}

#[test]
fn folders_that_belong_to_others_take_no_file() {
    use std::os::unix::fs::chown;
    // Only root can give a folder away; for anybody else there is nothing to see here.
    if !owner().starts_with("0:") {
        return;
    }
    led_astray(
        |root| chown(root.join("srv/app"), Some(65_534), None).unwrap(),
        "/srv/app belongs to user 65534, who could lead what is written there elsewhere",
    );
    led_astray(
        |root| {
            allow(&root.join("srv/app"), 0o775);
            chown(root.join("srv/app"), None, Some(65_534)).unwrap();
        },
        "/srv/app can be changed by the group 65534",
    );
}

#[test]
fn every_name_lands_with_its_content_and_mode() {
    let root = tempfile::tempdir().unwrap();
    let files = HOSTILE.iter().map(|path| landing(path, &format!("in {path}"))).collect();
    let push = push(files);
    done(root.path(), &push).unwrap();
    for path in HOSTILE {
        assert_eq!(read(root.path(), path), format!("in {path}"));
        let file = fs::metadata(root.path().join(&path[1..])).unwrap();
        assert_eq!(file.permissions().mode() & 0o7777, 0o640);
    }
    assert_eq!(read(root.path(), "/opt/ipai/ops/.ipai/manifest.json"), push.record);
    let home = fs::metadata(root.path().join("opt/ipai/ops/.ipai")).unwrap();
    assert_eq!(home.permissions().mode() & 0o777, 0o700);
    let folder = fs::metadata(root.path().join("etc")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o755);
    assert_eq!(leftovers(root.path()), "");
}

#[test]
fn a_push_that_is_cut_short_moves_nothing_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    done(root.path(), &push(vec![landing("/etc/a", "old")])).unwrap();
    let mut second = push(vec![landing("/etc/a", "new"), landing("/etc/b", &"x".repeat(4000))]);
    second.record = "{\"record\":2}\n".into();
    second.expected = Some(ipai_core::hash::sha256_hex(push(Vec::new()).record.as_bytes()));
    let whole = stream::pack(&second).unwrap();
    for length in [0, 1, 20, whole.len() / 2, whole.len() - 1] {
        let output = run(root.path(), &second, &whole[..length]);
        assert!(second.judge(&output).is_err(), "{length}");
        assert_eq!(read(root.path(), "/etc/a"), "old");
        assert!(!root.path().join("etc/b").exists());
        assert_eq!(leftovers(root.path()), "");
    }
    done(root.path(), &second).unwrap();
    assert_eq!(read(root.path(), "/etc/a"), "new");
}

#[test]
fn a_stream_without_its_last_entry_is_not_taken_for_whole() {
    let root = tempfile::tempdir().unwrap();
    let whole = push(vec![landing("/etc/a", "A")]);
    let fewer = stream::pack(&push(Vec::new())).unwrap();
    let error = whole.judge(&run(root.path(), &whole, &fewer)).unwrap_err();
    assert_eq!(error.attempted, "check the files that arrived");
    assert!(!root.path().join("etc/a").exists());
}

#[test]
fn what_an_earlier_push_left_is_removed() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/.ipai-new.dead")).unwrap();
    fs::write(root.path().join("etc/.ipai-new.dead/secret"), "s").unwrap();
    done(root.path(), &push(vec![landing("/etc/a", "A")])).unwrap();
    assert_eq!(leftovers(root.path()), "");
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("elsewhere"), "untouched").unwrap();
    std::os::unix::fs::symlink(root.path().join("elsewhere"), root.path().join("etc/a")).unwrap();
    done(root.path(), &push(vec![landing("/etc/a", "A")])).unwrap();
    assert_eq!(read(root.path(), "/elsewhere"), "untouched");
    assert!(fs::symlink_metadata(root.path().join("etc/a")).unwrap().is_file());
}

#[test]
fn an_error_names_the_file() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("etc"), "a file where a folder should be").unwrap();
    let error = done(root.path(), &push(vec![landing("/etc/a", "A")])).unwrap_err();
    assert_eq!(error.attempted, "use the folders");
    assert!(error.cause.contains("/etc"), "{error}");
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/a/b")).unwrap();
    let error = done(root.path(), &push(vec![landing("/etc/a", "A")])).unwrap_err();
    assert_eq!(error.attempted, "use the folders");
    assert!(error.cause.contains("/etc/a") && !error.cause.contains("ipai-new"), "{error}");
}

#[test]
fn removals_come_after_files_and_may_be_done_already() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/old name"), "x").unwrap();
    let mut push = push(vec![landing("/etc/new", "A")]);
    push.removals = vec!["/etc/old name".into(), "/etc/gone".into(), "/no/such/folder".into()];
    done(root.path(), &push).unwrap();
    assert!(!root.path().join("etc/old name").exists());
    assert_eq!(push.paths().len(), 4);
}

#[test]
fn a_repeated_push_is_done_and_a_strange_manifest_stops_it() {
    let root = tempfile::tempdir().unwrap();
    let first = push(vec![landing("/etc/a", "A")]);
    done(root.path(), &first).unwrap();
    done(root.path(), &first).unwrap();
    let mut other = push(vec![landing("/etc/a", "B")]);
    other.record = "{}\n".into();
    let error = done(root.path(), &other).unwrap_err();
    assert!(error.cause.contains("was changed since it was read"), "{error}");
    assert_eq!(read(root.path(), "/etc/a"), "A");
}

#[test]
fn what_a_killed_push_left_in_another_folder_of_ours_is_swept() {
    let root = tempfile::TempDir::new().unwrap();
    let left = root.path().join("srv/site/.ipai-new.dead");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("page"), "half").unwrap();
    let push = Push { swept: ["/srv/site".to_owned()].into(), ..push(Vec::new()) };
    let input = stream::pack(&push).unwrap();
    assert_eq!(run(root.path(), &push, &input).exit, 0);
    assert_eq!(leftovers(root.path()), "");
    assert!(root.path().join("srv/site").exists());
}

/// A push that records release `id` of these paths.
fn keeping(id: u64, paths: &[&str], kept: &[u64], files: Vec<Landing>) -> Push {
    let new = Some((id, format!("{{\"id\":{id}}}\n")));
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let keeping = Some(Keeping { new, paths, kept: kept.to_vec() });
    let texts = |word: &str| format!("{{\"{word}\":{id}}}\n");
    Push { keeping, claim: texts("claim"), record: texts("record"), ..push(files) }
}

/// The names in a folder of the stack's releases.
fn names(root: &Path, folder: &str) -> Vec<String> {
    let folder = root.join("opt/ipai/ops/.ipai/releases").join(folder);
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_lies_there_is_kept_once_and_swept_with_the_last_release_that_has_it() {
    let root = tempfile::tempdir().unwrap();
    let sum = |text: &str| ipai_core::hash::sha256_hex(text.as_bytes());
    let files = HOSTILE.iter().map(|path| landing(path, path)).collect();
    let paths: Vec<&str> = HOSTILE.into_iter().chain(["/missing"]).collect();
    done(root.path(), &keeping(1, &paths, &[1], files)).unwrap();
    let mut sums: Vec<String> = HOSTILE.iter().map(|path| sum(path)).collect();
    sums.sort();
    assert_eq!(
        (names(root.path(), "blobs"), names(root.path(), "")),
        (sums.clone(), vec!["1.json".into(), "1.sums".into(), "blobs".into()])
    );
    let expected = Some(sum("{\"record\":1}\n"));
    let second = keeping(2, &paths, &[1, 2], vec![landing("/a b", "new")]);
    done(root.path(), &Push { expected, ..second }).unwrap();
    assert_eq!(names(root.path(), "blobs").len(), sums.len() + 1);
    let expected = Some(sum("{\"record\":2}\n"));
    let third = keeping(3, &["/a b"], &[3], Vec::new());
    done(root.path(), &Push { expected, ..third }).unwrap();
    assert_eq!(names(root.path(), "blobs"), [sum("new")]);
    assert_eq!(names(root.path(), ""), ["3.json", "3.sums", "blobs"]);
    assert_eq!(leftovers(root.path()), "");
}

#[test]
fn a_kept_content_is_put_back_as_it_was_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let sum = |text: &str| ipai_core::hash::sha256_hex(text.as_bytes());
    let first = keeping(1, &["/etc/a"], &[1], vec![landing("/etc/a", "one")]);
    done(root.path(), &first).unwrap();
    fs::write(root.path().join("etc/a"), "edited in place").unwrap();
    let back = |record: &str| {
        let content = Source::Kept(sum("one"));
        let file = Landing { content, ..landing("/etc/a", "") };
        let expected = Some(sum("{\"record\":1}\n"));
        Push { expected, record: record.into(), ..push(vec![file]) }
    };
    done(root.path(), &back("{\"record\":1}\n ")).unwrap();
    assert_eq!(read(root.path(), "/etc/a"), "one");
    let blob = format!("opt/ipai/ops/.ipai/releases/blobs/{}", sum("one"));
    fs::write(root.path().join(blob), "two").unwrap();
    let again = Push { expected: Some(sum("{\"record\":1}\n ")), ..back("{\"record\":3}\n") };
    let error = done(root.path(), &again).unwrap_err();
    assert_eq!(error.attempted, "check the files that arrived");
    assert_eq!(read(root.path(), "/etc/a"), "one");
    assert_eq!(leftovers(root.path()), "");
}
