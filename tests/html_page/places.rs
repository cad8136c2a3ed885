//! Where the page's parts stand, against where they have always stood. Fonts differ from machine to machine, so sides
//! are compared closely, heights and tops loosely, and the order from top to bottom exactly.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

const FILE: &str = "tests/html_page/places.txt";
/// How far a side may be off, in pixels.
const SIDE: i64 = 3;

/// Left, top, width and height of each part in a window of some width.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<(u32, String), [i64; 4]>);

impl Places {
    /// Light and dark must not differ.
    #[track_caller]
    pub(crate) fn add(&mut self, width: u32, measured: &Value) {
        for (name, place) in measured.as_object().unwrap() {
            let place: [i64; 4] = serde_json::from_value(place.clone()).unwrap();
            let before = self.0.insert((width, name.clone()), place);
            assert!(
                before.is_none_or(|before| before == place),
                "{width} {name}: {before:?} {place:?}"
            );
        }
    }

    /// With `IPAI_BLESS` set, what was measured is what is known from now on.
    #[track_caller]
    pub(crate) fn expect_known(&self) {
        if std::env::var_os("IPAI_BLESS").is_some() {
            std::fs::write(FILE, self.to_text()).unwrap();
        }
        let known = Self::read(&std::fs::read_to_string(FILE).unwrap());
        let (ours, theirs): (Vec<_>, Vec<_>) = (self.0.keys().collect(), known.0.keys().collect());
        assert_eq!(ours, theirs, "other parts than in {FILE}");
        let mut moved = String::new();
        for (part, place) in &self.0 {
            if !is_near(place, &known.0[part]) {
                writeln!(moved, "{part:?}: {:?} became {place:?}", known.0[part]).unwrap();
            }
        }
        assert!(
            moved.is_empty(),
            "left, top, width, height:\n{moved}IPAI_BLESS=1 if so it shall be"
        );
        assert_eq!(self.downwards(), known.downwards());
    }

    fn downwards(&self) -> Vec<&(u32, String)> {
        let mut parts: Vec<_> = self.0.keys().collect();
        parts.sort_by_key(|part| (part.0, self.0[*part][1]));
        parts
    }

    fn to_text(&self) -> String {
        let mut text = "# window, part, left, top, width, height, in pixels\n".to_owned();
        for ((window, name), [left, top, width, height]) in &self.0 {
            writeln!(text, "{window} {name} {left} {top} {width} {height}").unwrap();
        }
        text
    }

    fn read(text: &str) -> Self {
        let part = |line: &str| {
            let mut words = line.split(' ');
            let key = (words.next().unwrap().parse().unwrap(), words.next().unwrap().to_owned());
            let numbers: Vec<i64> = words.map(|word| word.parse().unwrap()).collect();
            (key, numbers.try_into().unwrap())
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).map(part).collect())
    }
}

fn is_near(one: &[i64; 4], other: &[i64; 4]) -> bool {
    let side = |n: usize| (one[n] - other[n]).abs() <= SIDE;
    let loose = |n: usize| (one[n] - other[n]).abs() <= 24 + other[n] / 3;
    side(0) && side(2) && loose(1) && loose(3)
}

#[test]
fn a_part_that_moved_aside_is_noticed_and_a_taller_font_is_not() {
    let known = [20, 100, 360, 40];
    assert!(is_near(&[21, 120, 359, 52], &known));
    for moved in [[28, 100, 360, 40], [20, 100, 300, 40], [20, 400, 360, 40], [20, 100, 360, 90]] {
        assert!(!is_near(&moved, &known), "{moved:?}");
    }
}
