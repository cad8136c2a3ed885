//! One SSH connection: who may log in, and what a channel may ask for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::VerifiedPublicKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty};
use tokio::sync::watch;

use super::embedded::{Host, Link};
use super::faults::Counters;
use super::{REFUSAL, exec};

/// Messages that wait for one program before its connection stops being read.
///
/// russh widens a channel's window as data arrives, not as it is used, and a full queue stops the
/// whole connection, output included: a program that writes while it is written to could then
/// wait for itself. So the queue is deep (64 MiB of full packets) and still has an end.
const QUEUE: usize = 2048;

/// The client on the other end of one connection.
pub(super) struct Visitor {
    host: Arc<Host>,
    link: Arc<Link>,
    user: String,
    /// One per open channel; dropping it tells the channel's task that nobody listens any more.
    open: HashMap<ChannelId, watch::Sender<()>>,
}

/// Returns how a host with this key speaks SSH.
pub(super) fn config(key: PrivateKey) -> Config {
    Config {
        keys: vec![key],
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Nothing to guess on loopback: a refusal need not take its time.
        auth_rejection_time: Duration::from_millis(1),
        auth_rejection_time_initial: Some(Duration::ZERO),
        channel_buffer_size: QUEUE,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}

impl Visitor {
    pub(super) fn new(host: Arc<Host>, link: Arc<Link>) -> Self {
        Self { host, link, user: String::new(), open: HashMap::new() }
    }

    fn admits(&self, user: &str, key: &PublicKey) -> Auth {
        let known = !self.host.faults().refuse_auth
            && lists_key(&self.host.folder.authorized_keys(user), key);
        if known { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Visitor {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        Counters::count(&self.host.counters.offers);
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Counters::count(&self.host.counters.offers);
        Ok(self.admits(user, offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Counters::count(&self.host.counters.offers);
        user.clone_into(&mut self.user);
        Ok(self.admits(user, key.public_key))
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        Counters::count(&self.host.counters.auths);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        Counters::count(&self.host.counters.channels);
        let gone = watch::Sender::new(());
        let client = exec::Client {
            host: Arc::clone(&self.host),
            link: Arc::clone(&self.link),
            user: self.user.clone(),
            session: session.handle(),
            gone: gone.subscribe(),
        };
        self.open.insert(channel.id(), gone);
        tokio::spawn(client.serve(channel));
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.open.remove(&channel);
        Ok(())
    }

    /// Granted whatever the command is: a refusal is for people to read, and a failed request
    /// carries no text.
    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.extended_data(channel, 1, REFUSAL.as_bytes())?;
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}

/// Finds `key` in the text of an `authorized_keys` file (sshd(8)): lines of optional options, a
/// key type, the key in base64 and a comment.
fn lists_key(authorized: &str, key: &PublicKey) -> bool {
    let Ok(text) = key.to_openssh() else { return false };
    let mut words = text.split_whitespace();
    let (Some(kind), Some(data)) = (words.next(), words.next()) else { return false };
    authorized.lines().filter(|line| !line.trim_start().starts_with('#')).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.windows(2).any(|pair| pair == [kind, data])
    })
}
