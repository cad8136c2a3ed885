//! What a host says. The first byte tells at which layer the rest comes in, because no fuzzer finds its way through base64:
//! `F` the frame itself, `A` the sections of the answer inside it, `S` those sections' contents, one for each line.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipai_fuzz::{one_in_eight, report_remote, stage};
use ipai_host::{observe::live_state_of, session::read_recorded};
use libfuzzer_sys::fuzz_target;

const NONCE: &str = "00ff";

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'F', frame)) => read_frame(frame),
        Some((b'A', answer)) => look(answer),
        Some((b'S', sections)) => look(&encoded(sections)),
        _ => {}
    }
});

fn read_frame(frame: &[u8]) {
    let whole = read_recorded(NONCE, [frame]);
    let pieces = read_recorded(NONCE, frame.chunks(7));
    assert_eq!(whole, pieces, "pieces make another answer than the whole");
    if let Ok(Some(output)) = whole {
        look(&output.stdout);
    }
}

fn look(answer: &[u8]) {
    let stage = stage();
    let read = || live_state_of(&stage.scope, &stage.home, &stage.key, answer);
    match read() {
        Ok(live) => {
            assert!(live.resources.iter().all(|found| found.address.provider == "host"));
            assert_eq!(Ok(live.digest()), read().map(|live| live.digest()).map_err(|_| ()));
        }
        Err(error) => report_remote(&error, one_in_eight(answer)),
    }
}

/// Lines of `name content`, where `\n` stands for a line's end; then the section that ends every answer.
fn encoded(sections: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    for line in sections.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, content) = line.split_at(at);
        let content =
            String::from_utf8_lossy(content.get(1..).unwrap_or_default()).replace("\\n", "\n");
        answer.extend_from_slice(name);
        // A text section has two parts, and its path is encoded by itself.
        for part in content.splitn(if name == b"text" { 2 } else { 1 }, '|') {
            answer.push(b' ');
            answer.extend_from_slice(STANDARD.encode(part).as_bytes());
        }
        answer.push(b'\n');
    }
    answer.extend_from_slice(b"end \n");
    answer
}
