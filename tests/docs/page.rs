//! A page of the manual, read for what can be tried: commands with what they print, files that it adds, commands to parse.

/// A page, from top to bottom.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Whether it speaks of a stack that is applied already.
    pub(crate) applied: bool,
    /// Images that cannot be pulled.
    pub(crate) unpullable: Vec<String>,
    pub(crate) parts: Vec<Part>,
    /// Calls of ipai in running text and in blocks that are not run: the line, and the words behind `ipai`.
    pub(crate) calls: Vec<(usize, Vec<String>)>,
}

/// What the reader does, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Run(Step),
    Write { path: String, text: String, append: bool },
}

/// A line `$ command`, and what stands beneath it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) command: String,
    /// From `# exits with N` at the command's end; else 0.
    pub(crate) code: i32,
    pub(crate) shown: Vec<String>,
}

impl Page {
    /// Reads Markdown. Fences that are not known are refused, so that none is passed over by mistake.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut page = Self::default();
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let mut prose = String::new();
        while let Some((number, line)) = lines.next() {
            if let Some(said) = line.strip_prefix("<!-- test: ") {
                page.direct(said.trim_end_matches(" -->"))
                    .ok_or_else(|| format!("{number}: not understood: {said}"))?;
            }
            let Some(info) = line.strip_prefix("```") else {
                prose.push_str(line);
                prose.push('\n');
                continue;
            };
            prose.push('\n');
            let body: Vec<(usize, &str)> =
                lines.by_ref().take_while(|(_, line)| *line != "```").collect();
            prose.push_str(&"\n".repeat(body.len() + 1));
            page.block(info, &body).map_err(|why| format!("{number}: {why}"))?;
        }
        page.calls.extend(in_prose(&prose));
        Ok(page)
    }

    fn direct(&mut self, said: &str) -> Option<()> {
        if said == "the stack is applied" {
            self.applied = true;
        } else {
            let image = said.strip_prefix("the image ")?.strip_suffix(" cannot be pulled")?;
            self.unpullable.push(image.to_owned());
        }
        Some(())
    }

    fn block(&mut self, info: &str, body: &[(usize, &str)]) -> Result<(), String> {
        let file = |append: bool, path: &str| {
            let text = body.iter().map(|(_, line)| format!("{line}\n")).collect();
            Part::Write { path: path.to_owned(), text, append }
        };
        match info.split_once(' ') {
            None if info == "console" => {
                let steps = steps(body)?;
                self.parts.extend(steps.into_iter().map(Part::Run));
            }
            None if info == "sh" => self.calls.extend(in_shell(body)),
            None if info == "text" => {}
            Some((_, place)) if place.starts_with("as ") => {
                self.parts.push(file(false, &place["as ".len()..]));
            }
            Some((_, place)) if place.starts_with("added to ") => {
                self.parts.push(file(true, &place["added to ".len()..]));
            }
            _ => return Err(format!("a block of a kind that nobody tries: {info}")),
        }
        Ok(())
    }
}

fn steps(body: &[(usize, &str)]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in body {
        if let Some(command) = text.strip_prefix("$ ") {
            let code = command.split_once("# exits with ").map_or("0", |(_, code)| code.trim());
            let code = code.parse().map_err(|_| format!("exits with what? {text}"))?;
            let command = command.to_owned();
            steps.push(Step { line: *line, command, code, shown: Vec::new() });
        } else {
            let step = steps.last_mut().ok_or("a console block begins with `$ `")?;
            step.shown.push((*text).to_owned());
        }
    }
    Ok(steps)
}

/// The calls between single backticks.
fn in_prose(prose: &str) -> Vec<(usize, Vec<String>)> {
    let mut line = 1;
    let mut found = Vec::new();
    for (index, piece) in prose.split('`').enumerate() {
        if index % 2 == 1 {
            found.extend(calls(line, piece));
        }
        line += piece.matches('\n').count();
    }
    found
}

fn in_shell(body: &[(usize, &str)]) -> Vec<(usize, Vec<String>)> {
    let (mut found, mut begun) = (Vec::new(), String::new());
    for (line, text) in body {
        begun.push_str(text.trim_end_matches('\\'));
        if !text.ends_with('\\') {
            found.extend(calls(*line, &std::mem::take(&mut begun)));
        }
    }
    found
}

/// The words of each call in a line of shell, up to `--`, a redirection, the next command or a comment.
fn calls(line: usize, text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    let mut within = false;
    for word in text.split_whitespace() {
        if word.starts_with('#') {
            break;
        } else if word == "ipai" {
            found.push((line, Vec::new()));
            within = true;
        } else if word == "--" || word.starts_with(['<', '>', '|', '&']) {
            within = false;
        } else if within && let Some((_, words)) = found.last_mut() {
            words.push(word.trim_matches(['"', '\'', ';', ')']).to_owned());
            within = !word.ends_with([';', ')']);
        }
    }
    // The program's name alone calls nothing.
    found.retain(|(_, words)| !words.is_empty());
    found
}

/// Whether what is shown is what was printed: line for line, but `…` stands for any lines, and within a line for any
/// text.
pub(crate) fn fits(shown: &[String], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, _) => printed.is_empty(),
        (Some((line, rest)), _) if line == "…" => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        (Some((line, rest)), Some((first, others))) => {
            line_fits(line.trim_end(), first.trim_end()) && fits(rest, others)
        }
        (Some(_), None) => false,
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let Some((head, tail)) = shown.split_once('…') else { return shown == printed };
    let Some(rest) = printed.strip_prefix(head) else { return false };
    let starts = rest.char_indices().map(|(place, _)| place).chain([rest.len()]);
    starts.into_iter().any(|place| line_fits(tail, &rest[place..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_shown_must_be_what_is_printed() {
        let printed = ["one", "two 2…", "three"];
        for good in
            ["one\ntwo 2…\nthree", "…\nthree", "one\n…", "one\ntwo …\nthree", "…", "one\n…\nt…e"]
        {
            assert!(fits(&shown(good), &printed), "{good}");
        }
        for bad in ["one", "one\nthree", "…\ntwo 3…\n…", "…\nthree\ntwo 2…", "…\nfour", "One\n…"]
        {
            assert!(!fits(&shown(bad), &printed), "{bad}");
        }
    }

    #[test]
    fn a_page_is_read_in_order() {
        let text = "<!-- test: the stack is applied -->\nSee `ipai plan --json`.\n```console\n$ ipai plan    # exits with 2\n…\nPlan\n$ ls\n```\n\
                    ```toml added to stack.toml\nx = 1\n```\n```sh\n(umask 077; ipai output a --show-secrets > b)\nX=1 ipai exec db -- psql -l    # ipai x\n```\n";
        let page = Page::read(text).unwrap();
        let commands = page.parts.iter().map(|part| match part {
            Part::Run(step) => format!("{}:{}:{}", step.line, step.code, step.shown.len()),
            Part::Write { path, text, append } => format!("{path}:{append}:{text}"),
        });
        assert_eq!(commands.collect::<Vec<_>>(), ["4:2:2", "7:0:0", "stack.toml:true:x = 1\n"]);
        let calls: Vec<String> =
            page.calls.iter().map(|(line, words)| format!("{line} {}", words.join(" "))).collect();
        assert_eq!(calls, ["13 output a --show-secrets", "14 exec db", "2 plan --json"]);
        assert!(page.applied);
    }

    #[test]
    fn what_nobody_would_try_is_refused() {
        for text in [
            "```bash\nipai plan\n```\n",
            "```console\nno command\n```\n",
            "<!-- test: something else -->\n",
        ] {
            assert!(Page::read(text).is_err(), "{text}");
        }
    }
}
