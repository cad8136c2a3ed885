use std::io::Write as _;
use std::time::Duration;

use super::*;

fn decode(text: &[u8]) -> Result<Option<Answer>, FrameError> {
    Decoder::new("n1".to_owned()).feed(text)
}

fn gzip(bytes: &[u8]) -> String {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    STANDARD.encode(packer.finish().unwrap())
}

#[test]
fn encodes_a_request_with_its_end_mark() {
    let command = Command::new("t", "true", Duration::from_secs(1)).stdin("abc");
    assert_eq!(request(&command, "n1"), b"RUN n1 8 3\ntrue\n#n1abc");
}

#[test]
fn decodes_plain_packed_and_empty_streams() {
    let answer = decode(b"OUT n1 plain aGk=\nERR n1 b2ggbm8=\nEND n1 3\n").unwrap().unwrap();
    assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (&b"hi"[..], &b"oh no"[..]));
    assert_eq!(answer.exit, 3);
    let packed = format!("OUT n1 gzip {}\nEND n1 0\n", gzip(b"packed"));
    assert_eq!(decode(packed.as_bytes()).unwrap().unwrap().stdout, b"packed");
    assert_eq!(decode(b"END n1 0\n").unwrap().unwrap(), Answer::default());
}

#[test]
fn ignores_a_greeting_and_answers_to_others() {
    let text = b"Welcome to Debian\r\nEND n2 9\nOUT n2 plain ?\nEND\n\nEND n1 0\nEND n1 1\n";
    assert_eq!(decode(text).unwrap().unwrap().exit, 0);
}

#[test]
fn stops_at_endless_talk_and_at_bombs() {
    let talk = "yes\n".repeat(20_000);
    assert!(
        matches!(decode(talk.as_bytes()), Err(FrameError::Noise(begin)) if begin.contains("yes"))
    );
    let bomb = format!("OUT n1 gzip {}\nEND n1 0\n", gzip(&vec![0; MAX_OUTPUT + 1]));
    assert_eq!(decode(bomb.as_bytes()), Err(FrameError::TooLong));
    let mut decoder = Decoder::new("n1".to_owned());
    let endless = (0..400).try_for_each(|_| decoder.feed(&[b'A'; 65_536]).map(|_| ()));
    assert_eq!(endless, Err(FrameError::TooLong));
}

#[test]
fn names_the_broken_line() {
    for (line, word) in [
        ("OUT n1 zip aGk=", "OUT"),
        ("OUT n1 plain a b", "OUT"),
        ("OUT n1 gzip aGk=", "OUT"),
        ("ERR n1 ?", "ERR"),
        ("BIG n1 -1", "BIG"),
        ("END n1 many", "END"),
        ("END n1 ", "END"),
    ] {
        assert_eq!(
            decode(format!("{line}\n").as_bytes()),
            Err(FrameError::Malformed(word)),
            "{line}"
        );
    }
}

/// A small generator with a fixed seed (xorshift64, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn never_panics_whatever_arrives_in_whatever_pieces() {
    let words: [&[u8]; 14] = [
        b"OUT ",
        b"ERR ",
        b"BIG ",
        b"END ",
        b"n1",
        b" ",
        b"plain ",
        b"gzip ",
        b"aGk=",
        b"\n",
        b"\xff\x00",
        b"H4sI",
        b"-7",
        b"99999999999999999999",
    ];
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for _ in 0..20_000 {
        let mut decoder = Decoder::new("n1".to_owned());
        for _ in 0..dice.below(6) {
            let piece: Vec<u8> =
                (0..dice.below(12)).flat_map(|_| words[dice.below(14)]).copied().collect();
            if decoder.feed(&piece).is_err() {
                break;
            }
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_answer() {
    let text = format!("hello\nOUT n1 gzip {}\nERR n1 b2ggbm8=\nEND n1 -1\n", gzip(&[7; 9_000]));
    let whole = decode(text.as_bytes()).unwrap();
    let mut dice = Dice(42);
    for _ in 0..200 {
        let (mut decoder, mut rest, mut answer) =
            (Decoder::new("n1".to_owned()), text.as_bytes(), None);
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(1 + dice.below(rest.len().min(50)));
            answer = decoder.feed(piece).unwrap();
            rest = left;
        }
        assert_eq!(answer, whole);
    }
}
