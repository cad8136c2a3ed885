//! Waiting until a host can be worked on: it answers, and its first boot is over.

use std::time::Duration;

use ipai_core::{Address, Event, Events, Fault, RemoteError};
use tokio::time::{Instant, sleep};

use crate::connections::{Link, Place, Settings};
use crate::failure;
use crate::manifest::Manifest;
use crate::observe::answer::Answer;
use crate::observe::script::{END, PRELUDE, read_manifest};
use crate::session::{Command, Output, SessionError};

/// How long a host may answer and still refuse the login user, who is made during its first boot, or a key exchange.
const LOGIN_GRACE: Duration = Duration::from_secs(90);

const BOOT: &str =
    "if command -v cloud-init >/dev/null; then cloud-init status 2>/dev/null | section boot; fi\n";

/// Whose wait it is, and where the news goes.
pub(crate) struct Wait<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) place: &'a Place,
    pub(crate) stack: &'a str,
    pub(crate) address: &'a Address,
    pub(crate) events: &'a dyn Events,
}

impl Wait<'_> {
    /// Waits until the host is ready, and reads its manifest. Costs nothing when both are known already.
    pub(crate) async fn until_ready(&self, link: &mut Link) -> Result<(), RemoteError> {
        link.turn_to(self.place);
        if link.ready && link.manifest.is_some() {
            return Ok(());
        }
        let (start, mut round) = (Instant::now(), 0);
        let mut refused_since = None;
        loop {
            let result = link.run(self.settings, self.place, &self.look()).await;
            let waited_for = match result {
                Ok(output) => match self.judge(link, &output)? {
                    None => return Ok(()),
                    Some(waited_for) => waited_for,
                },
                Err(error) => self.excuse(&error, &mut refused_since)?,
            };
            if start.elapsed() >= self.settings.boot_limit {
                return Err(self.too_long(&waited_for));
            }
            self.tell(format!("{waited_for} ({} s)", start.elapsed().as_secs()));
            sleep(pause(self.settings.poll, round)).await;
            round += 1;
        }
    }

    fn look(&self) -> Command {
        let script = format!("{PRELUDE}{BOOT}{}{END}", read_manifest(self.stack));
        Command::new("see whether the host is ready", script, self.settings.command_limit)
    }

    /// What is still waited for, if anything.
    fn judge(&self, link: &mut Link, output: &Output) -> Result<Option<String>, RemoteError> {
        let answer = Answer::read(&output.stdout)?;
        if answer.is_booting() {
            return Ok(Some("waiting for the first boot to end".to_owned()));
        }
        if answer.word("boot").contains("status: error") {
            // The host may be usable all the same; what is missing will be named when it is needed.
            self.tell(
                "cloud-init reports an error; see /var/log/cloud-init-output.log on the host"
                    .to_owned(),
            );
        }
        link.manifest = Some(Manifest::read(self.stack, answer.manifest.as_deref())?);
        link.ready = true;
        Ok(None)
    }

    /// What is waited for when the host does not answer, or why waiting is of no use.
    fn excuse(
        &self,
        error: &SessionError,
        refused_since: &mut Option<Instant>,
    ) -> Result<String, RemoteError> {
        let at = &self.place.address;
        if self.place.young && self.place.may_be_booting(error) {
            return Ok(format!("waiting for SSH on {at}"));
        }
        let since = *refused_since.get_or_insert_with(Instant::now);
        if self.place.may_be_half_made(error) && since.elapsed() < LOGIN_GRACE {
            return Ok(format!("waiting until {at} lets {} in", self.settings.user));
        }
        Err(failure::of_session("reach the host", error))
    }

    fn too_long(&self, waited_for: &str) -> RemoteError {
        let limit = self.settings.boot_limit.as_secs();
        let cause = format!("still {waited_for} after {limit} s");
        RemoteError::new(Fault::TimedOut, "reach the host", cause)
            .hint("look at the droplet's console; running apply again goes on waiting")
    }

    fn tell(&self, text: String) {
        self.events.event(Event::Progress { address: self.address.clone(), text });
    }
}

/// The pause before the next look: short at first, then as long as allowed.
pub(crate) fn pause(longest: Duration, round: u32) -> Duration {
    let first = Duration::from_millis(100);
    first.saturating_mul(2_u32.saturating_pow(round.min(16))).min(longest)
}
