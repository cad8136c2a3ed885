//! How a stack's TOML is laid out: white space is exchanged, every other byte stays.

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

use crate::diagnostic::Diagnostic;
use crate::tree;

/// One step into an array that goes over several lines.
const STEP: &str = "  ";

/// Lays a TOML text out anew: one blank around `=`, behind `,` and within braces, none at the end of a line; one empty
/// line before a table, and never two. Comments stay, and so do the lines of arrays and strings.
///
/// # Errors
/// What is no TOML, with its place; or an error when the new text would not say the same.
pub fn format(file: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let (_, problems) = tree::parse(file, text);
    if !problems.is_empty() {
        return Err(problems);
    }
    let formatted = lay_out(text);
    if said(text).is_none() || said(text) != said(&formatted) {
        let detail =
            format!("{file}: its new layout would not say the same, so it stays as it is.");
        return Err(vec![Diagnostic::error("Not formatted").detail(detail)]);
    }
    Ok(formatted)
}

/// What a text says, whatever it looks like. In words, because a `nan` does not equal itself.
fn said(text: &str) -> Option<String> {
    text.parse::<toml::Table>().ok().map(|table| format!("{table:?}"))
}

fn lay_out(text: &str) -> String {
    let tokens: Vec<Token> = Source::new(text).lex().collect();
    let ends = |token: &Token| matches!(token.kind(), TokenKind::Newline | TokenKind::Eof);
    let mut lines: Vec<Line> = Vec::new();
    let mut depth = 0;
    for tokens in tokens.split(ends) {
        let line = Line::read(text, tokens, &mut depth);
        // Nothing is above the first line, and an empty line is enough once.
        let spare = line.text.is_empty() && lines.last().is_none_or(|last| last.text.is_empty());
        if line.header {
            part(&mut lines);
        }
        if !spare {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    lines.into_iter().map(|line| line.text + "\n").collect()
}

/// Puts an empty line before what begins here. Comments right above a table belong to it.
fn part(lines: &mut Vec<Line>) {
    let above = lines.iter().rev().take_while(|line| line.comment).count();
    let place = lines.len() - above;
    if place > 0 && !lines[place - 1].text.is_empty() {
        lines.insert(place, Line::default());
    }
}

/// A line of the new text.
#[derive(Default)]
struct Line {
    text: String,
    header: bool,
    comment: bool,
}

impl Line {
    /// Reads the tokens of a line; `depth` says how many brackets are open.
    fn read(source: &str, tokens: &[Token], depth: &mut usize) -> Self {
        let blank = |token: &&Token| token.kind() == TokenKind::Whitespace;
        let first = tokens.iter().find(|token| !blank(token)).map(Token::kind);
        let outside = *depth == 0;
        let closing = tokens.iter().filter(|t| !blank(t)).take_while(|t| closes(t.kind())).count();
        let mut text = STEP.repeat(if first.is_some() { depth.saturating_sub(closing) } else { 0 });
        let mut before: Option<TokenKind> = None;
        let mut space = "";
        for token in tokens {
            let (kind, written) = (token.kind(), &source[token.span().start()..token.span().end()]);
            if kind == TokenKind::Whitespace {
                space = written;
                continue;
            }
            text.push_str(before.map_or("", |before| between(before, kind, space)));
            text.push_str(if kind == TokenKind::Comment { written.trim_end() } else { written });
            *depth = depth.saturating_add(usize::from(opens(kind)));
            *depth = depth.saturating_sub(usize::from(closes(kind)));
            (before, space) = (Some(kind), "");
        }
        Self {
            text,
            header: outside && first == Some(TokenKind::LeftSquareBracket),
            comment: outside && first == Some(TokenKind::Comment),
        }
    }
}

fn opens(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket)
}

fn closes(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket)
}

/// What stands between two tokens of a line. Comments that stand below each other stay so.
fn between(before: TokenKind, after: TokenKind, written: &str) -> &str {
    use TokenKind::{
        Comma, Comment, Dot, Equals, LeftCurlyBracket, LeftSquareBracket, RightCurlyBracket,
        RightSquareBracket,
    };
    match (before, after) {
        (_, Comment) if !written.is_empty() => written,
        (LeftCurlyBracket, RightCurlyBracket) => "",
        (_, Comment) | (_, Equals) | (Equals | Comma | LeftCurlyBracket, _) => " ",
        (_, Comma | Dot | RightSquareBracket) | (Dot | LeftSquareBracket, _) => "",
        (_, RightCurlyBracket) => " ",
        // The blank within a date and its time.
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(text: &str, wanted: &str) {
        let formatted = format("s.toml", text).unwrap();
        assert_eq!(formatted, wanted);
        assert_eq!(format("s.toml", &formatted).unwrap(), wanted, "formatted twice");
    }

    #[test]
    fn blanks_are_where_they_belong() {
        becomes("a=1\n  b   =  'x'\t\nc.  d=2\n", "a = 1\nb = 'x'\nc.d = 2\n");
        becomes("a = [ 1 ,2,3 ]\nb = {x=1,y = {  }}\n", "a = [1, 2, 3]\nb = { x = 1, y = {} }\n");
        becomes("[ a . \"b c\" ]\n", "[a.\"b c\"]\n");
        becomes("a = 1.5\nb = 2026-11-24 06:00:00\n", "a = 1.5\nb = 2026-11-24 06:00:00\n");
        becomes("", "");
    }

    #[test]
    fn lines_keep_their_order_and_at_most_one_is_empty() {
        becomes("\n\n[a]\nx = 1\n\n\n\ny = 2\n[b]\n\n\n", "[a]\nx = 1\n\ny = 2\n\n[b]\n");
        becomes("a = 1\r\n[b]\r\n", "a = 1\n\n[b]\n");
        becomes("a = 1", "a = 1\n");
    }

    #[test]
    fn comments_stay_and_go_with_the_table_below_them() {
        becomes(
            "#:schema x\n[a]\n#one\nx = 1# two\t\n# of b\n[b]\n",
            "#:schema x\n[a]\n#one\nx = 1 # two\n\n# of b\n[b]\n",
        );
        becomes("a = 1    # one\nbb = 22  # two\n", "a = 1    # one\nbb = 22  # two\n");
    }

    #[test]
    fn arrays_and_strings_keep_their_lines() {
        becomes(
            "a = [\n1, # one\n      [\n2\n],\n# end\n\t]\n",
            "a = [\n  1, # one\n  [\n    2\n  ],\n  # end\n]\n",
        );
        becomes("a = '''\n  x  \n\n\n[b]\n'''\n", "a = '''\n  x  \n\n\n[b]\n'''\n");
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        let problems = format("s.toml", "a = \n").unwrap_err();
        assert!(problems[0].at.is_some());
    }
}
