//! Long lines at a terminal, broken between words, so that none is cut in the midst of one.
//!
//! What is there to be copied stays in one piece, however long: text between backticks, and a command up to the end of its
//! line.

/// Programs whose names begin a command when they stand at the beginning of a line or behind a colon.
const PROGRAMS: [&str; 14] = [
    "apt-get",
    "cat",
    "chmod",
    "curl",
    "docker",
    "export",
    "git",
    "ipai",
    "journalctl",
    "mkdir",
    "ssh",
    "ssh-add",
    "ssh-keygen",
    "sudo",
];

/// The least that a line holds, however narrow the terminal is.
const LEAST: usize = 20;

/// The same text in lines of at most so many columns, as far as what must stay in one piece allows; a line that goes on
/// begins as its first one does.
pub(crate) fn fold(text: &str, columns: usize) -> String {
    let mut folded = String::with_capacity(text.len() + 16);
    for (place, line) in text.split('\n').enumerate() {
        if place > 0 {
            folded.push('\n');
        }
        fold_line(&mut folded, line, columns);
    }
    folded
}

fn fold_line(folded: &mut String, line: &str, columns: usize) {
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let room = columns.saturating_sub(indent.len()).max(LEAST);
    if words.chars().count() <= room {
        folded.push_str(line);
        return;
    }
    let mut column = 0;
    for piece in pieces(words) {
        let length = piece.chars().count();
        if column > 0 && column + 1 + length > room {
            folded.push('\n');
            column = 0;
        }
        folded.push_str(if column == 0 { indent } else { " " });
        folded.push_str(piece);
        column += length + usize::from(column > 0);
    }
}

/// The parts of a line that stay whole, without the spaces between them.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let (mut rest, mut may_command) = (line, true);
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(' ');
        let first = rest.split(' ').next().filter(|first| !first.is_empty())?;
        let end = if may_command && PROGRAMS.contains(&first) { rest.len() } else { end(rest) };
        let piece;
        (piece, rest) = rest.split_at(end);
        may_command = piece.ends_with(':');
        Some(piece)
    })
}

/// Where the first word ends: at a space that stands between no backticks.
fn end(text: &str) -> usize {
    let mut quoted = false;
    let closes = text.matches('`').count().is_multiple_of(2);
    let ends = |c: char| {
        quoted ^= c == '`' && closes;
        c == ' ' && !quoted
    };
    text.find(ends).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_go_on_as_they_began() {
        assert_eq!(
            fold("  one two three four five six\nshort", 22),
            "  one two three four\n  five six\nshort"
        );
        assert_eq!(fold("ä ö ü ä ö ü ä ö ü ä ö ü", 20), "ä ö ü ä ö ü ä ö ü ä\nö ü");
        assert_eq!(fold("", 20), "");
    }

    #[test]
    fn what_is_there_to_be_copied_stays_in_one_piece() {
        for whole in [
            "`a command with many words`",
            "ipai -C stacks/ops apply --auto-approve",
            "ssh-add ~/.ssh/a_key_with_a_long_name",
        ] {
            let folded = fold(&format!("say this when it is over: {whole}"), 30);
            assert!(folded.ends_with(&format!("\n{whole}")), "{folded}");
        }
        // An apostrophe that is a backtick opens nothing.
        assert!(fold("a ` alone among many many many words", 20).contains('\n'));
    }

    #[test]
    fn prose_beside_columns_goes_on_below_itself_or_further_left() {
        let style = |width: usize| crate::report::Style {
            width,
            folds: true,
            ..crate::report::Style::plain()
        };
        let prose = "reads droplets and firewalls, enough for a plan of this stack";
        let wide = style(60).row("OK    token  ", prose);
        assert_eq!(
            wide,
            format!(
                "OK    token  reads droplets and firewalls, enough for a plan\n{:13}of this stack\n",
                ""
            )
        );
        let narrow = style(40).row("OK    DigitalOcean token    ", prose);
        assert_eq!(
            narrow,
            "OK    DigitalOcean token\n        reads droplets and firewalls,\n        enough for a plan of this stack\n"
        );
        let piped = crate::report::Style::plain().row("OK    token  ", prose);
        assert_eq!(piped, format!("OK    token  {prose}\n"));
    }

    #[test]
    fn nothing_is_lost_or_added_but_line_ends() {
        let text =
            "every word of  this: ipai is `kept as` it was, and in its order, whatever the width";
        for columns in 0..100 {
            let folded = fold(text, columns);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&folded), words(text));
        }
    }
}
