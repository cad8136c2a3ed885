//! Command lines in Docker's style: long and short options, switches and values.

/// One option: its spellings, and whether a value follows.
pub(super) struct Opt {
    /// Spellings with their dashes; the first is the name under which it is asked for.
    pub(super) names: &'static [&'static str],
    pub(super) valued: bool,
}

/// A command line that was taken apart.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    options: Vec<(&'static str, String)>,
    /// What is no option.
    pub(super) words: Vec<String>,
}

/// Declares a switch.
pub(super) const fn switch(names: &'static [&'static str]) -> Opt {
    Opt { names, valued: false }
}

/// Declares an option with a value.
pub(super) const fn valued(names: &'static [&'static str]) -> Opt {
    Opt { names, valued: true }
}

impl Parsed {
    /// Takes `arguments` apart. With `leading`, the first word ends the options: the rest belongs
    /// to a command in a container. The error is Docker's own text.
    pub(super) fn read(arguments: &[String], known: &[Opt], leading: bool) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                break;
            }
            if argument == "-" || !argument.starts_with('-') {
                parsed.words.push(argument.clone());
                if leading {
                    break;
                }
                continue;
            }
            for (spelling, attached) in split(argument, known) {
                let option = known.iter().find(|option| option.names.contains(&&*spelling));
                let Some(option) = option else {
                    return Err(format!("unknown flag: {spelling}"));
                };
                let value = match (option.valued, attached) {
                    (true, Some(value)) => value,
                    (true, None) => rest
                        .next()
                        .cloned()
                        .ok_or_else(|| format!("flag needs an argument: {spelling}"))?,
                    (false, value) => value.unwrap_or_else(|| "true".to_owned()),
                };
                parsed.options.push((option.names[0], value));
            }
        }
        parsed.words.extend(rest.cloned());
        Ok(parsed)
    }

    /// Tells whether a switch was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }

    /// Returns an option's last value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last()
    }

    /// Returns all of an option's values, in order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.options.iter().filter(move |(given, _)| *given == name);
        given.map(|(_, value)| value.as_str())
    }
}

/// Splits `--name=value`, `-nvalue` and `-abc` into spellings and attached values.
fn split(argument: &str, known: &[Opt]) -> Vec<(String, Option<String>)> {
    if argument.starts_with("--") {
        return match argument.split_once('=') {
            Some((name, value)) => vec![(name.to_owned(), Some(value.to_owned()))],
            None => vec![(argument.to_owned(), None)],
        };
    }
    let mut found = Vec::new();
    for (at, letter) in argument.char_indices().skip(1) {
        let spelling = format!("-{letter}");
        let takes = known.iter().any(|o| o.valued && o.names.contains(&spelling.as_str()));
        let rest = &argument[at + letter.len_utf8()..];
        if takes && !rest.is_empty() {
            let value = rest.strip_prefix('=').unwrap_or(rest).to_owned();
            found.push((spelling, Some(value)));
            break;
        }
        found.push((spelling, None));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Opt; 3] =
        [switch(&["--all", "-a"]), switch(&["--quiet", "-q"]), valued(&["--filter", "-f"])];

    fn read(line: &str, leading: bool) -> Result<Parsed, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Parsed::read(&words, &KNOWN, leading)
    }

    #[test]
    fn reads_joined_switches_and_every_form_of_a_value() {
        let parsed = read("-aq --filter a=1 --filter=b -fc -f d x", false).unwrap();
        assert!(parsed.has("--all") && parsed.has("--quiet"));
        assert_eq!(parsed.values("--filter").collect::<Vec<_>>(), ["a=1", "b", "c", "d"]);
        assert_eq!(parsed.words, ["x"]);
    }

    #[test]
    fn leaves_a_containers_command_alone() {
        assert_eq!(read("-a web ls -l -- x", true).unwrap().words, ["web", "ls", "-l", "--", "x"]);
    }

    #[test]
    fn names_an_unknown_flag() {
        assert_eq!(read("--wat", false).unwrap_err(), "unknown flag: --wat");
    }
}
