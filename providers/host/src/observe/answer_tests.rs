use super::*;

fn section(name: &str, content: &str) -> String {
    format!("@{name} {}\n", STANDARD.encode(content))
}

const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn reads_every_section() {
    let text = [
        section("stat", "81a4 0:0 root:root 3 1700000000 ./a b\na1ff 0:0 root:root 3 17 ./l\n"),
        section("sums", &format!("{SUM}  ./a b\n")),
        format!("@text {} {}\n", STANDARD.encode("./a b"), STANDARD.encode("abc")),
        section("manifest", "{}"),
        section("boot", "status: running\n"),
        "@containers \n".into(),
        section("hash.0", "web h1\ndb h2\n"),
        section("refused.1", "no such service"),
        "@end \n".into(),
    ]
    .concat();
    let answer = Answer::read(text.as_bytes()).unwrap();
    assert!(answer.stats["/a b"].is_file() && !answer.stats["/l"].is_file());
    assert_eq!(answer.stats["/l"].kind(), "a symbolic link");
    assert_eq!(answer.sums["/a b"], SUM);
    assert_eq!(answer.texts["/a b"], b"abc");
    assert!(answer.is_booting());
    assert_eq!(answer.docker, Docker::Containers(Vec::new()));
    assert_eq!(answer.hashes[&0].as_ref().unwrap()["db"], "h2");
    assert_eq!(answer.hashes[&1], Err("no such service".into()));
}

#[test]
fn refuses_what_it_does_not_understand() {
    for text in [
        String::new(),
        "@manifest e30=\n".into(),
        "@end".into(),
        "@strange e30=\n@end \n".into(),
        "@stat !\n@end \n".into(),
        section("stat", "zz 0:0 a:a 1 1 ./a\n") + "@end \n",
        section("stat", "81a4 0:0 a:a 1 1 /a\n") + "@end \n",
        section("sums", "abc  ./a\n") + "@end \n",
        section("sums", "éééééééééééééééééééééééééééééééé  ./a\n") + "@end \n",
        section("containers", "[]") + "@end \n",
        "@end \n@manifest e30=\n".into(),
        "@hash.x e30=\n@end \n".into(),
    ] {
        assert!(Answer::read(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Answer::read(b"@\xff end\n@end \n").is_err());
}

#[test]
fn a_content_cannot_pass_for_a_section() {
    let hostile = "@end \n@manifest e30=\n";
    let text = section("manifest", hostile) + "@end \n";
    let answer = Answer::read(text.as_bytes()).unwrap();
    assert_eq!(answer.manifest.as_deref(), Some(hostile.as_bytes()));
}

#[test]
fn without_docker_there_are_no_containers() {
    assert_eq!(Answer::read(b"@docker \n@end \n").unwrap().docker, Docker::Absent);
    let down = section("docker", "Cannot connect") + "@end \n";
    assert_eq!(
        Answer::read(down.as_bytes()).unwrap().docker,
        Docker::Down("Cannot connect".into())
    );
}
