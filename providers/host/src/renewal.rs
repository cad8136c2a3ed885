//! A key of the host's own in place of the one that came in its user data, where anything on the host can read it.
//!
//! The order makes every moment safe to be killed in: the host makes a key beside the old one; the pin of the new key is
//! there for everybody to see, and both are accepted; the host switches; a fresh connection proves the switch; the old
//! pin goes. Whatever was done already is found done, because only the host says which keys it has.

mod script;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipai_core::{
    Address, BoxFuture, Event, Events, Fault, HostKeys, Outputs, Pins, RemoteError, Renewal, Value,
};
use tokio::time::{Instant, sleep};

use crate::connections::{Connections, Link, Place};
use crate::failure;
use crate::ready::{Wait, pause};
use crate::session::{Command, Output, Session, SessionError};
use crate::ssh::{Fingerprint, HostKeyPin, SshError};

const ATTEMPTED: &str = "give the host a key of its own";

/// How long sshd may take until it shows the key that it was told to read.
const SWITCH_LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// Renews keys over connections that plan may have opened.
#[derive(Debug)]
pub struct HostKeyRenewal {
    connections: Arc<Connections>,
}

impl HostKeyRenewal {
    /// Renews over these connections.
    #[must_use]
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }

    async fn renew_in(&self, renewal: Renewal<'_>) -> Result<(), RemoteError> {
        let place = self.connections.place(renewal.home, renewal.outputs)?;
        let link = self.connections.link(renewal.home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        let (stack, events) = (renewal.stack.as_str(), renewal.events);
        Wait { settings, place: &place, stack, address: renewal.home, events }
            .until_ready(&mut link)
            .await?;
        let step = Step::new(&self.connections, renewal.home, renewal.outputs, events)?;
        step.renew(&mut link, place, renewal.pins).await.map(drop)
    }
}

impl HostKeys for HostKeyRenewal {
    fn renew<'a>(&'a self, renewal: Renewal<'a>) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.renew_in(renewal))
    }
}

/// One renewal on a host that can be worked on.
pub(crate) struct Step<'a> {
    connections: &'a Connections,
    home: &'a Address,
    /// The provider's id of the home, for its pins.
    id: &'a str,
    events: &'a dyn Events,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        connections: &'a Connections,
        home: &'a Address,
        outputs: &'a Outputs,
        events: &'a dyn Events,
    ) -> Result<Self, RemoteError> {
        let id = outputs.get("id").and_then(Value::as_text);
        let unknown = || RemoteError::new(Fault::NotFound, ATTEMPTED, "its id is not known");
        Ok(Self { connections, home, id: id.ok_or_else(unknown)?, events })
    }

    /// Renews the key and leaves the link on a session that the new key proved. Gives the place as it is reached now.
    pub(crate) async fn renew(
        &self,
        link: &mut Link,
        place: Place,
        pins: &dyn Pins,
    ) -> Result<Place, RemoteError> {
        self.tell("the host makes a key of its own");
        let prepare =
            self.run(link, &place, "make a host key", script::prepare(&place.born)).await?;
        let (text, key) = read_key(&prepare)?;
        pins.accept(self.id, &key.to_hex()).await?;
        let both = place.accepting(key);
        self.connections.moved(self.home, &place, &both);
        // The session that stands was proven by a key that is still accepted, so it goes on.
        link.stay_at(&both);
        let switch = self.run(link, &both, "switch to the host key", script::switch(&text)).await?;
        let own = both.accepting_only(key);
        self.prove(link, &both, &own, &switch).await?;
        pins.accept_only(self.id, &key.to_hex()).await?;
        self.connections.moved(self.home, &place, &own);
        self.tell("the host proves itself with a key of its own");
        Ok(own)
    }

    async fn run(
        &self,
        link: &mut Link,
        place: &Place,
        name: &'static str,
        script: String,
    ) -> Result<Output, RemoteError> {
        let settings = self.connections.settings();
        let command = Command::new(name, script, settings.command_limit);
        let output = crate::connections::run(link, settings, place, &command).await?;
        if output.succeeded() {
            return Ok(output);
        }
        let cause = failure::or_silence(&output.stderr, output.exit);
        Err(RemoteError::new(Fault::Refused, ATTEMPTED, cause).hint(
            "the host needs ssh-keygen and its key in /etc/ssh/ssh_host_ed25519_key; the droplet keeps the key that it was born with until an apply succeeds here",
        ))
    }

    /// Connects anew until the new key is shown. The old one may be shown for a moment; any other ends it at once.
    async fn prove(
        &self,
        link: &mut Link,
        both: &Place,
        own: &Place,
        switch: &Output,
    ) -> Result<(), RemoteError> {
        let settings = self.connections.settings();
        let (start, mut round) = (Instant::now(), 0);
        loop {
            let first = Command::new("prove the host key", "true", settings.command_limit);
            let target = own.target(settings);
            let opening = Session::open(&target, settings.sudo, &first);
            let error = match settings.witness.step(|| first.name.to_owned(), opening).await {
                Ok((session, _)) => {
                    link.move_to(own, session);
                    return Ok(());
                }
                Err(error) => error,
            };
            let passing = own.may_be_booting(&error) || shows_old_key(&error, &both.pin);
            if !passing || start.elapsed() > SWITCH_LIMIT {
                return Err(not_switched(&error, switch));
            }
            sleep(pause(settings.poll, round)).await;
            round += 1;
        }
    }

    fn tell(&self, text: &str) {
        self.events.event(Event::Progress { address: self.home.clone(), text: text.to_owned() });
    }
}

/// Tells whether the server has not read its new key yet.
fn shows_old_key(error: &SessionError, both: &HostKeyPin) -> bool {
    match (error, both) {
        (
            SessionError::Connect(SshError::HostKeyMismatch { shown, .. }),
            HostKeyPin::Fingerprints(accepted),
        ) => accepted.contains(shown),
        _ => false,
    }
}

fn not_switched(error: &SessionError, switch: &Output) -> RemoteError {
    let mut failed = failure::of_session("prove the host's new key", error);
    let words = failure::readable(&switch.stderr);
    if !words.is_empty() {
        failed.cause = format!("{}\nThe switch said: {words}", failed.cause);
    }
    failed
}

/// Reads the key that the host ends up with: its base64 as the host writes it, and its fingerprint.
fn read_key(output: &Output) -> Result<(String, Fingerprint), RemoteError> {
    let text = output.text();
    let key = text.lines().find_map(|line| line.strip_prefix("key "));
    let blob = key.and_then(|key| Some((key.to_owned(), STANDARD.decode(key).ok()?)));
    // RFC 8709: the type's name, then 32 bytes; each with its length before it.
    let blob = blob.filter(|(_, blob)| {
        blob.len() == 51 && blob.starts_with(b"\0\0\0\x0bssh-ed25519\0\0\0\x20")
    });
    let (text, blob) = blob.ok_or_else(|| {
        RemoteError::new(Fault::BadAnswer, ATTEMPTED, "the host's answer holds no ed25519 key")
    })?;
    Ok((text, Fingerprint::of(&blob)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Output {
        Output { stdout: text.as_bytes().to_vec(), ..Output::default() }
    }

    #[test]
    fn reads_an_ed25519_key_and_nothing_else() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        assert_eq!(read_key(&answer(&format!("key {key}\n"))).unwrap().0, key);
        for text in ["", "key \n", "key AAAA\n", "key !!\n", "KEY AAAAC3NzaC1lZDI1NTE5\n"] {
            assert!(read_key(&answer(text)).is_err(), "{text}");
        }
    }
}
