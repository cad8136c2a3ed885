//! The sessions to all hosts of a stack, shared by plan and apply so that the second needs no connection of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipai_core::{Address, DigestKey, Fault, Outputs, RemoteError, Value, Witness};
use tokio::sync::Mutex as AsyncMutex;

use crate::failure;
use crate::manifest::Manifest;
use crate::session::{Command, Output, Session, SessionError, Sudo};
use crate::ssh::{HostKeyPin, Identity, Limits, Passphrase, SshError, Target};

/// How hosts are reached; everything that is the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The login user.
    pub user: String,
    /// The TCP port of the hosts' SSH servers.
    pub port: u16,
    /// What to log in with, in this order; the agent's socket is one of them.
    pub identities: Vec<Identity>,
    /// Asked for the passphrase of an encrypted identity file.
    pub passphrase: Option<Passphrase>,
    /// How long connecting and logging in may take.
    pub limits: Limits,
    /// Whether root's rights are taken through sudo.
    pub sudo: Sudo,
    /// How long one look at a host, or one push, may take.
    pub command_limit: Duration,
    /// The longest pause between two looks at something that is waited for.
    pub poll: Duration,
    /// How long a new host may take until its first boot is over.
    pub boot_limit: Duration,
    /// Keys the digests of secrets that a host holds.
    pub key: DigestKey,
    /// Watches every command.
    pub witness: Witness,
}

impl Settings {
    /// The usual limits, for `user` on port 22 with these identities.
    #[must_use]
    pub fn new(user: &str, identities: Vec<Identity>, key: DigestKey) -> Self {
        Self {
            user: user.to_owned(),
            port: 22,
            identities,
            passphrase: None,
            limits: Limits::default(),
            sudo: Sudo::default(),
            command_limit: Duration::from_secs(120),
            poll: Duration::from_secs(2),
            boot_limit: Duration::from_secs(600),
            key,
            witness: Witness::default(),
        }
    }
}

/// The sessions of one process, by home.
#[derive(Debug)]
pub struct Connections {
    settings: Settings,
    links: Mutex<BTreeMap<Address, Arc<AsyncMutex<Link>>>>,
}

impl Connections {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, links: Mutex::default() })
    }

    /// How hosts are reached.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The one link to a home; it is opened when a first command is run.
    pub(crate) fn link(&self, home: &Address) -> Arc<AsyncMutex<Link>> {
        // A panic elsewhere while the lock was held left nothing half-changed: one entry is added at a time.
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(links.entry(home.clone()).or_default())
    }

    /// Ends all sessions politely, each within `limit`.
    pub async fn close(&self, limit: Duration) {
        let links: Vec<_> = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *links).into_values().collect()
        };
        for link in links {
            if let Some(session) = link.lock().await.session.take() {
                session.close(limit).await;
            }
        }
    }
}

/// What is known of one host, and the session to it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    place: Option<Place>,
    session: Option<Session>,
    /// The manifest as last read or written; absent before the first look.
    pub(crate) manifest: Option<Manifest>,
    /// Tells whether the host's first boot is known to be over.
    pub(crate) ready: bool,
}

impl Link {
    /// Runs one command, on a new session where there is none or the old one ended. Every command that ipai runs may
    /// be repeated, so one whose link broke is tried once more.
    pub(crate) async fn run(
        &mut self,
        settings: &Settings,
        place: &Place,
        command: &Command,
    ) -> Result<Output, SessionError> {
        self.turn_to(place);
        match self.try_once(settings, place, command).await {
            Err(SessionError::ConnectionLost { .. } | SessionError::OutOfStep { .. }) => {
                self.try_once(settings, place, command).await
            }
            other => other,
        }
    }

    /// Forgets what is known when the home is another machine now.
    pub(crate) fn turn_to(&mut self, place: &Place) {
        if self.place.as_ref() != Some(place) {
            *self = Self { place: Some(place.clone()), ..Self::default() };
        }
    }

    async fn try_once(
        &mut self,
        settings: &Settings,
        place: &Place,
        command: &Command,
    ) -> Result<Output, SessionError> {
        let sending = self.send(settings, place, command);
        let result = settings.witness.step(|| command.name.to_owned(), sending).await;
        // Only an output that was too large leaves a session in step.
        if let Err(error) = &result
            && !matches!(error, SessionError::OutputTooLarge { .. })
        {
            self.session = None;
        }
        result
    }

    async fn send(
        &mut self,
        settings: &Settings,
        place: &Place,
        command: &Command,
    ) -> Result<Output, SessionError> {
        if let Some(session) = &mut self.session {
            return session.run(command).await;
        }
        let target = place.target(settings);
        let (session, output) = Session::open(&target, settings.sudo, command).await?;
        self.session = Some(session);
        Ok(output)
    }
}

/// Where a home is reached, and who must answer there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) address: String,
    pub(crate) pin: HostKeyPin,
    /// Tells whether the home was created so recently that it may still boot.
    pub(crate) young: bool,
}

impl PartialEq for Place {
    /// A host that has grown up is still the same.
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address && self.pin == other.pin
    }
}

impl Place {
    /// Reads a home's outputs: `ipv4`, `host_keys` and `young`.
    pub(crate) fn of(home: &Address, outputs: &Outputs) -> Result<Self, RemoteError> {
        let attempted = || format!("reach {home}");
        let address = outputs.get("ipv4").and_then(Value::as_text).ok_or_else(|| {
            RemoteError::new(Fault::NotFound, attempted(), "it has no public IPv4 address yet")
        })?;
        let pins = outputs.get("host_keys").map(Value::text_items).unwrap_or_default();
        let pins: Result<Vec<_>, _> = pins.iter().map(|pin| pin.parse()).collect();
        let pins = pins.map_err(|error: crate::ssh::NotAFingerprint| {
            RemoteError::new(Fault::WrongHostKey, attempted(), error.to_string())
        })?;
        if pins.is_empty() {
            let cause = "no host key is pinned for it, and ipai trusts none on first use";
            return Err(RemoteError::new(Fault::WrongHostKey, attempted(), cause)
                .hint(format!("replace it (--replace {home}), or give it the tag ipai-hostkey:HEX with the SHA-256 fingerprint of its key")));
        }
        let (address, young) = (address.to_owned(), is_young(outputs));
        Ok(Self { address, pin: HostKeyPin::Fingerprints(pins), young })
    }

    fn target(&self, settings: &Settings) -> Target {
        Target {
            address: self.address.clone(),
            port: settings.port,
            user: settings.user.clone(),
            pin: self.pin.clone(),
            identities: settings.identities.clone(),
            passphrase: settings.passphrase.clone(),
            limits: settings.limits,
        }
    }

    /// Tells whether a failure is what a host in its first boot answers. A wrong host key never is.
    pub(crate) fn may_be_booting(&self, error: &SessionError) -> bool {
        match error {
            SessionError::Connect(error) => error.may_be_booting(),
            SessionError::ConnectionLost { .. } => true,
            _ => false,
        }
    }

    /// Tells whether the login user may not be there yet: cloud-init makes it, and sshd may be up before.
    pub(crate) fn may_lack_user(&self, error: &SessionError) -> bool {
        let login = matches!(
            error,
            SessionError::Connect(
                SshError::AuthRefused { .. } | SshError::NoIdentityAccepted { .. }
            )
        );
        self.young && (login || matches!(error, SessionError::SudoRefused { .. }))
    }
}

/// Tells whether a home was created so recently that it may still be in the making.
pub(crate) fn is_young(outputs: &Outputs) -> bool {
    outputs.get("young").and_then(Value::as_bool).unwrap_or(false)
}

/// Runs a command and turns a failure into the provider's error.
pub(crate) async fn run(
    link: &mut Link,
    settings: &Settings,
    place: &Place,
    command: &Command,
) -> Result<Output, RemoteError> {
    let result = link.run(settings, place, command).await;
    result.map_err(|error| failure::of_session(command.name, &error))
}
