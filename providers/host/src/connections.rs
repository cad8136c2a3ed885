//! The sessions to all hosts of a stack, shared by plan and apply so that the second needs no connection of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipai_core::{Address, DigestKey, Fault, Outputs, RemoteError, Value, Witness};
use tokio::sync::Mutex as AsyncMutex;

use crate::failure;
use crate::manifest::Manifest;
use crate::session::{Command, Output, Session, SessionError, Sudo};
use crate::ssh::{
    Backlog, Fingerprint, HostKeyPin, Identity, Limits, Passphrase, SshError, Target,
};
use crate::ssh_config::SshConfig;

/// How hosts are reached; everything that is the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The login user.
    pub user: String,
    /// The TCP port of the hosts' SSH servers.
    pub port: u16,
    /// What to log in with, in this order; the agent's socket is one of them.
    pub identities: Vec<Identity>,
    /// What else to log in with where the configuration names no key.
    pub usual_identities: Vec<Identity>,
    /// Asked for the passphrase of an encrypted identity file.
    pub passphrase: Option<Passphrase>,
    /// The user's own configuration of OpenSSH.
    pub config: SshConfig,
    /// Files that list host keys; only read.
    pub known_hosts: Vec<PathBuf>,
    /// Who logs in on a bastion that nobody is named for.
    pub local_user: Option<String>,
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
            usual_identities: Vec::new(),
            passphrase: None,
            config: SshConfig::default(),
            known_hosts: Vec::new(),
            local_user: None,
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
    /// Homes whose keys were renewed by this process, by the place that their outputs still name.
    moved: Mutex<BTreeMap<Address, (Place, Place)>>,
    /// Services whose image may change without a backup before.
    waived: Mutex<BTreeSet<String>>,
}

impl Connections {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        let (links, moved, waived) = Default::default();
        Arc::new(Self { settings, links, moved, waived })
    }

    /// Lets the images of these services change without a backup before.
    pub fn waive_backups(&self, services: &[String]) {
        let mut waived = self.waived.lock().unwrap_or_else(PoisonError::into_inner);
        waived.extend(services.iter().cloned());
    }

    pub(crate) fn waived(&self) -> BTreeSet<String> {
        self.waived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What hosts are offered at login: named keys and agents, then the usual ones.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.settings.identities.iter().chain(&self.settings.usual_identities)
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

    /// Where a home is reached now. Its outputs may be older than the keys that it was given since.
    pub(crate) fn place(&self, home: &Address, outputs: &Outputs) -> Result<Place, RemoteError> {
        let place = Place::of(home, outputs)?;
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match moved.get(home) {
            Some((from, to)) if *from == place => Place { young: place.young, ..to.clone() },
            _ => place,
        })
    }

    /// Notes that a home which outputs place at `from` proves itself as `to` says.
    pub(crate) fn moved(&self, home: &Address, from: &Place, to: &Place) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let from = match moved.get(home) {
            Some((first, known)) if known == from => first.clone(),
            _ => from.clone(),
        };
        moved.insert(home.clone(), (from, to.clone()));
    }

    /// Shows the key with which whoever answers at a home's address proves itself, for a person to compare. Nothing
    /// else is sent there.
    ///
    /// # Errors
    /// Nobody answers there.
    pub async fn shown_host_key(
        &self,
        home: &Address,
        address: &str,
    ) -> Result<Fingerprint, RemoteError> {
        let (pin, login) = (HostKeyPin::Fingerprints(Vec::new()), None);
        let place =
            Place { address: address.to_owned(), pin, born: Vec::new(), login, young: false };
        let shown = crate::ssh::shown_host_key(&place.target(&self.settings)).await;
        let attempted = format!("see the host key of {home}");
        shown.map_err(|error| failure::of_session(&attempted, &SessionError::Connect(error)))
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
    /// Tells whether the host went back to a release in this process.
    pub(crate) returned: bool,
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

    /// How much of what was sent on the session that stands is still here.
    pub(crate) fn backlog(&self) -> Backlog {
        self.session.as_ref().map(Session::backlog).unwrap_or_default()
    }

    /// Forgets what is known when the home is another machine now.
    pub(crate) fn turn_to(&mut self, place: &Place) {
        if self.place.as_ref() != Some(place) {
            *self = Self { place: Some(place.clone()), ..Self::default() };
        }
    }

    /// Goes on with the session that stands, at a place of which more is known.
    pub(crate) fn stay_at(&mut self, place: &Place) {
        self.place = Some(place.clone());
    }

    /// Goes on with another session on the same host.
    pub(crate) fn move_to(&mut self, place: &Place, session: Session) {
        self.place = Some(place.clone());
        self.session = Some(session);
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
    /// The accepted keys that came from outside and are to be replaced on the host.
    pub(crate) born: Vec<Fingerprint>,
    /// How to log in, where the stack says so of this host alone; a droplet is logged in on as `[ssh]` says.
    pub(crate) login: Option<Login>,
    /// Tells whether the home was created so recently that it may still boot.
    pub(crate) young: bool,
}

/// What the stack says about logging in on one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
}

impl PartialEq for Place {
    /// A host that has grown up is still the same.
    fn eq(&self, other: &Self) -> bool {
        (&self.address, &self.pin, &self.login) == (&other.address, &other.pin, &other.login)
    }
}

impl Place {
    /// Reads a home's outputs: `ipv4` or `address`, `host_keys` or `known_hosts`, and what else it has to say.
    pub(crate) fn of(home: &Address, outputs: &Outputs) -> Result<Self, RemoteError> {
        let attempted = || format!("reach {home}");
        let text = |name: &str| outputs.get(name).and_then(Value::as_text);
        let truth = |name: &str| outputs.get(name).and_then(Value::as_bool).unwrap_or(false);
        let address = text("address").or_else(|| text("ipv4")).ok_or_else(|| {
            RemoteError::new(Fault::NotFound, attempted(), "it has no public IPv4 address yet")
        })?;
        let keys = |name: &str| {
            let keys = outputs.get(name).map(Value::text_items).unwrap_or_default();
            let keys: Result<Vec<Fingerprint>, _> = keys.iter().map(|key| key.parse()).collect();
            keys.map_err(|error| {
                RemoteError::new(Fault::WrongHostKey, attempted(), error.to_string())
            })
        };
        let pinned = keys("host_keys")?;
        if pinned.is_empty() && !truth("known_hosts") {
            let cause = "no host key is pinned for it, and ipai trusts none on first use";
            return Err(RemoteError::new(Fault::WrongHostKey, attempted(), cause).hint(format!(
                "read its fingerprint on its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then: ipai adopt {home} --host-key SHA256:…"
            )));
        }
        let pin = match pinned.is_empty() {
            true => HostKeyPin::KnownHosts(Vec::new()),
            false => HostKeyPin::Fingerprints(pinned),
        };
        let port = outputs.get("port").and_then(Value::as_int);
        let login = home.provider == "host";
        let login = login.then(|| Login {
            user: text("user").map(str::to_owned),
            port: port.and_then(|port| u16::try_from(port).ok()),
        });
        let (born, young) = (keys("birth_host_keys")?, is_young(outputs));
        Ok(Self { address: address.to_owned(), pin, born, login, young })
    }

    /// The same place, where one more key is accepted.
    pub(crate) fn accepting(&self, key: Fingerprint) -> Self {
        let mut keys = match &self.pin {
            HostKeyPin::Fingerprints(keys) => keys.clone(),
            HostKeyPin::KnownHosts(_) => Vec::new(),
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
        Self { pin: HostKeyPin::Fingerprints(keys), ..self.clone() }
    }

    /// The same place, where this key alone is accepted.
    pub(crate) fn accepting_only(&self, key: Fingerprint) -> Self {
        Self { pin: HostKeyPin::Fingerprints(vec![key]), born: Vec::new(), ..self.clone() }
    }

    pub(crate) fn target(&self, settings: &Settings) -> Target {
        crate::route::target(self, settings)
    }

    /// Tells whether a failure is what a host in its first boot answers. A wrong host key never is.
    pub(crate) fn may_be_booting(&self, error: &SessionError) -> bool {
        match error {
            SessionError::Connect(error) => error.may_be_booting(),
            SessionError::ConnectionLost { .. } => true,
            _ => false,
        }
    }

    /// Tells whether a failure is what a host answers that was created just now, so that nothing is wrong with it.
    pub(crate) fn is_in_the_making(&self, error: &SessionError) -> bool {
        self.young && (self.may_be_booting(error) || self.may_be_half_made(error))
    }

    /// Tells whether the host may be half made: sshd may be up before cloud-init has made the login user, and is
    /// started anew by it, in the midst of somebody's key exchange.
    pub(crate) fn may_be_half_made(&self, error: &SessionError) -> bool {
        let login = matches!(
            error,
            SessionError::Connect(
                SshError::AuthRefused { .. }
                    | SshError::NoIdentityAccepted { .. }
                    | SshError::Handshake { .. }
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
