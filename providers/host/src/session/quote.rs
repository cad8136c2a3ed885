//! Quoting for a POSIX shell. This is the only place in ipai that does it.

/// Makes one shell word of any text without NUL bytes, whatever else it holds.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What is put into a script's place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// One word, whatever it holds.
    Word(&'a str),
    /// A piece of script.
    Script(&'a str),
}

/// Fills the places of a script, such as `@HOME@`, in one pass: what is put in is never searched for places, and a word
/// stays one word wherever it comes from. A place must stand outside of quotes.
pub(crate) fn fill<'a>(template: &str, parts: &[(&str, Part<'a>)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        filled.push_str(before);
        let place = |(name, part): &(&str, Part<'a>)| {
            Some((*part, after.strip_prefix(name)?.strip_prefix('@')?))
        };
        rest = match parts.iter().find_map(place) {
            Some((Part::Word(word), left)) => {
                filled.push_str(&quote(word));
                left
            }
            Some((Part::Script(script), left)) => {
                filled.push_str(script);
                left
            }
            None => {
                filled.push('@');
                after
            }
        };
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_script_is_one_word_and_is_not_searched_again() {
        let parts = [
            ("A", Part::Word("it's @B@ $(x)")),
            ("B", Part::Word("@A@")),
            ("C", Part::Script("x | y")),
        ];
        assert_eq!(
            fill("run @A@/@B@@B@ <@C@", &parts),
            r"run 'it'\''s @B@ $(x)'/'@A@''@A@' <x | y"
        );
        assert_eq!(fill("a@b.c @ @X@ \"$@\" @A@", &parts[1..2]), "a@b.c @ @X@ \"$@\" @A@");
        assert_eq!(fill("\"$@\"@B@", &parts), "\"$@\"'@A@'");
    }

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
