//! Changing. Built by the executor alone.

use ipai_core::RemoteError;
use serde::de::DeserializeOwned;

use super::error::{ApiError, Kind};
use super::objects::{Action, Created, Firewall, Named, One, Tag};
use super::reader::{Reader, Repeat};
use super::requests::{Change, Method, Tagged};
use super::wire::Call;
use crate::settings::Settings;

/// Changes what is there, and reads.
#[derive(Clone)]
pub(crate) struct Writer {
    /// The reading half.
    pub(crate) reader: Reader,
}

impl Writer {
    pub(crate) fn new(settings: &Settings) -> Result<Self, RemoteError> {
        Ok(Self { reader: Reader::new(settings)? })
    }

    /// Sends a change whose success has no body.
    async fn done(&self, change: &Change) -> Result<(), ApiError> {
        let call = Call::from(change);
        self.reader.wire.repeatedly(&call, Repeat::Harmless).await?.nothing(&call)
    }

    /// Sends a change until it may have arrived, and not again: what became of it after a lost answer is for the caller to find out.
    async fn once<T: DeserializeOwned>(&self, change: &Change) -> Result<T, ApiError> {
        let call = Call::from(change);
        self.reader.wire.repeatedly(&call, Repeat::Harmful).await?.json(&call)
    }

    /// Asks for a droplet. Never repeated by itself: two requests make two droplets.
    pub(crate) async fn create_droplet(&self, change: &Change) -> Result<Created, ApiError> {
        self.once(change).await
    }

    /// Starts an action.
    pub(crate) async fn act(&self, change: &Change) -> Result<Action, ApiError> {
        self.make(change).await
    }

    /// Deletes something; what is gone already is success.
    pub(crate) async fn delete(&self, change: &Change) -> Result<(), ApiError> {
        debug_assert_eq!(change.method, Method::Delete);
        match self.done(change).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Makes sure that a tag exists; returns the spelling that counts, for tags are stable in their case.
    pub(crate) async fn ensure_tag(&self, name: &str) -> Result<String, ApiError> {
        let change = Change::create_tag(name);
        let call = Call::from(&change);
        match self.reader.wire.repeatedly(&call, Repeat::Harmless).await {
            Ok(answer) => Ok(answer.json::<One<Tag>>(&call)?.0.name),
            // It was there already, and the API says so in one way or another.
            Err(error)
                if matches!(error.kind, Kind::Status(409 | 422))
                    && (error.says("already") || error.says("exists")) =>
            {
                Ok(name.to_owned())
            }
            Err(error) => Err(error),
        }
    }

    /// Puts an existing tag on an object.
    pub(crate) async fn tag(&self, tag: &str, on: &Tagged) -> Result<(), ApiError> {
        self.done(&Change::tag(tag, on)).await
    }

    /// Puts a droplet behind a firewall, whether it stands there already or not.
    pub(crate) async fn guard(&self, firewall: &str, id: u64) -> Result<(), ApiError> {
        self.done(&Change::guard_droplet(firewall, id)).await
    }

    /// Asks for something that comes alone in the answer: a volume, a reserved address, a volume's snapshot. Sent until it
    /// may have arrived, and not again.
    pub(crate) async fn make<T: Named + DeserializeOwned>(
        &self,
        change: &Change,
    ) -> Result<T, ApiError> {
        Ok(self.once::<One<T>>(change).await?.0)
    }

    /// Makes a firewall. Its name is unique, so a second one cannot come of it, but a refusal as duplicate can.
    pub(crate) async fn create_firewall(&self, change: &Change) -> Result<Firewall, ApiError> {
        self.make(change).await
    }

    /// Sets the whole of a firewall.
    pub(crate) async fn put_firewall(&self, change: &Change) -> Result<Firewall, ApiError> {
        let call = Call::from(change);
        Ok(self
            .reader
            .wire
            .repeatedly(&call, Repeat::Harmless)
            .await?
            .json::<One<Firewall>>(&call)?
            .0)
    }
}
