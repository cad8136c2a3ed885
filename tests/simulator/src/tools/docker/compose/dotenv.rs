//! `.env` files, as Compose reads them
//! (<https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/>).

use super::interpolate::{Variables, interpolate};

/// Reads `NAME=VALUE` lines in order. Unquoted and double-quoted values are interpolated with the
/// names read so far and `outer`; single-quoted ones are taken as they stand.
pub(super) fn parse(text: &str, outer: &Variables) -> Result<Vec<(String, String)>, String> {
    let mut known = outer.clone();
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            // A bare name takes its value from outside, if there is one.
            if let Some(value) = outer.get(line.trim()) {
                found.push((line.trim().to_owned(), value.clone()));
            }
            continue;
        };
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!(
                "line {}: unexpected character in variable name \"{line}\"",
                number + 1
            ));
        }
        let mut value = value.trim_start().to_owned();
        // A quoted value may go on over several lines.
        if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            while closing(&value, quote).is_none() {
                let (_, next) = lines.next().ok_or_else(|| {
                    format!("line {}: unterminated quoted value {value}", number + 1)
                })?;
                value.push('\n');
                value.push_str(next);
            }
        }
        let value = read_value(&value, &known)?;
        known.insert(name.to_owned(), value.clone());
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

fn read_value(text: &str, known: &Variables) -> Result<String, String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote.and_then(|quote| closing(text, quote)).and_then(|end| text.get(1..end));
    match (quote, inner) {
        (Some('\''), Some(inner)) => Ok(inner.to_owned()),
        (Some(_), Some(inner)) => interpolate(&unescape(inner), known),
        _ => {
            let end = text.find(" #").unwrap_or(text.len());
            interpolate(text[..end].trim_end(), known)
        }
    }
}

/// Finds the quote that ends a value which begins with one.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, char)| {
        let ends = char == quote && !escaped;
        escaped = char == '\\' && !escaped && quote == '"';
        ends.then_some(at)
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            // An escaped dollar is a literal one: said so in interpolation's own way.
            Some('$') => out.push_str("$$"),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quotes_comments_and_references() {
        let text = "# c\nA=1\nexport B='$A \"x\"' # y\nC=\"${A}\\n$B\"\nD= plain # c\nE=a#b\nF=\"two\nlines\"\n";
        let read = parse(text, &Variables::new()).unwrap();
        let values: Vec<&str> = read.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["1", "$A \"x\"", "1\n$A \"x\"", "plain", "a#b", "two\nlines"]);
    }

    #[test]
    fn refuses_a_quote_that_does_not_end() {
        assert!(parse("A='x\n", &Variables::new()).unwrap_err().contains("unterminated"));
    }
}
