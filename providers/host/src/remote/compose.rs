//! The commands that people give to a Compose project, as shell text.

use crate::compose::file_path;
use crate::observe::script::compose;
use crate::session::quote;

/// A project on a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    pub(crate) directory: &'a str,
}

/// Which lines of a log are wanted.
#[derive(Clone, Debug, Default)]
pub struct LogChoice {
    /// Go on with what is logged from now on.
    pub follow: bool,
    /// At most so many of the lines that are there already.
    pub tail: Option<u64>,
    /// Only what was logged since, as Docker reads it: a time, or a duration such as `10m`.
    pub since: Option<String>,
}

impl Place<'_> {
    fn run(&self, verb: &str, services: &[&str]) -> String {
        let compose = compose(self.name, self.directory, &file_path(self.directory));
        let names: String = services.iter().map(|name| format!(" {}", quote(name))).collect();
        format!("{compose} {verb}{names}")
    }

    pub(crate) fn logs(&self, services: &[&str], choice: &LogChoice) -> String {
        let mut verb = "logs --no-color".to_owned();
        if services.len() == 1 {
            verb.push_str(" --no-log-prefix");
        }
        if choice.follow {
            verb.push_str(" --follow");
        }
        if let Some(tail) = choice.tail {
            verb.push_str(&format!(" --tail {tail}"));
        }
        if let Some(since) = &choice.since {
            verb.push_str(&format!(" --since {}", quote(since)));
        }
        self.run(&verb, services)
    }

    /// A command in a service's container; a terminal is the host's matter, so it is asked for or refused in so many words.
    pub(crate) fn exec(&self, service: &str, words: &[String], terminal: bool) -> String {
        let mut command = self.run(if terminal { "exec" } else { "exec -T" }, &[service]);
        words.iter().for_each(|word| command.push_str(&format!(" {}", quote(word))));
        command
    }

    /// Lists the services of the file that lies on the host; none where there is no file.
    pub(crate) fn names(&self) -> String {
        format!("{} 2>/dev/null", self.run("config --services", &[]))
    }

    /// Starts everything from the file that lies on the host.
    pub(crate) fn up(&self) -> String {
        self.run("--progress plain up -d --no-build", &[])
    }

    /// Removes containers and networks. Volumes stay: there is no flag here that would take them.
    pub(crate) fn down(&self) -> String {
        self.run("--progress plain down", &[])
    }

    pub(crate) fn restart(&self, services: &[&str]) -> String {
        self.run("--progress plain restart", services)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { name: "ops", directory: "/opt/ops" };
    const COMPOSE: &str = r#"docker compose -p 'ops' --project-directory "${IPAI_ROOT-}"'/opt/ops' -f "${IPAI_ROOT-}"'/opt/ops/compose.yaml'"#;

    #[test]
    fn what_people_wrote_stays_one_word_each() {
        let choice = LogChoice { follow: true, tail: Some(5), since: Some("1h; rm -rf /".into()) };
        assert_eq!(
            PLACE.logs(&["web"], &choice),
            format!(
                "{COMPOSE} logs --no-color --no-log-prefix --follow --tail 5 --since '1h; rm -rf /' 'web'"
            )
        );
        let words = ["sh".to_owned(), "-c".to_owned(), "echo $HOME".to_owned()];
        assert_eq!(
            PLACE.exec("web", &words, false),
            format!("{COMPOSE} exec -T 'web' 'sh' '-c' 'echo $HOME'")
        );
    }

    #[test]
    fn down_never_removes_volumes() {
        assert_eq!(PLACE.down(), format!("{COMPOSE} --progress plain down"));
    }
}
