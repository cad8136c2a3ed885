//! Quoting for a POSIX shell. This is the only place in ipai that does it.

/// Makes one shell word of any text without NUL bytes, whatever else it holds.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_everything_but_the_quote_itself() {
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b\n$(c)`d`\\\"!*"), "'a b\n$(c)`d`\\\"!*'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("''"), r"''\'''\'''");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted_twice() {
        let hostile = "'\"$HOME `id` \\ \n!\t*? ~ # ; & ä \u{1}";
        let inner = format!("printf %s {}", quote(hostile));
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("sh -c {}", quote(&inner))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), hostile);
    }
}
