//! What stands on a terminal after all that was sent to it: the little of ECMA-48 that ipai uses, and a refusal of
//! everything else.

/// A terminal without a bottom.
#[derive(Debug, Default)]
pub struct Screen {
    columns: usize,
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// How many lines went on below, because they were too long.
    pub wrapped: usize,
    /// Whether anything was coloured or set off.
    pub coloured: bool,
    /// Whether the cursor was moved or anything wiped.
    pub moved: bool,
}

impl Screen {
    #[track_caller]
    pub fn showing(raw: &str, columns: usize) -> Self {
        let mut screen = Self { columns, ..Self::default() };
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            rest = match rest.strip_prefix("\u{1b}[") {
                Some(after) => screen.control(after),
                None => {
                    screen.put(c);
                    &rest[c.len_utf8()..]
                }
            };
        }
        screen
    }

    /// The lines, without blanks at their ends.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| line.iter().collect::<String>());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        format!("{}\n", lines.join("\n").trim_end())
    }

    /// All that stands there without any blank, so that it does not matter where lines broke.
    pub fn words(&self) -> String {
        self.text().split_whitespace().collect()
    }

    #[track_caller]
    fn control<'a>(&mut self, after: &'a str) -> &'a str {
        let length = after.find(|c: char| c.is_ascii_alphabetic()).expect("a control without end");
        let (words, last) = (&after[..length], &after[length..=length]);
        let count = words.parse().unwrap_or(1);
        self.moved |= last != "m";
        match last {
            "A" => self.row = self.row.saturating_sub(count),
            "B" => self.row += count,
            "C" => self.column += count,
            "D" => self.column = self.column.saturating_sub(count),
            "K" if words == "2" => self.line().clear(),
            "m" => self.coloured = true,
            _ => panic!("no control that ipai sends: {words}{last}"),
        }
        &after[length + 1..]
    }

    #[track_caller]
    fn put(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => {
                self.row += 1;
                self.line();
            }
            '\t' => (0..8 - self.column % 8).for_each(|_| self.put(' ')),
            c if c.is_control() => panic!("no character for a terminal: {c:?}"),
            c => {
                // Like every terminal: the last column is left when something more comes.
                if self.column == self.columns {
                    (self.row, self.column, self.wrapped) = (self.row + 1, 0, self.wrapped + 1);
                }
                let column = self.column;
                let line = self.line();
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                self.column += 1;
            }
        }
    }

    fn line(&mut self) -> &mut Vec<char> {
        self.lines.resize(self.lines.len().max(self.row + 1), Vec::new());
        &mut self.lines[self.row]
    }
}

#[test]
fn the_screen_knows_what_is_drawn_over_and_what_wraps() {
    let screen = Screen::showing("ab\r\nlong\u{1b}[1A\r\u{1b}[2Kx\r\n\u{1b}[2Ky", 80);
    assert_eq!((screen.text().as_str(), screen.wrapped), ("x\ny\n", 0));
    assert!(screen.moved && !screen.coloured);
    let narrow = Screen::showing("abcd\r\nabcde", 4);
    assert_eq!((narrow.text().as_str(), narrow.wrapped), ("abcd\nabcd\ne\n", 1));
}
