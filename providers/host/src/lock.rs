//! The stack's lock on a host, for stacks without a DNS zone: the folder `/opt/ipai/STACK/.ipai/lock` with one file in
//! it, which is named after the run and says who holds it. Its times are the host's.
//!
//! A folder that holds the file already is renamed into place, which the system refuses while the place holds another
//! one's (rename(2), `ENOTEMPTY`). So a lock appears whole or not at all, and a file is removed by a name that no other
//! run has. The lock has a session of its own: the other one may be busy for minutes with a deployment.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipai_core::lock::{Found, LockStore, Made, Moment, NotANote, Note, Renewed, Sight};
use ipai_core::{Address, BoxFuture, Fault, Outputs, RemoteError, StackId};
use tokio::sync::Mutex;

use crate::connections::{Connections, Link, Place};
use crate::failure;
use crate::manifest;
use crate::session::{Command, Output, Part, fill};

/// How long one command may take once the session stands.
const LIMIT: Duration = Duration::from_secs(10);

/// Keeps the lock of one stack on one host.
#[derive(Debug)]
pub struct HostLock {
    connections: Arc<Connections>,
    home: Address,
    outputs: Outputs,
    stack: String,
    link: Mutex<Link>,
}

const BEGIN: &str = "cd \"${IPAI_ROOT-}/\" || exit 91\n";

/// `now NANOSECONDS`, then `lock BEAT SINCE NAME NOTE` for each file: times in nanoseconds, texts in base64.
const LOOK: &str = r#"printf 'now %s\n' "$(date +%s%N)"
for f in @LOCK@/*; do
  [ -f "$f" ] && [ ! -L "$f" ] || continue
  printf 'lock %s %s %s %s\n' "$(date -r "$f" +%s%N)" "$(date -r @LOCK@ +%s%N)" \
    "$(printf '%s' "${f##*/}" | base64 -w0)" "$(head -c 1000 -- "$f" | base64 -w0)"
done
echo end
"#;

const ACQUIRE: &str = r#"(umask 022; mkdir -p -- @STACK@) && mkdir -p -- @HOME@ || exit 82
rm -rf -- @LOCK@.@RUN@
mkdir -- @LOCK@.@RUN@ && cat >@LOCK@.@RUN@/@RUN@ || exit 83
if [ "$(wc -c <@LOCK@.@RUN@/@RUN@)" = @SIZE@ ] && mv -T -- @LOCK@.@RUN@ @LOCK@; then
  echo made
else
  rm -rf -- @LOCK@.@RUN@
  [ -e @LOCK@ ] || exit 84
  echo exists
fi
"#;

const RENEW: &str = "touch -c -- @FILE@ && [ -f @FILE@ ] && echo yes || echo gone\n";

const RELEASE: &str = "rm -f -- @FILE@ || exit 85\nrmdir -- @LOCK@ 2>/dev/null\n:\n";

impl HostLock {
    /// The lock of `stack` on the host with these outputs.
    ///
    #[must_use]
    pub fn new(
        connections: &Arc<Connections>,
        stack: &StackId,
        home: &Address,
        outputs: &Outputs,
    ) -> Self {
        Self {
            connections: Arc::clone(connections),
            home: home.clone(),
            outputs: outputs.clone(),
            stack: stack.to_string(),
            link: Mutex::default(),
        }
    }

    /// Where the host is reached now: its key may change while the lock is held.
    fn place(&self) -> Result<Place, RemoteError> {
        self.connections.place(&self.home, &self.outputs)
    }

    /// Tells whether the host can keep a lock yet: one in its first boot cannot.
    ///
    /// # Errors
    /// When it cannot be reached although it should.
    pub async fn is_up(&self) -> Result<bool, RemoteError> {
        let command = Command::new("look at the lock", self.script(LOOK, &[]), LIMIT);
        let place = self.place()?;
        let mut link = self.link.lock().await;
        match link.run(self.connections.settings(), &place, &command).await {
            Ok(_) => Ok(true),
            Err(error) if place.is_in_the_making(&error) => Ok(false),
            Err(error) => Err(self.name(failure::of_session(command.name, &error))),
        }
    }

    fn script(&self, template: &str, more: &[(&str, Part<'_>)]) -> String {
        let home = format!(".{}", manifest::folder(&self.stack));
        let (stack, lock) = (format!("./opt/ipai/{}", self.stack), format!("{home}/lock"));
        let own = [("STACK", &stack), ("HOME", &home), ("LOCK", &lock)];
        let own = own.map(|(name, word)| (name, Part::Word(word)));
        format!("{BEGIN}{}", fill(template, &[&own, more].concat()))
    }

    /// A script on one lock's file.
    fn on_file(&self, template: &str, id: &str) -> Result<String, RemoteError> {
        if id.is_empty() || id.contains(['/', '\0']) || id == "." || id == ".." {
            let cause = "it has an impossible name";
            return Err(self.name(RemoteError::new(Fault::BadAnswer, "change the lock", cause)));
        }
        let file = format!(".{}/lock/{id}", manifest::folder(&self.stack));
        Ok(self.script(template, &[("FILE", Part::Word(&file))]))
    }

    async fn run(&self, command: &Command) -> Result<Output, RemoteError> {
        let place = self.place()?;
        let mut link = self.link.lock().await;
        let result = link.run(self.connections.settings(), &place, command).await;
        let output =
            result.map_err(|error| self.name(failure::of_session(command.name, &error)))?;
        if output.exit != 0 {
            let cause = failure::or_silence(&output.stderr, output.exit);
            return Err(self.name(RemoteError::new(Fault::Refused, command.name, cause)));
        }
        Ok(output)
    }

    /// Says in an error which host it is about.
    fn name(&self, error: RemoteError) -> RemoteError {
        RemoteError { attempted: format!("{} ({})", error.attempted, self.home), ..error }
    }

    fn garbled(&self, attempted: &str) -> RemoteError {
        self.name(RemoteError::new(Fault::BadAnswer, attempted, "the host's answer makes no sense"))
    }

    async fn look(&self) -> Result<Sight, RemoteError> {
        let command = Command::new("look at the lock", self.script(LOOK, &[]), LIMIT);
        let output = self.run(&command).await?;
        sight(&output.text()).ok_or_else(|| self.garbled(command.name))
    }

    async fn acquire(&self, note: &Note) -> Result<Made, RemoteError> {
        let text = note.to_string();
        let size = text.len().to_string();
        let parts = [("RUN", Part::Word(&note.run)), ("SIZE", Part::Word(&size))];
        let script = self.script(ACQUIRE, &parts);
        let command = Command::new("make the lock", script, LIMIT).stdin(text);
        match self.run(&command).await?.text().trim() {
            "made" => Ok(Made::Made(note.run.clone())),
            "exists" => Ok(Made::Exists),
            _ => Err(self.garbled(command.name)),
        }
    }

    async fn renew(&self, id: &str) -> Result<Renewed, RemoteError> {
        let command = Command::new("renew the lock", self.on_file(RENEW, id)?, LIMIT);
        match self.run(&command).await?.text().trim() {
            "yes" => Ok(Renewed::Yes),
            "gone" => Ok(Renewed::Gone),
            _ => Err(self.garbled(command.name)),
        }
    }

    async fn release(&self, id: &str) -> Result<(), RemoteError> {
        let command = Command::new("remove the lock", self.on_file(RELEASE, id)?, LIMIT);
        self.run(&command).await.map(drop)
    }
}

impl LockStore for HostLock {
    fn place(&self) -> String {
        format!("the host {}", self.home)
    }

    fn look(&self) -> BoxFuture<'_, Result<Sight, RemoteError>> {
        Box::pin(self.look())
    }

    fn acquire<'a>(&'a self, note: &'a Note) -> BoxFuture<'a, Result<Made, RemoteError>> {
        Box::pin(self.acquire(note))
    }

    fn renew<'a>(
        &'a self,
        id: &'a str,
        _note: &'a Note,
    ) -> BoxFuture<'a, Result<Renewed, RemoteError>> {
        Box::pin(self.renew(id))
    }

    fn release<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.release(id))
    }
}

/// Reads what [`LOOK`] says; nothing when that is not a whole answer.
fn sight(text: &str) -> Option<Sight> {
    let mut lines = text.lines();
    let now = moment(lines.next()?.strip_prefix("now ")?)?;
    let mut locks = Vec::new();
    for line in lines {
        if line == "end" {
            return Some(Sight { now: Some(now), locks });
        }
        locks.push(found(line.strip_prefix("lock ")?)?);
    }
    None
}

fn found(line: &str) -> Option<Found> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [beat, since, name, note] = parts[..] else { return None };
    let decode = |text: &str| {
        STANDARD.decode(text).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let (name, note) = (decode(name)?, decode(note)?.parse::<Note>());
    // A note under another run's name is nobody's.
    let note =
        note.and_then(|note| if note.run == name { Ok(note) } else { Err(NotANote::Strange) });
    Some(Found { id: name, note, since: moment(since).unwrap_or_default(), beat: moment(beat) })
}

fn moment(nanoseconds: &str) -> Option<Moment> {
    nanoseconds.parse::<u64>().ok().map(|n| Moment(n / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "ipai-lock/1 9f86d081884c7d65 50s 0 ann@laptop";

    fn line(name: &str, note: &str) -> String {
        format!("lock 2000000000 1000000000 {} {}\n", STANDARD.encode(name), STANDARD.encode(note))
    }

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let lock = line("9f86d081884c7d65", NOTE);
        let whole = sight(&format!("now 3000000000\n{lock}end\n")).unwrap();
        assert_eq!(whole.now, Some(Moment(3_000_000)));
        let [found] = &whole.locks[..] else { panic!("{whole:?}") };
        assert_eq!((found.since, found.beat), (Moment(1_000_000), Some(Moment(2_000_000))));
        assert_eq!(found.note.as_ref().unwrap().to_string(), NOTE);
        for text in
            ["", "now x\nend\n", "now 1\n", "now 1\nlock 1 2\nend\n", &format!("{lock}end\n")]
        {
            assert_eq!(sight(text), None, "{text}");
        }
    }

    #[test]
    fn what_lies_there_and_is_no_note_is_held() {
        for (name, note) in [("9f86d081884c7d65", "by hand"), ("other", NOTE), ("a b\n", "")] {
            let sight = sight(&format!("now 1\n{}end\n", line(name, note))).unwrap();
            assert_eq!(
                (&*sight.locks[0].id, &sight.locks[0].note),
                (name, &Err(NotANote::Strange))
            );
        }
    }
}
