//! Filters that quote: a text gets into another language whole, whatever characters it has.
//!
//! | Filter | For |
//! |---|---|
//! | `urlencode` | any part of a URL, such as the password of a connection string: all but `A-Z a-z 0-9 - . _ ~` (RFC 3986) |
//! | `sqlquote` | a literal of PostgreSQL's SQL, quotes included |
//! | `shellquote` | one word of a POSIX shell, quotes included |
//! | `envquote` | a value in a file that Compose reads as `env_file`, quotes included |
//! | `fingerprint` | nothing: 128 bits of a text's SHA-256 in hex, by which a key is known again and cannot be found out, if it is a random one |
//! | `tojson` | a string of JSON, which is one of YAML too, quotes included; minijinja's own |
//!
//! What a language cannot say is an error. No message repeats the text, which may be a secret.

use std::borrow::Cow;
use std::fmt::Write as _;

use minijinja::{Environment, Error, ErrorKind};

/// Makes the filters known.
pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("sqlquote", sqlquote);
    environment.add_filter("shellquote", shellquote);
    environment.add_filter("envquote", envquote);
    environment.add_filter("fingerprint", fingerprint);
}

fn fingerprint(text: Cow<'_, str>) -> String {
    let mut sum = crate::hash::sha256_hex(format!("ipai key\n{text}").as_bytes());
    sum.truncate(32);
    sum
}

/// minijinja's own leaves `/` alone, and with it everything behind a password ends up in the path.
fn urlencode(text: Cow<'_, str>) -> String {
    let mut url = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                url.push(char::from(byte));
            }
            // Writing to a text cannot fail.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url
}

/// As PostgreSQL's `quote_literal`: backslashes need the form with an `E`, whatever the server's settings.
fn sqlquote(text: Cow<'_, str>) -> Result<String, Error> {
    refuse(&text, &['\0'], "SQL")?;
    let quoted = text.replace('\'', "''");
    Ok(match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    })
}

fn shellquote(text: Cow<'_, str>) -> Result<String, Error> {
    refuse(&text, &['\0'], "a shell word")?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

/// Compose expands nothing between single quotes, and knows no way to write one there. It takes a backslash before
/// the closing quote for an escape.
fn envquote(text: Cow<'_, str>) -> Result<String, Error> {
    refuse(&text, &['\0', '\n', '\r', '\''], "an env file")?;
    if text.ends_with('\\') {
        return Err(impossible("a backslash at its end", "an env file"));
    }
    Ok(format!("'{text}'"))
}

fn refuse(text: &str, impossible_ones: &[char], place: &str) -> Result<(), Error> {
    match text.chars().find(|c| impossible_ones.contains(c)) {
        None => Ok(()),
        Some('\'') => Err(impossible("a single quote", place)),
        Some('\0') => Err(impossible("a zero byte", place)),
        Some(_) => Err(impossible("a line end", place)),
    }
}

fn impossible(what: &str, place: &str) -> Error {
    let detail = format!("the text has {what}, which cannot be written in {place}");
    Error::new(ErrorKind::InvalidOperation, detail)
}

#[cfg(test)]
mod tests {
    use crate::secret::Secret;
    use crate::template::{Context, Origin, Renderer};

    fn render(secret: &str, template: &str) -> Result<String, String> {
        let secrets = [("x".to_owned(), Some(Secret::new(secret.into())))].into();
        let renderer = Renderer::new(Context { secrets, ..Context::default() });
        let rendered = renderer.render(template, &Origin::File("t".into()));
        rendered.map(|rendered| rendered.text).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn every_filter_writes_hard_texts_as_its_language_reads_them() {
        let hard = "a'b\\c/d@e:f?g#h%i j$k\"l";
        for (filter, wanted) in [
            ("urlencode", "a%27b%5Cc%2Fd%40e%3Af%3Fg%23h%25i%20j%24k%22l"),
            ("sqlquote", "E'a''b\\\\c/d@e:f?g#h%i j$k\"l'"),
            ("shellquote", "'a'\\''b\\c/d@e:f?g#h%i j$k\"l'"),
            ("tojson", "\"a\\u0027b\\\\c/d@e:f?g#h%i j$k\\\"l\""),
        ] {
            let template = format!("{{{{ secret.x | {filter} }}}}");
            assert_eq!(render(hard, &template).unwrap(), wanted, "{filter}");
        }
        let env = render("a\\b/c@d:e?f#g%h i$j\"k", "{{ secret.x | envquote }}").unwrap();
        assert_eq!(env, "'a\\b/c@d:e?f#g%h i$j\"k'");
    }

    #[test]
    fn plain_passwords_stay_as_they_are_inside_their_quotes() {
        assert_eq!(render("Ab3", "{{ secret.x | urlencode }}").unwrap(), "Ab3");
        for filter in ["sqlquote", "shellquote", "envquote"] {
            let template = format!("{{{{ secret.x | {filter} }}}}");
            assert_eq!(render("Ab3", &template).unwrap(), "'Ab3'");
        }
    }

    #[test]
    fn what_a_language_cannot_say_is_an_error_that_does_not_repeat_it() {
        for (secret, filter) in [
            ("tell'tale", "envquote"),
            ("telltale\\", "envquote"),
            ("telltale\nx", "envquote"),
            ("telltale\0", "sqlquote"),
            ("telltale\0", "shellquote"),
        ] {
            let error = render(secret, &format!("{{{{ secret.x | {filter} }}}}")).unwrap_err();
            assert!(error.contains("cannot be written in"), "{error}");
            assert!(!error.contains("tale"), "{error}");
        }
    }
}
