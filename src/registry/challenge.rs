//! The header `WWW-Authenticate`: <https://www.rfc-editor.org/rfc/rfc9110#section-11.3>.

use std::collections::BTreeMap;

/// What a server wants to see.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme, in lower case.
    pub(super) scheme: String,
    parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Reads one challenge; nothing where it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let mut parameters = BTreeMap::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                let scheme = scheme.to_ascii_lowercase();
                return (!scheme.is_empty()).then_some(Self { scheme, parameters });
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after)?;
            parameters.insert(name.trim().to_ascii_lowercase(), value);
            rest = after;
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A value, with or without quotes, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (place, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return Some((value, &quoted[place + 1..])),
            '\\' if !escaped => escaped = true,
            c => {
                value.push(c);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_quotes_commas_and_escapes() {
        let text = r#"Bearer realm="https://a.example/t?x=1",service="a \"b\"", SCOPE="repository:x:pull,push",error=invalid"#;
        let challenge = Challenge::read(text).unwrap();
        assert_eq!(challenge.scheme, "bearer");
        for (name, expected) in [
            ("realm", "https://a.example/t?x=1"),
            ("service", "a \"b\""),
            ("scope", "repository:x:pull,push"),
            ("error", "invalid"),
        ] {
            assert_eq!(challenge.get(name), Some(expected), "{name}");
        }
        assert_eq!(Challenge::read("Basic").unwrap().scheme, "basic");
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for text in ["", "   ", "Bearer realm", "Bearer realm=\"https://a", "Bearer a=\"b\\"] {
            assert_eq!(Challenge::read(text), None, "{text}");
        }
    }
}
