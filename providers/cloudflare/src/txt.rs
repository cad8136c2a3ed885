//! TXT contents: one text inside ipai, quoted character strings on the wire (RFC 1035, section 5.1).

/// How many bytes of text ipai puts into one TXT record.
pub(crate) const MAX_TEXT: usize = 2048;

/// The longest character string.
const MAX_STRING: usize = 255;

/// The text of a content, whether it is written as quoted strings or bare. What is not entirely quoted strings
/// is taken as it is.
pub(crate) fn canonical(content: &str) -> String {
    unquote(content.trim()).unwrap_or_else(|| content.to_owned())
}

/// The text as quoted strings of at most 255 bytes.
pub(crate) fn quoted(text: &str) -> String {
    let mut strings = vec![String::new()];
    let mut length = 0;
    for c in text.chars() {
        if length + c.len_utf8() > MAX_STRING {
            strings.push(String::new());
            length = 0;
        }
        length += c.len_utf8();
        if let Some(last) = strings.last_mut() {
            if c == '"' || c == '\\' {
                last.push('\\');
            }
            last.push(c);
        }
    }
    strings.iter().map(|s| format!("\"{s}\"")).collect::<Vec<_>>().join(" ")
}

fn unquote(content: &str) -> Option<String> {
    let mut rest = content.as_bytes();
    let mut text = Vec::new();
    while !rest.is_empty() {
        rest = string(rest.strip_prefix(b"\"")?, &mut text)?;
        let after = rest.trim_ascii_start();
        if !after.is_empty() && after.len() == rest.len() {
            return None;
        }
        rest = after;
    }
    if content.is_empty() { None } else { String::from_utf8(text).ok() }
}

/// Reads one string up to its closing quote and gives what follows.
fn string<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', a, b, c, after @ ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()) => {
                let digit = |d: &u8| u16::from(d - b'0');
                text.push(u8::try_from(digit(a) * 100 + digit(b) * 10 + digit(c)).ok()?);
                after
            }
            [b'\\', escaped, after @ ..] => {
                text.push(*escaped);
                after
            }
            [b'\\'] | [] => return None,
            [plain, after @ ..] => {
                text.push(*plain);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_does_not_matter() {
        for (content, text) in [
            ("v=spf1 -all", "v=spf1 -all"),
            (r#""v=spf1 -all""#, "v=spf1 -all"),
            (r#""v=spf1 " "-all""#, "v=spf1 -all"),
            (r#" "a"  "b" "#, "ab"),
            (r#""say \"hi\" \\ \065""#, r#"say "hi" \ A"#),
            (r#""\195\188""#, "ü"),
            (r#""""#, ""),
        ] {
            assert_eq!(canonical(content), text, "{content}");
        }
    }

    #[test]
    fn what_is_not_entirely_quoted_is_taken_as_it_is() {
        for content in [
            r#""a"b"#,
            r#""a" b"#,
            r#"a "b""#,
            r#""a"#,
            r#""a\"#,
            r#""\999""#,
            r#""\255""#,
            r#""a""b""#,
            "",
        ] {
            assert_eq!(canonical(content), content);
        }
    }

    #[test]
    fn every_text_survives_the_wire() {
        let long = "ü\"\\".repeat(200);
        for text in ["", "x", "a;b c=d", r#"{"k":"v"}"#, r#""quoted""#, "\\065", &long] {
            assert_eq!(canonical(&quoted(text)), text);
        }
    }

    #[test]
    fn long_texts_are_split_at_255_bytes() {
        let wire = quoted(&"a".repeat(600));
        let lengths: Vec<usize> = wire.split(' ').map(|s| s.len() - 2).collect();
        assert_eq!(lengths, [255, 255, 90]);
    }
}
